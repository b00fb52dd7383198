"""Fingerprints: a hash over everything on which a stage's output depends; and differences of settings as text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_ABSENT = object()
_LONGEST = 60
"""Most characters of a value that are shown."""


def canonical(value: object) -> str:
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
    """SHA-256 over everything on which a stage's output depends.

    Args:
        stage: its name.
        stage_version: raised by hand when a change of the stage's code changes its results.
        package_version: of textvae.
        config: its settings, defaults filled in.
        inputs: fingerprints of what it reads.
        seed: None for a stage that uses no random numbers.
    """
    parts = [stage, stage_version, package_version, dict(config), dict(inputs), seed]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def changes(old: object, new: object, prefix: str) -> list[str]:
    """The settings in which two configs differ, each as `` `name` old -> new ``.

    >>> changes({"epochs": 3, "model": {"kind": "lstm"}}, {"epochs": 5, "model": {"kind": "lstm"}}, "train")
    ['`train.epochs` 3 -> 5']
    >>> texts = ["a sentence that is long", "and another one", "of which there are many"]
    >>> changes({"texts": [*texts, "the end"]}, {"texts": [*texts, "not yet the end"]}, "")
    ['`texts` ...e many", "the end"] -> ...e many", "not yet the end"]']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for name in sorted({*old, *new}):
            found += changes(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{prefix}.{name}" if prefix else name)
        return found
    # Compared as JSON, because JSON turns tuples into lists.
    if old is not _ABSENT and new is not _ABSENT and canonical(old) == canonical(new):
        return []
    before, after = _text(old), _text(new)
    # Long values are shown from shortly before the first difference.
    differing = (position for position, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    alike = next(differing, min(len(before), len(after)))
    start = max(0, alike - 12) if max(len(before), len(after)) > _LONGEST else 0
    return [f"`{prefix}` {_from(before, start)} -> {_from(after, start)}"]


def _text(value: Any) -> str:
    return "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False)


def _from(text: str, start: int) -> str:
    end = start + _LONGEST
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
