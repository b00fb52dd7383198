"""What the tasks share: checks of the model, batches of sentences, and seeded draws."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.errors import ConfigError, DataError, ModelError
from textvae.models import TextModel
from textvae.text.batching import gather_batch
from textvae.types import Batch, GivenRows

DECODER_KNOWS_LABELS = "decoder_knows_labels"
"""The entry of a classifier's card that says whether its decoder was trained with labels."""
SENTENCES_AT_ONCE = 256
"""Most sentences that are encoded or decoded together."""


def require_latent(model: TextModel, task: str) -> None:
    """Refuse models that have no z, or that decode from a label besides z.

    Raises:
        ModelError: the model is a language model, or its decoder needs a label.
    """
    require_unlabeled(model, task)
    if not model.has_code:
        raise ModelError(f"a language model has no latent vector, so it cannot {task}; train a text_vae instead.")


def tell_of_fixed_mean(model: TextModel, task: str, cure: str) -> None:
    """Warn where a posterior's mean, and therefore what is decoded from it, is the same for every sentence."""
    config = model.config.posterior_settings
    if config is not None and config.fixed_mean:
        warnings.warn(
            f"the mean of a {config.kind} posterior is the same for every sentence, so what {task} decodes from it is "
            f"the same too; {cure}.",
            stacklevel=3,
        )


def require_unlabeled(model: TextModel, task: str) -> None:
    """Refuse models whose decoder needs a label.

    Raises:
        ModelError: the model is semi-supervised.
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
            f"this model's prior is conditioned on a vector of {vector_dim} numbers, and a text has no such vector, so "
            f"it cannot {task}; use a text_vae with another prior."
        )


def vectors_for(model: TextModel, vectors: GivenRows | None) -> Tensor | None:
    """The vectors that condition the prior, [N, H] on the model's device; None for a prior that takes no vectors.

    Args:
        model: any model.
        vectors: a tensor, an array or rows of numbers; None for no vectors.

    Raises:
        ModelError: vectors were given, and the prior takes none.
        ConfigError: the prior needs vectors, and none were given.
        DataError: the vectors are not N rows of H finite numbers.
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
        raise ModelError("got vectors, but this model's prior takes no vectors; leave them out.")
    try:
        vector_NH = torch.as_tensor(vectors, dtype=torch.float32, device=model.device)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"the vectors are no table of numbers; expected rows of {vector_dim} numbers.") from None
    if vector_NH.dim() != 2 or vector_NH.shape[1] != vector_dim:
        raise DataError(
            f"the vectors have shape {tuple(vector_NH.shape)}, expected rows of {vector_dim} numbers, the size on "
            "which the model's prior was trained."
        )
    if not bool(vector_NH.isfinite().all()):
        raise DataError("the vectors have values that are not finite; correct or leave out those rows.")
    return vector_NH


def label_index(model: TextModel, label: str) -> int:
    """The index of a label among the model's labels.

    Raises:
        ModelError: the model has no labels, or its decoder was not trained with them.
        ConfigError: the model does not have this label.
    """
    names = model.labels
    if not names:
        raise ModelError(
            f"this model has no labels, so it cannot generate for the label {label!r}; use a semi_supervised model "
            "(runs/NAME/classify/model), or train a text_vae with prior.kind = 'conditional' and prior.num_labels."
        )
    if model.card.get(DECODER_KNOWS_LABELS) is False:
        raise ModelError(
            "the decoder of this classifier was not trained with labels, so its sentences would not depend on "
            f"{label!r}; train one with method = 'semi_supervised' and epochs above 0 in [classify]."
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
    """Seeds torch's global generator inside, for draws that take no generator; its state is restored afterwards.

    Words that are sampled inside need another generator: `textvae.generation.word_generator`.

    Raises:
        ConfigError: the seed is not a whole number from 0 to 2**63 - 1.
    """
    seed = checked_seed(seed)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class Draws:
    """`seeded` for draws in several parts: each part continues the stream of the last; between them, torch's random
    state is the caller's.

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
        """Inside, draws continue from the state at the end of the last part."""
        on_cuda = self.device.type == "cuda"
        with seeded(self.seed, self.device):
            if self._state:
                torch.set_rng_state(self._state[0])
                if on_cuda:
                    torch.cuda.set_rng_state(self._state[1], self.device)
            yield
            self._state = [torch.get_rng_state(), *([torch.cuda.get_rng_state(self.device)] if on_cuda else [])]
