"""What a stage is: settings, inputs, and a folder of output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textvae.pipeline.recipe import Recipe

RESULTS, DETAILS = "results.json", "details.json"
"""Of each stage's output: its numbers as in report.json, and what the report page shows beside them."""


@dataclass(frozen=True)
class Work:
    """All that a stage is given.

    Attributes:
        recipe: the whole recipe.
        config: the stage's own settings, checked.
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

    To add one: a subclass in `pipeline/stages/`, a line in its registry, and a name in `recipe.STAGE_NAMES`.

    Attributes:
        name: of its table and of its folder.
        version: raise it when the stage's code comes to give other results.
        needs: stages whose output it reads.
        reads_corpus: whether the corpus itself is an input.
        uses_seed: whether a change of seed changes its output.
        resumes: whether an interrupted output is kept, for `run` to go on from. Its numbers then tell `seconds`, over
            all sittings: only what it keeps itself survives a SIGKILL.
        all_processes: whether every process takes part where several were started.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    reads_corpus: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = True
    resumes: ClassVar[bool] = False
    all_processes: ClassVar[bool] = False

    @abstractmethod
    def config_type(self) -> Any:
        """The type of its table; imports what it needs itself, so that reading a recipe stays cheap."""

    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """The names of the files that it writes, as `textvae.disk.matches` takes them: all else in its folder is
        somebody's and left alone. `results.json` and `details.json` need not be named."""

    @abstractmethod
    def run(self, work: Work) -> dict[str, Any]:
        """Write the output into `work.folder` and return its numbers."""

    def check(self, recipe: Recipe) -> None:  # noqa: B027
        """Refuse a recipe that its corpus cannot feed, before anything runs.

        Raises:
            ConfigError: and says why.
        """

    def check_settings(self, settings: Mapping[str, Any]) -> None:  # noqa: B027
        """Refuse a recipe whose stages do not go together, before anything runs.

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
