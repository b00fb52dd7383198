"""The model card README.md: metadata for the Hugging Face hub at its head, facts, and how to use the model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HERE = "this/folder"
"""What the example of a card loads, for a model that is saved on disk."""

LICENCES = (
    *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0"),
    *("cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
    *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0"),
    *("cdla-sharing-1.0", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gfdl", "gpl"),
    *("gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa"),
    *("odbl", "odc-by", "ofl-1.1", "openrail", "osl-3.0", "pddl", "postgresql", "unlicense", "wtfpl", "zlib"),
)
"""The hub's identifiers of licences that a text or a model may have."""

_DATASET = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
"""Names of data sets on the hub."""


@dataclass(frozen=True)
class Traits:
    """What a model card says of a model beside its header; see `textvae.models.ModelSettings`.

    Attributes:
        has_code: whether a sentence has a code z.
        classifies: whether the model predicts labels.
        needs_vectors: whether new sentences need vectors.
    """

    has_code: bool
    classifies: bool
    needs_vectors: bool


def model_card(header: Mapping[str, Any], *, parameters: int, traits: Traits, address: str = HERE) -> str:
    """The text of a model card.

    Args:
        header: of the model's config.json: its versions, settings and sizes, and the facts under `card`.
        parameters: number of trainable parameters.
        traits: of the model.
        address: what the example of the card loads: a folder, or a name on the hub.
    """
    kind, facts = header["model"]["kind"], header["card"]
    lines = [
        *_metadata(kind, facts, traits),
        "",
        f"# A textvae model: {kind}",
        "",
        f"- textvae {header['textvae_version']}, format {header['format_version']}",
        f"- {parameters:,} parameters, vocabulary {header['vocab_size']}",
        f"- sentences of at most {header['max_tokens']} tokens",
    ]
    if header["label_names"]:
        lines.append(f"- labels: {', '.join(header['label_names'])}")
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "```python", "from textvae.models import load_model", "", f'model = load_model("{address}")']
    if not traits.needs_vectors:
        lines.append("print([made.text for made in model.generate(5)])")
    if traits.classifies:
        lines.append('print(model.classify(["a sentence"]))')
    return "\n".join([*lines, "```", ""])


def _metadata(kind: str, facts: Mapping[str, Any], traits: Traits) -> list[str]:
    """The lines of YAML at the head of a card."""
    licence, dataset = str(facts.get("licence", "")), str(facts.get("dataset", ""))
    known = licence_id(licence)
    lines = [
        "---",
        "library_name: textvae",
        f"pipeline_tag: {'text-classification' if traits.classifies else 'text-generation'}",
        f"license: {known}",
    ]
    if known == "other" and (name := re.sub(r"[^a-z0-9]+", "-", licence.lower()).strip("-")):
        lines.append(f"license_name: {json.dumps(name)}")
    lines += ["tags:", "- textvae", f"- {json.dumps(kind.replace('_', '-'))}"]
    if traits.has_code:
        lines.append("- variational-autoencoder")
    if _DATASET.fullmatch(dataset):
        lines += ["datasets:", f"- {json.dumps(dataset)}"]
    return [*lines, "---"]


def licence_id(licence: str) -> str:
    """The hub's identifier of a licence; "other" for one that it has none for, or that is not known.

    Args:
        licence: as a corpus card names it.

    >>> [licence_id(name) for name in ("CC BY-SA 4.0", "Apache License, Version 2.0", "public domain")]
    ['cc-by-sa-4.0', 'apache-2.0', 'other']
    """
    found = _letters(re.sub(r"\b(the|licen[cs]e|version|international)\b", "", licence.lower()))
    return next((known for known in LICENCES if found == _letters(known)), "other")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name)
