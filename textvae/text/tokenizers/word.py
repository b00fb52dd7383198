"""Whole words as tokens, split by NLTK's rules for English or at white space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from textvae.config import MAX_VOCABULARY
from textvae.text.sentences import split_sentences
from textvae.text.tokenizers.base import SPECIAL_TOKENS, Tokenizer, TokenizerBase, prepared_texts
from textvae.text.tokenizers.detokenize import detokenize
from textvae.types import UNK_ID

Split = Literal["nltk", "whitespace"]


class WordTokenizer(Tokenizer):
    """A vocabulary of whole words; a word outside it is ``<unk>``.

    ``split="nltk"`` splits off punctuation and clitics (``do n't``), and decoding joins them again.
    ``split="whitespace"`` splits at spaces only, for corpora that are already tokenized. A literal ``<unk>`` in the
    text, as in the Penn Treebank, is encoded as the unknown word.

    >>> tokenizer = WordConfig(vocab_size=20).train(["I don't know.", "You don't?"])
    >>> [tokenizer.token(i) for i in tokenizer.encode("You don't know.")]
    ['You', 'do', "n't", 'know', '.']
    >>> tokenizer.decode(tokenizer.encode("You don't know me."))
    "You don't know <unk>."
    """

    kind: ClassVar[str] = "word"
    splits_words: ClassVar[bool] = False

    def __init__(self, tokens: Sequence[str], split: Split = "nltk", lowercase: bool = False) -> None:
        self._tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self._tokens) if i >= UNK_ID}
        self._lowercase = lowercase
        self.split: Split = split
        self._cut = _cutter(split)

    @property
    def tokens(self) -> Sequence[str]:
        return self._tokens

    @property
    def lowercase(self) -> bool:
        return self._lowercase

    def _encode_normalized(self, texts: list[str]) -> list[list[int]]:
        ids, cut = self._ids, self._cut
        return [[ids.get(word, UNK_ID) for word in cut(text)] for text in texts]

    def _decode_kept(self, ids: list[int]) -> str:
        words = [self._tokens[i] for i in ids]
        return detokenize(words) if self.split == "nltk" else " ".join(words)

    def _starts_word(self) -> np.ndarray:
        return np.ones(self.vocab_size, dtype=bool)

    def _save(self, folder: Path) -> dict[str, Any]:
        return {"split": self.split, "lowercase": self.lowercase, "tokens": list(self._tokens)}

    @classmethod
    def _load(cls, folder: Path, header: dict[str, Any]) -> WordTokenizer:
        return cls(header["tokens"], header["split"], header["lowercase"])


class WordConfig(TokenizerBase):
    """Settings of `WordTokenizer`.

    Attributes:
        split: ``nltk`` (English punctuation and clitics) or ``whitespace``.
        min_count: words seen fewer times are left out.
    """

    kind: Literal["word"] = "word"
    vocab_size: int = Field(default=10000, ge=len(SPECIAL_TOKENS) + 1, le=MAX_VOCABULARY)
    split: Split = "nltk"
    min_count: int = Field(default=1, ge=1)

    trains: ClassVar[type[Tokenizer]] = WordTokenizer
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "whitespace": {"split": "whitespace"}}

    def train(self, texts: Iterable[str]) -> WordTokenizer:
        """Keep the most frequent words, ties in alphabetical order.

        Raises:
            DataError: there is no text at all.
        """
        counts: Counter[str] = Counter()
        cut = _cutter(self.split)
        for text in prepared_texts(texts, self.lowercase):
            counts.update(cut(text))
        for special in SPECIAL_TOKENS:
            counts.pop(special, None)
        kept = sorted(
            (word for word, n in counts.items() if n >= self.min_count), key=lambda word: (-counts[word], word)
        )
        room = self.vocab_size - len(SPECIAL_TOKENS)
        return WordTokenizer([*SPECIAL_TOKENS, *kept[:room]], self.split, self.lowercase)


def _cutter(split: Split) -> Callable[[str], list[str]]:
    return str.split if split == "whitespace" else _nltk_words


@lru_cache(maxsize=1)
def _nltk() -> Any:
    # Imported here because the import takes a second, and a whitespace tokenizer does not need it.
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
