"""Tokenizers that the sentencepiece library trains: `unigram` and `sentencepiece`.

Both take raw text and learn where to cut it; Kudo and Richardson 2018 (arXiv:1808.06226). They differ in what
they are for:

* `unigram` is one algorithm, the unigram language model of Kudo 2018 (arXiv:1804.10959), at fixed settings:
  every character of the text kept as it is, pieces within words, characters never seen are ``<unk>``.
* `sentencepiece` is the library at large: its byte-pair, character or unigram models, its normalizations, its
  fall-back to bytes (so that nothing is unknown), pieces that may cross spaces (for languages without them),
  or a ``.model`` file trained elsewhere.
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import sentencepiece as spm
from pydantic import Field

from textvae.config import MAX_STEPS, MAX_VOCABULARY
from textvae.disk import atomic_path, problem_of_file
from textvae.errors import DataError, ModelError
from textvae.text.tokenizers.base import SPECIAL_TOKENS, Tokenizer, TokenizerBase, in_parts, prepared_texts
from textvae.types import UNK_ID

_MODEL_FILE = "pieces.model"
_SPACE = "\u2581"


class _PiecesTokenizer(Tokenizer):
    """A sentencepiece model, its ids renumbered so that the first four are ours."""

    own_files: ClassVar[tuple[str, ...]] = (_MODEL_FILE,)

    def __init__(self, model: bytes, lowercase: bool = False) -> None:
        self._model = model
        self._lowercase = lowercase
        self._pieces = spm.SentencePieceProcessor(model_proto=model)
        count = self._pieces.get_piece_size()
        own = [i for i in range(count) if not (self._pieces.is_control(i) or self._pieces.is_unknown(i))]
        self._theirs = np.array([-1] * len(SPECIAL_TOKENS) + own)
        self._ours = np.full(count, UNK_ID)
        self._ours[own] = np.arange(len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + len(own))
        self._tokens = (*SPECIAL_TOKENS, *(self._pieces.id_to_piece(i) for i in own))

    @property
    def tokens(self) -> Sequence[str]:
        return self._tokens

    @property
    def lowercase(self) -> bool:
        return self._lowercase

    def _encode_normalized(self, texts: list[str]) -> list[list[int]]:
        ours = self._ours.tolist()
        return [[ours[i] for i in row] for row in self._pieces.encode(texts, out_type=int)]

    def _decode_kept(self, ids: list[int]) -> str:
        parts: list[str] = []
        run: list[str] = []
        for i in [*ids, UNK_ID]:
            if i != UNK_ID:
                run.append(self._tokens[i])
                continue
            text = self._pieces.decode_pieces(run) if run else ""
            # The library drops the space before the first piece of what it is given, also in mid-sentence.
            lost = run and parts and run[0].startswith(_SPACE)
            parts += [" " + text if lost else text, "<unk>"]
            if run and run[-1] == _SPACE:
                parts[-2] = parts[-2].rstrip(" ") + " "
            run = []
        return "".join(parts[:-1]).strip(" ")

    def _starts_word(self) -> np.ndarray:
        return np.array([token.startswith(_SPACE) for token in self._tokens])

    def _save(self, folder: Path) -> dict[str, Any]:
        with atomic_path(folder / _MODEL_FILE) as temporary:
            temporary.write_bytes(self._model)
        return {"lowercase": self._lowercase}

    @classmethod
    def _load(cls, folder: Path, header: dict[str, Any]) -> _PiecesTokenizer:
        return cls((folder / _MODEL_FILE).read_bytes(), header["lowercase"])

    def __getstate__(self) -> dict[str, Any]:
        return {"model": base64.b64encode(self._model), "lowercase": self._lowercase}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(base64.b64decode(state["model"]), state["lowercase"])  # type: ignore[misc]


class UnigramTokenizer(_PiecesTokenizer):
    """The most probable cutting of each word under a unigram language model of pieces.

    >>> tokenizer = UnigramConfig(vocab_size=30).train(["the cat sat on the mat"] * 5)
    >>> tokenizer.decode(tokenizer.encode("the mat"))
    'the mat'
    """

    kind: ClassVar[str] = "unigram"


class SentencePieceTokenizer(_PiecesTokenizer):
    """Any model of the sentencepiece library.

    >>> config = SentencePieceConfig(vocab_size=300, model_type="bpe")
    >>> tokenizer = config.train(["the cat sat on the mat"] * 5)
    >>> tokenizer.decode(tokenizer.encode("the \\u732b"))
    'the 猫'
    """

    kind: ClassVar[str] = "sentencepiece"


class _PiecesBase(TokenizerBase):
    """Settings both kinds share.

    Attributes:
        max_sentences: train on a random sample of so many texts (the library holds them in memory).
    """

    vocab_size: int = Field(default=8000, ge=len(SPECIAL_TOKENS) + 2, le=MAX_VOCABULARY)
    max_sentences: int = Field(default=1_000_000, ge=1, le=MAX_STEPS)

    def _train(self, texts: Iterable[str], **options: Any) -> bytes:
        sample = _sample(in_parts(prepared_texts(texts, self.lowercase)), self.max_sentences)
        model = io.BytesIO()
        try:
            spm.SentencePieceTrainer.train(
                sentence_iterator=iter(sample),
                model_writer=model,
                # Three of their ids (unknown, begin, end) become four of ours.
                vocab_size=self.vocab_size - 1,
                hard_vocab_limit=False,
                num_threads=1,  # sums in one order, so the same pieces on every machine
                max_sentence_length=1 << 24,  # by default the library skips texts longer than 4192 bytes
                minloglevel=2,
                **options,
            )
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
            raise DataError(
                f"sentencepiece could not learn {self.vocab_size} pieces from {len(sample)} texts ({reason}); "
                "choose another vocab_size, give more text, or lower character_coverage."
            ) from None
        return model.getvalue()


class UnigramConfig(_PiecesBase):
    """Settings of `UnigramTokenizer`.

    Attributes:
        character_coverage: share of the characters of the text that are kept, rarer ones being ``<unk>``; lower it
            where a script has more characters than `vocab_size`.
    """

    kind: Literal["unigram"] = "unigram"
    character_coverage: float = Field(default=1.0, gt=0, le=1)

    trains: ClassVar[type[Tokenizer]] = UnigramTokenizer

    def train(self, texts: Iterable[str]) -> UnigramTokenizer:
        """Fit the unigram model by expectation-maximization, pruning pieces.

        Raises:
            DataError: there is no text, or too little for the vocabulary.
        """
        options = {"normalization_rule_name": "identity", "character_coverage": self.character_coverage}
        return UnigramTokenizer(self._train(texts, model_type="unigram", **options), self.lowercase)


class SentencePieceConfig(_PiecesBase):
    """Settings of `SentencePieceTokenizer`.

    Attributes:
        model_type: ``bpe``, ``unigram`` or ``char``.
        model_file: a ``.model`` file trained elsewhere; nothing is trained then.
        normalization: ``identity`` keeps every character; ``nmt_nfkc`` unifies compatible ones (wide letters,
            ligatures), ``nmt_nfkc_cf`` folds case too.
        byte_fallback: spell characters outside the vocabulary in bytes, so that nothing is unknown (256 ids).
        split_by_whitespace: false lets pieces cross spaces.
        character_coverage: share of the characters of the text that get pieces of their own.
    """

    kind: Literal["sentencepiece"] = "sentencepiece"
    model_type: Literal["bpe", "unigram", "char"] = "bpe"
    model_file: str | None = None
    normalization: Literal["identity", "nmt_nfkc", "nmt_nfkc_cf", "nfkc"] = "identity"
    byte_fallback: bool = True
    split_by_whitespace: bool = True
    character_coverage: float = Field(default=1.0, gt=0, le=1)

    trains: ClassVar[type[Tokenizer]] = SentencePieceTokenizer
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {},
        "across-spaces": {"model_type": "unigram", "byte_fallback": False, "split_by_whitespace": False},
        "characters": {"model_type": "char"},
    }

    def train(self, texts: Iterable[str]) -> SentencePieceTokenizer:
        """Train a model with these settings, or read `model_file`.

        Raises:
            DataError: there is no text, or too little for the vocabulary.
            ModelError: `model_file` is missing or no sentencepiece model.
        """
        if self.model_file is not None:
            return SentencePieceTokenizer(_read_model(Path(self.model_file)), self.lowercase)
        options = {
            "model_type": self.model_type,
            "normalization_rule_name": self.normalization,
            "byte_fallback": self.byte_fallback and self.model_type != "char",
            "split_by_whitespace": self.split_by_whitespace,
            "character_coverage": self.character_coverage,
        }
        return SentencePieceTokenizer(self._train(texts, **options), self.lowercase)


def _read_model(path: Path) -> bytes:
    problem = problem_of_file(path)
    if problem is not None:
        raise ModelError(f"{path} {problem}; check tokenizer.model_file.")
    try:
        model = path.read_bytes()
        spm.SentencePieceProcessor(model_proto=model)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{path} is no sentencepiece model ({type(error).__name__}); check tokenizer.model_file."
        ) from None
    return model


def _sample(texts: Iterable[str], size: int) -> list[str]:
    """At most `size` texts, each with the same chance (reservoir sampling), the same ones every time."""
    rng = random.Random(0)
    kept: list[str] = []
    for seen, text in enumerate(texts):
        if seen < size:
            kept.append(text)
        elif (place := rng.randrange(seen + 1)) < size:
            kept[place] = text
    return kept
