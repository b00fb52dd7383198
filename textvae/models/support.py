"""Which posteriors go with which priors: those whose codes live in the same space."""

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


_WITHOUT_CODE = {
    "zero_mean": "whose center is the origin for every sentence",
    "stein": "which has no density",
    "hamiltonian": "whose density is that of codes and momenta together",
    "hierarchical": "which has several codes a sentence",
}
"""Posteriors that do not give a sentence the one code, with a density, by which others could be found near it."""


def sees_codes(prior: Component) -> bool:
    """Whether a prior is conditioned, in training, on codes of other sentences near a sentence's own."""
    return getattr(type(prior), "sees_codes", False)


def require_codes(posterior: Component, prior: Component) -> None:
    """Refuse a prior that compares codes beside a posterior without codes to compare.

    Raises:
        ValueError: for pydantic to report, as this is called while a config is checked.
    """
    if sees_codes(prior) and posterior.kind in _WITHOUT_CODE:
        raise ValueError(
            f"a {posterior.kind} posterior ({_WITHOUT_CODE[posterior.kind]}) cannot have a {prior.kind} prior, which "
            "compares the codes of sentences; use the posterior 'gaussian', or the prior 'standard_normal' or 'vamp'"
        )


def _where(support: str) -> str:
    return "on the sphere" if support == SPHERE else "on all of space"
