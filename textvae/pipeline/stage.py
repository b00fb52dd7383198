"""What a stage is: one file that brings all that a pipeline needs of it.

A stage is a subclass of `Stage` in a file of `pipeline/stages/`, and a line in the registry of
`pipeline/stages/__init__.py`, whose order is the order in which stages run. The file brings

- the settings of its table in a recipe (`config_type`), and its table in a recipe of `textvae new` (`new_table`);
- what it needs: outputs of other stages (`needs`), the corpus (`reads_corpus`, `needs_labels`), and of the model that
  it works with a code z, a density, no label (`needs_code`, `needs_density`, `takes_label`). What does not fit is
  refused before anything runs;
- its work (`run`), and the names of the files that it writes (`files`);
- its numbers, with unit and meaning (`metrics`, `unlisted`);
- its part of the report's page (`sections`), with what that shows beside the numbers (`details`) and its pictures.

Recipes, plans, reports, `textvae new` and docs/units.md read all of it from the registry, and
`tests/contracts/test_stages.py` runs over it. A file of stages imports torch, and what does, inside its functions: so
reading a recipe stays cheap. docs/extending.md has a whole example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textvae.config import Config
from textvae.disk import read_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.section import Section

RESULTS, DETAILS = "results.json", "details.json"
"""Of each stage's output: its numbers as in report.json, and what the report page shows beside them."""


@dataclass(frozen=True)
class Work:
    """All that a stage is given.

    Attributes:
        recipe: the whole recipe.
        config: the stage's own settings, checked: of its `config_type`.
        folder: where to write; it becomes the stage's output by one rename afterwards.
        inputs: the finished outputs of the stages it needs, by name.
        seed: of everything random.
        say: prints a line of progress to standard error.
        is_main: False in all but one of several processes.
    """

    recipe: Recipe
    config: Any
    folder: Path
    inputs: dict[str, Path]
    seed: int
    say: Callable[[str], None]
    is_main: bool = True


class Stage(ABC):
    """One step of a pipeline.

    Attributes:
        name: of its table and of its folder.
        version: raise it when the stage's code comes to give other results.
        needs: stages whose output it reads.
        reads_corpus: whether the corpus itself is an input.
        uses_seed: whether a change of seed changes its output.
        resumes: whether an interrupted output is kept, for `run` to go on from. Its numbers then tell `seconds`, over
            all sittings: only what it keeps itself survives a SIGKILL.
        all_processes: whether every process takes part where several were started.
        gives_model: whether its settings have a `model`, and its output that model. Stages that need it are matched
            with the model, and other runs may start from it.
        needs_labels: whether the corpus must have labels.
        needs_code: whether the model must have a code z. The recipe of the baseline, which has none, leaves the stage
            out.
        needs_density: whether codes must have a density q(z|x).
        takes_label: whether it works with a model that has a label beside z.
        metrics: its numbers, in the order of the report's table. `NAME_se` is the standard error of `NAME`.
        unlisted: other numbers that it returns and that measure nothing (settings repeated, counts): no table has them.
            Names as `fnmatch` takes them. The wall time `seconds` is every stage's and need not be named.
        sections: its parts of the report's page.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    reads_corpus: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = True
    resumes: ClassVar[bool] = False
    all_processes: ClassVar[bool] = False
    gives_model: ClassVar[bool] = False

    needs_labels: ClassVar[bool] = False
    needs_code: ClassVar[bool] = False
    needs_density: ClassVar[bool] = False
    takes_label: ClassVar[bool] = True

    metrics: ClassVar[Sequence[Metric]] = ()
    unlisted: ClassVar[Sequence[str]] = ()
    sections: ClassVar[Sequence[Section]] = ()

    @abstractmethod
    def config_type(self) -> type[Config]:
        """The type of its table; imports what it needs itself, so that reading a recipe stays cheap."""

    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """The names of the files that it writes, as `textvae.disk.matches` takes them: all else in its folder is
        somebody's and left alone. `results.json` and `details.json` need not be named."""

    @abstractmethod
    def run(self, work: Work) -> dict[str, Any]:
        """Write the output into `work.folder` and return its numbers."""

    def check(self, recipe: Recipe) -> None:  # noqa: B027
        """Refuse a recipe that its corpus cannot feed, before anything runs; `needs_labels` is checked already.

        Raises:
            ConfigError: and says why.
        """

    def check_settings(self, settings: Mapping[str, Any]) -> None:  # noqa: B027
        """Refuse a recipe whose stages do not go together, before anything runs; what it declares to need of the model
        is checked already.

        Args:
            settings: of all the recipe's stages by name, with their defaults: those this one needs are there.

        Raises:
            ConfigError: and says why; the recipe's name is put before it.
        """

    def starts_from(self, config: Mapping[str, Any]) -> str | None:
        """The other run, or model, that it reads: as its settings (plain JSON values) name it; None for none.

        It is refused where it is not there, and made anew it makes this stage run again; see `pipeline.sources`.
        """
        return None

    def asks_for_baseline(self, table: Mapping[str, Any]) -> bool:
        """Whether this table, laid over a recipe, turns it into the recipe of its baseline without z."""
        return False

    def baseline_table(self, table: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Its table in the recipe of the baseline without z: what only z has a use for is left out.

        Args:
            table: its table in the recipe of the model with z.
            asked: the part of it that came with the wish for the baseline: it stays, to be refused if it must.

        Returns:
            None where the baseline has no such stage.
        """
        return None if self.needs_code else table

    def new_table(self, proposal: Proposal) -> dict[str, Any] | None:
        """Its table in the recipe that `textvae new` writes; None for no such stage."""
        return None

    def details(self, folder: Path) -> dict[str, Any]:
        """What the page shows beside the numbers: what `details.json` holds; nothing where it cannot be read.

        Args:
            folder: its finished output.
        """
        try:
            return read_json(folder / DETAILS)
        except (OSError, ValueError):
            return {}

    def pictures(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, str]:
        """Its pictures for the page, SVG by name; asked for only where matplotlib is installed.

        Args:
            results: its numbers; empty where it has none.
            details: as `details` gives them; empty where there are none.
        """
        return {}
