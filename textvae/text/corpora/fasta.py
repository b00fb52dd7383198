"""Sequences of proteins, DNA or RNA in the FASTA format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus, filled
from textvae.text.corpora.reading import read_lines


class FastaCorpus(FileCorpus):
    """Sequences, each after a line with its name that begins with ``>``; the names are left out, the lines joined."""

    kind: Literal["fasta"] = "fasta"

    endings: ClassVar[tuple[str, ...]] = (".fasta", ".fa", ".faa", ".fna", ".ffn")
    example: ClassVar[str] = ">sp|P1|ONE first\nMKTAYIAKQR\nQISFVKSHFS\n>sp|P2|TWO\nMENDELMAK\n"

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        first = filled(lines)
        sequences = [line for line in first if not line.startswith(">")]
        plain = all(line.strip().rstrip("*").replace("-", "").isalpha() and line.isupper() for line in sequences)
        return first[0].startswith(">") and bool(sequences) and plain

    def read_file(self, path: Path) -> Iterator[Example]:
        parts: list[str] | None = None
        for _, line in read_lines(path):
            line = line.strip()
            if line.startswith((">", ";")):
                if parts is not None:
                    yield Example("".join(parts))
                parts = []
            elif line:
                parts = parts if parts is not None else []
                parts.append(line)
        if parts is not None:
            yield Example("".join(parts))
