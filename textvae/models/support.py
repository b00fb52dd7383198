"""What settings tell of a posterior: where its codes live, hence which priors it can have, and of its density."""

from __future__ import annotations

from typing import Any

from textvae.config import Component
from textvae.errors import ConfigError

EUCLIDEAN, SPHERE = "euclidean", "sphere"

_CURE = {
    EUCLIDEAN: "a prior on all of space, such as standard_normal",
    SPHERE: "the prior hyperspherical_uniform",
}


def posterior_config(model: Any) -> Component | None:
    """The settings of a model's posterior; None for one without a z, or a caller's own that does not tell."""
    return getattr(getattr(model, "config", None), "posterior", None)


def support_of(config: Component) -> str:
    """Where the codes of a posterior or a prior live: all of R^D, unless its config has a `support` that says else.

    >>> from textvae.posteriors import GaussianPosteriorConfig, VonMisesFisherPosteriorConfig
    >>> support_of(GaussianPosteriorConfig()), support_of(VonMisesFisherPosteriorConfig())
    ('euclidean', 'sphere')
    """
    return getattr(type(config), "support", EUCLIDEAN)


def is_extended(posterior: Component) -> bool:
    """Whether the densities of a posterior with these settings carry auxiliary variables (`LatentGroup.extended`)."""
    return getattr(type(posterior), "extended", False)


def needs_linear(posterior: Component) -> bool:
    """Whether a posterior learns rightly only from an objective that is an expectation under q (its `linear`).

    >>> from textvae.posteriors import MixturePosteriorConfig
    >>> [needs_linear(MixturePosteriorConfig(estimator=name)) for name in ("pathwise", "stratified", "score")]
    [False, False, True]
    """
    return getattr(posterior, "needs_linear", False)


def draws_itself(posterior: Component) -> bool:
    """Whether each sample that an objective gets is a draw of q, rather than of a part of it, with a weight.

    >>> from textvae.posteriors import MixturePosteriorConfig
    >>> [draws_itself(MixturePosteriorConfig(estimator=name)) for name in ("pathwise", "stratified", "score")]
    [True, False, True]
    """
    return getattr(posterior, "draws_itself", True)


def climbs_bound(posterior: Component) -> bool:
    """Whether its codes are moved to where the bound at KL weight 1 is high, whatever is trained on.

    >>> from textvae.posteriors import GaussianPosteriorConfig, SemiAmortizedPosteriorConfig
    >>> climbs_bound(GaussianPosteriorConfig()), climbs_bound(SemiAmortizedPosteriorConfig())
    (False, True)
    """
    return getattr(type(posterior), "climbs_bound", False)


def is_learned(prior: Component) -> bool:
    """Whether a prior has parameters, which an objective must train.

    >>> from textvae.priors import MixturePriorConfig, StandardNormalPriorConfig
    >>> [is_learned(prior) for prior in (StandardNormalPriorConfig(), MixturePriorConfig())]
    [False, True]
    """
    return getattr(type(prior), "learned", True)


def vector_dim_of(model: Any) -> int:
    """H, where the prior of a model, or of the settings of one, is conditioned on vectors of that size; else 0.

    >>> from textvae.models import LanguageModelConfig, TextVAEConfig
    >>> conditional = TextVAEConfig.model_validate({"prior": {"kind": "conditional", "vector_dim": 5}})
    >>> [vector_dim_of(model) for model in (conditional, TextVAEConfig(), LanguageModelConfig())]
    [5, 0, 0]
    """
    return getattr(getattr(model, "prior", None), "vector_dim", 0)


def plain_prior(posterior: Component) -> str:
    """The kind of the prior without parameters that has the support of a posterior."""
    return "hyperspherical_uniform" if support_of(posterior) == SPHERE else "standard_normal"


def kl_has_dimensions(posterior: Component, prior: Component) -> bool:
    """Whether KL(q(z|x) || p(z)) is a sum of KLs by dimension, for which both must factorise.

    >>> from textvae.posteriors import GaussianPosteriorConfig
    >>> from textvae.priors import MixturePriorConfig, StandardNormalPriorConfig
    >>> posterior = GaussianPosteriorConfig()
    >>> [kl_has_dimensions(posterior, prior) for prior in (StandardNormalPriorConfig(), MixturePriorConfig())]
    [True, False]
    """
    return all(getattr(type(part), "factorizes", False) for part in (posterior, prior))


