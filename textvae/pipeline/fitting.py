"""`fit`: trains a model on a list of texts, and keeps texts, recipe and run in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textvae.models import ModelSettings, TextVAE
    from textvae.pipeline.proposal import Trial
    from textvae.text.corpora.base import Split


@dataclass(frozen=True)
class GivenTexts:
    """Texts, with what is known of each.

    Attributes:
        texts: checked by `checked_texts`.
        labels: checked by `checked_labels`, one for each text; None for texts without labels.
        splits: the split of each text. None: the recipe divides them.
        every_label: whether every label is for training the classifier, however rare it is; see `Wanted`.
    """

    texts: Sequence[str]
    labels: Sequence[str | None] | None = None
    splits: Sequence[Split] | None = None
    every_label: bool = False

    def rows(self) -> list[dict[str, str | None]]:
        """The rows of a table, each with the columns that there are: `text`, `label` and `split`."""
        columns: dict[str, Sequence[str | None]] = {"text": self.texts}
        if self.labels is not None:
            columns["label"] = self.labels
        if self.splits is not None:
            columns["split"] = self.splits
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def fit(
    texts: Iterable[str],
    labels: Iterable[str | int | None] | None = None,
    *,
    minutes: float = 10,
    out: str | Path | None = None,
    **settings: Any,
) -> TextVAE:
    """Train a sentence VAE on texts: `textvae new` and `textvae run` in one, for a notebook.

    Args:
        texts: sentences, at least 30 different ones; a tenth is set aside for validation and test.
        labels: a string or a whole number for each text, None or NaN for no label. With labels a classifier is trained
            too.
        minutes: about how long training may take on this machine.
        out: the folder for texts, recipe and run; the first free one of ``runs/fit``, ``runs/fit-2``, ... when None.
            With the same folder and texts, an interrupted training is resumed.
        **settings: override those of the recipe; a dot is written as two underscores, such as ``train__epochs=3``.

    Returns:
        the trained model; the report is in ``out/run/report.html``.

    Raises:
        TextVAEError: the texts, the settings or the machine prevent the fit; the message says what to do.
    """
    from textvae.arguments import checked_minutes
    from textvae.models import TextVAE
    from textvae.text.given import checked_labels, checked_texts

    minutes = checked_minutes(minutes)
    texts = checked_texts(texts, "text")
    labels = None if labels is None else checked_labels(labels, len(texts))
    named = {name.replace("__", "."): value for name, value in settings.items()}
    # All stages are run, because the others take little time beside training.
    run = fit_into(None if out is None else Path(out), GivenTexts(texts, labels), minutes=minutes, settings=named)
    return TextVAE.from_pretrained(run)


def fit_into(
    out: Path | None,
    given: GivenTexts,
    *,
    minutes: float,
    settings: Mapping[str, Any],
    only: str | None = None,
    trial: Trial | None = None,
    require: Callable[[ModelSettings], None] | None = None,
    quiet: bool = False,
) -> Path:
    """Keep texts, recipe and run in one folder, as `fit` does, and bring the run up to date.

    Args:
        out: see `fit`.
        given: the texts.
        minutes: about how long the run may take.
        settings: override those of the recipe, such as ``{"train.epochs": 3}``.
        only: plan and run this stage and the stages that it needs, no others.
        trial: the speed of a machine, by which the run is planned. Texts, minutes and trial alone then decide on sizes
            and epochs. When None, this machine is measured.
        require: called with the settings of the model before any work; raises an error for a model that is of no use.
        quiet: print nothing.

    Returns:
        the run folder, `out/run`.

    Raises:
        TextVAEError: the texts, the settings or the machine prevent the fit; the message says what to do.
    """
    import json

    from textvae.disk import write_text
    from textvae.errors import DataError
    from textvae.pipeline.checking import checked_settings
    from textvae.pipeline.new import new_recipe, require_free, require_texts
    from textvae.pipeline.ownership import require_ours
    from textvae.pipeline.plan import with_needs
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.runner import run_recipe, say
    from textvae.pipeline.stages import STAGES
    from textvae.text.corpora.base import SPLITS
    from textvae.text.normalize import normalize

    require_texts(len({normalize(text) for text in given.texts} - {""}), "fit")
    folder = _fit_folder(out)
    file, recipe = folder / "texts.jsonl", folder / "fit.toml"
    # Before any work: no other program's file may have the name of one that is written here.
    require_free(recipe, force=True)
    require_free(folder / "fit_corpus.toml", force=True)
    require_ours(folder / "run", STAGES, ())
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given.rows())
    if not _holds(file, content):
        if os.path.lexists(file):
            raise DataError(
                f"{file} contains other texts, and fit does not overwrite them; choose another out, or remove that "
                "folder."
            )
        write_text(file, content)
    # A recipe by a measurement is kept: a new measurement of the machine could change the epochs, and the trained model
    # would be out of date. By a given trial it would be the same again.
    comment = f"# For {minutes:g} minutes{'' if only is None else f', only {only}'}.\n"
    if trial is not None or not _ends_with(recipe, comment):
        recipe, _ = new_recipe(
            file,
            name="fit",
            minutes=minutes,
            out=folder,
            force=True,
            text="text",
            label="none" if given.labels is None else "label",
            split="none" if given.splits is None else "split",
            split_names=None if given.splits is None else {split: [split] for split in SPLITS},
            every_label=given.every_label,
            trial=trial,
            stages=STAGES if only is None else with_needs(STAGES, only),
        )
        write_text(recipe, recipe.read_text(encoding="utf-8") + comment)
    read = read_recipe(recipe, settings)
    if require is not None:
        require(checked_settings(read, STAGES)["train"].model)
    run_recipe(read, folder / "run", only=only, say=(lambda line: None) if quiet else say, progress=not quiet)
    return folder / "run"


def _fit_folder(out: Path | None) -> Path:
    """The folder of a fit: the given one, or a free one."""
    from textvae.disk import claim, new_folder
    from textvae.errors import ConfigError, DataError

    if out is not None:
        claim(out, "fit", (), error=DataError)
        return out
    number = 1
    while True:
        folder = Path("runs") / ("fit" if number == 1 else f"fit-{number}")
        number += 1
        if os.path.lexists(folder):
            continue
        try:
            new_folder(folder, "fit")
        except ConfigError:
            continue  # another process has just made it
        return folder


def _holds(file: Path, content: str) -> bool:
    return file.is_file() and not file.is_symlink() and file.read_bytes() == content.encode()


def _ends_with(recipe: Path, comment: str) -> bool:
    """Whether a recipe was made by `fit` for the same time and stages, as its last line says."""
    if recipe.is_symlink() or not recipe.is_file():
        return False
    return recipe.read_bytes().endswith(comment.encode())
