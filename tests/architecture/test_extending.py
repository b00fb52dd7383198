"""The examples of docs/extending.md do what the page says."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from textvae.objectives import ELBOConfig, IWAEConfig
from textvae.types import Context

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
B, H, D = 3, 6, 4


def of_the_page(name: str) -> Iterator[Any]:
    """The module of the page's example that has this kind."""
    codes = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    (code,) = (code for code in codes if f'Literal["{name}"]' in code)
    module = types.ModuleType(f"{name}_of_the_page")
    sys.modules[module.__name__] = module
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def laplace() -> Iterator[Any]:
    yield from of_the_page("laplace")


@pytest.fixture
def capacity() -> Iterator[Any]:
    yield from of_the_page("capacity")


def test_the_example_keeps_the_contract(laplace: Any) -> None:
    torch.manual_seed(0)
    config = laplace.LaplacePosteriorConfig()
    q = config.build(feature_dim=H, latent_dim=D)(torch.randn(B, H))
    assert q.batch_shape == (B,) and q.event_shape == (D,)
    z, log_q = q.rsample_and_log_prob((5,))
    assert z.requires_grad and log_q.shape == (5, B)
    torch.testing.assert_close(q.rows(torch.tensor([2, 0])).log_prob(z[:, [2, 0]]), log_q[:, [2, 0]])
    torch.testing.assert_close(q.pairwise_log_prob(z[:, 0])[:, 0], log_q[:, 0])
    assert not q.detached().log_prob(z.detach()).requires_grad
    assert q.expand((2, B)).log_prob(z[:2]).shape == (2, B)
    drawn = q.rsample((100_000,))
    assert (drawn.mean(0) - q.mean).abs().max() < 5 * (q.variance / 100_000).sqrt().max()
    assert type(config).model_validate(config.model_dump()) == config


def test_the_example_hears_of_labels(laplace: Any) -> None:
    torch.manual_seed(0)
    posterior = laplace.LaplacePosteriorConfig().build(feature_dim=H, latent_dim=D, num_labels=2)
    torch.nn.init.normal_(posterior.label.weight)
    features = torch.randn(1, H).expand(2, H)
    one, other = posterior(features, Context(label_B=torch.tensor([0, 1]))).mean
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("objective", [ELBOConfig(), IWAEConfig(samples=3)], ids=["elbo", "iwae"])
def test_the_example_trains(laplace: Any, objective: Any) -> None:
    from tests.components import SMALL, random_batch
    from textvae.decoders import LSTMDecoderConfig
    from textvae.encoders import LSTMEncoderConfig
    from textvae.models import TextVAEConfig

    torch.manual_seed(0)
    config = TextVAEConfig(latent_dim=D, encoder=LSTMEncoderConfig(**SMALL), decoder=LSTMDecoderConfig(**SMALL))
    model, batch = config.build(vocab_size=11, max_tokens=9), random_batch()
    model.posterior = laplace.LaplacePosteriorConfig().build(feature_dim=model.encoder.feature_dim, latent_dim=D)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    built = objective.build(steps_per_epoch=1, total_steps=1)
    found = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = built(model.terms(batch, getattr(built, "num_samples", 1)), 0).loss_B.mean()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert sum(found[-5:]) < sum(found[:5]) - 1.0


def test_the_objective_of_the_page_holds_the_kl_at_its_capacity(capacity: Any) -> None:
    from tests.components import SMALL, random_batch
    from textvae.decoders import LSTMDecoderConfig
    from textvae.encoders import LSTMEncoderConfig
    from textvae.models import TextVAEConfig

    torch.manual_seed(0)
    config = TextVAEConfig(latent_dim=D, encoder=LSTMEncoderConfig(**SMALL), decoder=LSTMDecoderConfig(**SMALL))
    model, batch = config.build(vocab_size=11, max_tokens=9), random_batch()
    objective = capacity.CapacityConfig(nats=2.0, weight=5.0).build(steps_per_epoch=1, total_steps=1)
    assert objective.first_final_step == 0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for step in range(150):
        optimizer.zero_grad()
        made = objective(model.terms(batch), step)
        made.loss_B.mean().backward()
        optimizer.step()
    found = made.metrics_B
    assert set(found) >= {"nll", "kl", "kl_penalty"}
    torch.testing.assert_close(found["nll"] + found["kl_penalty"], made.loss_B.detach())
    assert (found["kl"] - 2.0).abs().mean() < 0.3
