"""A part of the report's page that a stage brings."""

from __future__ import annotations

from typing import Literal, NamedTuple

Area = Literal["top", "facts", "numbers", "body"]
"""Where on the page: above all else; among the facts of "This run" (pairs of `dt` and `dd`); in the sentence above the
table of numbers; or as a section of its own below that table."""


class Section(NamedTuple):
    """A Jinja template, rendered with autoescape.

    It is rendered where its stage has left something, and may render to nothing; white space around it is cut off.
    What it can use:

    - `results`: the stage's numbers, as in report.json; those that were not measured are undefined.
    - `details`: what the stage left for the page (`Stage.details`).
    - `pictures`: the stage's pictures by name (`Stage.pictures`); none where matplotlib is not installed.
    - `run`: facts of the run, as in report.json: `recipe`, `settings` (the recipe's tables by stage), `seed`, ...
    - `sentence_list(items)` and the rest of `report/macros.html`, the filter `duration`, and
      `decoder_knows_prior(table of [train])`.

    An undefined name is an error; ask by `is defined` or `| default(...)` first.

    Attributes:
        template: its text.
        rank: sections of the body stand in the order of their ranks, then of their stages. 10 is the training's curves,
            20 to 40 what the model writes and restores, 50 to 70 what it is used for, 80 its latent space.
        area: where on the page.
    """

    template: str
    rank: int = 90
    area: Area = "body"
