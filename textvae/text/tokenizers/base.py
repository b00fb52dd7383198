"""The base class of tokenizers (text to ids and back, a vocabulary, a folder on disk) and of their settings."""

from __future__ import annotations

import json
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np

from textvae.config import Component
from textvae.disk import claim, problem_of_file, read_json, write_text
from textvae.errors import DataError, ModelError
from textvae.text.normalize import normalize
from textvae.text.tokenizers.unknown import UNK, Unit, Unknown, find_unknown, shown_unknown
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", UNK)
"""How ids 0 to 3 are shown. A text that contains these strings is never tokenized to PAD, BOS or EOS."""

HEADER = "tokenizer.json"
FORMAT_VERSION = 1

assert (PAD_ID, BOS_ID, EOS_ID, UNK_ID) == (0, 1, 2, 3)


class Tokenizer(ABC):
    """Text to token ids and back.

    Encoding normalizes the text (`textvae.text.normalize`) and adds neither BOS nor EOS. Decoding joins tokens to text
    with the usual spacing.
    """

    # --- what a kind declares ------------------------------------------------------------------------------

    kind: ClassVar[str]
    """The name in recipes and in the header file; the same as the `kind` of its settings."""

    own_files: ClassVar[tuple[str, ...]] = ()
    """Names of the files that `_save` writes beside the header."""

    splits_words: ClassVar[bool] = True
    """Whether a word may be several pieces. Where it is not, each word, clitic and punctuation mark is one token, and
    the perplexity per token is the one that tables of word models give."""

    # --- what a kind must supply -------------------------------------------------------------------------

    @property
    @abstractmethod
    def tokens(self) -> Sequence[str]:
        """Every token as a string, by id."""

    @property
    @abstractmethod
    def lowercase(self) -> bool:
        """Whether text is lower-cased before it is tokenized."""

    @abstractmethod
    def _encode_normalized(self, texts: list[str]) -> list[list[int]]:
        """Ids of texts that are already normalized and, where asked for, lower-cased."""

    @abstractmethod
    def _decode_kept(self, ids: list[int]) -> str:
        """Text of ids without PAD, BOS and EOS."""

    @abstractmethod
    def _starts_word(self) -> np.ndarray:
        """Bool [V], true where a token begins a word, that is, stands after a space; special tokens are ignored."""

    @abstractmethod
    def _save(self, folder: Path) -> dict[str, Any]:
        """Write the `own_files`; return further entries of the header, a dict of JSON values."""

    @classmethod
    @abstractmethod
    def _load(cls, folder: Path, header: dict[str, Any]) -> Tokenizer:
        """The tokenizer that `_save` wrote."""

    # --- what all kinds share ----------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids, the four special tokens included."""
        return len(self.tokens)

    @property
    def unit(self) -> Unit:
        """What the vocabulary has or lacks of a text: words or, where words are spelled of pieces, characters."""
        return "character" if self.splits_words else "word"

    @cached_property
    def starts_word(self) -> np.ndarray:
        """Bool [V], true where a token begins a word, that is, stands after a space; false for special tokens."""
        starts = np.asarray(self._starts_word(), dtype=bool).copy()
        starts[: len(SPECIAL_TOKENS)] = False
        starts.setflags(write=False)
        return starts

    @cached_property
    def continues_word(self) -> np.ndarray:
        """Bool [V], true where a token stands behind another without a space: a piece within a word, or closing
        punctuation and clitics of a tokenizer of words; false for special tokens."""
        continues = ~self.starts_word
        continues[: len(SPECIAL_TOKENS)] = False
        continues.setflags(write=False)
        return continues

    def prepare(self, text: str) -> str:
        """The text as it is tokenized: normalized, and in lower case if the settings say so."""
        text = normalize(text)
        # Lower-casing can leave NFC (a dotted capital I becomes two characters), hence the second pass.
        return normalize(text.lower()) if self.lowercase else text

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without BOS and EOS."""
        return self._encode_normalized([self.prepare(text) for text in texts])

    def encode(self, text: str) -> list[int]:
        """Ids of one text, without BOS and EOS."""
        return self.encode_batch([text])[0]

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text of ids; PAD, BOS and EOS are skipped, the unknown token is ``<unk>``. For readers: `show`."""
        kept = [int(i) for i in ids]
        return self._decode_kept([i for i in kept if i not in (PAD_ID, BOS_ID, EOS_ID)])

    def decode_batch(self, ids: Iterable[Iterable[int] | np.ndarray] | np.ndarray) -> list[str]:
        """The text of each row, as by `decode`."""
        return [self.decode(row) for row in ids]

    def show(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text of ids for a reader: as by `decode`, but an unknown word as ``[unknown word]``.

        With a tokenizer of pieces, where only characters can be unknown, it is ``[unknown character]``. Text that is
        shown is not for encoding again.
        """
        kept = [int(i) for i in ids]
        return shown_unknown(self.decode(kept), kept, self.unit)

    def show_batch(self, ids: Iterable[Iterable[int] | np.ndarray] | np.ndarray) -> list[str]:
        """The text of each row, as by `show`."""
        return [self.show(row) for row in ids]

    def unknown(self, texts: Sequence[str]) -> list[Unknown]:
        """The words of each text that are not in the vocabulary; characters, with a tokenizer of pieces."""
        return find_unknown([self.prepare(text) for text in texts], self.unit, self.encode_batch, self.tokens)

    def token(self, id: SupportsIndex) -> str:
        """The token of one id, as the vocabulary spells it."""
        return self.tokens[operator.index(id)]

    def save(self, folder: Path | str) -> None:
        """Write the tokenizer into a folder: a JSON header and, for some kinds, one more file. No pickle.

        A tokenizer that textvae wrote there before is replaced; other files are left alone.

        Raises:
            ModelError: a file that textvae did not write has one of these names.
            MachineError: the disk is full or broken.
        """
        folder = Path(folder)
        claim(folder, "tokenizer", (HEADER, *self.own_files), legacy=_is_tokenizer, error=ModelError)
        own = self._save(folder)
        header = {"format_version": FORMAT_VERSION, "kind": self.kind, "vocab_size": self.vocab_size, **own}
        # The header is written last, so that an interrupted save leaves no folder that looks like a tokenizer.
        write_text(folder / HEADER, json.dumps(header, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> Tokenizer:
        """Read a tokenizer of this kind.

        Raises:
            ModelError: the folder holds no tokenizer, one of another kind, or a damaged one.
        """
        folder = Path(folder)
        header = read_header(folder)
        if header["kind"] != cls.kind:
            raise ModelError(f"{folder} holds a tokenizer of kind '{header['kind']}', expected '{cls.kind}'.")
        for name in cls.own_files:
            problem = problem_of_file(folder / name)
            if problem is not None:
                raise ModelError(f"{folder / name} {problem}; copy the model folder again.")
        try:
            if not all(isinstance(token, str) for token in header.get("tokens") or ()):
                raise ValueError("a token is no text")
            tokenizer = cls._load(folder, header)
        except ModelError:
            raise
        except Exception as error:
            # On damaged files the tokenizer libraries raise errors of many types.
            raise ModelError(
                f"The tokenizer in {folder} is damaged ({type(error).__name__}); tokenize again, or copy it again."
            ) from error
        if tokenizer.vocab_size != header.get("vocab_size"):
            got, expected = tokenizer.vocab_size, header.get("vocab_size")
            raise ModelError(f"The tokenizer in {folder} has {got} tokens, its header says {expected}; copy it again.")
        return tokenizer


class TokenizerBase(Component):
    """Settings that all tokenizers share.

    Attributes:
        vocab_size: the largest number of ids, the four special tokens included; a small corpus may give fewer.
        lowercase: lower-case the text first. Decoded text is then in lower case too.
    """

    trains: ClassVar[type[Tokenizer]]
    """The tokenizer class that `train` returns and that loads a saved one."""

    vocab_size: int = 8000
    lowercase: bool = False

    @abstractmethod
    def train(self, texts: Iterable[str]) -> Tokenizer:
        """Learn a vocabulary from texts, in one pass and deterministically.

        Raises:
            DataError: there is no text at all.
        """


def prepared_texts(texts: Iterable[str], lowercase: bool) -> Iterator[str]:
    """The texts normalized and, if asked for, lower-cased; empty ones are skipped.

    Raises:
        DataError: all texts are empty.
    """
    found = False
    for text in texts:
        text = normalize(normalize(text).lower()) if lowercase else normalize(text)
        if text:
            found = True
            yield text
    if not found:
        raise DataError("The corpus holds no text to learn a vocabulary from: it is empty, or has only blank lines.")


LONGEST = 1 << 14
"""Characters of a text that are passed to a vocabulary trainer at once; its time grows with their square."""


def in_parts(texts: Iterable[str]) -> Iterator[str]:
    """The texts, those longer than `LONGEST` in parts, cut at spaces where possible. No text is lost.

    >>> [len(part) for part in in_parts(["a b", "c" * 20_000])]
    [3, 16384, 3616]
    """
    for text in texts:
        if len(text) <= LONGEST:
            yield text
            continue
        parts = re.findall(rf".{{1,{LONGEST}}}(?:\s|$)|\S{{{LONGEST}}}", text, re.DOTALL)
        yield from (part.strip() for part in parts if part.strip())


def read_header(folder: Path) -> dict[str, Any]:
    """The header of a tokenizer folder.

    Raises:
        ModelError: there is none, it is damaged, or textvae did not write it.
    """
    path = Path(folder) / HEADER
    try:
        header = read_json(path)
    except OSError:
        raise ModelError(
            f"{folder} holds no tokenizer ({HEADER} is missing); give a folder that textvae wrote."
        ) from None
    except ValueError:
        raise ModelError(f"{path} is truncated or not JSON; copy the model folder again.") from None
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str) or "format_version" not in header:
        raise ModelError(f"{path} was not written by textvae; give a folder that textvae wrote.")
    if header["format_version"] != FORMAT_VERSION:
        got = header["format_version"]
        raise ModelError(f"{path} has format version {got}, this textvae reads {FORMAT_VERSION}; upgrade textvae.")
    return header


def _is_tokenizer(folder: Path) -> bool:
    """Whether a folder is a tokenizer that a version without markers wrote."""
    try:
        return isinstance(read_header(folder)["kind"], str)
    except ModelError:
        return False
