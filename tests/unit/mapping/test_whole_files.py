"""Whole files in and out: every row keeps its place and its columns, whatever is in it, in every format."""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.mapping.messy import ENDINGS, Given, read, rows_of, write
from textvae.errors import ConfigError, DataError, ModelError
from textvae.mapping import Counts, files, map_file
from textvae.mapping.formats import FORMATS, columnar, records
from textvae.mapping.work import Work

KEPT = ("id", "text", "score")


@pytest.fixture
def run(tiny_run: Path) -> Path:
    return tiny_run / "run"


def counts_of(rows: list[Given], on_error: str = "truncate") -> Counts:
    kinds = [row.kind for row in rows]
    cut = kinds.count("long") if on_error == "truncate" else 0
    return Counts(
        rows=len(rows),
        answered=kinds.count("good") + cut,
        cut=cut,
        too_long=kinds.count("long") - cut,
        blank=kinds.count("blank"),
    )


def as_cell(text: str | None, target: str) -> str:
    """The text as it is written: nothing can enclose a cell of TSV."""
    return re.sub(r"[\t\n]+", " ", text or "") if target == "tsv" else text or ""


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_row_and_column_is_kept(run: Path, tmp_path: Path, source: str, target: str) -> None:
    rows = rows_of(source)
    file, out = tmp_path / f"in{ENDINGS[source]}", tmp_path / f"out{ENDINGS[target]}"
    write(file, source, rows)
    before = file.read_bytes()
    assert map_file(run, file, out, "classify", format=source) == counts_of(rows)
    assert file.read_bytes() == before and sorted(tmp_path.iterdir()) == sorted([file, out])
    made, given = read(out, target), read(file, source)
    assert len(made) == len(rows)
    if target == "lines":
        assert [bool(one["result"]) for one in made] == [row.kind in ("good", "long") for row in rows]
        return
    added = ("label", "probability") if source == "lines" else ("textvae_label", "probability")
    for row, one, old in zip(rows, made, given, strict=True):
        has_answer = row.kind in ("good", "long")
        assert (one[added[0]] in ("pos", "neg")) is has_answer
        assert bool(one["error"]) is not has_answer
        if has_answer:
            assert 0.5 <= float(one["probability"]) <= 1
        if source == target:
            assert {name: value for name, value in one.items() if name in old} == old
        elif source == "lines":
            assert one["text"] == as_cell(row.text, target)
        else:
            assert str(one["id"]) == str(old["id"]) and (one["text"] or "") == as_cell(old["text"], target)


