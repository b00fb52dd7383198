"""A section of the report's page, declared by a stage."""

from __future__ import annotations

from typing import Literal, NamedTuple

Area = Literal["top", "texts", "facts", "numbers", "body"]
"""Place on the page: "top", before everything else; "texts", what the model wrote, before the numbers; "facts", in the
list of "This run" (pairs of `dt` and `dd`); "numbers", in the sentence above the table of numbers; "body", a section
below that table."""


class Section(NamedTuple):
    """A Jinja template, rendered with autoescape.

    It is rendered where its stage has an output, and may render to nothing; surrounding white space is stripped.
    Its variables:

    - `results`: the stage's numbers, as in report.json; those that were not measured are undefined.
    - `details`: what the stage wrote for the page (`Stage.details`).
    - `pictures`: the stage's pictures by name (`Stage.pictures`); empty where matplotlib is not installed.
    - `run`: facts of the run, as in report.json: `recipe`, `settings` (the recipe's tables by stage), `seed`, ...
    - `sentence_list(items)`, `picture(svg, alt)` (its alternative text says what is to be seen) and the rest of
      `report/macros.html`, the filter `duration`, `latent_map(details.latent)` and
      `decoder_knows_prior(table of [train])`.

    A section begins with its `h2`, by which the list of contents names it. Entries of a list or rows of a table that a
    reader may search have the class `entry`.

    Using an undefined name is an error; test with `is defined` or `| default(...)` first.

    Attributes:
        template: text of the template.
        rank: sections of an area are ordered by rank, then by stage. Among the texts 20 is for samples, 50 and 60 for
            paths and blanks, 70 for reconstructions; in the body 10 for training curves, 40 to 70 for uses of the
            model, 80 for the latent space.
        area: place on the page.
    """

    template: str
    rank: int = 90
    area: Area = "body"
