"""Sequences of proteins or nucleic acids in FASTA files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textvae.text.corpora.base import Example
from textvae.text.corpora.files import FileCorpus
from textvae.text.corpora.reading import read_lines


class FastaCorpus(FileCorpus):
    """FASTA: a line that begins with ``>`` names a sequence, the lines after it are the sequence, one text."""

    kind: Literal["fasta"] = "fasta"

    endings: ClassVar[tuple[str, ...]] = (".fasta", ".fa", ".faa", ".fna", ".ffn")
    example: ClassVar[str] = ">first a protein\nMKTAYIAK\nQRQISFVK\n>second\nMSHHWGYG\n"

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        written = [line.strip() for line in lines if line.strip()]
        sequences = [line for line in written if not line.startswith((">", ";"))]
        return (
            bool(sequences)
            and written[0].startswith(">")
            and all(line.replace("-", "A").rstrip("*").isalpha() and line.isascii() for line in sequences)
        )

    def read_file(self, path: Path) -> Iterator[Example]:
        parts: list[str] = []
        for _, line in read_lines(path):
            if line.startswith((">", ";")):
                if parts:
                    yield Example("".join(parts))
                parts = []
            elif line.strip():
                parts.append(line.strip())
        if parts:
            yield Example("".join(parts))
