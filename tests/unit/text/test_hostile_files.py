"""Corpus files that are none: whatever their bytes, they are read, or refused in one sentence."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textvae.disk import problem_of_file
from textvae.errors import ConfigError, DataError, TextVAEError
from textvae.text.corpora import FILE_KINDS, load_card
from textvae.text.corpora.reading import LARGEST_SETTINGS, read_lines, read_toml
from textvae.text.inspect import FileReport, inspect_file

KINDS = {kind: "x" + (card.endings or (".txt",))[0] for kind, card in FILE_KINDS.items()}
"""A file's name of every kind of corpus that is read from files."""


def examples(folder: Path, kind: str, content: bytes, name: str | None = None, card: str = ""):
    """What a corpus of one file reads."""
    name = name or KINDS[kind]
    (folder / name).write_bytes(content)
    (folder / "card.toml").write_text(f'kind = "{kind}"\nfiles = {{ train = "{name}" }}\n{card}')
    return list(load_card(folder / "card.toml").read("train"))


WRITTEN = {
    "json_lines": '{"text": "good"}\n{"text": "b\0"}\n',
    "json": '[{"text": "good"},\n{"text": "b\0"}]\n',
    "lines": "good\nb\0\n",
}
"""Two texts in every kind; the second one holds a NUL."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
def test_utf_16_is_read_and_its_nul_characters_are_named(tmp_path, kind: str, encoding: str) -> None:
    content = FILE_KINDS[kind].example
    expected = examples(tmp_path, kind, content.encode())
    assert examples(tmp_path, kind, content.encode(encoding)) == expected
    with pytest.raises(DataError, match=rf"{KINDS[kind]}, line [123] "):
        examples(tmp_path, kind, WRITTEN.get(kind, "text\ngood\nb\0\n").encode(encoding))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zipped", [False, True])
def test_nul_bytes_are_named_with_their_line(tmp_path, kind: str, zipped: bool) -> None:
    lines = WRITTEN.get(kind, "text\nb\0\n").encode()
    name = KINDS[kind] + ".gz" * zipped
    with pytest.raises(DataError, match=f"{name}, line 2 (is not UTF-8 but|holds a NUL)"):
        examples(tmp_path, kind, gzip.compress(lines) if zipped else lines, name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (r'{"text": "\ud800"}', "line 1 holds half of a surrogate pair"),
        (r'{"text": "a", "label": "\udfff"}', "line 1 holds half of a surrogate pair"),
        (r'{"\ud800": "a", "text": "b"}', "line 1 holds half of a surrogate pair"),
        (r'{"text": "a\u0000b"}', "line 1 holds a NUL character"),
        (r'{"text": "a", "label": "\u0000"}', "line 1 holds a NUL character"),
        ('{"text": -Infinity}', "line 1 is not JSON .*Infinity"),
        ('{"text": "a", "label": Infinity}', "line 1 is not JSON .*Infinity"),
        ('{"text": "a", "n": ' + "9" * 5000 + "}", "line 1 holds a number of more than 4300 digits"),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 1 is nested more than 64 levels deep"),
        ('{"text": ' + '{"a":' * 90 + "1" + "}" * 91, "line 1 is nested more than 64 levels deep"),
        ("[" * 100_000, "line 1 is (nested|not JSON)"),
        ('{"text": [3]}', "line 1: 'text' is a list, expected a string"),
        ("3", "line 1 is a JSON int, expected an object"),
    ],
    ids=range(13),
)
def test_json_that_is_none(tmp_path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        examples(tmp_path, "json_lines", line.encode() + b"\n", card='label_column = "label"')


def test_a_pair_of_surrogates_is_a_character(tmp_path) -> None:
    found = examples(tmp_path, "json_lines", rb'{"text": "\ud83d\ude00"}' + b"\n")
    assert [example.text for example in found] == ["\U0001f600"]


@pytest.fixture(params=["folder", "pipe", "socket", "device", "missing", "circle", "long", "below a file"])
def no_file(request, tmp_path):
    """A path that is no file, and what is said of it."""
    path = tmp_path / "x.txt"
    if request.param == "folder":
        path.mkdir()
        return path, "is a folder, not a file"
    if request.param == "pipe":
        os.mkfifo(path)
        return path, "is a pipe, not a file"
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
        return path, "is a socket, not a file"
    if request.param == "device":
        path.symlink_to("/dev/zero")
        return path, "is a device, not a file"
    if request.param == "circle":
        path.symlink_to(path)
        return path, "is no path"
    if request.param == "long":
        return tmp_path / ("x" * 300), "is no path"
    if request.param == "below a file":
        path.write_text("text")
        return path / "x.txt", "does not exist"
    return path, "does not exist"


def test_what_is_no_file_is_named_and_never_opened(no_file, tmp_path) -> None:
    path, message = no_file
    assert message in str(problem_of_file(path))
    with pytest.raises(DataError, match=message):
        inspect_file(path)
    with pytest.raises(DataError, match=message):
        list(read_lines(path))
    (tmp_path / "card.toml").write_text(f'kind = "lines"\nfiles = {{ train = "{path.relative_to(tmp_path)}" }}\n')
    card = load_card(tmp_path / "card.toml")
    with pytest.raises(DataError, match=message):
        list(card.read("train"))
    with pytest.raises(DataError, match=message):
        card.fingerprint()
    for read in (load_card, lambda path: read_toml(path, "the card", "give another")):
        with pytest.raises(ConfigError, match=r"is (a|no) |does not exist|no corpus card"):
            read(path)


def test_a_link_to_a_file_is_a_file(tmp_path) -> None:
    (tmp_path / "real.txt").write_text("a\nb\n")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert [line for _, line in read_lines(tmp_path / "link.txt")] == ["a", "b"]


def test_a_line_longer_than_memory_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("textvae.text.corpora.reading.LONGEST_LINE", 100)
    (tmp_path / "x.txt").write_text("short\n" + "long" * 30 + "\n")
    with pytest.raises(DataError, match="line 2 has more than"):
        list(read_lines(tmp_path / "x.txt"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('delimiter = ""', "expected one character"),
        ('delimiter = "ab"', "expected one character"),
        ("delimiter = '\"'", "expected one character"),
        ('limit = { train = "5" }', "valid integer"),
        ("limit = { train = -1 }", "greater than or equal to 1"),
        ("limit = { train = true }", "valid integer"),
        ("seed = -1", "greater than or equal to 0"),
        ("seed = 9223372036854775808", "less than or equal to"),
        ("header = 1", "valid boolean"),
        ('split_fractions = { train = "1" }', "valid number"),
        ("split_fractions = { train = nan }", "finite"),
        (f'name = "{"x" * 101}"', "at most 100 printable characters"),
        (r'name = "a\nb"', "at most 100 printable characters"),
        ('name = ""', "at most 100 printable characters"),
        (f"seed = {'9' * 5000}", "holds a number"),
        ("a = " + "[" * 5000, "nested more than 64 levels|is not TOML"),
        ("a." * 100_000 + "b = 1", "nested more than 64 levels"),
        ("'a' . " * 70 + "b = 1", "nested more than 64 levels"),
        ("a = " + "[" * 80 + "]" * 80, "nested more than 64 levels"),
        ("a = 1\x00", "is not TOML"),
        ("root = 3", "valid string"),
    ],
    ids=range(21),
)
def test_cards_that_are_none(tmp_path, setting: str, message: str) -> None:
    (tmp_path / "card.toml").write_text(f'{setting}\nkind = "csv"\nfiles = {{ train = "x.csv" }}\n')
    with pytest.raises(ConfigError, match=message) as caught:
        load_card(tmp_path / "card.toml")
    assert len(str(caught.value)) < 500


def test_a_card_of_the_wrong_size_or_encoding(tmp_path) -> None:
    (tmp_path / "large.toml").write_bytes(b"# " + b"x" * LARGEST_SETTINGS)
    with pytest.raises(ConfigError, match="more than 1 MB"):
        load_card(tmp_path / "large.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_card(tmp_path / "latin.toml")
    (tmp_path / "empty.toml").write_bytes(b"")
    with pytest.raises(ConfigError, match="has no kind"):
        load_card(tmp_path / "empty.toml")


def test_an_empty_split_names_itself_and_the_cure(tmp_path) -> None:
    fractions = "split_fractions = { train = 0.8, valid = 0.1, test = 0.1 }"
    with pytest.raises(
        DataError, match=r"The \w+ split of corpus 'card' is empty: .* too few texts to divide, 1 different"
    ):
        for split in ("train", "valid", "test"):
            examples(tmp_path, "lines", b"one text\n" * 200, card=fractions)
            list(load_card(tmp_path / "card.toml").read(split))
    with pytest.raises(DataError, match="no text of min_words to max_words words: 0 are shorter, 1 longer"):
        examples(tmp_path, "lines", b"a text of five words\n", card="max_words = 4")


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), kind=st.sampled_from(sorted(KINDS)), zipped=st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, content: bytes, kind: str, zipped: bool) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    name = KINDS[kind] + ".gz" * zipped
    try:
        found = examples(folder, kind, gzip.compress(content) if zipped and content else content, name)
        assert all("\0" not in example.text for example in found)
    except TextVAEError as error:
        assert "\n" not in str(error)
    try:
        assert isinstance(inspect_file(folder / name), FileReport)
    except TextVAEError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.text() | st.integers() | st.lists(st.text()))),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_any_table_is_read_or_refused(tmp_path_factory, rows: list[dict], kind: str) -> None:
    import json

    folder = tmp_path_factory.mktemp("rows")
    if kind == "json_lines":
        content = "".join(json.dumps(row) + "\n" for row in rows)
    elif kind == "json":
        content = json.dumps(rows)
    else:
        content = "".join(",\t"[kind == "tsv"].join(map(str, row.values())) + "\n" for row in rows)
    (folder / KINDS[kind]).write_text(content, encoding="utf-8", errors="surrogatepass")
    try:
        assert inspect_file(folder / KINDS[kind]).texts.count > 0
    except TextVAEError as error:
        assert len(str(error).splitlines()) == 1
