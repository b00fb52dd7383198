"""Loading a model of a run, from a folder or from the Hugging Face hub, safely: without pickle, without executing code
from it, and without allocating memory for sizes that its weights do not have.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.overrides import TorchFunctionMode

from textvae.arguments import shown
from textvae.config import Component, parse
from textvae.disk import at_home, find_model, is_hub_name, settled, shown_path, size_and_crc
from textvae.encoders import FILES as ENCODER_FILES
from textvae.errors import ConfigError, ModelError
from textvae.models import hub
from textvae.models.base import TextModel
from textvae.models.folder import CONFIG_FILE, ENCODER_FOLDER, TOKENIZER_FOLDER, WEIGHTS_FILE, part_of, read_header
from textvae.models.weights import read_weights, require_regular_file, shapes_in
from textvae.text.tokenizers import Tokenizer, load_tokenizer

_TRIES = 5
"""How often reading is repeated if the model is replaced meanwhile."""


def load(
    config_type: Any,
    folder_or_name: str | Path,
    *,
    kinds: Collection[str] | None = None,
    stage: str = "train",
    revision: str | None = None,
) -> TextModel:
    """Build a model and read its weights.

    Args:
        config_type: the settings class that is accepted, or a union of them.
        folder_or_name: a finished run, a model folder, or a name on the Hugging Face hub (`owner/model`).
        kinds: the kinds of model that are accepted; None for any kind.
        stage: the stage whose model is read, for a run. For a stage other than `train` a model folder stands for its
            run, unless its model is of one of `kinds`.
        revision: a branch, a tag or a commit on the hub; its main branch when None.

    Raises:
        ModelError: there is no model, or it is damaged, not written by textvae, or of another kind.
        ConfigError: a revision was given with a folder.
        MachineError: the hub cannot be reached.
        PermissionError: a file may not be read.
    """
    folder = _model_folder(folder_or_name, kinds, stage, revision)
    for _ in range(_TRIES):
        header = read_header(folder)
        try:
            return _loaded(config_type, folder, header, kinds)
        except (ModelError, FileNotFoundError):
            # The model may have been replaced while it was read: try again if its header has changed.
            if read_header(folder) == header:
                raise
    raise ModelError(f"{folder} was replaced {_TRIES} times while it was read; try again when nothing writes to it.")


def _loaded(config_type: Any, folder: Path, header: dict[str, Any], kinds: Collection[str] | None) -> TextModel:
    """The model of a folder with this header."""
    kind = header["model"]["kind"]
    if kinds is not None and kind not in kinds:
        expected = " or ".join(f"'{name}'" for name in sorted(kinds))
        raise ModelError(
            f"{folder} holds a '{kind}' model, expected {expected}; use textvae.models.load_model for any kind."
        )
    where = f"model {folder / CONFIG_FILE}"
    try:
        config = parse(config_type, header["model"], where)
    except ConfigError as error:
        raise ModelError(str(error)) from None
    weights = part_of(folder, WEIGHTS_FILE)
    sizes = {name: header[name] for name in ("vocab_size", "max_tokens", "label_names")}
    try:
        _require_listed(weights, header["files"].get(WEIGHTS_FILE))
        located = config.with_files(_encoder_files(folder, header["files"]))
        _require_sizes(located, sizes, weights)
        model = located.build(**sizes)
        model.config = config
        read_weights(model, weights)
    except ModelError as error:
        if str(error).endswith("."):
            raise
        raise ModelError(f"{error}; train the model again or download it again.") from None
    card = header.get("card")
    model.card = card if isinstance(card, dict) else {}
    model.tokenizer = _tokenizer(folder, header["files"])
    if model.tokenizer is not None and model.tokenizer.vocab_size != model.vocab_size:
        raise ModelError(
            f"{folder / TOKENIZER_FOLDER} has {model.tokenizer.vocab_size} tokens, and the model was trained with "
            f"{model.vocab_size}: they do not belong together; download the model again."
        )
    return model.eval()


def load_as(
    cls: type,
    config_type: type[Component],
    folder_or_name: str | Path,
    *,
    stage: str = "train",
    revision: str | None = None,
) -> Any:
    """`load` for a single class of model."""
    kinds = {config_type.model_fields["kind"].default}
    model = load(config_type, folder_or_name, kinds=kinds, stage=stage, revision=revision)
    assert isinstance(model, cls)
    return model


def _model_folder(folder_or_name: str | Path, kinds: Collection[str] | None, stage: str, revision: str | None) -> Path:
    """The model folder from which a model is loaded; one on the hub is downloaded."""
    if is_hub_name(folder_or_name):
        return hub.download(str(folder_or_name), revision)
    if revision is not None:
        raise ConfigError(
            f"revision is {shown(revision)}, and only models on the Hugging Face hub have revisions; leave it out for "
            f"{shown_path(folder_or_name)}, or give the OWNER/NAME of a model there."
        )
    folder = settled(at_home(folder_or_name))
    # What is wrong with a config.json that cannot be read, `read_header` says.
    if os.path.lexists(folder / CONFIG_FILE) and (
        stage == "train" or read_header(folder)["model"]["kind"] in (kinds or ())
    ):
        return folder
    return find_model(folder_or_name, stage)


def _encoder_files(folder: Path, files: dict[str, Any]) -> dict[str, bytes]:
    """The files of a model's encoder, by their name in its folder; see `Encoder.own_files`.

    Args:
        folder: the model folder.
        files: the files that config.json lists.
    """
    found = {}
    for name in files:
        within, _, own = name.partition("/")
        if within == ENCODER_FOLDER and own in ENCODER_FILES:
            path = part_of(folder, name)
            _require_listed(path, files[name])
            found[own] = path.read_bytes()
    return found


def _tokenizer(folder: Path, files: dict[str, Any]) -> Tokenizer | None:
    """The tokenizer of a model; None if it has none.

    Args:
        folder: the model folder.
        files: the files that config.json lists; empty for a model of an early version, which did not list them.
    """
    names = [name for name in files if name.startswith(f"{TOKENIZER_FOLDER}/")]
    parts = {name: part_of(folder, name) for name in names}
    for name, path in parts.items():
        try:
            _require_listed(path, files[name])
        except ModelError as error:
            raise ModelError(f"{error}; download the model again.") from None
    homes = {path.parent for path in parts.values()}
    if len(homes) > 1:
        # A save is moving the files, or crashed while doing so: some are in `.textvae.next`, some in their places.
        # Readers write nothing into the folder, so collect the files in a temporary one.
        with tempfile.TemporaryDirectory() as copy:
            for name, path in parts.items():
                shutil.copyfile(path, Path(copy) / Path(name).name)
            return load_tokenizer(copy)
    place = homes.pop() if homes else folder / TOKENIZER_FOLDER
    return load_tokenizer(place) if names or (not files and os.path.lexists(place)) else None


def _require_listed(path: Path, expected: dict[str, Any] | None) -> None:
    """Refuse a file whose size or checksum differs from that in config.json."""
    require_regular_file(path)
    if expected is None:
        return
    size = path.stat().st_size
    if size != expected.get("bytes"):
        raise ModelError(
            f"{path} has {size} bytes, expected {expected.get('bytes')}: it is truncated or another model's"
        )
    if size_and_crc(path) != expected:
        raise ModelError(f"{path} is damaged: its checksum is not the one in {CONFIG_FILE}")


def _require_sizes(config: Any, sizes: dict[str, Any], weights: Path) -> None:
    """Refuse a config whose sizes do not fit the weights, before memory is allocated for the model."""
    shapes = shapes_in(weights)
    largest = max((max(shape, default=1) for shape in shapes.values()), default=1)
    claimed = {"vocab_size": sizes["vocab_size"], **_dimensions(config)}
    for name, size in claimed.items():
        if size > largest * 16:  # some sizes are divided among parts, but never by more than 16
            raise ModelError(f"{CONFIG_FILE} says {name} = {size}, and no tensor of {weights} is that large")
    with torch.device("meta"), _Unfilled():
        wanted = {name: tuple(value.shape) for name, value in config.build(**sizes).state_dict().items()}
    for name, shape in wanted.items():
        if max(shape, default=1) > largest * 16:
            raise ModelError(f"'{name}' would be of shape {list(shape)}, and no tensor of {weights} is that large")
    for name, shape in shapes.items():
        if name in wanted and wanted[name] != shape and wanted[name][1:] != shape[1:]:
            raise ModelError(
                f"{weights} has '{name}' of shape {list(shape)}, and {CONFIG_FILE} says {list(wanted[name])}"
            )


class _Unfilled(TorchFunctionMode):
    """Within this context tensors are not filled with first values: on the meta device there is nothing to fill, and
    drawing random numbers there makes torch import its compiler, which takes a second."""

    _METHODS: ClassVar = frozenset(getattr(torch.Tensor, name) for name in ("normal_", "uniform_", "zero_", "fill_"))
    _FUNCTIONS: ClassVar = frozenset(
        getattr(torch.nn.init, name) for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in self._METHODS or func in self._FUNCTIONS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _dimensions(config: Any, prefix: str = "") -> dict[str, int]:
    """Every setting of a config, also of nested ones, that is a number of dimensions (`..._dim`)."""
    found: dict[str, int] = {}
    for name, value in config:
        if isinstance(value, Component):
            found |= _dimensions(value, f"{prefix}{name}.")
        elif isinstance(value, int) and name.endswith("_dim"):
            found[prefix + name] = value
    return found
