"""`textvae new` sees headers, delimiters and quotes as they are; verses and prose are no tables."""

from __future__ import annotations

import csv

import pytest

from tests.unit.text.looking import ROWS, looked, prose, table, texts
from textvae.errors import DataError
from textvae.text.corpora import load_card
from textvae.text.inspect import inspect_file

EXPECTED = sorted(text for text, _ in ROWS)
COUNTS = {label: sum(other == label for _, other in ROWS) for label in ("pos", "neg")}
TAIL = [(text, label, "") for text, label in ROWS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("header", "rows", "text", "label"),
    [
        (["", "text", "label"], [(i, *row) for i, row in enumerate(ROWS)], "text", "label"),
        (
            ["Unnamed: 0", "Review Text", "Class Name"],
            [(i, *row) for i, row in enumerate(ROWS)],
            "Review Text",
            "Class Name",
        ),
        (["text", "label", ""], TAIL, "text", "label"),
        (["v1", "v2", "", "", ""], [(label, text, "", "", "") for text, label in ROWS], "v2", "v1"),
        (
            ["text", "How was your stay with us today, all in all?"],
            ROWS,
            "text",
            "How was your stay with us today, all in all?",
        ),
        (
            ["What did you like?", "Would you come again to us next year?"],
            ROWS,
            "What did you like?",
            "Would you come again to us next year?",
        ),
        (["text", "label", "label"], [(text, label, label) for text, label in ROWS], "text", "label"),
        (["text", "text", "label"], [(text, text, label) for text, label in ROWS], "text", "label"),
        (["", "0", "1"], [(i, *row) for i, row in enumerate(ROWS)], "0", "1"),
        ([" Text ", " Label "], ROWS, "Text", "Label"),
        (["", "label"], ROWS, 0, "label"),
        (["satz", "klasse"], ROWS, "satz", "klasse"),
        (["nr", "bemerkung", ""], [(i, text, label) for i, (text, label) in enumerate(ROWS)], "bemerkung", 2),
    ],
    ids=range(13),
)
def test_a_header_is_seen(tmp_path, delimiter, header, rows, text, label) -> None:
    found, card = looked(tmp_path, "x.csv", table(header, rows, delimiter))
    assert (found.header, found.text_column, found.label_column) == (True, text, label)
    assert texts(card) == EXPECTED and found.label_counts == COUNTS


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        [(label, text) for text, label in ROWS],
        [(i, text, label) for i, (text, label) in enumerate(ROWS)],
        [(text, label, "") for text, label in ROWS],
        [(label, f"2020-01-{i % 28 + 1:02d}", text) for i, (text, label) in enumerate(ROWS)],
        [(label, "text", text) for text, label in ROWS],
    ],
    ids=range(6),
)
def test_no_header_is_made_of_a_row(tmp_path, rows) -> None:
    found, card = looked(tmp_path, "x.csv", table(None, rows))
    assert found.header is False and texts(card) == EXPECTED and found.label_counts == COUNTS


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt", "dat", "data"])
@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_a_delimiter_is_found_whatever_the_ending(tmp_path, ending, delimiter) -> None:
    found, card = looked(tmp_path, f"x.{ending}", table(["text", "label"], ROWS, delimiter))
    assert (found.text_column, found.label_column, found.header) == ("text", "label", True)
    assert found.kind == ("tsv" if delimiter == "\t" else "csv") and texts(card) == EXPECTED
    assert found.settings.get("delimiter", delimiter) == delimiter


@pytest.mark.parametrize("ending", ["csv", "txt"])
@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_a_delimiter_is_found_without_a_header(tmp_path, ending, delimiter) -> None:
    found, card = looked(tmp_path, f"x.{ending}", table(None, [(label, text) for text, label in ROWS], delimiter))
    assert (found.text_column, found.label_column, found.header) == (1, 0, False) and texts(card) == EXPECTED


PROSE = [
    [f"O {prose(i)[:-1]}, and {prose(i + 500)}" for i in range(60)],
    [f"He went; {prose(i)}" for i in range(60)],
    [f"Well, well, {prose(i)}" for i in range(60)],
    [prose(i, 1 + i % 3).replace(" was", ", it was") for i in range(60)],
    [f"{prose(i)} | {prose(i + 90)}" for i in range(60)],
    [f"Anna, {i}" for i in range(20)] + [prose(i) for i in range(60)],
    [f"To be, or not to be {i}" for i in range(60)],
    [f"Yes; {i}; no" if i % 2 else prose(i) for i in range(60)],
]


