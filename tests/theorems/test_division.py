"""Splits of one set of texts: never empty, by class, equal texts together, whatever the order of the rows."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textvae.errors import DataError
from textvae.text.corpora import JSONLinesCorpus, LinesCorpus
from textvae.text.corpora.base import SPLITS, CorpusCard, ReadReport
from textvae.text.corpora.division import MIN_CUT_TEXTS, CutText, allocate, divide, key_of
from textvae.text.normalize import normalize

Row = tuple[str, str | None]
FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}


def rows_of(*sizes: int, copies: int = 1) -> list[Row]:
    """Classes of so many different texts, each text so many times."""
    return [(f"text {i} of class {c}", f"c{c}") for c, n in enumerate(sizes) for i in range(n) for _ in range(copies)]


CORPORA: dict[str, list[Row]] = {
    "no labels": [(f"text {i}", None) for i in range(30)],
    "two classes": rows_of(30, 30),
    "a rare class": rows_of(30, 30, 1),
    "a class of two": rows_of(40, 2),
    "twelve classes of one": rows_of(60, *[1] * 12),
    "45 classes of one": rows_of(60, *[1] * 45),
    "a long tail": rows_of(100, 50, 25, 12, 6, 3, 2, 1, 1, 1),
    "forty classes of two": rows_of(*[2] * 40),
    "all labels distinct": rows_of(*[1] * 60),
    "each text four times": rows_of(20, 20, 5, copies=4),
    "one text a thousand times": [*rows_of(20, 20), *[("the same", "c0")] * 1000],
    "a text with both labels": [*rows_of(20, 20), ("both", "c0"), ("both", "c1"), ("both ", None)],
    "every text with two labels": [*rows_of(40), *[(text, "other") for text, _ in rows_of(40)]],
    "most without a label": [*[(f"plain {i}", None) for i in range(200)], *rows_of(6, 6)],
    "sorted by label": rows_of(300, 300, 300),
    "one large class": rows_of(600, 40),
    "empty texts": [*rows_of(20, 20), *[("", "c0"), (" ", None)] * 10],
}


def card(folder: Path, rows: list[Row], fractions: dict[str, float] | None = None, **more: object) -> CorpusCard:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    table = {"name": "x", "root": str(folder), "files": {"train": file.name}, "label_column": "label"}
    return JSONLinesCorpus.model_validate({**table, "split_fractions": fractions or FRACTIONS, **more})


def read(corpus: CorpusCard) -> dict[str, list[Row]]:
    return {split: [tuple(example) for example in corpus.read(split)] for split in corpus.splits}


def different(rows: list[Row]) -> set[str]:
    return {normalize(text) for text, _ in rows} - {""}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CORPORA)
def test_every_row_is_in_one_split_and_none_is_empty(tmp_path: Path, name: str, seed: int) -> None:
    rows = CORPORA[name]
    parts = read(card(tmp_path, rows, seed=seed))
    assert Counter(row for part in parts.values() for row in part) == Counter(rows)
    texts = {split: different(part) for split, part in parts.items()}
    assert sum(map(len, texts.values())) == len(different(rows))  # no text in two splits
    assert all(texts.values())
    for split, part in texts.items():
        assert len(part) == pytest.approx(FRACTIONS[split] * len(different(rows)), abs=1 + 0.25 * len(different(rows)))


@pytest.mark.parametrize("name", CORPORA)
def test_each_class_has_its_share_to_within_one_text(tmp_path: Path, name: str) -> None:
    rows = [row for row in CORPORA[name] if normalize(row[0])]
    labels_of = defaultdict(set)
    for text, label in rows:
        labels_of[normalize(text)].add(label)
    classes = Counter(next(iter(labels)) if len(labels) == 1 else "several" for labels in labels_of.values())
    singles = [c for c, n in classes.items() if n == 1]
    parts = read(card(tmp_path, rows))
    for c, n in classes.items():
        got = {
            split: len(
                {t for t in different(part) if labels_of[t] == {c} or (c == "several" and len(labels_of[t]) > 1)}
            )
            for split, part in parts.items()
        }
        if c not in singles:
            assert all(abs(got[split] - FRACTIONS[split] * n) < 1 for split in SPLITS), (c, n, got)
        if len(singles) * 2 <= len(labels_of):
            assert got["train"] >= 1, (c, n, got)  # every class is learned
        if n * min(FRACTIONS.values()) >= 1:
            assert min(got.values()) >= 1


@pytest.mark.parametrize("name", CORPORA)
def test_the_order_of_the_rows_does_not_matter_and_the_seed_does(tmp_path: Path, name: str) -> None:
    rows = CORPORA[name]
    shuffled = random.Random(3).sample(rows, len(rows))
    first, again = read(card(tmp_path, rows)), read(card(tmp_path, shuffled))
    assert {split: Counter(part) for split, part in first.items()} == {s: Counter(part) for s, part in again.items()}
    assert read(card(tmp_path, rows)) == first
    seeds = [different(read(card(tmp_path, rows, seed=seed))["test"]) for seed in range(3)]
    assert any(one != seeds[0] for one in seeds)


@pytest.mark.parametrize(
    "fractions",
    [
        {"train": 0.9, "valid": 0.05, "test": 0.05},
        {"train": 0.98, "valid": 0.01, "test": 0.01},
        {"train": 0.01, "valid": 0.495, "test": 0.495},
        {"train": 0.999, "test": 0.001},
        {"train": 0.5, "valid": 0.5},
        {"train": 0.6, "valid": 0.2, "test": 0.2},
    ],
)
@pytest.mark.parametrize("count", [30, 31, 47, 100])
def test_no_split_of_thirty_texts_is_empty(tmp_path: Path, fractions: dict[str, float], count: int) -> None:
    for sizes in ((count,), (count - 1, 1), (count // 2, count - count // 2), tuple([1] * count)):
        parts = read(card(tmp_path, rows_of(*sizes), fractions))
        assert set(parts) == set(fractions) and all(parts.values())


def test_fewer_texts_than_splits_is_said(tmp_path: Path) -> None:
    for rows in ([("a", "x")] * 50, [("a", "x"), ("b", "y")] * 30):
        with pytest.raises(DataError, match=rf"split of corpus 'x' is empty: .*, {len(set(rows))} different; give"):
            read(card(tmp_path, rows))
    assert len(read(card(tmp_path, rows_of(1, 1, 1)))) == 3


def test_a_text_more_moves_few_others(tmp_path: Path) -> None:
    rows = rows_of(400, 300)
    before = read(card(tmp_path, rows))
    after = read(card(tmp_path, [*rows, ("one more", "c0")]))
    moved = sum(len(different(before[split]) - different(after[split])) for split in SPLITS)
    assert moved <= 4


def test_left_out_texts_do_not_count_and_are_counted(tmp_path: Path) -> None:
    rows = [*rows_of(20, 20), *[(f"short {i}", "c0") for i in range(300)]]
    corpus = card(tmp_path, rows, min_words=3)
    assert {split: len(part) for split, part in read(corpus).items()} == {"train": 32, "valid": 4, "test": 4}
    reports = {split: ReadReport() for split in SPLITS}
    for split, report in reports.items():
        list(corpus.read(split, report))
    assert sum(report.too_short for report in reports.values()) == 300
    limited = card(tmp_path, rows_of(50, 50), limit={"train": 7, "test": 3})
    assert {split: len(part) for split, part in read(limited).items()} == {"train": 7, "valid": 10, "test": 3}


def story(number: int, shared: list[str]) -> str:
    return " ".join([f"Story {number} begins here!", *shared, f"And story {number} goes on!", f"Then {number} ends!"])


@pytest.mark.parametrize("count", [MIN_CUT_TEXTS, 250])
def test_sentences_of_one_text_stay_together_but_for_those_of_several(tmp_path: Path, count: int) -> None:
    (tmp_path / "x.txt").write_text("\n".join(story(i, ["Yes!"] * (i % 2)) for i in range(count)))
    corpus = LinesCorpus.model_validate(
        {"name": "x", "root": str(tmp_path), "files": {"train": "x.txt"}, "split_fractions": FRACTIONS}
        | {"split_sentences": True}
    )
    parts = {split: [text for text, _ in part] for split, part in read(corpus).items()}
    stories = {
        split: {word for text in part for word in text.rstrip("!").split() if word.isdigit()}
        for split, part in parts.items()
    }
    assert sum(map(len, stories.values())) == count and len(stories["test"]) == count // 10
    assert parts["train"].count("Yes!") == count // 2 and "Yes!" not in parts["valid"] + parts["test"]


@pytest.mark.parametrize(
    "texts", [["A b c! " * 3] * 200, ["One is here. Two is there."] * 150, ["One text alone. " * 9]]
)
def test_sentences_are_divided_one_by_one_where_texts_are_too_few_or_too_equal(texts: list[str]) -> None:
    pool = [f"Sentence {i}." for i in range(60)]
    cut = [CutText(f"{i} {text}", None, tuple(random.Random(i).sample(pool, 40))) for i, text in enumerate(texts)]
    division = divide(cut, list(FRACTIONS.values()), 0)
    places = defaultdict(set)
    for text in cut:
        for part, place in zip(text.parts, division.places(text), strict=True):
            places[part].add(place)
    assert not division.whole and all(len(found) == 1 for found in places.values())
    counts = Counter(next(iter(found)) for found in places.values())
    assert all(abs(counts[j] - f * len(places)) < 1 for j, f in enumerate(FRACTIONS.values()))


def test_too_many_texts_to_count_are_divided_by_their_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.text.corpora.division.MAX_TEXTS", 1000)
    texts = [CutText(f"text {i % 3000}", "ab"[i % 7 == 0], (f"text {i % 3000}",)) for i in range(6000)]
    division = divide(texts, list(FRACTIONS.values()), 0)
    assert division.different is None
    places = {(text.text, *division.places(text)) for text in texts}
    assert len(places) == 3000
    assert Counter(place for _, place in places)[0] == pytest.approx(2400, abs=100)


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 80), min_size=1, max_size=40),
    shares=st.lists(st.floats(0.01, 1), min_size=2, max_size=3),
)
def test_allocation(sizes: list[int], shares: list[float]) -> None:
    fractions = [share / sum(shares) for share in shares]
    rows = allocate(sorted(sizes, reverse=True), fractions)
    assert [sum(row) for row in rows] == sorted(sizes, reverse=True)
    assert min(n for row in rows for n in row) >= 0
    totals = [sum(row[j] for row in rows) for j in range(len(fractions))]
    if sum(sizes) >= len(fractions):
        assert min(totals) >= 1
    wrong = [
        abs(n - size * f)
        for row, size in zip(rows, sorted(sizes, reverse=True), strict=True)
        for n, f in zip(row, fractions, strict=True)
    ]
    assert (
        sum(one >= 1 for one in wrong) <= 2 * len(fractions) and max(wrong) < 3
    )  # those of splits that would be empty
    if min(size * fractions[0] for size in sizes) >= 1:
        assert all(abs(t - f * sum(sizes)) <= 2.5 for t, f in zip(totals, fractions, strict=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from([None, "x", "y", "z"])), min_size=3))
def test_division_of_any_rows(rows: list[Row]) -> None:
    texts = [CutText(text, label, (text,)) for text, label in rows]
    division = divide(texts, [0.5, 0.25, 0.25], 7)
    places = defaultdict(set)
    for text in texts:
        places[text.text].update(division.places(text))
    assert all(len(found) == 1 for found in places.values())
    if len(places) >= 3:
        assert {place for found in places.values() for place in found} == {0, 1, 2}
    assert divide(reversed(texts), [0.5, 0.25, 0.25], 7).cuts == division.cuts


def test_a_hash_is_of_the_normalized_text() -> None:
    assert key_of("Cafe\u0301  au lait", 0) == key_of(" Caf\u00e9 au\tlait ", 0) != key_of("Caf\u00e9 au lait", 1)
    assert key_of(" \t", 0) == 0
