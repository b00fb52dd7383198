"""The command `textvae`: parses, calls, prints. Everything it does is a function elsewhere."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae import __version__, interrupt
from textvae.arguments import LARGEST
from textvae.errors import ConfigError, DataError
from textvae.explain import explain
from textvae.printable import json_text, one_line, printable

app = typer.Typer(
    name="textvae",
    help="Train sentence VAEs on text, and put them to work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MANY = 100_000
"""More than anyone needs of what is held in memory at once."""

Run = Annotated[str, typer.Argument(metavar="RUN", help="A finished run (runs/NAME) or a model folder.")]
Sentences = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SENTENCE]...", help="Sentences; read from standard input, one a line, if none."),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST, help="Of everything random.")]
DecodingKind = Annotated[str, typer.Option("--decoding", metavar="KIND", help="greedy, sample or beam.")]
Temperature = Annotated[float | None, typer.Option("--temperature", help="Of --decoding sample.")]
TopK = Annotated[int | None, typer.Option("--top-k", help="Of --decoding sample: draw among the K likeliest words.")]
TopP = Annotated[float | None, typer.Option("--top-p", help="Of --decoding sample: among the likeliest that sum to P.")]
Beam = Annotated[int | None, typer.Option("--beam", help="Of --decoding beam: hypotheses kept.")]
Annealing = Annotated[
    bool, typer.Option("--ais", help="Annealed importance sampling too, and bounds from both sides; slow.")
]
LengthPenalty = Annotated[
    float | None, typer.Option("--length-penalty", help="Of --decoding beam: above 0 favors length.")
]


def _show_version(wanted: bool | None) -> None:
    if wanted:
        _say(f"textvae {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool | None, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = None,
) -> None:
    pass


@app.command("run")
def run_command(
    recipes: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Recipe files, or names of installed ones (demo), one after another."),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting: train.epochs=2, corpus.root=DIR."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The run folder; runs/NAME by default. Of several recipes, their parent."
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="STAGE", help="This stage and what it needs, no other.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run although up to date.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and why, and do nothing.")] = False,
) -> None:
    """Run what is out of date of recipes, and nothing else."""
    from textvae.pipeline.reading import read_recipe
    from textvae.pipeline.runner import run_recipes

    def line(text: str) -> None:
        interrupt.check()
        # A dry run is asked for its lines, so they are its output; otherwise they are progress.
        _say(text, progress=not dry_run)

    read = [read_recipe(name, settings or []) for name in recipes]
    run_recipes(read, out, only=only, force=force, dry_run=dry_run, say=line)


@app.command("new")
def new_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Text, CSV, TSV or JSON lines; gzip too.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the recipe; the file's by default.")] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", help="About how long training may take on this machine.")
    ] = 10.0,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to write; here by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a recipe and card that `new` wrote.")] = False,
) -> None:
    """Look at a file of texts, and write a recipe and a corpus card for it, ready to run."""
    from textvae.pipeline.new import new_recipe

    recipe, notes = new_recipe(file, name=name, minutes=minutes, out=out or Path(), force=force)
    for note in notes:
        _say(note, progress=True)
    _say(f"textvae run {recipe}")


@app.command("evaluate")
def evaluate_command(
    run: Run,
    split: Annotated[str, typer.Option("--split", help="Of the run's corpus: train, valid or test.")] = "test",
    samples: Annotated[
        int | None, typer.Option("--samples", max=MANY, help="Of the importance-weighted bound.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Sentences, one a line, instead of a split.")
    ] = None,
    ais: Annealing = False,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Measure a model: bounds on its likelihood, use of z, reconstruction, and a plain judgement."""
    from textvae.pipeline.commands import evaluate_run

    _print(evaluate_run(run, split=split, samples=samples, file=file, ais=ais, seed=seed), as_json, _numbers)


