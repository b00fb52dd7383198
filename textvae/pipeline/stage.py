"""The base of stages. A stage is one file with everything that the pipeline needs of it.

A stage is a subclass of `Stage` in a file of `pipeline/stages/`, and a line in the registry of
`pipeline/stages/__init__.py`, whose order is the order in which stages run. The file has

- the settings of its table in a recipe (`config_type`), and its table in a recipe of `textvae new` (`new_table`);
- its requirements: outputs of other stages (`needs`), the corpus (`reads_corpus`, `needs_labels`), and whether its
  model must have a code z or a density, or may have a label (`needs_code`, `needs_density`, `takes_label`). A recipe
  that does not meet them is refused before anything runs;
- its work (`run`), and the names of the files that it writes (`files`);
- its numbers, with unit and meaning (`metrics`, `unlisted`);
- its sections of the report's page (`sections`), the data that they show besides the numbers (`details`), and its
  pictures;
- its lines at the end of a run (`closing`): those of its metrics that have a `headline`, and what else it declares;
- what `textvae compare` puts side by side besides the numbers: lists of texts (`texts`) and curves (`series`).

Recipes, plans, reports, `textvae new` and docs/units.md read all of this from the registry, and
`tests/contracts/test_stages.py` runs over it. The file of a stage imports torch, and modules that import torch, inside
functions only, so that reading a recipe is fast. docs/extending.md has a complete example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textvae.config import Config
from textvae.disk import read_json
from textvae.pipeline.closing import Closing
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.section import Section

RESULTS, DETAILS = "results.json", "details.json"
"""Files of each stage's output: its numbers as in report.json, and the other data that the report's page shows."""


@dataclass(frozen=True)
class Work:
    """The inputs of `Stage.run`.

    Attributes:
        recipe: the whole recipe.
        config: the stage's settings, checked, of its `config_type`.
        folder: the folder to write into; it is renamed to the stage's folder afterwards.
        inputs: folders of the finished outputs of the stages in `needs`, by name.
        seed: of everything random.
        say: prints a line of progress to standard error.
        is_main: whether this is the main process; True for a single process.
        progress: whether a progress bar may be drawn.
    """

    recipe: Recipe
    config: Any
    folder: Path
    inputs: dict[str, Path]
    seed: int
    say: Callable[[str], None]
    is_main: bool = True
    progress: bool = True


class Stage(ABC):
    """One step of a pipeline.

    Attributes:
        name: of its table and of its folder.
        title: of the group of its numbers on the report's page; its name when empty.
        version: raise it when a change of the stage's code changes its results.
        keeps: older versions whose finished outputs are still used, so that a run that has one goes on from it. The
            stage starts from no other run.
        needs: names of the stages whose output it reads.
        reads_corpus: whether the corpus itself is an input.
        uses_seed: whether a change of seed changes its output.
        resumes: whether an interrupted output is kept, and `run` resumes from it. Its numbers must then include
            `seconds`, with the time before the interruption, which the pipeline cannot know after a SIGKILL.
        all_processes: whether every process takes part where several were started.
        gives_model: whether its settings have a `model`, and its output is that model. The model is checked against
            the stages that need this one, and other runs can start from it.
        needs_labels: whether the corpus must have labels.
        needs_code: whether the model must have a code z. The recipe of the baseline, which has no z, leaves the stage
            out.
        needs_density: whether codes must have a density q(z|x).
        takes_label: whether it works with a model that has a label beside z.
        metrics: its numbers, in the order of the report's table. `NAME_se` is the standard error of `NAME`.
        unlisted: patterns (`fnmatch`) of other numbers that it returns, which are no measurements (settings, counts)
            and are in no table. The wall time `seconds` is added for every stage and need not be listed.
        sections: its sections of the report's page.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    version: ClassVar[int] = 1
    keeps: ClassVar[tuple[int, ...]] = ()
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
        """The type of its settings. Imports are inside this method, so that reading a recipe is fast."""

    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """Patterns of the files that it writes, for `textvae.disk.matches`. Other files in its folder are not textvae's
        and are never deleted. `results.json` and `details.json` need not be listed."""

    @abstractmethod
    def run(self, work: Work) -> dict[str, Any]:
        """Write the output into `work.folder` and return its numbers."""

    def check(self, recipe: Recipe) -> None:  # noqa: B027
        """Refuse a recipe whose corpus lacks what the stage needs, before anything runs.

        `needs_labels` is checked already.

        Raises:
            ConfigError: the corpus does not fit; the message says why.
        """

    def check_settings(self, settings: Mapping[str, Any]) -> None:  # noqa: B027
        """Refuse settings of other stages that do not fit this one, before anything runs.

        `needs_code`, `needs_density` and `takes_label` are checked already.

        Args:
            settings: of all stages of the recipe by name, with their defaults. Those in `needs` are always present.

        Raises:
            ConfigError: the settings do not fit; the message says why. The recipe's name is put before it.
        """

    def starts_from(self, config: Mapping[str, Any]) -> str | None:
        """The name of another run or model that it reads, from its settings (plain JSON values); None for none.

        A run that does not exist is refused. When that run changes, this stage runs again; see `pipeline.sources`.
        """
        return None

    def asks_for_baseline(self, table: Mapping[str, Any]) -> bool:
        """Whether this table, applied to a recipe, asks for the recipe of its baseline without z."""
        return False

    def baseline_table(self, table: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Its table in the recipe of the baseline without z; settings that apply to z only are left out.

        Args:
            table: its table in the recipe of the model with z.
            asked: the settings in it that the user gave for the baseline. They are kept, so that a setting that does
                not fit is refused instead of ignored.

        Returns:
            the table; None where the baseline has no such stage.
        """
        return None if self.needs_code else table

    def new_table(self, proposal: Proposal) -> dict[str, Any] | None:
        """Its table in the recipe that `textvae new` writes; None to leave the stage out."""
        return None

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        """About how long it takes, in seconds, where `textvae new` plans a run within a time budget.

        Args:
            proposal: has the rates that were measured on this machine.
            table: from `new_table`.
        """
        return 0.0

    def details(self, folder: Path) -> dict[str, Any]:
        """The data that the page shows besides the numbers: the content of `details.json`; empty if it is unreadable.

        Args:
            folder: its finished output.
        """
        try:
            return read_json(folder / DETAILS)
        except (OSError, ValueError):
            return {}

    def closing(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> list[Closing]:
        """Its lines at the end of a run: the headlines of its metrics. It imports no torch.

        Args:
            results: its numbers.
            details: from `details`; empty where there are none.
        """
        return [Closing(told) for metric in self.metrics if (told := metric.told(results)) is not None]

    def texts(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        """Lists of texts that are compared with those of other runs side by side, by title, such as samples.

        Args:
            details: from `details`; empty where there are none.
        """
        return {}

    def series(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Curves that are drawn over those of other runs, by title: their points (x, y), such as losses by step.

        Args:
            details: from `details`; empty where there are none.
        """
        return {}

    def pictures(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, str]:
        """Its pictures for the page, SVG by name; called only where matplotlib is installed.

        Args:
            results: its numbers; empty where it has none.
            details: from `details`; empty where there are none.
        """
        return {}
