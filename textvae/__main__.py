"""The command `textvae`, and `python -m textvae`: guarded against Ctrl-C before anything else is imported."""

import os
import sys

from textvae import interrupt


def main() -> None:
    """Run the command and exit with its code: 0 for success, 2 for the user's errors, 1 for the machine's, 130 for
    Ctrl-C.
    """
    _open_closed_streams()
    interrupt.install()
    try:
        from textvae import cli
    except BaseException:
        # A library may turn the KeyboardInterrupt into an error of another type.
        if not interrupt.raised():
            raise
        interrupt.exit_with(interrupt.CODE)
    cli.main()


def _open_closed_streams() -> None:
    """Open the null device on the descriptors 0, 1 and 2 where they are closed.

    Otherwise the next file opened would get such a descriptor, and libraries that write to standard output or error
    would write into that file. `sys.stdin` and `sys.stdout` stay None, by which commands know that they are closed.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        # With None, `print(..., file=sys.stderr)` would print to standard output.
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main()
