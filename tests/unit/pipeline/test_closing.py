"""The last lines of a run: the verdict, the numbers that matter, three sentences."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.contracts.test_commands import run
from textvae.pipeline.metric import Metric
from textvae.pipeline.stages import STAGES

PATTERNS = {
    "verdict": r"(Not collapsed|Collapsed): .*\.",
    "reconstruction": r"Reconstruction is (good|fair|poor): .* of sentences come back, BLEU \d+\.",
    "likelihood": r"NLL at most [\d.]+ nats per sentence, perplexity at most [\d.]+ per token, over [\d,]+ tokens .*",
    "classifier": r"Classifier: [\d.]+% of test sentences are right, from 20 labels "
    r"\(0 held out\); by always .* [\d.]+% are\.",
    "svm": r"A linear SVM on TF-IDF, from as many labels \(20\): [\d.]+%\.",
    "imputation": r"Imputation: [\d.]+% of hidden words are restored; by always .* [\d.]+% are\.",
    "sentences": r"New sentences from the prior:",
}


def rerun(tiny_run: Path, folder: Path, *arguments: str) -> tuple[str, list[str], Path]:
    """A copy of the tiny run brought up to date: standard output, the lines of standard error, and the run."""
    shutil.copytree(tiny_run, folder / "copy")
    recipe, out = folder / "copy" / "tiny.toml", folder / "copy" / "run"
    code, said, err = run("run", str(recipe), "--out", str(out), *arguments)
    assert code == 0, err
    return said, err.splitlines(), out


def test_a_run_ends_with_the_verdict_the_numbers_and_three_sentences(tiny_run: Path, tmp_path: Path) -> None:
    said, lines, out = rerun(tiny_run, tmp_path, "--set", "evaluate.iw_samples=2")
    done = next(i for i, line in enumerate(lines) if line.startswith("done: evaluate in "))
    assert lines[done - 1] == f"report: {out / 'report.html'}"
    ending = lines[done + 1 :]
    for line, pattern in zip(ending, PATTERNS.values(), strict=False):
        assert re.fullmatch(pattern, line), line
    assert said == ""
    report = json.loads((out / "report.json").read_text())
    assert ending[0] == report["evaluate"]["verdict"]
    assert f"NLL at most {report['evaluate']['iw_nll']:.1f} nats" in ending[2]
    assert f"{report['classify']['accuracy']:.1%}" in ending[3]
    assert ending[1] == report["evaluate"]["reconstruction"]
    samples = json.loads((out / "evaluate" / "details.json").read_text())["samples"]["sampled"]
    assert ending[len(PATTERNS) :] == [f"  {text}" for text in samples[:3]]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("tokenize", []),
        ("train", []),
        ("evaluate", ["verdict", "reconstruction", "likelihood", "sentences"]),
        ("classify", ["classifier", "svm"]),
        ("impute", ["imputation"]),
        ("interpolate", []),
    ],
)
def test_only_what_was_asked_for_is_told(tiny_run: Path, tmp_path: Path, only: str, expected: list[str]) -> None:
    folder = tmp_path / "copy" / "run"
    shutil.copytree(tiny_run, tmp_path / "copy")
    code, _, err = run("run", str(tmp_path / "copy" / "tiny.toml"), "--out", str(folder), "--only", only)
    assert code == 0
    # Nothing was to do, so only the verdicts are told again.
    assert [name for name, pattern in PATTERNS.items() if re.search(f"(?m)^{pattern}$", err)] == [
        name for name in expected if name in ("verdict", "reconstruction")
    ]
    stage = next(stage for stage in STAGES if stage.name == only)
    results = json.loads((folder / only / "results.json").read_text())
    closing = "\n".join(one.text for one in stage.closing(results, stage.details(folder / only)))
    assert [name for name, pattern in PATTERNS.items() if re.search(f"(?m)^{pattern}$", closing)] == expected


def test_json_is_as_it_was(tiny_run: Path, tmp_path: Path) -> None:
    said, lines, _ = rerun(tiny_run, tmp_path, "--json")
    (told,) = json.loads(said)
    assert set(told) == {"name", "folder", "steps", "report"}
    assert lines[-3] == "nothing to do: everything is up to date."
    evaluated = told["report"]["evaluate"]
    assert lines[-2:] == [evaluated["verdict"], evaluated["reconstruction"]]


@pytest.mark.parametrize(
    "results", [{}, {"nll": None, "tokens": 3}, {"nll": 1.0}, {"nll": "high", "tokens": 3}, {"tokens": 3}]
)
def test_a_headline_without_its_numbers_is_left_out(results: dict) -> None:
    metric = Metric("nll", "NLL", "nats", "of it", headline="NLL {nll:.1f} nats over {tokens:,} tokens.")
    assert metric.told(results) is None
    assert metric.told({"nll": 1.25, "tokens": 1234}) == "NLL 1.2 nats over 1,234 tokens."
    assert Metric("nll", "NLL", "nats", "of it").told({"nll": 1.0}) is None
