"""A child process that kills itself at one of its file operations: a crash at each moment that matters, by no clock."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}


def killed(work: Callable[[], object], below: Path, last: int) -> bool:
    """Do some work in a child that kills itself just before its operation number `last` below a folder.

    Args:
        work: what it does.
        below: the folder whose operations count.
        last: counted from 1.

    Returns:
        whether it came so far; else the work was done.
    """
    pid = os.fork()
    if not pid:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            if event in OPERATIONS and str(below) in str(arguments[0]):
                count += 1
                if count == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(hook)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), status
    return status == signal.SIGKILL
