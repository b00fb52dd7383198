"""The sentence VAE, composed of an encoder, a posterior, a prior and a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn
from torch.distributions import kl_divergence

from textvae.distributions import LatentDistribution
from textvae.errors import ConfigError, DataError
from textvae.models import loading
from textvae.models.base import TextModel
from textvae.models.log_joint import LogJoint, seeing_target
from textvae.models.settings import CodeModelSettings
from textvae.models.support import require_codes, require_density, require_floor, require_same_support
from textvae.posteriors import NeedsJoint, Refined
from textvae.priors import MemoryPrior, Prior
from textvae.types import Batch, Context, LatentGroup, LatentTerms


class TextVAEConfig(CodeModelSettings):
    """Settings of a sentence VAE: its parts, in any combination except those that `textvae.models.support` refuses."""

    kind: Literal["text_vae"] = "text_vae"
    single_code: ClassVar[bool] = True

    @model_validator(mode="after")
    def _codes_share_a_space(self) -> TextVAEConfig:
        require_same_support(self.posterior, self.prior, self.latent_dim)
        require_density(self.posterior, self.prior)
        require_floor(self.posterior, self.prior)
        require_codes(self.posterior, self.prior)
        return self

    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> TextVAE:
        return TextVAE(self, vocab_size, max_tokens, label_names)


class TextVAE(TextModel):
    """p(x, z) = p(z) p(x|z) with an amortised posterior q(z|x) (Bowman et al. 2016, arXiv 1511.06349).

    Args:
        config: the settings.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.
        label_names: the classes of the corpus; only a prior conditioned on labels needs them.

    Raises:
        ConfigError: the prior is conditioned on another number of labels than the corpus has.

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
        super().__init__(config, vocab_size, max_tokens, label_names if config.prior.label_count else ())
        self.encoder = config.encoder.build(vocab_size=vocab_size, max_tokens=max_tokens)
        self.posterior = config.posterior.build(feature_dim=self.encoder.feature_dim, latent_dim=config.latent_dim)
        self.prior = config.prior.build(latent_dim=config.latent_dim)
        self.prior.compose(self.posterior, feature_dim=self.encoder.feature_dim)
        _require_condition(self.prior, self.label_names)
        self.decoder = config.decoder.build(vocab_size=vocab_size, latent_dim=config.latent_dim, max_tokens=max_tokens)

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C], for a prior p(z|y)."""
        if self.prior.num_labels:
            self.prior.set_label_prior(counts_C)

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x), batch shape [B]."""
        start = self._amortized(batch)
        if not isinstance(self.posterior, NeedsJoint):
            return start
        prior = self.prior_of(batch, start)
        return seeing_target(self.posterior, start, self.decoder, prior, batch.tokens_BT).posterior

    def _amortized(self, batch: Batch) -> LatentDistribution:
        """The posterior's distribution given the features only, before `NeedsJoint.refine`."""
        return self.posterior(self.encoder(batch.tokens_BT, batch.lengths_B))

    def code_of(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The code of each sentence that a prior's memory stores: the center of the unrefined posterior, detached."""
        return self._amortized(batch).center.detach()

    def log_joint(self, batch: Batch) -> LogJoint:
        """log p(x, z) of these sentences and its gradient, as functions of z."""
        return LogJoint(self.decoder, self.prior_of(batch), batch.tokens_BT)

    @property
    def inference_parts(self) -> tuple[nn.Module, ...]:
        return self.encoder, self.posterior

    @property
    def memory(self) -> MemoryPrior | None:
        return self.prior if isinstance(self.prior, MemoryPrior) else None

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        return self.prior(context)

    def prior_of(self, batch: Batch, posterior: LatentDistribution | None = None) -> LatentDistribution:
        """p(z), batch shape [], or [B] if the prior is conditioned on something of each sentence.

        Args:
            batch: the sentences; with `vector_BH` for a prior that is conditioned on vectors.
            posterior: their unrefined q(z|x), for a prior that is conditioned on codes in training; without it such a
                prior gives its unconditional p(z).

        Raises:
            DataError: the prior is conditioned on vectors, and the batch has none, or some of another shape.
        """
        vector_BH = _vectors_for(self.prior, batch) if self.prior.vector_dim else None
        if posterior is not None and self.training and self.memory is not None:
            vector_BH = posterior.center.detach()
        return self.prior(Context(label_B=batch.label_B, vector_BH=vector_BH, example_id_B=batch.example_id_B))

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms with S = num_samples, or more if the posterior is stratified."""
        start = self._amortized(batch)
        prior = self.prior_of(batch, start)
        found = seeing_target(self.posterior, start, self.decoder, prior, batch.tokens_BT)
        return self._terms(batch, found, prior, num_samples)

    def proxy_terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms with q(z|x) replaced by its `proposal`: a bound for a model whose posterior has no density."""
        return self._terms(batch, Refined(self.posterior_of(batch).proposal), self.prior_of(batch), num_samples)

    def _terms(self, batch: Batch, found: Refined, prior: LatentDistribution, num_samples: int) -> LatentTerms:
        z_SBD, log_q_SB, log_weight_SB = found.posterior.weighted_samples(num_samples)
        group = scored_group("z", found.posterior, prior, z_SBD, log_q_SB)
        log_px_z_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        if found.surrogate_B is not None:
            log_px_z_SB = log_px_z_SB + found.surrogate_B
        return LatentTerms(
            log_px_z_SB=log_px_z_SB,
            log_weight_SB=log_weight_SB,
            tokens_B=batch.lengths_B - 1,
            latents=(group,),
        )

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, *, revision: str | None = None) -> TextVAE:
        """Load a trained model.

        Args:
            folder_or_name: a finished run (`runs/NAME`), a model folder, or a name on the Hugging Face hub.
            revision: a branch, a tag or a commit on the hub.

        Raises:
            ModelError: there is no model, or it is damaged, not written by textvae, or of another kind.
            MachineError: the hub cannot be reached.
        """
        return loading.load_as(cls, TextVAEConfig, folder_or_name, revision=revision)