def require_same_support(posterior: Component, prior: Component, latent_dim: int) -> None:
    """Refuse a pair between which no KL is finite, levels that do not fit, and settings of the posterior that no code
    of this many dimensions can meet.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    ours, theirs = support_of(posterior), support_of(prior)
    if ours != theirs:
        raise ValueError(
            f"a {posterior.kind} posterior ({_where(ours)}) cannot have a {prior.kind} prior ({_where(theirs)}), from "
            f"which its KL is infinite; use {_CURE.get(ours, f'a prior with support {ours!r}')}"
        )
    _require_whole_levels(posterior, prior, latent_dim)
    require_dim = getattr(posterior, "require_dim", None)
    if require_dim is not None:
        try:
            require_dim(latent_dim)
        except ConfigError as error:
            raise ValueError(str(error).removesuffix(".")) from None


def _require_whole_levels(posterior: Component, prior: Component, latent_dim: int) -> None:
    found: list[int] = [getattr(part, "levels", 1) for part in (posterior, prior)]
    levels = [number for number in found if number > 1]
    if len(set(levels)) > 1:
        raise ValueError(
            f"the posterior has {levels[0]} levels and the prior {levels[1]}; give both the same number of levels"
        )
    if levels and latent_dim % levels[0]:
        raise ValueError(
            f"latent_dim is {latent_dim}, which {levels[0]} levels cannot share equally; use a multiple of {levels[0]}"
        )


def has_density(posterior: Component | None) -> bool:
    """Whether codes of a posterior can be scored; a model without one has nothing to score.

    >>> from textvae.posteriors import GaussianPosteriorConfig, SteinPosteriorConfig
    >>> has_density(GaussianPosteriorConfig()), has_density(SteinPosteriorConfig())
    (True, False)
    """
    return getattr(type(posterior), "has_density", True)


def require_density(posterior: Component, prior: Component) -> None:
    """Refuse a prior that is made of the posterior's density, where that has none, or one of its own for each batch.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    if not getattr(type(prior), "scores_posterior", False):
        return
    if not has_density(posterior):
        raise ValueError(
            f"a {prior.kind} prior is made of the posterior's density, and a {posterior.kind} posterior has none; use "
            "another prior, such as mixture"
        )
    if getattr(posterior, "sees_batch", False):
        raise ValueError(
            f"a {prior.kind} prior is made of the posterior's density, which with posterior.batch_norm is another for "
            "every training batch, and its pseudo-inputs would be counted among the sentences by which codes are "
            "normalized; leave out posterior.batch_norm, or use another prior, such as mixture"
        )


def require_floor(posterior: Component, prior: Component) -> None:
    """Refuse a floor under the KL to N(0, I), which a posterior commits to, beside a prior that learns to be another.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    rate = getattr(posterior, "committed_rate", 0.0)
    if rate and is_learned(prior):
        raise ValueError(
            f"posterior.committed_rate = {rate:g} is a floor under the KL to a standard normal, and a {prior.kind} "
            "prior is learned and could come to the posterior; use the prior standard_normal, or leave out "
            f'committed_rate and set objective.free_bits = {{ kind = "rate", nats = {rate:g} }}'
        )


def has_fixed_mean(posterior: Component | None) -> bool:
    """Whether the mean of a posterior is the same for every sentence, so that no unit is active however z is used.

    >>> from textvae.posteriors import GaussianPosteriorConfig, ZeroMeanPosteriorConfig
    >>> has_fixed_mean(GaussianPosteriorConfig()), has_fixed_mean(ZeroMeanPosteriorConfig())
    (False, True)
    """
    return getattr(type(posterior), "fixed_mean", False)


def sees_codes(prior: Component) -> bool:
    """Whether a prior is conditioned, in training, on codes of other sentences near a sentence's own."""
    return getattr(type(prior), "sees_codes", False)


def require_codes(posterior: Component, prior: Component) -> None:
    """Refuse a prior that compares codes beside a posterior without codes to compare.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    if not sees_codes(prior):
        return
    why = ""
    if has_fixed_mean(posterior):
        why = "whose center is the origin for every sentence"
    elif not has_density(posterior):
        why = "which has no density"
    elif is_extended(posterior):
        why = "whose density is that of codes and momenta together"
    if why:
        learned = "vamp" if has_density(posterior) else "mixture"
        raise ValueError(
            f"a {posterior.kind} posterior ({why}) cannot have a {prior.kind} prior, which compares the codes of "
            f"sentences; use the posterior 'gaussian', or the prior 'standard_normal' or '{learned}'"
        )


def _where(support: str) -> str:
    return "on the sphere" if support == SPHERE else "on all of space"
