"""Probability only: distributions over latent vectors. Imports torch and nothing of ours."""

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.hyperspherical_uniform import HypersphericalUniform
from textvae.distributions.latent import LatentDistribution
from textvae.distributions.power_spherical import PowerSpherical
from textvae.distributions.rotationally_symmetric import RotationallySymmetric
from textvae.distributions.von_mises_fisher import VonMisesFisher

__all__ = [
    "DiagonalGaussian",
    "HypersphericalUniform",
    "LatentDistribution",
    "PowerSpherical",
    "RotationallySymmetric",
    "VonMisesFisher",
]
