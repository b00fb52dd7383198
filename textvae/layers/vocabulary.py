"""From hidden states to word probabilities, which is most of the computation of a text VAE."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.layers.matrix_product import ROW_MULTIPLE, matrix_product, missing_rows
from textvae.layers.precision import at_least_float32
from textvae.types import BOS_ID, EOS_ID, PAD_ID

_CHUNK_ELEMENTS = 2**22
"""Logits computed at a time: 16 MB in float32, about the size of a processor's last-level cache."""

_KEEP_ELEMENTS = 2**27
"""The largest number of probabilities kept for the backward pass, 512 MB in float32. Above it they are recomputed."""


_SAFE_LOGIT = 75.0
"""The sum of a million exponentials of logits in [-75, 75] neither overflows nor underflows in float32."""


class VocabularyProjection(nn.Module):
    """Linear map to the vocabulary and log-softmax, computed in chunks so that memory stays small.

    PAD and BOS are never predicted: their probability is exactly zero, so that the probabilities of all sentences sum
    to one.

    Args:
        hidden_dim: features of the states.
        vocab_size: V.
        tied_weight: an embedding's weight [V, hidden_dim] to share (Press & Wolf 2017, arXiv 1608.05859); None for a
            weight of its own.
    """

    weight: Tensor
    bias: Tensor
    forbidden_V: Tensor

    def __init__(self, hidden_dim: int, vocab_size: int, tied_weight: Tensor | None = None) -> None:
        super().__init__()
        if tied_weight is None:
            tied_weight = nn.Parameter(torch.empty(vocab_size, hidden_dim).uniform_(-0.1, 0.1))
        self.weight = tied_weight
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        forbidden_V = torch.zeros(vocab_size)
        forbidden_V[[PAD_ID, BOS_ID]] = -torch.inf
        self.register_buffer("forbidden_V", forbidden_V, persistent=False)

    def forward(self, hidden_NH: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        """log p of every word, nats."""
        logits_NV = matrix_product(hidden_NH, self.weight, self.bias + self.forbidden_V)
        return at_least_float32(logits_NV).log_softmax(-1)

    def target_log_prob(self, hidden_NH: Float[Tensor, "N H"], target_N: Int[Tensor, " N"]) -> Float[Tensor, " N"]:
        """log p of one target word for each state, nats, without storing all logits of a large batch."""
        weight_VH, bias_V = self.weight, self.bias + self.forbidden_V
        if torch.is_autocast_enabled(hidden_NH.device.type):
            dtype = torch.get_autocast_dtype(hidden_NH.device.type)
            hidden_NH, weight_VH = hidden_NH.to(dtype), weight_VH.to(dtype)
        rows, missing = len(target_N), 0
        if hidden_NH.device.type == "cpu" and not torch.compiler.is_compiling():
            # Pad here and not only in each product: the weight gradient is a product that sums over the rows.
            missing = missing_rows(rows)
        if missing:
            hidden_NH = nn.functional.pad(hidden_NH, (0, 0, 0, missing))
            target_N = nn.functional.pad(target_N, (0, missing), value=EOS_ID)
        if not torch.is_grad_enabled():
            # Otherwise the function would see parameters that require gradients, and keep probabilities for them.
            hidden_NH, weight_VH, bias_V = hidden_NH.detach(), weight_VH.detach(), bias_V.detach()
        log_prob_N = _TargetLogProb.apply(hidden_NH, weight_VH, bias_V, target_N)
        return log_prob_N[:rows]


def _chunks(rows: int, vocab_size: int) -> list[slice]:
    step = max(ROW_MULTIPLE, _CHUNK_ELEMENTS // vocab_size // ROW_MULTIPLE * ROW_MULTIPLE)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _logits(hidden_NH: Tensor, weight_VH: Tensor, bias_V: Tensor) -> Tensor:
    if hidden_NH.dtype == bias_V.dtype:
        return matrix_product(hidden_NH, weight_VH, bias_V)
    return (hidden_NH @ weight_VH.T).to(bias_V.dtype) + bias_V


def _within_reach(hidden_NH: Tensor, weight_VH: Tensor, bias_V: Tensor) -> bool:
    """Whether all logits are below `_SAFE_LOGIT` by the Cauchy-Schwarz inequality, so that logsumexp needs no shift.

    False on a GPU, where this check would need a synchronization and the shift is cheap.
    """
    if hidden_NH.device.type != "cpu" or hidden_NH.dtype != bias_V.dtype or torch.compiler.is_compiling():
        return False
    largest = torch.linalg.vector_norm(hidden_NH, dim=1).amax() * torch.linalg.vector_norm(weight_VH, dim=1).amax()
    # PAD and BOS have a bias of minus infinity, and so an exponential of zero.
    return bool(largest + bias_V.nan_to_num(neginf=0.0).abs().amax() < _SAFE_LOGIT)


class _TargetLogProb(torch.autograd.Function):
    """log softmax(h W^T + b)[target] with a backward pass that reads the probabilities once.

    With upstream gradient g and probabilities P, the gradient with respect to the logits of row n is
    g_n (onehot(target_n) - P_n). That matrix is never formed; rows are scaled after the products instead:
    dh = g (W[target] - P W), and dW = -P^T (g h) with g h added to the rows of the targets.
    """

    @staticmethod
    def forward(ctx: Any, hidden_NH: Tensor, weight_VH: Tensor, bias_V: Tensor, target_N: Tensor) -> Tensor:
        rows, vocab_size = hidden_NH.shape[0], weight_VH.shape[0]
        log_prob_N = torch.empty(rows, dtype=bias_V.dtype, device=hidden_NH.device)
        keep = any(ctx.needs_input_grad[:3]) and rows * vocab_size <= _KEEP_ELEMENTS
        probs_NV = torch.empty(rows, vocab_size, dtype=hidden_NH.dtype, device=hidden_NH.device) if keep else None
        unshifted = probs_NV is None and rows > 0 and _within_reach(hidden_NH, weight_VH, bias_V)
        for chunk in _chunks(rows, vocab_size):
            logits = _logits(hidden_NH[chunk], weight_VH, bias_V)
            target_logit = logits.gather(1, target_N[chunk].unsqueeze(1)).squeeze(1)
            if probs_NV is None:
                # Without a shift, the sum takes two passes over the logits instead of five.
                normalizer = logits.exp_().sum(-1).log() if unshifted else logits.logsumexp(-1)
                log_prob_N[chunk] = target_logit - normalizer
                continue
            best, where = logits.max(-1, keepdim=True)
            probs = probs_NV[chunk]
            if probs.dtype == logits.dtype:
                torch.softmax(logits, -1, out=probs)
            else:
                probs.copy_(torch.softmax(logits, -1))
            # The normaliser, from the largest logit, whose probability is at least 1 / V and cannot underflow.
            shift = best - probs.gather(1, where).to(best.dtype).log()
            log_prob_N[chunk] = target_logit - shift.squeeze(1)
        ctx.save_for_backward(hidden_NH, weight_VH, bias_V, target_N)
        ctx.probs_NV = probs_NV
        return log_prob_N

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_N,) = grad_outputs
        hidden_NH, weight_VH, bias_V, target_N = ctx.saved_tensors
        if torch.is_grad_enabled():
            # With create_graph=True the gradient must be differentiable, so compute it by plain operations.
            log_prob_NV = _logits(hidden_NH, weight_VH, bias_V).log_softmax(-1)
            log_prob_N = log_prob_NV.gather(1, target_N.unsqueeze(1)).squeeze(1)
            inputs = [
                t for t, needed in zip((hidden_NH, weight_VH, bias_V), ctx.needs_input_grad, strict=False) if needed
            ]
            grads = iter(torch.autograd.grad(log_prob_N, inputs, grad_N, create_graph=True))
            return (*(next(grads) if needed else None for needed in ctx.needs_input_grad[:3]), None)
        grad_hidden = torch.empty_like(hidden_NH) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight_VH) if ctx.needs_input_grad[1] else None
        grad_bias = torch.zeros_like(bias_V) if ctx.needs_input_grad[2] else None
        scaled_NH = hidden_NH * grad_N.unsqueeze(1).to(hidden_NH.dtype)
        whole = [slice(0, len(hidden_NH))] if ctx.probs_NV is not None else _chunks(len(hidden_NH), len(weight_VH))
        for chunk in whole:
            if ctx.probs_NV is not None:
                probs = ctx.probs_NV
            else:
                probs = torch.softmax(_logits(hidden_NH[chunk], weight_VH, bias_V), -1).to(hidden_NH.dtype)
            if grad_hidden is not None:
                grad_hidden[chunk] = matrix_product(probs, weight_VH.T)
            if grad_weight is not None:
                grad_weight -= matrix_product(scaled_NH[chunk].T.contiguous(), probs.T).T
            if grad_bias is not None:
                grad_bias -= (grad_N[chunk].to(probs.dtype) @ probs).to(grad_bias.dtype)
        if grad_hidden is not None:
            grad_hidden = (weight_VH[target_N] - grad_hidden) * grad_N.unsqueeze(1).to(hidden_NH.dtype)
        if grad_weight is not None:
            grad_weight.index_add_(0, target_N, scaled_NH)
        if grad_bias is not None:
            grad_bias.index_add_(0, target_N, grad_N.to(grad_bias.dtype))
        return grad_hidden, grad_weight, grad_bias, None
