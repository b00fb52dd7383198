"""Byte-pair encoding over characters (`bpe`) and over bytes (`byte`), trained by the tokenizers library.

Sennrich, Haddow and Birch 2016 (arXiv:1508.07909); bytes: Radford et al. 2019.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as FastTokenizer

from textvae.config import MAX_VOCABULARY
from textvae.disk import read_json, write_text
from textvae.text.tokenizers.base import SPECIAL_TOKENS, Tokenizer, TokenizerBase, in_parts, prepared_texts
from textvae.types import UNK_ID

_MERGES_FILE = "merges.json"
_SPACE = "\u2581"  # what `bpe` writes for the space before a word
_BYTE_SPACE = "\u0120"  # what `byte` writes for the byte 0x20

# Words with their apostrophes ("don't", "Jesus'"), numbers, and runs of anything else, each with the space before
# it. The right single quotation mark is the apostrophe of typeset text.
_WORDS = Regex(
    "\u2581?\\p{L}[\\p{L}\\p{M}]*(?:['\u2019][\\p{L}\\p{M}]+)*|\u2581?\\p{N}+|\u2581?[^\u2581\\p{L}\\p{N}]+|\u2581"
)


class _MergesTokenizer(Tokenizer):
    """The common part of both kinds of byte-pair encoding: a vocabulary and merges, run by the tokenizers library."""

    own_files: ClassVar[tuple[str, ...]] = (_MERGES_FILE,)

    def __init__(self, tokens: Sequence[str], merges: Sequence[tuple[str, str]], lowercase: bool = False) -> None:
        self._tokens = tuple(tokens)
        self._merges = [(left, right) for left, right in merges]
        self._lowercase = lowercase
        vocabulary = {token: i for i, token in enumerate(self._tokens)}
        # Special tokens are not registered with the library as such: it would then recognize "<s>" in a user's text.
        self._fast = FastTokenizer(models.BPE(vocabulary, self._merges, unk_token=SPECIAL_TOKENS[UNK_ID]))
        self._fast.pre_tokenizer = self._pre_tokenizer()

    @staticmethod
    @abstractmethod
    def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
        """The splitting of text before merging; merges never cross these splits."""

    @property
    def tokens(self) -> Sequence[str]:
        return self._tokens

    @property
    def lowercase(self) -> bool:
        return self._lowercase

    def _encode_normalized(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._fast.encode_batch(texts, add_special_tokens=False)]

    def _save(self, folder: Path) -> dict[str, Any]:
        content = {"tokens": list(self._tokens), "merges": [list(pair) for pair in self._merges]}
        write_text(folder / _MERGES_FILE, json.dumps(content, ensure_ascii=False))
        return {"lowercase": self._lowercase}

    @classmethod
    def _load(cls, folder: Path, header: dict[str, Any]) -> _MergesTokenizer:
        content = read_json(folder / _MERGES_FILE)
        if not all(isinstance(token, str) for token in content["tokens"]):
            raise ValueError("a token is no text")
        return cls(content["tokens"], [(left, right) for left, right in content["merges"]], header["lowercase"])


class BPETokenizer(_MergesTokenizer):
    """Byte-pair encoding over characters: a character never seen in training is ``<unk>``.

    Merges stay inside a word (with its apostrophes), a number or a run of punctuation.

    >>> tokenizer = BPEConfig(vocab_size=60).train(["the cat sat on the mat"] * 5)
    >>> [tokenizer.token(i) for i in tokenizer.encode("the hat")]
    ['▁the', '▁', 'h', 'at']
    >>> tokenizer.decode(tokenizer.encode("the hat"))
    'the hat'
    """

    kind: ClassVar[str] = "bpe"

    @staticmethod
    def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
        spaces = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always", split=False)
        return pre_tokenizers.Sequence([spaces, pre_tokenizers.Split(_WORDS, "isolated")])

    def _decode_kept(self, ids: list[int]) -> str:
        return "".join(self._tokens[i] for i in ids).replace(_SPACE, " ").strip(" ")

    def _starts_word(self) -> np.ndarray:
        return np.array([token.startswith(_SPACE) for token in self._tokens])


class ByteTokenizer(_MergesTokenizer):
    """Byte-pair encoding over bytes: every text can be encoded, without ``<unk>``.

    >>> tokenizer = ByteConfig(vocab_size=280).train(["the cat sat on the mat"] * 5)
    >>> tokenizer.decode(tokenizer.encode("the caf\\u00e9"))
    'the café'
    """

    kind: ClassVar[str] = "byte"
    _from_bytes: ClassVar[decoders.Decoder] = decoders.ByteLevel()

    @staticmethod
    def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
        return pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)

    def _decode_kept(self, ids: list[int]) -> str:
        parts: list[str] = []
        run: list[str] = []
        for i in [*ids, UNK_ID]:
            if i != UNK_ID:
                run.append(self._tokens[i])
                continue
            parts += [self._from_bytes.decode(run), " <unk>"]
            run = []
        return "".join(parts[:-1]).strip(" ")

    def _starts_word(self) -> np.ndarray:
        return np.array([token.startswith(_BYTE_SPACE) for token in self._tokens])


class BPEConfig(TokenizerBase):
    """Settings of `BPETokenizer`.

    Attributes:
        min_count: pairs seen fewer times are not merged.
        max_characters: the largest number of different characters; rarer ones are ``<unk>``.
    """

    kind: Literal["bpe"] = "bpe"
    vocab_size: int = Field(default=8000, ge=len(SPECIAL_TOKENS) + 2, le=MAX_VOCABULARY)
    min_count: int = Field(default=2, ge=1)
    max_characters: int = Field(default=1000, ge=1, le=MAX_VOCABULARY)

    trains: ClassVar[type[Tokenizer]] = BPETokenizer

    def train(self, texts: Iterable[str]) -> BPETokenizer:
        """Learn merges, the most frequent pair first.

        Raises:
            DataError: there is no text at all.
        """
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_count,
            special_tokens=list(SPECIAL_TOKENS),
            limit_alphabet=min(self.max_characters, self.vocab_size - len(SPECIAL_TOKENS)),
            show_progress=False,
        )
        return BPETokenizer(
            *_merges(trainer, BPETokenizer._pre_tokenizer(), prepared_texts(texts, self.lowercase)), self.lowercase
        )


class ByteConfig(TokenizerBase):
    """Settings of `ByteTokenizer`.

    Attributes:
        min_count: pairs seen fewer times are not merged.
    """

    kind: Literal["byte"] = "byte"
    vocab_size: int = Field(default=8000, ge=len(SPECIAL_TOKENS) + 256, le=MAX_VOCABULARY)
    min_count: int = Field(default=2, ge=1)

    trains: ClassVar[type[Tokenizer]] = ByteTokenizer

    def train(self, texts: Iterable[str]) -> ByteTokenizer:
        """Learn merges of bytes, the most frequent pair first.

        Raises:
            DataError: there is no text at all.
        """
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_count,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        return ByteTokenizer(
            *_merges(trainer, ByteTokenizer._pre_tokenizer(), prepared_texts(texts, self.lowercase)), self.lowercase
        )


def _merges(
    trainer: trainers.Trainer, pre_tokenizer: pre_tokenizers.PreTokenizer, texts: Iterable[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Train byte-pair encoding; returns the tokens by id, and the merges in the order in which they were learned."""
    fast = FastTokenizer(models.BPE(unk_token=SPECIAL_TOKENS[UNK_ID]))
    fast.pre_tokenizer = pre_tokenizer
    fast.train_from_iterator(in_parts(texts), trainer=trainer)
    model = json.loads(fast.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    # Older releases of the library write a merge as one string.
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    return tokens, [(left, right) for left, right in merges]
