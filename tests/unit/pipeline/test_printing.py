"""What the command prints, and where it cannot: closed streams, narrow encodings, control characters, odd files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contracts.test_conditional_on_vectors import narrow
from tests.unit.pipeline.test_cli import refused, run
from tests.unit.tasks.test_tasks import text_vae
from textvae import cli
from textvae.pipeline.report.build import render

NASTY = "red \x1b[31m\x9b\u202e\x07 end"
SHOWN = r"red \x1b[31m\x9b\u202e\x07 end"


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of the shell, in which $TEXTVAE is the command."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "TEXTVAE": f"{sys.executable} -m textvae",
        **environment,
    }
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=folder, env=variables, check=False)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("$TEXTVAE reconstruct model <&-", "standard input is closed"),
        ("$TEXTVAE --help >&-", "standard output is closed"),
        ("$TEXTVAE generate model >&-", "standard output is closed"),
        ("$TEXTVAE run demo --dry-run >&-", "standard output is closed"),
        ("$TEXTVAE run demo --json >&-", "standard output is closed"),
    ],
)
def test_closed_streams_get_one_sentence(line: str, said: str, tmp_path: Path) -> None:
    assert said in refused(shell(line, tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_what_is_said_to_a_closed_standard_error_goes_nowhere_else(tmp_path: Path) -> None:
    # Without a descriptor for nothing, the next file that is opened would be standard error.
    result = shell("$TEXTVAE generate none 2>&-", tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_characters_that_the_encoding_does_not_have_are_escapes(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from textvae import cli\ncli.app = lambda **_: print('café', '日本')\ncli.main([])\n")
    result = shell(f"{sys.executable} program.py", tmp_path, PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stdout) == (0, "caf\\xe9 \\u65e5\\u672c\n")


def test_texts_are_shown_without_what_steers_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [{"text": NASTY, "label": NASTY, "probability": 0.5}]
    monkeypatch.setattr("textvae.commands.classify.classify_run", lambda *_, **__: made)
    assert run("classify", "x", "a").stdout == f"{SHOWN}\t0.500\t{SHOWN}\n"
    printed = run("classify", "x", "a", "--json").stdout
    assert json.loads(printed) == made
    assert not set(printed) & set(NASTY[4] + "\x9b\u202e\x07")


@pytest.mark.parametrize(
    "arguments",
    [(f"--{NASTY}",), (NASTY,), ("run", NASTY), ("generate", NASTY), ("generate", "x", "-n", NASTY),
     ("run", "demo", "--set", NASTY), ("run", "demo", "--set", f"train.{NASTY}=1"), ("generate", "x", f"--{NASTY}"),
     ("generate", "x", "--decoding", NASTY), ("evaluate", "x", "--file", NASTY), ("new", NASTY)],
)  # fmt: skip
def test_arguments_are_repeated_without_it_too(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.replace("\n", "").isprintable(), result.stderr


def test_warnings_and_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.warn(f"a\n  b {NASTY}")
    assert cli._fail(f"a\n  b {NASTY}", 2) == 2
    assert capsys.readouterr().err == f"textvae: warning: a b {SHOWN}\ntextvae: a b {SHOWN}\n"


def test_a_number_that_json_does_not_have_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"iw_nll": float("nan"), "verdict": "none"}
    monkeypatch.setattr("textvae.commands.evaluate.evaluate_run", lambda *_, **__: measured)
    assert "iw_nll = nan is not finite" in refused(run("evaluate", "x", "--json"))
    assert "nan" in run("evaluate", "x").stdout


def test_the_page_holds_no_control_characters() -> None:
    report: dict[str, Any] = {
        "run": {
            "recipe": NASTY, "description": NASTY, "seed": 1, "textvae": "1", "torch": "1", "python": "3",
            "hardware": NASTY, "seconds": 1.0, "stage_seconds": {NASTY: 1.0}, "date": "today",
            "settings": {NASTY: NASTY},
        },
        "interpolate": {"kind": "linear"},
        "classify": {},
    }  # fmt: skip
    details = {
        "evaluate": {
            "samples": {"sampled": [NASTY], "by_label": [{"label": NASTY, "sentences": [NASTY]}]},
            "reconstructions": [{"text": NASTY, "reconstruction": NASTY}],
            "latent": {"points": [[0, 1], [1, 0]], "labels": [NASTY, "b"], "explained": [0.5, 0.2], "dimensions": 2},
        },
        "classify": {"confusion": [[1, 0], [0, 1]], "label_names": [NASTY, "b"]},
        "interpolate": {"paths": [{"start": NASTY, "end": NASTY, "texts": [NASTY]}]},
        "impute": {
            "answers": [
                {"text": f"___ {NASTY}", "answers": [{"text": f"___ {NASTY}", "fillers": [NASTY], "probability": 1}]}
            ]
        },
    }  # fmt: skip
    report["impute"] = {}
    corpus = dict.fromkeys(("name", "licence", "description", "citation", "source"), NASTY)
    page = render(report, details, corpus, [NASTY])
    assert page.count(SHOWN) > 15
    assert page.replace("\n", "").replace("\t", "").isprintable()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    text_vae().save_pretrained(folder / "model")
    narrow().save_pretrained(folder / "vectors")
    return folder


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_files_that_are_none_are_called_what_they_are(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    for name, said in (("fifo", "is a pipe"), (".", "is a folder"), ("/dev/null", "is a device"), ("x", "not exist")):
        assert said in refused(run("evaluate", "model", "--file", name, cwd=folder))
        assert said in refused(run("generate", "vectors", "--vectors", name, cwd=folder))


def test_names_that_no_file_can_have(folder: Path) -> None:
    (folder / "file").write_text("a\n")
    (folder / "loop").symlink_to("loop")
    for name, said in (("a" * 300, "too long"), ("file/x", "does not exist"), ("loop", "is no path")):
        assert said in refused(run("evaluate", "model", "--file", name, cwd=folder))


def header(text: bytes) -> bytes:
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text


ARRAYS: dict[str, Any] = {
    "objects": (np.array([{"a": 1}], dtype=object), "no array of numbers"),
    "texts": (np.array(["a", "b"]), "no plain numbers"),
    "nan": (np.array([[np.nan, 0.0]]), "not finite"),
    "narrow": (np.zeros((2, 7)), "shape (2, 7)"),
    "flat": (np.zeros(2), "shape (2,)"),
    "point": (np.zeros(()), "shape ()"),
    "empty file": (b"", "no array of numbers"),
    "huge header": (header(b"{'descr': '<f4', " + b" " * 10**6 + b"}"), "no array of numbers"),
    "nested header": (header(b"(" * 5000), "no array of numbers"),
    "promises more": (
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000), }\n"), "no array of numbers",
    ),
    "promises too much": (
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000000000000, 2), }\n"),
        "no array of numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_vectors_that_are_none_get_one_sentence(name: str, folder: Path) -> None:
    content, said = ARRAYS[name]
    if isinstance(content, bytes):
        (folder / "v.npy").write_bytes(content)
    else:
        np.save(folder / "v.npy", content, allow_pickle=True)
    assert said in refused(run("generate", "vectors", "-n", "1", "--vectors", "v.npy", cwd=folder))


def test_an_archive_of_arrays_is_no_array(folder: Path) -> None:
    np.savez(folder / "v.npz", np.zeros((1, 2)))
    assert "archive" in refused(run("generate", "vectors", "-n", "1", "--vectors", "v.npz", cwd=folder))
