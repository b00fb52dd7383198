"""`textvae new` takes the column of prose for the text, and a column of classes for the labels."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.unit.text.looking import looked, prose, table
from textvae.errors import DataError
from textvae.text.inspect import Wanted, inspect_file

N = 90
DRAW = random.Random(0)


def one(values: str, i: int) -> str:
    """A value by chance, the same for every run."""
    return random.Random(i).choice(values.split("|"))


def tweet(i: int) -> list[Any]:
    return [
        570306133677760513 + i,
        one("neutral|positive|negative", i),
        round(0.3 + i / 200, 4),
        one("|Customer Service Issue|Late Flight|Can't Tell", i),
        one("|0.7033|0.3|1.0", i),
        one("United|Delta|Virgin America", i + 7),
        "negative" if i < 3 else "",
        f"user_{i}",
        one("0|0|0|1|2", i),
        f"@United {prose(i)}",
        "[40.7, -74.0]" if i % 9 == 0 else "",
        "2015-02-24 11:35:52 -0800",
        one("New York, NY|Boston MA|", i),
    ]


TWEETS = [
    "tweet_id",
    "airline_sentiment",
    "airline_sentiment_confidence",
    "negativereason",
    "negativereason_confidence",
    "airline",
    "airline_sentiment_gold",
    "name",
    "retweet_count",
    "text",
    "tweet_coord",
    "tweet_created",
    "tweet_location",
]
LINK = "https://www.example.org/entry/{}-some-very-long-address-of-an-article_us_5bf{}?from=home&section=main"

# name: (header, row, text column, label column)
TABLES: dict[str, tuple[Any, Any, Any, Any]] = {
    "tweets": (TWEETS, tweet, "text", "airline_sentiment"),
    "spam": (
        ["v1", "v2", "", "", ""],
        lambda i: [one("ham|spam", i), prose(i), "bt not" * (i == 7), "", ""],
        "v2",
        "v1",
    ),
    "imdb": (
        ["review", "sentiment"],
        lambda i: [f"{prose(i, 6)}<br /><br />{prose(i)}", one("good|bad", i)],
        "review",
        "sentiment",
    ),
    "moses": (
        ["SMILES", "mol_weight"],
        lambda i: [f"CC(=O)O{'C' * (i % 12)}N{'c1ccccc1' * (i % 3)}{i % 7}", 120.5 + i],
        "SMILES",
        None,
    ),
    "ag_news": (
        ["Class Index", "Title", "Description"],
        lambda i: [i % 4 + 1, prose(i)[:20], prose(i, 3)],
        "Description",
        "Class Index",
    ),
    "quora": (
        ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
        lambda i: [i, 2 * i, 2 * i + 1, prose(i), prose(i + 500), i % 2],
        "question1",
        "is_duplicate",
    ),
    "youtube": (
        ["COMMENT_ID", "AUTHOR", "DATE", "CONTENT", "CLASS"],
        lambda i: [f"LZQPQhLyRh80UYxNuaDWhIGQYNQ96IuCgAYWqNPj{i}", "Jo Li", "2013-11-07T06:20:48", prose(i), i % 2],
        "CONTENT",
        "CLASS",
    ),
    "chat": (
        ["timestamp", "author", "message"],
        lambda i: [f"12/05/2020, 10:{i % 60:02d}", one("Anna|Ben", i), prose(i)],
        "message",
        None,
    ),
    "subtitles": (
        ["start", "end", "text"],
        lambda i: [f"00:00:{i % 60:02d},000", f"00:00:{i % 60:02d},900", prose(i)],
        "text",
        None,
    ),
    "toxic": (
        ["id", "comment_text", "toxic", "severe_toxic"],
        lambda i: [f"{i:016x}", prose(i, 2), i % 2, int(i % 9 == 0)],
        "comment_text",
        "toxic",
    ),
    "clothes": (
        ["", "Clothing ID", "Age", "Title", "Review Text", "Rating", "Positive Feedback Count"],
        lambda i: [i, 700 + i % 40, 18 + i % 60, prose(i)[:15] * (i % 3 > 0), prose(i, 3), i % 5 + 1, i % 30],
        "Review Text",
        "Rating",
    ),
    "links": (["url", "headline"], lambda i: [LINK.format(i, i), prose(i)], "headline", None),
    "pictures": (
        ["path", "caption", "hash"],
        lambda i: [f"images/train/of/the/long/folder/{i:06d}.jpg", prose(i), f"{i:064x}"],
        "caption",
        None,
    ),
    "pages": (
        ["html", "plain", "tag"],
        lambda i: [f"<div><p>{prose(i, 3)}</p></div>", prose(i, 2), one("x|y|z", i)],
        "plain",
        "tag",
    ),
    "chinese": (
        ["id", "writer", "review", "star"],
        lambda i: [i, "Li Wei", "".join(random.Random(i).choices("山水风云雨雪日月花鸟江河", k=14)), i % 5 + 1],
        "review",
        "star",
    ),
    "arabic": (
        ["رقم", "النص", "label"],
        lambda i: [i, f"كان الطعام في اليوم {i} جيدا جدا", one("a|b", i)],
        "النص",
        "label",
    ),
    "proteins": (
        ["accession", "sequence", "family"],
        lambda i: [
            f"P{i:05d}",
            "".join(random.Random(i).choices("ACDEFGHIKLMNPQRSTVWY", k=50)),
            one("kinase|globin", i),
        ],
        "sequence",
        "family",
    ),
    "tickets": (
        ["Ticket ID", "Customer Email", "Ticket Description", "Ticket Status", "Date"],
        lambda i: [i, f"a{i}@x.org", prose(i, 3), one("Open|Closed", i), "2021-03-22"],
        "Ticket Description",
        "Ticket Status",
    ),
    "folds": (
        ["text", "fold", "set", "intent"],
        lambda i: [prose(i), i % 5, i % 3, one("pay|ask|go", i)],
        "text",
        "intent",
    ),
    "mood": (
        ["text", "mood", "flag"],
        lambda i: [prose(i), one("good|fair|bad", i), "x" if i < 8 else ""],
        "text",
        "mood",
    ),
    "few labels": (["text", "label"], lambda i: [prose(i), one("pos|neg", i) if i < 20 else ""], "text", "label"),
    "no name": (
        None,
        lambda i: [one("0|4", i), 1467810369 + i, "Mon Apr 06 22:19:45 PDT 2009", f"User_{i}", prose(i)],
        4,
        0,
    ),
    "confidence": (
        ["text", "confidence", "stance:confidence"],
        lambda i: [prose(i), i / 100, one("0.5|0.7|0.9", i)],
        "text",
        None,
    ),
    "dates": (["when", "what", "year"], lambda i: [f"{i % 28 + 1}.03.2020", prose(i), 2000 + i % 4], "what", None),
}


@pytest.mark.parametrize("name", TABLES)
def test_text_and_labels_of_a_table(tmp_path, name) -> None:
    header, row, text, label = TABLES[name]
    found, _ = looked(tmp_path, "x.csv", table(header, [row(i) for i in range(N)]))
    assert (found.text_column, found.label_column, found.header) == (text, label, header is not None)


@pytest.mark.parametrize("name", TABLES)
def test_the_order_of_rows_says_nothing(tmp_path, name) -> None:
    """A file may be sorted by its labels, and its first rows may be odd."""
    header, row, text, label = TABLES[name]
    rows = [row(i) for i in range(N)]
    if label is not None:
        place = label if header is None else header.index(label)
        rows.sort(key=lambda cells: str(cells[place]))
    found, _ = looked(tmp_path, "x.csv", table(header, rows))
    assert (found.text_column, found.label_column) == (text, label)


RECORDS: dict[str, tuple[Any, Any, Any]] = {
    "sarcasm": (
        lambda i: {"article_link": LINK.format(i, i), "headline": prose(i), "is_sarcastic": i % 2},
        "headline",
        "is_sarcastic",
    ),
    "amazon": (
        lambda i: {
            "overall": i % 5 + 1.0,
            "reviewerID": f"A3{i}",
            "asin": f"B0{i}",
            "style": {"Format:": " Hardcover"},
            "reviewText": prose(i, 3),
            "summary": prose(i)[:20],
            "unixReviewTime": 1473897600 + i,
        },
        "reviewText",
        "overall",
    ),
    "nested": (
        lambda i: {"id": i, "data": {"text": prose(i), "lang": "en"}, "meta": {"topic": one("a|b", i)}},
        "data.text",
        "meta.topic",
    ),
    "answers": (
        lambda i: {"choices": [{"text": prose(i), "score": i % 3}, {"text": "No.", "score": 0}]},
        "choices.0.text",
        "choices.0.score",
    ),
    "dotted key": (
        lambda i: {"data.text": prose(i), "data": {"text": "other"}, "label": one("a|b", i)},
        "data.text",
        "label",
    ),
    "list of strings": (lambda i: {"tags": ["x", one("a|b", i)], "body": prose(i)}, "body", None),
    "label studio": (
        lambda i: {"id": i, "data": {"review": prose(i)}, "annotations": [{"label": one("A|B", i)}]},
        "data.review",
        "annotations.0.label",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("shape", ["lines", "list", "pretty", "one after another", "wrapped"])
def test_text_and_labels_of_json(tmp_path, name, shape) -> None:
    record, text, label = RECORDS[name]
    records = [record(i) for i in range(N)]
    content = {
        "lines": "\n".join(map(json.dumps, records)),
        "list": json.dumps(records),
        "pretty": json.dumps(records, indent=2),
        "one after another": "\n".join(json.dumps(each, indent=1) for each in records),
        "wrapped": json.dumps({"version": 2, "data": records}),
    }[shape]
    found, _ = looked(tmp_path, "x.json", content)
    assert found.kind == ("json_lines" if shape == "lines" else "json")
    assert (found.text_column, found.label_column) == (text, label)


CHOICES = [
    ({"text": "b", "label": "c"}, ("b", "c", "s")),
    ({"text": "1", "label": "0"}, ("b", "a", "s")),
    ({"text": 1, "label": 2}, ("b", "c", "s")),
    ({"label": "none", "split": "none"}, (None, None, None)),
    ({"split": "s"}, (None, "a", "s")),
    ({"text": "b", "split": "none", "label": "s"}, ("b", "s", None)),
]


@pytest.mark.parametrize(("wanted", "expected"), CHOICES, ids=range(len(CHOICES)))
def test_the_user_knows_better(tmp_path, wanted, expected) -> None:
    rows = [[one("x|y", i), prose(i + 300), f"{one('p|q', i)}", one("train|test", i), prose(i, 4)] for i in range(N)]
    found, _ = looked(tmp_path, "x.csv", table(["a", "b", "c", "s", "text"], rows), **wanted)
    text, label, split = expected
    assert (found.text_column, found.label_column, found.split_column) == (text or "text", label, split)


def test_a_column_may_be_called_none(tmp_path) -> None:
    content = table(["text", "none"], [[prose(i), one("a|b", i)] for i in range(N)])
    assert looked(tmp_path, "x.csv", content, label="none")[0].label_column == "none"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"text": "body"}, r"has no column 'body'; its columns are 'text', 'label', 'fold'; give --text one of them"),
        ({"label": "7"}, "has no column '7'; .*--label"),
        ({"split": "none of them"}, "has no column 'none of them'; .*--split"),
        ({"split": "fold"}, "column 'fold' has the values '0', '1', '2', and none of them means train"),
        ({"delimiter": "ab"}, "--delimiter is 'ab'; expected one character"),
        ({"text": "text", "split": "text"}, "which is the column of the text"),
    ],
)
def test_a_wrong_choice_is_named(tmp_path, wanted, message) -> None:
    (tmp_path / "x.csv").write_text(
        table(["text", "label", "fold"], [[prose(i), one("a|b", i), i % 3] for i in range(N)])
    )
    with pytest.raises(DataError, match=message):
        inspect_file(tmp_path / "x.csv", wanted=Wanted(**wanted))
    (tmp_path / "x.txt").write_text("".join(f"{prose(i)}\n" for i in range(N)))
    if "delimiter" not in wanted:
        with pytest.raises(DataError, match="has no columns, only lines; leave out --"):
            inspect_file(tmp_path / "x.txt", wanted=Wanted(**wanted))


@pytest.mark.parametrize("given", ["|", "tab", "\\t", ";", "pipe"])
def test_a_delimiter_that_is_given(tmp_path, given) -> None:
    character = {"tab": "\t", "\\t": "\t", "pipe": "|"}.get(given, given)
    # Nothing says that these are tables: texts with commas, and few rows.
    content = "".join(f"{prose(i)}, well{character}{prose(i + 500)}, so\n" for i in range(N))
    found, card = looked(tmp_path, "x.txt", content, delimiter=given, text="1")
    assert (found.kind, found.settings["delimiter"], found.text_column) == ("csv", character, 1)
    assert next(card.read("train")).text.endswith(", so")
