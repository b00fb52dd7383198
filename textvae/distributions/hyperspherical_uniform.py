"""The uniform distribution on the unit sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from textvae.distributions.latent import Index, LatentDistribution, Shape
from textvae.distributions.sphere import log_area, uniform_directions, unit_sphere


class HypersphericalUniform(LatentDistribution):
    """The uniform distribution on S^{D-1}, the unit sphere of R^D.

    Args:
        dim: D, at least 2.
        batch_shape: the shape of a batch of independent copies.
        dtype: dtype of samples and densities; torch's default if None.
        device: device of samples and densities.

    >>> p = HypersphericalUniform(3)
    >>> p.event_shape, round(p.sample().norm().item(), 5), round(p.entropy().exp().item() / torch.pi, 5)
    (torch.Size([3]), 1.0, 4.0)
    """

    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    support = unit_sphere
    has_rsample = True

    def __init__(
        self,
        dim: int,
        batch_shape: Shape = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if dim < 2:
            raise ValueError(f"got a sphere in {dim} dimension(s); it needs at least 2.")
        self._entropy = torch.full((), log_area(dim), dtype=dtype, device=device)
        super().__init__(torch.Size(batch_shape), torch.Size((dim,)), validate_args=validate_args)

    def _like(self, batch_shape: Shape) -> HypersphericalUniform:
        old = self._entropy
        return HypersphericalUniform(
            self.event_shape[0], batch_shape, dtype=old.dtype, device=old.device, validate_args=False
        )

    def expand(self, batch_shape: Shape, _instance: None = None) -> HypersphericalUniform:
        return self._like(batch_shape)

    def detached(self) -> HypersphericalUniform:
        return self

    def rows(self, index: Index) -> HypersphericalUniform:
        return self._like(torch.empty(self.batch_shape, device="meta")[index].shape)

    @property
    def mean(self) -> Tensor:
        return self._entropy.new_zeros(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        """1 / D for each coordinate, because their squares sum to 1."""
        return torch.full_like(self.mean, self.unit_variance)

    @property
    def unit_variance(self) -> float:
        return 1.0 / self.event_shape[0]

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return uniform_directions(self._extended_shape(torch.Size(sample_shape)), self._entropy)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -self._entropy.expand(torch.broadcast_shapes(value.shape[:-1], self.batch_shape))

    def entropy(self) -> Tensor:
        """log of the sphere's area."""
        return self._entropy.expand(self.batch_shape)