@pytest.mark.parametrize("lines", PROSE, ids=range(len(PROSE)))
@pytest.mark.parametrize("ending", ["txt", "text", ""])
def test_verses_and_prose_are_no_table(tmp_path, lines, ending) -> None:
    found, _ = looked(tmp_path, f"x.{ending}" if ending else "x", "\n".join(lines) + "\n")
    assert found.text_column is None and found.texts.count == len(lines)


@pytest.mark.parametrize(
    "lines",
    [
        ["text", *EXPECTED],
        EXPECTED,
        [f"{i % 7 * ','}{text}" for i, text in enumerate(EXPECTED)],
        ['"text"', *(f'"{t}"' for t in EXPECTED)],
    ],
    ids=range(4),
)
def test_a_single_column_keeps_its_commas(tmp_path, lines) -> None:
    found, card = looked(tmp_path, "x.csv", "\n".join(lines) + "\n")
    assert len(texts(card)) == 80 and all(text.endswith(", I said.") for text in texts(card))
    assert found.header == (lines[0].strip('"') == "text")


QUOTED = {
    "doubled": [('He said "no" then.' if i == 0 else text, label) for i, (text, label) in enumerate(ROWS)],
    "line end": [("One line.\nAnother one." if i == 5 else text, label) for i, (text, label) in enumerate(ROWS)],
    "blank line": [("One.\n\nAnother." if i == 70 else text, label) for i, (text, label) in enumerate(ROWS)],
    "tab": [("One\tword." if i == 9 else text, label) for i, (text, label) in enumerate(ROWS)],
    "first row": [('"Yes" and "no".' if i < 3 else text, label) for i, (text, label) in enumerate(ROWS)],
}


@pytest.mark.parametrize("name", QUOTED)
@pytest.mark.parametrize("header", [["text", "label"], None])
def test_quoted_tsv_is_read_by_the_rules_of_csv(tmp_path, name, header) -> None:
    rows = QUOTED[name]
    found, card = looked(tmp_path, "x.tsv", table(header, rows, "\t"))
    assert (found.kind, dict(found.settings)) == ("csv", {"delimiter": "\t"})
    assert texts(card) == sorted(text for text, _ in rows)


def test_everything_quoted_is_read_by_the_rules_of_csv(tmp_path) -> None:
    found, card = looked(tmp_path, "x.tsv", table(["text", "label"], ROWS, "\t", quoting=csv.QUOTE_ALL))
    assert found.kind == "csv" and texts(card) == EXPECTED and found.text_column == "text"


@pytest.mark.parametrize(
    "odd", ['"No," he said.', '"No," he said, "never"', '"', '"Yes', 'A 5" screen', '"Well" he said "no"'], ids=range(6)
)
@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_quotes_that_are_plain_characters_stay(tmp_path, odd, delimiter) -> None:
    rows = [(label, odd if i == 7 else text) for i, (text, label) in enumerate(ROWS)]
    content = f"label{delimiter}text\n" + "".join(f"{label}{delimiter}{text}\n" for label, text in rows)
    found, card = looked(tmp_path, "x.tsv" if delimiter == "\t" else "x.csv", content)
    assert texts(card) == sorted(text for _, text in rows) and found.label_column == "label"


def test_quotes_escaped_by_a_backslash(tmp_path) -> None:
    content = "text,label\n" + "".join(f'"He said \\"{label}\\", {i}",{label}\n' for i, (_, label) in enumerate(ROWS))
    found, card = looked(tmp_path, "x.csv", content)
    assert found.settings == {"escape": "\\"} and 'He said "pos", 0' in texts(card)


