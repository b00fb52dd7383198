"""Errors of the Hugging Face hub and of the way to it, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textvae.errors import MachineError, ModelError, TextVAEError

NO_NAME = "the Hugging Face hub takes no such name; give OWNER/NAME of letters, digits, '-', '_' and '.'"
_UNKNOWN = (
    "the Hugging Face hub has no such model, or it is private; check the name, and for a private one log in with "
    "`hf auth login`"
)


@contextmanager
def hub_errors(failed: str) -> Iterator[None]:
    """Turn errors of the hub and of the way to it into a `ModelError` or a `MachineError` of one sentence.

    Args:
        failed: the beginning of the sentence: what did not work.
    """
    try:
        yield
    except TextVAEError:
        raise
    except Exception as error:
        kind, why = _explained(error)
        raise kind(f"{failed} {why}.") from None


def _explained(error: Exception) -> tuple[type[TextVAEError], str]:
    """The error to raise instead, and the end of its sentence."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        # A download that failed looked into the cache next; the cause is what happened on the way.
        error = error.__cause__
    if isinstance(error, errors.HFValidationError):
        return ModelError, NO_NAME
    if isinstance(error, errors.GatedRepoError):
        return ModelError, "its owners on the Hugging Face hub have to grant access; ask for it on the model's page"
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError, _UNKNOWN
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError, "the model of this name on the Hugging Face hub has no such revision; check the revision"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return MachineError, (
            "the environment variable HF_HUB_OFFLINE keeps textvae from asking the Hugging Face hub; unset it, or name "
            "a folder"
        )
    status = (
        error.response.status_code if isinstance(error, errors.HfHubHTTPError) and error.response is not None else None
    )
    if status == 401:
        return ModelError, "the Hugging Face hub does not know the token; log in with `hf auth login`, or give a token"
    if status == 403:
        return ModelError, "the Hugging Face hub does not allow it with this token; use one that has the permission"
    if status is not None and status < 500 and status != 429:
        return ModelError, f"the Hugging Face hub refused it with status {status}; check the name and the token"
    reason = type(error).__name__ if status is None else f"status {status}"
    return MachineError, (
        f"the Hugging Face hub could not be reached or did not answer ({reason}); check the connection, or try again "
        "later"
    )
