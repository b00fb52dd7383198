"""Beginning with the weights of a model that was trained before."""

from __future__ import annotations

from pathlib import Path

import torch

from textvae.errors import ModelError
from textvae.models import TextModel, load_model
from textvae.text.tokenizers import Tokenizer


def start_from(model: TextModel, run: str, tokenizer: Tokenizer | None = None) -> None:
    """Copy a trained model's weights into one that has all of its parts.

    Args:
        model: takes the weights; it may have settings the other lacks, but no other parameters.
        run: a finished run, a model folder, or a model's name on the hub.
        tokenizer: of the corpus.

    Raises:
        ModelError: there is no such model, or its parameters are others.
    """
    inside = Path(run).expanduser() / "train" / "model"
    source = load_model(inside if inside.is_dir() else run)
    given, wanted = source.state_dict(), model.state_dict()
    for name, value in wanted.items():
        if name not in given:
            raise ModelError(
                f"train.start_from = '{run}' has no weights '{name}', which this model needs; "
                "start from a run of the same sizes and parts."
            )
        if given[name].shape != value.shape:
            raise ModelError(
                f"train.start_from = '{run}': '{name}' has shape {list(given[name].shape)} there, "
                f"{list(value.shape)} here; start from a run of the same sizes and parts."
            )
    if tokenizer is not None and source.tokenizer is not None and _words(tokenizer) != _words(source.tokenizer):
        raise ModelError(f"train.start_from = '{run}' has another tokenizer; tokenize as that run did.")
    with torch.no_grad():
        for name, value in wanted.items():
            value.copy_(given[name])


def _words(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.decode_batch([[token] for token in range(tokenizer.vocab_size)])
