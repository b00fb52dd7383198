"""The corpus card of a user's file, and the sentences in which `textvae new` says what it found in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textvae.pipeline.proposal import Proposal

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport


def corpus_card(found: FileReport, name: str) -> dict[str, Any]:
    """The table of the corpus card of a file."""
    card: dict[str, Any] = {
        "name": name,
        "kind": found.kind,
        "licence": "",
        "description": "",
        "root": str(found.path.absolute().parent),
        "files": {"train": found.path.name},
        "split_fractions": {"train": 0.9, "valid": 0.05, "test": 0.05},
    }
    if found.texts.count < 1000:
        card["split_fractions"] = {"train": 0.8, "valid": 0.1, "test": 0.1}
    if found.split_sentences:
        card["split_sentences"] = True
    if found.header is not None:
        card["header"] = found.header
    if found.text_column is not None:
        card["text_column"] = found.text_column
    if found.label_column is not None:
        card["label_column"] = found.label_column
    return card


def file_notes(proposal: Proposal) -> list[str]:
    """Sentences about the file; the first one names its kind and its texts."""
    found = proposal.found
    unit = "words" if found.texts.has_spaces else "characters"
    more = "" if found.complete else " at least"
    where = "" if found.text_column is None else f" in column {found.text_column!r}"
    quantiles = found.texts.words_quantiles
    notes = [
        f"{found.path}: {found.kind},{more} {found.texts.count:,} texts{where}, half of them of at most "
        f"{quantiles[0.5]} {unit}, 95 % of at most {quantiles[0.95]}.",
    ]
    if found.split_sentences:
        notes.append("A book or article: cut into sentences.")
    elif found.text_column is None:
        notes.append("One text a line.")
    if found.texts.empty:
        notes.append(f"{found.texts.empty:,} empty texts are left out.")
    if proposal.labels:
        given = proposal.shown_labels
        then = f"a classifier is trained from {given} of them" if given else "the rarest is too rare for a classifier"
        notes.append(f"Labels in column {found.label_column!r}: {', '.join(list(proposal.labels)[:8])}; {then}.")
    return notes
