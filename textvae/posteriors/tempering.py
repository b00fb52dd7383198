"""Tempering of the momenta of a Hamiltonian posterior."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from textvae.config import Component


class NoTemperingConfig(Component):
    """No tempering: momenta have temperature 1 throughout."""

    kind: Literal["none"] = "none"

    def build(self, steps: int) -> Tempering:
        return Tempering(steps)


class FreeTemperingConfig(Component):
    """A factor below 1 for each step, all of them learned."""

    kind: Literal["free"] = "free"
    factor: float = Field(0.9, gt=0, lt=1, description="initial factor of the momenta after each step")

    def build(self, steps: int) -> Tempering:
        return FreeTempering(steps, self.factor)


class FixedTemperingConfig(Component):
    """A quadratic schedule from an initial temperature down to 1, of which only that temperature can be learned."""

    kind: Literal["fixed"] = "fixed"
    temperature: float = Field(1.5, gt=1, description="temperature of the momenta at the first step, before training")
    learned: bool = Field(True, description="whether the temperature is trained")

    def build(self, steps: int) -> Tempering:
        return FixedTempering(steps, self.temperature, self.learned)


TemperingConfig = Annotated[
    NoTemperingConfig | FreeTemperingConfig | FixedTemperingConfig, Field(discriminator="kind")
]  # fmt: skip


class Tempering(nn.Module):
    """No tempering, and the base class of the other kinds.

    Caterini et al. 2018 (arXiv 1805.11328), section 3.2. After step k momenta are multiplied by alpha_k =
    sqrt(beta_(k-1) / beta_k), with beta_K = 1. The initial inverse temperature is thus beta_0 = prod alpha_k^2, and the
    Jacobian determinant of all K steps in D dimensions is beta_0^(D / 2).

    Args:
        steps: K.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def log_factors(self, like: Tensor) -> Float[Tensor, " K"]:
        """log alpha_1 .. log alpha_K, at most 0.

        Args:
            like: a tensor with the dtype and device of the result.

        >>> Tempering(2).log_factors(torch.zeros(1)).tolist()
        [0.0, 0.0]
        """
        return like.new_zeros(self.steps)


class FreeTempering(Tempering):
    """alpha_k = sigmoid of a parameter.

    Args:
        steps: K.
        factor: the initial value of all alpha_k.

    >>> [round(factor, 4) for factor in FreeTempering(2, 0.9).log_factors(torch.zeros(1)).exp().tolist()]
    [0.9, 0.9]
    """

    def __init__(self, steps: int, factor: float) -> None:
        super().__init__(steps)
        self.logits_K = nn.Parameter(torch.full((steps,), math.log(factor / (1.0 - factor))))

    def log_factors(self, like: Tensor) -> Float[Tensor, " K"]:
        return nn.functional.logsigmoid(self.logits_K).to(like)


class FixedTempering(Tempering):
    """1 / sqrt(beta_k) = (1 - r) k^2 / K^2 + r with r = 1 / sqrt(beta_0), the square root of the temperature.

    Args:
        steps: K.
        temperature: 1 / beta_0, before training.
        learned: whether the temperature is trained, as 1 + exp(parameter).

    >>> log_factors = FixedTempering(3, 1.5, learned=False).log_factors(torch.zeros(1))
    >>> round(1 / float(log_factors.exp().prod() ** 2), 4), bool((log_factors < 0).all())
    (1.5, True)
    """

    log_excess: Tensor

    def __init__(self, steps: int, temperature: float, learned: bool) -> None:
        super().__init__(steps)
        log_excess = torch.tensor(math.log(temperature - 1.0))
        if learned:
            self.log_excess = nn.Parameter(log_excess)
        else:
            self.register_buffer("log_excess", log_excess)

    def log_factors(self, like: Tensor) -> Float[Tensor, " K"]:
        if self.steps == 0:
            return like.new_zeros(0)
        k = torch.arange(self.steps + 1, dtype=like.dtype, device=like.device)
        r = (1.0 + self.log_excess.to(like).exp()).sqrt()
        log_roots = ((1.0 - r) * (k / self.steps).square() + r).log()
        return log_roots.diff()
