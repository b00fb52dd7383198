"""The validation sentences under a model: the weight-1 bound, and what else epochs may compete by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textvae.evaluation.information import active_units_of_sums
from textvae.models import TextModel
from textvae.objectives import ELBOConfig, Objective
from textvae.objectives.base import BOUND, LOSS, PROXY_BOUND
from textvae.text.batching import BatchPlan, sequential_batches
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.processes import Processes
from textvae.training.step import sums_of_means
from textvae.types import Batch

_NOISE_SEED = 20_160_101
"""The noise of a validation is the same each time, so that epochs are compared on equal draws."""


class Validation:
    """Validation on the same sentences with the same noise each time.

    Args:
        corpus: the validation sentences.
        batch_tokens: budget of a batch.
        limit: validate on this many sentences only, drawn once.
        seed: of that draw.
        objective: measures `nll` and raw `kl`; what its epochs compete by, if not the bound, is its `competes_by`.
        all_lengths: whether batches are fair samples of these sentences, instead of sentences of one length.
        processes: whole batches are dealt out to them; noise is seeded by batch, so their number changes nothing.
    """

    def __init__(
        self,
        corpus: TokenizedCorpus,
        *,
        batch_tokens: int,
        limit: int | None,
        seed: int,
        objective: Objective,
        processes: Processes,
        all_lengths: bool = False,
    ) -> None:
        self.corpus, self.objective, self.processes = corpus, objective, processes
        self.bound = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
        chosen = np.arange(len(corpus))
        if limit is not None and limit < len(corpus):
            chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(corpus))[:limit])
        self.sentences = len(chosen)
        lengths = np.asarray(corpus.lengths)[chosen]
        self.tokens = int((lengths - 1).sum())
        # A token budget below the longest sentence would be an error of the training plan already.
        if all_lengths:
            batches = BatchPlan(lengths, batch_tokens, None, seed, all_lengths=True).epoch(0)
        else:
            batches = sequential_batches(lengths, batch_tokens)
        self.batches = [chosen[batch] for batch in batches]

    def __call__(
        self,
        model: TextModel,
        *,
        step: int,
        metric: Callable[[Any], float] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> dict[str, float] | None:
        """Measure a model; training's random state and mode are left as they were.

        Returns:
            valid_elbo_nll (minus the weight-1 bound: raw KL, no free bits; exact for a language model), valid_nll and
            valid_kl in nats per sentence, total / count over all sentences; valid_active_units where there are
            latents; valid_metric where a metric is given; valid_loss, the objective's own at this step's weight, where
            epochs compete by that. None when interrupted. Where q(z|x) has no density there is
            neither its bound nor its KL but valid_proxy_elbo_nll, minus the weight-1 bound of the diagonal Gaussians
            with its moments. With an extended posterior there is valid_extended_rate in place of valid_kl and of the
            active units, whose codes take gradients: the guard has those.
        """
        implicit, by_loss = self.bound_of(model) == PROXY_BOUND, self.criterion_of(model) == LOSS
        processes, was_training = self.processes, model.training
        dtype = processes.sum_dtype
        totals = torch.zeros(3, dtype=dtype, device=processes.device)
        units, extended = None, False
        num_samples = self.objective.num_samples
        model.eval()
        try:
            with isolated_randomness(processes.device), torch.no_grad(), processes.accelerator.autocast():
                for number in range(processes.index, len(self.batches), processes.count):
                    if interrupted():
                        return None
                    torch.manual_seed(_NOISE_SEED + number)
                    batch = self.corpus.batch(self.batches[number]).to(processes.device)
                    terms = model.terms(batch, num_samples)
                    output = self.objective(terms, step)
                    numbers = output.metrics_B
                    # What the bound charges beyond the NLL.
                    extended = "extended_rate" in numbers
                    if implicit:
                        beyond_B = self._beyond_of_proxy(model, batch, numbers["nll"])
                    else:
                        beyond_B = numbers["extended_rate" if extended else "kl"]
                    totals += torch.stack([numbers["nll"], beyond_B, output.loss_B]).sum(-1, dtype=dtype)
                    sums = sums_of_means(terms, dtype)
                    units = sums if units is None else units + sums
                value = None if metric is None else float(metric(model))
        finally:
            model.train(was_training)
        # Every process holds the same latents, but one without a batch does not know how many dimensions they have.
        width = max(processes.gather(0 if units is None else units.shape[1]))
        units = torch.zeros((2, width), dtype=dtype, device=processes.device) if units is None else units
        nll, beyond, loss = (processes.sum(totals) / self.sentences).tolist()
        measured: dict[str, float] = {self.bound_of(model): nll + beyond, "valid_nll": nll}
        if not implicit:
            name = "valid_extended_rate" if any(processes.gather(extended)) else "valid_kl"
            measured[name] = beyond
        if by_loss:
            measured[LOSS] = loss
        if width:
            measured["valid_active_units"] = active_units_of_sums(processes.sum(units), self.sentences)
        if value is not None:
            # Processes must not disagree on which epoch is best.
            measured["valid_metric"] = processes.gather(value)[0]
        return measured

    def _beyond_of_proxy(self, model: TextModel, batch: Batch, nll_B: Tensor) -> Tensor:
        terms = model.proxy_terms(batch, self.objective.num_samples)
        return self.bound(terms, 0).loss_B - nll_B

    def bound_of(self, model: TextModel) -> str:
        """The name of the weight-1 bound that a model has."""
        return PROXY_BOUND if self.criterion_of(model) == PROXY_BOUND else BOUND

    def criterion_of(self, model: TextModel) -> str:
        """The name of the number by which epochs of a model compete, lower is better; a language model's is exact."""
        return self.objective.competes_by if model.has_code else BOUND


@contextmanager
def isolated_randomness(device: torch.device) -> Iterator[None]:
    """Whatever is drawn or seeded inside leaves torch's random state outside as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], device_type="cuda"):
        yield
