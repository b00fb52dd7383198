"""`--file IN --out OUT`, in every command that has it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.contracts.test_commands import assert_refused, run
from tests.unit.mapping.messy import read
from textvae.config import kinds_of
from textvae.mapping import Counts, Verb, VerbConfig, map_file

COMMANDS = list(kinds_of(VerbConfig, Verb))


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(name: str, tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    blank = "___ " if name == "impute" else ""
    path.write_text(f"id,text\n1,{blank}the a i is good\n2,\n3,{blank}{'the ' * 20}\n")
    return path


def test_the_command_is_the_function(name: str, tiny_run: Path, file: Path) -> None:
    place, out, other = tiny_run / "run", file.with_name("out.jsonl"), file.with_name("other.jsonl")
    code, printed, told = run(name, str(place), "--file", str(file), "--out", str(out))
    assert (code, printed) == (0, ""), told
    assert told.splitlines()[-1] == f"3 rows: 2 answered (1 of them cut as in training), 1 blank: {out}"
    counts = map_file(place, file, other, name)
    assert counts == Counts(rows=3, answered=2, cut=1, blank=1)
    assert out.read_bytes() == other.read_bytes()
    out.unlink()
    code, printed, _ = run(name, str(place), "--file", str(file), "--out", str(out), "--on-error", "skip", "--json")
    assert code == 0
    assert json.loads(printed) == {"out": str(out), **asdict(Counts(rows=3, answered=1, too_long=1, blank=1))}


def test_options_of_a_file_are_refused_without_one(name: str, tiny_run: Path, file: Path) -> None:
    place, out = str(tiny_run / "run"), str(file.with_name("out.csv"))
    sentence = ["--start", "the a i"] if name == "generate" else ["the a i"]
    assert_refused(name, place, "--file", str(file))
    assert_refused(name, place, *sentence, "--file", str(file), "--out", out)
    for option, value in (("--out", out), ("--column", "text"), ("--on-error", "skip"), ("--delimiter", ";")):
        assert_refused(name, place, *sentence, option, value)
    assert_refused(name, place, "--file", str(file), "--out", out, "--on-error", "never")
    assert_refused(name, place, "--file", str(file), "--out", out, "--column", "nothing")
    assert_refused(name, place, "--file", str(file), "--out", str(file))
    assert_refused(name, place, "--file", "-", "--out", out)
    assert_refused(name, place, "--file", str(file), "--out", "-")
    assert sorted(path.name for path in file.parent.iterdir()) == ["in.csv"]


def test_a_delimiter_that_no_sniffing_finds(tiny_run: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.data", tmp_path / "out.csv"
    file.write_text("text~n\nthe a i is good~1\nthe b j is bad~2\n")
    code, _, told = run(
        "encode", str(tiny_run / "run"), "--file", str(file), "--out", str(out), "--format", "csv", "--delimiter", "~"
    )
    assert code == 0, told
    assert out.read_text().splitlines()[0] == "text~n~z~error"


def test_an_option_that_belongs_to_another_way_of_generating_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_text("the a i is good\n")
    for option in (["--walk"], ["--label", "pos"]):
        assert_refused(
            "generate", str(tiny_run / "run"), "--file", str(file), "--out", str(tmp_path / "o.txt"), *option
        )
    assert_refused("impute", str(tiny_run / "run"), "--file", str(file), "--out", str(tmp_path / "o.txt"), "-n", "3")
    assert_refused("encode", str(tiny_run / "run"), "the a i", "--npy")


def test_lines_give_lines(tiny_run: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.txt", tmp_path / "out.txt"
    file.write_text("the a i is good\n\nthe b j is bad\n")
    code, _, told = run("classify", str(tiny_run / "run"), "--file", str(file), "--out", str(out))
    assert code == 0, told
    made = [one["result"] for one in read(out, "lines")]
    assert [line.split("\t")[0] in ("pos", "neg") for line in made] == [True, False, True] and made[1] == ""


def test_the_first_broken_row_is_said_with_its_reason(tiny_run: Path, tmp_path: Path) -> None:
    """Files of lines have no column for it; and who meant another column need not look into the file."""
    place, file, out = str(tiny_run / "run"), tmp_path / "in.jsonl", tmp_path / "out.txt"
    good, bad = '{"text": "the a i is good"}\n', '{"text": ["the", "a"]}\n'
    file.write_text(good * 8200 + "\n" + bad + good + "[1]\n")
    code, _, told = run("score", place, "--file", str(file), "--out", str(out))
    reason = "row 8202: 'text' is a list, not a text"
    assert code == 0 and f"8,201 answered, 1 blank, 2 broken ({reason}): " in told
    assert map_file(tiny_run / "run", file, tmp_path / "again.txt", "score").first_broken == reason
    (tmp_path / "lines.txt").write_text("the a i is good\n")
    code, _, told = run("impute", place, "--file", str(tmp_path / "lines.txt"), "--out", str(tmp_path / "filled.txt"))
    assert code == 0 and "1 broken (row 1: 'the a i is good' has no blank; write ___ for one word or ___*" in told
