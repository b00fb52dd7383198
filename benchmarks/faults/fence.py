"""Confines a process that runs hostile inputs: it cannot write outside its folder, and has no privileges of root.

The first is done by Landlock (Linux 5.13). On a kernel without Landlock writes elsewhere are not prevented;
a case then only starts in its own folder.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
# Everything of a file system that writes: write, remove, make of seven kinds, refer, truncate.
_WRITES = _WRITE_FILE | sum(1 << bit for bit in range(4, 14)) | _TRUNCATE
_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET = 38, 24
_PASS_PERMISSIONS = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def has_fence() -> bool:
    """Whether the kernel can keep a process from writing elsewhere."""
    return sys.platform == "linux" and _LIBC.syscall(_CREATE_RULESET, None, 0, 1) >= 3


def fence_in(folders: Iterable[Path]) -> None:
    """From here on this process and its children write below these folders only, and to devices.

    Args:
        folders: that exist.
    """
    if not has_fence():
        return
    attributes = ctypes.create_string_buffer(struct.pack("=Q", _WRITES))
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, 8, 0)
    for folder, rights in [*((folder, _WRITES) for folder in folders), (Path("/dev"), _WRITE_FILE | _TRUNCATE)]:
        handle = os.open(folder, os.O_PATH)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle))
        if _LIBC.syscall(_ADD_RULE, ruleset, 1, rule, 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
        os.close(handle)
    _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if _LIBC.syscall(_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def obey_permissions() -> None:
    """As root: obey the permissions of files as everybody does, so that an unreadable file is one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    for capability in _PASS_PERMISSIONS:
        _LIBC.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    sets = ctypes.create_string_buffer(24)
    _LIBC.capget(header, sets)
    words = list(struct.unpack("=6I", sets.raw))
    drop = sum(1 << capability for capability in _PASS_PERMISSIONS)
    words[:3] = [word & ~drop for word in words[:3]]
    _LIBC.capset(header, ctypes.create_string_buffer(struct.pack("=6I", *words)))
