"""A verb applied to the files of a dataset on many machines, by Ray Data (the extra `ray`).

Ray schedules: the paths of the files are mapped over a pool of actors, each with a model of its own. Each input file
is written by `textvae.mapping.Mapper`, as by `map_file`, to one output file. So the files have the same names and the
same bytes as on one machine, however many actors there are, and whichever of them are lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textvae.config import parse
from textvae.disk import at_home, claim, problem_of_file, read_json, shown_path, write_json
from textvae.errors import ConfigError, DataError
from textvae.mapping.apply import Counts
from textvae.mapping.files import Mapper
from textvae.mapping.verbs import Verb, VerbConfig

WHAT = "mapped files"
"""The kind of the output folder, as its marker says."""
_DONE = ".textvae-done"
"""The folder, within the output folder, of a note for each finished file."""


def map_files(
    run: str | Path,
    files: Iterable[str | Path],
    out: str | Path,
    verb: str = "encode",
    *,
    ending: str | None = None,
    actors: int = 2,
    gpus: float = 0,
    cpus: float = 1,
    **options: Any,
) -> dict[str, Counts]:
    """Do something to the text of every row of many files, over a pool of actors.

    Run again after an interruption, it goes on where it stopped: finished files are not made again.

    Args:
        run: a finished run or a model folder that every machine can read, or a name on the hub.
        files: that every machine can read, of any formats of `map_file`.
        out: a folder that every machine can write to, new or made by this function.
        verb: encode, score, impute, classify, reconstruct or generate.
        ending: of the output files, such as ``.parquet``; that of each input when None.
        actors: number of actors; each reads the model once, and answers one file at a time.
        gpus: GPUs of each actor.
        cpus: processor cores of each actor.
        **options: those of `map_file`, such as ``column="body"`` or ``seed=1``, and of the verb.

    Returns:
        what happened to the rows of each file, by the output file's name.

    Raises:
        TextVAEError: an option is wrong, two files have the same name, `out` holds files of others, or a file cannot be
            read.
        ImportError: Ray is not installed.
    """
    mapper = _mapper(verb, options)
    jobs = _jobs([at_home(file) for file in files], at_home(out), ending)
    try:
        import ray
        import ray.data
    except ImportError:
        raise ImportError("map_files needs Ray; install it by `pip install 'textvae[ray]'`.") from None
    claim(at_home(out), WHAT, [f"{_DONE}/**"])
    (at_home(out) / _DONE).mkdir(exist_ok=True)

    answered = ray.data.from_items(jobs, override_num_blocks=len(jobs)).map_batches(
        _Actor,
        fn_constructor_args=(str(run), mapper),
        batch_size=1,
        batch_format="pandas",
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_gpus=gpus or None,
        num_cpus=None if gpus else cpus,
    )
    return {row["out"]: Counts(**{name: row[name] for name in asdict(Counts())}) for row in answered.take_all()}


def _mapper(verb: str, options: Mapping[str, Any]) -> Mapper:
    own = {name: options[name] for name in _OPTIONS if name in options}
    settings = {name: value for name, value in options.items() if name not in own}
    doing: Verb = parse(VerbConfig, {"kind": verb, **settings}, "the options")
    return Mapper(doing, **own)


_OPTIONS = ("column", "delimiter", "format", "on_error", "npy", "seed")


def _jobs(files: Sequence[Path], out: Path, ending: str | None) -> list[dict[str, str]]:
    """The input and the output of each file."""
    if not files:
        raise DataError("no files were given; give the paths of at least one.")
    jobs: dict[str, dict[str, str]] = {}
    for file in files:
        if (problem := problem_of_file(file)) is not None:
            raise DataError(f"{shown_path(file)} {problem}; give files of texts.")
        stem = Path(file.name.removesuffix(".gz"))
        name = stem.name if ending is None else stem.stem + ending
        if name in jobs:
            raise ConfigError(
                f"{jobs[name]['file']} and {file} would both be written to {name}; rename one of them, or map them to "
                "two folders."
            )
        jobs[name] = {"file": str(file.absolute()), "out": str((out / name).absolute())}
    return list(jobs.values())


class _Actor:
    """A process with a model, which answers one file at a time."""

    def __init__(self, run: str, mapper: Mapper) -> None:
        self.run, self.mapper = run, mapper
        self.model = mapper.verb.set_by(run).model_of(run)

    def __call__(self, batch: Any) -> Any:
        found = [self.answer(Path(file), Path(out)) for file, out in zip(batch["file"], batch["out"], strict=True)]
        columns = {name: [asdict(counts)[name] for counts in found] for name in asdict(Counts())}
        return batch.assign(out=[Path(out).name for out in batch["out"]], **columns)

    def answer(self, file: Path, out: Path) -> Counts:
        """Answer a file, unless that was done: Ray calls again where it did not hear of the end."""
        note = out.parent / _DONE / f"{out.name}.json"
        if problem_of_file(note) is None and problem_of_file(out) is None:
            known = read_json(note)
            if known["job"] == self.mapper.job_of(self.run, file, self.model):
                return Counts(**known["counts"])
        return self.mapper(
            self.run,
            file,
            out,
            model=self.model,
            before_end=lambda job, counts: write_json(note, {"job": job, "counts": asdict(counts)}),
        )