def test_rows_that_are_too_long_are_counted(tmp_path) -> None:
    content = "label,text\n" + "".join(
        f"{label},{text if i % 9 == 0 else text.replace(',', '')}\n" for i, (text, label) in enumerate(ROWS)
    )
    found, _ = looked(tmp_path, "x.csv", content)
    assert found.long_rows == 9 and found.text_column == "text"


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("x.tsv", "late", r'line 82 has 1 columns, expected at least 2; .*kind = "csv" and delimiter = "\\t"'),
        ("x.csv", "late", "line 82 has 1 columns, expected at least 2; quote or mend that line"),
        ("x.csv", 'pos,"late\nand later', "the row that begins on line 82 is not CSV .*quoted = false"),
    ],
)
def test_a_broken_row_is_named(tmp_path, monkeypatch, name, row, message) -> None:
    monkeypatch.setattr("textvae.text.corpora.delimiters._ROWS", 20)
    delimiter = "\t" if name == "x.tsv" else ","
    rows = [(label, text if i else 'A "good" one.') for i, (text, label) in enumerate(ROWS)]
    (tmp_path / name).write_text(
        table(["label", "text"], rows if delimiter == "," else [(a, b.replace('"', "")) for a, b in rows], delimiter)
        + row
        + "\n"
    )
    (tmp_path / "card.toml").write_text(f'kind = "{name[2:]}"\nfiles = {{ train = "{name}" }}\n')
    with pytest.raises(DataError, match=message):
        list(load_card(tmp_path / "card.toml").read("train"))
    if row == "late":
        with pytest.raises(DataError, match=message):
            inspect_file(tmp_path / name)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("header", [["text", "label"], None])
def test_a_first_line_that_names_the_delimiter_is_no_row(tmp_path, delimiter, header) -> None:
    found, card = looked(tmp_path, "x.csv", f"sep={delimiter}\n" + table(header, ROWS, delimiter))
    assert texts(card) == EXPECTED and found.label_counts == COUNTS and found.header == (header is not None)


@pytest.mark.parametrize("blank", ["\n", "\n\n", "  \n"])
def test_blank_lines_above_the_header_are_no_rows(tmp_path, blank) -> None:
    found, card = looked(tmp_path, "x.csv", blank.replace(" ", "") + table(["text", "label"], ROWS, ";"))
    assert texts(card) == EXPECTED and found.text_column == "text"


@pytest.mark.parametrize("title", ["Export of 2020", "My reviews\n\nas of today", "# made by hand\n# in May"])
def test_a_title_above_the_table_is_named(tmp_path, title) -> None:
    (tmp_path / "x.csv").write_text(f"{title}\n" + table(["text", "label"], ROWS, ";"))
    with pytest.raises(DataError, match=r"(line 1 is|the first 2 lines are) no part of the table .*delete"):
        inspect_file(tmp_path / "x.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_a_title_with_the_delimiter_in_it_is_named(tmp_path, name, delimiter) -> None:
    rows = [(i, label, text) for i, (text, label) in enumerate(ROWS)]
    (tmp_path / name).write_text(f"My reviews{delimiter}2024\n\n" + table(["id", "label", "text"], rows, delimiter))
    with pytest.raises(DataError, match=r"line 1 is no part of the table .*delete"):
        inspect_file(tmp_path / name)
    # A header of questions is no usual one, so that the first row is all that tells.
    (tmp_path / name).write_text(f"My answers{delimiter}2024\n" + table(["No", "Well?", "Why?"], rows, delimiter))
    with pytest.raises(DataError, match=r"has 2 cells in its first row, and more in others; delete"):
        inspect_file(tmp_path / name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_header_without_the_name_of_the_first_column_is_refused(tmp_path, delimiter) -> None:
    """Some programs leave out the name of the rows' numbers, and every column would be taken for its neighbour."""
    rows = [(i, text, label) for i, (text, label) in enumerate(ROWS)]
    (tmp_path / "x.csv").write_text(table(["text", "label"], rows, delimiter))
    with pytest.raises(DataError, match=r"has 2 cells in its first row, and more in others; .*complete that row"):
        inspect_file(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text(table(["text", "label"], [(*row[1:], "") for row in rows], delimiter))
    assert inspect_file(tmp_path / "x.csv").text_column == "text", "a delimiter at the end of a row is no cell"


@pytest.mark.parametrize("header", [["id", "text", "label"], ["text"], ["Review Text", "stars", "helpful votes"]])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_a_header_alone_is_no_text(tmp_path, name, header) -> None:
    (tmp_path / name).write_text(table(header, [], "," if name == "x.csv" else "\t"))
    with pytest.raises(DataError, match="has a header and no row below it"):
        inspect_file(tmp_path / name)


def test_the_text_is_no_label(tmp_path) -> None:
    for label in ("text", 0):
        with pytest.raises(DataError, match="--label got 'text', which is the column of the text; give another one"):
            looked(tmp_path, "x.csv", table(["text", "label"], ROWS), label=label)
