"""The files of a model folder: their names, where to read each of them, and the header.

While a model is being replaced, the complete new model is in the subfolder `.textvae.next` until its files have been
moved to their places one by one. Readers therefore look for each file there first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textvae.disk import LOCK, MARKER, is_marked, read_json
from textvae.encoders import FILES as ENCODER_FILES
from textvae.errors import ModelError, TextVAEError
from textvae.models.weights import require_regular_file
from textvae.text.tokenizers import FILES as TOKENIZER_FILES

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FOLDER, CARD_FILE = "config.json", "model.safetensors", "tokenizer", "README.md"
ENCODER_FOLDER = "encoder"
"""The subfolder with the files that some encoders have beside their weights."""
NEXT = ".textvae.next"
"""The subfolder with a complete newer model, whose files have not all been moved to their places yet."""

PARTS = (
    *(CONFIG_FILE, WEIGHTS_FILE),
    *(f"{TOKENIZER_FOLDER}/{name}" for name in TOKENIZER_FILES),
    *(f"{ENCODER_FOLDER}/{name}" for name in ENCODER_FILES),
)
FILES = (*PARTS, CARD_FILE, MARKER, LOCK, f"{NEXT}/**")
"""Patterns of all files of a model folder, as `textvae.disk.matches` takes them."""


def read_header(folder: Path) -> dict[str, Any]:
    """The content of a model folder's config.json, checked.

    Raises:
        ModelError: the file is missing, damaged, not written by textvae, or written by a newer version.
    """
    path = part_of(folder, CONFIG_FILE)
    if not path.exists():
        raise ModelError(
            f"{folder} holds no model: {CONFIG_FILE} is missing; name a folder such as runs/NAME/train/model."
        )
    return _parsed_header(path)


def _parsed_header(path: Path) -> dict[str, Any]:
    try:
        require_regular_file(path)
    except ModelError as error:
        raise ModelError(f"{error}; name a model folder such as runs/NAME/train/model.") from None
    header = known_header(path)
    if header is None:
        raise ModelError(f"{path} is truncated or not a textvae model's; train the model again or download it again.")
    if header["format_version"] != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format_version {header['format_version']}, this textvae reads {FORMAT_VERSION}; install a "
            "newer textvae."
        )
    return header


def known_header(path: Path) -> dict[str, Any] | None:
    """The content of a config.json of any version of textvae; None if it is something else, or damaged."""
    try:
        header = read_json(path)
        known = "format_version" in header
        header["model"]["kind"]
        files = header.setdefault("files", {})
        known = known and isinstance(header["label_names"], list)
        known = known and all(isinstance(name, str) for name in header["label_names"])
        known = known and isinstance(files, dict) and all(isinstance(entry, dict) for entry in files.values())
        known = known and all(type(header[name]) is int and header[name] > 0 for name in ("vocab_size", "max_tokens"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return header if known else None


def part_of(folder: Path, name: str) -> Path:
    """The path from which to read a file of a model now: in `.textvae.next` if it is there, else in the folder."""
    newer = folder / NEXT / name
    return newer if is_marked(folder / NEXT) and newer.exists() else folder / name


def is_model(folder: Path) -> bool:
    """Whether a folder is a model that a version without markers wrote."""
    try:
        _parsed_header(folder / CONFIG_FILE)
    except (TextVAEError, OSError):
        return False
    return True
