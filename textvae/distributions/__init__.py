"""Probability only: distributions over latent vectors. Imports torch and nothing of ours."""

from textvae.distributions.autoregressive_network import AutoregressiveNetwork
from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.equal_mixture import EqualMixture
from textvae.distributions.gaussian_mixture import Estimator, GaussianMixture
from textvae.distributions.inverse_autoregressive import InverseAutoregressive
from textvae.distributions.latent import LatentDistribution
from textvae.distributions.masked_autoregressive_flow import MaskedAutoregressiveFlow

__all__ = [
    "AutoregressiveNetwork",
    "DiagonalGaussian",
    "EqualMixture",
    "Estimator",
    "GaussianMixture",
    "InverseAutoregressive",
    "LatentDistribution",
    "MaskedAutoregressiveFlow",
]
