"""Annealed importance sampling: estimates log p(x) by many small steps from a known distribution to the posterior."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.config import MAX_PARTS, MAX_SAMPLES, Config
from textvae.distributions import LatentDistribution
from textvae.errors import ConfigError
from textvae.evaluation.noise import Stream, draw, sentence_seeds
from textvae.evaluation.protocol import Corpus, Progress, cpu64, is_implicit, terms_of_one, vector_group
from textvae.evaluation.sweep import BATCH_TOKENS, Part, sweep
from textvae.layers import derived_keys, keyed_normal, keyed_uniform
from textvae.models import LogJoint, TextModel
from textvae.samplers import (
    EUCLIDEAN,
    UNIT_SPHERE,
    Density,
    Point,
    Space,
    adapted,
    density_of,
    jittered,
    path_length,
    transition,
)
from textvae.types import SPHERE, RowIndex

JointPoint = Callable[[Tensor], tuple[Tensor, Tensor]]
"""z [S, B, D] to log p(x, z) [S, B] and its gradient."""

_PILOT, _FORWARD, _BACKWARD = 0, 1, 2
_PILOT_CHAINS, _WARM_UP, _ADAPTATION_RATE, _FIRST_STEP = 1, 10, 0.1, 0.3


class AISConfig(Config):
    """Settings of annealed importance sampling: the recipe's table `[evaluate.ais]`."""

    sentences: int = Field(50, ge=2, description="sentences that are annealed, spread evenly over those evaluated")
    chains: int = Field(4, ge=1, le=MAX_PARTS, description="chains for each sentence; their weights are averaged")
    steps: int = Field(
        100,
        ge=1,
        le=MAX_SAMPLES,
        description="distributions from the start to the posterior; use ten times as many for a final number",
    )
    leapfrog: int = Field(5, ge=1, le=MAX_PARTS, description="gradients of the decoder in each move, on average")
    start: Literal["posterior", "prior"] = Field(
        "posterior",
        description="the distribution at which chains start; for a posterior without a density, 'posterior' is a "
        "Gaussian with its moments",
    )
    simulated: int = Field(
        20,
        ge=0,
        le=MAX_SAMPLES,
        description="sentences sampled from the model, for bounds from above and below; 0 for none",
    )


@dataclass(frozen=True)
class Annealed:
    """Results of annealed importance sampling for N sentences.

    Attributes:
        nll: minus the log of the mean weight of each sentence's chains, float64 [N], nats; in expectation not below
            the exact -log p(x).
        acceptance: mean acceptance probability over moves, chains and sentences.
    """

    nll: np.ndarray
    acceptance: float


