"""Normal noise that is a function of a sentence: no generator, no state, the same in every batch and on any device."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from textvae.types import PAD_ID


def _signed(x: int) -> int:
    """The same 64 bits as int64 has them."""
    return x - 2**64 if x >= 2**63 else x


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FACTORS = (_signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB))


def _shifted(x: Tensor, bits: int) -> Tensor:
    """x >> bits of an unsigned number; torch's own shift repeats the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """splitmix64 (Steele et al. 2014): one bit of the input changes half of the output's."""
    x = x + _GOLDEN
    x = (x ^ _shifted(x, 30)) * _FACTORS[0]
    x = (x ^ _shifted(x, 27)) * _FACTORS[1]
    return x ^ _shifted(x, 31)


def sentence_keys(tokens_BT: Int[Tensor, "B T"]) -> Int[Tensor, " B"]:
    """A number for each sentence that depends on its words and their order, and not on its padding.

    >>> a, b = sentence_keys(torch.tensor([[1, 7, 5, 2, 0], [1, 5, 7, 2, 0]])).tolist()
    >>> a == sentence_keys(torch.tensor([[1, 7, 5, 2]])).item(), a == b
    (True, False)
    """
    place_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
    return _mix((_mix(tokens_BT + _mix(place_T)) * (tokens_BT != PAD_ID)).sum(1))


def derived_keys(key_B: Int[Tensor, " B"], number: int) -> Int[Tensor, " B"]:
    """Other keys of the same sentences, for another draw.

    >>> bool((derived_keys(torch.arange(9), 1) == derived_keys(torch.arange(9), 2)).any())
    False
    """
    return _mix(key_B ^ _mix(torch.full_like(key_B, number)))


def keyed_uniform(key_B: Int[Tensor, " B"], samples: int) -> Float[Tensor, "S B"]:
    """Numbers in (0, 1) that belong to each key, float32 with 24 random bits."""
    place_S1 = torch.arange(samples, device=key_B.device).unsqueeze(1)
    return _uniform(_mix(key_B) + _mix(place_S1))


def keyed_normal(
    key_B: Int[Tensor, " B"], samples: int, dim: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "S B D"]:
    """Standard normal numbers that belong to each key (Box & Muller 1958, over hashed counters).

    Args:
        key_B: of each row.
        samples: S.
        dim: D.
        dtype: of the result; its numbers have 24 random bits.
    """
    place_SD = torch.arange(samples * dim, device=key_B.device).view(samples, 1, dim)
    radius, angle = (_uniform(_mix(key_B.view(1, -1, 1)) + _mix(2 * place_SD + part)) for part in (0, 1))
    return ((-2.0 * radius.log()).sqrt() * (2.0 * math.pi * angle).cos()).to(dtype)


def _uniform(x: Tensor) -> Tensor:
    """The upper 24 bits, the most that float32 holds, as a number in (0, 1)."""
    return (_shifted(_mix(x), 40).float() + 0.5) * 2.0**-24
