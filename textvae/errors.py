"""Errors a user can act on. Every message says what was got, what was expected and what to do.

The command line prints only the message, without a traceback, and exits with `exit_code`.
"""

from __future__ import annotations


class TextVAEError(Exception):
    """Base of all errors that the user can correct."""

    exit_code = 2


class ConfigError(TextVAEError):
    """A recipe, a setting or an option is wrong."""


class DataError(TextVAEError):
    """A corpus, a file or a sentence cannot be used as it is."""


class ModelError(TextVAEError):
    """A model folder or a checkpoint is missing, damaged, not written by textvae, or of another kind."""


class MachineError(TextVAEError):
    """The machine failed, not the input: a full or broken disk, too little memory."""

    exit_code = 1
