"""Fingerprints: what a stage's output depends on, in one hash; and what changed, in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def canonical(value: Any) -> str:
    """JSON in which equal settings are equal strings.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=True)


def fingerprint(
    stage: str,
    stage_version: int,
    package_version: str,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    seed: int | None,
) -> str:
    """SHA-256 over all that a stage's output depends on.

    Args:
        stage: its name.
        stage_version: raised by hand when the stage's code comes to give other results.
        package_version: of textvae.
        config: its settings, defaults filled in.
        inputs: fingerprints of what it reads.
        seed: None for a stage that draws nothing.
    """
    parts = [stage, stage_version, package_version, dict(config), dict(inputs), seed]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def changes(old: Any, new: Any, prefix: str) -> list[str]:
    """Each setting in which two configs differ, as `` `name` old -> new ``.

    >>> changes({"epochs": 3, "model": {"kind": "lstm"}}, {"epochs": 5, "model": {"kind": "lstm"}}, "train")
    ['`train.epochs` 3 -> 5']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for name in sorted({*old, *new}):
            found += changes(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{prefix}.{name}" if prefix else name)
        return found
    # Compared as JSON, since a tuple comes back from a file as a list.
    if old is not _ABSENT and new is not _ABSENT and canonical(old) == canonical(new):
        return []
    return [f"`{prefix}` {_shown(old)} -> {_shown(new)}"]


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
