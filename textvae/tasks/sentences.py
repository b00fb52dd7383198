"""What the tasks share: which models can do them, sentences to latent vectors, seeds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.errors import ConfigError, DataError, ModelError
from textvae.models import TextModel
from textvae.text.batching import gather_batch
from textvae.types import Batch

SENTENCES_AT_ONCE = 256
"""Sentences encoded or decoded together."""

Vectors = Tensor | np.ndarray | Sequence[Any]
"""N rows of H numbers, as callers give them; `vectors_for` checks that they are that."""


def require_latent(model: TextModel, task: str) -> None:
    """Refuse models that have no z, or whose z is not all that a sentence is made from.

    Raises:
        ModelError: a language model, or a model conditioned on a label.
    """
    require_unlabeled(model, task)
    if not model.has_code:
        raise ModelError(f"a language model has no latent vector, so it cannot {task}; train a text_vae instead.")


def tell_of_fixed_mean(model: TextModel, task: str, cure: str) -> None:
    """Warn where a posterior's mean, and so what is decoded from it, is the same for every sentence."""
    config = model.config.posterior_settings
    if config is not None and config.fixed_mean:
        warnings.warn(
            f"the mean of a {config.kind} posterior is the same for every sentence, and so is all that {task} decodes "
            f"from it; {cure}.",
            stacklevel=3,
        )


def require_unlabeled(model: TextModel, task: str) -> None:
    """Refuse models whose decoder needs a label.

    Raises:
        ModelError: a semi-supervised model.
    """
    if model.decodes_labels:
        raise ModelError(
            f"a {model.config.kind} model's sentences need a label, so it cannot {task}; use the text_vae of [train]."
        )


def require_free_prior(model: TextModel, task: str) -> None:
    """Refuse models that have no p(z) without a vector.

    Raises:
        ModelError: the prior is conditioned on vectors.
    """
    vector_dim = model.vector_size
    if vector_dim:
        raise ModelError(
            f"this model's prior is conditioned on a vector of {vector_dim} numbers, which a text comes without, so it "
            f"cannot {task}; use a text_vae with another prior."
        )


def vectors_for(model: TextModel, vectors: Vectors | None) -> Tensor | None:
    """The vectors to draw sentences for, [N, H] where the model lives; None for a model whose prior takes none.

    Args:
        model: any model.
        vectors: a tensor, an array or rows of numbers; None where there are none.

    Raises:
        ModelError: the prior takes no vectors.
        ConfigError: it takes some, and none were given.
        DataError: they are not N rows of H finite numbers.
    """
    vector_dim = model.vector_size
    if vectors is None:
        if vector_dim:
            raise ConfigError(
                f"this model's prior is conditioned on a vector of {vector_dim} numbers, and none was given; give "
                "vectors, one row for each (--vectors FILE.npy)."
            )
        return None
    if not vector_dim:
        raise ModelError("this model's prior takes no vectors; leave them out.")
    try:
        vector_NH = torch.as_tensor(vectors, dtype=torch.float32, device=model.device)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"the vectors are no table of numbers; give rows of {vector_dim} numbers.") from None
    if vector_NH.dim() != 2 or vector_NH.shape[1] != vector_dim:
        raise DataError(
            f"the vectors have shape {tuple(vector_NH.shape)}, expected rows of {vector_dim} numbers, as the model's "
            "prior was trained on."
        )
    if not bool(vector_NH.isfinite().all()):
        raise DataError("the vectors hold values that are not finite; mend or leave out those rows.")
    return vector_NH


def label_index(model: TextModel, label: str) -> int:
    """The place of a label among the model's.

    Raises:
        ModelError: the model has no labels.
        ConfigError: it does not know this one.
    """
    names = model.labels
    if not names:
        raise ModelError(
            f"this model has no labels, so it cannot write for the label {label!r}; take a semi_supervised model "
            "(runs/NAME/classify/model), or train a text_vae with prior.kind = 'conditional' and prior.num_labels."
        )
    if label not in names:
        raise ConfigError(f"the model has no label {label!r}; it knows {', '.join(map(repr, names))}.")
    return names.index(label)


def batch_of(rows: Sequence[Sequence[int]], device: torch.device) -> Batch:
    """A padded batch of ids without BOS and EOS."""
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    flat = np.array([token for row in rows for token in row], dtype=np.int64)
    return gather_batch(flat, np.cumsum(counts) - counts, counts, None, np.arange(len(rows))).to(device)


def chunks(count: int, size: int = SENTENCES_AT_ONCE) -> Iterator[slice]:
    """Slices that cover `count` rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """A seed for draws that take no generator; torch's own state is restored afterwards.

    Words drawn beside them need a stream of their own: `textvae.generation.word_generator`.

    Raises:
        ConfigError: the seed is no whole number from 0 to 2**63 - 1.
    """
    seed = checked_seed(seed)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class Draws:
    """The same for draws made in parts: between two of them torch's state is the caller's, whatever is done with it.

    >>> draws, device = Draws(1, torch.device("cpu")), torch.device("cpu")
    >>> with draws.on():
    ...     first = torch.rand(2)
    >>> _ = torch.rand(7)
    >>> with draws.on():
    ...     second = torch.rand(2)
    >>> with seeded(1, device):
    ...     print(torch.equal(torch.rand(2), first), torch.equal(torch.rand(2), second))
    True True
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed, self.device = seed, device
        self._state: list[Tensor] = []

    @contextmanager
    def on(self) -> Iterator[None]:
        """Inside, draws go on where they ended last."""
        on_cuda = self.device.type == "cuda"
        with seeded(self.seed, self.device):
            if self._state:
                torch.set_rng_state(self._state[0])
                if on_cuda:
                    torch.cuda.set_rng_state(self._state[1], self.device)
            yield
            self._state = [torch.get_rng_state(), *([torch.cuda.get_rng_state(self.device)] if on_cuda else [])]
