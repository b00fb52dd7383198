"""Models on the Hugging Face hub: downloading one, pushing one, and what went wrong in one sentence."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from textvae import __version__
from textvae.disk import machine_errors, problem_of_file, shown_path
from textvae.errors import MachineError, ModelError, TextVAEError
from textvae.models.folder import CARD_FILE, CONFIG_FILE, PARTS, TOKENIZER_FOLDER, WEIGHTS_FILE, known_header
from textvae.models.saving import Contents, card_is_ours, save


def download(name: str, revision: str | None = None) -> Path:
    """The folder in the hub's cache with a model's files; what is not in the cache yet is downloaded.

    Only the files of a textvae model are downloaded, its config.json first: of another library's model nothing else is.

    Args:
        name: `owner/model`.
        revision: a branch, a tag or a commit; the main branch when None.

    Raises:
        ModelError: there is no such model, it may not be read, or it is not one of textvae's.
        MachineError: the hub cannot be reached, or the disk is full or broken.
    """
    from huggingface_hub import snapshot_download

    failed = f"'{shown_path(name)}' is no folder here, and"
    with _hub_errors(failed), machine_errors(Path(name)):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=[CONFIG_FILE]))
        header = folder / CONFIG_FILE
        if problem_of_file(header) is not None or known_header(header) is None:
            raise ModelError(f"{failed} {_NOT_OURS}.")
        wanted = [CONFIG_FILE, WEIGHTS_FILE, f"{TOKENIZER_FOLDER}/*"]
        # The folder is named after its commit: all files are of the same one.
        return Path(snapshot_download(name, revision=folder.name, allow_patterns=wanted))


def push(model: Contents, name: str, *, private: bool, token: str | None, commit_message: str) -> str:
    """Write a model into a repository of the hub, which is created if there is none, in one commit.

    Args:
        model: what is written.
        name: `owner/model`.
        private: whether only its owner may see it.
        token: of an account that may write there; the one that `hf auth login` saved when None.
        commit_message: the title of the commit.

    Returns:
        the address of the model's page.

    Raises:
        ModelError: the hub does not take the name or the token, or a weight is not finite.
        MachineError: the hub cannot be reached, or the disk is full or broken.
    """
    from huggingface_hub import HfApi

    failed = f"'{shown_path(name)}' was not pushed:"
    if name.count("/") != 1:
        raise ModelError(f"{failed} {_NO_NAME}.")
    api = HfApi(token=token, library_name="textvae", library_version=__version__)
    with tempfile.TemporaryDirectory() as scratch:
        made, there = Path(scratch) / "made", Path(scratch) / "there"
        save(replace(model, address=name), made)
        with _hub_errors(failed):
            page = api.create_repo(name, private=private, exist_ok=True)
            if private and not api.repo_info(name).private:
                raise ModelError(
                    f"{failed} it is public on the Hugging Face hub, and private=True does not change that; make it "
                    "private on its page, or choose another name."
                )
            for file in {CONFIG_FILE, CARD_FILE} & set(api.list_repo_files(name)):
                api.hf_hub_download(name, file, local_dir=there)
            own_card = card_is_ours(there)
            api.upload_folder(
                repo_id=name,
                folder_path=made,
                commit_message=commit_message,
                allow_patterns=[*PARTS, *([CARD_FILE] if own_card else [])],
                delete_patterns=[f"{TOKENIZER_FOLDER}/*"],
            )
    if not own_card:
        warnings.warn(f"{CARD_FILE} of '{name}' was not written by textvae, and was left as it is.", stacklevel=3)
    return str(page)


_NOT_OURS = (
    f"the model of this name on the Hugging Face hub is not one of textvae's ({CONFIG_FILE} is missing, or another "
    "library's); name one that push_to_hub wrote"
)
_NO_NAME = "the Hugging Face hub takes no such name; give OWNER/NAME of letters, digits, '-', '_' and '.'"
_UNKNOWN = (
    "the Hugging Face hub has no such model, or it is private; check the name, and for a private one log in with "
    "`hf auth login`"
)


@contextmanager
def _hub_errors(failed: str) -> Iterator[None]:
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
        return ModelError, _NO_NAME
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
