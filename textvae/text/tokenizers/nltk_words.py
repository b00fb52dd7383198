"""NLTK's word tokenizer for English: the rule of textvae 0.1, kept for the models that were trained with it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from textvae.text.sentences import split_sentences
from textvae.text.tokenizers.detokenize import detokenize
from textvae.text.tokenizers.rule import Rule


@lru_cache(maxsize=1)
def _nltk() -> Any:
    # Imported here because the import takes a second, and the other rules do not need it.
    from nltk.tokenize.destructive import NLTKWordTokenizer

    class WordsKeptWhole(NLTKWordTokenizer):
        """NLTK's rules without the splits "can not" and "gon na", which `detokenize` could not join again."""

        CONTRACTIONS2: ClassVar[list[Any]] = []
        CONTRACTIONS3: ClassVar[list[Any]] = []

    return WordsKeptWhole()


def _nltk_words(text: str) -> list[str]:
    words: list[str] = []
    # NLTK splits off a full stop only at the end of its input, so it gets one sentence at a time.
    for sentence in split_sentences(text):
        words.extend(_nltk().tokenize(sentence))
    return _unknowns_joined(words) if "<unk>" in text else words


def _unknowns_joined(words: list[str]) -> list[str]:
    """Join the three tokens into which NLTK splits ``<unk>``."""
    joined: list[str] = []
    for word in words:
        joined.append(word)
        if joined[-3:] == ["<", "unk", ">"]:
            joined[-3:] = ["<unk>"]
    return joined


NLTK = Rule(cut=_nltk_words, join=detokenize)
"""It guesses the spacing, and loses that of typographic apostrophes, handles, addresses and tags."""
