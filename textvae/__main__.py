"""The command `textvae`, and `python -m textvae`: guarded against Ctrl-C before anything else is imported."""

import os
import sys

from textvae import interrupt


def main() -> None:
    """Run the command, and exit with its code: 0, 2 for the user's errors, 1 for the machine's, 130 for Ctrl-C."""
    _open_what_is_closed()
    interrupt.install()
    try:
        from textvae import cli
    except BaseException:
        # A library may make an error of another kind of it.
        if not interrupt.raised():
            raise
        interrupt.exit_with(interrupt.CODE)
    cli.main()


def _open_what_is_closed() -> None:
    """Give the descriptors of closed standard streams to nothing: the next files opened would get them, and with them
    what libraries write to standard output and error. `sys.stdin` and `sys.stdout` stay None, which commands ask for.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        # Else `print(..., file=sys.stderr)` would print to standard output.
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main()
