"""Which posteriors can be combined with which priors, by the traits that their settings declare.

The checks run while settings are read, before anything is built.
"""

from __future__ import annotations

from textvae.errors import ConfigError
from textvae.posteriors.base import PosteriorSettings
from textvae.priors.base import PriorSettings
from textvae.types import EUCLIDEAN, SPHERE, Support

_CURE: dict[Support, str] = {
    EUCLIDEAN: "a prior on all of space, such as standard_normal",
    SPHERE: "the prior hyperspherical_uniform",
}
_WHERE: dict[Support, str] = {EUCLIDEAN: "on all of space", SPHERE: "on the sphere"}


def plain_prior(posterior: PosteriorSettings) -> str:
    """The kind of the prior without parameters on the support of a posterior."""
    return "hyperspherical_uniform" if posterior.support == SPHERE else "standard_normal"


def kl_has_dimensions(posterior: PosteriorSettings, prior: PriorSettings) -> bool:
    """Whether KL(q(z|x) || p(z)) has a closed form for each dimension, for which both must factorize.

    >>> from textvae.posteriors import GaussianPosteriorConfig
    >>> from textvae.priors import MixturePriorConfig, StandardNormalPriorConfig
    >>> posterior = GaussianPosteriorConfig()
    >>> [kl_has_dimensions(posterior, prior) for prior in (StandardNormalPriorConfig(), MixturePriorConfig())]
    [True, False]
    """
    return posterior.factorizes and prior.factorizes


def require_same_support(posterior: PosteriorSettings, prior: PriorSettings, latent_dim: int) -> None:
    """Refuse a pair whose supports differ, levels that do not match, and settings that `latent_dim` makes impossible.

    Raises:
        ValueError: the pair is refused. Pydantic reports it, as validators call this.
    """
    ours, theirs = posterior.support, prior.support
    if ours != theirs:
        raise ValueError(
            f"a {posterior.kind} posterior ({_WHERE[ours]}) cannot have a {prior.kind} prior ({_WHERE[theirs]}), from "
            f"which its KL is infinite; use {_CURE[ours]}"
        )
    _require_whole_levels(posterior, prior, latent_dim)
    try:
        posterior.require_dim(latent_dim)
    except ConfigError as error:
        raise ValueError(str(error).removesuffix(".")) from None


def _require_whole_levels(posterior: PosteriorSettings, prior: PriorSettings, latent_dim: int) -> None:
    levels = [number for number in (posterior.num_levels, prior.num_levels) if number > 1]
    if len(set(levels)) > 1:
        raise ValueError(
            f"the posterior has {levels[0]} levels and the prior {levels[1]}; give both the same number of levels"
        )
    if levels and latent_dim % levels[0]:
        raise ValueError(
            f"latent_dim is {latent_dim}, which {levels[0]} levels cannot share equally; use a multiple of {levels[0]}"
        )


def require_density(posterior: PosteriorSettings, prior: PriorSettings) -> None:
    """Refuse a prior made of the posterior's density if that is not known, or depends on the training batch.

    Raises:
        ValueError: the pair is refused. Pydantic reports it, as validators call this.
    """
    if not prior.scores_posterior:
        return
    if not posterior.has_density:
        raise ValueError(
            f"a {prior.kind} prior is made of the posterior's density, and a {posterior.kind} posterior has none; use "
            "another prior, such as mixture"
        )
    if posterior.batch_setting:
        raise ValueError(
            f"a {prior.kind} prior is made of the posterior's density, which with {posterior.batch_setting} depends on "
            "the training batch, and its pseudo-inputs would be normalized together with sentences; leave out "
            f"{posterior.batch_setting}, or use another prior, such as mixture"
        )


def require_floor(posterior: PosteriorSettings, prior: PriorSettings) -> None:
    """Refuse a committed rate, which is a lower bound of the KL to N(0, I), with a learned prior, which may differ.

    Raises:
        ValueError: the pair is refused. Pydantic reports it, as validators call this.
    """
    rate = posterior.least_rate
    if rate and prior.learned:
        raise ValueError(
            f"posterior.committed_rate = {rate:g} is a lower bound of the KL to a standard normal, and a {prior.kind} "
            "prior is learned and could adapt to the posterior; use the prior standard_normal, or leave out "
            f'committed_rate and set objective.free_bits = {{ kind = "rate", nats = {rate:g} }}'
        )


def require_codes(posterior: PosteriorSettings, prior: PriorSettings) -> None:
    """Refuse a prior that compares the codes of sentences with a posterior whose codes cannot be compared.

    Raises:
        ValueError: the pair is refused. Pydantic reports it, as validators call this.
    """
    if not prior.sees_codes:
        return
    why = ""
    if posterior.fixed_mean:
        why = "whose center is the origin for every sentence"
    elif not posterior.has_density:
        why = "which has no density"
    elif posterior.extended:
        why = "whose density is that of codes and momenta together"
    if why:
        learned = "vamp" if posterior.has_density else "mixture"
        raise ValueError(
            f"a {posterior.kind} posterior ({why}) cannot have a {prior.kind} prior, which compares the codes of "
            f"sentences; use the posterior 'gaussian', or the prior 'standard_normal' or '{learned}'"
        )
