"""The command `textvae`, and `python -m textvae`: guarded against Ctrl-C before anything else is imported."""

from textvae import interrupt


def main() -> None:
    """Run the command, and exit with its code: 0, 2 for the user's errors, 1 for the machine's, 130 for Ctrl-C."""
    interrupt.install()
    try:
        from textvae import cli
    except BaseException:
        # A library may make an error of another kind of it.
        if not interrupt.raised():
            raise
        interrupt.exit_with(interrupt.CODE)
    cli.main()


if __name__ == "__main__":
    main()
