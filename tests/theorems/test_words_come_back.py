"""With every token in the vocabulary the rule "words" gives every text back: what people write, and any characters."""

# ruff: noqa: SIM905 (a list of many short parts)
from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.written_text import written_lines
from textvae.text.normalize import normalize
from textvae.text.tokenizers import SPECIAL_TOKENS, WordConfig, WordTokenizer
from textvae.text.tokenizers.words import cut, join, plain

DATA = Path(os.environ.get("TEXTVAE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

PARTS = (
    " ~ ~\n~\x00~\u00a0~"
    "<unk>~<s>~</s>~<pad>~<br />~<a b='c d'>~\uffed~\u2581~\u201c~\u201d~\u201e~"
    "\u2018~\u2019~\u00ab~\u00bb~\"~'~a~Don't~5~kg~\u20ac~$~.~,~!~(~)~"
    "/~-~--~...~s~'s~n't~l'air~http://x.y~u@x.de~@a~#b~:)~&amp;~\U0001f44d~"
    "\u0301~\ufe0f~\u200d~``~''~\u00bf"
).split("~")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ANY_PARTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(ANY_TEXT | ANY_PARTS, min_size=1, max_size=3).map(" ".join))
@example("\uffed<unk>\uffed \u2581 <unk><unk>")
@example("a\uffed \uffed\u2581b")
@example("<br\n/>< /br> <a b='\n\n'")
def test_any_text_comes_back(text: str) -> None:
    normal = normalize(text)
    tokens = cut(normal)
    assert join(tokens) == normal
    assert not set(SPECIAL_TOKENS[:3]) & set(tokens)
    assert all(token == "<unk>" or plain(token) != "<unk>" for token in tokens)
    if normal:
        tokenizer = WordConfig(vocab_size=100_000).train([text, "a"])
        assert tokenizer.decode(tokenizer.encode(text)) == normal


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(ANY_PARTS, max_size=4), st.data())
def test_what_a_model_samples_is_normal_text(texts: list[str], data: st.DataObject) -> None:
    """Any tokens in any order: nothing is lost, single spaces only, none at the ends."""
    tokens = [token for text in texts for token in cut(normalize(text))]
    chosen = data.draw(st.lists(st.sampled_from(tokens), max_size=10)) if tokens else []
    text = join(chosen)
    assert text.replace(" ", "") == "".join(map(plain, chosen)).replace(" ", "")
    assert text == " ".join(text.split(" ")) and "  " not in text


def share_that_comes_back(lines: list[str]) -> float:
    tokenizer = WordConfig(vocab_size=1_000_000).train(lines)
    back = tokenizer.decode_batch(tokenizer.encode_batch(lines))
    return sum(normalize(line) == text for line, text in zip(lines, back, strict=True)) / len(lines)


def test_what_people_write_comes_back() -> None:
    lines = written_lines(2000)
    assert len(set(lines)) > 1900
    assert share_that_comes_back(lines) == 1.0


@pytest.mark.parametrize("seed", range(1, 6))
def test_in_lower_case_and_with_a_small_vocabulary_text_stays_readable(seed: int) -> None:
    """Unknown words apart, a small vocabulary keeps spacing that is the usual one."""
    lines = [line.lower() for line in written_lines(300, seed)]
    assert share_that_comes_back(lines) == 1.0
    small = WordConfig(vocab_size=150).train(lines)
    assert isinstance(small, WordTokenizer)
    for line in lines:
        text = small.decode(small.encode(line))
        assert text == normalize(text)


def _texts(name: str) -> Iterable[str]:
    folder = DATA / name
    if name == "banking77":
        with (folder / "test.csv").open(encoding="utf-8", newline="") as file:
            yield from (row["text"] for row in csv.DictReader(file))
    elif name == "tatoeba_en":
        yield from (folder / "test.txt").read_text(encoding="utf-8").split("\n")
    else:
        with gzip.open(folder / "test.jsonl.gz", "rt", encoding="utf-8") as file:
            yield from (json.loads(line)["text"] for line in file)


@pytest.mark.parametrize(
    ("name", "lines"), [("imdb", 300), ("banking77", 2000), ("daily_dialog", 2000), ("tatoeba_en", 2000)]
)
def test_lines_of_public_corpora_come_back(name: str, lines: int) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA} has no folder {name}; set TEXTVAE_DATA to a folder of corpora")
    assert share_that_comes_back([text for text in islice(_texts(name), lines) if text.strip()]) >= 0.99
