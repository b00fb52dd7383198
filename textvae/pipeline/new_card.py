"""The corpus card of a user's file, and the sentences in which `textvae new` says what it found in the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textvae.pipeline.proposal import MAX_LABELS, Proposal, cut_fractions

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport

_SHOWN = 8
_DELIMITERS = {"\t": "tabs"}


def corpus_card(found: FileReport, name: str) -> dict[str, Any]:
    """The table of the corpus card of a file."""
    card: dict[str, Any] = {
        "name": name,
        "kind": found.kind,
        "licence": "",
        "description": "",
        "root": str(found.path.absolute().parent),
        "files": {"train": found.path.name},
        **found.settings,
    }
    if found.split_sentences:
        card["split_sentences"] = True
    if found.header is not None:
        card["header"] = found.header
    if found.text_column is not None:
        card["text_column"] = found.text_column
    if found.label_column is not None:
        card["label_column"] = found.label_column
        if found.no_label:
            card["no_label"] = list(found.no_label)
        if found.labels is not None:
            card["labels"] = list(found.labels)
    if found.split_column is not None:
        card["split_column"] = found.split_column
        card["split_names"] = dict(found.split_names)
    fractions = cut_fractions(found)
    return card | ({"split_fractions": fractions} if fractions else {})


def file_notes(proposal: Proposal) -> list[str]:
    """Sentences about the file; the first one names its kind and its texts."""
    found = proposal.found
    notes = [_texts_note(found)]
    if found.text_column is not None:
        notes.append(_choice_note(found))
    elif found.split_sentences:
        notes.append("A book or article: cut into sentences.")
    elif found.kind == "lines":
        notes.append("One text a line.")
    if found.texts.empty:
        notes.append(f"Empty texts left out: {found.texts.empty:,}.")
    if found.long_rows:
        notes.append(
            f"Rows with more cells than there are columns: {found.long_rows:,}; a cell that holds the delimiter needs "
            "quotes around it."
        )
    return notes + _split_notes(found) + _label_notes(proposal)


def _texts_note(found: FileReport) -> str:
    unit = "words" if found.texts.has_spaces else "characters"
    delimiter = found.settings.get("delimiter")
    reader = (
        found.kind if delimiter is None else f"{found.kind} with {_DELIMITERS.get(str(delimiter), repr(delimiter))}"
    )
    encoding = "" if found.encoding == "utf-8" else f" in {found.encoding.upper()}"
    number = f"{found.texts.count:,}"
    if not found.complete:
        number = f"at least {number} (about {_rounded(found.rows_estimate):,} in the whole file)"
    where = "" if found.text_column is None else f" in column {found.text_column!r}"
    quantiles = found.texts.words_quantiles
    return (
        f"{found.path}: {reader}{encoding}, {number} texts{where}, half of them of at most {quantiles[0.5]} {unit}, "
        f"95 % of at most {quantiles[0.95]}."
    )


def _choice_note(found: FileReport) -> str:
    """One line on the columns: what was chosen, what came second, and how to choose others."""
    parts = [f"Text: column {found.text_column!r}{_second(found.second_text)}"]
    labels = "none" if found.label_column is None else f"column {found.label_column!r}"
    parts.append(f"labels: {labels}{_second(found.second_label)}")
    if found.split_column is not None:
        parts.append(f"split: column {found.split_column!r}")
    return "; ".join(parts) + ". --text, --label, --split, --delimiter choose others."


def _second(column: str | int | None) -> str:
    return "" if column is None else f" (second: {column!r})"


def _split_notes(found: FileReport) -> list[str]:
    if found.split_column is None:
        return []
    sizes = {
        split: sum(found.split_counts.get(value, 0) for value in found.split_names[split])
        for split in found.split_names
    }
    cut = [split for split in ("valid", "test") if split not in found.split_names]
    then = f"; {' and '.join(cut)} cut from train" if cut else ""
    notes = [
        f"Splits of column {found.split_column!r}: {', '.join(f'{s} {n:,} rows' for s, n in sizes.items())}{then}."
    ]
    known = {value for values in found.split_names.values() for value in values}
    left = {value: count for value, count in found.split_counts.items() if value not in known}
    if left:
        shown = ", ".join(repr(value) if value else "an empty cell" for value in list(left)[:_SHOWN])
        notes.append(f"Rows in no split, which are left out: {sum(left.values()):,} ({shown}).")
    return notes


def _label_notes(proposal: Proposal) -> list[str]:
    found = proposal.found
    column = found.label_column
    if column is None:
        if not found.one_label:
            return []
        return [f"All labels are {found.one_label!r}, so there is nothing to classify."]
    counts = found.label_counts
    names = ", ".join(list(counts)[:_SHOWN]) + (", ..." if len(counts) > _SHOWN else "")
    if len(counts) > MAX_LABELS and not found.every_label:
        notes = [f"Column {column!r} has {len(counts)} labels, more than {MAX_LABELS}, so no classifier is trained."]
    elif len(counts) < 2:
        notes = [f"The rows that were read have one label, {names!r}; shuffle a file that is sorted by label."]
    else:
        given = proposal.shown_labels
        then = f"a classifier is trained from {given} of them" if given else "the rarest is too rare for a classifier"
        notes = [f"Labels in column {column!r}: {names}; {then}."]
    marked = {value: count for value, count in found.no_label.items() if count}
    if marked:
        shown = ", ".join(map(repr, marked))
        notes.append(f"No label (no_label in the card): {shown}, in {sum(marked.values()):,} of the rows.")
    if found.rare:
        shown = ", ".join(map(repr, list(found.rare)[:_SHOWN])) + (", ..." if len(found.rare) > _SHOWN else "")
        notes.append(
            f"Labels too rare for a classifier: {shown}; their rows, {sum(found.rare.values()):,}, count as unlabelled "
            "(labels in the card)."
        )
    if alike := spelled_alike(counts):
        shown = "; ".join(", ".join(map(repr, group)) for group in alike[:_SHOWN])
        notes.append(
            f"Labels that differ in capital letters or spaces alone are different ones; spell them alike: {shown}."
        )
    if found.perhaps_no_label:
        notes.append(f"-1, in {found.perhaps_no_label:,} of the rows, may mean no label; --no-label -1 says so.")
    return notes


def spelled_alike(labels: Iterable[str]) -> list[list[str]]:
    """Labels that differ in capital letters or spaces alone, in groups.

    >>> spelled_alike(["good", "Good", "bad", "very good", "Very  Good"])
    [['good', 'Good'], ['very good', 'Very  Good']]
    """
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault("".join(label.split()).casefold(), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def _rounded(number: int) -> int:
    """Two digits of a number that was estimated."""
    digits = max(0, len(str(number)) - 2)
    return round(number, -digits)
