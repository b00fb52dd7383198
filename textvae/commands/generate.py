"""`textvae generate`: new sentences from the prior, or by a Markov chain from a sentence."""

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
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import AsJSON, Run, Seed
from textvae.commands.output import print_stream, tell
from textvae.commands.whole_file import FileOptions
from textvae.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    import numpy as np

    from textvae.generation import Decoding


@dataclass(frozen=True)
class DecodingOfPriorOrWalk(DecodingOptions):
    """The same options; the default kind depends on --start."""

    decoding: Annotated[
        str | None,
        typer.Option("--decoding", metavar="KIND", help="greedy, sample or beam; default greedy, with --start sample."),
    ] = None


def generate_command(
    run: Run,
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=LARGEST, help="Number of sentences.")] = 10,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--start",
            metavar="TEXT",
            help="A Markov chain from this sentence: encode, draw z, decode, repeat.",
        ),
    ] = None,
    walk: Annotated[
        bool,
        typer.Option("--walk", help="With --start: draw z given a near training sentence (prior nearest_neighbors)."),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="NAME", help="Sentences for this label, by the model of [train] or [classify]."
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            "--vectors", metavar="FILE.npy", help="Sentences for each row, if the prior is conditioned on vectors."
        ),
    ] = None,
    whole: FileOptions,
    decoding: DecodingOfPriorOrWalk,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Generate sentences: z is drawn from the prior and decoded, or a Markov chain starts from a sentence.

    With --file a sentence is made for every row: z is drawn from the posterior of its text and decoded.
    """
    if whole.asked(start):
        if walk or label is not None or vectors is not None:
            raise ConfigError("--file draws z near each text; leave out --walk, --label and --vectors.")
        how = decoding.config(otherwise="sample")
        whole.answer(run, "generate", decoding=how.model_dump(), seed=seed, as_json=as_json)
        return
    if walk and start is None:
        raise ConfigError("--walk needs a sentence to start from, and got none; give --start TEXT.")
    if start is not None and (label is not None or vectors is not None):
        raise ConfigError(
            f"{'--vectors' if label is None else '--label'} chooses the prior from which z is drawn, and with --start "
            "z is not drawn from the prior; leave one of them out."
        )
    # The chain has the right stationary distribution only where words are sampled.
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
    """An iterator of sentences with z from the prior. A label uses the model of [train] if it has labels, else that of
    [classify].

    Args:
        run: a finished run, or a model folder.
        count: number of sentences; with vectors, the number for each vector.
        label: condition on this label.
        vectors: a .npy file of rows, for a prior conditioned on vectors.
        decoding: settings of the decoding.
        seed: of the draws.

    Returns:
        for each sentence its `text`, `log_prob` and `finished`, and its `label` where a label was used.

    Raises:
        TextVAEError: there is no such model, or it does not support the options; raised by the call, not by the
            iterator.
    """
    from textvae.pipeline.run_folder import decoder_knows_prior, model_of, table_of
    from textvae.tasks.generate import stream_sentences

    rows = None if vectors is None else _read_vectors(vectors)
    model = model_of(run)
    if label is not None and not model.labels:
        # Without a [classify] model either, `stream_sentences` raises the error.
        with contextlib.suppress(ModelError):
            model = model_of(run, "classify")
            tell("the model of [train] has no labels; these sentences are from the model of [classify].")
    elif not decoder_knows_prior(table_of(run, "train")):
        tell(
            "the training objective did not draw the codes of sentences to the prior, so the decoder was not trained "
            "on codes like the prior's; use --start TEXT for better sentences."
        )
    made = stream_sentences(model, count, label=label, vectors=rows, decoding=decoding, seed=seed)
    return ({name: value for name, value in asdict(one).items() if value is not None} for one in made)


def _read_vectors(file: Path) -> np.ndarray:
    """The array of a .npy file as float32; no pickle is loaded.

    Raises:
        DataError: the file is not a .npy file, or its values are not numbers.
    """
    import numpy as np

    from textvae.text.corpora.reading import require_file

    cure = "give a .npy file with a row for each vector, as numpy.save writes it"
    require_file(file, cure)
    try:
        # Mapped, not read: for a truncated file, or a header with a wrong size, this fails without allocating memory.
        found = np.load(file, allow_pickle=False, mmap_mode="r")
    except OSError:
        raise
    except Exception:  # numpy parses the header as Python code and can raise any error of that parser
        raise DataError(f"{file} is no array of numbers in a .npy file; {cure}.") from None
    if not isinstance(found, np.ndarray):
        raise DataError(f"{file} is an archive of several arrays, expected one array; {cure}.")
    if found.dtype.kind not in "fiub":
        raise DataError(f"{file} has values of type {found.dtype}, which are no plain numbers; {cure}.")
    return np.array(found, dtype=np.float32)


def walk_run(
    run: str | Path, texts: Sequence[str], count: int, *, neighbors: bool = False, decoding: Decoding, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """An iterator of sentences from Markov chains that start at given sentences; see `textvae.tasks.markov_chain`.

    The chains follow one another. The first has the seed `seed`, the second the next number, and so on.

    Args:
        run: a finished run, or a model folder.
        texts: the sentences at which the chains start.
        count: number of sentences of each chain.
        neighbors: draw z given near training sentences, which the prior nearest_neighbors stores.
        decoding: settings of the decoding.
        seed: of the draws.

    Returns:
        for each sentence its `text`, the `start` of its chain, and its `step`, from 1.

    Raises:
        TextVAEError: there is no such model, or a chain cannot start from one of the texts; raised by the call, not by
            the iterator.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.markov_chain import stream_chain

    texts, model = checked_lines(texts, all_needed=True), model_of(run)
    texts = readable_lines(texts, model, all_needed=True).texts
    # All chains are checked before the first one runs.
    chains = [
        stream_chain(
            model,
            text,
            count,
            neighbors=neighbors,
            decoding=decoding,
            overlong="truncate",
            seed=(seed + number) % (MAX_SEED + 1),
        )
        for number, text in enumerate(texts)
    ]
    return (
        {"start": start, "step": step, "text": text}
        for start, chain in zip(texts, chains, strict=True)
        for step, text in enumerate(chain, start=1)
    )


COMMAND = Command(generate_command, example="RUN -n 3 --decoding sample --temperature 0.8")
