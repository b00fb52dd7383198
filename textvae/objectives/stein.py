"""What a posterior without a density is trained by: a likely sentence, likely codes, and Stein's gradient."""

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
        1, ge=1, le=MAX_PARTS, description="codes by which the decoder learns; a step costs as many decoder passes"
    )

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Stein:
        return Stein(self.samples)


class Stein(Objective):
    """loss(x) = -E_q[log p(x|z) + log p(z)], with the gradient that a Stein posterior adds to log p(x|z).

    Pu et al. 2017 (arXiv 1704.05155, section 3). It is the ELBO without the entropy of q, which nobody knows, and so
    no bound: it may be below -log p(x), and of two models the one with the lower loss need not be the better. Decoder
    and prior follow its gradient, which is that of the ELBO for them. The encoder does not: its codes come cut from the
    graph, and its gradient is Stein's, where the repulsion of codes stands for the entropy.

    There is no `kl` among its numbers; `prior_nll` is -E_q log p(z).

    Args:
        samples: codes of a sentence by which both expectations are told.
    """

    competes_by: ClassVar[str] = PROXY_BOUND

    def __init__(self, samples: int) -> None:
        self.num_samples = samples

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        weight_SB = terms.log_weight_SB.exp()
        nll_B = -(weight_SB * terms.log_px_z_SB).sum(0)
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
