"""`textvae reconstruct`: encodes sentences and decodes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.commands.base import Command
from textvae.commands.decoding import DecodingOptions
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import AsJSON, Run, Seed
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences
from textvae.commands.whole_file import FileOptions

if TYPE_CHECKING:
    from textvae.generation import Decoding


def reconstruct_command(
    run: Run,
    sentences: Sentences = None,
    *,
    whole: FileOptions,
    decoding: DecodingOptions,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Reconstruct sentences, or every row of a file: encode each to z, and decode z."""
    how = decoding.config()
    if whole.asked(sentences):
        whole.answer(run, "reconstruct", decoding=how.model_dump(), seed=seed, as_json=as_json)
        return
    made = reconstruct_run(run, read_sentences(sentences), decoding=how, seed=seed)
    print_result(made, as_json, lambda made: [one["reconstruction"] or "" for one in made])


def reconstruct_run(
    run: str | Path, texts: Sequence[str], *, decoding: Decoding, seed: int = 0
) -> list[dict[str, Any]]:
    """Encode each text and decode it again.

    Args:
        run: a finished run, or a model folder.
        texts: sentences.
        decoding: settings of the decoding.
        seed: of decoding by sampling.

    Returns:
        for each text its `text`, its `reconstruction`, whether that is `exact`, and its `log_prob` in nats. These are
        None for a text that cannot be read; see `textvae.commands.lines`.

    Raises:
        TextVAEError: there is no such model, it has no z, or no text can be read.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.reconstruct import reconstruct

    texts, model = checked_lines(texts), model_of(run)
    lines = readable_lines(texts, model)
    found = reconstruct(model, lines.texts, decoding=decoding, overlong="truncate", seed=seed)
    blank = {"reconstruction": None, "exact": None, "log_prob": None}
    return lines.answers([asdict(made) for made in found], blank)


COMMAND = Command(reconstruct_command, example='RUN "he went into the house"', answers_each_line=True)
