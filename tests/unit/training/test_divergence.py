"""No update is made by a gradient that is no number, whether the host looks at once or later."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from textvae.training import AdamConfig, AdamWConfig, DivergedError, OptimizerConfig, SGDConfig
from textvae.training.divergence import DivergenceWatch

INDICES = np.arange(30)
OPTIMIZERS = [AdamConfig(), AdamWConfig(), SGDConfig(momentum=0.9)]


class Steps:
    """A weight that is trained step by step, with given gradients."""

    def __init__(self, config: OptimizerConfig, *, deferred: bool) -> None:
        self.weight = nn.Parameter(torch.ones(2, 3))
        self.optimizer = config.build(parameters=[self.weight])
        self.watch = DivergenceWatch(self.weight.device, deferred=deferred, processes=1, lr=config.lr)
        self.step = 0

    def __call__(self, gradient: float) -> torch.Tensor:
        self.weight.grad = torch.full_like(self.weight, gradient)
        self.watch.before_update(
            self.optimizer,
            step=self.step,
            indices=INDICES + self.step,
            loss=torch.zeros(()),
            grad_norm=self.weight.grad.norm(),
        )
        self.optimizer.step()
        self.step += 1
        return self.weight.detach().clone()


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda config: config.kind)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_deferred_no_update_follows_a_bad_one_and_the_check_names_it(config: OptimizerConfig, bad: float) -> None:
    steps = Steps(config, deferred=True)
    steps(1.0)
    steps.watch.check()
    kept = steps(2.0)
    for gradient in (bad, 1.0, bad, 1.0):
        assert torch.equal(steps(gradient), kept)
    with pytest.raises(
        DivergedError, match=r"at step 2 \(training examples 2, 3, .*, \.\.\.\); .*train\.optimizer\.lr"
    ):
        steps.watch.check()


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda config: config.kind)
def test_at_once_the_step_is_named_before_its_update(config: OptimizerConfig) -> None:
    steps = Steps(config, deferred=False)
    kept = steps(1.0)
    with pytest.raises(DivergedError, match="at step 1 "):
        steps(float("nan"))
    assert torch.equal(steps.weight, kept)


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda config: config.kind)
def test_good_updates_are_the_same_in_both_ways(config: OptimizerConfig) -> None:
    at_once, later = Steps(config, deferred=False), Steps(config, deferred=True)
    for gradient in (1.0, -2.0, 0.5):
        assert torch.equal(at_once(gradient), later(gradient))
    later.watch.check()
