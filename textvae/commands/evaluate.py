"""`textvae evaluate`: measures a run's model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.options import MANY, AsJSON, Run, Seed, parse_options
from textvae.commands.output import print_result, tell, warn
from textvae.disk import find_model, run_of_model
from textvae.errors import ModelError

if TYPE_CHECKING:
    from textvae.models import TextModel


def evaluate_command(
    run: Run,
    split: Annotated[str, typer.Option("--split", help="Split of the run's corpus: train, valid or test.")] = "test",
    samples: Annotated[
        int | None, typer.Option("--samples", max=MANY, help="Samples of the importance-weighted bound.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Measure on sentences from a file, one per line, not on a split."),
    ] = None,
    ais: Annotated[
        bool,
        typer.Option("--ais", help="Annealed importance sampling too, with upper and lower bounds; slow."),
    ] = False,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Measure a model: bounds on its likelihood, use of z, reconstruction, and a verdict on collapse."""
    measured = evaluate_run(run, split=split, samples=samples, file=file, ais=ais, seed=seed)
    print_result(measured, as_json, _lines)


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
        file: one sentence per line, instead of a split.
        ais: whether to use annealed importance sampling too, with the recipe's settings or the defaults.
        seed: of the draws.

    Returns:
        the numbers under the names of report.json, and as `split` the split or the file.

    Raises:
        TextVAEError: there is no such model, split or file, or an option is wrong.
    """
    import tempfile

    from textvae.evaluation import EvaluateConfig, evaluate
    from textvae.pipeline.manifest import as_json
    from textvae.pipeline.run_folder import open_model, progress_lines, require_undamaged, split_file, table_of
    from textvae.text.corpora.reading import require_file
    from textvae.text.tokenized import TokenizedCorpus

    # Everything that can be checked without the model is checked before the model is read.
    folder = find_model(run)
    home = run_of_model(folder)
    table = table_of(run, "evaluate")
    table.pop("split", None)
    if samples is not None:
        table["iw_samples"] = samples
    if ais and table.get("ais") is None:
        table["ais"] = {}
    if home is not None:
        require_undamaged(home / "tokenize")
    if file is not None:
        require_file(file, "give a text file with one sentence per line")
        sentences, split = file, str(file)
    elif home is None:
        raise ModelError(f"{run} has no tokenized corpus beside it; give sentences with --file FILE.")
    else:
        sentences = split_file(home / "tokenize", split)
        split = table["split"] = sentences.stem
        if split == "train" and table.pop("probe_labels", ()):
            tell("  no probes: on the training split they would be tested on sentences that they learn from")
    config: EvaluateConfig = parse_options(EvaluateConfig, table, {"iw_samples": "--samples"})
    model = open_model(folder)
    with tempfile.TemporaryDirectory() as scratch:
        if file is not None:
            sentences = _tokenize_file(model, file, Path(scratch))
        measured = evaluate(
            model,
            TokenizedCorpus(sentences),
            config,
            seed=seed,
            training_corpus=None if home is None else TokenizedCorpus(home / "tokenize" / "train.arrow"),
            progress=progress_lines(tell, every=5.0),
        )
        return {**as_json(dict(measured)), "split": split}


def _tokenize_file(model: TextModel, file: Path, folder: Path) -> Path:
    """Tokenize the sentences of a text file into a file in the folder, and return its path."""
    from textvae.text.corpora import Example
    from textvae.text.corpora.reading import read_lines
    from textvae.text.tokenized import write_tokenized

    examples = (Example(line) for _, line in read_lines(file))
    path = folder / "sentences.arrow"
    tokenizer = model.require_tokenizer()
    counts = write_tokenized(
        path, examples, tokenizer, max_tokens=model.max_tokens, overlong="truncate", label_names=None
    )
    if counts.empty:
        warn(f"{counts.empty:,} empty {_lines_in_words(counts.empty)} left out.")
    if counts.overlong:
        warn(
            f"{counts.overlong:,} {_lines_in_words(counts.overlong)} cut as in training, to {model.max_tokens} tokens."
        )
    if counts.unknown_tokens:
        share = counts.unknown_tokens / counts.tokens
        warn(f"{share:.1%} of the tokens are not in the vocabulary; they cost little to predict.")
    return path


def _lines_in_words(count: int) -> str:
    return "line is" if count == 1 else "lines are"


def _lines(measured: dict[str, Any]) -> list[str]:
    """The verdict, and a line for each number of the report's table."""
    from textvae.pipeline.report.metrics import metric_rows

    rows = metric_rows({"evaluate": measured})
    width = max((len(row["title"]) for row in rows), default=0)
    lines = [f"{row['title']:<{width}}  {row['value']:>18}  {row['unit']}" for row in rows]
    return [*(str(measured[name]) for name in ("verdict", "reconstruction") if name in measured), *lines]


COMMAND = Command(evaluate_command, example="RUN --split valid --samples 10")
