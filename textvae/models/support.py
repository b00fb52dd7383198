"""What settings tell of a posterior: where its codes live, hence which priors it can have, and of its density."""

from __future__ import annotations

from textvae.config import Component

EUCLIDEAN, SPHERE = "euclidean", "sphere"

_CURE = {
    EUCLIDEAN: "a prior on all of space, such as standard_normal",
    SPHERE: "the prior hyperspherical_uniform",
}


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


def require_same_support(posterior: Component, prior: Component, latent_dim: int) -> None:
    """Refuse a pair between which no KL is finite, and a sphere without room.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    ours, theirs = support_of(posterior), support_of(prior)
    if ours != theirs:
        raise ValueError(
            f"a {posterior.kind} posterior ({_where(ours)}) cannot have a {prior.kind} prior ({_where(theirs)}), from "
            f"which its KL is infinite; use {_CURE.get(ours, f'a prior with support {ours!r}')}"
        )
    if ours == SPHERE and latent_dim < 2:
        raise ValueError(f"latent_dim is {latent_dim}, but a sphere needs at least 2; use 2 or more")


def _where(support: str) -> str:
    return "on the sphere" if support == SPHERE else "on all of space"