class AnnealingPath:
    """f_t(z) = r(z)^(1 - b_t) p(x, z)^(b_t): from a known density r at t = 0 to the joint density at t = T.

    Neal 2001 (annealed importance sampling); Wu et al. 2017 (arXiv 1611.04273) for decoders. Forward, a chain starts
    at a draw of r; at each t its weight is multiplied by f_t / f_(t-1), and it then moves under a transition that
    leaves f_t invariant. Then E[weight] = p(x), whatever the transitions. Backward, from an exact draw of p(z|x), the
    mean of 1 / weight is 1 / p(x) (bidirectional Monte Carlo; Grosse et al. 2015, arXiv 1511.02543).

    Moves are Hamiltonian; on a sphere they follow great circles. Step sizes, in units of r's standard deviations, vary
    by 30 % between chains, and path lengths vary too: equal paths are periodic on posteriors that are nearly Gaussian.
    Adapting the step size of a chain while it runs would bias its weight, so step sizes come from a pilot run (`tune`)
    and are fixed after it.

    Every random number is a function of its sentence's key, so no result depends on the other sentences.

    Args:
        log_joint: log p(x, z) and its gradient.
        start: r, batch shape [] or [B].
        key_B: the random key of each sentence, int64.
        steps: T.
        leapfrog: gradients of a move, on average.
        space: the space of the codes, Euclidean or the unit sphere.
    """

    def __init__(
        self,
        log_joint: JointPoint,
        start: LatentDistribution,
        key_B: Tensor,
        *,
        steps: int,
        leapfrog: int,
        space: Space = EUCLIDEAN,
    ) -> None:
        self.log_joint, self.key_B, self.steps, self.leapfrog, self.space = log_joint, key_B, steps, leapfrog, space
        self.start = density_of(start.detached().log_prob)
        self.scale: Tensor | float = 1.0
        if space is EUCLIDEAN:
            # On a sphere all dimensions have one scale.
            with suppress(NotImplementedError):
                self.scale = start.stddev.detach()
        self.weights = schedule(steps)

    def at(self, z_SBD: Tensor) -> Point:
        """The densities at both ends, from which those between follow; costs one gradient of the decoder."""
        value_SB, grad_SBD = self.log_joint(z_SBD)
        start = self.start(z_SBD)
        return Point(z_SBD, value_SB, grad_SBD, (value_SB, grad_SBD, start.value, start.gradient))

    def between(self, point: Point, t: int) -> Point:
        """The same point under f_t."""
        b, (value, grad, start_value, start_grad) = self.weights[t], point.parts
        return Point(point.position, (1 - b) * start_value + b * value, (1 - b) * start_grad + b * grad, point.parts)

    def density(self, t: int) -> Density:
        return lambda z_SBD: self.between(self.at(z_SBD), t)

    def ratio(self, point: Point, t: int) -> Tensor:
        """log f_t - log f_(t-1), float64 [S, B]."""
        value, _, start_value, _ = point.parts
        return (self.weights[t] - self.weights[t - 1]) * (value.double() - start_value.double())

    def move(self, point: Point, t: int, size_1B: Tensor, stream: int, turn: int | None = None) -> tuple[Point, Tensor]:
        """A transition that leaves f_t invariant.

        Args:
            point: the present point of the chains.
            t: index of the density.
            size_1B: step sizes.
            stream: of the random numbers: pilot, forward or backward.
            turn: index of the move within the stream; t when None.

        Returns:
            the point after the move, and the acceptance probability of each chain, [S, B].
        """
        samples, _, dim = point.position.shape
        turn = t if turn is None else turn
        keys = [derived_keys(self.key_B, (3 * turn + part) * 4 + stream) for part in range(3)]
        momentum = keyed_normal(keys[0], samples, dim, point.position.dtype)
        uniform, spread = (keyed_uniform(key, samples).to(point.value.dtype) for key in keys[1:])
        # One path length for all chains, because they move together, and the same one forward and backward.
        length = path_length(self.leapfrog, float(np.random.default_rng([self.steps, t]).random()))
        size = jittered(size_1B, spread).unsqueeze(-1) * self.scale
        moved = transition(self.density(t), self.between(point, t), momentum, uniform, size, length, self.space)
        return moved.point, moved.probability

    def tune(self, z_SBD: Tensor) -> list[Tensor]:
        """The step size of each sentence at each t, [1, B], from pilot chains that are used for nothing else.

        Args:
            z_SBD: draws of r.
        """
        point = self.at(z_SBD)
        size_1B = torch.full_like(point.value[:1], _FIRST_STEP)
        sizes = [size_1B]
        for number in range(_WARM_UP):
            point, probability = self.move(point, 1, size_1B, _PILOT, turn=self.steps + number)
            size_1B = adapted(size_1B, probability, rate=2 * _ADAPTATION_RATE)
        for t in range(1, self.steps):
            point, probability = self.move(point, t, size_1B, _PILOT)
            size_1B = adapted(size_1B, probability, rate=_ADAPTATION_RATE)
            sizes.append(size_1B)
        return sizes

    def forward(self, z_SBD: Tensor, sizes: list[Tensor]) -> tuple[Tensor, float]:
        """Log-weights of chains that start at draws of r, float64 [S, B], and the mean acceptance."""
        point, log_w_SB, accepted = self.at(z_SBD), torch.zeros_like(z_SBD[..., 0], dtype=torch.float64), 0.0
        for t in range(1, self.steps + 1):
            log_w_SB = log_w_SB + self.ratio(point, t)
            # A move at t = T would change no weight.
            if t < self.steps:
                point, probability = self.move(point, t, sizes[t], _FORWARD)
                accepted += float(probability.mean())
        return log_w_SB, accepted / max(1, self.steps - 1)

    def backward(self, z_SBD: Tensor, sizes: list[Tensor]) -> Tensor:
        """Log-weights of chains that start at draws of p(z|x) and follow the same path backward, float64 [S, B]."""
        point, log_w_SB = self.at(z_SBD), torch.zeros_like(z_SBD[..., 0], dtype=torch.float64)
        for t in range(self.steps, 0, -1):
            log_w_SB = log_w_SB + self.ratio(point, t)
            if t > 1:
                point, _ = self.move(point, t - 1, sizes[t - 1], _BACKWARD)
        return log_w_SB