@pytest.mark.parametrize(("verb", "settings"), [
    ("encode", {}), ("score", {"samples": 3}), ("impute", {}), ("classify", {}),
    ("reconstruct", {}), ("reconstruct", {"decoding": {"kind": "sample"}}), ("generate", {}),
])  # fmt: skip
def test_an_interrupted_file_has_the_bytes_of_a_whole_one(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(records, "PART_ROWS", 4)
    rows = rows_of("csv")
    if verb == "impute":
        rows = [Given(f"___ {row.text}" if (row.text or "").strip() else row.text, row.kind) for row in rows]
    file = tmp_path / "in.csv"
    write(file, "csv", rows)
    whole, cut = tmp_path / "whole" / "out.csv", tmp_path / "cut" / "out.csv"
    map_file(run, file, whole, verb, **settings)
    parts = math.ceil(len(rows) / 4)
    for stop in range(1, parts + 1):
        calls = 0

        def interrupt(share: float, done: int) -> None:
            nonlocal calls
            calls += 1
            if calls == stop:  # noqa: B023
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            map_file(run, file, cut, verb, progress=interrupt, **settings)
        assert not cut.exists() and Work(cut).count() == stop
    counts = map_file(run, file, cut, verb, **settings)
    assert counts.rows == len(rows)
    assert cut.read_bytes() == whole.read_bytes()
    assert list(cut.parent.iterdir()) == [cut]


def test_finished_parts_are_not_made_again(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PART_ROWS", 4)
    file, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    file.write_text("the a i is good\n" * 12)
    asked = []

    def answering(rows: Any, *given: Any, **more: Any) -> Any:
        asked.append(len(rows.texts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(rows, *given, **more)

    real = files.answers
    monkeypatch.setattr(files, "answers", answering)
    with pytest.raises(KeyboardInterrupt):
        map_file(run, file, out)
    assert map_file(run, file, out).answered == 12
    assert asked == [4, 4, 4, 4]


@pytest.mark.parametrize("change", ["seed", "input", "setting", "verb"])
def test_parts_of_another_job_are_not_used(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(records, "PART_ROWS", 2)
    file, out, other = tmp_path / "in.txt", tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    file.write_text("the a i is good\nthe b j is bad\n" * 3)

    def interrupt(share: float, done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_file(run, file, out, "score", progress=interrupt)
    if change == "input":
        file.write_text("the c k is fine\nthe b j is bad\n" * 3)
    asked: dict[str, Any] = {"seed": 1} if change == "seed" else {"samples": 2} if change == "setting" else {}
    verb = "encode" if change == "verb" else "score"
    map_file(run, file, out, verb, **asked)
    map_file(run, file, other, verb, **asked)
    assert out.read_bytes() == other.read_bytes()


def test_what_exists_is_never_overwritten(run: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.txt", tmp_path / "out.csv"
    file.write_text("the a i is good\n")
    out.write_text("mine")
    for target in (out, file, tmp_path):
        with pytest.raises(ConfigError, match="exists"):
            map_file(run, file, target)
    (tmp_path / "codes.npy").write_text("mine")
    with pytest.raises(ConfigError, match=r"codes.npy exists"):
        map_file(run, file, tmp_path / "codes.csv", npy=True)
    folder = Work(tmp_path / "new.csv").folder
    folder.mkdir()
    (folder / "part-000000.arrow").write_text("mine")
    with pytest.raises(ConfigError, match="did not write"):
        map_file(run, file, tmp_path / "new.csv")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="exists"):
        map_file(run, file, link)
    assert out.read_text() == (folder / "part-000000.arrow").read_text() == "mine"
    assert file.read_text() == "the a i is good\n" and not (tmp_path / "nowhere").exists()


def test_a_file_of_somebody_in_the_folder_of_parts_stays(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PART_ROWS", 2)
    file, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    file.write_text("the a i is good\n" * 4)

    def leave_a_file(share: float, done: int) -> None:
        (Work(out).folder / "whole notes.txt").write_text("mine")

    map_file(run, file, out, progress=leave_a_file)
    assert out.exists() and [path.name for path in Work(out).folder.glob("[!.]*")] == ["whole notes.txt"]
    assert (Work(out).folder / "whole notes.txt").read_text() == "mine"


@pytest.mark.parametrize("npy", [False, True])
def test_codes_in_a_column_or_beside(run: Path, tmp_path: Path, npy: bool) -> None:
    file = tmp_path / "in.txt"
    file.write_text("the a i is good\n\nthe b j is bad\n")
    map_file(run, file, tmp_path / "out.jsonl", npy=npy)
    made = read(tmp_path / "out.jsonl", "json_lines")
    assert [bool(one["error"]) for one in made] == [False, True, False]
    map_file(run, file, tmp_path / "other.parquet")
    z = [one["z"] for one in read(tmp_path / "other.parquet", "parquet")]
    assert len(z[0]) == 4 and z[1] is None
    if not npy:
        # Numbers are written with as many digits as float32 has.
        assert [None if one is None else np.float32(one).tolist() for one in (row["z"] for row in made)] == z
        return
    assert all("z" not in one for one in made)
    codes = np.load(tmp_path / "out.npy")
    assert codes.dtype == np.float32 and codes.shape == (3, 4) and np.isnan(codes[1]).all()
    assert codes[[0, 2]].tolist() == [z[0], z[2]]


BROKEN = {
    "broken.csv": b'id,text\n1,the a i is good\n2,"never closed\n3,the b,too,many\n4\n5,\xff\xfe\n6,nul\0\n\n'
    b"7,the end\n",
    "broken.tsv": b"id\ttext\n1\tthe a i is good\n2\ttoo\tmany\n3\n5\t\xff\n6\tnul\0\n\n7\tthe end\n",
    "broken.jsonl": b'{"id": 1, "text": "the a i is good"}\n{"id": 2, "te\n[1]\n7\n{"id": 3}\n{"id": 4, "text": null}\n'
    b'{"id": 5, "text": ["a"]}\n{"text": "\xff"}\n{"text": "a\\u0000b"}\n\n{"id": 7, "text": "the end"}\n',
    "broken.txt": b"the a i is good\n\xff\xfe\nnul\0\n\n\xef\xbb\xbfthe b\nthe end\n",
}
ROWS = {"broken.csv": 8, "broken.tsv": 7, "broken.jsonl": 11, "broken.txt": 6}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_with_every_kind_of_broken_line_keeps_its_rows(
    run: Path, tmp_path: Path, name: str, packed: bool
) -> None:
    file, out = tmp_path / (name + ".gz" * packed), tmp_path / "out.jsonl"
    file.write_bytes(gzip.compress(BROKEN[name]) if packed else BROKEN[name])
    counts = map_file(run, file, out, "score")
    made = read(out, "json_lines")
    assert counts.rows == len(made) == ROWS[name]
    assert made[0]["elbo_nll"] > 0 and made[-1]["elbo_nll"] > 0
    for one in made:
        assert (one["elbo_nll"] is None) is bool(one["error"])
    assert counts.blank >= 1 and counts.broken >= 2
    assert counts.answered + counts.blank + counts.broken == counts.rows
    with pytest.raises(DataError, match=r"row \d+ of .* has no answer"):
        map_file(run, file, tmp_path / "stopped.jsonl", "score", on_error="stop")


@pytest.mark.parametrize("source", FORMATS)
def test_skip_leaves_long_texts_without_an_answer(run: Path, tmp_path: Path, source: str) -> None:
    rows = rows_of(source)
    file, out = tmp_path / f"in{ENDINGS[source]}", tmp_path / "out.jsonl"
    write(file, source, rows)
    assert map_file(run, file, out, on_error="skip", format=source) == counts_of(rows, "skip")
    errors = [one["error"] for one in read(out, "json_lines")]
    assert [bool(error) for error in errors] == [row.kind != "good" for row in rows]
    assert sum("too long: 25 tokens, and the model reads 10" in (error or "") for error in errors) == 1


def test_the_column_is_the_users_else_the_runs_else_the_one_with_prose(run: Path, tmp_path: Path) -> None:
    other = "the b j is bad and so on and on"
    records_ = [
        {"review": other, "text": "the a i is good", "body": {"en": "the c k is fine"}, "n": n} for n in range(40)
    ]
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records_))
    found = {}
    for column in (None, "review", "body.en"):
        out = tmp_path / f"{column}.jsonl"
        map_file(run, file, out, column=column)
        found[column] = read(out, "json_lines")[0]["z"]
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(["the a i is good", other[:15], "the c k is fine"]))
    map_file(run, plain, tmp_path / "plain.jsonl")
    ours = [one["z"] for one in read(tmp_path / "plain.jsonl", "json_lines")]
    assert found[None] == pytest.approx(ours[0], rel=1e-4) and found["body.en"] == pytest.approx(ours[2], rel=1e-4)
    assert found["review"] != found[None]
    for one in records_:
        one["said"] = one.pop("text")
        one["review"] = "x1"
        del one["body"]
    file.write_text("".join(json.dumps(one) + "\n" for one in records_))
    map_file(run, file, tmp_path / "found.jsonl")
    assert read(tmp_path / "found.jsonl", "json_lines")[0]["z"] == pytest.approx(ours[0], rel=1e-4)
    with pytest.raises(DataError, match="--column"):
        map_file(run, file, tmp_path / "none.jsonl", column="nothing")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"verb": "translate"}, ConfigError),
        ({"verb": "score", "samples": 0}, ConfigError),
        ({"verb": "encode", "samples": 3}, ConfigError),
        ({"on_error": "ignore"}, ConfigError),
        ({"format": "xlsx"}, ConfigError),
        ({"seed": -1}, ConfigError),
        ({"verb": "score", "npy": True}, ConfigError),
        ({"file": "nothing.txt"}, DataError),
        ({"file": "."}, DataError),
        ({"run": "no/such/run"}, ModelError),
        ({"column": "text"}, DataError),
    ],
)
def test_bad_options_are_refused_and_leave_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("the a i is good\n")
    call: dict[str, Any] = {"run": run, "file": "in.txt", "out": "out.csv", "verb": "encode", **given}
    with pytest.raises(error):
        map_file(**call)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n \n"])