def scored_group(
    name: str, posterior: LatentDistribution, prior: LatentDistribution, z_SUD: Tensor, log_q_SU: Tensor | None
) -> LatentGroup:
    """The `LatentGroup` of a latent variable with these samples of its posterior, and its closed-form KL if any."""
    kl_U, per_dim_UD = kl_at(posterior, prior, z_SUD)
    return LatentGroup(
        name=name,
        posterior=posterior,
        prior=prior,
        z_SUD=z_SUD,
        log_q_SU=log_q_SU,
        log_p_SU=prior.log_prob(z_SUD),
        kl_U=kl_U,
        kl_per_dim_UD=per_dim_UD,
        levels=levels_of(posterior, prior),
        extended=posterior.extended,
    )


def kl_at(
    posterior: LatentDistribution, prior: LatentDistribution, z_SUD: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """`kl_U` and `kl_per_dim_UD` of a `LatentGroup`: KL(posterior || prior), nats, in total and by dimension.

    Args:
        posterior: q.
        prior: p.
        z_SUD: samples of q; the KL of a level of a hierarchical distribution is taken given the samples above it.

    Returns:
        KLs of the posterior's batch shape; each is None where it has no closed form.
    """
    per_dim_UD = posterior.kl_per_dim(prior)
    if per_dim_UD is None:
        per_dim_SUD = posterior.kl_per_dim_given(prior, z_SUD)
        per_dim_UD = None if per_dim_SUD is None else per_dim_SUD.mean(0)
    return closed_form_kl(posterior, prior) if per_dim_UD is None else per_dim_UD.sum(-1), per_dim_UD


def levels_of(posterior: LatentDistribution, prior: LatentDistribution) -> int:
    """The number of levels of z, each with its own KL given the levels above."""
    return max(posterior.levels, prior.levels)


def closed_form_kl(posterior: LatentDistribution, prior: LatentDistribution) -> Tensor | None:
    """KL(posterior || prior) in closed form, nats, of the posterior's batch shape; None without a closed form."""
    per_dim_UD = posterior.kl_per_dim(prior)
    if per_dim_UD is not None:
        return per_dim_UD.sum(-1)
    try:
        return kl_divergence(posterior, prior)
    except NotImplementedError:
        return None


def _require_condition(prior: Prior, label_names: Sequence[str]) -> None:
    if prior.num_labels and prior.num_labels != len(label_names):
        raise ConfigError(
            f"the prior is conditioned on {prior.num_labels} labels, and the corpus has {len(label_names)}; set "
            "prior.num_labels to its number of classes, or name a label_column in the corpus card."
        )


def _vectors_for(prior: Prior, batch: Batch) -> Tensor:
    """The vectors of a batch, [B, H]; every sentence needs one, because the bounds are on log p(x|vector)."""
    expected, got = (len(batch.lengths_B), prior.vector_dim), batch.vector_BH
    if got is None or tuple(got.shape) != expected:
        found = "none" if got is None else f"vector_BH of shape {tuple(got.shape)}"
        raise DataError(
            f"the prior is conditioned on a vector of {prior.vector_dim} numbers for each sentence, and a batch of "
            f"{expected[0]} came with {found}; give Batch(vector_BH=...) of shape {expected}."
        )
    return got
