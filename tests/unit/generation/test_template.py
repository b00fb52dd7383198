"""Texts with blanks, read by every kind of tokenizer."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from tests.unit.generation.toy import TableDecoder
from textvae.errors import DataError
from textvae.generation import Blank, constrained_beam
from textvae.generation.template import BLANK, parse_template, span_blank, word_blank
from textvae.text.tokenizers import BPEConfig, ByteConfig, SentencePieceConfig, UnigramConfig, WordConfig

TEXTS = [
    "I love you.",
    "I love Mr. Smith.",
    "The dogs do not sleep on the mat (at all), he said.",
    "You don't love me?",
]


def shape(text: str, tokenizer, max_span: int = 4) -> list[str]:
    """The template with its tokens spelled out, blanks as _ or *."""
    slots = parse_template(text, tokenizer, max_span=max_span)
    return [
        ("*" if slot.max_tokens == max_span else "_") if isinstance(slot, Blank) else tokenizer.token(slot)
        for slot in slots
    ]


@pytest.mark.parametrize("split", ["words", "nltk"])
def test_words(split: Literal["words", "nltk"]) -> None:
    tokenizer = WordConfig(vocab_size=100, split=split).train(TEXTS)
    assert shape("I love ___.", tokenizer) == ["I", "love", "_", "."]
    assert shape("___ love ___*, Mr. ___!", tokenizer) == ["_", "love", "*", ",", "Mr.", "_", "<unk>"]
    assert shape("___", tokenizer) == ["_"]
    assert shape("___* ___", tokenizer) == ["*", "_"]
    assert shape("___*___", tokenizer) == ["*", "_"]
    assert shape("You do ______ me?", tokenizer) == ["You", "do", "_", "me", "?"]
    assert shape("the zebra (___)", tokenizer) == ["the", "<unk>", "(", "_", ")"]


def test_white_space_words() -> None:
    tokenizer = WordConfig(vocab_size=100, split="whitespace").train(TEXTS)
    assert shape("I love ___", tokenizer) == ["I", "love", "_"]
    # "___." would be one word; cut at the blank, the stop is a word of its own that the vocabulary lacks.
    assert shape("I love ___.", tokenizer) == ["I", "love", "_", "<unk>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "___".', ["He", "said", '"', "_", '￭"', "."]),
        ("It is (___), ___!", ["It", "is", "(", "_", ")", ",", "_", "!"]),
        ("the ___ -- it 's", ["the", "_", "▁--▁", "it", "▁'s"]),
        ("The ___'s dog has 5 ___.", ["The", "_", "'s", "dog", "has", "5", "_", "."]),
        ("___*, of course", ["*", ",", "of", "course"]),
        ("I paid $___ / ___%", ["I", "paid", "$", "_", "▁/▁", "_", "%"]),
        ("#___ is a tag", ["#", "_", "is", "a", "tag"]),
    ],
)
def test_around_a_blank_the_words_are_marked_as_in_the_whole_text(text: str, expected: list[str]) -> None:
    filled = [BLANK.sub(word, text) for word in ("dog", "cat")]
    tokenizer = WordConfig(vocab_size=100).train(["dog", "cat", "#", *filled])
    assert shape(text, tokenizer) == expected


def test_a_blank_is_filled_by_a_token_that_stands_after_a_space() -> None:
    tokenizer = WordConfig(vocab_size=100).train([*TEXTS, 'It is "5kg", it\'s (so) said - "we". l\'air'])
    first_V = word_blank(tokenizer).first_V
    assert first_V is not None and first_V is span_blank(tokenizer, 3).first_V
    fits = {token for token, fit in zip(tokenizer.tokens, first_V.tolist(), strict=True) if fit}
    assert {"n't", "'s", ".", ",", ")", '￭"', "￭kg", "?", "<unk>", "</s>"}.isdisjoint(fits)
    assert {"I", "Mr.", "do", "(", '"', "5", "l'", "air", "-"} <= fits
    for split in ("whitespace", "nltk"):
        old = WordConfig(vocab_size=100, split=split).train(TEXTS)
        assert word_blank(old).first_V is None and span_blank(old, 2).first_V is None


def test_a_blank_never_swallows_what_it_is_stuck_to() -> None:
    """Where the vocabulary has "dog." and "cat." as words, the full stop of "___." is not a part of the blank."""
    tokenizer = WordConfig(split="whitespace").train(["the dog. the cat. a dog a cat a . b ."])
    assert shape("the ___.", tokenizer) == ["the", "_", "."]


def test_what_is_no_template() -> None:
    tokenizer = WordConfig(vocab_size=100).train(TEXTS)
    with pytest.raises(DataError, match="no blank"):
        parse_template("I love you.", tokenizer, max_span=4)
    for wrong in ("lo___", "___ly", "x___*"):
        with pytest.raises(DataError, match="inside a word"):
            parse_template(wrong, tokenizer, max_span=4)


SUBWORD = {
    "bpe": BPEConfig(vocab_size=90),
    "byte": ByteConfig(vocab_size=330),
    "unigram": UnigramConfig(vocab_size=60),
    "sentencepiece": SentencePieceConfig(vocab_size=330),
}
LINES = [*TEXTS, "The cat loves the dog.", "The dog sleeps, the cat sleeps.", "He said no.", "He said yes, he did."] * 5


@pytest.mark.parametrize("kind", SUBWORD)
def test_pieces_around_a_blank_are_those_of_the_whole_text(kind: str) -> None:
    """Filling a blank with a word of the text gives back exactly the pieces of that text."""
    tokenizer = SUBWORD[kind].train(LINES)
    assert tokenizer.splits_words
    for text, hidden in (
        ("He said the dog sleeps.", "the"),
        ("The dog sleeps, the cat sleeps.", "dog"),
        ("He said no.", "no"),
        ("The cat loves the dog.", "The"),
    ):
        whole = tokenizer.encode(text)
        slots = parse_template(text.replace(hidden, "___", 1), tokenizer, max_span=4)
        (at,) = [i for i, slot in enumerate(slots) if isinstance(slot, Blank)]
        blank, after = slots[at], len(slots) - at - 1
        filler = whole[at : len(whole) - after]
        assert [*slots[:at], *filler, *slots[at + 1 :]] == whole
        assert tokenizer.decode(filler).strip() == hidden
        assert isinstance(blank, Blank) and blank.first_V is not None and blank.rest_V is not None
        assert bool(blank.first_V[filler[0]]) and all(bool(blank.rest_V[piece]) for piece in filler[1:])


@pytest.mark.parametrize("kind", SUBWORD)
def test_a_sub_word_blank_is_one_word(kind: str) -> None:
    """Whatever a search puts into the blank decodes to one word without a space."""
    tokenizer = SUBWORD[kind].train(LINES)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(2, tokenizer.vocab_size, tokenizer.vocab_size, generator=generator, dtype=torch.float64)
    table[..., :2] = -torch.inf
    decoder = TableDecoder()
    decoder.log_prob_ZVV = table.log_softmax(-1)
    slots = parse_template("He said ___ sleeps.", tokenizer, max_span=4)
    (found,) = constrained_beam(decoder, torch.ones(1, 3).double(), [slots], width=4, expand=3)
    assert len({len(filling.fillers[0]) for filling in found}) > 1, "words of one length only: nothing is tested"
    for filling in found:
        assert " " not in tokenizer.decode(filling.fillers[0]).strip()
