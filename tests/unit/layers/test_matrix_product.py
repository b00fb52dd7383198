"""The fast product is the product."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from textvae.layers.matrix_product import Linear, matrix_product


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


@pytest.mark.parametrize("rows", [3, 64, 65, 130])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("strided", [True, False])
def test_first_and_second_derivatives_are_those_of_the_plain_product(rows: int, with_bias: bool, strided: bool) -> None:
    """Rows below, at and beyond the multiple that they are filled up to; the plain product is that of float64."""
    torch.manual_seed(0)
    tensors = [torch.randn(7, rows).T if strided else torch.randn(rows, 7), torch.randn(5, 7)]
    tensors += [torch.randn(5)] if with_bias else []

    def derivatives(dtype: torch.dtype, product: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        inputs = [tensor.to(dtype).requires_grad_() for tensor in tensors]
        value = product(*inputs).sin().sum()
        first = torch.autograd.grad(value, inputs, create_graph=True)
        second = torch.autograd.grad(sum((grad**2).sum() for grad in first), inputs)
        return [value, *first, *second]

    def plain(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | float = 0.0) -> torch.Tensor:
        return a @ b.T + bias

    found, exact = derivatives(torch.float32, matrix_product), derivatives(torch.float64, plain)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-4 * float(other.detach().abs().max()))


def test_only_the_gradients_that_are_asked_for() -> None:
    a, b = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    matrix_product(a, b).sum().backward()
    torch.testing.assert_close(a.grad, b.sum(0).expand(3, 4))
    assert b.grad is None


def test_a_row_does_not_depend_on_how_many_are_filled_up() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(200, 40), torch.randn(30, 40)
    whole = matrix_product(a, b)
    for rows in (1, 63, 65, 128, 199):
        torch.testing.assert_close(matrix_product(a[:rows], b), whole[:rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_is_torch_s(bias: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = Linear(6, 4, bias=bias), torch.nn.Linear(6, 4, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 50, 6)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours(x[0, 0]), theirs(x[0, 0]))
    assert ours(x[:, :0]).shape == (3, 0, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert ours(x).dtype == torch.bfloat16
    doubled = torch.nn.Linear.double(ours)
    assert doubled(x.double()).dtype == torch.float64


def test_no_rows_are_no_trouble() -> None:
    with torch.no_grad():
        assert matrix_product(torch.zeros(0, 4), torch.zeros(5, 4)).shape == (0, 5)
