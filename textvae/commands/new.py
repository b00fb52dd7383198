"""`textvae new`: writes a recipe and a corpus card for a user's text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.options import AsJSON
from textvae.commands.output import print_result, tell


@dataclass(frozen=True)
class Columns:
    """Options that say what is in the file; they overrule what is found in it."""

    text: Annotated[
        str | None, typer.Option("--text", metavar="COLUMN", help="Column of the text: name, position or dotted path.")
    ] = None
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="Column of the labels; none for no labels.")
    ] = None
    split: Annotated[
        str | None, typer.Option("--split", metavar="COLUMN", help="Column with train, test, ...; none to divide anew.")
    ] = None
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="CHAR", help="Character between cells, or tab.")
    ] = None
    no_label: Annotated[
        list[str] | None, typer.Option("--no-label", metavar="VALUE", help="A value that means no label; repeatable.")
    ] = None


def new_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Text, CSV, TSV or JSON; gzip too.")],
    columns: Columns,
    name: Annotated[str | None, typer.Option("--name", help="Name of the recipe; that of the file by default.")] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", help="About how long training may take on this machine.")
    ] = 10.0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder to write to; the current one by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a recipe and card that `new` wrote.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Analyze a file of texts, and write a recipe and a corpus card for it, ready to run."""
    written = write_recipe(file, name=name, minutes=minutes, out=out or Path(), force=force, columns=columns)
    if not as_json:
        for note in written["notes"]:
            tell(note)
    print_result(written, as_json, lambda written: [f"textvae run {written['recipe']}"])


def write_recipe(
    file: Path,
    *,
    name: str | None = None,
    minutes: float = 10.0,
    out: Path,
    force: bool = False,
    columns: Columns = Columns(),
) -> dict[str, Any]:
    """Write a recipe and a corpus card for a file of texts.

    Args:
        file: text, CSV, TSV or JSON; gzip too.
        name: of the recipe; the file's when None.
        minutes: about how long training may take.
        out: the folder to write to.
        force: overwrite a recipe and a card that `new` wrote.
        columns: what the user says about the file.

    Returns:
        the paths `recipe` and `card`, and `notes`: sentences about what was found in the file and chosen for it.

    Raises:
        TextVAEError: the file cannot be used, or a file to be written exists already.
    """
    from textvae.pipeline.new import card_beside, new_recipe

    recipe, notes = new_recipe(
        file,
        name=name,
        minutes=minutes,
        out=out,
        force=force,
        text=columns.text,
        label=columns.label,
        split=columns.split,
        delimiter=columns.delimiter,
        no_label=columns.no_label or (),
    )
    return {"recipe": str(recipe), "card": str(card_beside(recipe)), "notes": notes}


COMMAND = Command(new_command, example="FILE --minutes 30")
