"""The optimizers that a recipe can name. Each config builds torch's optimizer in its fastest implementation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from textvae.config import Component

_FUSED_DEVICES = ("cpu", "cuda")


class AdamConfig(Component):
    """Adam (Kingma & Ba 2015, arXiv 1412.6980)."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)

    def build(self, *, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        return torch.optim.Adam(parameters, lr=self.lr, betas=self.betas, eps=self.eps, **_fast(parameters))


class AdamWConfig(Component):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101).

    Weight decay applies to matrices only. Vectors are biases and the gains of normalizations, and a gain of zero would
    switch its unit off.
    """

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.01, ge=0)

    def build(self, *, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        groups = _matrices_and_vectors(parameters, self.weight_decay)
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps, **_fast(parameters))


class SGDConfig(Component):
    """Stochastic gradient descent, by default at rate 1 without momentum, as He et al. 2019 (arXiv 1901.05534).

    Use it with `decay = {kind = "plateau"}` and `clip_norm = 5`.
    """

    kind: Literal["sgd"] = "sgd"
    lr: float = Field(1.0, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0, description="on matrices only")

    def build(self, *, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        groups = _matrices_and_vectors(parameters, self.weight_decay)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, **_fast(parameters))


def _matrices_and_vectors(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
    vectors = [parameter for parameter in parameters if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _fast(parameters: list[nn.Parameter]) -> dict[str, bool]:
    """Torch's fused implementation (one kernel for all parameters) where it exists, else the foreach one."""
    fused = all(parameter.device.type in _FUSED_DEVICES and parameter.is_floating_point() for parameter in parameters)
    return {"fused": True} if fused else {"foreach": True}


OptimizerConfig = Annotated[AdamConfig | AdamWConfig | SGDConfig, Field(discriminator="kind")]
