"""Pseudo-random noise computed from a sentence by hashing, so that it depends on neither the batch nor the device."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from textvae.types import PAD_ID


def _signed(x: int) -> int:
    """A 64-bit constant as the int64 with the same bits."""
    return x - 2**64 if x >= 2**63 else x


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FACTORS = (_signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB))


def _shifted(x: Tensor, bits: int) -> Tensor:
    """x >> bits without sign extension, which torch's shift of an int64 has."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """The hash splitmix64 (Steele et al. 2014): flipping one input bit flips each output bit with probability 1/2."""
    x = x + _GOLDEN
    x = (x ^ _shifted(x, 30)) * _FACTORS[0]
    x = (x ^ _shifted(x, 27)) * _FACTORS[1]
    return x ^ _shifted(x, 31)


def sentence_keys(tokens_BT: Int[Tensor, "B T"]) -> Int[Tensor, " B"]:
    """A hash of each sentence, which depends on its words and their order and not on its padding.

    >>> a, b = sentence_keys(torch.tensor([[1, 7, 5, 2, 0], [1, 5, 7, 2, 0]])).tolist()
    >>> a == sentence_keys(torch.tensor([[1, 7, 5, 2]])).item(), a == b
    (True, False)
    """
    place_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
    return _mix((_mix(tokens_BT + _mix(place_T)) * (tokens_BT != PAD_ID)).sum(1))


def derived_keys(key_B: Int[Tensor, " B"], number: int) -> Int[Tensor, " B"]:
    """Different keys for the same sentences, for a further draw.

    Args:
        key_B: the keys of `sentence_keys`.
        number: which further draw; every number gives other keys.

    >>> bool((derived_keys(torch.arange(9), 1) == derived_keys(torch.arange(9), 2)).any())
    False
    """
    return _mix(key_B ^ _mix(torch.full_like(key_B, number)))


def keyed_uniform(key_B: Int[Tensor, " B"], samples: int) -> Float[Tensor, "S B"]:
    """Uniform numbers in (0, 1) as a function of each key, float32 with 24 random bits."""
    place_S1 = torch.arange(samples, device=key_B.device).unsqueeze(1)
    return _uniform(_mix(key_B) + _mix(place_S1))


def keyed_normal(
    key_B: Int[Tensor, " B"], samples: int, dim: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "S B D"]:
    """Standard normal numbers as a function of each key (Box & Muller 1958, from hashed counters).

    Args:
        key_B: the key of each row.
        samples: S.
        dim: D.
        dtype: the dtype of the result; the numbers have 24 random bits whatever it is.
    """
    place_SD = torch.arange(samples * dim, device=key_B.device).view(samples, 1, dim)
    radius, angle = (_uniform(_mix(key_B.view(1, -1, 1)) + _mix(2 * place_SD + part)) for part in (0, 1))
    return ((-2.0 * radius.log()).sqrt() * (2.0 * math.pi * angle).cos()).to(dtype)


def _uniform(x: Tensor) -> Tensor:
    """The upper 24 bits of a hash, the precision of float32, as a number in (0, 1)."""
    return (_shifted(_mix(x), 40).float() + 0.5) * 2.0**-24
