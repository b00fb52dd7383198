"""The sentence VAE: an encoder, a posterior, a prior and a decoder, composed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor
from torch.distributions import kl_divergence
from torch.distributions.kl import _KL_REGISTRY

from textvae.config import Component
from textvae.decoders import DecoderConfig, LSTMDecoderConfig
from textvae.distributions import LatentDistribution
from textvae.encoders import EncoderConfig, LSTMEncoderConfig
from textvae.errors import ConfigError
from textvae.generation import inference
from textvae.models import storage
from textvae.models.base import TextModel
from textvae.models.log_joint import LogJoint, seeing_target
from textvae.models.support import require_same_support, support_of
from textvae.posteriors import GaussianPosteriorConfig, PosteriorConfig, Refined
from textvae.priors import Prior, PriorConfig, StandardNormalPriorConfig
from textvae.text.batching import encode_texts
from textvae.types import Batch, Context, LatentGroup, LatentTerms


class TextVAEConfig(Component):
    """Settings of a sentence VAE; every crossing of its parts is a model."""

    kind: Literal["text_vae"] = "text_vae"
    latent_dim: int = Field(32, gt=0)
    encoder: EncoderConfig = Field(default_factory=LSTMEncoderConfig)
    posterior: PosteriorConfig = Field(default_factory=GaussianPosteriorConfig)
    prior: PriorConfig = Field(default_factory=StandardNormalPriorConfig)
    decoder: DecoderConfig = Field(default_factory=LSTMDecoderConfig)

    @model_validator(mode="after")
    def _codes_share_a_space(self) -> TextVAEConfig:
        require_same_support(self.posterior, self.prior, self.latent_dim)
        return self

    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> TextVAE:
        return TextVAE(self, vocab_size, max_tokens, label_names)


class TextVAE(TextModel):
    """p(x, z) = p(z) p(x|z) with an amortised posterior q(z|x) (Bowman et al. 2016, arXiv 1511.06349).

    Args:
        config: its parts.
        vocab_size: V.
        max_tokens: longest sentence, EOS not counted.
        label_names: the corpus's classes; only a prior conditioned on labels needs them.

    Raises:
        ConfigError: the prior is conditioned on what the corpus does not have.

    Attributes:
        support: where codes live, "euclidean" or "sphere".

    >>> import torch
    >>> from textvae.types import Batch
    >>> model = TextVAEConfig(latent_dim=3).build(vocab_size=12, max_tokens=5)
    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4]))
    >>> terms = model.terms(batch, num_samples=7)
    >>> terms.log_px_z_SB.shape, terms.latents[0].z_SUD.shape
    (torch.Size([7, 1]), torch.Size([7, 1, 3]))
    """

    def __init__(
        self, config: TextVAEConfig, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()
    ) -> None:
        needs_labels = getattr(config.prior, "num_labels", 0) > 0
        super().__init__(config, vocab_size, max_tokens, label_names if needs_labels else ())
        self.support = support_of(config.posterior)
        self.encoder = config.encoder.build(vocab_size=vocab_size, max_tokens=max_tokens)
        self.posterior = config.posterior.build(feature_dim=self.encoder.feature_dim, latent_dim=config.latent_dim)
        self.prior = config.prior.build(latent_dim=config.latent_dim)
        self.prior.compose(self.posterior, feature_dim=self.encoder.feature_dim)
        _require_condition(self.prior, self.label_names)
        self.decoder = config.decoder.build(vocab_size=vocab_size, latent_dim=config.latent_dim, max_tokens=max_tokens)

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x), batch shape [B]."""
        return self._posterior(batch).posterior

    def _posterior(self, batch: Batch) -> Refined:
        start = self.posterior(self.encoder(batch.tokens_BT, batch.lengths_B))
        return seeing_target(self.posterior, start, self.decoder, self.prior_of(batch), batch.tokens_BT)

    def log_joint(self, batch: Batch) -> LogJoint:
        """log p(x, z) of these sentences as a function of z, with its gradient."""
        return LogJoint(self.decoder, self.prior_of(batch), batch.tokens_BT)

    def prior_of(self, batch: Batch) -> LatentDistribution:
        """p(z), batch shape [], or [B] where the prior is conditioned on something of the sentence."""
        return self.prior(Context(label_B=batch.label_B, example_id_B=batch.example_id_B))

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """S = num_samples, or more where the posterior is stratified."""
        found = self._posterior(batch)
        z_SBD, log_q_SB, log_weight_SB = found.posterior.weighted_samples(num_samples)
        group = scored_group("z", found.posterior, self.prior_of(batch), z_SBD, log_q_SB)
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        if found.surrogate_B is not None:
            log_px_z_SB = log_px_z_SB + found.surrogate_B
        return LatentTerms(
            log_px_z_SB=log_px_z_SB,
            log_weight_SB=log_weight_SB,
            tokens_B=batch.lengths_B - 1,
            latents=(group,),
        )

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "B D"]:
        """Text to latent: the posterior mean of each sentence, or what stands for it (`LatentDistribution.center`).

        On a sphere that is the mean direction, of a flow, or of a code that was moved, the image of its base's mean.

        Raises:
            DataError: for an empty sentence, or one longer than the model was trained for.
        """
        batch = encode_texts(texts, self.require_tokenizer(), self.max_tokens)
        with inference(self):
            return self.posterior_of(to_device(batch, self.device)).center

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path) -> TextVAE:
        """A trained model from a folder (`runs/NAME/train/model`) or from the Hugging Face hub.

        Raises:
            ModelError: when there is none, it is truncated, foreign, or of another kind.
        """
        return storage.load_as(cls, TextVAEConfig, folder_or_name)


