"""The last lines of a run on the terminal, which its stages declare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Part = Literal["verdict", "numbers", "sentences"]
"""What a line is about: whether the model is to be believed, the numbers that matter, what its sentences look like."""
PARTS: tuple[Part, ...] = ("verdict", "numbers", "sentences")
"""The parts in their order."""


class Closing(NamedTuple):
    """A line at the end of a run.

    Attributes:
        text: one line.
        part: lines are ordered by part, then by stage.
    """

    text: str
    part: Part = "numbers"


def in_order(closings: Iterable[Closing], parts: Sequence[Part] = PARTS) -> list[str]:
    """The lines of some parts, ordered.

    >>> in_order([Closing("NLL 3 nats."), Closing("Not collapsed.", "verdict"), Closing("KL 2 nats.")])
    ['Not collapsed.', 'NLL 3 nats.', 'KL 2 nats.']
    """
    found = list(closings)
    return [one.text for part in parts for one in found if one.part == part]