@app.command("generate")
def generate_command(
    run: Run,
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
    decoding: Annotated[
        str | None,
        typer.Option(
            "--decoding", metavar="KIND", help="greedy, sample or beam; when absent greedy, from --start sample."
        ),
    ] = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """New sentences: z is drawn from the prior and decoded, or by a walk from a sentence to a code and back."""
    from textvae.pipeline.commands import decoding_of, generate_run, walk_run

    if walk and start is None:
        raise ConfigError("--walk goes from a sentence to others near it, and got none; give --start TEXT.")
    if start is not None and (label is not None or vectors is not None):
        raise ConfigError(
            f"{'--vectors' if label is None else '--label'} chooses the prior that codes are drawn from, and a walk "
            "from --start draws them beside sentences; leave one of them out."
        )
    # A walk is true to the model only where words are drawn.
    kind = decoding or ("greedy" if start is None else "sample")
    how = decoding_of(kind, temperature, top_k, top_p, beam, length_penalty)
    if start is not None:
        made = walk_run(run, start, count, neighbors=walk, decoding=how, seed=seed)
    else:
        made = generate_run(run, count, label=label, vectors=vectors, decoding=how, seed=seed)
    _print_each(made, as_json)


@app.command("reconstruct")
def reconstruct_command(
    run: Run,
    sentences: Sentences = None,
    decoding: DecodingKind = "greedy",
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Sentences through z and back."""
    from textvae.pipeline.commands import decoding_of, reconstruct_run

    how = decoding_of(decoding, temperature, top_k, top_p, beam, length_penalty)
    made = reconstruct_run(run, _texts(sentences), decoding=how, seed=seed)
    _print(made, as_json, lambda made: [one["reconstruction"] for one in made])


@app.command("interpolate")
def interpolate_command(
    run: Run,
    sentences: Sentences = None,
    steps: Annotated[int, typer.Option("--steps", max=MANY, help="Sentences on the path, both ends included.")] = 7,
    kind: Annotated[
        str | None, typer.Option("--kind", help="linear or spherical; by default what the latent space is.")
    ] = None,
    decoding: DecodingKind = "greedy",
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """The path between two sentences."""
    from textvae.pipeline.commands import decoding_of, interpolate_run

    how = decoding_of(decoding, temperature, top_k, top_p, beam, length_penalty)
    path = interpolate_run(run, _texts(sentences), steps=steps, kind=kind, decoding=how, seed=seed)
    _print(path, as_json, lambda path: list(path["texts"]))


@app.command("impute")
def impute_command(
    run: Run,
    sentences: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help="Texts with ___ for a token, ___* for a span; standard input if none."
        ),
    ] = None,
    answers: Annotated[int, typer.Option("--answers", "-n", min=1, max=MANY, help="Answers for each text.")] = 5,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Fill the blanks of texts: ranked answers with probabilities."""
    from textvae.pipeline.commands import impute_run

    _print(impute_run(run, _texts(sentences), answers=answers, seed=seed), as_json, _answers)


@app.command("classify")
def classify_command(run: Run, sentences: Sentences = None, as_json: AsJSON = False) -> None:
    """The label of each sentence, by the run's semi-supervised model: nothing about it is random."""
    from textvae.pipeline.commands import classify_run

    _print(
        classify_run(run, _texts(sentences)),
        as_json,
        lambda found: [f"{one['label']}\t{one['probability']:.3f}\t{one['text']}" for one in found],
    )


def _texts(sentences: Sequence[str] | None) -> list[str]:
    """Sentences from the arguments, else the lines of standard input."""
    if sentences:
        return list(sentences)
    if sys.stdin is None:
        raise DataError("no sentence was given, and standard input is closed; name some, or leave out `<&-`.")
    if sys.stdin.isatty():
        _say("Reading sentences, one a line; end with Ctrl-D.", progress=True)
    try:
        lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"standard input is not UTF-8 (byte {error.start}); convert it, for instance by iconv."
        ) from None
    if not lines:
        raise DataError("no sentence was given; name some, or send them to standard input, one a line.")
    return lines


def _say(line: str, *, progress: bool = False) -> None:
    """A line of the output or, if it is progress, of standard error."""
    print(printable(line), file=sys.stderr if progress else sys.stdout, flush=True)


def _print(value: Any, as_json: bool, lines: Callable[[Any], list[str]]) -> None:
    if as_json:
        print(json_text(value, sys.stdout.encoding), flush=True)
    else:
        for line in lines(value):
            _say(line)


def _print_each(made: Iterable[dict[str, Any]], as_json: bool) -> None:
    """Sentences as they come: their texts, or one JSON list, laid out as if it were printed at once."""
    if not as_json:
        for one in made:
            _say(one["text"])
        return
    opened = False
    for one in made:
        text = json_text(one, sys.stdout.encoding).replace("\n", "\n  ")
        print(f"{',' if opened else '['}\n  {text}", end="", flush=True)
        opened = True
    print("\n]" if opened else "[]", flush=True)


def _numbers(measured: dict[str, Any]) -> list[str]:
    from textvae.pipeline.report.metrics import metric_rows

    rows = metric_rows({"evaluate": measured})
    width = max((len(row["title"]) for row in rows), default=0)
    lines = [f"{row['title']:<{width}}  {row['value']:>18}  {row['unit']}" for row in rows]
    return [*([str(measured["verdict"])] if "verdict" in measured else []), *lines]


def _answers(found: list[dict[str, Any]]) -> list[str]:
    lines = []
    for one in found:
        lines.append(one["text"])
        lines += [f"  {answer['probability']:6.1%}  {answer['text']}" for answer in one["answers"]]
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its code: 0, 2 for the user's errors, 1 for the machine's, 130 for Ctrl-C."""
    warnings.showwarning = warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding does not have is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    interrupt.exit_with(_run(arguments))


def warn(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning as a user of the command reads it: one line, without the line of code that gave it."""
    print(f"textvae: warning: {one_line(str(message))}", file=sys.stderr, flush=True)


def _run(arguments: Sequence[str] | None) -> int:
    code, message = _outcome(list(sys.argv[1:] if arguments is None else arguments))
    # Whatever became of a KeyboardInterrupt on its way, the command was interrupted.
    if code == interrupt.CODE or interrupt.raised():
        interrupt.tell()
        return interrupt.CODE
    return _fail(message, code) if message else code


def _outcome(arguments: list[str]) -> tuple[int, str]:
    """The exit code, and the sentence that is still to be said."""
    try:
        if sys.stdout is None and (arguments[:1] != ["run"] or "--dry-run" in arguments):
            raise ConfigError("standard output is closed, and what you asked for is printed; leave out `>&-`.")
        try:
            code = app(args=arguments, standalone_mode=False)
        except SystemExit as leaving:
            code = leaving.code
        # Typer turns Ctrl-C into its code, without a word.
        return _flushed(code if isinstance(code, int) else 0), ""
    except KeyboardInterrupt:
        return interrupt.CODE, ""
    except BaseException as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            return _refuse_usage(error), ""
        # Typer makes an Abort of an EOFError.
        reason = error.__cause__ if isinstance(error.__cause__, EOFError) else error
        if os.environ.get("TEXTVAE_DEBUG"):
            raise
        if isinstance(reason, BrokenPipeError):
            _silence()
            return 1, ""
        return explain(reason)


def _refuse_usage(error: Any) -> int:
    """Show a usage error of typer's, which repeats what was typed."""
    shown = io.StringIO()
    error.show(shown)
    print(printable(shown.getvalue().rstrip("\n"), lines=True), file=sys.stderr, flush=True)
    return int(error.exit_code)


def _flushed(code: int) -> int:
    """Push out what was printed while a reader that has gone can still be noticed."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    return code


def _silence() -> None:
    # What is left in the buffer would raise once more when Python closes the stream.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"textvae: {one_line(message)}", file=sys.stderr, flush=True)
    return code
