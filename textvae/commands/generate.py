"""`textvae generate`: new sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textvae.arguments import LARGEST, MAX_SEED
from textvae.commands.base import Command
from textvae.commands.decoding import DecodingOptions
from textvae.commands.options import AsJSON, Run, Seed
from textvae.commands.output import print_stream, tell
from textvae.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    import numpy as np

    from textvae.generation import Decoding


@dataclass(frozen=True)
class DecodingOfPriorOrWalk(DecodingOptions):
    """The same options, where the kind that is meant when none is named depends on --start."""

    decoding: Annotated[
        str | None,
        typer.Option(
            "--decoding", metavar="KIND", help="greedy, sample or beam; when absent greedy, from --start sample."
        ),
    ] = None


def generate_command(
    run: Run,
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=LARGEST, help="How many sentences.")] = 10,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--start",
            metavar="TEXT",
            help="Walk from this sentence to codes and back.",
        ),
    ] = None,
    walk: Annotated[
        bool,
        typer.Option("--walk", help="From --start, by codes of near training sentences (prior nearest_neighbors)."),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="NAME", help="For this label, by a model with labels: train's, or classify's."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="FILE.npy", help="For each row, by a model whose prior takes vectors."),
    ] = None,
    decoding: DecodingOfPriorOrWalk,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """New sentences: z is drawn from the prior and decoded, or by a walk from a sentence to a code and back."""
    if walk and start is None:
        raise ConfigError("--walk goes from a sentence to others near it, and got none; give --start TEXT.")
    if start is not None and (label is not None or vectors is not None):
        raise ConfigError(
            f"{'--vectors' if label is None else '--label'} chooses the prior that codes are drawn from, and a walk "
            "from --start draws them beside sentences; leave one of them out."
        )
    # A walk is true to the model only where words are drawn.
    how = decoding.config(otherwise="greedy" if start is None else "sample")
    if start is not None:
        made = walk_run(run, start, count, neighbors=walk, decoding=how, seed=seed)
    else:
        made = generate_run(run, count, label=label, vectors=vectors, decoding=how, seed=seed)
    print_stream(made, as_json, lambda one: one["text"])


def generate_run(
    run: str | Path,
    count: int,
    *,
    label: str | None = None,
    vectors: Path | None = None,
    decoding: Decoding,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """New sentences as they come, z from the prior; for a label, by the run's model with labels: train's or classify's.

    Args:
        run: a finished run, or a model folder.
        count: how many; for vectors, how many for each.
        label: to write for.
        vectors: a .npy file of rows, for a prior conditioned on vectors.
        decoding: settings.
        seed: of the draws.

    Returns:
        for each its `text`, `log_prob` and `finished`, and its `label` where one had a part in it.

    Raises:
        TextVAEError: there is no such model, or it cannot do what is asked; before the first sentence is taken.
    """
    from textvae.pipeline.run_folder import decoder_knows_prior, model_of, table_of
    from textvae.tasks.generate import stream_sentences

    rows = None if vectors is None else _read_vectors(vectors)
    model = model_of(run)
    if label is not None and not model.labels:
        # Where there is none either, the task says what is missing.
        with contextlib.suppress(ModelError):
            model = model_of(run, "classify")
            tell("the model of [train] has no labels; these are the sentences of [classify]'s.")
    elif not decoder_knows_prior(table_of(run, "train")):
        tell(
            "nothing in the training of this model drew the codes of sentences to the prior, so its decoder does not "
            "know the prior's codes; draw sentences by --start TEXT."
        )
    made = stream_sentences(model, count, label=label, vectors=rows, decoding=decoding, seed=seed)
    return ({name: value for name, value in asdict(one).items() if value is not None} for one in made)


def _read_vectors(file: Path) -> np.ndarray:
    """The array of a .npy file as float32; no pickle is loaded.

    Raises:
        DataError: it is none, or not of numbers.
    """
    import numpy as np

    from textvae.text.corpora.reading import require_file

    cure = "give a .npy file with a row for each vector, as numpy.save writes it"
    require_file(file, cure)
    try:
        # Of a file cut short, or with a header that promises more than there is, the map fails; nothing is reserved.
        found = np.load(file, allow_pickle=False, mmap_mode="r")
    except OSError:
        raise
    except Exception:  # numpy reads the header with Python's own parser, and lets all of its errors through
        raise DataError(f"{file} is no array of numbers in a .npy file; {cure}.") from None
    if not isinstance(found, np.ndarray):
        raise DataError(f"{file} is an archive of several arrays; {cure}.")
    if found.dtype.kind not in "fiub":
        raise DataError(f"{file} has values of the type {found.dtype}, and no plain numbers; {cure}.")
    return np.array(found, dtype=np.float32)


def walk_run(
    run: str | Path, texts: Sequence[str], count: int, *, neighbors: bool = False, decoding: Decoding, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """New sentences as they come, by walking from given ones to codes and back, or to codes of neighbors and back.

    One chain after another, each with draws of its own: the first from `seed`, the second from the next number.

    Args:
        run: a finished run, or a model folder.
        texts: where the chains start.
        count: how many sentences each chain has.
        neighbors: go by the codes of near training sentences, which the prior nearest_neighbors remembers.
        decoding: settings.
        seed: of the draws.

    Returns:
        for each its `text`, the `start` of its chain, and its `step`, from 1.

    Raises:
        TextVAEError: there is no such model, or it cannot walk from one of the texts; before the first step is taken.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.markov_chain import stream_chain

    model = model_of(run)
    # What is wrong with one of them is said before the first walks.
    chains = [
        stream_chain(model, text, count, neighbors=neighbors, decoding=decoding, seed=(seed + number) % (MAX_SEED + 1))
        for number, text in enumerate(texts)
    ]
    return (
        {"start": start, "step": step, "text": text}
        for start, chain in zip(texts, chains, strict=True)
        for step, text in enumerate(chain, start=1)
    )


COMMAND = Command(generate_command, example="RUN -n 3 --decoding sample --temperature 0.8")
