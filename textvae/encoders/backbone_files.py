"""The files of a pretrained encoder: a folder of Hugging Face transformers, on disk or on the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textvae.arguments import shown
from textvae.disk import (
    MISSING,
    at_home,
    hub_errors,
    is_folder,
    is_hub_name,
    machine_errors,
    problem_of_file,
    sha256_of,
    shown_path,
)
from textvae.errors import ConfigError, ModelError

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LENGTHS = "sentence_bert_config.json"
"""Where sentence encoders say how many tokens they read."""
VOCABULARIES = (
    *("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"),
)
"""A tokenizer has at least one of these."""
FILES = (
    *(CONFIG, LENGTHS, *VOCABULARIES, "merges.txt"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
"""All files that are read beside the weights. None of them has code in it."""


@dataclass(frozen=True)
class BackboneFiles:
    """What a pretrained encoder is built from.

    Attributes:
        name: the folder or the name on the hub, as it was given.
        files: contents of the files beside the weights, by name; all names are of `FILES`.
        weights: the weights files, by name; empty where the weights are read by somebody else.
    """

    name: str
    files: Mapping[str, bytes] = field(repr=False)
    weights: Mapping[str, Path] = field(repr=False)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the weights file; for weights in several files, of their own SHA-256 in the order of names."""
        found = [sha256_of(path) for _, path in sorted(self.weights.items())]
        return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """A SHA-256 of everything that features depend on: the weights and all other files."""
        found = hashlib.sha256(self.sha256.encode())
        for name, content in sorted(self.files.items()):
            found.update(f"\0{name}\0{len(content)}\0".encode())
            found.update(content)
        return found.hexdigest()

    def table(self, name: str) -> dict[str, Any]:
        """The content of a JSON file; an empty table where there is no such file.

        Raises:
            ModelError: the file is no table of JSON.
        """
        try:
            found = json.loads(self.files.get(name, b"{}"))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ModelError(f"{name} of '{shown_path(self.name)}' is damaged: it is no table of JSON; get it again.")
        return found


def find_backbone(model: str, revision: str | None = None) -> BackboneFiles:
    """The files of a pretrained encoder. Those on the hub are downloaded, unless they are in the hub's cache.

    Args:
        model: a folder, or a name on the Hugging Face hub.
        revision: a branch, a tag or a commit on the hub; its main branch when None.

    Raises:
        ModelError: there is no such model, or files are missing: config.json, weights as safetensors, a tokenizer.
        ConfigError: a revision was given with a folder.
        MachineError: the hub cannot be reached.
    """
    folder = at_home(model)
    if not is_folder(folder):
        folder = _downloaded(model, revision)
    elif revision is not None:
        raise ConfigError(
            f"encoder.revision is {shown(revision)}, and only models on the Hugging Face hub have revisions; leave it "
            f"out for the folder {shown_path(model)}."
        )
    found = {name: (folder / name) for name in FILES if problem_of_file(folder / name) is None}
    if CONFIG not in found:
        raise ModelError(f"{_what(model)} has no {CONFIG}; give the folder of a model of Hugging Face transformers.")
    if not found.keys() & set(VOCABULARIES):
        raise ModelError(
            f"{_what(model)} has no tokenizer (none of {', '.join(VOCABULARIES)}); give a folder with the model and "
            "its tokenizer."
        )
    return BackboneFiles(model, {name: path.read_bytes() for name, path in found.items()}, _weights(model, folder))


def _what(model: str) -> str:
    return f"the pretrained encoder '{shown_path(model)}'"


def _weights(model: str, folder: Path) -> dict[str, Path]:
    """The weights files of a folder by name, the index of several among them."""
    if problem_of_file(folder / WEIGHTS) is None:
        return {WEIGHTS: folder / WEIGHTS}
    if problem_of_file(folder / INDEX) is not None:
        problem = problem_of_file(folder / WEIGHTS)
        why = f"has no {WEIGHTS}" if problem == MISSING else f"has a {WEIGHTS} that {problem}"
        raise ModelError(
            f"{_what(model)} {why}; give a model whose weights are safetensors, as other formats can hold code."
        )
    try:
        parts = set(json.loads((folder / INDEX).read_bytes())["weight_map"].values())
        known = all(Path(part).name == part and part.endswith(".safetensors") for part in parts)
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    missing = [part for part in sorted(parts) if problem_of_file(folder / part) is not None] if known else [INDEX]
    if missing:
        raise ModelError(f"{missing[0]} of {_what(model)} is missing or damaged; get it again.")
    return {name: folder / name for name in (INDEX, *sorted(parts))}


def _downloaded(model: str, revision: str | None) -> Path:
    """The folder in the hub's cache with a model's files: those of `FILES` and the weights, config.json first."""
    owned = "/" in model or model.startswith((".", "~")) or not model
    if owned and not is_hub_name(model):
        raise ModelError(
            f"{_what(model)} is no folder here; give the folder of a model, or its OWNER/NAME on the Hugging Face hub."
        )
    from huggingface_hub import snapshot_download

    failed = f"{_what(model)} is no folder here, and"
    with hub_errors(failed), machine_errors(Path(model)):
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=[CONFIG]))
        if problem_of_file(folder / CONFIG) is not None:
            raise ModelError(f"{failed} the model of this name on the Hugging Face hub has no {CONFIG}; name another.")
        # The folder is named after its commit: all files are of the same one.
        wanted = [*FILES, WEIGHTS, INDEX, "model-*.safetensors"]
        return Path(snapshot_download(model, revision=folder.name, allow_patterns=wanted))
