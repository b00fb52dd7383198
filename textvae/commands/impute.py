"""`textvae impute`: fills the blanks of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.arguments import checked_count
from textvae.commands.base import Command
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import MANY, AsJSON, Run, Seed
from textvae.commands.output import print_result
from textvae.commands.sentences import read_sentences
from textvae.commands.whole_file import FileOptions
from textvae.errors import ConfigError


def impute_command(
    run: Run,
    sentences: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help="Texts with ___ for a token, ___* for a span; standard input if none."
        ),
    ] = None,
    *,
    whole: FileOptions,
    answers: Annotated[
        int | None,
        typer.Option("--answers", "-n", min=1, max=MANY, help="Answers for each text; 5 by default, 1 with --file."),
    ] = None,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Fill the blanks of texts, or of every row of a file: ranked answers with probabilities."""
    if whole.asked(sentences):
        if answers not in (None, 1):
            raise ConfigError(f"--answers is {answers}, and with --file there is one answer a row; leave it out.")
        whole.answer(run, "impute", seed=seed, as_json=as_json)
        return
    found = impute_run(run, read_sentences(sentences), answers=5 if answers is None else answers, seed=seed)
    print_result(found, as_json, _lines)


def impute_run(run: str | Path, texts: Sequence[str], *, answers: int, seed: int = 0) -> list[dict[str, Any]]:
    """Ranked answers for the blanks of each text, by the settings of the run's search.

    Args:
        run: a finished run, or a model folder.
        texts: with ___ for a token, ___* for a span.
        answers: most answers for each text.
        seed: of the draws by which answers are ranked.

    Returns:
        for each text the fields of `textvae.tasks.impute.Imputation`: `text`, `answers` (best first), ... A text that
        cannot be read has no answers; see `textvae.commands.lines`. So has one without a blank, or with a blank after
        the part that the model reads.

    Raises:
        TextVAEError: there is no such model, no text can be answered, or `answers` is too large.
    """
    from textvae.config import MAX_BEAM
    from textvae.generation.template import BLANK, template_of
    from textvae.pipeline.manifest import as_json
    from textvae.pipeline.run_folder import model_of, table_of
    from textvae.tasks.impute import MAX_SPAN, impute

    texts = checked_lines(texts, "text")
    answers = checked_count(answers, "answers", 1, MAX_BEAM)
    settings = table_of(run, "impute")
    search = {name: settings[name] for name in ("rounds", "width", "expand") if name in settings}
    model = model_of(run)
    sizes: dict[str, Any] = {"max_tokens": model.max_tokens, "max_span": min(MAX_SPAN, model.max_tokens)}

    def measure(text: str) -> tuple[int, int]:
        template = template_of(text, model.require_tokenizer(), **sizes, overlong="truncate")
        return len(template.slots), template.tokens

    lines = readable_lines(texts, model, unit="text", measure=measure, words_of=lambda text: BLANK.sub(" ", text))
    found = impute(model, lines.texts, answers=answers, overlong="truncate", seed=seed, **search)
    blank: dict[str, Any] = {"answers": [], "bound": None, "trace": []}
    return lines.answers(as_json([asdict(one) for one in found]), blank)


def _lines(found: list[dict[str, Any]]) -> list[str]:
    """Each text, followed by its answers with their probabilities; a line of its own for a text without answers."""
    lines = []
    for one in found:
        lines.append(one["text"] if one["text"].strip() else "")
        lines += [f"  {answer['probability']:6.1%}  {answer['text']}" for answer in one["answers"]]
    return lines


COMMAND = Command(impute_command, example='RUN "he went up to the ___" -n 3', answers_each_line=True)
