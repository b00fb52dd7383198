"""A recipe: a corpus, and one table of settings for each stage. `pipeline.reading` reads recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.disk import at_home

if TYPE_CHECKING:
    from textvae.text.corpora import CorpusCard


@dataclass(frozen=True)
class Recipe:
    """A recipe, with the settings of the command line applied.

    Attributes:
        name: of the run.
        description: one line for the report.
        seed: of everything random.
        card: the name of its corpus card, and the fields of the card that the recipe overrides.
        tables: settings of each stage as they were written, by the stage's name.
        folder: of the recipe; cards are searched there first.
        source: name of the recipe in error messages.
    """

    name: str
    description: str
    seed: int
    card: tuple[str, dict[str, Any]]
    tables: dict[str, dict[str, Any]]
    folder: Path = field(default_factory=Path.cwd)
    source: str = "the recipe"

    @cached_property
    def corpus(self) -> CorpusCard:
        """The corpus card, with the fields that the recipe overrides."""
        from textvae.text.corpora import find_card, load_card

        name, overrides = self.card
        overrides = dict(overrides)
        if isinstance(overrides.get("root"), str):
            overrides["root"] = str((self.folder / at_home(overrides["root"])).absolute())
        return load_card(find_card(name, self.folder).resolve(), None, overrides)

    def as_tables(self) -> dict[str, Any]:
        """The recipe as nested tables, as `recipe.json` of a run folder has it."""
        name, overrides = self.card
        header = {"name": self.name, "description": self.description, "seed": self.seed}
        return {**header, "corpus": {"card": name, **overrides}, **self.tables}
