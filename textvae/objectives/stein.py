"""The objective of a posterior without a density: the reconstruction, and the density of codes under the prior."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from textvae.config import MAX_PARTS
from textvae.errors import ConfigError
from textvae.objectives.base import PROXY_BOUND, BatchMean, Objective, ObjectiveSettings, local_mean
from textvae.objectives.importance_weights import output
from textvae.types import LatentTerms, ObjectiveOutput


class SteinConfig(ObjectiveSettings):
    """Settings of the objective of a Stein posterior."""

    kind: Literal["stein"] = "stein"
    for_implicit: ClassVar[bool] = True
    samples: int = Field(
        1, ge=1, le=MAX_PARTS, description="codes of a sentence in the loss; a step costs as many decoder passes"
    )

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Stein:
        return Stein(self.samples)


class Stein(Objective):
    """loss(x) = -E_q[log p(x|z) + log p(z)], with the gradient that a Stein posterior adds to log p(x|z).

    Pu et al. 2017 (arXiv 1704.05155, section 3). It is minus the ELBO without the entropy of q, which is not known. It
    is therefore no bound: it may be below -log p(x), and a model with a lower loss is not necessarily better. Decoder
    and prior are trained by its gradient, which for them equals that of minus the ELBO. The encoder is not: its codes
    are detached, and its gradient is Stein's, in which the repulsion of codes takes the place of the entropy.

    Its metrics have no `kl`; `prior_nll` is -E_q log p(z).

    Args:
        samples: codes of a sentence from which both expectations are estimated.
    """

    competes_by: ClassVar[str] = PROXY_BOUND

    def __init__(self, samples: int) -> None:
        self.num_samples = samples

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight_SB = terms.log_weight_SB.exp()
        nll_B = terms.nll_B
        if not terms.latents:
            return output(terms, nll_B, 1.0)
        prior_nll_B = nll_B.new_zeros(nll_B.shape)
        for group in terms.latents:
            if group.log_q_SU is not None:
                raise ConfigError(
                    f"'{group.name}' has a density, and the objective stein leaves its entropy out; use the objective "
                    "elbo, or the posterior stein."
                )
            prior_nll_B = prior_nll_B - (weight_SB * group.log_p_SU).sum(0)
        return ObjectiveOutput(nll_B + prior_nll_B, {"nll": nll_B.detach(), "prior_nll": prior_nll_B.detach()})
