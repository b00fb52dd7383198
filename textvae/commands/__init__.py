"""The commands of `textvae`: one file each, with the command's name."""

from __future__ import annotations

from importlib import import_module

from textvae.commands.base import Command

NAMES = (
    "run",
    "new",
    "evaluate",
    "compare",
    "generate",
    "reconstruct",
    "interpolate",
    "impute",
    "classify",
    "encode",
    "score",
)
"""Every command, in the order of `textvae --help`. A new one is a file of this package and a line in this list."""

COMMANDS: dict[str, Command] = {name: import_module(f"textvae.commands.{name}").COMMAND for name in NAMES}
"""Every command by its name."""

__all__ = ["COMMANDS", "NAMES", "Command"]
