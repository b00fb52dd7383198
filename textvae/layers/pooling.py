"""Pooling the states of a sentence into one vector, without its padding."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Pooling = Literal["last", "mean", "max"]


def valid_positions(lengths_B: Int[Tensor, " B"], width: int) -> Bool[Tensor, "B T"]:
    """True where a position holds a token.

    >>> import torch
    >>> valid_positions(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(width, device=lengths_B.device) < lengths_B.unsqueeze(1)


def pool(states_BTH: Float[Tensor, "B T H"], lengths_B: Int[Tensor, " B"], pooling: Pooling) -> Float[Tensor, "B H"]:
    """The last valid state, or the mean or maximum of each feature over the valid states.

    The maximum spreads the features of different sentences apart, which counteracts posterior collapse (Long et al.
    2019, arXiv 1911.03976).

    >>> import torch
    >>> states = torch.tensor([[[1.0], [5.0], [9.0]]])
    >>> [pool(states, torch.tensor([2]), kind).item() for kind in ("last", "mean", "max")]
    [5.0, 3.0, 5.0]
    """
    if pooling == "last":
        rows = torch.arange(len(lengths_B), device=lengths_B.device)
        return states_BTH[rows, lengths_B - 1]
    valid_BT1 = valid_positions(lengths_B, states_BTH.shape[1]).unsqueeze(-1)
    if pooling == "max":
        return states_BTH.masked_fill(~valid_BT1, -torch.inf).amax(1)
    return (states_BTH * valid_BT1).sum(1) / lengths_B.unsqueeze(1).to(states_BTH.dtype)
