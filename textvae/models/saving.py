"""Saving a model: a folder of JSON, safetensors and the tokenizer's files.

A new model appears complete, by one rename. To replace a model, the new files are written into a temporary folder
inside the model folder, which is renamed to `.textvae.next` when it is complete. Then its files are moved to their
places one by one. Readers look for each file in `.textvae.next` first, so that they see either the old model or the
new one at any moment, also after a crash. Files that textvae did not write are left alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from textvae import __version__
from textvae.config import Component
from textvae.disk import (
    EVERYTHING,
    LOCK,
    MARKER,
    FreshFolder,
    held,
    is_marked,
    machine_errors,
    mark,
    matches,
    not_ours,
    obstacle,
    read_json,
    remove_folder,
    remove_unfinished,
    rename_folder,
    size_and_crc,
    sweep,
    temporary_name,
    what_is,
    write_text,
)
from textvae.errors import ConfigError, ModelError
from textvae.models.card import HERE, Traits, model_card
from textvae.models.folder import (
    CARD_FILE,
    CONFIG_FILE,
    ENCODER_FOLDER,
    FORMAT_VERSION,
    NEXT,
    PARTS,
    TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    is_model,
    read_header,
)
from textvae.models.weights import write_weights
from textvae.text.tokenizers import Tokenizer

_PATIENCE = 60.0
"""Seconds that one save waits for another in the same folder."""


@dataclass(frozen=True)
class Contents:
    """What is saved in a model folder.

    Attributes:
        module: the module with the weights.
        config: the settings from which it was built.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.
        label_names: the classes.
        tokenizer: the tokenizer; None for a model that takes only tensors.
        encoder_files: what the encoder has beside its weights, by name; see `Encoder.own_files`.
        num_parameters: number of trainable parameters, for the model card.
        card: facts for the model card, such as corpus, licence, checksum and bounds reached.
        traits: what the model card says of the model.
        address: what the example of the model card loads.
    """

    module: nn.Module
    config: Component
    vocab_size: int
    max_tokens: int
    label_names: tuple[str, ...]
    tokenizer: Tokenizer | None
    encoder_files: Mapping[str, bytes]
    num_parameters: int
    card: dict[str, Any]
    traits: Traits
    address: str = HERE


def save(model: Contents, folder: Path) -> None:
    """Write a model folder, a new one or in place of an older model. Other files in it are left alone.

    Args:
        model: what to save.
        folder: the folder, or a link to one.

    Raises:
        ModelError: a file that textvae did not write has one of our names, or a weight is not finite.
        ConfigError: another process is saving there and does not finish.
        MachineError: the disk is full or broken.
    """
    in_the_way = obstacle(folder, (*PARTS, f"{NEXT}/**"), ("model",), legacy=is_model)
    if in_the_way is None and os.path.lexists(folder / NEXT) and what_is(folder / NEXT) != "model":
        in_the_way = folder / NEXT
    if in_the_way is not None:
        raise not_ours(in_the_way, ModelError)
    sweep(folder.parent)
    if not folder.exists():
        with FreshFolder(folder.parent, "model") as fresh:
            _write(model, fresh.path)
            try:
                fresh.put(folder)
                return
            except ConfigError as error:
                if what_is(folder) != "model":
                    raise ModelError(str(error)) from None
        # Another process has saved a model there meanwhile; replace it.
    mark(folder, "model")
    with held(folder, _PATIENCE):
        remove_unfinished(folder, below=False)
        try:
            _roll_forward(folder)
        except ModelError:
            # An earlier save moved config.json to its place, where it was damaged later. The new model replaces it.
            if (folder / NEXT / CONFIG_FILE).exists():
                raise
            _remove_next(folder)
        with FreshFolder(folder, "model") as fresh:
            _write(model, fresh.path)
            fresh.put(folder / NEXT)
        _roll_forward(folder)


def _write(model: Contents, folder: Path) -> None:
    """Write all files of a model; config.json last, as it lists the others with their checksums."""
    with machine_errors(folder):
        write_weights(model.module, folder / WEIGHTS_FILE)
        if model.tokenizer is not None:
            model.tokenizer.save(folder / TOKENIZER_FOLDER)
        for name, data in model.encoder_files.items():
            (folder / ENCODER_FOLDER).mkdir(exist_ok=True)
            (folder / ENCODER_FOLDER / name).write_bytes(data)
        header = {
            "format_version": FORMAT_VERSION,
            "textvae_version": __version__,
            "model": model.config.model_dump(mode="json"),
            "vocab_size": model.vocab_size,
            "max_tokens": model.max_tokens,
            "label_names": list(model.label_names),
            "card": model.card,
        }
        card = model_card(header, parameters=model.num_parameters, traits=model.traits, address=model.address)
        write_text(folder / CARD_FILE, card)
        listed = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in (MARKER, LOCK)]
        files = {path.relative_to(folder).as_posix(): size_and_crc(path) for path in listed}
        try:
            content = json.dumps({**header, "files": files}, indent=2, allow_nan=False)
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"the card of the model in {folder.parent} cannot be written as JSON ({error}); give strings, finite "
                "numbers, and lists and tables of them."
            ) from None
        write_text(folder / CONFIG_FILE, content + "\n")


def _roll_forward(folder: Path) -> None:
    """Move the files of `.textvae.next` to their places, and remove files of the older model that the new one lacks."""
    fresh = folder / NEXT
    if not is_marked(fresh):
        return
    own_card = card_is_ours(folder)
    names = set(read_header(folder)["files"]) | {CONFIG_FILE}
    for name in (*sorted(names - {CONFIG_FILE}), CONFIG_FILE):
        source, place = fresh / name, folder / name
        if not source.exists():
            continue
        if name == CARD_FILE and not own_card:
            source.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        source.replace(place)
    for path in (*folder.glob(f"{TOKENIZER_FOLDER}/*"), *folder.glob(f"{ENCODER_FOLDER}/*")):
        name = path.relative_to(folder).as_posix()
        if matches(name, PARTS) and name not in names and not path.is_symlink() and path.is_file():
            path.unlink()
    _remove_next(folder)


def _remove_next(folder: Path) -> None:
    """Remove `.textvae.next`, under a temporary name, so that `sweep` removes what a crash leaves of it."""
    aside = folder / temporary_name()
    rename_folder(folder / NEXT, aside)
    remove_folder(aside, EVERYTHING)


def card_is_ours(folder: Path) -> bool:
    """Whether README.md of a model folder is missing or still as it was saved with the model, not edited by a user."""
    path = folder / CARD_FILE
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return size_and_crc(path) == read_json(folder / CONFIG_FILE)["files"][CARD_FILE]
    except (OSError, ValueError, KeyError, TypeError):
        return False
