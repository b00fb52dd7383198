"""The fast product is the product."""

from __future__ import annotations

import pytest
import torch

from textvae.layers.matrix_product import matrix_product


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("strided", [True, False])
def test_agrees_with_the_plain_product(dtype: torch.dtype, with_bias: bool, strided: bool) -> None:
    """To the rounding of sums of 300 products: a few units in the last place of sqrt(300)."""
    torch.manual_seed(0)
    a = torch.randn(300, 70, dtype=dtype).T if strided else torch.randn(70, 300, dtype=dtype)
    b = torch.randn(300, 90, dtype=dtype).T if strided else torch.randn(90, 300, dtype=dtype)
    bias = torch.randn(90, dtype=dtype) if with_bias else None
    with torch.no_grad():
        found = matrix_product(a, b, bias)
    exact = a.double() @ b.double().T + (0.0 if bias is None else bias.double())
    assert found.dtype == dtype and found.shape == (70, 90)
    assert (found.double() - exact).abs().max() < 60 * torch.finfo(dtype).eps * 300**0.5


def test_gradients_flow_where_they_are_asked_for() -> None:
    a, b = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    matrix_product(a, b).sum().backward()
    torch.testing.assert_close(a.grad, b.sum(0).expand(3, 4))


def test_no_rows_are_no_trouble() -> None:
    with torch.no_grad():
        assert matrix_product(torch.zeros(0, 4), torch.zeros(5, 4)).shape == (0, 5)
