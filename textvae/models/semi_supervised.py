"""The semi-supervised sentence VAE: the label is a second latent variable, which is summed out exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.distributions import Categorical

from textvae.distributions import LatentDistribution
from textvae.errors import ConfigError
from textvae.layers import at_least_float32
from textvae.models import loading
from textvae.models.base import TextModel
from textvae.models.log_joint import seeing_target
from textvae.models.settings import CodeModelSettings
from textvae.models.support import require_density, require_floor, require_same_support
from textvae.models.text_vae import kl_at, levels_of
from textvae.posteriors import Refined
from textvae.types import Batch, Context, LatentGroup, LatentTerms


class SemiSupervisedConfig(CodeModelSettings):
    """Settings of a semi-supervised sentence VAE."""

    kind: Literal["semi_supervised"] = "semi_supervised"
    classifies: ClassVar[bool] = True
    classifier_dropout: float = Field(0.5, ge=0, lt=1, description="dropout on the features of the classifier")

    @model_validator(mode="after")
    def _codes_share_a_space(self) -> SemiSupervisedConfig:
        require_same_support(self.posterior, self.prior, self.latent_dim)
        if not self.posterior.has_density:
            raise ValueError(
                f"summing out labels needs densities, and a {self.posterior.kind} posterior has none; use the "
                "posterior gaussian"
            )
        require_density(self.posterior, self.prior)
        require_floor(self.posterior, self.prior)
        if self.prior.label_count or self.prior.vector_size:
            raise ValueError(
                "in a semi_supervised model p(z) is the same for all labels and sentences, so its prior cannot be "
                f"conditioned; use one that is not, such as 'mixture', instead of '{self.prior.kind}'"
            )
        if self.prior.sees_codes:
            raise ValueError(
                f"a semi_supervised model has a code for each label of a sentence, so it cannot have a "
                f"{self.prior.kind} prior, which asks for one code of each; use 'mixture' or 'standard_normal'"
            )
        return self

    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> SemiSupervisedTextVAE:
        return SemiSupervisedTextVAE(self, vocab_size, max_tokens, label_names)


class SemiSupervisedTextVAE(TextModel):
    """p(x, y, z) = p(y) p(z) p(x|y, z), q(y, z|x) = q(y|x) q(z|x, y).

    Kingma et al. 2014 (arXiv 1406.5298, M2) with the label at every decoder step as in Xu et al. 2017
    (arXiv 1603.02514). For a sentence without a label, all labels are enumerated and weighted by q(y|x), so the bound
    has no sampling noise from the label: U(x) = sum_y q(y|x) L(x, y) - H(q(y|x)).

    Args:
        config: the settings.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.
        label_names: the C classes.

    Raises:
        ConfigError: there are fewer than two classes.

    >>> import torch
    >>> from textvae.types import Batch
    >>> model = SemiSupervisedConfig(latent_dim=3).build(vocab_size=12, max_tokens=5, label_names=("a", "b"))
    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]] * 2), torch.tensor([4, 4]), label_B=torch.tensor([-1, 1]))
    >>> terms = model.terms(batch)
    >>> terms.log_px_z_SB.shape, terms.log_weight_SB.exp().sum(0).allclose(torch.ones(2))
    (torch.Size([2, 2]), True)
    """

    log_prior_C: Tensor

    def __init__(
        self, config: SemiSupervisedConfig, vocab_size: int, max_tokens: int, label_names: Sequence[str]
    ) -> None:
        super().__init__(config, vocab_size, max_tokens, label_names)
        labels = len(label_names)
        if labels < 2:
            raise ConfigError(
                f"a classifier needs at least two labels, got {labels}; name a label_column in the corpus card."
            )
        self.encoder = config.encoder.build(vocab_size=vocab_size, max_tokens=max_tokens)
        features = self.encoder.feature_dim
        self.classifier = nn.Sequential(nn.Dropout(config.classifier_dropout), nn.Linear(features, labels))
        self.posterior = config.posterior.build(feature_dim=features, latent_dim=config.latent_dim, num_labels=labels)
        self.prior = config.prior.build(latent_dim=config.latent_dim)
        self.prior.compose(self.posterior, feature_dim=features, num_labels=labels)
        self.decoder = config.decoder.build(
            vocab_size=vocab_size, latent_dim=config.latent_dim, num_labels=labels, max_tokens=max_tokens
        )
        self.register_buffer("log_prior_C", torch.full((labels,), -math.log(labels)))

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C], with one added to each count."""
        self.log_prior_C.copy_(((counts_C + 1.0) / (counts_C + 1.0).sum()).log())

    @property
    def label_log_prior_C(self) -> Tensor:
        return self.log_prior_C

    def label_log_prob(self, batch: Batch) -> Float[Tensor, "B C"]:
        """log q(y|x), nats."""
        return self._classify(self.encoder(batch.tokens_BT, batch.lengths_B))

    def _classify(self, features_BH: Tensor) -> Tensor:
        return at_least_float32(self.classifier(features_BH)).log_softmax(-1)

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        return self.prior(context)

    def prior_of(self, batch: Batch) -> LatentDistribution:
        """p(z), batch shape [], which is the same for all sentences."""
        return self.prior()

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x, y) at the given label, or at the most probable one under q(y|x) without a label; batch shape [B]."""
        features_BH = self.encoder(batch.tokens_BT, batch.lengths_B)
        label_B = self._classify(features_BH).argmax(-1)
        if batch.label_B is not None:
            label_B = torch.where(batch.label_B >= 0, batch.label_B, label_B)
        return self._posterior(features_BH, batch.tokens_BT, label_B).posterior

    def _posterior(self, features_BH: Tensor, tokens_BT: Tensor, label_B: Tensor) -> Refined:
        context = Context(label_B=label_B)
        start = self.posterior(features_BH, context)
        return seeing_target(self.posterior, start, self.decoder, self.prior(), tokens_BT, context)

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms with S = num_samples * C: every label of every sentence, weighted by q(y|x) or, if known, by 1.

        A stratified posterior gives more than num_samples; its weights are multiplied with those of the labels.
        """
        features_BH = self.encoder(batch.tokens_BT, batch.lengths_B)
        log_q_BC = self._classify(features_BH)
        sentences, labels = log_q_BC.shape
        given_B = batch.label_B if batch.label_B is not None else torch.full_like(batch.lengths_B, -1)
        known_B1 = (given_B >= 0).unsqueeze(1)
        all_C = torch.arange(labels, device=given_B.device)
        chosen_BC = given_B.unsqueeze(1) == all_C

        label_CB = all_C.unsqueeze(1).expand(labels, sentences)
        found = self._posterior(features_BH.repeat(labels, 1), batch.repeat(labels).tokens_BT, label_CB.reshape(-1))
        by_label_CB = torch.arange(labels * sentences, device=given_B.device).view(labels, sentences)
        posterior = found.posterior.rows(by_label_CB)
        z_SCBD, log_q_z_SCB, log_weight_SCB = posterior.weighted_samples(num_samples)
        assert log_q_z_SCB is not None
        drawn = len(z_SCBD)
        prior = self.prior()

        def over_samples(x_CB: Tensor) -> Tensor:
            return x_CB.expand(drawn, labels, sentences).reshape(drawn * labels, sentences)

        # A known label has weight one and log q(y) = 0. The other labels of that sentence have weight zero; their log q
        # is set to 0 too, so that zero is never multiplied by infinity.
        weight_BC = torch.where(known_B1, chosen_BC.to(log_q_BC.dtype), log_q_BC.exp())
        log_weight_BC = torch.where(known_B1, torch.where(chosen_BC, 0.0, -torch.inf), log_q_BC)
        log_q_y_BC = torch.where(known_B1, torch.zeros_like(log_q_BC), log_q_BC)
        log_p_y_BC = self.log_prior_C.expand(sentences, labels)

        z_SBD = z_SCBD.flatten(0, 1)
        label_SB = over_samples(label_CB)
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD, Context(label_B=label_SB))
        if found.surrogate_B is not None:
            log_px_z_SB = log_px_z_SB + over_samples(found.surrogate_B.view(labels, sentences))
        kl_CB, per_dim_CBD = kl_at(posterior, prior, z_SCBD)
        per_dim_BD = None if per_dim_CBD is None else (weight_BC.T.unsqueeze(-1) * per_dim_CBD).sum(0)
        z_group = LatentGroup(
            name="z",
            posterior=posterior,
            prior=prior,
            z_SUD=z_SBD,
            log_q_SU=log_q_z_SCB.flatten(0, 1),
            log_p_SU=prior.log_prob(z_SBD),
            kl_U=None if kl_CB is None else (weight_BC.T * kl_CB).sum(0),
            kl_per_dim_UD=per_dim_BD,
            levels=levels_of(posterior, prior),
            extended=posterior.extended,
        )
        label_group = LatentGroup(
            name="label",
            posterior=Categorical(logits=log_q_BC, validate_args=False),
            prior=Categorical(logits=self.log_prior_C, validate_args=False),
            z_SUD=label_SB.unsqueeze(-1),
            log_q_SU=over_samples(log_q_y_BC.T),
            log_p_SU=over_samples(log_p_y_BC.T),
            kl_U=(weight_BC * (log_q_y_BC - log_p_y_BC)).sum(-1),
        )
        return LatentTerms(
            log_px_z_SB=log_px_z_SB,
            log_weight_SB=over_samples(log_weight_BC.T) + log_weight_SCB.flatten(0, 1),
            tokens_B=batch.lengths_B - 1,
            latents=(z_group, label_group),
        )

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, *, revision: str | None = None) -> SemiSupervisedTextVAE:
        """Load a trained model.

        Args:
            folder_or_name: a finished run (`runs/NAME`), whose stage `classify` has the model; a model folder; or a
                name on the Hugging Face hub.
            revision: a branch, a tag or a commit on the hub.

        Raises:
            ModelError: there is no model, or it is damaged, not written by textvae, or of another kind.
            MachineError: the hub cannot be reached.
        """
        return loading.load_as(cls, SemiSupervisedConfig, folder_or_name, stage="classify", revision=revision)
