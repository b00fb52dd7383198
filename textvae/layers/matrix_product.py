"""A faster matrix product on CPUs (by oneDNN), and a linear layer that uses it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

ROW_MULTIPLE = 64
"""The number of rows is padded to a multiple of this. oneDNN caches a prepared kernel, of megabytes, for every number
of rows, and nearly every batch of sentences has another number of tokens."""


def matrix_product(a_NK: Tensor, b_MK: Tensor, bias_M: Tensor | None = None) -> Tensor:
    """a b^T + bias, [N, M], differentiable any number of times.

    On a CPU torch multiplies float32 matrices by MKL, which does not use the wide registers of other processors than
    Intel's. oneDNN, which comes with torch too, uses them and is twice as fast there, in the same precision. Other
    dtypes, other devices and compiled code use torch's own product.

    Args:
        a_NK: the left matrix, any strides.
        b_MK: the right matrix, transposed, any strides.
        bias_M: a vector added to every row, or None.

    >>> matrix_product(torch.ones(2, 3), torch.ones(4, 3)).tolist()[0]
    [3.0, 3.0, 3.0, 3.0]
    """
    if not _one_dnn(a_NK) or not len(a_NK):
        product_NM = a_NK @ b_MK.T
        return product_NM if bias_M is None else product_NM + bias_M
    rows = len(a_NK)
    missing = missing_rows(rows)
    if not missing:
        return _multiplied(a_NK, b_MK, bias_M)
    return _multiplied(nn.functional.pad(a_NK, (0, 0, 0, missing)), b_MK, bias_M)[:rows]


def missing_rows(rows: int) -> int:
    """The number of rows to add for a multiple of `ROW_MULTIPLE`; 0 for fewer rows than that.

    >>> [missing_rows(rows) for rows in (3, 64, 65)]
    [0, 0, 63]
    """
    return -rows % ROW_MULTIPLE if rows > ROW_MULTIPLE else 0


class Linear(nn.Linear):
    """`torch.nn.Linear` computed by `matrix_product`: the same parameters, the same result up to rounding.

    >>> layer = Linear(3, 2)
    >>> x = torch.ones(4, 5, 3)
    >>> layer(x).shape, bool(torch.allclose(layer(x), nn.functional.linear(x, layer.weight, layer.bias)))
    (torch.Size([4, 5, 2]), True)
    """

    def forward(self, x: Float[Tensor, "*N K"]) -> Float[Tensor, "*N M"]:
        return linear(x, self.weight, self.bias)


def linear(x: Float[Tensor, "*N K"], weight_MK: Tensor, bias_M: Tensor | None) -> Float[Tensor, "*N M"]:
    """`torch.nn.functional.linear` computed by `matrix_product`.

    >>> linear(torch.ones(4, 5, 3), torch.ones(2, 3), None).shape
    torch.Size([4, 5, 2])
    """
    if not _one_dnn(x) or torch.is_autocast_enabled("cpu"):
        return nn.functional.linear(x, weight_MK, bias_M)
    product_NM = matrix_product(x.reshape(-1, x.shape[-1]), weight_MK, bias_M)
    return product_NM.view(*x.shape[:-1], len(weight_MK))


class _Product(torch.autograd.Function):
    """oneDNN's product with a gradient. The backward pass calls `_multiplied`, so that it is differentiable too."""

    @staticmethod
    def forward(ctx: Any, a_NK: Tensor, b_MK: Tensor, bias_M: Tensor | None) -> Tensor:
        ctx.save_for_backward(a_NK, b_MK)
        return _one_dnn_product(a_NK, b_MK, bias_M)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_NM,) = grad_outputs
        a_NK, b_MK = ctx.saved_tensors
        for_a, for_b, for_bias = ctx.needs_input_grad
        return (
            _multiplied(grad_NM, b_MK.T) if for_a else None,
            _multiplied(grad_NM.T, a_NK.T) if for_b else None,
            grad_NM.sum(0) if for_bias else None,
        )


def _multiplied(a_NK: Tensor, b_MK: Tensor, bias_M: Tensor | None = None) -> Tensor:
    given = [tensor for tensor in (a_NK, b_MK, bias_M) if tensor is not None]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
        return _Product.apply(a_NK, b_MK, bias_M)
    return _one_dnn_product(a_NK, b_MK, bias_M)


def _one_dnn_product(a_NK: Tensor, b_MK: Tensor, bias_M: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(a_NK, b_MK, bias_M, "none", [], "")


def _one_dnn(x: Tensor) -> bool:
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32:
        return False
    return bool(torch.backends.mkldnn.enabled) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
