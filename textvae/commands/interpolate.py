"""`textvae interpolate`: decodes a path between the codes of two sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.decoding import DecodingOptions
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import MANY, AsJSON, Run, Seed
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences
from textvae.errors import DataError

if TYPE_CHECKING:
    from textvae.generation import Decoding


def interpolate_command(
    run: Run,
    sentences: Sentences = None,
    *,
    steps: Annotated[int, typer.Option("--steps", max=MANY, help="Sentences on the path, both ends included.")] = 7,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="linear or spherical; by default spherical if codes are on a sphere, else linear."),
    ] = None,
    decoding: DecodingOptions,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Decode sentences on the path between the codes of two sentences."""
    how = decoding.config()
    path = interpolate_run(run, read_sentences(sentences), steps=steps, kind=kind, decoding=how, seed=seed)
    print_result(path, as_json, lambda path: path["texts"])


def interpolate_run(
    run: str | Path, texts: Sequence[str], *, steps: int, kind: str | None, decoding: Decoding, seed: int = 0
) -> dict[str, Any]:
    """The path between two sentences.

    Args:
        run: a finished run, or a model folder.
        texts: the first and the last sentence of the path.
        steps: sentences on the path, both ends included.
        kind: linear or spherical; None for spherical if codes are on a sphere, else linear.
        decoding: settings of the decoding.
        seed: of decoding by sampling.

    Returns:
        the fields of `textvae.tasks.interpolate.Interpolation`.

    Raises:
        TextVAEError: there is no such model, there are not two sentences, one of them cannot be read, or an option is
            wrong.
    """
    from textvae.pipeline.manifest import as_json
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.interpolate import checked_path, interpolate

    if len(texts) != 2:
        raise DataError(f"interpolate got {len(texts)} sentence(s), expected two: the first and the last of the path.")
    steps, kind = checked_path(steps, kind)
    texts, model = checked_lines(texts, all_needed=True), model_of(run)
    start, end = readable_lines(texts, model, all_needed=True).texts
    path = interpolate(model, start, end, steps=steps, kind=kind, decoding=decoding, overlong="truncate", seed=seed)
    return as_json(asdict(path))


COMMAND = Command(interpolate_command, example='RUN "he went into the house" "i will give you the land" --steps 5')
