"""The reconstruction loss alone."""

from __future__ import annotations

from typing import ClassVar, Literal

from textvae.objectives.base import RECONSTRUCTION, BatchMean, Objective, ObjectiveSettings, local_mean
from textvae.objectives.importance_weights import output
from textvae.types import LatentTerms, ObjectiveOutput


class UnregularizedConfig(ObjectiveSettings):
    """The unregularized criterion has no settings."""

    kind: Literal["unregularized"] = "unregularized"
    linear: ClassVar[bool] = True

    @property
    def trains_prior(self) -> bool:
        return False

    def build(self, *, steps_per_epoch: int, total_steps: int) -> Unregularized:
        return Unregularized()


class Unregularized(Objective):
    """loss(x) = -E_q log p(x|z): an autoencoder with a stochastic code.

    Zhao et al. 2017 (arXiv 1702.08658, section 4): with a sufficiently flexible decoder its optimum maximizes the
    information that z carries about x, while the ELBO can reach its optimum without any. Nothing pulls q(z) to the
    prior, so the decoder is not trained on codes like those of the prior. Sample sentences by the Markov chain
    x -> z ~ q(z|x) -> x ~ p(x|z) instead (`textvae.tasks.markov_chain`), whose stationary distribution is, at the
    optimum, that of the data.

    The ELBO decreases during such a training, so the best epoch is chosen by the reconstruction of validation
    sentences.
    """

    competes_by: ClassVar[str] = RECONSTRUCTION

    def __call__(self, terms: LatentTerms, step: int, batch_mean: BatchMean = local_mean) -> ObjectiveOutput:
        return output(terms, terms.nll_B, 0.0)
