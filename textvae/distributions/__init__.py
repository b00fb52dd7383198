"""Probability only: distributions over latent vectors. Imports torch and no other package of textvae."""

from textvae.distributions.autoregressive_network import AutoregressiveNetwork
from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.equal_mixture import EqualMixture
from textvae.distributions.gaussian_mixture import Estimator, GaussianMixture
from textvae.distributions.hierarchical_gaussian import HierarchicalGaussian, LevelNetwork
from textvae.distributions.hyperspherical_uniform import HypersphericalUniform
from textvae.distributions.inverse_autoregressive import InverseAutoregressive
from textvae.distributions.latent import Index, LatentDistribution, Shape, unit_variance
from textvae.distributions.masked_autoregressive_flow import MaskedAutoregressiveFlow
from textvae.distributions.power_spherical import PowerSpherical
from textvae.distributions.pushforward import Pushforward
from textvae.distributions.rotationally_symmetric import RotationallySymmetric
from textvae.distributions.von_mises_fisher import VonMisesFisher

__all__ = [
    "AutoregressiveNetwork",
    "DiagonalGaussian",
    "EqualMixture",
    "Estimator",
    "GaussianMixture",
    "HierarchicalGaussian",
    "HypersphericalUniform",
    "Index",
    "InverseAutoregressive",
    "LatentDistribution",
    "LevelNetwork",
    "MaskedAutoregressiveFlow",
    "PowerSpherical",
    "Pushforward",
    "RotationallySymmetric",
    "Shape",
    "VonMisesFisher",
    "unit_variance",
]
