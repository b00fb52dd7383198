"""Tokenizers that the sentencepiece library trains: `unigram` and `sentencepiece`.

Both learn subword pieces from raw text (Kudo and Richardson 2018, arXiv:1808.06226):

* `unigram` is the unigram language model of Kudo 2018 (arXiv:1804.10959) with fixed settings: characters are not
  normalized, pieces stay within words, and characters not seen in training are ``<unk>``.
* `sentencepiece` gives access to the library's other options: byte-pair, character or unigram models, normalizations,
  byte fallback (so that nothing is unknown), pieces across spaces (for languages without them), or a ``.model`` file
  trained elsewhere.
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
    """A sentencepiece model with its ids renumbered, so that ids 0 to 3 are PAD, BOS, EOS and UNK."""

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
            # The library drops the space before the first piece of every call, also in mid-sentence.
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
    """The most probable segmentation of each word under a unigram language model of pieces.

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
    """Settings that both kinds share.

    Attributes:
        max_sentences: train on a random sample of at most so many texts, which the library keeps in memory.
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
                # The library has three special ids (unknown, begin, end) where we have four.
                vocab_size=self.vocab_size - 1,
                hard_vocab_limit=False,
                num_threads=1,  # with several, sums and so the pieces would depend on the machine
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
        character_coverage: share of all characters of the text that must be in the vocabulary; rarer ones are
            ``<unk>``. Lower it for a script with more characters than `vocab_size`.
    """

    kind: Literal["unigram"] = "unigram"
    character_coverage: float = Field(default=1.0, gt=0, le=1)

    trains: ClassVar[type[Tokenizer]] = UnigramTokenizer

    def train(self, texts: Iterable[str]) -> UnigramTokenizer:
        """Fit the unigram model by expectation-maximization, pruning pieces.

        Raises:
            DataError: there is no text, or too little for `vocab_size`.
        """
        options = {"normalization_rule_name": "identity", "character_coverage": self.character_coverage}
        return UnigramTokenizer(self._train(texts, model_type="unigram", **options), self.lowercase)


class SentencePieceConfig(_PiecesBase):
    """Settings of `SentencePieceTokenizer`.

    Attributes:
        model_type: ``bpe``, ``unigram`` or ``char``.
        model_file: a ``.model`` file trained elsewhere, to be used instead of training.
        normalization: ``identity`` keeps every character; ``nmt_nfkc`` and ``nfkc`` unify compatible ones (wide
            letters, ligatures), ``nmt_nfkc_cf`` folds case too.
        byte_fallback: encode characters outside the vocabulary as bytes (256 ids), so that nothing is unknown. Not
            for ``char``.
        split_by_whitespace: false lets pieces cross spaces.
        character_coverage: share of all characters of the text that must be in the vocabulary.
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
            DataError: there is no text, or too little for `vocab_size`.
            ModelError: `model_file` is missing or not a sentencepiece model.
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
    """A uniform sample of at most `size` texts (reservoir sampling), by a fixed seed."""
    rng = random.Random(0)
    kept: list[str] = []
    for seen, text in enumerate(texts):
        if seen < size:
            kept.append(text)
        elif (place := rng.randrange(seen + 1)) < size:
            kept[place] = text
    return kept
