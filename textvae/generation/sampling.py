"""Tokens drawn at random: temperature, top-k and nucleus sampling."""

from __future__ import annotations

from itertools import count
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from textvae.generation.base import Decoding, Generated, SteppingDecoder
from textvae.generation.randomness import RowNoise, WordNoise
from textvae.generation.stepping import decode_stepwise
from textvae.types import Context


class SamplingConfig(Decoding):
    """Ancestral sampling from p(x|z), with temperature, top-k and nucleus sampling.

    The three settings apply in this order: p^(1/temperature); then the `top_k` most probable tokens; then
    the nucleus, the smallest set of most probable tokens whose probability reaches `top_p` (Holtzman et
    al. 2020, arXiv 1904.09751). The remaining probabilities are renormalised. The defaults sample from p(x|z)
    without `<unk>`.

    Attributes:
        temperature: above 0; below 1 sharpens, above 1 flattens.
        top_k: None for all tokens.
        top_p: in (0, 1]; 1 for all tokens.

    >>> SamplingConfig(temperature=0.7, top_p=0.9).top_k is None
    True
    """

    kind: Literal["sample"] = "sample"
    temperature: float = 1.0
    top_k: int | None = Field(default=None, ge=1)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)

    @field_validator("temperature")
    @classmethod
    def _positive(cls, value: float) -> float:
        if not 0.0 < value < float("inf"):
            raise ValueError(
                f"temperature must be above 0 and finite, got {value}; for temperature 0 use kind 'greedy'"
            )
        return value

    def decode(
        self,
        decoder: SteppingDecoder,
        z_ND: Tensor,
        *,
        context: Context | None = None,
        generator: WordNoise | None = None,
    ) -> Generated:
        rows = z_ND.shape[0]
        steps = count()

        def choose(log_prob_MV: Tensor, index_M: Tensor) -> Tensor:
            uniform_N = uniform_numbers(generator, rows, next(steps), z_ND.device)
            weights_MV = reshape(log_prob_MV, self.temperature, self.top_k, self.top_p)
            return draw(weights_MV, uniform_N[index_M])

        return decode_stepwise(
            decoder, z_ND, choose, context=context, max_tokens=self.max_tokens, allow_unk=self.allow_unk
        )


def uniform_numbers(generator: WordNoise | None, rows: int, step: int, device: torch.device) -> Tensor:
    """A number in [0, 1) for every sentence of a batch, finished or not, float64 [rows].

    Each draw then depends only on the generator, the row and the step, not on when other sentences end.
    """
    if isinstance(generator, RowNoise):
        return generator.uniform(step).to(device)
    source = device if generator is None else generator.device
    return torch.rand(rows, generator=generator, device=source, dtype=torch.float64).to(device)


def reshape(log_prob_NV: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0) -> Tensor:
    """Probabilities to draw from, each row summing to 1, float64 [N, V].

    Every row keeps at least its most probable token, whatever the settings and the batch.

    >>> reshape(torch.tensor([[0.5, 0.3, 0.2]]).log(), top_k=2)
    tensor([[0.6250, 0.3750, 0.0000]], dtype=torch.float64)
    """
    # The largest is subtracted first: with a temperature near 0 all values would become minus infinity otherwise.
    log_prob_NV = log_prob_NV.double()
    probs_NV = ((log_prob_NV - log_prob_NV.amax(-1, keepdim=True)) / temperature).softmax(-1)
    if top_k is not None and top_k < probs_NV.shape[-1]:
        best_NK, index_NK = probs_NV.topk(top_k, dim=-1)
        probs_NV = torch.zeros_like(probs_NV).scatter(-1, index_NK, best_NK)
        probs_NV = probs_NV / probs_NV.sum(-1, keepdim=True)
    if top_p < 1.0:
        sorted_NV, index_NV = probs_NV.sort(dim=-1, descending=True, stable=True)
        # A token is kept if the more probable ones do not reach top_p; 1e-9 absorbs rounding in the sum.
        before_NV = sorted_NV.cumsum(-1) - sorted_NV
        sorted_NV = sorted_NV.masked_fill(before_NV >= top_p - 1e-9, 0.0)
        probs_NV = torch.zeros_like(probs_NV).scatter(-1, index_NV, sorted_NV)
        probs_NV = probs_NV / probs_NV.sum(-1, keepdim=True)
    return probs_NV


def draw(weights_NV: Tensor, uniform_N: Tensor) -> Tensor:
    """Token ids by inverting the cumulative distribution at `uniform_N` in [0, 1); never one of weight 0."""
    cumulative_NV = weights_NV.cumsum(-1)
    total_N = cumulative_NV[:, -1]
    # u * total may round up to the total, which is past the last token of positive weight.
    at_N = torch.minimum(uniform_N.to(weights_NV.dtype) * total_N, torch.nextafter(total_N, torch.zeros_like(total_N)))
    return torch.searchsorted(cumulative_NV, at_N.unsqueeze(-1), right=True).squeeze(-1)
