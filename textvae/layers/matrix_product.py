"""The fast product of a matrix with a transposed one, where autograd is not needed."""

from __future__ import annotations

import torch
from torch import Tensor


def matrix_product(a_NH: Tensor, b_MH: Tensor, bias_M: Tensor | None = None) -> Tensor:
    """a b^T + bias, [N, M], outside autograd.

    torch multiplies float32 matrices on a CPU by MKL, which leaves the wide registers of processors that are not
    Intel's unused; oneDNN, which torch ships too, uses them: twice the speed on such a machine, in the same
    precision. Everything that is not float32 on a CPU, or is being compiled, goes where torch sends it.

    Args:
        a_NH: rows; any strides.
        b_MH: columns of the product, as rows; any strides.
        bias_M: added to every row.

    >>> matrix_product(torch.ones(2, 3), torch.ones(4, 3)).tolist()[0]
    [3.0, 3.0, 3.0, 3.0]
    """
    if _one_dnn(a_NH) and not torch.is_grad_enabled() and len(a_NH):
        return torch.ops.mkldnn._linear_pointwise(a_NH, b_MH, bias_M, "none", [], "")
    product_NM = a_NH @ b_MH.T
    return product_NM if bias_M is None else product_NM + bias_M


def _one_dnn(x: Tensor) -> bool:
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32:
        return False
    return bool(torch.backends.mkldnn.enabled) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
