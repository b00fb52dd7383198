"""The program `textvae`: the app, its exit codes and its errors. The commands are in `textvae.commands`."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from textvae import __version__, interrupt
from textvae.commands import COMMANDS, output
from textvae.commands.base import Command, with_plain_options
from textvae.commands.output import print_line
from textvae.errors import ConfigError
from textvae.explain import explain
from textvae.printable import one_line, printable

app = typer.Typer(
    name="textvae",
    help="Train sentence VAEs on text, measure them, and use them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool | None) -> None:
    if wanted:
        print_line(f"textvae {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool | None, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = None,
) -> None:
    pass


def register(name: str, command: Command) -> None:
    """Add a command to the app, with its example at the end of its help."""
    app.command(name, epilog=f"\b\nExample:\n  textvae {name} {command.example}")(with_plain_options(command.function))


for _name, _command in COMMANDS.items():
    register(_name, _command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code: 0, 2 for the user's errors, 1 for the machine's, 130 for Ctrl-C."""
    warnings.showwarning = warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character outside the terminal's encoding is printed as an escape instead of raising an error.
            stream.reconfigure(errors="backslashreplace")
    interrupt.exit_with(_run(arguments))


def warn(message: Warning | str, *where: Any, **more: Any) -> None:
    """Print a warning of Python as one line, without the source line that Python adds."""
    output.warn(str(message))


def _run(arguments: Sequence[str] | None) -> int:
    code, message = _outcome(list(sys.argv[1:] if arguments is None else arguments))
    # Libraries may catch a KeyboardInterrupt or turn it into another error, so the flag is read as well.
    if code == interrupt.CODE or interrupt.raised():
        interrupt.tell()
        return interrupt.CODE
    return _fail(message, code) if message else code


def _outcome(arguments: list[str]) -> tuple[int, str]:
    """Run the command; return the exit code and the error message that is still to be printed, or ""."""
    try:
        if sys.stdout is None and _prints(arguments):
            raise ConfigError("standard output is closed, and this command prints its result there; leave out `>&-`.")
        try:
            code = app(args=arguments, standalone_mode=False)
        except SystemExit as leaving:
            code = leaving.code
        # Typer turns Ctrl-C into its exit code, without a message.
        return _flushed(code if isinstance(code, int) else 0), ""
    except KeyboardInterrupt:
        return interrupt.CODE, ""
    except BaseException as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            return _refuse_usage(error), ""
        # Typer turns an EOFError into an Abort.
        reason = error.__cause__ if isinstance(error.__cause__, EOFError) else error
        if os.environ.get("TEXTVAE_DEBUG"):
            raise
        if isinstance(reason, BrokenPipeError):
            _silence()
            return 1, ""
        return explain(reason)


def _prints(arguments: Sequence[str]) -> bool:
    """Whether these arguments print something to standard output; True for help and for unknown commands."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    return command is None or command.prints(arguments[1:])


def _refuse_usage(error: Any) -> int:
    """Print a usage error of typer. It repeats the user's arguments, so control characters are escaped."""
    shown = io.StringIO()
    error.show(shown)
    print(printable(shown.getvalue().rstrip("\n"), lines=True), file=sys.stderr, flush=True)
    return int(error.exit_code)


def _flushed(code: int) -> int:
    """Flush standard output here, where a closed pipe can still be handled."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    return code


def _silence() -> None:
    # Otherwise the rest of the buffer would raise the same error again when Python closes the stream.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"textvae: {one_line(message)}", file=sys.stderr, flush=True)
    return code
