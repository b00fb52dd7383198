"""Validation after each epoch: the weight-1 bound, and the criterion by which the best epoch is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from textvae.evaluation.information import active_units_of_sums
from textvae.models import TextModel
from textvae.objectives import ELBOConfig, Objective
from textvae.objectives.base import BOUND, LOSS, PROXY_BOUND
from textvae.text.batching import BatchPlan, sequential_batches
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.callback import Callback
from textvae.training.loss import sums_of_means
from textvae.training.plan import TrainingPlan
from textvae.training.processes import Processes
from textvae.training.state import Progress
from textvae.types import Batch

_NOISE_SEED = 20_160_101
"""Seed of the noise of the first batch: the same at every validation, so that epochs are compared on equal draws."""


class ValidationInterrupted(Exception):
    """Ctrl-C came before all validation sentences were measured."""


class Validation(Callback):
    """Measures the same sentences with the same noise after each epoch.

    Args:
        corpus: the validation sentences.
        model: the model; its mode and the random state of training are restored after each validation.
        objective: computes `nll` and raw `kl`; its `competes_by` names the selection criterion.
        plan: says whether batches are random samples, and their token budget.
        progress: has the step, on which the weight of the objective depends.
        limit: validate on this many sentences only, drawn once; None for all.
        seed: of that draw.
        processes: each measures some of the batches. Noise is seeded by batch, so their number changes no result.
        metric: a further metric of the model.
        interrupted: called before each batch; True ends the validation.

    Attributes:
        bound_name: name of the weight-1 bound in the metrics.
        criterion_name: name of the selection criterion in the metrics, lower is better: the bound, unless the
            objective names another number. For a language model it is the exact NLL.
    """

    def __init__(
        self,
        corpus: TokenizedCorpus,
        model: TextModel,
        objective: Objective,
        *,
        plan: TrainingPlan,
        progress: Progress,
        limit: int | None,
        seed: int,
        processes: Processes,
        metric: Callable[[TextModel], float] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.corpus, self.model, self.objective = corpus, model, objective
        self.progress, self.processes = progress, processes
        self.metric, self.interrupted = metric, interrupted
        self.criterion_name = objective.competes_by if model.has_code else BOUND
        self.bound_name = PROXY_BOUND if self.criterion_name == PROXY_BOUND else BOUND
        self.bound = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
        chosen = np.arange(len(corpus))
        if limit is not None and limit < len(corpus):
            chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(corpus))[:limit])
        self.sentences = len(chosen)
        lengths = np.asarray(corpus.lengths)[chosen]
        if plan.all_lengths:
            batches = BatchPlan(lengths, plan.valid_batch_tokens, None, seed, all_lengths=True).epoch(0)
        else:
            batches = sequential_batches(lengths, plan.valid_batch_tokens)
        self.batches = [chosen[batch] for batch in batches]

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        """Add the numbers of `measure`.

        Raises:
            ValidationInterrupted: `interrupted` returned True; no numbers are added.
        """
        numbers.update(self.measure())

    def measure(self) -> dict[str, int | float]:
        """Measure the model.

        Returns:
            In nats per sentence, each a total over all sentences divided by their number:

            - valid_elbo_nll: minus the weight-1 bound (raw KL, no free bits); exact for a language model;
            - valid_nll: its reconstruction term;
            - valid_kl: its raw KL; with an extended posterior valid_extended_rate in its place;
            - valid_proxy_elbo_nll: in place of the bound and its KL where q(z|x) has no density: minus the weight-1
              bound of the diagonal Gaussians with its moments;
            - valid_loss: the objective's loss at this step's weight, where it is the selection criterion.

            Also valid_active_units where posterior means are known without a gradient; valid_metric where given.

        Raises:
            ValidationInterrupted: `interrupted` returned True.
        """
        model, processes, was_training = self.model, self.processes, self.model.training
        dtype = processes.sum_dtype
        totals = torch.zeros(3, dtype=dtype, device=processes.device)
        units, extended = None, False
        model.eval()
        try:
            with isolated_randomness(processes.device), torch.no_grad(), processes.accelerator.autocast():
                for number in range(processes.index, len(self.batches), processes.count):
                    if self.interrupted():
                        raise ValidationInterrupted
                    torch.manual_seed(_NOISE_SEED + number)
                    batch = self.corpus.batch(self.batches[number]).to(processes.device)
                    terms = model.terms(batch, self.objective.num_samples)
                    output = self.objective(terms, self.progress.step)
                    extended = "extended_rate" in output.metrics_B
                    rate_B = self._rate(batch, output.metrics_B)
                    totals += torch.stack([output.metrics_B["nll"], rate_B, output.loss_B]).sum(-1, dtype=dtype)
                    sums = sums_of_means(terms, dtype)
                    units = sums if units is None else units + sums
                metric = None if self.metric is None else float(self.metric(model))
        finally:
            model.train(was_training)

        nll, rate, loss = (processes.sum(totals) / self.sentences).tolist()
        measured: dict[str, int | float] = {self.bound_name: nll + rate, "valid_nll": nll}
        if self.bound_name == BOUND:
            measured["valid_extended_rate" if any(processes.gather(extended)) else "valid_kl"] = rate
        if self.criterion_name == LOSS:
            measured[LOSS] = loss
        measured |= self._active_units(units)
        if metric is not None:
            # All processes use the value of the first, so that they select the same epoch.
            measured["valid_metric"] = processes.gather(metric)[0]
        return measured

    def _rate(self, batch: Batch, metrics_B: Mapping[str, Tensor]) -> Tensor:
        """The weight-1 bound's terms beside the reconstruction (the raw KL, for most models), nats, [B]."""
        if self.bound_name == PROXY_BOUND:
            terms = self.model.proxy_terms(batch, self.objective.num_samples)
            return self.bound(terms, 0).loss_B - metrics_B["nll"]
        return metrics_B["extended_rate"] if "extended_rate" in metrics_B else metrics_B["kl"]

    def _active_units(self, units_2D: Tensor | None) -> dict[str, int | float]:
        """`valid_active_units` from this process's sums of posterior means and of squares; None if it had no batch."""
        processes = self.processes
        # A process without a batch does not know the number of dimensions.
        width = max(processes.gather(0 if units_2D is None else units_2D.shape[1]))
        if not width:
            return {}
        if units_2D is None:
            units_2D = torch.zeros((2, width), dtype=processes.sum_dtype, device=processes.device)
        return {"valid_active_units": active_units_of_sums(processes.sum(units_2D), self.sentences)}


@contextmanager
def isolated_randomness(device: torch.device) -> Iterator[None]:
    """Draws and seeds inside do not change torch's random state outside."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], device_type="cuda"):
        yield
