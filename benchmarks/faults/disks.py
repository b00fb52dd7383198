"""Full disks: a small file system for the run folder, or a limit on the size of files."""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.process import SLOW, Process
from benchmarks.faults.trial import Outcome, Trial
from benchmarks.faults.verdict import complaints, differences, last_words, losses, results_of
from benchmarks.faults.world import World, run_line, users_files

GIVEN_ROOM, COPIED, LITTLE_BY_LITTLE, FILE_SIZE = (
    "given room",
    "copied to a disk with room",
    "grown little by little",
    "limit on the size of a file",
)
_ROOMY = 64 * 2**20
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_REMOUNT, _RECURSIVE, _PRIVATE = 32, 1 << 14, 1 << 18
_LIBC = ctypes.CDLL(None, use_errno=True)


def disk_names() -> dict[str, int]:
    """Cases and their shares: without leave to mount, the limit alone."""
    if not can_mount():
        return {FILE_SIZE: 1}
    return {GIVEN_ROOM: 2, COPIED: 2, LITTLE_BY_LITTLE: 1, FILE_SIZE: 1}


def can_mount() -> bool:
    """Whether a file system can be mounted here that no other process sees."""

    def attempt() -> None:
        _own_mounts()

    return _in_a_child(attempt) == 0


def full_disk(trial: Trial, folder: Path, world: World) -> Outcome:
    """Do a trial; see `stops.stop`. The small file system is gone when it ends."""
    answer = folder / "outcome.json"

    def inside() -> None:
        outcome = _with_limit(trial, folder, world) if trial.name == FILE_SIZE else _with_tmpfs(trial, folder, world)
        answer.write_text(outcome.line() if outcome.failed else json.dumps({"landed": outcome.landed}))

    failed = _in_a_child(inside)
    if failed or not answer.exists():
        return Outcome(trial, wrong=[f"the trial itself broke ({failed})"])
    record = json.loads(answer.read_text())
    kept = {name: record[name] for name in ("wrong", "lost", "landed", "commands", "said") if name in record}
    return Outcome(trial, **kept)


def _in_a_child(what: Callable[[], None]) -> int:
    pid = os.fork()
    if not pid:
        code = 1
        try:
            what()
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _own_mounts() -> None:
    """From here on what this process mounts is seen by it and its children alone."""
    user, group = os.geteuid(), os.getegid()
    if _LIBC.unshare(_NEW_MOUNTS):
        if _LIBC.unshare(_NEW_MOUNTS | _NEW_USER):
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount(b"none", b"/", b"", _RECURSIVE | _PRIVATE, b"")


def _mount(source: bytes, target: bytes, kind: bytes, flags: int, options: bytes) -> None:
    if _LIBC.mount(source, target, kind, ctypes.c_ulong(flags), options):
        raise OSError(ctypes.get_errno(), f"mount {options!r}")


def _with_tmpfs(trial: Trial, folder: Path, world: World) -> Outcome:
    rng = random.Random(f"{trial.kind} {trial.name} {trial.seed}")
    outcome = Outcome(trial, landed=0)
    shutil.copytree(world.folder / "user", folder / "work")
    run = folder / "work" / "run"
    # What somebody has in the run folder would be hidden by the mount; it is put there again afterwards.
    held = folder / "held"
    shutil.copytree(run, held)
    _own_mounts()
    size = rng.choice((rng.uniform(2e4, 2e5), rng.uniform(2e5, 4.5e5)))
    _mount(b"tmpfs", bytes(run), b"tmpfs", 0, f"size={int(size)}".encode())
    shutil.copytree(held, run, dirs_exist_ok=True)
    mine = users_files(folder / "work")
    steps = rng.randint(2, 4) if trial.name == LITTLE_BY_LITTLE else 1
    for _ in range(steps):
        if not _full(outcome, folder):
            break
        size *= rng.uniform(1.05, 1.6)
        if steps > 1:
            _mount(b"tmpfs", bytes(run), b"tmpfs", _REMOUNT, f"size={int(size)}".encode())
    outcome.lost += losses(mine, users_files(folder / "work"))
    where = "run"
    if trial.name == COPIED:
        where = "elsewhere"
        shutil.copytree(run, folder / "work" / where, symlinks=True)
    else:
        _mount(b"tmpfs", bytes(run), b"tmpfs", _REMOUNT, f"size={_ROOMY}".encode())
    _go_on(outcome, folder, where, world)
    outcome.lost += [words for words in losses(mine, users_files(folder / "work")) if words not in outcome.lost]
    return outcome


def _with_limit(trial: Trial, folder: Path, world: World) -> Outcome:
    rng = random.Random(f"{trial.kind} {trial.name} {trial.seed}")
    outcome = Outcome(trial, landed=0)
    shutil.copytree(world.folder / "user", folder / "work")
    mine = users_files(folder / "work")
    # Python ignores SIGXFSZ, so that a write beyond the limit fails instead of ending the process.
    # Standard error is a file here too, of less than 3 kB.
    limit = int(rng.choice((rng.uniform(3e3, 6e3), rng.uniform(6e3, 6e4))))
    _full(outcome, folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    outcome.lost += losses(mine, users_files(folder / "work"))
    _go_on(outcome, folder, "run", world)
    outcome.lost += [words for words in losses(mine, users_files(folder / "work")) if words not in outcome.lost]
    return outcome


def _full(outcome: Outcome, folder: Path, prepare: Callable[[], None] | None = None) -> bool:
    """Run where there is no room; whether there was none."""
    ended = Process(run_line(), folder, prepare=prepare).finish(2 * SLOW)
    outcome.commands.append(run_line())
    outcome.said.append(last_words(ended))
    outcome.wrong += complaints(ended, {0, 1})
    if ended.code == 0:
        return False
    outcome.landed += 1
    said = [line for line in ended.err.decode("utf-8", "replace").splitlines() if line.startswith("textvae: ")]
    sentences = [line for line in said if not line.startswith("textvae: warning: ")]
    if len(sentences) != 1:
        outcome.wrong.append(f"{len(sentences)} sentences instead of one")
    return True


def _go_on(outcome: Outcome, folder: Path, where: str, world: World) -> None:
    line = ["run", "tiny.toml", "--out", where]
    ended = Process(line, folder, name="last").finish(2 * SLOW)
    outcome.commands.append(line)
    outcome.said.append(last_words(ended))
    outcome.wrong += [f"the run that goes on: {words}" for words in complaints(ended, {0})]
    if ended.code == 0:
        outcome.lost += differences(world.results, results_of(folder / "work" / where))
