"""A model on disk: a folder of JSON, safetensors and the tokenizer's own files. No pickle, no code."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_model as load_weights
from safetensors.torch import save_model as save_weights

from textvae import __version__
from textvae.config import Component, parse
from textvae.errors import MachineError, ModelError
from textvae.text.tokenizers import load_tokenizer

if TYPE_CHECKING:
    from textvae.models.base import TextModel

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FOLDER = "config.json", "model.safetensors", "tokenizer"


def save(model: TextModel, folder: Path, card: dict[str, Any]) -> None:
    """Write a model folder beside its place, then move it there, so that no half of one is ever seen.

    Args:
        model: what to save.
        folder: where; an older model there is replaced.
        card: corpus, licence, checksum, bounds reached: what the model card tells.

    Raises:
        MachineError: when the disk is full.
    """
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    header = {
        "format_version": FORMAT_VERSION,
        "textvae_version": __version__,
        "model": model.config.model_dump(mode="json"),
        "vocab_size": model.vocab_size,
        "max_tokens": model.max_tokens,
        "label_names": list(model.label_names),
        "card": card,
    }
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        (fresh / CONFIG_FILE).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
        save_weights(model, str(fresh / WEIGHTS_FILE))
        if model.tokenizer is not None:
            (fresh / TOKENIZER_FOLDER).mkdir()
            model.tokenizer.save(fresh / TOKENIZER_FOLDER)
        (fresh / "README.md").write_text(_model_card(header, model.num_parameters), encoding="utf-8")
        for path in fresh.rglob("*"):
            if path.is_file():
                _flush(path)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MachineError(
                f"no space left on the disk for the model in {folder}; free some and run again."
            ) from None
        raise


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def read_header(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder, checked for being one of ours.

    Raises:
        ModelError: when it is missing, truncated, foreign or written by a newer version.
    """
    interrupted = folder.with_name(folder.name + ".old")
    if not folder.exists() and (interrupted / CONFIG_FILE).exists():
        # A crash fell between the two renames of `save`: the old model is whole, so put it back.
        interrupted.rename(folder)
    path = folder / CONFIG_FILE
    if not path.exists():
        raise ModelError(
            f"{folder} holds no model: {CONFIG_FILE} is missing; name a folder such as runs/NAME/train/model."
        )
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        version = header["format_version"]
        header["model"]["kind"], header["vocab_size"], header["max_tokens"], header["label_names"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{path} is truncated or not a textvae model's; train the model again or fetch it anew."
        ) from None
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format_version {version}, this textvae reads {FORMAT_VERSION}; install a newer textvae."
        )
    return header


def load(config_type: Any, folder_or_name: str | Path, expected: str | None = None) -> TextModel:
    """Build the model of a folder and read its weights.

    Args:
        config_type: the config, or union of configs, that is acceptable.
        folder_or_name: a folder, or a name on the Hugging Face hub (`owner/model`).
        expected: the only kind that will do, for the error message.
    """
    folder = _local_folder(folder_or_name)
    header = read_header(folder)
    kind = header["model"]["kind"]
    if expected is not None and kind != expected:
        raise ModelError(
            f"{folder} holds a '{kind}' model, expected '{expected}'; use textvae.models.load_model for any kind."
        )
    config = parse(config_type, header["model"], f"model {folder / CONFIG_FILE}")
    model = config.build(
        vocab_size=header["vocab_size"], max_tokens=header["max_tokens"], label_names=header["label_names"]
    )
    weights = folder / WEIGHTS_FILE
    try:
        load_weights(model, str(weights))
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ModelError(
            f"{weights} is missing, truncated or of another model ({reason}); train the model again or fetch it anew."
        ) from None
    if (folder / TOKENIZER_FOLDER).exists():
        model.tokenizer = load_tokenizer(folder / TOKENIZER_FOLDER)
    return model.eval()


def load_as(cls: type, config_type: type[Component], folder_or_name: str | Path) -> Any:
    """`load`, for one class of model only."""
    model = load(config_type, folder_or_name, expected=config_type.model_fields["kind"].default)
    assert isinstance(model, cls)
    return model


def _local_folder(folder_or_name: str | Path) -> Path:
    folder = Path(folder_or_name)
    name = str(folder_or_name)
    looks_like_a_hub_name = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if folder.exists() or folder.with_name(folder.name + ".old").exists() or not looks_like_a_hub_name:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG_FILE, WEIGHTS_FILE, f"{TOKENIZER_FOLDER}/*"]))
    except Exception as error:
        raise ModelError(
            f"'{name}' is no folder here, and the Hugging Face hub did not give it ({type(error).__name__}); "
            "check the name."
        ) from None


def _model_card(header: dict[str, Any], num_parameters: int) -> str:
    model = header["model"]
    lines = [
        "---",
        "library_name: textvae",
        "pipeline_tag: text-generation",
        "---",
        "",
        f"# A textvae model: {model['kind']}",
        "",
        f"- textvae {header['textvae_version']}, format {header['format_version']}",
        f"- {num_parameters:,} parameters, vocabulary {header['vocab_size']}",
        f"- sentences of at most {header['max_tokens']} tokens",
    ]
    if header["label_names"]:
        lines.append(f"- labels: {', '.join(header['label_names'])}")
    lines += [f"- {name}: {value}" for name, value in header["card"].items()]
    lines += [
        "",
        "```python",
        "from textvae.models import load_model",
        "",
        'model = load_model("this/folder")',
        "```",
        "",
    ]
    return "\n".join(lines)
