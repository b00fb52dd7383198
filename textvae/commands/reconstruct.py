"""`textvae reconstruct`: encodes sentences and decodes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.commands.base import Command
from textvae.commands.decoding import DecodingOptions
from textvae.commands.options import AsJSON, Run, Seed
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences

if TYPE_CHECKING:
    from textvae.generation import Decoding


def reconstruct_command(
    run: Run,
    sentences: Sentences = None,
    *,
    decoding: DecodingOptions,
    as_json: AsJSON = False,
    seed: Seed = 0,
) -> None:
    """Reconstruct sentences: encode each to z, and decode z."""
    how = decoding.config()
    made = reconstruct_run(run, read_sentences(sentences), decoding=how, seed=seed)
    print_result(made, as_json, lambda made: [one["reconstruction"] for one in made])


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
        for each text its `text`, its `reconstruction`, whether that is `exact`, and its `log_prob` in nats.

    Raises:
        TextVAEError: there is no such model, it has no z, or a text is empty or too long.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.reconstruct import reconstruct
    from textvae.text.given import checked_texts

    texts = checked_texts(texts)
    return [asdict(made) for made in reconstruct(model_of(run), texts, decoding=decoding, seed=seed)]


COMMAND = Command(reconstruct_command, example='RUN "he went into the house"')
