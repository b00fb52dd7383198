"""An LSTM layer whose cell has an additive term."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from textvae.layers.matrix_product import linear
from textvae.layers.precision import at_least_float32
from textvae.layers.uncompiled import uncompiled


@uncompiled
def lstm_with_term(
    x_BTK: Float[Tensor, "B T K"],
    state: tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]],
    term_BH: Float[Tensor, "B H"],
    weights: Sequence[Tensor],
) -> tuple[Float[Tensor, "B T H"], tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]]:
    """One layer with c_t = f_t c_{t-1} + i_t c~_t + term at every step, and h_t = o_t tanh(c_t).

    It is the SC-LSTM cell of Wen et al. 2015 (arXiv 1508.01745) with a constant term, as in Xu et al. 2017 (arXiv
    1603.02514). No kernel of torch has that cell. The products with the inputs of all steps are one matrix product; the
    recurrence is a loop over time. It is differentiable any number of times, on every device. In half precision the
    products are of half precision and the states of float32.

    Args:
        x_BTK: inputs.
        state: h and c before the first step.
        term_BH: what is added to the cell; with zeros this is the ordinary LSTM.
        weights: those of `torch.nn.LSTM`, in its order: W_ih [4H, K], W_hh [4H, H], b_ih [4H], b_hh [4H].

    Returns:
        h of every step, and h and c after the last.

    >>> layer = torch.nn.LSTM(3, 2, batch_first=True)
    >>> x, zero = torch.ones(4, 5, 3), torch.zeros(4, 2)
    >>> output, _ = lstm_with_term(x, (zero, zero), zero, list(layer.parameters()))
    >>> bool(torch.allclose(output, layer(x)[0], atol=1e-6))
    True
    """
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    gates_TBG = linear(x_BTK.transpose(0, 1), weight_ih, bias_ih + bias_hh)
    h, c = (at_least_float32(part) for part in state)
    term_BH = at_least_float32(term_BH)
    hidden = []
    for gates_BG in gates_TBG.unbind(0):
        gates_BG = gates_BG + linear(h.to(weight_hh.dtype), weight_hh, None)
        i, f, g, o = at_least_float32(gates_BG).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh() + term_BH
        h = o.sigmoid() * c.tanh()
        hidden.append(h)
    return torch.stack(hidden, 1).to(gates_TBG.dtype), (h, c)
