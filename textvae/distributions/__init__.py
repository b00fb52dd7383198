"""Probability only: distributions over latent vectors. Imports torch and nothing of ours."""

from textvae.distributions.diagonal_gaussian import DiagonalGaussian
from textvae.distributions.latent import LatentDistribution

__all__ = ["DiagonalGaussian", "LatentDistribution"]
