"""The loss of one batch: terms, objective, regularizers; and the sums from which metrics are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from textvae.distributions import unit_variance
from textvae.errors import ConfigError
from textvae.layers import keep_uncompiled
from textvae.models import TextModel
from textvae.objectives import Objective
from textvae.objectives.base import BatchMean
from textvae.objectives.schedules import Constant, Schedule
from textvae.regularizers import Regularizer, RegularizerConfig
from textvae.types import Batch, LatentTerms


class Regularizers(nn.Module):
    """All regularizers as one: those of the settings, and one from the caller.

    Args:
        configs: settings of the regularizers that are built here.
        model: the model that they regularize.
        further: a regularizer that is built already.
        steps_per_epoch: of the training, which resolves the times of schedules.
        total_steps: likewise.

    Raises:
        ConfigError: a regularizer does not fit the model.
    """

    def __init__(
        self,
        configs: Sequence[RegularizerConfig],
        model: TextModel,
        further: Regularizer | None = None,
        *,
        steps_per_epoch: int,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.built = nn.ModuleList(
            config.build(
                vocab_size=model.vocab_size,
                latent_dim=model.latent_dim,
                steps_per_epoch=steps_per_epoch,
                total_steps=total_steps,
            )
            for config in configs
        )
        self.further = further

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        penalties: dict[str, Tensor] = {}
        for part in (*self.built, *(() if self.further is None else (self.further,))):
            for name, penalty_B in part(model, batch, terms, step).items():
                if name in penalties:
                    raise ConfigError(f"two regularizers are called '{name}'; remove or rename one of them.")
                penalties[name] = penalty_B
        return penalties


class BatchLoss(NamedTuple):
    """The loss of a process's slice of a batch. It is a tuple, because wrappers search tuples for tensors.

    Attributes:
        loss: a scalar with gradient.
        names: of the K metrics.
        totals_K: sums of the metrics over sentences, without gradient, [K].
        units_2D: sums over sentences of the posterior means and of their squares, [2, D] (D = 0 without latents).
        kl_weight: of this step.
    """

    loss: Tensor
    names: tuple[str, ...]
    totals_K: Tensor
    units_2D: Tensor
    kl_weight: float


class TrainingLoss(nn.Module):
    """Model, objective and regularizers as one module, so that wrappers see a single forward pass.

    Args:
        model: computes the terms.
        objective: computes the loss from terms and step.
        regularizer: further penalties. If it is a module, its parameters are parameters of this module.
        compiled: whether the model is compiled by torch.compile.
        sum_dtype: dtype of the sums.
        weight: of the objective at each step; 1 when None.
        read_terms: whether the regularizer needs a gradient of the terms.
    """

    def __init__(
        self,
        model: TextModel,
        objective: Objective,
        regularizer: Regularizer | None = None,
        compiled: bool = False,
        sum_dtype: torch.dtype = torch.float64,
        weight: Schedule | None = None,
        read_terms: bool = True,
    ) -> None:
        super().__init__()
        self.weight = Constant(1.0) if weight is None else weight
        self.read_terms = read_terms
        self.model, self.objective, self.regularizer, self.sum_dtype = model, objective, regularizer, sum_dtype
        terms = model.terms
        if compiled:
            keep_uncompiled()
            terms = torch.compile(terms, dynamic=True)
        self._terms = terms
        self.num_samples = objective.num_samples

    def forward(self, batch: Batch, step: int, scale: float, batch_mean: BatchMean) -> BatchLoss:
        """The loss of this process's slice of a batch.

        Args:
            batch: this process's slice.
            step: of training, for the schedules.
            scale: factor from the sum over these sentences to the loss; 0 for a slice that is not counted.
            batch_mean: the mean over the global batch.
        """
        weight = self.weight(step)
        # Where nothing depends on the terms they are only measured.
        with torch.set_grad_enabled(torch.is_grad_enabled() and (weight != 0.0 or self.read_terms)):
            terms = self._terms(batch, self.num_samples)
        output = self.objective(terms, step, batch_mean)
        loss_B, numbers = weight * output.loss_B, dict(output.metrics_B)
        if self.regularizer is not None:
            for name, penalty_B in self.regularizer(self.model, batch, terms, step).items():
                loss_B = loss_B + penalty_B
                numbers[name] = penalty_B.detach()
        numbers = {"loss": loss_B.detach(), **numbers}
        counts = float(scale != 0.0)
        totals_K = torch.stack(list(numbers.values())).sum(-1, dtype=self.sum_dtype) * counts
        units_2D = sums_of_means(terms, self.sum_dtype) * counts
        return BatchLoss(loss_B.sum() * scale, tuple(numbers), totals_K, units_2D, float(output.kl_weight))


@torch.no_grad()
def sums_of_means(terms: LatentTerms, dtype: torch.dtype = torch.float64) -> Tensor:
    """Sums over sentences of the posterior means and their squares, for all latent vectors concatenated, [2, D].

    Where the posterior depends on an enumerated label, the mean is taken over labels under q(y|x). Where sentences
    share a code, each unit is counted once. Means are in units of `LatentDistribution.unit_variance` ** 0.5.
    """
    columns = []
    for group in terms.latents:
        if not group.z_SUD.is_floating_point() or group.extended:
            continue
        try:
            mean = group.posterior.mean
        except NotImplementedError:
            continue
        if mean.dim() == 3:
            labels, units = mean.shape[:2]
            weight = terms.log_weight_SB.exp().reshape(-1, labels, units).sum(0)
            mean = (weight.unsqueeze(-1) * mean).sum(0)
        mean = mean.to(dtype) / unit_variance(group.posterior) ** 0.5
        columns.append(torch.stack([mean.sum(0), mean.square().sum(0)]))
    if not columns:
        return terms.log_px_z_SB.new_zeros((2, 0), dtype=dtype)
    return torch.cat(columns, dim=1)
