"""The semi-supervised sentence VAE: the label is a second latent variable, which is summed out."""

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
from textvae.label_sums import EnumerateConfig, LabelSumConfig, LabelSumSettings, WithoutReplacementConfig
from textvae.layers import NgramBag, at_least_float32
from textvae.models import loading
from textvae.models.base import TextModel
from textvae.models.log_joint import seeing_target
from textvae.models.settings import CodeModelSettings
from textvae.models.support import require_density, require_floor, require_same_support
from textvae.models.text_vae import kl_at, levels_of
from textvae.posteriors import Refined
from textvae.types import Batch, Context, LatentGroup, LatentTerms

ENUMERATED = 32
"""Labels up to which they are summed out exactly, if nothing else is asked for."""


class SemiSupervisedConfig(CodeModelSettings):
    """Settings of a semi-supervised sentence VAE."""

    kind: Literal["semi_supervised"] = "semi_supervised"
    classifies: ClassVar[bool] = True
    added: ClassVar[frozenset[str]] = frozenset({"classifier_ngrams"})
    classifier_dropout: float = Field(0.5, ge=0, lt=1, description="dropout on the features of the classifier")
    classifier_ngrams: int = Field(
        0,
        ge=0,
        le=3,
        description="the classifier also reads TF-IDF of words and n-grams of up to so many words; 0 = the encoder's "
        "features alone",
    )
    label_sum: LabelSumConfig | None = Field(
        None,
        description="how the label of a sentence without one is summed out; when absent, exactly up to 32 labels, and "
        "with more over 8 labels without replacement",
    )

    def label_sum_of(self, labels: int) -> LabelSumSettings:
        """How so many labels are summed out.

        >>> [SemiSupervisedConfig().label_sum_of(labels).kind for labels in (2, 150)]
        ['enumerate', 'without_replacement']
        """
        if self.label_sum is not None:
            return self.label_sum
        return EnumerateConfig() if labels <= ENUMERATED else WithoutReplacementConfig()

    def draws_labels(self, labels: int) -> bool:
        return not self.label_sum_of(labels).is_exact(labels)

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

    Kingma et al. 2014 (arXiv 1406.5298, M2) with the label at every decoder step as in Xu et al. 2017 (arXiv
    1603.02514), in the way that the decoder's `label_to` says. For a sentence without a label, U(x) = sum_y q(y|x)
    L(x, y) - H(q(y|x)). The sum is over all labels, without noise, or over few that are drawn (`textvae.label_sums`);
    the entropy is always exact.

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
        self.ngrams = NgramBag(vocab_size, labels, config.classifier_ngrams) if config.classifier_ngrams else None
        self.posterior = config.posterior.build(feature_dim=features, latent_dim=config.latent_dim, num_labels=labels)
        self.prior = config.prior.build(latent_dim=config.latent_dim)
        self.prior.compose(self.posterior, feature_dim=features, num_labels=labels)
        self.decoder = config.decoder.build(
            vocab_size=vocab_size, latent_dim=config.latent_dim, num_labels=labels, max_tokens=max_tokens
        )
        self.label_sum = config.label_sum_of(labels).build()
        self.register_buffer("log_prior_C", torch.full((labels,), -math.log(labels)))

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C], with one added to each count."""
        self.log_prior_C.copy_(((counts_C + 1.0) / (counts_C + 1.0).sum()).log())

    @torch.no_grad()
    def set_classifier(self, weight_CH: Tensor, bias_C: Tensor, ngrams_MC: Tensor | None = None) -> None:
        """Set the linear layers from features, and from n-grams where the classifier reads them, to the logits of
        q(y|x)."""
        linear = self.classifier[-1]
        assert isinstance(linear, nn.Linear)
        linear.weight.copy_(weight_CH)
        linear.bias.copy_(bias_C)
        if self.ngrams is not None and ngrams_MC is not None:
            self.ngrams.weight.copy_(ngrams_MC)

    def scale_logits(self, factor: float) -> None:
        """Multiply the logits of q(y|x) by a factor: 1/T for a temperature T."""
        linear = self.classifier[-1]
        assert isinstance(linear, nn.Linear)
        ngrams_MC = None if self.ngrams is None else self.ngrams.weight * factor
        self.set_classifier(linear.weight * factor, linear.bias * factor, ngrams_MC)

    @property
    def label_log_prior_C(self) -> Tensor:
        return self.log_prior_C

    def label_log_prob(self, batch: Batch) -> Float[Tensor, "B C"]:
        """log q(y|x), nats."""
        return self._classify(self.encoder(batch.tokens_BT, batch.lengths_B), batch)

    def _classify(self, features_BH: Tensor, batch: Batch) -> Tensor:
        logits_BC = at_least_float32(self.classifier(features_BH))
        if self.ngrams is not None:
            logits_BC = logits_BC + at_least_float32(self.ngrams(batch.tokens_BT))
        return logits_BC.log_softmax(-1)

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        return self.prior(context)

    def prior_of(self, batch: Batch) -> LatentDistribution:
        """p(z), batch shape [], which is the same for all sentences."""
        return self.prior()

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x, y) at the given label, or at the most probable one under q(y|x) without a label; batch shape [B]."""
        features_BH = self.encoder(batch.tokens_BT, batch.lengths_B)
        label_B = self._classify(features_BH, batch).argmax(-1)
        if batch.label_B is not None:
            label_B = torch.where(batch.label_B >= 0, batch.label_B, label_B)
        return self._posterior(features_BH, batch.tokens_BT, label_B).posterior

    def _posterior(self, features_BH: Tensor, tokens_BT: Tensor, label_B: Tensor) -> Refined:
        context = Context(label_B=label_B)
        start = self.posterior(features_BH, context)
        return seeing_target(self.posterior, start, self.decoder, self.prior(), tokens_BT, context)

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms with S = num_samples * L: L labels of every sentence, weighted by q(y|x) or, if known, by 1.

        L is the number of all labels, or of those that the label sum draws. A stratified posterior gives more than
        num_samples; its weights are multiplied with those of the labels.
        """
        features_BH = self.encoder(batch.tokens_BT, batch.lengths_B)
        log_q_BC = self._classify(features_BH, batch)
        sentences = len(log_q_BC)
        given_B = batch.label_B if batch.label_B is not None else torch.full_like(batch.lengths_B, -1)
        known_B = given_B >= 0
        chosen = self.label_sum(log_q_BC)
        labels = len(chosen.label_LB)
        # A known label has weight one, in its own place or, where it was not drawn, in the first. The other places of
        # that sentence have weight zero.
        here_LB = chosen.label_LB == given_B
        first_L1 = torch.arange(labels, device=given_B.device).unsqueeze(1) == 0
        here_LB = here_LB | (first_L1 & ~here_LB.any(0))
        label_LB = torch.where(known_B & here_LB, given_B, chosen.label_LB)
        log_known_LB = torch.where(here_LB, 0.0, -torch.inf).to(log_q_BC.dtype)
        log_weight_LB = torch.where(known_B, log_known_LB, chosen.log_weight_LB)
        # log q(y) of a known label is 0; so it is at the places of weight zero, so that zero is never multiplied by
        # infinity.
        log_q_y_LB = torch.where(known_B, 0.0, log_q_BC.T.gather(0, label_LB))
        log_p_y_LB = self.log_prior_C[label_LB]

        found = self._posterior(features_BH.repeat(labels, 1), batch.repeat(labels).tokens_BT, label_LB.reshape(-1))
        by_label_LB = torch.arange(labels * sentences, device=given_B.device).view(labels, sentences)
        posterior = found.posterior.rows(by_label_LB)
        z_SLBD, log_q_z_SLB, log_weight_SLB = posterior.weighted_samples(num_samples)
        assert log_q_z_SLB is not None
        drawn = len(z_SLBD)
        prior = self.prior()

        def over_samples(x_LB: Tensor) -> Tensor:
            return x_LB.expand(drawn, labels, sentences).reshape(drawn * labels, sentences)

        z_SBD = z_SLBD.flatten(0, 1)
        label_SB = over_samples(label_LB)
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD, Context(label_B=label_SB))
        if found.surrogate_B is not None:
            log_px_z_SB = log_px_z_SB + over_samples(found.surrogate_B.view(labels, sentences))
        log_p_z_SB = prior.log_prob(z_SBD)
        kl_LB, per_dim_LBD = kl_at(posterior, prior, z_SLBD)
        weight_LB = log_weight_LB.exp()
        z_group = LatentGroup(
            name="z",
            posterior=posterior,
            prior=prior,
            z_SUD=z_SBD,
            log_q_SU=log_q_z_SLB.flatten(0, 1),
            log_p_SU=log_p_z_SB,
            kl_U=None if kl_LB is None else (weight_LB * kl_LB).sum(0),
            kl_per_dim_UD=None if per_dim_LBD is None else (weight_LB.unsqueeze(-1) * per_dim_LBD).sum(0),
            levels=levels_of(posterior, prior),
            extended=posterior.extended,
        )
        kl_y_B = (log_q_BC.exp() * (log_q_BC - self.log_prior_C)).sum(-1)
        label_group = LatentGroup(
            name="label",
            posterior=Categorical(logits=log_q_BC, validate_args=False),
            prior=Categorical(logits=self.log_prior_C, validate_args=False),
            z_SUD=label_SB.unsqueeze(-1),
            log_q_SU=over_samples(log_q_y_LB),
            log_p_SU=over_samples(log_p_y_LB),
            kl_U=torch.where(known_B, -self.log_prior_C[given_B.clamp_min(0)], kl_y_B),
        )
        # L(x, y) of each label, by its samples of z: what the labels that are drawn differ by.
        with torch.no_grad():
            loss_SLB = (log_q_z_SLB.flatten(0, 1) - log_p_z_SB - log_px_z_SB).view(drawn, labels, sentences)
            loss_LB = (log_weight_SLB.exp() * loss_SLB).sum(0)
        return LatentTerms(
            log_px_z_SB=log_px_z_SB,
            log_weight_SB=over_samples(log_weight_LB) + log_weight_SLB.flatten(0, 1),
            tokens_B=batch.lengths_B - 1,
            latents=(z_group, label_group),
            baseline_B=self.label_sum.baseline(chosen, loss_LB, batch.lengths_B - 1),
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
