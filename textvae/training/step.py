"""One update of the weights: forward, backward, clip, optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from textvae.objectives import local_mean
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.divergence import DivergenceWatch
from textvae.training.learning_rate import LearningRate
from textvae.training.loss import TrainingLoss
from textvae.training.optimizers import OptimizerConfig
from textvae.training.processes import Processes


@dataclass(frozen=True)
class StepResult:
    """The result of one update. Tensors stay on the device, so that the host need not wait for it.

    Attributes:
        loss: this process's share of the mean over the global batch, times the number of processes; nats, a scalar.
        names: of the K metrics.
        totals_K: sums of the metrics over this process's sentences, [K].
        units_2D: sums of the posterior means and of their squares, [2, D] (D = 0 without latents).
        grad_norm: norm of the gradient over all processes, before clipping; a scalar.
        kl_weight: of this step.
        learning_rate: of this step.
        sentences: of the global batch.
        tokens: predicted tokens of the global batch (EOS counted; BOS and padding not).
    """

    loss: Tensor
    names: tuple[str, ...]
    totals_K: Tensor
    units_2D: Tensor
    grad_norm: Tensor
    kl_weight: float
    learning_rate: float
    sentences: int
    tokens: int


class TrainStep:
    """Makes updates of all trained parameters: those of the model, then those of the regularizers.

    Args:
        loss: the loss of a batch; it is moved to this process's device.
        corpus: the training sentences.
        optimizer: settings of the optimizer.
        learning_rate: of every step.
        clip_norm: the gradient is clipped to this norm; None for no clipping.
        processes: each takes a slice of every batch.

    Attributes:
        optimizer: makes the updates.
        divergence: stops before an update whose gradient is not finite.
        frozen: parameters that get no gradient in the next updates.
    """

    def __init__(
        self,
        loss: TrainingLoss,
        corpus: TokenizedCorpus,
        optimizer: OptimizerConfig,
        learning_rate: LearningRate,
        *,
        clip_norm: float | None,
        processes: Processes,
    ) -> None:
        self.corpus, self.lengths = corpus, np.asarray(corpus.lengths)
        self.learning_rate, self.clip_norm, self.processes = learning_rate, clip_norm, processes
        self.frozen: tuple[nn.Parameter, ...] = ()
        self.loss = loss
        # accelerate's wrapper for precision and processes; its forward pass is that of the loss.
        self.wrapped_loss = processes.accelerator.prepare_model(loss)
        self.parameters = [parameter for parameter in loss.parameters() if parameter.requires_grad]
        self.optimizer: torch.optim.Optimizer = optimizer.build(parameters=self.parameters)
        self.divergence = DivergenceWatch(
            processes.device,
            deferred=processes.device.type == "cuda",
            processes=processes.count,
            lr=optimizer.lr,
        )

    def __call__(self, indices: np.ndarray, step: int) -> StepResult:
        """Make one update.

        Args:
            indices: the sentences of the global batch.
            step: its number, counted from 0.

        Raises:
            DivergedError: the loss or its gradient is not finite; on an accelerator a later check raises it.
        """
        processes = self.processes
        rate = self.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mine, counts = processes.share(indices)
        batch = self.corpus.batch(mine).to(processes.device)

        # The loss is the mean over the global batch. The wrapper averages gradients over processes, so the sum of this
        # slice is multiplied by their number.
        scale = processes.count / len(indices) if counts else 0.0
        mean = local_mean if processes.count == 1 else processes.batch_mean(len(indices), counts)
        with _without_gradient(self.frozen):
            self.optimizer.zero_grad(set_to_none=True)
            found = self.wrapped_loss(batch, step, scale, mean)
            processes.accelerator.backward(found.loss)
            grad_norm = self._clip()

        loss = found.loss.detach()
        self.divergence.before_update(self.optimizer, step=step, indices=indices, loss=loss, grad_norm=grad_norm)
        self.optimizer.step()
        return StepResult(
            loss=loss,
            names=found.names,
            totals_K=found.totals_K,
            units_2D=found.units_2D,
            grad_norm=grad_norm,
            kl_weight=found.kl_weight,
            learning_rate=rate,
            sentences=len(indices),
            tokens=int((self.lengths[indices] - 1).sum()),
        )

    def mean_loss(self, result: StepResult) -> float:
        """The mean loss over the global batch of a step, nats. A collective call: all processes must make it."""
        return float(self.processes.sum(result.loss)) / self.processes.count

    def _clip(self) -> Tensor:
        """Clip the gradient, already averaged over processes, and return its norm before clipping."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        grad_norm = torch.nn.utils.get_total_norm(gradients)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, grad_norm)
        return grad_norm


@contextmanager
def _without_gradient(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Inside, these parameters get no gradient."""
    for parameter in parameters:
        parameter.requires_grad_(False)
        parameter.grad = None
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