def schedule(steps: int, steepness: float = 4.0) -> list[float]:
    """b_0 = 0 .. b_T = 1 along a sigmoid: slow at both ends, where the densities change most (Wu et al. 2017).

    >>> [round(b, 3) for b in schedule(4)]
    [0.0, 0.105, 0.5, 0.895, 1.0]
    """
    t = np.linspace(-steepness, steepness, steps + 1)
    b = 1.0 / (1.0 + np.exp(-t))
    return list(((b - b[0]) / (b[-1] - b[0])).tolist())


@dataclass(frozen=True)
class Sentences:
    """A batch before its chains run: the path, tuned step sizes, and draws of r at which the chains start."""

    path: AnnealingPath
    sizes: list[Tensor]
    z_SBD: Tensor


def prepared(model: TextModel, part: Part, config: AISConfig, *, seed: int, batch_tokens: int) -> Sentences:
    """The path of some sentences, after its pilot run. Call it inside a `sweep`.

    Args:
        model: see `annealed_likelihood`; so are `seed` and `batch_tokens`.
        part: the sentences.
        config: see `AISConfig`.
        seed: of everything random.
        batch_tokens: rows times tokens of a decoder call, at most.

    Raises:
        ConfigError: the model's latent variables are not one vector for each sentence.
    """
    terms = terms_of_one(model, part.batch)
    if len(terms.latents) != 1 or terms.latents[0].unit_B is not None:
        raise ConfigError(
            f"annealed importance sampling got a model with {len(terms.latents)} latent variables, expected one vector "
            "for each sentence; remove evaluate.ais."
        )
    if config.start == "posterior" and vector_group(model, terms) is None and not is_implicit(model, terms):
        raise ConfigError(
            "q(z|x) of this model has no density of z alone to start from; set start = 'prior' in evaluate.ais."
        )
    prior = model.prior_given()
    # Some posteriors transform their samples (Hamiltonian) or are implicit (Stein), so that log q(z|x) is unknown. The
    # density of their `proposal` is known.
    start = model.posterior_of(part.batch).proposal if config.start == "posterior" else prior
    ids, device = part.example_ids, model.device
    path = AnnealingPath(
        LogJoint(model.decoder, prior, part.batch.tokens_BT, row_tokens=batch_tokens).value_and_grad,
        start,
        torch.from_numpy(sentence_seeds(seed, ids, Stream.ANNEALED).astype(np.int64)).to(device),
        steps=config.steps,
        leapfrog=config.leapfrog,
        space=UNIT_SPHERE if model.support == SPHERE else EUCLIDEAN,
    )
    if not start.batch_shape:
        start = _SamePrior(start)
    pilot_SBD, _ = draw(start, ids, seed, _PILOT_CHAINS, stream=Stream.PILOT, device=device)
    z_SBD, _ = draw(start, ids, seed, config.chains, stream=Stream.ANNEALED, device=device)
    return Sentences(path, path.tune(pilot_SBD), z_SBD)


class _SamePrior(LatentDistribution):
    """A prior without a batch dimension that gives itself as the distribution of every row."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, prior: LatentDistribution) -> None:
        self.prior = prior
        super().__init__(torch.Size(), prior.event_shape, validate_args=False)

    def rows(self, index: RowIndex | int) -> LatentDistribution:
        return self.prior


def annealed_likelihood(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    config: AISConfig,
    *,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Annealed:
    """Upper bounds on -log p(x) of each sentence, by annealed importance sampling.

    The cost is about (chains + 1) * steps * leapfrog gradients of the decoder for each sentence. Labels are hidden.

    Args:
        model: with one latent vector for each sentence.
        corpus: tokenized sentences.
        indices: which of them.
        config: see `AISConfig`; `sentences` and `simulated` are not read here.
        batch_tokens: rows times tokens of a decoder call, at most.
        seed: of everything random.
        progress: called after every batch.
    """
    seed, indices = checked_seed(seed), np.asarray(indices)
    nll, accepted = np.zeros(len(indices)), 0.0
    swept = sweep(
        model, corpus, indices, "annealing", batch_tokens=batch_tokens, copies=config.chains, progress=progress
    )
    with swept as parts:
        for part in parts:
            ready = prepared(model, part, config, seed=seed, batch_tokens=batch_tokens)
            log_w_SB, acceptance = ready.path.forward(ready.z_SBD, ready.sizes)
            nll[part.rows] = -cpu64(log_mean_exp(log_w_SB))
            accepted += acceptance * len(part.rows)
    return Annealed(nll, accepted / max(1, len(indices)))


def log_mean_exp(log_w_SB: Tensor) -> Tensor:
    """log of the mean weight over chains, [B]."""
    return log_w_SB.logsumexp(0) - float(np.log(len(log_w_SB)))
