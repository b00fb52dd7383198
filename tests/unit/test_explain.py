"""Errors that are not ours: whose they are, and a sentence."""

from __future__ import annotations

import errno
import os

import pytest

from textvae.explain import explain

USERS = ["ENAMETOOLONG", "ELOOP", "ENOTDIR", "EISDIR", "EINVAL", "EEXIST", "EACCES", "EPERM", "EROFS"]
MACHINES = ["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EMFILE", "ENFILE"]


@pytest.mark.parametrize("name", [*USERS, *MACHINES])
def test_errors_of_the_system(name: str) -> None:
    number = getattr(errno, name)
    code, said = explain(OSError(number, os.strerror(number), "some/file"))
    assert code == (2 if name in USERS else 1)
    assert "some/file" in said and "nothing that was finished" not in said
    assert "some/file" not in explain(OSError(number, os.strerror(number)))[1]


def test_a_long_name_is_cut() -> None:
    said = explain(OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300))[1]
    assert "a...a" in said and "too long" in said and len(said) < 150


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("embedded null byte"), 2, "zero byte"),
        (ValueError("lstat: embedded null character in path"), 2, "zero byte"),
        (RecursionError("maximum recursion depth exceeded"), 2, "nested too deeply"),
        (OSError("[errno 28] Error writing bytes to file"), 1, "no space left"),
        (Exception("IoError(Os { code: 27, kind: FileTooLarge })"), 1, "ulimit -f"),
        (OSError(errno.EINVAL, "Invalid argument"), 1, "Invalid argument"),
        (KeyError("\x1b"), 1, "an error inside textvae: KeyError"),
    ],
)
def test_other_errors(error: BaseException, code: int, said: str) -> None:
    found = explain(error)
    assert found[0] == code and said in found[1]
