"""A model on disk: a folder of JSON, safetensors and the tokenizer's own files. No pickle, no code.

A new model appears whole, by one rename. Over a model that is there, the new files are made in a folder inside of it,
which is renamed to `.textvae.next` when it is whole; then its files take the places of the old ones, one by one. A
reader takes each file from there first, so that it sees the old model or the new one at every moment, and a crash loses
neither. Files that are not ours stay as they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from textvae import __version__
from textvae.config import Component, parse
from textvae.disk import (
    LOCK,
    MARKER,
    FreshFolder,
    is_marked,
    machine_errors,
    mark,
    matches,
    read_json,
    remove_folder,
    sweep,
    write_text,
)
from textvae.disk.markers import not_ours, obstacle
from textvae.errors import ConfigError, ModelError, TextVAEError
from textvae.models.weights import read_weights, require_regular_file, shapes_in, write_weights
from textvae.text.tokenizers import FILES as TOKENIZER_FILES
from textvae.text.tokenizers import load_tokenizer

if TYPE_CHECKING:
    from textvae.models.base import TextModel

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FOLDER, CARD_FILE = "config.json", "model.safetensors", "tokenizer", "README.md"
NEXT = ".textvae.next"
"""In a model folder: a newer model, whole, whose files have not all taken their places yet."""

_PARTS = (CONFIG_FILE, WEIGHTS_FILE, *(f"{TOKENIZER_FOLDER}/{name}" for name in TOKENIZER_FILES))
FILES = (*_PARTS, CARD_FILE, MARKER, LOCK, f"{NEXT}/**")
"""The files of a model folder, as `textvae.disk.matches` takes them."""


def save(model: TextModel, folder: Path, card: dict[str, Any]) -> None:
    """Write a model folder: a new one, or over the model that is there. Other files in it stay as they are.

    Args:
        model: what to save.
        folder: where. A link to a folder stays a link.
        card: corpus, licence, checksum, bounds reached: what the model card tells.

    Raises:
        ModelError: a file that is not ours is in the way, or the weights are no numbers.
        MachineError: the disk refuses.
    """
    in_the_way = obstacle(folder, (*_PARTS, f"{NEXT}/**"), legacy=_is_model)
    if in_the_way is not None:
        raise not_ours(in_the_way, ModelError)
    sweep(folder.parent)
    if not folder.exists():
        with FreshFolder(folder.parent, "model") as fresh:
            _write(model, fresh.path, card)
            _placed(fresh, folder)
        return
    mark(folder, "model")
    sweep(folder)
    _roll_forward(folder)
    with FreshFolder(folder, "model") as fresh:
        _write(model, fresh.path, card)
        _placed(fresh, folder / NEXT)
    _roll_forward(folder)


def _placed(fresh: FreshFolder, place: Path) -> None:
    try:
        fresh.put(place)
    except ConfigError as error:
        raise ModelError(str(error)) from None


def _write(model: TextModel, folder: Path, card: dict[str, Any]) -> None:
    """All files of a model, config.json last: it lists the others with their checksums."""
    with machine_errors(folder):
        write_weights(model, folder / WEIGHTS_FILE)
        if model.tokenizer is not None:
            model.tokenizer.save(folder / TOKENIZER_FOLDER)
        header = {
            "format_version": FORMAT_VERSION,
            "textvae_version": __version__,
            "model": model.config.model_dump(mode="json"),
            "vocab_size": model.vocab_size,
            "max_tokens": model.max_tokens,
            "label_names": list(model.label_names),
            "card": card,
        }
        write_text(folder / CARD_FILE, _model_card(header, model.num_parameters))
        listed = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in (MARKER, LOCK)]
        files = {path.relative_to(folder).as_posix(): _summary(path) for path in listed}
        content = json.dumps({**header, "files": files}, indent=2, allow_nan=False)
        write_text(folder / CONFIG_FILE, content + "\n")


def _summary(path: Path) -> dict[str, int]:
    """Size and CRC-32 of a file, read in pieces."""
    checksum = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**22):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def _roll_forward(folder: Path) -> None:
    """Let the files of `.textvae.next` take their places, and remove those of the older model without a successor."""
    fresh = folder / NEXT
    if not is_marked(fresh):
        return
    own_card = _card_is_ours(folder)
    names = set(read_header(folder)["files"]) | {CONFIG_FILE}
    for name in (*sorted(names - {CONFIG_FILE}), CONFIG_FILE):
        source, place = fresh / name, folder / name
        if not source.exists():
            continue
        if name == CARD_FILE and not own_card:
            source.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another reader was quicker
            source.replace(place)
    for path in [folder / CONFIG_FILE, *folder.glob(f"{TOKENIZER_FOLDER}/*")]:
        name = path.relative_to(folder).as_posix()
        if matches(name, _PARTS) and name not in names and not path.is_symlink() and path.is_file():
            path.unlink()
    remove_folder(fresh, ("**",))


def _card_is_ours(folder: Path) -> bool:
    """Whether the README.md of a model folder is still the one that was written with the model, or missing."""
    path = folder / CARD_FILE
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_file():
        return False
    try:
        expected = read_json(folder / CONFIG_FILE)["files"][CARD_FILE]
    except (OSError, ValueError, KeyError, TypeError):
        # From before sizes were kept, or config.json has taken its place already and README.md comes before it.
        return path.read_bytes().startswith(_CARD_BEGINNING.encode())
    return _summary(path) == expected


def _part(folder: Path, name: str) -> Path:
    """Where a file of a model is at this moment."""
    newer = folder / NEXT / name
    return newer if is_marked(folder / NEXT) and newer.exists() else folder / name


def _is_model(folder: Path) -> bool:
    """Whether a folder without a marker is a model folder of ours, from before there were markers."""
    try:
        _parsed_header(folder / CONFIG_FILE)
    except (TextVAEError, OSError):
        return False
    return True


def _settled(folder: Path) -> Path:
    """A model folder, or the old one beside it that a crash of an earlier version left under another name."""
    older = folder.with_name(folder.name + ".old") if folder.name else folder
    return older if not folder.exists() and (older / CONFIG_FILE).exists() else folder


def read_header(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder, checked for being one of ours.

    Raises:
        ModelError: when it is missing, truncated, foreign or written by a newer version.
    """
    path = _part(folder, CONFIG_FILE)
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
    try:
        header = read_json(path)
        version = header["format_version"]
        header["model"]["kind"]
        files = header.setdefault("files", {})
        known = isinstance(header["label_names"], list) and all(isinstance(name, str) for name in header["label_names"])
        known = known and isinstance(files, dict) and all(isinstance(entry, dict) for entry in files.values())
        known = known and all(type(header[name]) is int and header[name] > 0 for name in ("vocab_size", "max_tokens"))
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise ModelError(f"{path} is truncated or not a textvae model's; train the model again or fetch it anew.")
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

    Raises:
        ModelError: there is none, or it is truncated, foreign, or of another kind.
        PermissionError: it may not be read.
    """
    folder = _settled(_local_folder(folder_or_name))
    header = read_header(folder)
    kind = header["model"]["kind"]
    if expected is not None and kind != expected:
        raise ModelError(
            f"{folder} holds a '{kind}' model, expected '{expected}'; use textvae.models.load_model for any kind."
        )
    where = f"model {folder / CONFIG_FILE}"
    try:
        config = parse(config_type, header["model"], where)
    except ConfigError as error:
        raise ModelError(str(error)) from None
    weights = _part(folder, WEIGHTS_FILE)
    sizes = {name: header[name] for name in ("vocab_size", "max_tokens", "label_names")}
    try:
        _require_listed(weights, header["files"].get(WEIGHTS_FILE))
        _require_sizes(config, sizes, weights)
        model = config.build(**sizes)
        read_weights(model, weights)
    except ModelError as error:
        raise ModelError(f"{error}; train the model again or fetch it anew.") from None
    tokenizer = _tokenizer_folder(folder, header["files"])
    if tokenizer is not None:
        model.tokenizer = load_tokenizer(tokenizer)
        if model.tokenizer.vocab_size != model.vocab_size:
            raise ModelError(
                f"{tokenizer} has {model.tokenizer.vocab_size} tokens, and the model was trained with "
                f"{model.vocab_size}: they do not belong together; fetch the model anew."
            )
    return model.eval()


def _tokenizer_folder(folder: Path, files: dict[str, Any]) -> Path | None:
    """The folder of a model's tokenizer; None where it has none.

    Args:
        folder: of the model.
        files: that config.json lists; a model from before it did has none.
    """
    names = [name for name in files if name.startswith(f"{TOKENIZER_FOLDER}/")]
    newer = [name for name in names if _part(folder, name) != folder / name]
    if names and newer == names:
        return folder / NEXT / TOKENIZER_FOLDER
    if newer:
        # A crash fell between two of its files; together they are one tokenizer.
        _roll_forward(folder)
    place = folder / TOKENIZER_FOLDER
    return place if names or (not files and os.path.lexists(place)) else None


def _require_listed(path: Path, expected: dict[str, Any] | None) -> None:
    """Refuse a file that is not the one that config.json was written with."""
    require_regular_file(path)
    if expected is None:
        return
    size = path.stat().st_size
    if size != expected.get("bytes"):
        raise ModelError(
            f"{path} has {size} bytes, expected {expected.get('bytes')}: it is truncated or another model's"
        )
    if _summary(path) != expected:
        raise ModelError(f"{path} is damaged: its checksum is not the one in {CONFIG_FILE}")


def _require_sizes(config: Any, sizes: dict[str, Any], weights: Path) -> None:
    """Refuse a config whose model has other sizes than the weights, before memory is taken for it."""
    shapes = shapes_in(weights)
    largest = max((max(shape, default=1) for shape in shapes.values()), default=1)
    claimed = {"vocab_size": sizes["vocab_size"], **_dimensions(config)}
    for name, size in claimed.items():
        if size > largest * 16:  # some widths are shared out over parts, none of them to so many
            raise ModelError(f"{CONFIG_FILE} says {name} = {size}, and no tensor of {weights} is that large")
    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in config.build(**sizes).state_dict().items()}
    for name, shape in shapes.items():
        if name in wanted and wanted[name] != shape and wanted[name][1:] != shape[1:]:
            raise ModelError(
                f"{weights} has '{name}' of shape {list(shape)}, and {CONFIG_FILE} says {list(wanted[name])}"
            )


def _dimensions(config: Any, prefix: str = "") -> dict[str, int]:
    """Every setting of a config, and of those below it, that is a number of dimensions."""
    found: dict[str, int] = {}
    for name, value in config:
        if isinstance(value, Component):
            found |= _dimensions(value, f"{prefix}{name}.")
        elif isinstance(value, int) and name.endswith("_dim"):
            found[prefix + name] = value
    return found


def load_as(cls: type, config_type: type[Component], folder_or_name: str | Path) -> Any:
    """`load`, for one class of model only."""
    model = load(config_type, folder_or_name, expected=config_type.model_fields["kind"].default)
    assert isinstance(model, cls)
    return model


def _local_folder(folder_or_name: str | Path) -> Path:
    folder = Path(folder_or_name)
    name = str(folder_or_name)
    looks_like_a_hub_name = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if folder.exists() or _settled(folder).exists() or not looks_like_a_hub_name:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG_FILE, WEIGHTS_FILE, f"{TOKENIZER_FOLDER}/*"]))
    except Exception as error:
        raise ModelError(
            f"'{name}' is no folder here, and the Hugging Face hub did not give it ({type(error).__name__}); "
            "check the name."
        ) from None


_CARD_BEGINNING = "---\nlibrary_name: textvae\n"


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
