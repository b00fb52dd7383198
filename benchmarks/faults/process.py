"""The command `textvae` as a child process: a new Python, or a fork of a process that has imported everything."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.fence import fence_in, obey_permissions

CHECKOUT = Path(__file__).resolve().parents[2]
MEMORY = 3 * 2**30
"""Bytes of address space that a case may take beyond what the imports have taken."""
SLOW = 60.0
"""Seconds after which a command is stopped and counted as wrong."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: the exit code; minus the number of the signal that ended it; None when it was stopped for being slow.
        out: standard output.
        err: standard error.
        seconds: from its start to its end.
    """

    code: int | None
    out: bytes
    err: bytes
    seconds: float


class Process:
    """A running command.

    Args:
        arguments: of `textvae`; lone surrogates stand for bytes that are no UTF-8.
        folder: of the trial: `work` below it is where the command runs; its home, its temporary files and its output
            lie there too, and it writes nowhere else.
        real: start Python anew instead of forking this process.
        stdin: what standard input gives; None for a closed one.
        limits: whether memory is limited.
        prepare: called in the forked child before the command.
        name: of the files with its output.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        real: bool = False,
        stdin: bytes | None = b"",
        limits: bool = True,
        prepare: Callable[[], None] | None = None,
        name: str = "command",
    ) -> None:
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        for part in ("work", "home", "tmp"):
            (folder / part).mkdir(exist_ok=True)
        given = folder / f"{name}.in"
        given.write_bytes(stdin or b"")
        self.real = real
        self.began = time.monotonic()

        def settle() -> None:
            """Streams, group, memory, privileges: in the child, before anything of the command runs."""
            os.setpgid(0, 0)
            # A worker ignores Ctrl-C, and what is ignored stays so in a new process.
            signal.signal(signal.SIGINT, signal.default_int_handler if not real else signal.SIG_DFL)
            for path, flags, number in [(given, os.O_RDONLY, 0), (self.out, _FRESH, 1), (self.err, _FRESH, 2)]:
                handle = os.open(path, flags, 0o644)
                os.dup2(handle, number)
                os.close(handle)
            if stdin is None:
                os.close(0)
            os.chdir(folder / "work")
            if limits:
                most = _address_space() + MEMORY if not real else _baseline() + MEMORY
                resource.setrlimit(resource.RLIMIT_AS, (most, most))
            obey_permissions()
            fence_in([folder, shared_home(folder)])

        shared_home(folder).mkdir(exist_ok=True)
        if real:
            _baseline()
            line = [sys.executable, "-m", "textvae", *map(os.fsencode, arguments)]
            # Between fork and exec only what is needed; this process has one thread.
            child = subprocess.Popen(line, env=environment(folder), preexec_fn=settle, close_fds=True)
            self.pid, self._child = child.pid, child
        else:
            sys.stdout.flush()
            sys.stderr.flush()
            self.pid = os.fork()
            if not self.pid:
                _be_the_command(arguments, settle, environment(folder), prepare, stdin is None)
        self._handle = os.pidfd_open(self.pid)
        self._ended: Ended | None = None

    def ended_within(self, seconds: float) -> bool:
        """Wait; whether it has ended."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def said_within(self, words: bytes, seconds: float) -> bool:
        """Wait until standard error has these words; False when it ended, or the time is over, before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if words in self.err.read_bytes() if self.err.exists() else False:
                return True
            if self.ended_within(0.001):
                return False
        return False

    def signal(self, number: int) -> bool:
        """Send a signal; whether it was still running."""
        if self.ended_within(0):
            return False
        os.kill(self.pid, number)
        return True

    def finish(self, seconds: float = SLOW) -> Ended:
        """Wait for the end, and bring it about after so many seconds."""
        if self._ended is not None:
            return self._ended
        slow = not self.ended_within(seconds)
        if slow:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        if hasattr(self, "_child"):
            self._child.returncode = 0
        spent = time.monotonic() - self.began
        os.close(self._handle)
        # What it left running in its group ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = None if slow else os.waitstatus_to_exitcode(status)
        self._ended = Ended(code, _read(self.out), _read(self.err), spent)
        return self._ended


_FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MOST_READ = 2**24


def _read(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as stream:
        return stream.read(_MOST_READ)


def shared_home(folder: Path) -> Path:
    """Where libraries keep what they cache, for all trials."""
    return folder.parent / "libraries"


def environment(folder: Path) -> dict[str, str]:
    """Of the command: nothing of the network, one thread, and a home and temporary files of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEXTVAE_", "HF_", "XDG_"))}
    return kept | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "HF_HOME": str(shared_home(folder)),
        "MPLCONFIGDIR": str(shared_home(folder)),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def warm_up() -> None:
    """Import what the commands import, so that forks of this process need not, and touch nothing of it afterwards."""
    import gc

    import datasets  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import torch
    import typer

    import textvae.cli
    import textvae.evaluation
    import textvae.generation
    import textvae.models
    import textvae.pipeline.new
    import textvae.pipeline.report
    import textvae.pipeline.runner
    import textvae.tasks
    import textvae.training
    from textvae.pipeline.stages import STAGES

    for stage in STAGES:
        stage.config_type()
    torch.set_num_threads(1)
    # Building the command imports the rest of its parser. What is frozen is not copied by collections in children.
    typer.main.get_command(textvae.cli.app)
    gc.collect()
    gc.freeze()


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


_BASELINE: list[int] = []


def _baseline() -> int:
    """Address space of a process that has imported everything: this one's, when it was first asked for."""
    if not _BASELINE:
        _BASELINE.append(_address_space())
    return _BASELINE[0]


def _be_the_command(
    arguments: Sequence[str],
    settle: Callable[[], None],
    variables: dict[str, str],
    prepare: Callable[[], None] | None,
    closed: bool,
) -> None:
    """In a forked child: what Python does with `python -m textvae`, but for the imports. Never returns."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        settle()
        os.environ.clear()
        os.environ.update(variables)
        tempfile.tempdir = None
        warnings.resetwarnings()
        faulthandler.disable()
        sys.stdin = None if closed else open(0, encoding="utf-8", errors="strict")  # type: ignore[assignment]  # noqa: SIM115
        sys.argv = ["textvae", *arguments]
        if prepare is not None:
            prepare()
        from textvae.__main__ import main

        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        # What is left of Python's own exit.
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except BaseException:
            code = 120
        os._exit(code & 0xFF)
