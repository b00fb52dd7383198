"""Samplers that need only a log-density: Hamiltonian Monte Carlo and Stein variational gradient descent.

Imports torch and no other package of textvae.
"""

from textvae.samplers.hmc import Chains, Transition, adapted, hmc, jittered, path_length, transition
from textvae.samplers.leapfrog import Density, Point, density_of, leapfrog
from textvae.samplers.space import EUCLIDEAN, UNIT_SPHERE, Space
from textvae.samplers.svgd import stein_direction, svgd

__all__ = [
    "EUCLIDEAN",
    "UNIT_SPHERE",
    "Chains",
    "Density",
    "Point",
    "Space",
    "Transition",
    "adapted",
    "density_of",
    "hmc",
    "jittered",
    "leapfrog",
    "path_length",
    "stein_direction",
    "svgd",
    "transition",
]
