"""Oracle O11: moments of a layer whose weights are noise; a pass at mean weights says only the bias."""

from __future__ import annotations

import pytest
import torch

from textvae.layers import VarianceLinear

DRAWS = 200_000


def layer() -> VarianceLinear:
    torch.manual_seed(1)
    made = VarianceLinear(5, 2)
    with torch.no_grad():
        made.raw_scale.copy_(torch.randn(2, 5))
        assert made.bias is not None
        made.bias.copy_(torch.tensor([0.3, -0.7]))
    return made


def test_moments_are_those_of_drawn_weights() -> None:
    """2e5 draws: mean and variance within 4 standard errors (of a Gaussian variance: var * sqrt(2 / n))."""
    made, x = layer(), torch.tensor([0.5, -1.0, 0.2, 0.8, -0.3])
    exact = (x.square() * made.weight_scale.square()).sum(1)
    with torch.no_grad():
        local = made(x.expand(DRAWS, 5))
        weights = made.weight_scale * torch.randn(20_000, 2, 5)
        drawn = (weights @ x) + made.bias
    for sample in (local, drawn):
        count = len(sample)
        assert made.bias is not None
        assert ((sample.mean(0) - made.bias).abs() < 4 * (exact / count).sqrt()).all()
        assert ((sample.var(0) - exact).abs() < 4 * exact * (2 / count) ** 0.5).all()
    torch.testing.assert_close(made.scale(x).square(), exact)
    # Rows draw noise of their own, and the sign of the input makes no difference to the law.
    assert abs(torch.corrcoef(local.T)[0, 1]) < 4 / DRAWS**0.5
    torch.testing.assert_close(made.scale(-x), made.scale(x))


def test_pass_at_mean_weights_is_the_bias() -> None:
    made = layer()
    x = torch.randn(4, 5)
    assert made.bias is not None
    torch.testing.assert_close(made.mean(x), made.bias.expand(4, 2), rtol=0, atol=0)
    assert not VarianceLinear(5, 2, bias=False).mean(x).any()


def test_starts_with_outputs_of_size_one() -> None:
    x = torch.ones(1, 400)
    assert VarianceLinear(400, 3).scale(x)[0].tolist() == pytest.approx([1.0] * 3, rel=0.1)


def test_gradient_exists_where_the_input_is_zero() -> None:
    made = layer()
    made(torch.zeros(3, 5)).sum().backward()
    assert made.raw_scale.grad is not None and made.raw_scale.grad.isfinite().all()