def latent_group(name: str, posterior: LatentDistribution, prior: LatentDistribution, num_samples: int) -> LatentGroup:
    """Draw and score samples; see `scored_group`."""
    return scored_group(name, posterior, prior, *posterior.rsample_and_log_prob((num_samples,)))


def scored_group(
    name: str, posterior: LatentDistribution, prior: LatentDistribution, z_SUD: Tensor, log_q_SU: Tensor
) -> LatentGroup:
    """A latent variable with these samples of its posterior; its KL in closed form where torch knows one."""
    per_dim_UD = posterior.kl_per_dim(prior)
    return LatentGroup(
        name=name,
        posterior=posterior,
        prior=prior,
        z_SUD=z_SUD,
        log_q_SU=log_q_SU,
        log_p_SU=prior.log_prob(z_SUD),
        kl_U=closed_form_kl(posterior, prior) if per_dim_UD is None else per_dim_UD.sum(-1),
        kl_per_dim_UD=per_dim_UD,
        extended=posterior.extended,
    )


def closed_form_kl(posterior: LatentDistribution, prior: LatentDistribution) -> Tensor | None:
    """KL(posterior || prior), nats, of the posterior's batch shape; None where only Monte Carlo can tell."""
    return kl_divergence(posterior, prior) if (type(posterior), type(prior)) in _KL_REGISTRY else None


def _require_condition(prior: Prior, label_names: Sequence[str]) -> None:
    if prior.num_labels and prior.num_labels != len(label_names):
        raise ConfigError(
            f"the prior is conditioned on {prior.num_labels} labels, and the corpus has {len(label_names)}; set "
            "prior.num_labels to its number of classes, or name a label_column in the corpus card."
        )
    if prior.vector_dim:
        raise ConfigError(
            f"the prior is conditioned on a vector of {prior.vector_dim} numbers, and sentences of a text_vae come "
            "with none; condition it on labels (prior.num_labels)."
        )


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch with its tensors on a device."""

    def move(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.to(device, non_blocking=True)

    return Batch(
        batch.tokens_BT.to(device, non_blocking=True),
        batch.lengths_B.to(device, non_blocking=True),
        move(batch.label_B),
        move(batch.example_id_B),
        move(batch.unit_B),
    )
