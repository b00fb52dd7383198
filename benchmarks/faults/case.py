"""A hostile input: files in a separate folder, a command line, and the exit codes that are correct."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """What is done.

    Attributes:
        arguments: of `textvae`.
        stdin: what standard input gives; None for a closed one.
        codes: exit codes that would do; 1 besides where the message says that memory did not suffice.
    """

    arguments: list[str]
    stdin: bytes | None = b""
    codes: frozenset[int] = frozenset({0, 2})


@dataclass(frozen=True)
class Place:
    """Where a case is made.

    Attributes:
        folder: of the case.
        base: of the world; it holds finished runs, and nothing in it may be changed.
        rng: of everything random.
    """

    folder: Path
    base: Path
    rng: random.Random = field(compare=False)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def run(self) -> Path:
        """A finished run, to be read only."""
        return self.base / "first" / "work" / "run"

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    def user_files(self) -> None:
        """The tiny corpus, its card and its recipe."""
        for name in ("text.tsv", "card.toml", "tiny.toml"):
            shutil.copyfile(self.base / "user" / name, self.work / name)

    def link_run(self) -> None:
        (self.work / "run").symlink_to(self.run)

    def odd_files(self) -> None:
        """Files and folders of all the kinds that are no plain file, and some that are unlucky ones."""
        make_odd(self.work)

    def drawn(self, strategy: SearchStrategy[T]) -> T:
        """An example of a hypothesis strategy, decided by this place's random numbers alone."""
        return drawn(strategy, self.rng)


Family = Callable[[Place], Case]

ODD_NAMES = (
    *("", ".", "..", "folder", "pipe", "loop", "zero", "dangling", "empty", "locked", "locked_folder", "binary"),
    *("missing", "missing/below", "text.tsv", "text.tsv/below", "tiny.toml", "card.toml", "run", "run/train"),
    *("run/train/model", "run/classify/model", "run/tokenize", "hub/name", "/dev/null", "/dev/zero", "/dev/full"),
    *("/proc/self/mem", "/proc/self/environ", "name\nof two lines", "\x1b[31mred", "n" * 300, "n/" * 3000, "naïve"),
    *("\udcff\udcfe", "~", "~nobody", "-", "--", "\u202egnp", "a b", "'", '"', "%s{0}", "\x7f", "\x9b31m", "*"),
)
"""Paths, of which `make_odd` makes some."""


def make_odd(work: Path) -> None:
    (work / "folder").mkdir(exist_ok=True)
    (work / "locked_folder").mkdir(exist_ok=True)
    os.mkfifo(work / "pipe")
    (work / "loop").symlink_to("loop")
    (work / "zero").symlink_to("/dev/zero")
    (work / "dangling").symlink_to("nowhere")
    (work / "empty").touch()
    (work / "binary").write_bytes(bytes(range(256)) * 4)
    (work / "locked").write_text("not for you\n")
    (work / "locked").chmod(0)
    (work / "locked_folder").chmod(0)


def drawn(strategy: SearchStrategy[T], rng: random.Random) -> T:
    """An example of a strategy, from as many random bytes as it wants."""
    found: list[Any] = []

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def take(value: Any) -> None:
        found.append(value)

    for size in (2**9, 2**11, 2**13, 2**15, 2**17):
        take.hypothesis.fuzz_one_input(rng.randbytes(size))
        if found:
            return found[0]  # type: ignore[no-any-return]
    raise RuntimeError(f"{strategy} draws nothing")


def remove(folder: Path) -> None:
    """A folder with all that is below it, locked or not."""

    def unlock(function: Callable[..., Any], path: str, error: Any) -> None:
        for locked in (Path(path).parent, Path(path)):
            if not locked.is_symlink():
                locked.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)
