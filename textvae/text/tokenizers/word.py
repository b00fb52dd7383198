"""Whole words as tokens. How text is cut into words and joined again is a rule, chosen by `split`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from textvae.config import MAX_VOCABULARY
from textvae.errors import ModelError
from textvae.text.tokenizers.base import SPECIAL_TOKENS, Tokenizer, TokenizerBase, prepared_texts
from textvae.text.tokenizers.nltk_words import NLTK
from textvae.text.tokenizers.rule import WHITESPACE, Rule
from textvae.text.tokenizers.words import WORDS
from textvae.types import UNK_ID

Split = Literal["words", "whitespace", "nltk"]

RULES: Mapping[Split, Rule] = {"words": WORDS, "whitespace": WHITESPACE, "nltk": NLTK}
"""The rules by their name in recipes and saved tokenizers."""


_REMEMBERED = 1 << 14
"""Most words outside the vocabulary of which a tokenizer remembers the id."""


class WordTokenizer(Tokenizer):
    """A vocabulary of whole words; a word outside it is ``<unk>``.

    - ``split="words"`` cuts off punctuation and clitics (``do n't``), and keeps addresses, handles, emoticons and tags
      whole. Unusual spacing is marked on the tokens, so that a text whose tokens are all known comes back exactly.
      A token outside the vocabulary is looked up without its mark and with other quotation marks (``don’t`` is read
      as ``don't``) before it is unknown.
    - ``split="whitespace"`` cuts at spaces only, for corpora that are already tokenized.
    - ``split="nltk"`` is the rule of textvae 0.1, kept for models that were trained with it.

    A literal ``<unk>`` in the text, as in the Penn Treebank, is encoded as the unknown word.

    >>> tokenizer = WordConfig(vocab_size=20).train(["I don't know.", "You don't?"])
    >>> [tokenizer.token(i) for i in tokenizer.encode("You don’t know.")]
    ['You', 'do', "n't", 'know', '.']
    >>> tokenizer.decode(tokenizer.encode("You don't know me."))
    "You don't know <unk>."
    """

    kind: ClassVar[str] = "word"
    splits_words: ClassVar[bool] = False

    def __init__(self, tokens: Sequence[str], split: Split = "words", lowercase: bool = False) -> None:
        self._tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self._tokens) if i >= UNK_ID}
        self._lowercase = lowercase
        self.split: Split = split
        self._rule = RULES[split]
        self._respelled: dict[str, int] = {}

    @property
    def tokens(self) -> Sequence[str]:
        return self._tokens

    @property
    def lowercase(self) -> bool:
        return self._lowercase

    def _encode_normalized(self, texts: list[str]) -> list[list[int]]:
        ids, cut, respelled = self._ids, self._rule.cut, self._respell
        return [[ids[word] if word in ids else respelled(word) for word in cut(text)] for text in texts]

    def _respell(self, word: str) -> int:
        """The id of a word outside the vocabulary: of another spelling of it, or of the unknown word."""
        found = self._respelled.get(word)
        if found is None:
            found = next((self._ids[other] for other in self._rule.spellings(word) if other in self._ids), UNK_ID)
            if len(self._respelled) < _REMEMBERED:
                self._respelled[word] = found
        return found

    def _decode_kept(self, ids: list[int]) -> str:
        return self._rule.join([self._tokens[i] for i in ids])

    def _starts_word(self) -> np.ndarray:
        return np.fromiter(map(self._rule.starts_word, self._tokens), dtype=bool, count=self.vocab_size)

    def _save(self, folder: Path) -> dict[str, Any]:
        rule = {"rule": self._rule.version} if self._rule.version else {}
        return {"split": self.split, **rule, "lowercase": self.lowercase, "tokens": list(self._tokens)}

    @classmethod
    def _load(cls, folder: Path, header: dict[str, Any]) -> WordTokenizer:
        split, version = header["split"], header.get("rule", 0)
        known = [(name, rule.version) for name, rule in RULES.items()]
        if (split, version) not in known:
            told = ", ".join(f"{name!r} {number}" for name, number in known)
            raise ModelError(
                f"{folder} cuts words by version {version!r} of the rule {split!r}, this textvae knows {told}; "
                "use the textvae that trained it, or tokenize again."
            )
        return cls(header["tokens"], split, header["lowercase"])


class WordConfig(TokenizerBase):
    """Settings of `WordTokenizer`.

    Attributes:
        split: ``words``, ``whitespace``, or ``nltk``, the rule of textvae 0.1.
        min_count: words seen fewer times are left out.
    """

    kind: Literal["word"] = "word"
    vocab_size: int = Field(default=10000, ge=len(SPECIAL_TOKENS) + 1, le=MAX_VOCABULARY)
    split: Split = "words"
    min_count: int = Field(default=1, ge=1)

    trains: ClassVar[type[Tokenizer]] = WordTokenizer
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {},
        "whitespace": {"split": "whitespace"},
        "nltk": {"split": "nltk"},
    }

    def train(self, texts: Iterable[str]) -> WordTokenizer:
        """Keep the most frequent words, ties in alphabetical order.

        A token that is too rare for the vocabulary and has another spelling there (with ``words``: one without its
        mark) counts for that one: it will be read as that.

        Raises:
            DataError: there is no text at all.
        """
        counts: Counter[str] = Counter()
        rule = RULES[self.split]
        for text in prepared_texts(texts, self.lowercase):
            counts.update(rule.cut(text))
        for special in SPECIAL_TOKENS:
            counts.pop(special, None)
        kept = self._most_frequent(_respelled(counts, set(self._most_frequent(counts)), rule))
        return WordTokenizer([*SPECIAL_TOKENS, *kept], self.split, self.lowercase)

    def _most_frequent(self, counts: Mapping[str, int]) -> list[str]:
        kept = [word for word, n in counts.items() if n >= self.min_count]
        kept.sort(key=lambda word: (-counts[word], word))
        return kept[: self.vocab_size - len(SPECIAL_TOKENS)]


def _respelled(counts: Mapping[str, int], kept: set[str], rule: Rule) -> Mapping[str, int]:
    """The counts, where a token outside `kept` counts for the first of its spellings there, else without its mark.

    >>> _respelled({"kg": 3, "￭kg": 2, "￭lb": 2, "it’s": 1}, {"kg"}, WORDS)
    {'kg': 5, 'it’s': 1, 'lb': 2}
    """
    merged = dict(counts)
    for token in sorted(counts.keys() - kept, key=lambda token: (counts[token], token)):
        best = next((other for other in rule.spellings(token) if other in kept), rule.plain(token))
        if best != token:
            merged[best] = merged.get(best, 0) + merged.pop(token)
    return merged
