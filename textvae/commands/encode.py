"""`textvae encode`: the code of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from textvae.commands.base import Command
from textvae.commands.lines import checked_lines, readable_lines
from textvae.commands.options import AsJSON, Run
from textvae.commands.output import print_result
from textvae.commands.sentences import Sentences, read_sentences
from textvae.commands.whole_file import FileOptions
from textvae.errors import ConfigError


def encode_command(
    run: Run,
    sentences: Sentences = None,
    *,
    whole: FileOptions,
    npy: Annotated[
        bool, typer.Option("--npy", help="With --file: write the codes to a .npy file beside OUT, not into a column.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Encode sentences, or every row of a file: the center of each sentence's posterior.

    The result is deterministic.
    """
    if whole.asked(sentences):
        whole.answer(run, "encode", as_json=as_json, npy=npy)
        return
    if npy:
        raise ConfigError("--npy writes the codes of a file; give the file by --file IN, or leave it out.")
    print_result(encode_run(run, read_sentences(sentences)), as_json, lambda found: [_line(one["z"]) for one in found])


def _line(z: Sequence[float] | None) -> str:
    return "" if z is None else " ".join(f"{value:.6g}" for value in z)


def encode_run(run: str | Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The code of each text.

    Args:
        run: a finished run, or a model folder.
        texts: sentences.

    Returns:
        for each text its `text` and its `z`, D numbers; None for a text that cannot be read, see
        `textvae.commands.lines`.

    Raises:
        TextVAEError: there is no such model, it has no z, or no text can be read.
    """
    from textvae.pipeline.run_folder import model_of
    from textvae.tasks.encode import encode
    from textvae.text.batching import checked_ids
    from textvae.text.token_rows import TokenRows

    texts, model = checked_lines(texts), model_of(run)
    lines = readable_lines(texts, model)
    ids = checked_ids(lines.texts, model.require_tokenizer(), model.max_tokens, overlong="truncate")
    z_ND = encode(model, TokenRows(ids))
    found = [{"text": text, "z": z.tolist()} for text, z in zip(lines.texts, z_ND, strict=True)]
    return lines.answers(found, {"z": None})


COMMAND = Command(encode_command, example='RUN "he went into the house"', answers_each_line=True)
