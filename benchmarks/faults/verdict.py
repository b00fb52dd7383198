"""Judges a trial: faults in how the command ended, and losses among the user's files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.faults.process import SLOW, Ended

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All of C0 and C1 but tab and line feed."""


def complaints(ended: Ended, codes: Collection[int], as_json: bool = False) -> list[str]:
    """What is wrong with the end of a command, in words; nothing when it ended as it should.

    Args:
        ended: how it did.
        codes: the exit codes that would do. 1 does besides where it says that memory or the disk did not suffice.
        as_json: whether it was asked for JSON.
    """
    found = []
    out, err = (_decoded(stream, name, found) for stream, name in ((ended.out, "stdout"), (ended.err, "stderr")))
    last = err.strip().splitlines()[-1] if err.strip() else ""
    if ended.code is None:
        return [f"still running after {SLOW:.0f} s"]
    if ended.code < 0:
        found.append(f"ended by signal {-ended.code}")
    for words in ("Traceback (most recent call last)", "inside textvae", "Exception ignored in"):
        if words in out or words in err:
            found.append(words)
    machine = ended.code == 1 and ("memory" in last or "disk" in last)
    if ended.code >= 0 and ended.code not in codes and not machine:
        found.append(f"exit code {ended.code}, expected {' or '.join(map(str, sorted(codes)))}")
    if ended.code in (1, 2, 130) and not last:
        found.append(f"exit code {ended.code} without a word")
    if ended.seconds > SLOW:
        found.append(f"took more than {SLOW:.0f} s")
    for stream, name in ((out, "stdout"), (err, "stderr")):
        control = _CONTROL.search(stream)
        if control:
            found.append(f"raw control character {ord(control.group()):#04x} on {name}")
    if as_json and ended.code == 0:
        try:
            json.loads(out, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            found.append(f"invalid JSON: {error}"[:100])
    return found


def last_words(ended: Ended) -> str:
    """The last line of standard error, shortened."""
    lines = ended.err.decode("utf-8", "backslashreplace").strip().splitlines()
    return lines[-1][:300] if lines else ""


def _decoded(stream: bytes, name: str, found: list[str]) -> str:
    try:
        return stream.decode("utf-8")
    except UnicodeDecodeError:
        found.append(f"{name} is not UTF-8")
        return stream.decode("utf-8", "replace")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"a bare {name}")


def snapshot(folder: Path, but: Collection[Path] = ()) -> dict[str, str]:
    """The content of everything below a folder: files by their hash, links by their target, others by their kind.

    Args:
        folder: of which.
        but: files and folders that are left out.
    """
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = [name for name in folders if here / name not in but]
        for name in [*folders, *files]:
            path = here / name
            if path not in but:
                found[str(path.relative_to(folder))] = _content(path)
    return found


def _content(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link to {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return f"kind {stat.S_IFMT(status.st_mode)}"
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except PermissionError:
        return f"unreadable, {status.st_size} bytes, {status.st_mtime_ns}"


def losses(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What of a user's files is gone or changed."""
    return [
        f"{os.fsencode(name)!r} is {'gone' if name not in after else 'changed'}"
        for name, content in before.items()
        if after.get(name) != content
    ]


_OF_TIME = re.compile(r"second|memory|_mb$")


def results_of(run: Path) -> dict[str, str]:
    """What a run has come to, without times: weights, tokenized files and each stage's numbers, by file."""
    found = {}
    files = [*run.glob("*/model/model.safetensors"), *(run / "tokenize").rglob("*.arrow")]
    for path in [*files, *(run / "tokenize" / "tokenizer").rglob("*")]:
        if path.parts[len(run.parts)].isalpha() and path.is_file() and not path.name.startswith(".textvae"):
            found[path.relative_to(run).as_posix()] = hashlib.blake2b(path.read_bytes()).hexdigest()
    for path in run.glob("*/results.json"):
        if path.parts[len(run.parts)].isalpha():
            found[path.relative_to(run).as_posix()] = json.dumps(_timeless(json.loads(path.read_text())))
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(inner) for name, inner in value.items() if not _OF_TIME.search(name)}
    return value


def differences(expected: dict[str, str], got: dict[str, str]) -> list[str]:
    """Between the results of an uninterrupted run and those of another."""
    return [
        f"{name} {'is missing' if name not in got else 'differs'}"
        for name in sorted(expected)
        if got.get(name) != expected[name]
    ]
