"""What the commands on a finished run do: one function each, giving plain JSON values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textvae.arguments import MAX_SEED
from textvae.errors import ConfigError, DataError, ModelError
from textvae.pipeline.manifest import as_json
from textvae.pipeline.run_folder import (
    find_model,
    model_of,
    progress_lines,
    require_undamaged,
    run_of_model,
    split_file,
    table_of,
)
from textvae.pipeline.runner import say


def decoding_of(
    kind: str,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    beam: int | None = None,
    length_penalty: float | None = None,
) -> Any:
    """Decoding settings from the command line's options.

    Raises:
        ConfigError: an option that this kind of decoding does not have.
    """
    from textvae.config import parse
    from textvae.generation import DecodingConfig

    given = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "width": beam,
        "length_penalty": length_penalty,
    }
    given = {name: value for name, value in given.items() if value is not None}
    belongs = {"greedy": set(), "sample": {"temperature", "top_k", "top_p"}, "beam": {"width", "length_penalty"}}
    if kind not in belongs:
        raise ConfigError(f"--decoding got '{kind}', expected greedy, sample or beam.")
    options = {"width": "--beam", **{name: f"--{name.replace('_', '-')}" for name in given if name != "width"}}
    for name in given:
        if name not in belongs[kind]:
            home = next(other for other, names in belongs.items() if name in names)
            raise ConfigError(f"{options[name]} has no part in --decoding {kind}; use --decoding {home}.")
    return parse(DecodingConfig, {"kind": kind, **given}, "the options")


def evaluate_run(
    run: str | Path,
    *,
    split: str = "test",
    samples: int | None = None,
    file: Path | None = None,
    ais: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a run's model on one of its splits, or on the sentences of a file.

    Args:
        run: a finished run, or a model folder of one.
        split: of the run's corpus.
        samples: of the importance-weighted bound; as in the recipe when None.
        file: one sentence a line, instead of a split.
        ais: anneal too, with the recipe's settings or the default ones.
        seed: of the draws.
    """
    import tempfile

    from textvae.config import parse
    from textvae.evaluation import EvaluateConfig, evaluate
    from textvae.text.tokenized import TokenizedCorpus

    model = model_of(run)
    table = table_of(run, "evaluate")
    table.pop("split", None)
    if samples is not None:
        table["iw_samples"] = samples
    if ais and table.get("ais") is None:
        table["ais"] = {}
    home = run_of_model(find_model(run))
    if home is not None:
        require_undamaged(home / "tokenize")
    with tempfile.TemporaryDirectory() as scratch:
        if file is not None:
            path, split = _tokenize_file(model, file, Path(scratch)), str(file)
        elif home is None:
            raise ModelError(f"{run} has no tokenized corpus beside it; give sentences by --file FILE.")
        else:
            path = split_file(home / "tokenize", split)
            split = table["split"] = path.stem
            if split == "train" and table.pop("probe_labels", ()):
                say("  no probes: on the training split they would be measured on sentences that they learn from")
        config: EvaluateConfig = parse(EvaluateConfig, table, "the options")
        measured = evaluate(
            model,
            TokenizedCorpus(path),
            config,
            seed=seed,
            training_corpus=None if home is None else TokenizedCorpus(home / "tokenize" / "train.arrow"),
            progress=progress_lines(say, every=5.0),
        )
        return {**as_json(dict(measured)), "split": split}


def _tokenize_file(model: Any, file: Path, folder: Path) -> Path:
    from textvae.text.corpora import Example
    from textvae.text.corpora.reading import read_lines, require_file
    from textvae.text.tokenized import write_tokenized

    require_file(file, "give a text file with one sentence a line")
    examples = (Example(line) for _, line in read_lines(file))
    path = folder / "sentences.arrow"
    tokenizer = model.require_tokenizer()
    write_tokenized(path, examples, tokenizer, max_tokens=model.max_tokens, overlong="truncate", label_names=None)
    return path


def generate_run(
    run: str | Path,
    count: int,
    *,
    label: str | None = None,
    vectors: Path | None = None,
    decoding: Any,
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
    """
    from textvae.tasks.generate import stream_sentences

    model = model_of(run)
    if label is not None and not model.labels:
        # Where there is none either, the task says what is missing.
        with contextlib.suppress(ModelError):
            model = model_of(run, "classify")
            say("the model of [train] has no labels; these are the sentences of [classify]'s.")
    elif table_of(run, "train").get("objective", {}).get("kind") == "unregularized":
        say(
            "the objective unregularized leaves codes wherever they are, and those of the prior are none that the "
            "decoder knows; draw sentences by --start TEXT."
        )
    rows = None if vectors is None else _read_vectors(vectors)
    made = stream_sentences(model, count, label=label, vectors=rows, decoding=decoding, seed=seed)
    return ({name: value for name, value in asdict(one).items() if value is not None} for one in made)


def _read_vectors(file: Path) -> Any:
    """The array of a .npy file; no pickle is loaded.

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
    run: str | Path, texts: Sequence[str], count: int, *, neighbors: bool = False, decoding: Any, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """New sentences as they come, by walking from given ones to codes and back, or to codes of neighbors and back.

    One chain after another, each with draws of its own: the first from `seed`, the second from the next number.
    """
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


def reconstruct_run(run: str | Path, texts: Sequence[str], *, decoding: Any, seed: int = 0) -> list[dict[str, Any]]:
    """Sentences through z and back."""
    from textvae.tasks.reconstruct import reconstruct

    return [asdict(made) for made in reconstruct(model_of(run), list(texts), decoding=decoding, seed=seed)]


def interpolate_run(
    run: str | Path, texts: Sequence[str], *, steps: int, kind: str | None, decoding: Any, seed: int = 0
) -> dict[str, Any]:
    """The path between two sentences.

    Raises:
        DataError: there are not two of them.
    """
    from textvae.tasks.interpolate import interpolate

    if len(texts) != 2:
        raise DataError(f"interpolate got {len(texts)} sentence(s), expected two: the first and the last of the path.")
    start, end = texts
    path = interpolate(model_of(run), start, end, steps=steps, kind=kind, decoding=decoding, seed=seed)  # type: ignore[arg-type]
    return as_json(asdict(path))


def impute_run(run: str | Path, texts: Sequence[str], *, answers: int, seed: int = 0) -> list[dict[str, Any]]:
    """Ranked answers for the blanks of each text."""
    from textvae.tasks.impute import impute

    settings = table_of(run, "impute")
    search = {name: settings[name] for name in ("rounds", "width", "expand") if name in settings}
    return as_json([asdict(one) for one in impute(model_of(run), list(texts), answers=answers, seed=seed, **search)])


def classify_run(run: str | Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The label of each text, and the probability of every label, likeliest first."""
    from textvae.models import SemiSupervisedTextVAE
    from textvae.tasks.classify import classify

    # A classifier's own folder will do; of a run, it is the classify stage's.
    model = model_of(run) if (Path(run) / "config.json").exists() else None
    if not isinstance(model, SemiSupervisedTextVAE):
        model = model_of(run, "classify")
    found = [asdict(one) for one in classify(model, list(texts))]
    for one in found:
        one["probabilities"] = dict(sorted(one["probabilities"].items(), key=lambda pair: -pair[1]))
    return found
