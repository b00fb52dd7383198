"""Hostile corpora: text, CSV, TSV, JSON lines and gzip, read by `textvae run` and by `textvae new`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from typing import Any

from hypothesis import strategies as st

from benchmarks.faults import nasty
from benchmarks.faults.case import Case, Family, Place
from benchmarks.faults.tables import CARD, RECIPE

FORMATS = {"txt": "lines", "csv": "csv", "tsv": "tsv", "jsonl": "json_lines"}
SUBJECTS, ENDS = "abcdefgh", {"pos": ["good", "great"], "neg": ["bad", "poor"]}


def good_rows(rng: random.Random, count: int = 60) -> list[tuple[str, str]]:
    """Labels and texts that nothing is wrong with."""
    rows = []
    for _ in range(count):
        label = rng.choice(("pos", "neg"))
        rows.append((label, f"the {rng.choice(SUBJECTS)} {rng.choice(SUBJECTS)} is {rng.choice(ENDS[label])}"))
    return rows


def written(rows: list[tuple[str, str]], suffix: str) -> bytes:
    """Rows in one of the formats."""
    if suffix == "csv":
        stream = io.StringIO()
        csv.writer(stream).writerows([("label", "text"), *rows])
        return stream.getvalue().encode("utf-8", "surrogatepass")
    if suffix == "jsonl":
        lines = [json.dumps({"label": label, "text": text}) for label, text in rows]
    elif suffix == "tsv":
        lines = ["label\ttext", *(f"{label}\t{text}" for label, text in rows)]
    else:
        lines = [text for _, text in rows]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _case(place: Place, content: bytes, suffix: str) -> Case:
    """The corpus is tokenized by a recipe, or looked at by `new`, gzipped now and then."""
    name = f"text.{suffix}"
    if place.chance(0.15):
        content, name = gzip.compress(content, mtime=0), name + ".gz"
    return _use(place, content, suffix, name)


def _use(place: Place, content: bytes, suffix: str, name: str) -> Case:
    place.write(name, content)
    if place.chance(0.4):
        return Case(["new", name, "--out", place.rng.choice((".", "fresh"))])
    card: dict[str, Any] = {**CARD, "kind": FORMATS[suffix], "files": {"train": name}}
    if suffix == "txt":
        card = {key: value for key, value in card.items() if "column" not in key}
    recipe = RECIPE
    if place.chance(0.3):
        kinds = [{"kind": "bpe", "vocab_size": 300}, {"kind": "byte"}, {"kind": "word"}]
        overlong = place.rng.choice(("truncate", "window", "error"))
        tokenizer = place.rng.choice([*kinds, {"kind": "unigram", "vocab_size": 50}])
        recipe = {**RECIPE, "tokenize": {"max_tokens": 10, "overlong": overlong, "tokenizer": tokenizer}}
    if suffix == "txt":
        recipe = {key: value for key, value in recipe.items() if key != "classify"}
    place.write("card.toml", nasty.as_toml(card))
    place.write("tiny.toml", nasty.as_toml(recipe))
    return Case(["run", "tiny.toml", "--only", "tokenize", "--out", "out"])


def _suffix(place: Place) -> str:
    return place.rng.choice(list(FORMATS))


def changed_bytes(place: Place) -> Case:
    suffix = _suffix(place)
    return _case(place, nasty.broken_bytes(written(good_rows(place.rng), suffix), place.rng), suffix)


def drawn_texts(place: Place) -> Case:
    """Good rows, and among them texts and labels of any characters."""
    rows = good_rows(place.rng, place.rng.choice((0, 20, 60)))
    rows += place.drawn(st.lists(st.tuples(st.one_of(st.sampled_from(("pos", "neg")), nasty.text), nasty.text)))
    if place.chance(0.5):
        rows = [(label.replace("\t", " "), text.replace("\n", " ").replace("\r", " ")) for label, text in rows]
    place.rng.shuffle(rows)
    suffix = _suffix(place)
    return _case(place, written(rows, suffix), suffix)


def binary(place: Place) -> Case:
    content = place.rng.choice(
        (
            place.drawn(st.binary(max_size=200)),
            place.rng.randbytes(place.rng.choice((1, 100, 10_000))),
            written(good_rows(place.rng), "txt").decode().encode(place.rng.choice(("utf-16", "utf-32", "utf-16-le"))),
            b"\x00" * place.rng.choice((1, 1000, 100_000)),
            "the naïve café\n".encode("latin1") * 50,
            b"\x1f\x8b" + place.rng.randbytes(50),
            b"\xef\xbb\xbf" * 3 + written(good_rows(place.rng), "csv"),
        )
    )
    return _case(place, content, _suffix(place))


def damaged_gzip(place: Place) -> Case:
    suffix = _suffix(place)
    packed = gzip.compress(written(good_rows(place.rng), suffix), mtime=0)
    content = place.rng.choice(
        (
            packed[: place.rng.randrange(len(packed))],
            nasty.broken_bytes(packed, place.rng),
            packed + place.rng.randbytes(9),
            packed * 2,
            written(good_rows(place.rng), suffix),
            gzip.compress(packed, mtime=0),
            gzip.compress(b"", mtime=0),
            gzip.compress(b"a" * 10**7, mtime=0),
        )
    )
    return _use(place, content, suffix, f"text.{suffix}.gz")


def quotes_and_columns(place: Place) -> Case:
    """Separated values whose cells, quotes and line ends do not add up."""
    suffix = place.rng.choice(("csv", "tsv"))
    lines = written(good_rows(place.rng), suffix).split(b"\n")
    for _ in range(place.rng.choice((1, 2, 5))):
        line = place.rng.randrange(len(lines))
        lines[line] = place.rng.choice(
            (
                *(b'"never closed,', b'"a"b",c', b",,,,,,,,", b"\t\t\t", b"one", b"", b"a\rb,c\rd", b'"' * 1001),
                *(b"label,text", b"\x00,\x00", b"pos," + b"w " * 20_000, b"pos," + b"x" * 200_000),
                *(lines[line] + b"," + lines[line], lines[line][::-1], b'"line\nbreak",x', b"\xff\xfe,text"),
            )
        )
    return _case(place, place.rng.choice((b"\n", b"\r\n", b"\r", b"\n\n")).join(lines), suffix)


def json_lines(place: Place) -> Case:
    """JSON that is none, or is other than expected."""
    lines = written(good_rows(place.rng), "jsonl").decode().split("\n")
    for _ in range(place.rng.choice((1, 2, 5, 40))):
        odd = place.rng.choice(
            (
                *('{"text": 3}', '{"text": null, "label": []}', '{"text": ["a"]}', "[]", "3", "null", '"text"', "{"),
                *('{"text": NaN, "label": Infinity}', '{"text": "\\ud800", "label": "\\udfff"}', '{"text": "\\u0000"}'),
                *(
                    '{"text": "a", "text": "b"}',
                    '{"label": {"a": 1}, "text": "a b c"}',
                    '{"": ""}',
                    "{}",
                    "{'text': 1}",
                ),
                '{"text": "the a b is good", "label": ' + "9" * place.rng.choice((10, 5000)) + "}",
                '{"text": ' + nasty.deep(place.rng) + "}",
                nasty.deep(place.rng),
                json.dumps({place.drawn(nasty.text): place.drawn(nasty.text), "text": place.drawn(nasty.text)}),
                json.dumps({"text": "the a b is bad", "label": place.drawn(nasty.text)}),
                json.dumps({"label": True, "text": "a b"}),
            )
        )
        lines[place.rng.randrange(len(lines))] = odd
    return _case(place, "\n".join(lines).encode("utf-8", "surrogatepass"), "jsonl")


def sizes(place: Place) -> Case:
    """Too little, too much, all the same, all empty, all labelled alike or all differently."""
    count = place.rng.choice((0, 1, 2, 3, 19, 20, 21, 60))
    rows = good_rows(place.rng, count)
    rows = place.rng.choice(
        (
            rows,
            [(label, "") for label, _ in rows],
            [(label, " \t ".replace("\t", " ")) for label, _ in rows],
            [("", text) for _, text in rows],
            [("one", text) for _, text in rows],
            [(str(i), text) for i, (_, text) in enumerate(rows)],
            [(label, "the same") for label, _ in rows],
            [(label, "word " * place.rng.choice((100, 20_000))) for label, _ in rows[:10]],
            [(label, "x" * place.rng.choice((1000, 300_000))) for label, _ in rows[:10]],
            [(label, "\u4e2d\u6587" * 10) for label, _ in rows],
            [(label, "\u0301" * 500) for label, _ in rows],
            [(label, "___ ___* <unk> <s> </s> <pad> [UNK]") for label, _ in rows],
            [(label, f"{i}") for i, (label, _) in enumerate(rows)],
            [(label, "a\x1b[31mb \x9b31m c\x07 d\x7f e\x00f") for label, _ in rows],
            [("\x1b[31m" + label, text) for label, text in rows],
        )
    )
    suffix = _suffix(place)
    return _case(place, written(rows, suffix), suffix)


CORPORA: dict[str, tuple[int, Family]] = {
    "bytes changed": (3, changed_bytes),
    "drawn texts and labels": (4, drawn_texts),
    "no text at all": (2, binary),
    "damaged gzip": (2, damaged_gzip),
    "quotes and columns": (3, quotes_and_columns),
    "odd JSON lines": (3, json_lines),
    "sizes and sameness": (3, sizes),
}
"""Family -> its share, and what makes a case of it."""
