"""Splits of a tokenized corpus, joined to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer


def join_tokenized(
    path: Path, splits: Sequence[TokenizedCorpus], tokenizer: Tokenizer, *, max_tokens: int
) -> TokenizedCorpus:
    """Write the sentences of several splits to one file, with their labels, in their order; a file that is there is
    kept.

    Args:
        path: the file.
        splits: of one corpus, with the same label names.
        tokenizer: of the corpus.
        max_tokens: of the corpus.

    Raises:
        MachineError: the disk is full or broken.
    """
    if not path.exists():
        names = list(splits[0].label_names) or None
        write_tokenized(
            path, _examples(splits), tokenizer, max_tokens=max_tokens, overlong="truncate", label_names=names
        )
    return TokenizedCorpus(path)


def _examples(splits: Sequence[TokenizedCorpus]) -> Iterator[Example]:
    for split in splits:
        for index, label in enumerate(split.labels.tolist()):
            yield Example(split.text(index), split.label_names[label] if label >= 0 else None)
