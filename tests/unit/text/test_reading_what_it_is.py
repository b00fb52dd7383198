"""Files are read as what they are, whatever wrote them; what is no text is named with its cure."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import pickle
import tarfile
import tracemalloc
import zipfile
from itertools import product

import pytest

from tests.unit.text.looking import ROWS, looked, prose, table, texts
from textvae.errors import DataError
from textvae.text.corpora import load_card
from textvae.text.corpora.reading import read_beginning, read_lines
from textvae.text.inspect import inspect_file
from textvae.text.inspect.sample import spread

EXPECTED = sorted(text for text, _ in ROWS)
CONTENTS = {
    "x.txt": "\n".join(text for text, _ in ROWS) + "\n",
    "x.csv": table(["text", "label"], ROWS),
    "x.tsv": table(["text", "label"], ROWS, "\t"),
    "x.jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS),
    "x.json": json.dumps([{"text": text, "label": label} for text, label in ROWS], indent=1),
}
ENCODINGS = {
    "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be",
    "utf-32": "utf-32-le", "utf-32-be": "utf-32-be",
}  # fmt: skip
"""How a file is written, and what it is said to be."""


# Every pair of encoding and line end, the kinds of file in turn; and every kind as it leaves a spreadsheet program.
PAIRS = list(product(["utf-8", *ENCODINGS], ["\n", "\r\n", "\r"]))
AS_READ = [(list(CONTENTS)[i % len(CONTENTS)], *pair) for i, pair in enumerate(PAIRS)]
AS_READ += [(name, "utf-16", "\r\n") for name in CONTENTS if (name, "utf-16", "\r\n") not in AS_READ]


@pytest.mark.parametrize(("name", "encoding", "end"), AS_READ)
def test_encodings_and_line_ends(tmp_path, name, encoding, end) -> None:
    zipped = end == "\r"
    content = CONTENTS[name].replace("\n", end).encode(encoding)
    found, card = looked(tmp_path, name + ".gz" * zipped, gzip.compress(content) if zipped else content)
    assert texts(card) == EXPECTED and found.encoding == ENCODINGS.get(encoding, "utf-8")
    assert found.label_column == (None if name == "x.txt" else "label")


@pytest.mark.parametrize(
    "text", ["Zoë aß Gebäck.", "他来了。我走了。", "Он пришёл домой.", "a\u2028b\x85c", "😀 and 😂"]
)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_scripts_in_utf_16(tmp_path, text, encoding) -> None:
    lines = [f"{text} {i}" for i in range(40)]
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "x.txt").write_bytes((mark + "\n".join(lines)).encode(encoding))
    assert [line for _, line in read_lines(tmp_path / "x.txt")] == lines


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_character_may_be_cut_by_a_part(tmp_path, monkeypatch, size, encoding) -> None:
    monkeypatch.setattr("textvae.text.corpora.encoding.CHUNK", size)
    lines = [f"Zoë 😀 {i}" for i in range(30)]
    (tmp_path / "x.txt").write_bytes("\r".join(lines).encode(encoding))
    assert [line for _, line in read_lines(tmp_path / "x.txt")] == lines
    assert read_beginning(tmp_path / "x.txt")[0] == lines


def test_cells_of_a_mac_file_may_hold_line_ends(tmp_path) -> None:
    rows = [("One line.\nAnother one." if i == 7 else text, label) for i, (text, label) in enumerate(ROWS)]
    _, card = looked(tmp_path, "x.csv", table(["text", "label"], rows, lineterminator="\r", quoting=1))
    assert texts(card) == sorted(text for text, _ in rows)


def test_a_line_of_a_mac_file_that_is_too_long_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("textvae.text.corpora.reading.LONGEST_LINE", 100)
    (tmp_path / "x.txt").write_bytes(b"short\r" + b"long" * 30 + b"\r")
    with pytest.raises(DataError, match="line 2 has more than"):
        list(read_lines(tmp_path / "x.txt"))


@pytest.mark.parametrize("content", ["text\nü\n", "[\n" + json.dumps({"text": "a"}) + ',\n{"text": "ü"}]'])
def test_other_encodings_are_named_with_their_line(tmp_path, content) -> None:
    name = "x.json" if content[0] == "[" else "x.csv"
    (tmp_path / name).write_bytes(content.encode("latin1"))
    with pytest.raises(DataError, match=rf"{name}, line [23] is not UTF-8 \(byte 0xfc at column \d+\); .*1252"):
        inspect_file(tmp_path / name)


@pytest.mark.parametrize("content", ["text\né\n", "[\n" + json.dumps({"text": "a"}) + ',\n{"text": "é"}\n'])
def test_a_file_in_two_encodings_is_not_to_be_converted(tmp_path, content) -> None:
    """What `iconv` does to the whole file is right for one of them."""
    name = "x.json" if content[0] == "[" else "x.csv"
    (tmp_path / name).write_bytes(content.encode() + "ü\n".encode("latin1"))
    with pytest.raises(DataError, match=rf"{name}, line [34] is not UTF-8 .*mend this one") as told:
        inspect_file(tmp_path / name)
    assert "iconv" not in str(told.value)


def test_the_cure_for_another_encoding_gives_the_text(tmp_path) -> None:
    text = "„Größe“ 5 €, déjà vu…"
    for encoding in ("windows-1252", "latin1"):
        raw = (text if encoding == "windows-1252" else "Größe, déjà vu").encode(encoding)
        (tmp_path / "x.txt").write_bytes(raw)
        with pytest.raises(DataError, match="iconv -f windows-1252 -t utf-8"):
            list(read_lines(tmp_path / "x.txt"))
        assert raw.decode("windows-1252") == raw.decode(encoding)


def office(*names: str, mimetype: str = "") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "<x/>")
    return written.getvalue()


def tarred() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"a\n"))
    return written.getvalue()


OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500
BINARIES = {
    "xlsx": (
        office("[Content_Types].xml", "xl/workbook.xml"),
        "a spreadsheet .xlsx., not text; .*save the sheet as CSV",
    ),
    "ods": (office("content.xml", mimetype="application/vnd.oasis.opendocument.spreadsheet"), "a spreadsheet .ods."),
    "xls": (OLD + "Workbook".encode("utf-16-le"), "a spreadsheet .xls.*CSV"),
    "doc": (OLD + "WordDocument".encode("utf-16-le"), "a Word document .doc.*plain text"),
    "docx": (office("[Content_Types].xml", "word/document.xml"), "a Word document .docx."),
    "odt": (office("content.xml", mimetype="application/vnd.oasis.opendocument.text"), "a document .odt."),
    "epub": (office("a.html", mimetype="application/epub+zip"), "an e-book"),
    "zip": (office("reviews.csv"), "a zip archive, not text; unpack it"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF document"),
    "rtf": (rb"{\rtf1\ansi Text.}", "an RTF document"),
    "gzip": (gzip.compress(b"a\nb\n"), "a gzip file without the ending .gz, not text; rename it"),
    "bz2": (b"BZh91AY&SY\x00\x01", "a bzip2 file"),
    "xz": (b"\xfd7zXZ\x00\x00\x04", "an xz file"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
    "tar": (tarred(), "a tar archive"),
    "parquet": (b"PAR1\x15\x04\x15", "a Parquet table, not text; load it in Python"),
    "arrow": (b"ARROW1\0\0", "an Arrow table"),
    "sqlite": (b"SQLite format 3\0\x10\0", "an SQLite database"),
    "pickle": (pickle.dumps(["a", "b"]), "a Python pickle"),
    "npy": (b"\x93NUMPY\x01\x00", "a NumPy array"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
    "jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
    "mp4": (b"\0\0\0\x18ftypmp42", "a video"),
    "html": (b"\n<!DOCTYPE html>\n<html><body>", "an HTML page"),
    "xml": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<a/>', "an XML file"),
}


@pytest.mark.parametrize("name", BINARIES)
@pytest.mark.parametrize("ending", ["own", ".csv", ".txt"])
def test_what_is_no_text_is_named_with_its_cure(tmp_path, name, ending) -> None:
    content, message = BINARIES[name]
    path = tmp_path / ("x." + name if ending == "own" else f"x{ending}")
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        inspect_file(path)
    assert "\n" not in str(caught.value)
    if name not in ("html", "xml"):
        (tmp_path / "card.toml").write_text(f'kind = "lines"\nfiles = {{ train = "{path.name}" }}\n')
        with pytest.raises(DataError, match=message):
            list(load_card(tmp_path / "card.toml").read("train"))


@pytest.mark.parametrize(
    "line", ["PK is a band.", "BZh!", "%PDF is a format", "GIFs are fun", "II", "OggSound", "RIFF raff", "7z"]
)
def test_text_that_begins_like_a_binary_is_text(tmp_path, line) -> None:
    found, _ = looked(tmp_path, "x.txt", "".join(f"{line} {i}\n" for i in range(30)))
    assert found.texts.count == 30


SHAPES = {
    "strings": [text for text, _ in ROWS],
    "lists": [[label, text] for text, label in ROWS],
    "wrapped": {"version": "1.1", "meta": {"a": [1]}, "data": [{"text": text} for text, _ in ROWS]},
    "wrapped strings": {"texts": [text for text, _ in ROWS]},
    "deeper": {"result": {"hits": [{"source": {"text": text}} for text, _ in ROWS]}},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("small", [False, True])
def test_shapes_of_json(tmp_path, monkeypatch, shape, indent, small) -> None:
    if small and shape != "deeper":  # an object that is longer than memory allows is gone through
        monkeypatch.setattr("textvae.text.corpora.json_records._ONE_RECORD", 200)
        monkeypatch.setattr("textvae.text.corpora.json_records._ENOUGH", 64)
        monkeypatch.setattr("textvae.text.corpora.encoding.CHUNK", 32)
    _, card = looked(tmp_path, "x.json", json.dumps(SHAPES[shape], indent=indent))
    assert texts(card) == EXPECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "line 1 is a JSON int, expected an object"),
        ('[{"text": "a"}', "line 1 is not JSON .its end where '\\]' or ',' is expected|is not JSON"),
        ('[{"text": "a"} {"text": "b"}]', "is not JSON .'{' where"),
        ('[{"text": "a"}] more', "is not JSON .there is more after its list"),
        ('[{"text": "a"},\n{"text": }]', "line 2 is not JSON"),
        ('[\n{"text": Infinity}]', "line 2 is not JSON .it has no number Infinity"),
        ('{"text": {"0": "a", "1": "b"}, "label": {"0": "c"}}', "one JSON object without a list .*orient='records'"),
        ('{"a": 1}', "one JSON object without a list"),
        ("hello", "is not JSON .it begins with 'h'"),
        ('["a", "b', "is not JSON"),
        ('[{"text": "' + "[" * 90 + '"}, ' + "[" * 90 + "]" * 90 + "]", "nested more than 64 levels"),
        ("[]", "has no column with text"),
    ],
    ids=range(12),
)
def test_json_that_cannot_be_read(tmp_path, content, message) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        inspect_file(tmp_path / "x.json")
    assert "\n" not in str(caught.value)


def test_a_long_list_is_never_in_memory(tmp_path, monkeypatch) -> None:
    with (tmp_path / "x.json").open("w") as file:
        file.write("[" + ", ".join(json.dumps({"text": prose(i % 50), "i": i}) for i in range(4_000)) + ", {broken")
    (tmp_path / "card.toml").write_text('kind = "json"\nfiles = { train = "x.json" }\n')
    monkeypatch.setattr("textvae.text.corpora.json_records._ENOUGH", 2**10)
    monkeypatch.setattr("textvae.text.corpora.encoding.CHUNK", 2**10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    read = load_card(tmp_path / "card.toml").read_source("train")
    assert sum(1 for _ in itertools.islice(read, 3_500)) == 3_500
    assert tracemalloc.get_traced_memory()[0] - before < (tmp_path / "x.json").stat().st_size / 2
    tracemalloc.stop()
    with pytest.raises(DataError, match="is not JSON"):
        list(read)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("zipped", [False, True])
def test_of_a_large_file_a_part_is_read_and_the_rest_estimated(tmp_path, monkeypatch, name, zipped) -> None:
    monkeypatch.setattr("textvae.text.corpora.json_records._ENOUGH", 2**10)
    monkeypatch.setattr("textvae.text.corpora.encoding.CHUNK", 2**10)
    rows = [(prose(i), "pos" if i < 300 else "neg") for i in range(600)]
    content = {
        "x.txt": lambda: "\n".join(text for text, _ in rows),
        "x.csv": lambda: table(["text", "label"], rows),
        "x.tsv": lambda: table(["text", "label"], rows, "\t"),
        "x.jsonl": lambda: "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows),
        "x.json": lambda: json.dumps([{"text": text, "label": label} for text, label in rows]),
    }[name]().encode()
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = inspect_file(path, max_examples=200)
    assert not found.complete and found.texts.count == 200 <= found.rows_estimate
    assert zipped or 480 < found.rows_estimate < 720
    assert found.rows_estimate == inspect_file(path, max_examples=200).rows_estimate
    if name != "x.txt":  # a file that is sorted by label is read on until a second one
        assert set(found.label_counts) == {"pos", "neg"}


def test_long_texts_are_fewer(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("textvae.text.inspect.file.MAX_CHARACTERS", 10_000)
    (tmp_path / "x.txt").write_text("".join(f"{prose(i, 5)}\n" for i in range(1000)))
    found = inspect_file(tmp_path / "x.txt")
    assert 100 <= found.texts.count < 200 and not found.complete and 900 < found.rows_estimate < 1100


@pytest.mark.parametrize("count", [0, 1, 5, 100, 1000, 12_345])
def test_rows_are_spread_over_all(count) -> None:
    found = spread(range(count), 100)
    assert len(found) == min(count, len(found)) and (count <= 100 or 50 <= len(found) <= 100)
    assert not found or (found[0] == 0 and found[-1] >= count * 0.95 - 2)
