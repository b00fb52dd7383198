"""`textvae new FILE`: writes a recipe and a corpus card for a user's text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.arguments import checked_minutes, shown
from textvae.disk import new_folder, not_ours, shown_path, write_text
from textvae.errors import ConfigError, DataError
from textvae.pipeline.naming import problem_of_name
from textvae.pipeline.new_card import corpus_card, file_notes
from textvae.pipeline.proposal import SMALL_CORPUS, Trial
from textvae.pipeline.stage import Stage
from textvae.pipeline.stages import STAGES

if TYPE_CHECKING:
    from textvae.pipeline.budget import Budgeted
    from textvae.text.corpora.base import Split
    from textvae.text.inspect import FileReport, ProposedTokenizer

MIN_TEXTS, _MANY_CUT = 30, 0.5

_CARD_COMMENT, _RECIPE_COMMENT = "The corpus card of", "Made by `textvae new"
"""First words of the files that `new` writes, by which it recognizes them."""


def new_recipe(
    file: str | Path,
    *,
    name: str | None = None,
    minutes: float = 10.0,
    out: str | Path = Path(),
    force: bool = False,
    text: str | int | None = None,
    label: str | int | None = None,
    split: str | int | None = None,
    delimiter: str | None = None,
    no_label: Sequence[str] = (),
    split_names: Mapping[Split, list[str]] | None = None,
    every_label: bool = False,
    trial: Trial | None = None,
    stages: Sequence[Stage] = STAGES,
) -> tuple[Path, list[str]]:
    """Analyze a file of texts and write `NAME.toml` and its card `NAME_corpus.toml`, ready for `textvae run`.

    Args:
        file: text, CSV, TSV or JSON; gzip too.
        name: of the recipe; the file's by default.
        minutes: about how long `textvae run` may take, all of `stages` counted.
        out: the folder to write to.
        force: overwrite a recipe and a card that this function wrote; other files are never overwritten.
        text: the column of the text, by its name, its position from 0, or its dotted path in JSON; found when None.
        label: the column of the labels, likewise; ``none`` for no labels.
        split: the column that says which split a row belongs to, likewise; ``none`` for a division by `new`.
        delimiter: the character between cells, or ``tab``; found when None.
        no_label: values of the label column that mean no label.
        split_names: the values of the column of the split for each split; found when None.
        every_label: every other value is a label for training the classifier, however rare; see `Wanted`.
        trial: the speed of a machine for this text; measured on this one when None. With the same trial the recipe is
            the same.
        stages: those that the recipe has a table for, and that share the time.

    Returns:
        the recipe's path, and sentences about what was found in the file and chosen for it.

    Raises:
        DataError: the file cannot be used.
        ConfigError: a file to be written exists already, or the time is not positive.
    """
    from textvae.pipeline.budget import fit_to_budget
    from textvae.text.inspect import Wanted, inspect_file, propose_tokenizer

    minutes = checked_minutes(minutes, "--minutes")
    wanted = Wanted(text, label, split, delimiter, tuple(no_label), split_names, every_label)
    found = inspect_file(file, wanted=wanted)
    name = _plain(name if name is not None else Path(str(file).removesuffix(".gz")).stem)
    folder = Path(out)
    recipe_path = folder / f"{name}.toml"
    card_path = card_beside(recipe_path)
    require_free(recipe_path, force)
    # A card without a recipe was left by an earlier call that stopped between writing the two.
    require_free(card_path, force or not os.path.lexists(recipe_path))
    require_texts(found.texts.distinct, str(file))
    tokenizer = propose_tokenizer(found.texts)
    if trial is None:
        trial = _trial(found, tokenizer, minutes)
    made = fit_to_budget(found, tokenizer, trial, minutes, stages)
    if not os.path.lexists(folder):
        new_folder(folder, "recipes")
    card, recipe = corpus_card(found, name), _recipe(made.tables, name, card_path.stem)
    write_text(card_path, to_toml(card, f"{_CARD_COMMENT} {name}: where the text is."))
    comment = "\n# ".join(
        [f"{_RECIPE_COMMENT} {shown_path(found.path.name)}` for {minutes:g} minutes.", *trial.lines()]
    )
    write_text(recipe_path, to_toml(recipe, comment))
    return recipe_path, _notes(made, minutes)


def card_beside(recipe: Path) -> Path:
    """The corpus card that `new` writes beside a recipe."""
    return recipe.with_name(f"{recipe.stem}_corpus.toml")


def require_free(path: Path, force: bool) -> None:
    """Refuse to write over an existing file, unless `new` wrote it and `force` is set.

    Raises:
        ConfigError: `new` did not write the file, or `force` is not set.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file() or not _is_ours(path):
        raise not_ours(path)
    if not force:
        raise ConfigError(f"{path} exists; choose another --name or --out, or overwrite it with --force.")


