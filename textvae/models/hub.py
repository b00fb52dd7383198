"""Models on the Hugging Face hub: downloading one and pushing one."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

from textvae import __version__
from textvae.disk import NO_NAME, hub_errors, machine_errors, problem_of_file, shown_path
from textvae.errors import ModelError
from textvae.models.folder import (
    CARD_FILE,
    CONFIG_FILE,
    ENCODER_FOLDER,
    PARTS,
    TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    known_header,
)
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
    with hub_errors(failed), machine_errors(Path(name)):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=[CONFIG_FILE]))
        header = folder / CONFIG_FILE
        if problem_of_file(header) is not None or known_header(header) is None:
            raise ModelError(f"{failed} {_NOT_OURS}.")
        wanted = [CONFIG_FILE, WEIGHTS_FILE, f"{TOKENIZER_FOLDER}/*", f"{ENCODER_FOLDER}/*"]
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
        raise ModelError(f"{failed} {NO_NAME}.")
    api = HfApi(token=token, library_name="textvae", library_version=__version__)
    with tempfile.TemporaryDirectory() as scratch:
        made, there = Path(scratch) / "made", Path(scratch) / "there"
        save(replace(model, address=name), made)
        with hub_errors(failed):
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
                delete_patterns=[f"{TOKENIZER_FOLDER}/*", f"{ENCODER_FOLDER}/*"],
            )
    if not own_card:
        warnings.warn(f"{CARD_FILE} of '{name}' was not written by textvae, and was left as it is.", stacklevel=3)
    return str(page)


_NOT_OURS = (
    f"the model of this name on the Hugging Face hub is not one of textvae's ({CONFIG_FILE} is missing, or another "
    "library's); name one that push_to_hub wrote"
)
