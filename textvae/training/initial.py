"""Starting from the weights of a trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.config import Config
from textvae.errors import ModelError
from textvae.models import TextModel, load_model
from textvae.text.tokenizers import Tokenizer


class StartFromConfig(Config):
    """The trained model whose weights a training starts with.

    With `parts = "all"` every weight of the run is used. A model whose posterior refines a Gaussian posterior can start
    from a run with that Gaussian: the parameters of the refinement itself, such as step sizes, keep their initial
    values.

    With `parts = "decoder"` a language model becomes the decoder of a VAE (as in the language model pre-training of Xu
    et al. 2017, arXiv 1603.02514): the weights that read z keep their initial values.
    """

    run: str = Field(
        description="a finished run (`runs/NAME`, looked up beside the folder of this recipe's run), a model folder, "
        "or a model's name on the hub"
    )
    parts: Literal["all", "decoder"] = "all"


def start_from(
    model: TextModel,
    config: StartFromConfig,
    tokenizer: Tokenizer | None = None,
    find_source: Callable[[str], Path] | None = None,
) -> None:
    """Copy a trained model's weights into a model with the same parts.

    Args:
        model: gets the weights.
        config: the source of the weights.
        tokenizer: of the corpus.
        find_source: gives the model folder that `config.run` names; `load_model` finds it when None.

    Raises:
        ModelError: there is no such model, or its tokenizer, parts or sizes differ.
    """
    source = load_model(config.run if find_source is None else find_source(config.run))
    if tokenizer is not None and source.tokenizer is not None and _words(tokenizer) != _words(source.tokenizer):
        raise ModelError(
            f"train.start_from: {config.run} has another tokenizer than this corpus; use the [tokenize] table and the "
            "corpus of that run."
        )
    # A posterior that refines a Gaussian posterior contains it as `posterior.amortized`.
    given = {_plain(name): value for name, value in source.state_dict().items()}
    wanted = {_plain(name): value for name, value in model.state_dict().items()}
    # The source's memory has the codes of its own corpus. The trainer fills the memory of this model.
    for name in () if model.memory is None else model.memory.memory_names:
        given.pop(f"prior.{name}", None)
        wanted.pop(f"prior.{name}", None)
    whole = config.parts == "all"
    refining = _of_refinement(model) - _of_refinement(source)
    copied = set()
    for name, value in wanted.items():
        if not (whole or name.startswith("decoder.")):
            continue
        if name in given and (there := _fitting(given[name], value, widen=not whole)) is not None:
            with torch.no_grad():
                there.copy_(given[name])
            copied.add(name)
        elif name in given or (whole and name not in refining):
            shape = list(given[name].shape) if name in given else "nothing"
            raise ModelError(
                f"train.start_from: for '{name}' {config.run} has {shape}, and this model needs {list(value.shape)}; "
                "start from a run with the same sizes and parts."
            )
    for name in copied:
        owner, _, own = name.rpartition(".")
        if own == "_extra_state":  # not a tensor of the model: what it compares, such as the checksum of frozen weights
            model.get_submodule(owner).set_extra_state(given[name])
    if left := {name for name in given if name.startswith("decoder.") or whole} - copied:
        raise ModelError(
            f"train.start_from: {config.run} has '{min(left)}', for which this model has no place; "
            "start from a run with the same parts."
        )


def _of_refinement(model: TextModel) -> set[str]:
    """Names of the weights that a refining posterior has beside those of the Gaussian that it refines."""
    names = {name for name in model.state_dict() if name.startswith("posterior.")}
    amortized = {name for name in names if name.startswith("posterior.amortized.")}
    return names - amortized if amortized else set()


def _fitting(given: Tensor, wanted: Tensor, widen: bool) -> Tensor | None:
    """The part of a parameter that takes the given values; None where the shapes do not fit.

    Args:
        given: the values.
        wanted: the parameter.
        widen: whether the parameter may have more columns than the values, as where a decoder reads z after the
            words.
    """
    if given.shape == wanted.shape:
        return wanted
    wider = given.dim() == 2 and given.shape[0] == wanted.shape[0] and given.shape[1] < wanted.shape[1]
    return wanted[:, : given.shape[1]] if widen and wider else None


def _plain(name: str) -> str:
    """A parameter's name without the prefix that a refining posterior adds.

    >>> _plain("posterior.amortized.parameters_of.weight")
    'posterior.parameters_of.weight'
    """
    return name.replace("posterior.amortized.", "posterior.", 1)


def _words(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.decode_batch([[token] for token in range(tokenizer.vocab_size)])
