"""What is found in someone's own file."""

from __future__ import annotations

import csv
import json

import pytest

from textvae.errors import DataError
from textvae.text.corpora import load_card
from textvae.text.inspect import inspect_file, propose_tokenizer


@pytest.fixture(scope="module")
def examples():
    return list(load_card("bible").read("valid"))


def test_lines(tmp_path, examples):
    path = tmp_path / "x.txt"
    path.write_text("\n".join(text for text, _ in examples) + "\n\n")
    report = inspect_file(path)
    assert (report.kind, report.header, report.text_column, report.label_column) == ("lines", None, None, None)
    texts = report.texts
    assert (texts.count, texts.empty, report.complete) == (len(examples), 1, True)
    assert texts.words_quantiles[1.0] == 14 and texts.words_quantiles[0.5] in range(6, 13)
    assert texts.has_spaces and not texts.tokenized and not texts.lowercase
    tokenizer = propose_tokenizer(texts)
    assert 14 <= tokenizer.max_tokens <= 64 and tokenizer.vocab_size >= 200
    assert list(texts.vocabulary_at.values()) == sorted(texts.vocabulary_at.values())
    assert not inspect_file(path, max_examples=100).complete


@pytest.mark.parametrize("header", [True, False])
def test_csv(tmp_path, examples, header):
    path = tmp_path / "x.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        if header:
            rows.writerow(["id", "verse", "group"])
        rows.writerows([i, text, label] for i, (text, label) in enumerate(examples))
    report = inspect_file(path)
    assert (report.kind, report.header) == ("csv", header)
    assert (report.text_column, report.label_column) == (("verse", "group") if header else (1, 2))
    assert len(report.label_counts) == 6 and report.texts.count == len(examples)


def test_tsv_without_labels_in_an_unknown_ending(tmp_path, examples):
    path = tmp_path / "x.data"
    path.write_text("".join(f"{i}\t{text}\n" for i, (text, _) in enumerate(examples)))
    report = inspect_file(path)
    assert (report.kind, report.text_column, report.label_column) == ("tsv", 1, None)


def test_json_lines_sorted_by_label(tmp_path, examples):
    path = tmp_path / "x.jsonl"
    records = [{"label": "ab"[i > 1200], "text": text} for i, (text, _) in enumerate(examples)]
    path.write_text("\n".join(json.dumps(record) for record in records))
    report = inspect_file(path)
    assert (report.kind, report.text_column, report.label_column) == ("json_lines", "text", "label")
    assert set(report.label_counts) == {"a", "b"}


def test_text_without_spaces(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("今日は天気がとても良いですね、散歩に行きましょうか。\n" * 50)
    texts = inspect_file(path).texts
    assert not texts.has_spaces and propose_tokenizer(texts).settings["kind"] == "sentencepiece"


def test_already_tokenized(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("this is good , he said .\nbut it 's not !\n" * 20)
    texts = inspect_file(path).texts
    assert texts.tokenized and texts.lowercase


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"", "is empty"),
        ("x.txt", b"\n \n", "holds no text"),
        ("x.txt", b"\xff\n", "line 1 is not UTF-8"),
        ("x.jsonl", b'{"n": 1}\n', "no column with text"),
        ("x.json", b"[\n1]\n", "line 2 is a JSON int, expected an object"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        inspect_file(tmp_path / name)
    with pytest.raises(DataError, match="does not exist"):
        inspect_file(tmp_path / "none")