def _is_ours(path: Path) -> bool:
    """Whether `new` wrote a file, by its first line."""
    with path.open("rb") as stream:
        beginning = stream.read(200)
    return beginning.startswith((f"# {_CARD_COMMENT}".encode(), f"# {_RECIPE_COMMENT}".encode()))


def require_texts(distinct: int, where: str) -> None:
    """Refuse texts too few to be split into training, validation and test; duplicates are always in the same split.

    Args:
        distinct: number of different texts.
        where: their file or other origin, for the message.

    Raises:
        DataError: fewer than `MIN_TEXTS`.
    """
    if distinct < MIN_TEXTS:
        different = "1 different text" if distinct == 1 else f"{distinct} different texts"
        raise DataError(f"{where} has {different}; give at least {MIN_TEXTS}, or some thousands for good results.")


def _trial(found: FileReport, tokenizer: ProposedTokenizer, minutes: float) -> Trial:
    """Time models on this machine, from the smallest size to the first that is too large for the budget."""
    from textvae.pipeline.budget import affordable, batch_tokens, fitting_sizes
    from textvae.pipeline.trial import measure

    return measure(
        tokenizer,
        found.texts.sample,
        fitting_sizes(found, tokenizer),
        batch_tokens=batch_tokens(found),
        affordable=lambda size, rates: affordable(found, tokenizer, rates, 60.0 * minutes),
    )


def _recipe(tables: Mapping[str, Mapping[str, Any]], name: str, card: str) -> dict[str, Any]:
    """The recipe's tables. Those of stages that need labels come last."""
    recipe: dict[str, Any] = {"name": name, "corpus": card, "seed": 0}
    for stage in sorted(STAGES, key=lambda stage: stage.needs_labels):
        if stage.name in tables:
            recipe[stage.name] = tables[stage.name]
    return recipe


def _notes(made: Budgeted, minutes: float) -> list[str]:
    """Sentences about what was found in the file and chosen for it."""
    proposal = made.proposal
    size, tokenizer = proposal.size, proposal.tokenizer
    first, *rest = file_notes(proposal)
    epochs = f"{made.epochs:.1f}" if made.epochs < 10 else f"{made.epochs:,.0f}"
    notes = [
        first,
        *rest,
        f"Tokenizer {tokenizer}. Measured on texts that it did not learn from: {tokenizer.unknown:.1%} of the tokens "
        f"unknown, {tokenizer.given_back:.1%} of the texts given back exactly, {tokenizer.cut:.1%} cut off at "
        f"{tokenizer.max_tokens} tokens.",
        f"Model LSTM {size.hidden}, z {size.latent}: at most {epochs} epochs in {_minutes(minutes)}, all stages "
        "counted, on this machine.",
    ]
    if tokenizer.cut > _MANY_CUT:
        notes.append(
            f"Most texts are longer than {tokenizer.max_tokens} tokens, and nothing is learned from what is behind; "
            "divide them into paragraphs or sentences, one text each."
        )
    if (distinct := proposal.found.texts.distinct) < SMALL_CORPUS and proposal.found.complete:
        tested = max(1, round(proposal.shares["test"] * proposal.texts))
        notes.append(
            f"{distinct:,} different texts are few: z may stay unused, new sentences read badly, and the numbers rest "
            f"on some {tested} test texts. Some thousands give good results."
        )
    if (enough := made.enough_minutes) is not None:
        notes.append(
            f"That is too little time for this text: z may stay unused. About {_minutes(float(enough))} would do "
            f"(--minutes {enough})."
        )
    return notes


def _minutes(minutes: float) -> str:
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"


def _plain(name: str) -> str:
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name).strip("_")
    if (problem := problem_of_name(plain)) is not None:
        raise ConfigError(f"--name got {shown(name)}, but {problem}; give a name of letters and digits.")
    return plain


def to_toml(table: Mapping[str, Any], comment: str) -> str:
    """Nested tables as TOML: plain values first, then tables; a table inside a table is written inline.

    >>> print(to_toml({"a": 1, "b": {"c": "x", "d": {"e": [1.5]}}}, "An example."))
    # An example.
    a = 1
    <BLANKLINE>
    [b]
    c = "x"
    d = { e = [1.5] }
    <BLANKLINE>
    """
    return "\n".join([f"# {comment}", *_lines(table, "")]) + "\n"


def _lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    def inline(value: Any) -> bool:
        return not isinstance(value, Mapping) or (
            bool(prefix) and not any(isinstance(v, Mapping) for v in value.values())
        )

    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if inline(value)]
    for key, value in table.items():
        if not inline(value):
            path = f"{prefix}{_key(key)}"
            lines += ["", f"[{path}]", *_lines(value, path + ".")]
    return lines


def _key(key: str) -> str:
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    # Without ensure_ascii=False JSON would write surrogate pairs, which TOML does not allow.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
