"""Finds the run from which another run starts (`start_from`), and its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from textvae.disk import find_model
from textvae.pipeline.fingerprint import canonical
from textvae.pipeline.manifest import describe_files, read_manifest

SOURCE = "start_from"
"""Name of its fingerprint among the inputs in a manifest."""

Planned = Mapping[Path, str]
"""Run folders (absolute) that the same command brings up to date before, and the fingerprints of their training."""


def source_model(named: str, beside: Path) -> Path:
    """The model folder of the run that a recipe names, or the model's name on the Hugging Face hub.

    Args:
        named: a run folder, a model folder or a name on the hub. `runs/NAME` is searched beside the run that starts
            from it first, because `--out` may have put both elsewhere; then as a path.
        beside: the parent folder of the run that starts from it.

    Raises:
        ModelError: there is no such run or model.
    """
    sibling = _sibling(named, beside)
    if sibling is not None and (sibling / "train" / "model").is_dir():
        return sibling / "train" / "model"
    return find_model(named)


def source_fingerprint(named: str, beside: Path, planned: Planned) -> str:
    """The fingerprint of a source: that of its training, or a hash of its files where there is no manifest.

    Args:
        named: see `source_model`.
        beside: see `source_model`.
        planned: runs that the same command brings up to date before this one.

    Raises:
        ModelError: there is no such run or model.
    """
    for folder in (_sibling(named, beside), Path(named).expanduser()):
        if folder is not None and folder.resolve() in planned:
            return planned[folder.resolve()]
    model = source_model(named, beside)
    trained = read_manifest(model.parent)
    if trained is not None:
        return trained.fingerprint
    # A model on the hub is identified by its name alone.
    content = describe_files(model) if model.is_dir() else named
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _sibling(named: str, beside: Path) -> Path | None:
    """The run folder beside the run that starts from it, where `named` is `runs/NAME`; else None.

    >>> _sibling("runs/lm", Path("/elsewhere")).as_posix(), _sibling("/a/lm", Path("/elsewhere"))
    ('/elsewhere/lm', None)
    """
    parts = Path(named).parts
    return beside / parts[1] if len(parts) == 2 and parts[0] == "runs" else None
