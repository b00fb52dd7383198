"""A verb applied to every row of a file: `map_file`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from textvae import __version__
from textvae.arguments import checked_seed
from textvae.config import parse
from textvae.disk import at_home
from textvae.errors import ConfigError, DataError
from textvae.mapping.ahead import ahead
from textvae.mapping.apply import ERROR, Counts, Rows, answers, checked_on_error, read_rows, result_names, with_columns
from textvae.mapping.formats import Format, Opened, Tables, Wish, compression, format_of, named_format, target_format
from textvae.mapping.memory import steady_memory
from textvae.mapping.verbs import EncodeVerb, Verb, VerbConfig
from textvae.mapping.work import Work
from textvae.pipeline.run_folder import text_column_of
from textvae.text.corpora.reading import require_file

if TYPE_CHECKING:
    from textvae.models import TextModel

Progress = Callable[[float, int], None]
"""Called with the share of the input that has been read, from 0 to 1, and the number of rows that are finished."""


def map_file(
    run: str | Path | TextModel,
    file: str | Path,
    out: str | Path,
    verb: str = "encode",
    *,
    column: str | None = None,
    delimiter: str | None = None,
    format: str | None = None,
    on_error: str = "truncate",
    npy: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    **settings: Any,
) -> Counts:
    """Do something to the text of every row of a file, and write the rows with the results to another file.

    The rows are in the order of the input, and all of its columns are kept. Only some thousand rows are in memory at
    once. Finished parts are kept beside `out` until it is complete: after a crash the same call goes on where it
    stopped, and the file has the same bytes as without it.

    Args:
        run: a finished run, a model folder, a name on the hub, or a model.
        file: lines, CSV, TSV, JSON lines, Parquet or Arrow; the first four also compressed (.gz).
        out: a new file; its ending says which of these it is. It is as the input where the ending says nothing.
        verb: encode, score, impute, classify, reconstruct or generate.
        column: the column with the text, a dotted path in JSON; when None, that of the run's corpus if the file has
            it, else the one that `textvae new` would take.
        delimiter: the character between cells; found when None.
        format: of the input; by its ending and its first lines when None.
        on_error: what is done with texts that the model cannot read whole: ``truncate`` cuts long ones as in training
            and keeps the rows of blank and broken ones with the reason in `error`; ``skip`` keeps long ones too without
            an answer; ``stop`` ends with an error.
        npy: with encode: z goes to a .npy file beside `out`, [rows, D] float32, NaN in rows without an answer.
        seed: of what is drawn; it belongs to (name of the file, row, seed).
        progress: called after every part.
        **settings: those of the verb, such as ``samples=100`` of score.

    Returns:
        what happened to the rows.

    Raises:
        TextVAEError: an option is wrong, the file cannot be read, `out` exists, or the model cannot do this.
    """
    mapper = Mapper(
        parse(VerbConfig, {"kind": verb, **settings}, "the options"),
        column=column,
        delimiter=delimiter,
        format=format,
        on_error=on_error,
        npy=npy,
        seed=seed,
    )
    return mapper(run, file, out, progress=progress)


class _Ready(NamedTuple):
    """A verb with all of its settings, its model, the format of the input, and the opened input."""

    verb: Verb
    model: TextModel
    source: Format
    opened: Opened


class Mapper:
    """A verb and the options of `map_file`, for any number of files and models.

    Args:
        verb: what is done to each text.
        column: see `map_file`; so are the others.
        delimiter: the character between cells.
        format: of the input.
        on_error: what is done with texts that the model cannot read whole.
        npy: whether the codes go to a .npy file.
        seed: of what is drawn.

    Raises:
        ConfigError: an option is wrong.
    """

    def __init__(
        self,
        verb: Verb,
        *,
        column: str | None = None,
        delimiter: str | None = None,
        format: str | None = None,
        on_error: str = "truncate",
        npy: bool = False,
        seed: int = 0,
    ) -> None:
        self.verb, self.column, self.delimiter, self.npy = verb, column, delimiter, npy
        self.format = None if format is None else named_format(format)
        self.on_error, self.seed = checked_on_error(on_error), checked_seed(seed)
        if npy and not isinstance(verb, EncodeVerb):
            raise ConfigError(f"--npy is for the numbers of encode, and {verb.kind} has none; leave it out.")

    def __call__(
        self,
        run: str | Path | TextModel,
        file: str | Path,
        out: str | Path,
        *,
        model: TextModel | None = None,
        progress: Progress | None = None,
        before_end: Callable[[dict[str, Any], Counts], None] | None = None,
    ) -> Counts:
        """Do what `map_file` does.

        Args:
            run: see `map_file`.
            file: that is read.
            out: that is written.
            model: of the run, where it has been read already.
            progress: called after every part.
            before_end: called with `job_of` and the counts when `out` is complete, while its parts are still there: a
                crash within the call, or before it, leaves what this method recognizes as its own.

        Raises:
            TextVAEError: see `map_file`.
        """
        file, out = at_home(file), at_home(out)
        require_file(file, "give a file of texts")
        work, vectors, ending = Work(out), self._vectors(out), compression(out)
        places = {ending: out} if vectors is None else {ending: out, ".npy": vectors}
        for which, place in places.items():
            work.require_free(place, which)
        ready = self._ready(run, file, model)
        verb, model, opened = ready.verb, ready.model, ready.opened
        target = target_format(out, ready.source)
        job = self._job(ready, file)
        with work.begun(job):
            # What another job has put there is not this one's.
            for which, place in places.items():
                work.require_free(place, which)
            if os.path.lexists(out):
                # The work was done; only its end is missing.
                total = sum((work.counts(number) for number in range(work.count())), Counts())
            else:
                total = self._make_parts(work, opened, verb, model, file.name, progress)
                _finish(work, verb, model, opened if ready.source is target else None, target, vectors)
            if before_end is not None:
                before_end(job, total)
        return total

    def job_of(self, run: str | Path | TextModel, file: Path, model: TextModel | None = None) -> dict[str, Any]:
        """Everything on which the answers of a file depend, as JSON values.

        Args:
            run: see `map_file`.
            file: that would be read.
            model: of the run, where it has been read already.
        """
        return self._job(self._ready(run, file, model), file)

    def _ready(self, run: str | Path | TextModel, file: Path, model: TextModel | None) -> _Ready:
        source = format_of(file) if self.format is None else self.format
        likely, verb = None, self.verb
        if isinstance(run, str | Path):
            likely, verb = text_column_of(run), verb.set_by(run)
            model = verb.model_of(run) if model is None else model
        else:
            model = run
        verb.check(model)
        return _Ready(verb, model, source, source.open(file, Wish(self.column, likely, self.delimiter)))

    def _job(self, ready: _Ready, file: Path) -> dict[str, Any]:
        return {
            "textvae": __version__,
            "verb": ready.verb.model_dump(mode="json"),
            "model": model_hash(ready.model),
            "file": file.name,
            "size": file.stat().st_size,
            "changed_ns": file.stat().st_mtime_ns,
            "format": ready.source.name,
            "column": ready.opened.column,
            "delimiter": self.delimiter,
            "on_error": self.on_error,
            "npy": self.npy,
            "seed": self.seed,
        }

    def _vectors(self, out: Path) -> Path | None:
        """The .npy file beside the output."""
        if not self.npy:
            return None
        vectors = out.with_suffix(".npy")
        if vectors == out:
            raise ConfigError("--out ends in .npy, and --npy writes a file of this name beside it; choose another one.")
        return vectors

    def _make_parts(
        self, work: Work, opened: Opened, verb: Verb, model: TextModel, name: str, progress: Progress | None
    ) -> Counts:
        """Make the parts that are not finished. The next part is read and tokenized while one is computed."""
        finished = work.count()

        def read() -> Generator[_Read, None, None]:
            first = 0
            for number, part in enumerate(opened.parts()):
                rows = None
                if number >= finished:
                    rows = read_rows(
                        part.texts,
                        verb,
                        model,
                        source=name,
                        first_row=first,
                        on_error=self.on_error,
                        problems=part.problems,
                    )
                first += len(part.texts)
                yield _Read(part.table, rows, opened.share_read())

        total = Counts()
        with steady_memory() as end_of_part, ahead(read()) as parts:
            for number, part in enumerate(parts):
                if part.rows is None:
                    total += work.counts(number)
                else:
                    added = answers(part.rows, verb, model, seed=self.seed)
                    work.add(number, with_columns(part.table, list(added), added), part.rows.counts)
                    total += part.rows.counts
                if progress is not None:
                    progress(part.share, total.rows)
                del part
                end_of_part()
        if not total.rows:
            raise DataError(f"{name} has no rows; give a file with texts.")
        return total


class _Read(NamedTuple):
    """A part of the input.

    Attributes:
        table: its rows, with all columns.
        rows: what the model reads of them; None for a part that is finished.
        share: of the input that has been read so far.
    """

    table: pa.Table
    rows: Rows | None
    share: float


def _finish(
    work: Work, verb: Verb, model: TextModel, source: Opened | None, target: Format, vectors: Path | None
) -> None:
    """Write the output from the parts. The last columns of a part are those that were added."""
    added = [*verb.columns(model), ERROR]
    schemas = work.schemas()
    present = dict.fromkeys(name for schema in schemas for name in schema.names[: -len(added)])
    names = result_names(list(present), added)
    first = 0
    if vectors is not None:
        first = 1
        if not os.path.lexists(vectors):
            whole = work.whole(".npy")
            _write_vectors(whole, work, -len(added), model.latent_dim)
            work.put(whole, vectors)

    with steady_memory() as end_of_part:

        def shown(part: pa.Table) -> pa.Table:
            kept = part.num_columns - len(added)
            renamed = part.rename_columns([*part.column_names[:kept], *names])
            return renamed.select([*range(kept), *range(kept + first, part.num_columns)])

        def read() -> Iterator[pa.Table]:
            for part in work.tables():
                yield shown(part)
                end_of_part()

        whole = work.whole(compression(work.out))
        made = dict.fromkeys(shown(schema.empty_table()).schema for schema in schemas)
        target.write(whole, Tables(tuple(made), read), names[first:], source)
    work.put(whole, work.out)


def _write_vectors(path: Path, work: Work, column: int, width: int) -> None:
    """Write the codes of all rows as one array, float32 [rows, D]; NaN where a row has none."""
    rows = sum(work.counts(number).rows for number in range(work.count()))
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        np.lib.format.write_array_header_1_0(file, header)
        for table in work.tables():
            values = table.column(column).combine_chunks()
            found_ND = np.full((len(values), width), np.nan, dtype="<f4")
            found_ND[~values.is_null().to_numpy(zero_copy_only=False)] = (
                values.drop_null().flatten().to_numpy().reshape(-1, width)
            )
            file.write(found_ND.tobytes())


def model_hash(model: TextModel) -> str:
    """A hash of everything that an answer of a model depends on: settings, sizes, weights and tokenizer."""
    found = hashlib.blake2b(digest_size=16)
    tokenizer = model.require_tokenizer()
    about = [model.config.model_dump_json(), model.max_tokens, model.label_names, tokenizer.kind]
    found.update(repr(about).encode())
    found.update("\0".join(tokenizer.tokens).encode("utf-8", "surrogatepass"))
    for name, values in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update(values.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
