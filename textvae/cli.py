"""The command `textvae`: the app, its exit codes and its errors. What it does is in `textvae.commands`."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from textvae import __version__, interrupt
from textvae.commands import COMMANDS
from textvae.commands.base import Command, with_plain_options
from textvae.commands.output import print_line
from textvae.errors import ConfigError
from textvae.explain import explain
from textvae.printable import one_line, printable

app = typer.Typer(
    name="textvae",
    help="Train sentence VAEs on text, and put them to work.",
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
    """Add a command to the app; its example is printed as it stands at the end of its help."""
    app.command(name, epilog=f"\b\nExample:\n  textvae {name} {command.example}")(with_plain_options(command.function))


for _name, _command in COMMANDS.items():
    register(_name, _command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its code: 0, 2 for the user's errors, 1 for the machine's, 130 for Ctrl-C."""
    warnings.showwarning = warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding does not have is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    interrupt.exit_with(_run(arguments))


def warn(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning as a user of the command reads it: one line, without the line of code that gave it."""
    print(f"textvae: warning: {one_line(str(message))}", file=sys.stderr, flush=True)


def _run(arguments: Sequence[str] | None) -> int:
    code, message = _outcome(list(sys.argv[1:] if arguments is None else arguments))
    # Whatever became of a KeyboardInterrupt on its way, the command was interrupted.
    if code == interrupt.CODE or interrupt.raised():
        interrupt.tell()
        return interrupt.CODE
    return _fail(message, code) if message else code


def _outcome(arguments: list[str]) -> tuple[int, str]:
    """The exit code, and the sentence that is still to be said."""
    try:
        if sys.stdout is None and _prints(arguments):
            raise ConfigError("standard output is closed, and what you asked for is printed; leave out `>&-`.")
        try:
            code = app(args=arguments, standalone_mode=False)
        except SystemExit as leaving:
            code = leaving.code
        # Typer turns Ctrl-C into its code, without a word.
        return _flushed(code if isinstance(code, int) else 0), ""
    except KeyboardInterrupt:
        return interrupt.CODE, ""
    except BaseException as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            return _refuse_usage(error), ""
        # Typer makes an Abort of an EOFError.
        reason = error.__cause__ if isinstance(error.__cause__, EOFError) else error
        if os.environ.get("TEXTVAE_DEBUG"):
            raise
        if isinstance(reason, BrokenPipeError):
            _silence()
            return 1, ""
        return explain(reason)


def _prints(arguments: Sequence[str]) -> bool:
    """Whether what was typed prints a result to standard output; help and mistakes count as such."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    return command is None or command.prints(arguments[1:])


def _refuse_usage(error: Any) -> int:
    """Show a usage error of typer's, which repeats what was typed."""
    shown = io.StringIO()
    error.show(shown)
    print(printable(shown.getvalue().rstrip("\n"), lines=True), file=sys.stderr, flush=True)
    return int(error.exit_code)


def _flushed(code: int) -> int:
    """Push out what was printed while a reader that has gone can still be noticed."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    return code


def _silence() -> None:
    # What is left in the buffer would raise once more when Python closes the stream.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"textvae: {one_line(message)}", file=sys.stderr, flush=True)
    return code
