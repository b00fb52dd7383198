"""The contract of a rule by which the `word` tokenizer cuts text into words and joins them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


def _no_other(token: str) -> Iterable[str]:
    return ()


def _itself(token: str) -> str:
    return token


def _always(token: str) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """A way to cut text into words, and its inverse. Text is normalized (`textvae.text.normalize`) before it is cut.

    A literal ``<unk>`` in a text must come out as a token of its own; no other special token ever does.

    Attributes:
        cut: the tokens of a text.
        join: the text of tokens. They may be a model's sample, in any order.
        spellings: other tokens that stand for a token which the vocabulary lacks, the best first.
        plain: a token without what marks its spacing.
        starts_word: whether a token stands after a space.
        version: increased by every change of `cut` or `join`. A saved tokenizer names it, so that a model is never
            used with another rule than the one it was trained with. 0 is the rule of textvae 0.1, which named none.
    """

    cut: Callable[[str], Sequence[str]]
    join: Callable[[Sequence[str]], str]
    spellings: Callable[[str], Iterable[str]] = _no_other
    plain: Callable[[str], str] = _itself
    starts_word: Callable[[str], bool] = _always
    version: int = 0


WHITESPACE = Rule(cut=str.split, join=" ".join)
"""Words are what stands between spaces, for corpora that are already tokenized."""
