"""Errors of Python, the system and libraries, in words that a user can act on."""

from __future__ import annotations

import errno
import os
import re
import sys

from textvae.errors import TextVAEError

_USERS = {
    errno.ENAMETOOLONG: "has a name that is too long; choose a shorter one.",
    errno.ELOOP: "is a link that leads round in a circle; mend the link, or name the file itself.",
    errno.ENOTDIR: "leads through a file as if it were a folder; check the path.",
    errno.EISDIR: "is a folder, and a file was expected; name a file in it.",
    errno.EEXIST: "is there already, and is no folder; choose another by --out.",
    errno.EINVAL: "is no name that this file system takes; choose another.",
}
"""By error number, what is wrong with a path that the user chose."""

_MACHINES = {
    errno.ENOSPC: "no space left on the disk{where}; free some and run the same command again.",
    errno.EDQUOT: "no space left in your share of the disk{where}; free some and run the same command again.",
    errno.EFBIG: "a file grew beyond the largest size allowed{where}; raise the limit (`ulimit -f unlimited`) and run "
    "the same command again.",
    errno.EIO: "the disk failed{where}; see to it, and run the same command again.",
    errno.EMFILE: "too many files are open{where}; raise the limit (`ulimit -n 4096`) and run the same command again.",
    errno.ENFILE: "too many files are open on this machine{where}; close some, and run the same command again.",
}

_WORDS = {
    "No space left on device": errno.ENOSPC,
    "quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
    "Input/output error": errno.EIO,
}
"""The system's text of these errors, for libraries that pass on the text without the number."""


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the message of the command for an error: code 2 for the user's errors, 1 for the machine's."""
    if isinstance(error, TextVAEError):
        return error.exit_code, str(error)
    if isinstance(error, MemoryError) or _out_of_device_memory(error):
        return 1, "out of memory; lower train.batch_tokens (--set train.batch_tokens=2048), or take a smaller model."
    if isinstance(error, RecursionError):
        return 2, "something that was given is nested too deeply to be read; write it with fewer brackets."
    if isinstance(error, ValueError) and re.search(r"embedded null (byte|character)", str(error)):
        return 2, "a path that was given has a zero byte in it, which no file's name has; leave it out."
    name = getattr(error, "filename", None)
    where = f" ({_shortened(os.fsdecode(name))})" if isinstance(name, str | bytes) and name else ""
    told = machine_problem(error, where)
    if told is not None:
        return 1, told
    number = _error_number(error)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return 2, f"no permission{where}; choose another folder by --out, or change its permissions."
    if number in _USERS and (where or number != errno.EINVAL):
        return 2, f"{where[2:-1] or 'a path that was given'} {_USERS[number]}"
    if isinstance(error, OSError):
        return 1, f"{error.strerror or str(error) or type(error).__name__}{where}; nothing that was finished is lost."
    reason = " ".join(str(error).split())[:300]
    return 1, (
        f"an error inside textvae: {type(error).__name__}: {reason}; "
        "set TEXTVAE_DEBUG=1 to see where, and please report it."
    )


def machine_problem(error: BaseException, where: str = "") -> str | None:
    """The message for an error of the machine (its disk, its limit of open files); None for any other error.

    Args:
        error: a Python error, or one of a library that has the system's error number or text only in its message.
        where: the place of the error, with a space before it, such as ``" while writing model.safetensors"``.
    """
    sentence = _MACHINES.get(_error_number(error) or 0)
    if sentence is None and not isinstance(error, OSError):
        told = str(error)
        sentence = next((_MACHINES[number] for words, number in _WORDS.items() if words in told), None)
    return None if sentence is None else sentence.format(where=where)


def _error_number(error: BaseException) -> int | None:
    """The system's number of an error; libraries in compiled languages give it only in the text of the error."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    told = re.search(r"(?:\[errno |Os \{ code: |os error )(\d+)", str(error))
    return int(told[1]) if told else None


def _shortened(name: str, most: int = 80) -> str:
    return name if len(name) <= most else f"{name[: most // 2]}...{name[-most // 2 :]}"


def _out_of_device_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    # torch's CPU allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
