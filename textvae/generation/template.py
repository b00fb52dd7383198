"""Parses a text with blanks into a template of fixed tokens and gaps."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch

from textvae.arguments import shown
from textvae.errors import DataError
from textvae.generation.constrained_beam import Blank, Slot
from textvae.text.given import GivenOverlong, checked_overlong
from textvae.text.tokenizers.base import Tokenizer

BLANK = re.compile(r"_{3,}\*?")
"""`___` is one word, `___*` a span of several tokens; more than three underscores mean the same."""

MAX_PIECES = 6
"""Most pieces in one word, for sub-word tokenizers."""

_STAND_INS = 12
"""Words that are tried in place of the blanks."""


def word_blank(tokenizer: Tokenizer) -> Blank:
    """A blank for one word: a token that starts a word, and for sub-word tokenizers the pieces within it."""
    first_V, rest_V = _masks(tokenizer)
    return Blank(1, MAX_PIECES, first_V, rest_V) if tokenizer.splits_words else Blank(1, 1, first_V, None)


def span_blank(tokenizer: Tokenizer, max_span: int) -> Blank:
    """A blank for one to `max_span` tokens; the first starts a word."""
    return Blank(1, max_span, _masks(tokenizer)[0], None)


@lru_cache(maxsize=8)
def _masks(tokenizer: Tokenizer) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Which tokens start a word, None where all of them do, and which continue one."""
    # Cached, so that all blanks of a search share one tensor (the search compares masks by identity).
    first_V = None if not tokenizer.continues_word.any() else torch.tensor(tokenizer.starts_word)
    return first_V, torch.tensor(tokenizer.continues_word)


class Template(NamedTuple):
    """A given text as a model reads it.

    Attributes:
        slots: its fixed tokens and gaps.
        tokens: slots of the whole text; more than there are in `slots` where the text was cut.
    """

    slots: list[Slot]
    tokens: int


def template_of(
    text: str, tokenizer: Tokenizer, *, max_tokens: int, max_span: int, overlong: GivenOverlong = "error"
) -> Template:
    """Parse a given text with blanks, for a model that reads so many tokens.

    Args:
        text: see `parse_template`.
        tokenizer: the model's tokenizer.
        max_tokens: the longest sentence that the model was trained for.
        max_span: the longest filling of ``___*``, in tokens.
        overlong: "error" refuses a longer text, "truncate" keeps its beginning, as training did. The beginning ends
            early enough that the longest fillings fit, but not before its last blank.

    Raises:
        DataError: the text is empty, has no blank or one inside a word, is too long (under "error"), or has a blank
            after the part that is kept.
    """
    cut = checked_overlong(overlong) == "truncate"
    if not text.strip():
        raise DataError("the text is empty; write a sentence with ___ for the hidden word.")
    slots = parse_template(text, tokenizer, max_span=max_span)
    if len(slots) <= max_tokens:
        return Template(slots, len(slots))
    if not cut:
        raise DataError(
            f"{shown(text, 40)} has at least {len(slots)} tokens, the model was trained for at most {max_tokens}; "
            'shorten it, or have it cut as in training with overlong="truncate".'
        )
    blanks = {place: slot for place, slot in enumerate(slots) if isinstance(slot, Blank)}
    end = max(blanks) + 1
    if end > max_tokens:
        raise DataError(
            f"{shown(text, 40)} has a blank at token {end} of {len(slots)}, and the model reads the first "
            f"{max_tokens}; shorten the text before the blank."
        )
    room = sum(blank.max_tokens - blank.min_tokens for blank in blanks.values())
    return Template(slots[: max(end, max_tokens - room)], len(slots))


def parse_template(text: str, tokenizer: Tokenizer, *, max_span: int) -> list[Slot]:
    """Parse a text with blanks.

    The tokens around a blank can depend on what fills it: a full stop may be a separate token only at the end, a
    piece may be spelled differently after a space. The text is therefore encoded with ordinary words in the blanks,
    twice with different words: where only the blanks differ, their positions and the tokens around them are known.

    Args:
        text: such as ``I love ___.`` or ``the ___* was late``.
        tokenizer: the model's tokenizer.
        max_span: the longest filling of ``___*``, in tokens.

    Raises:
        DataError: there is no blank, or a blank is inside a word.
    """
    text = text.replace("*_", "* _")
    marks = list(BLANK.finditer(text))
    if not marks:
        raise DataError(f"{shown(text)} has no blank; write ___ for one word or ___* for several.")
    for mark in marks:
        around = text[max(mark.start() - 1, 0) : mark.start()] + text[mark.end() : mark.end() + 1]
        if any(character.isalnum() for character in around):
            raise DataError(
                f"{shown(text)} has a blank inside a word; a blank stands for whole words, put spaces around it."
            )
    blanks: list[Blank] = [
        span_blank(tokenizer, max_span) if mark.group().endswith("*") else word_blank(tokenizer) for mark in marks
    ]
    pieces = BLANK.split(text)
    found = _by_stand_ins(pieces, tokenizer)
    if found is not None:
        ids, places = found
        slots: list[Slot] = list(ids)
        for place, blank in zip(places, blanks, strict=True):
            slots[place] = blank
        return slots
    # Fallback: encode the pieces between the blanks separately. White-space tokenizers would read "___." as one word.
    slots = []
    for piece, after in itertools.zip_longest(tokenizer.encode_batch(pieces), blanks):
        slots += piece
        if after is not None:
            slots.append(after)
    return slots


def _by_stand_ins(pieces: Sequence[str], tokenizer: Tokenizer) -> tuple[list[int], list[int]] | None:
    """Ids of the text with a word in place of each blank, and the positions of these words; None where none fits."""
    words = _stand_ins(tokenizer)
    rows = tokenizer.encode_batch([word.join(pieces) for word in words])
    for (word, first), (_, second) in itertools.combinations(zip(words, rows, strict=True), 2):
        if len(first) != len(second):
            continue
        places = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
        # A blank in "___." or "#___" may become a part of a longer token, which it must not replace.
        if len(places) == len(pieces) - 1 and all(tokenizer.decode([first[i]]).strip() == word for i in places):
            return first, places
    return None


@lru_cache(maxsize=8)
def _stand_ins(tokenizer: Tokenizer) -> tuple[str, ...]:
    """A few words of the vocabulary that are one token each."""
    words: dict[str, int] = {}
    for start in range(4, tokenizer.vocab_size, 512):
        ids = [i for i in range(start, min(start + 512, tokenizer.vocab_size)) if tokenizer.starts_word[i]]
        texts = [text.strip() for text in tokenizer.decode_batch([[i] for i in ids])]
        for text, row in zip(texts, tokenizer.encode_batch([f"{text} {text}" for text in texts]), strict=True):
            # The word is encoded twice, because some vocabularies have other pieces for the first word of a text.
            if text.isalpha() and len(row) == 2 and len(text) > 1:
                words.setdefault(text, row[1])
        if len(words) >= _STAND_INS:
            break
    return tuple(list(words)[:_STAND_INS])
