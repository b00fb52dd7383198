"""Errors a user can act on. Every message says what was got, what was expected and what to do.

The command line prints the message alone, without a traceback, and leaves with `exit_code`.
"""

from __future__ import annotations


class TextVAEError(Exception):
    """Base of all errors that are the user's to mend."""

    exit_code = 2


class ConfigError(TextVAEError):
    """A recipe, a setting or an option is wrong."""


class DataError(TextVAEError):
    """A corpus, a file or a sentence cannot be used as it is."""


class ModelError(TextVAEError):
    """A model folder or a checkpoint is missing, truncated, foreign or of another kind."""


class MachineError(TextVAEError):
    """The machine, not the user, is in the way: disk, memory."""

    exit_code = 1