def test_a_file_without_texts(run: Path, tmp_path: Path, content: bytes) -> None:
    file, out = tmp_path / "in.txt", tmp_path / "out.csv"
    file.write_bytes(content)
    if not content:
        with pytest.raises(DataError, match="has no rows"):
            map_file(run, file, out)
        assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
        return
    assert map_file(run, file, out).blank == content.count(b"\n")
    assert all("blank" in one["error"] for one in read(out, "csv"))


def test_parts_of_columnar_files_are_those_of_the_same_rows(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Parquet file read in parts gives what the same rows as lines give: noise belongs to name, row and seed."""
    rows = [Given(text, "good") for text in ("the a i is good", "the b j is bad", "the c k is fine") * 3]
    found = []
    for size, name in ((2, "parquet"), (5, "arrow"), (100, "json_lines")):
        monkeypatch.setattr(columnar, "PART_ROWS", size)
        file = tmp_path / name / "in"
        file.parent.mkdir()
        write(file, name, rows)
        map_file(run, file, tmp_path / name / "out.jsonl", "score", samples=2, format=name)
        found.append([one["iw_nll"] for one in read(tmp_path / name / "out.jsonl", "json_lines")])
    assert found[0] == pytest.approx(found[1], rel=1e-5) and found[0] == pytest.approx(found[2], rel=1e-5)
    assert len(set(found[0])) == len(rows), "each row has noise of its own"


@pytest.mark.parametrize("target", [name for name, kind in FORMATS.items() if kind.is_text])
def test_a_file_called_gz_is_compressed(run: Path, tmp_path: Path, target: str) -> None:
    """It has what the plain file has, and the same bytes whenever it is made."""
    file, ending = tmp_path / "in.csv", FORMATS[target].endings[0]
    file.write_text("id,text\n1,the a i is good\n2,the é k is bad\n3,\n")
    plain, first, again = (tmp_path / f"{name}{ending}" for name in ("plain", "first", "again"))
    first, again = (path.with_name(path.name + ".gz") for path in (first, again))
    for out in (plain, first, again):
        map_file(run, file, out, "score", samples=2)
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()
    assert first.read_bytes() == again.read_bytes()
    if FORMATS[target].keeps_columns:
        assert map_file(run, first, tmp_path / "codes.parquet", column="text").answered == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("out.parquet.gz", "parquet is compressed within; leave .gz out"),
        ("out.arrow.gz", "arrow is compressed within; leave .gz out"),
        ("out.xlsx", "ends in .xlsx, which is not written; expected one of .txt, .csv, .tsv, .jsonl, .parquet, .arrow"),
        ("out.csv.zst", "ends in .zst, which is not written"),
        ("out.npy", "ends in .npy, which is not written"),
    ],
)
def test_an_ending_of_what_is_not_written_is_refused(run: Path, tmp_path: Path, name: str, told: str) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,text\n1,the a i is good\n")
    with pytest.raises(ConfigError, match=re.escape(told)):
        map_file(run, file, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("in.csv", "id,text\n", "has a header and no row below it"),
        ("in.tsv", "id\ttext\tlabel\n", "has a header and no row below it"),
        (
            "in.csv",
            "Answers, as of May\n" + "".join(f"{n},yes,the {'ab'[n % 2]} i is good and so on\n" for n in range(40)),
            "has 2 cells in its first row, and more in others; delete",
        ),
    ],
)
def test_a_header_or_a_title_is_no_text(run: Path, tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=told):
        map_file(run, tmp_path / name, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "id,text,priorit\u00e4t\n1,the a i is good,x\n2,the b j is bad,y\n"),
        ("in.tsv", "id\ttext\n1\tthe \u00e4 i is good\n2\tthe b \u00fc is bad\n"),
        ("in.jsonl", '{"text": "the \u00e4 i"}\n{"text": "the b"}\n'),
        ("in.txt", "the \u00e4 i\nthe b\n"),
        ("in.txt.gz", "the \u00e4 i\nthe b\n"),
    ],
)
def test_a_file_in_another_encoding_is_no_file_of_broken_rows(
    run: Path, tmp_path: Path, name: str, content: str
) -> None:
    raw = content.encode("latin1")
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    with pytest.raises(DataError, match=r"is not UTF-8 \(line \d, and \d of the first \d in all\); .*iconv"):
        map_file(run, tmp_path / name, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_delimiter_at_the_end_of_a_row_begins_no_cell(run: Path, tmp_path: Path, delimiter: str) -> None:
    rows = [["1", "the a i is good", ""], ["2", "the b j is bad", " "], ["3", "the c", "x"]]
    file, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    file.write_text("".join(delimiter.join(row) + "\n" for row in [["id", "text"], *rows[:2] * 9, rows[2]]))
    assert map_file(run, file, out) == Counts(rows=19, answered=18, broken=1)
    assert "has 3 cells, and the table has 2 columns" in str(read(out, "json_lines")[-1]["error"])


def test_a_field_that_is_an_object_is_not_taken_for_the_text(run: Path, tmp_path: Path) -> None:
    """The run's corpus has its text in `text`, and here that holds objects."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text("".join(json.dumps({"text": {"en": f"the a i is good {n}", "n": n}}) + "\n" for n in range(9)))
    assert map_file(run, file, out).answered == 9
    with pytest.raises(DataError, match=r"has no column 'text'; its columns are 'text.en', 'text.n'; give --column"):
        map_file(run, file, tmp_path / "none.jsonl", column="text")


def test_a_plain_file_called_gz_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_text("id,text\n1,the a i is good\n")
    with pytest.raises(DataError, match=r"ends in \.gz and is not compressed by gzip; rename it"):
        map_file(run, tmp_path / "in.csv.gz", tmp_path / "out.csv")
