"""Files as people have them, made for the tests; and what `textvae new` and then the corpus make of one."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textvae.pipeline.new import to_toml
from textvae.pipeline.new_card import corpus_card
from textvae.text.corpora import CorpusCard, load_card
from textvae.text.inspect import FileReport, Wanted, inspect_file

THINGS = ["soup", "bread", "tea", "room", "view", "bill", "chair", "lamp", "waiter", "garden"]
STATES = ["fine", "warm", "good", "cold", "wrong", "late"]

ROWS = [
    (f"The {THINGS[i % 10]} of day {i} was {STATES[(7 * i) % 6]}, I said.", "pos" if (7 * i) % 6 < 3 else "neg")
    for i in range(80)
]
"""Different texts with a comma in each, and a label."""


def prose(seed: int, sentences: int = 1) -> str:
    """Some sentences that are other ones for every seed."""
    draw = random.Random(seed)
    return " ".join(
        f"The {draw.choice(THINGS)} near the {draw.choice(THINGS)} was {draw.choice(STATES)} at {draw.randrange(999)}."
        for _ in range(sentences)
    )


def table(header: Sequence[object] | None, rows: Sequence[Sequence[object]], delimiter: str = ",", **how: Any) -> str:
    """A table as programs write it."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, **{"lineterminator": "\n", **how})
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return written.getvalue()


def looked(folder: Path, name: str, content: str | bytes, **wanted: Any) -> tuple[FileReport, CorpusCard]:
    """What is found in a file, and the corpus of the card that is written for it. The two must agree."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    found = inspect_file(folder / name, wanted=Wanted(**wanted))
    (folder / "card.toml").write_text(to_toml(corpus_card(found, "mine"), "A card."), encoding="utf-8")
    card = load_card(folder / "card.toml")
    read = [example for split in card.splits for example in card.read(split) if example.text.strip()]
    assert len(read) == found.texts.count == found.rows_estimate and found.complete
    assert {label for _, label in read} - {None} == set(found.label_counts)
    assert sum(label is None for _, label in read) == (
        found.unlabelled if found.label_column is not None else len(read)
    )
    return found, card


def texts(card: CorpusCard) -> list[str]:
    """All texts of a corpus, sorted."""
    return sorted(example.text for split in card.splits for example in card.read(split))
