"""Words that a tokenizer does not know: found, named as they are written, and shown to readers."""

from __future__ import annotations

import random

import pytest

from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import TOKENIZER_KINDS
from textvae.types import BOS_ID, EOS_ID, UNK_ID

WORDS = ["apple", "bread", "cat", "dog", "eats", "finds", "green", "house", "in", "the"]
RNG = random.Random(0)
CORPUS = [" ".join(RNG.choices(WORDS, k=6)) for _ in range(200)]
ALL = [
    settings(vocab_size=300, **variant)
    for settings in TOKENIZER_KINDS.values()
    for variant in settings.variants.values()
]
TOKENIZERS = [config.train(CORPUS) for config in ALL]
IDS = [f"{number}-{config.kind}" for number, config in enumerate(ALL)]
of_every_kind = pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=IDS)
WITHIN_WORDS = [
    tokenizer for tokenizer, config in zip(TOKENIZERS, ALL, strict=True) if getattr(config, "split_by_whitespace", True)
]
"""Those whose tokens do not reach across spaces. With the others a beginning may have other tokens than its text, and
the stored text is then the tokens decoded."""
OF_WORDS = [tokenizer for tokenizer in TOKENIZERS if not tokenizer.splits_words]
of_words = pytest.mark.parametrize("tokenizer", OF_WORDS, ids=lambda one: f"{one.kind}-{one.split}")


@of_every_kind
def test_nothing_is_unknown_of_what_it_was_trained_on(tokenizer) -> None:
    for found in tokenizer.unknown(CORPUS[:20]):
        assert (found.missing, found.count, found.nothing_known) == ((), 0, False)
        assert found.total == (6 if found.unit == "word" else found.total) > 0


@of_every_kind
@pytest.mark.parametrize("text", ["the \u732b eats", "\u732b\u72ac", "", "cat \u00e9t\u00e9 dog", "the cat"])
def test_something_is_unknown_exactly_where_the_text_has_the_unknown_token(tokenizer, text: str) -> None:
    (found,) = tokenizer.unknown([text])
    assert (found.count > 0) == (UNK_ID in tokenizer.encode(text))
    assert found.count <= found.total
    assert found.unit == ("character" if tokenizer.splits_words else "word")
    assert all(one in text for one in found.missing)
    if found.nothing_known:
        assert found.count == found.total and not set(text.split()) & set(WORDS)


@of_words
@pytest.mark.parametrize(
    ("text", "missing", "count", "total", "nothing"),
    [
        ("the cat eats", (), 0, 3, False),
        ("the zorb eats", ("zorb",), 1, 3, False),
        ("zorb zorb quux", ("zorb", "quux"), 3, 3, True),
        ("Zorb, \u201cquux\u201d ...", None, 2, None, True),
        ("the <unk> eats zorb", ("zorb",), 1, 4, False),
        ("<unk> eats", (), 0, 2, False),
        ("", (), 0, 0, False),
    ],
)
def test_words_are_counted_and_named(tokenizer, text, missing, count, total, nothing) -> None:
    (found,) = tokenizer.unknown([text])
    if missing is None:
        # Marks are words of their own for some splits.
        assert found.missing[:2] == ("Zorb", "quux") and found.count >= count and found.nothing_known is nothing
        return
    assert found.missing == missing and (found.count, found.nothing_known) == (count, nothing)
    assert found.total == total


@of_every_kind
def test_readers_are_shown_words_and_machines_the_token(tokenizer) -> None:
    known = tokenizer.encode("the cat")
    shown = f"[unknown {tokenizer.unit}]"
    ids = [BOS_ID, *known, UNK_ID, EOS_ID]
    assert "<unk>" in tokenizer.decode(ids) and shown in tokenizer.show(ids) and "<unk>" not in tokenizer.show(ids)
    assert tokenizer.show(ids).replace(shown, "<unk>") == tokenizer.decode(ids)
    assert tokenizer.show_batch([known, ids]) == [tokenizer.decode(known), tokenizer.show(ids)]
    # Where nothing is unknown, the text is the corpus's own.
    assert tokenizer.show(known) == tokenizer.decode(known) == "the cat"


@pytest.mark.parametrize("tokenizer", WITHIN_WORDS, ids=lambda one: one.kind)
@pytest.mark.parametrize("seed", range(5))
def test_a_text_that_was_cut_is_stored_as_it_is_written(tokenizer, seed: int, tmp_path) -> None:
    rng = random.Random(seed)
    texts = [
        " ".join(rng.choice([*WORDS, "Zorb,", "\u732b\u72ac", "quux!"]) for _ in range(rng.randint(8, 40)))
        for _ in range(20)
    ]
    write_tokenized(tmp_path / "x.arrow", map(Example, texts), tokenizer, max_tokens=7)
    corpus = TokenizedCorpus(tmp_path / "x.arrow")
    for row, text in enumerate(texts):
        ids, stored = corpus.ids(row).tolist(), corpus.text(row)
        if UNK_ID in ids:
            assert "<unk>" not in stored and text.startswith(stored)
            assert tokenizer.encode(stored)[: len(ids)] == ids == tokenizer.encode(text)[:7]
            assert tokenizer.splits_words or len(stored.split()) <= 7


@of_words
def test_a_corpus_with_the_token_in_its_text_keeps_it(tokenizer, tmp_path) -> None:
    texts = ["the <unk> eats bread", "the <unk> cat finds the <unk> dog in the green house <unk>"]
    write_tokenized(tmp_path / "x.arrow", map(Example, texts), tokenizer, max_tokens=7)
    corpus = TokenizedCorpus(tmp_path / "x.arrow")
    assert [corpus.text(0), corpus.text(1)] == [texts[0], "the <unk> cat finds the <unk> dog"]
