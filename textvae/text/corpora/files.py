"""The base class of corpora in files: their folder, their checksums, and reading them one after another."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PrivateAttr, model_validator

from textvae.disk import at_home, is_folder, problem_of_file, sha256_of, shown_path, write_text
from textvae.errors import DataError
from textvae.text.corpora.base import SPLITS, CorpusCard, Example, Split

DATA_VARIABLE = "TEXTVAE_DATA"

Row = dict[str | int, object]
"""A row of a table: cells by the column's name or position. Cells from JSON may be of any type."""


class FileCorpus(CorpusCard):
    """Settings that corpora in files share. A kind supplies `read_file` and `example`.

    Attributes:
        root: the folder of the files.
        folder: the folder of the corpus within the one that the environment variable TEXTVAE_DATA names.
        files: the path or paths of each split, relative to the root. If only train is given, `split_fractions` divides
            it.
        checksums: ``sha256:...`` of the files, in the same shape as `files`.
    """

    root: str | None = None
    folder: str | None = None
    files: dict[Split, str | list[str]]
    checksums: dict[Split, str | list[str]] = Field(default_factory=dict)

    _base: Path | None = PrivateAttr(default=None)

    # --- what a kind of files must supply ------------------------------------------------------------------

    @abstractmethod
    def read_file(self, path: Path) -> Iterator[Example]:
        """Every example of one file, unchanged.

        Raises:
            DataError: the file is damaged; the message names file and line.
        """

    example: ClassVar[str]
    """The content of a small file of this kind, for the tests; its card has the default settings and those of
    `example_settings`."""

    # --- what a kind of files may declare --------------------------------------------------------------------

    example_settings: ClassVar[Mapping[str, str]] = {}
    """Further settings of the card of `example`, such as its label column."""

    endings: ClassVar[tuple[str, ...]] = ()
    """File extensions by which `textvae new` recognizes the kind: in lower case, with the dot, without ``.gz``."""

    may_have_header: ClassVar[bool] = False
    """Whether the kind has a setting `header`, which says that the first row names the columns. `rows` gives columns
    by position, and `textvae new` decides whether the first row is a header."""

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Whether a file without a known extension is of this kind, by its first lines.

        Args:
            lines: as they are in the file, blank ones included; at least one is not blank. `filled` gives the first
                that are not blank.

        `textvae new` asks the kinds in the reverse order of the registry and takes the first that says yes.
        """
        return False

    @classmethod
    def settings_of(cls, lines: Sequence[str]) -> Mapping[str, object]:
        """Settings of the card, beside the columns, for a file that begins with these lines, such as a delimiter."""
        return {}

    def rows(self, path: Path) -> Iterator[Row] | None:
        """Every row of a file, in which `textvae new` finds the text and label columns; None without columns."""
        return None

    # --- what all kinds of files share -----------------------------------------------------------------------

    descriptive: ClassVar[frozenset[str]] = CorpusCard.descriptive | {"root", "folder"}

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, object]:
        name = "example" + (cls.endings or (".txt",))[0]
        write_text(folder / name, cls.example)
        files = dict.fromkeys(SPLITS, name)
        return {"kind": cls.model_fields["kind"].default, "files": files, **cls.example_settings}

    @model_validator(mode="after")
    def _shapes_agree(self) -> FileCorpus:
        if "train" not in self.files:
            raise ValueError("files must name a train split")
        for split, sums in self.checksums.items():
            if len(_listed(sums)) != len(_listed(self.files.get(split, []))):
                raise ValueError(f"checksums.{split} must have as many entries as files.{split}")
        return self

    @property
    def own_splits(self) -> tuple[Split, ...]:
        return tuple(split for split in SPLITS if split in self.files)

    def seen_from(self, folder: Path) -> FileCorpus:
        card = self.model_copy()
        card._base = folder
        return card

    def read_source(self, split: Split) -> Iterator[Example]:
        for path in self.checked_paths(split):
            yield from self.read_file(path)

    def resolve_root(self) -> Path:
        """The folder of the files: `root`, else `folder` within TEXTVAE_DATA, else the folder of the card itself."""
        base = self._base or Path.cwd()
        if self.root is not None:
            root = base / at_home(self.root)
            # "--set corpus.root=" may name the folder of the corpus, or the one above it as TEXTVAE_DATA does.
            below = root / self.folder if self.folder else root
            return below if is_folder(below) else root
        if self.folder is not None and os.environ.get(DATA_VARIABLE):
            return at_home(os.environ[DATA_VARIABLE]) / self.folder
        return base

    def paths(self, split: Split) -> list[Path]:
        """The files of a split.

        Raises:
            DataError: one of them is missing, or is a folder, a pipe or a device.
        """
        root = self.resolve_root()
        found = [root / name for name in _listed(self.files[split])]
        for path in found:
            problem = problem_of_file(path)
            if problem is not None:
                where = (
                    f"set {DATA_VARIABLE} to the folder that holds '{self.folder}'"
                    if self.folder
                    else f"put it in {root}"
                )
                source = f" (source: {self.source})" if self.source else ""
                raise DataError(
                    f"Corpus '{self.name}' needs {shown_path(path)}, which {problem}; "
                    f"{where}, or give its folder by --set corpus.root=DIR{source}."
                )
        return found

    def checked_paths(self, split: Split) -> list[Path]:
        """The files of a split, after checking them against the card's checksums.

        Raises:
            DataError: one of them is missing, is empty or has another checksum.
        """
        paths = self.paths(split)
        for path, recorded in zip(paths, _listed(self.checksums.get(split, [])), strict=False):
            got = sha256_of(path)
            if got != recorded.removeprefix("sha256:").lower():
                raise DataError(
                    f"{path} has checksum sha256:{got}, the card of corpus '{self.name}' expects {recorded}; "
                    "fetch the file again, or correct the card if you changed the file on purpose."
                )
        for path in paths:
            if path.stat().st_size == 0:
                raise DataError(f"{path} is empty; corpus '{self.name}' needs at least one example in it.")
        return paths

    def source_fingerprint(self) -> str:
        parts: list[str] = []
        for split in (split for split in SPLITS if split in self.files):
            recorded = _listed(self.checksums.get(split, []))
            # Reading checks the files against a recorded checksum, so they need not be hashed here.
            parts += [split, *(recorded or [f"sha256:{sha256_of(path)}" for path in self.paths(split)])]
        return " ".join(parts)


def filled(lines: Iterable[str], count: int = 20) -> list[str]:
    """The first lines that are not blank."""
    return list(islice((line for line in lines if line.strip()), count))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
