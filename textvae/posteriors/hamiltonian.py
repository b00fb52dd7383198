"""The Hamiltonian posterior: codes drawn from the encoder's Gaussian, then moved by the gradient of log p(x, z)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_PARTS
from textvae.distributions import DiagonalGaussian, Index, LatentDistribution, Shape
from textvae.errors import ConfigError
from textvae.layers import at_least_float32
from textvae.posteriors.base import JointDensity, NeedsJoint, PosteriorSettings, Refined
from textvae.posteriors.gaussian import GaussianPosteriorConfig
from textvae.posteriors.tempering import NoTemperingConfig, TemperingConfig
from textvae.samplers import Point, leapfrog
from textvae.types import Context

_LOG_2PI = math.log(2.0 * math.pi)


class HamiltonianPosteriorConfig(PosteriorSettings):
    """Settings of a Hamiltonian posterior."""

    extended: ClassVar[bool] = True
    kind: Literal["hamiltonian"] = "hamiltonian"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {"steps": 2},
        "free": {"steps": 3, "tempering": {"kind": "free"}, "every_step": True},
    }
    min_scale: float = Field(1e-4, gt=0, description="smallest standard deviation of the initial Gaussian")
    steps: int = Field(
        5, ge=0, le=MAX_PARTS, description="leapfrog steps, each a gradient of the decoder; 0 is the plain Gaussian"
    )
    tempering: TemperingConfig = Field(default_factory=NoTemperingConfig, description="tempering of the momenta")
    step_size: float = Field(0.2, gt=0, description="initial step size in every dimension")
    max_step_size: float = Field(0.5, gt=0, description="upper bound of the trained step sizes")
    every_step: bool = Field(False, description="whether each leapfrog step has its own step sizes")

    @model_validator(mode="after")
    def _below_the_cap(self) -> HamiltonianPosteriorConfig:
        if self.step_size >= self.max_step_size:
            raise ValueError(
                f"step_size is {self.step_size:g}, expected less than max_step_size = {self.max_step_size:g}; "
                "lower one or raise the other"
            )
        return self

    def build(self, *, feature_dim: int, latent_dim: int, num_labels: int = 0) -> HamiltonianPosterior:
        return HamiltonianPosterior(self, feature_dim, latent_dim, num_labels)


class HamiltonianPosterior(NeedsJoint):
    """z_0 from a Gaussian given x, moved with a momentum by K leapfrog steps on -log p(x, z), tempered after each.

    Caterini et al. 2018 (arXiv 1805.11328), algorithm 1. The steps are a deterministic, invertible map of (z_0, rho_0)
    with a known Jacobian, so code and momentum have a joint density, and samples are reparameterized. There is no
    Metropolis test, and step sizes and tempering are trained with the other parameters. The gradient passes through all
    steps, and so needs second derivatives of the decoder. Dropout is off in the steps, which makes them a deterministic
    function of z and the parameters. The result is a bound on log p(x) whatever noise the decoder has, as for any q.

    There is no tempering by default. A higher initial temperature explores further, but the bound pays for the wider
    momenta: if the Gaussian fits already, tempering lowers the bound, more so in more dimensions, until training has
    reduced the temperature.

    Cost: S samples take (K + 1) S more gradients of the decoder wherever q(z|x) is sampled; in training, each keeps its
    graph.

    Args:
        config: the settings.
        feature_dim: H.
        latent_dim: D.
        num_labels: C; with labels, the encoder's q(z_0|x, y) depends on y too.

    >>> import torch
    >>> HamiltonianPosteriorConfig().build(feature_dim=6, latent_dim=2)(torch.zeros(3, 6)).batch_shape
    torch.Size([3])
    """

    def __init__(
        self, config: HamiltonianPosteriorConfig, feature_dim: int, latent_dim: int, num_labels: int = 0
    ) -> None:
        super().__init__()
        self.config = config
        self.amortized = GaussianPosteriorConfig(min_scale=config.min_scale).build(
            feature_dim=feature_dim, latent_dim=latent_dim, num_labels=num_labels
        )
        self.tempering = config.tempering.build(config.steps)
        rows = config.steps if config.every_step else min(1, config.steps)
        share = config.step_size / config.max_step_size
        self.step_size_logits = nn.Parameter(torch.full((rows, latent_dim), math.log(share / (1.0 - share))))

    def forward(self, features_BH: Float[Tensor, "B H"], context: Context | None = None) -> DiagonalGaussian:
        return self.amortized(features_BH, context)

    @property
    def step_sizes_KD(self) -> Float[Tensor, "K D"]:
        """The step size of every step and dimension."""
        sizes = self.config.max_step_size * self.step_size_logits.sigmoid()
        return sizes.expand(self.config.steps, -1)

    def refine(self, start: LatentDistribution, log_joint: JointDensity, key_B: Int[Tensor, " B"]) -> Refined:
        assert isinstance(start, DiagonalGaussian)
        log_factors_K = self.tempering.log_factors(start.loc)
        return Refined(Hamiltonian(start, log_joint, self.step_sizes_KD.to(start.loc), log_factors_K))


class Hamiltonian(LatentDistribution):
    """The distribution of z_K: (z_0, rho_0) ~ start x N(0, I / beta_0), moved by K leapfrog steps with tempering.

    The density of z_K alone is not known. `rsample_and_log_prob` returns, as log q(z), the *extended* log-density

        log q(z_0) + log N(rho_0; 0, I / beta_0) - log |det d(z_K, rho_K) / d(z_0, rho_0)| - log N(rho_K; 0, I).

    log p(x, z_K) minus it is the logarithm of an unbiased importance weight: that of (z_K, rho_K) under the target
    p(x, z) N(rho; 0, I). Leapfrog steps preserve volume; tempering has the determinant beta_0^(D / 2).

    The paper's "low-variance" bound has the entropies of z_0 and rho_0 in place of their log-densities. For `drawn`
    from the source it is log p(x, z_K) minus the second result of `carried(drawn, -source.entropy())`. Both bounds have
    the same gradients, as they differ by a function of the noise only. Objectives use the log-densities: if the initial
    Gaussian fits, these cancel the noise of log p(x, z_K) and of log N(rho_K), and the bound is less noisy.

    Where gradients are enabled they reach all parameters, also those of the joint density. Only then are second
    derivatives computed.

    Args:
        start: q(z_0|x).
        log_joint: log p(x, z) of the same rows, in the same order.
        step_sizes_KD: the step sizes of each step.
        log_factors_K: log alpha_k; momenta are multiplied by alpha_k after step k.
        stopped: whether samples are detached from all parameters; see `detached`.

    >>> import torch
    >>> from textvae.decoders import LSTMDecoderConfig
    >>> from textvae.models import LogJoint
    >>> decoder = LSTMDecoderConfig(embedding_dim=4, hidden_dim=3).build(vocab_size=10, latent_dim=2)
    >>> start = DiagonalGaussian(torch.zeros(1, 2), torch.ones(1, 2))
    >>> log_joint = LogJoint(decoder, start, torch.tensor([[1, 5, 6, 2]]))
    >>> q = Hamiltonian(start, log_joint, torch.full((3, 2), 0.2), torch.zeros(3))
    >>> [x.shape for x in q.rsample_and_log_prob((7,))]
    [torch.Size([7, 1, 2]), torch.Size([7, 1])]
    """

    extended: ClassVar[bool] = True
    arg_constraints = {}  # noqa: RUF012 (torch's convention)
    has_rsample = True

    def __init__(
        self,
        start: DiagonalGaussian,
        log_joint: JointDensity,
        step_sizes_KD: Tensor,
        log_factors_K: Tensor,
        stopped: bool = False,
    ) -> None:
        self.start, self.log_joint, self.stopped = start, log_joint, stopped
        self.step_sizes_KD, self.log_factors_K = step_sizes_KD, log_factors_K
        super().__init__(start.batch_shape, start.event_shape, validate_args=False)

    @property
    def source(self) -> DiagonalGaussian:
        """The distribution of (z_0, rho_0), concatenated, event shape [2 D]."""
        zeros = torch.zeros_like(self.start.loc)
        # beta_0 = prod alpha_k^2.
        deviation = (zeros - self.log_factors_K.sum()).exp()
        loc, scale = torch.cat([self.start.loc, zeros], -1), torch.cat([self.start.scale, deviation], -1)
        return DiagonalGaussian(loc, scale, validate_args=False)

    @property
    def proposal(self) -> DiagonalGaussian:
        """The initial Gaussian q(z_0|x)."""
        return self.start

    def carried(self, drawn: Tensor, log_density: Tensor) -> tuple[Tensor, Tensor]:
        z, momentum = self.moved(*drawn.chunk(2, -1))
        log_normal = -0.5 * (momentum.square() + _LOG_2PI).sum(-1)
        return z, log_density - self.log_det - log_normal

    @property
    def log_det(self) -> Tensor:
        """log |det d(z_K, rho_K) / d(z_0, rho_0)| = (D / 2) log beta_0, a constant, shape [].

        Tempering multiplies the D momenta by alpha_k after step k.
        """
        return self.event_shape[0] * self.log_factors_K.sum()

    def moved(self, position: Tensor, momentum: Tensor) -> tuple[Tensor, Tensor]:
        """Map (z_0, rho_0) to (z_K, rho_K), each [*sample_shape, *batch, D]."""
        shape, rows = position.shape, max(1, self.batch_shape.numel())
        graph = torch.is_grad_enabled() and not self.stopped

        def density(z_SBD: Tensor) -> Point:
            value_SB, grad_SBD = self.log_joint.value_and_grad(z_SBD, create_graph=graph)
            return Point(z_SBD, value_SB, at_least_float32(grad_SBD))

        steps = len(self.step_sizes_KD)
        if steps == 0:
            return position, momentum
        point = density(position.reshape(-1, rows, shape[-1]))
        momentum = momentum.reshape(-1, rows, shape[-1])
        for size_D, log_factor in zip(self.step_sizes_KD, self.log_factors_K, strict=True):
            point, momentum = leapfrog(density, point, momentum, size_D, 1)
            momentum = momentum * log_factor.exp()
        return point.position.view(shape), momentum.view(shape)

    def rsample_and_log_prob(self, sample_shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """z_K, and its *extended* log q; see the class."""
        return self.carried(*self.source.rsample_and_log_prob(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.rsample_and_log_prob(tuple(sample_shape))[0]

    def log_prob(self, value: Tensor) -> Tensor:
        raise ConfigError(
            "a hamiltonian posterior got a code to score, and the density of a code without its momentum is not known; "
            "use the log q that comes with its own samples, or a posterior such as gaussian."
        )

    @property
    def mean(self) -> Tensor:
        """The image of the mean of (z_0, rho_0); it is the mean of z_K if log p(x, z) is quadratic in z.

        The map is then linear; otherwise this is an approximation. An average over random draws would differ between
        sentences by its noise, which would count as active units.
        """
        z_BD, _ = self.moved(self.start.loc, torch.zeros_like(self.start.loc))
        return z_BD

    def detached(self) -> Hamiltonian:
        """The same distribution, detached from its parameters and those of the joint density."""
        return Hamiltonian(
            self.start.detached(), self.log_joint, self.step_sizes_KD.detach(), self.log_factors_K.detach(), True
        )

    def rows(self, index: Index) -> Hamiltonian:
        all_B = torch.arange(self.batch_shape.numel(), device=self.start.loc.device).view(self.batch_shape)
        some = self.log_joint.rows(all_B[index].reshape(-1))
        return Hamiltonian(self.start.rows(index), some, self.step_sizes_KD, self.log_factors_K, self.stopped)
