"""Consistency: a sentence and a changed copy of it, which means the same, have the same code and the same label."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from textvae.augmentations import (
    Augmentation,
    AugmentationConfig,
    Augmentations,
    DeletionConfig,
    LocalSwapConfig,
)
from textvae.distributions import LatentDistribution
from textvae.errors import ConfigError
from textvae.models import TextModel
from textvae.models.text_vae import closed_form_kl
from textvae.objectives.elbo import kl_by_sentence
from textvae.regularizers.base import RegularizerSettings
from textvae.types import Batch, LatentTerms


class ConsistencyConfig(RegularizerSettings):
    """Settings of consistency."""

    kind: Literal["consistency"] = "consistency"
    reads_terms: ClassVar[bool] = False
    variants: ClassVar = {
        "": {},
        "code": {"label_weight": 0.0, "bound_weight": 0.0},
        "masking": {"augmentations": [{"kind": "masking"}]},
    }
    augmentations: tuple[AugmentationConfig, ...] = Field(
        (DeletionConfig(), LocalSwapConfig()), min_length=1, description="changes of a sentence, one after another"
    )
    code_weight: float = Field(0.1, ge=0, description="lambda, the weight of KL(q(z|changed) || q(z|sentence))")
    label_weight: float = Field(
        1.0, ge=0, description="weight of KL(q(y|sentence) || q(y|changed)), for a model with a classifier"
    )
    bound_weight: float = Field(1.0, ge=0, description="weight of the bound of the changed sentence")

    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> ConsistencyLoss:
        return ConsistencyLoss(self)


class ConsistencyLoss(nn.Module):
    """-bound_weight ELBO(x~) + code_weight KL(q(z|x~) || q(z|x)) + label_weight KL(q(y|x) || q(y|x~)), x~ changed.

    The first two terms are those of Sinha & Dieng 2021 (arXiv 2105.14859). The KL of codes is in closed form where
    there is one, else by one sample of q(z|x~). The third is their counterpart for a classifier: q(y|x) is held fixed,
    so that the changed copy learns from the whole sentence (Xie et al. 2020, arXiv 1904.12848). With changes that
    change nothing both KLs are exactly 0.

    Args:
        config: the settings.
        augmentation: used in place of those of the settings, such as a function of your own.

    >>> import torch
    >>> from textvae.augmentations import MaskingConfig
    >>> from textvae.models import TextVAEConfig
    >>> model = TextVAEConfig(latent_dim=3).build(vocab_size=12, max_tokens=5).eval()
    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4]))
    >>> config = ConsistencyConfig(augmentations=(MaskingConfig(rate=0.0),), bound_weight=0.0)
    >>> {name: x_B.tolist() for name, x_B in ConsistencyLoss(config)(model, batch, model.terms(batch), 0).items()}
    {'consistency_z': [0.0]}
    """

    def __init__(self, config: ConsistencyConfig, augmentation: Augmentation | None = None) -> None:
        super().__init__()
        self.config, self._augmentation = config, augmentation

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The penalties of each sentence, nats, [B]: `consistency_z`, `consistency_label`, `changed_bound`."""
        config = self.config
        posterior = model.config.posterior_settings
        if posterior is None or not posterior.has_density or posterior.extended:
            raise ConfigError(
                f"a 'consistency' regularizer compares densities of codes, which a {model.config.code_title} does not "
                "have; remove it from regularizers."
            )
        if self._augmentation is None:
            self._augmentation = Augmentations([one.build(model.tokenizer) for one in config.augmentations])
        changed = self._augmentation(batch)
        found: dict[str, Tensor] = {}
        if config.code_weight:
            kl_B = _kl(model.posterior_of(changed), model.posterior_of(batch))
            found["consistency_z"] = config.code_weight * kl_B
        if config.label_weight and model.config.classifies:
            # Not under no_grad, where other kernels are used: equal sentences would differ by rounding.
            log_whole_BC = model.label_log_prob(batch).detach()
            log_changed_BC = model.label_log_prob(changed)
            kl_B = (log_whole_BC.exp() * (log_whole_BC - log_changed_BC)).sum(-1)
            found["consistency_label"] = config.label_weight * kl_B
        if config.bound_weight:
            of_changed = model.terms(changed, 1)
            loss_B = of_changed.nll_B + sum(kl_by_sentence(group, of_changed) for group in of_changed.latents)
            found["changed_bound"] = config.bound_weight * loss_B
        return found


def _kl(changed: LatentDistribution, whole: LatentDistribution) -> Tensor:
    """KL(changed || whole) of each sentence, nats, [B]."""
    exact_B = closed_form_kl(changed, whole)
    if exact_B is not None:
        return exact_B
    z_BD, log_changed_B = changed.rsample_and_log_prob()
    return log_changed_B - whole.log_prob(z_BD)
