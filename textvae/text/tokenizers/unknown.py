"""Words of a text that are not in a vocabulary, and how an unknown one is shown to a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from textvae.types import UNK_ID

UNK = "<unk>"
"""The unknown token as a vocabulary spells it. Some corpora have it in their own text (the Penn Treebank)."""

_AROUND = ".,;:!?()[]{}\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026"
"""Marks that stand before or after words."""

Unit = Literal["word", "character"]


@dataclass(frozen=True)
class Unknown:
    """What a tokenizer does not know of a text.

    Attributes:
        missing: the different unknown words in the order of the text, as the tokenizer reads them (normalized), without
            punctuation around them.
        count: unknown words, repetitions counted.
        total: words of the text. Marks without a letter or digit count only where they are unknown.
        unit: what "word" means here: "character" for a tokenizer of pieces, which spells any word of known characters.
        nothing_known: whether no word is known, so that a model reads nothing of the text.
    """

    missing: tuple[str, ...]
    count: int
    total: int
    unit: Unit
    nothing_known: bool


def shown_unknown(text: str, ids: Sequence[int], unit: Unit) -> str:
    """Decoded text for a reader: the unknown token as ``[unknown word]`` or ``[unknown character]``.

    Args:
        text: as `Tokenizer.decode` gives it.
        ids: of the text. Without an unknown one among them, a ``<unk>`` in the text is the corpus's own.
        unit: of the tokenizer.
    """
    return text.replace(UNK, f"[unknown {unit}]") if UNK_ID in ids else text


def find_unknown(
    texts: Sequence[str],
    unit: Unit,
    encode_batch: Callable[[Sequence[str]], list[list[int]]],
    tokens: Sequence[str],
) -> list[Unknown]:
    """What a tokenizer does not know of each text; `Tokenizer.unknown` is for callers.

    A word is what stands between spaces. It is unknown where the text as a whole and the word alone are encoded with
    the unknown token. A literal ``<unk>`` is not counted: it is there because somebody wrote it.

    Args:
        texts: as the tokenizer prepares them.
        unit: of the tokenizer.
        encode_batch: of the tokenizer.
        tokens: of the tokenizer.
    """
    rows = encode_batch(texts)
    parts = [_parts(text, unit) for text in texts]
    suspects = list({part: None for row, own in zip(rows, parts, strict=True) if UNK_ID in row for part in own})
    encoded = encode_batch(suspects)
    unknown = {part for part, ids in zip(suspects, encoded, strict=True) if UNK_ID in ids and part != UNK}
    # A token of one letter may be the end of an unknown word, such as the s of "zorb's".
    whole = {i for i, token in enumerate(tokens) if i > UNK_ID and sum(map(str.isalnum, token)) > 1}
    found = []
    for row, own in zip(rows, parts, strict=True):
        lost = [part for part in own if part in unknown] if UNK_ID in row else []
        known = [part for part in own if not lost or part not in unknown]
        total = len(lost) + sum(any(map(str.isalnum, part)) for part in known)
        named = dict.fromkeys(part.strip(_AROUND) or part for part in lost)
        nothing = bool(lost) and len(lost) == total and whole.isdisjoint(row)
        found.append(Unknown(tuple(named), len(lost), total, unit, nothing))
    return found


def _parts(text: str, unit: Unit) -> list[str]:
    words = text.split()
    return words if unit == "word" else [character for word in words for character in word]
