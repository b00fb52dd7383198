"""`textvae compare`: what it says of two runs is what the runs and the paired comparison say."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import feather

from benchmarks.paired import difference
from textvae import cli
from textvae.pipeline.comparing import compare, read_run, sentence_nll


def said(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli._run(list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def two(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny run with z, and its language model."""
    out = tmp_path_factory.mktemp("compared") / "tiny_lm"
    baseline = ["--set", "train.model.kind=language_model", "--out", str(out)]
    code, _, err = said("run", str(tiny_run / "tiny.toml"), *baseline)
    assert code == 0, err
    return tiny_run / "run", out


def test_the_paired_difference_is_that_of_the_benchmark(two: tuple[Path, Path]) -> None:
    run, baseline = (read_run(folder) for folder in two)
    row = difference(baseline, sentence_nll(baseline), run, sentence_nll(run))
    code, out, err = said("compare", *map(str, two), "--json")
    assert code == 0, err
    (pair,) = json.loads(out)["paired"]
    names = {"nll": "nll", "other_nll": "baseline_nll", "samples": "iw_samples"}
    names |= {name: name for name in ("difference", "difference_se", "sentences")}
    assert {name: pair[name] for name in names} == {name: row[other] for name, other in names.items()}
    # And that is what the files say.
    nll = [feather.read_table(folder / "evaluate" / "by_sentence.arrow")["iw_nll"].to_numpy() for folder in two]
    assert pair["difference"] == pytest.approx(np.mean(nll[1] - nll[0]), abs=1e-12)
    assert pair["difference_se"] == pytest.approx(np.std(nll[1] - nll[0], ddof=1) / len(nll[0]) ** 0.5, abs=1e-12)


def test_it_has_every_number_of_both_runs_and_the_settings_that_differ(two: tuple[Path, Path]) -> None:
    found = compare(list(two))
    reports = [read_run(folder).report for folder in two]
    numbers = {number["key"]: number for number in found["numbers"]}
    for at, report in enumerate(reports):
        assert numbers["evaluate.iw_nll"]["values"][at] == report["evaluate"]["iw_nll"]
    assert numbers["evaluate.kl"]["values"][0] == reports[0]["evaluate"]["kl"]
    assert numbers["impute.accuracy"]["values"] == [report["impute"]["accuracy"] for report in reports]
    assert numbers["interpolate.new_sentences"]["values"][1] is None, "a language model has no paths"
    kinds = found["settings"]["train.model.kind"]
    assert kinds == [reports[0]["run"]["settings"]["train"]["model"].get("kind"), "language_model"]
    titles = {row["title"]: row["of"] for row in found["texts"]}
    samples = titles["New sentences, z from the prior, sampled words"]
    assert samples[0] and samples[1]
    assert any(row["of"][0] and row["of"][1] for row in found["series"])


def test_the_text_and_the_page(two: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    code, out, err = said("compare", *map(str, two), "--page", str(page))
    assert code == 0, err
    assert "B - A: NLL " in out and " nats per sentence, over " in out and "New sentences" in out
    text = page.read_text(encoding="utf-8")
    assert "Paired differences" in text and text.count("<svg") == 2
    assert not re.search(r"""(src|href)\s*=\s*["']?(http|//)|url\(\s*["']?http""", text), "it loads nothing"
    code, _, err = said("compare", *map(str, two), "--page", str(page))
    assert code == 2 and "exists" in err and page.read_text(encoding="utf-8") == text


def test_hostile_texts_are_escaped(two: tuple[Path, Path], tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    shutil.copytree(two[0], evil)
    report: dict[str, Any] = json.loads((evil / "report.json").read_text())
    report["run"]["recipe"] = "<script>alert(1)</script>"
    (evil / "report.json").write_text(json.dumps(report))
    details: dict[str, Any] = json.loads((evil / "evaluate" / "details.json").read_text())
    details["samples"]["sampled"] = ["<img src=x onerror=alert(1)> \x1b[31m"]
    (evil / "evaluate" / "details.json").write_text(json.dumps(details))
    code, out, _ = said("compare", str(two[0]), str(evil), "--page", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert code == 0 and "\x1b" not in out
    assert "<script>alert" not in page and "<img" not in page and "\x1b" not in page


def test_what_cannot_be_compared_is_said(two: tuple[Path, Path], tmp_path: Path) -> None:
    run = two[0]
    assert said("compare", str(run))[0] == 2
    code, _, err = said("compare", str(run), str(run))
    assert code == 2 and "twice" in err
    code, _, err = said("compare", str(run), str(tmp_path))
    assert code == 2 and "report.json" in err
    # Other samples of the bound, or no numbers by sentence: everything else is compared.
    other = tmp_path / "other"
    shutil.copytree(run, other)
    report = json.loads((other / "report.json").read_text())
    report["evaluate"]["iw_samples"] += 1
    (other / "report.json").write_text(json.dumps(report))
    assert "samples" in compare([run, other])["paired"][0]["reason"]
    (other / "evaluate" / "by_sentence.arrow").write_bytes(b"no feather")
    found = compare([run, other])
    assert "by_sentence" in found["paired"][0]["reason"] and len(found["numbers"]) > 10
