"""log p(x, z) and its gradient with respect to z, for all algorithms that optimize, sample or bound by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from textvae.distributions import LatentDistribution
from textvae.layers import sentence_keys, uncompiled
from textvae.posteriors import NeedsJoint, Refined
from textvae.types import Context

ROW_TOKENS = 16_384
"""Rows times tokens of one decoder call. It limits memory and does not change results."""


@runtime_checkable
class ScoringDecoder(Protocol):
    """The part of a decoder's interface that `LogJoint` uses."""

    def log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: Context | None = None) -> Tensor: ...


class LogJoint:
    """z -> log p(x, z) = log p(z) + log p(x|z) for the sentences of a batch, and its gradient with respect to z.

    Dropout and word dropout are off, whatever the mode of the decoder, which is left unchanged; the value is a
    deterministic function of z. It may also be called where gradients are disabled (`torch.no_grad`,
    `torch.inference_mode`). Rows (sentences times samples) are decoded in chunks.

    Args:
        decoder: log p(x|z).
        prior: p(z), batch shape [] or [B].
        tokens_BT: BOS, words, EOS, padding.
        context: what else the decoder is conditioned on; labels may be [B] or [S, B].
        row_tokens: the largest number of rows times tokens in one decoder call (but at least one row).

    >>> import torch
    >>> from textvae.decoders import LSTMDecoderConfig
    >>> from textvae.distributions import DiagonalGaussian
    >>> decoder = LSTMDecoderConfig(embedding_dim=4, hidden_dim=3).build(vocab_size=10, latent_dim=2)
    >>> prior = DiagonalGaussian(torch.zeros(2), torch.ones(2))
    >>> log_joint = LogJoint(decoder, prior, torch.tensor([[1, 5, 6, 2]]))
    >>> value_SB, grad_SBD = log_joint.value_and_grad(torch.zeros(7, 1, 2))
    >>> value_SB.shape, grad_SBD.shape, all(p.grad is None for p in decoder.parameters())
    (torch.Size([7, 1]), torch.Size([7, 1, 2]), True)
    """

    def __init__(
        self,
        decoder: ScoringDecoder,
        prior: LatentDistribution,
        tokens_BT: Int[Tensor, "B T"],
        context: Context | None = None,
        row_tokens: int = ROW_TOKENS,
    ) -> None:
        self.decoder, self.prior, self.context = decoder, prior, context
        self.tokens_BT = _ordinary(tokens_BT)
        self.rows_at_once = max(1, row_tokens // tokens_BT.shape[1])

    def __call__(self, z_SBD: Float[Tensor, "S B D"]) -> Float[Tensor, "S B"]:
        """log p(x, z), nats, without a graph."""
        with torch.no_grad(), differentiable(self.decoder, frozen=True):
            prior = self.prior.detached()
            found = [self._rows(prior, z_ND, rows, z_SBD.shape[:2]) for z_ND, rows in self._chunks(z_SBD)]
        return torch.cat(found).view(z_SBD.shape[:2])

    def rows(self, index_N: Int[Tensor, " N"]) -> LogJoint:
        """The joint density of the sentences at `index_N`; an index may occur several times."""
        context = None if self.context is None else self.context.rows(index_N)
        prior = self.prior.rows(index_N) if self.prior.batch_shape else self.prior
        some = LogJoint(self.decoder, prior, self.tokens_BT[index_N], context)
        some.rows_at_once = self.rows_at_once
        return some

    # Not compiled: torch.compile would have to trace through the call of autograd.
    @uncompiled
    def value_and_grad(
        self, z_SBD: Float[Tensor, "S B D"], create_graph: bool = False
    ) -> tuple[Float[Tensor, "S B"], Float[Tensor, "S B D"]]:
        """log p(x, z) and its gradient with respect to z.

        Args:
            z_SBD: codes.
            create_graph: if false, both results are detached, and memory is that of one chunk. If true, both are
                differentiable with respect to z (if it requires a gradient) and to the parameters of decoder and
                prior, and the graph of all chunks is kept. No parameter's `.grad` changes in either case.

        Returns:
            log p(x, z) in nats, and d log p(x, z) / dz.
        """
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            differentiable(self.decoder, frozen=not create_graph, second_order=create_graph),
        ):
            z_SBD = _ordinary(z_SBD)
            if not create_graph or not z_SBD.requires_grad:
                z_SBD = z_SBD.detach().requires_grad_()
            prior = self.prior if create_graph else self.prior.detached()
            values, grads = [], []
            for z_ND, rows in self._chunks(z_SBD):
                z_ND = z_ND if create_graph else z_ND.detach().requires_grad_()
                value_N = self._rows(prior, z_ND, rows, z_SBD.shape[:2])
                (grad_ND,) = torch.autograd.grad(value_N.sum(), z_ND, create_graph=create_graph)
                values.append(value_N if create_graph else value_N.detach())
                grads.append(grad_ND)
        return torch.cat(values).view(z_SBD.shape[:2]), torch.cat(grads).view(z_SBD.shape)

    def _chunks(self, z_SBD: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Chunks of the codes, flattened sample by sample, each with the range of its rows."""
        flat_ND = z_SBD.flatten(0, 1)
        for start in range(0, len(flat_ND), self.rows_at_once):
            rows = slice(start, min(start + self.rows_at_once, len(flat_ND)))
            yield flat_ND[rows], rows

    def _rows(self, prior: LatentDistribution, z_ND: Tensor, rows: slice, shape: torch.Size) -> Tensor:
        samples, sentences = shape
        if len(z_ND) == samples * sentences:
            z_SBD = z_ND.view(samples, sentences, -1)
            return (self.decoder.log_prob(self.tokens_BT, z_SBD, self.context) + prior.log_prob(z_SBD)).flatten()
        index_N = torch.arange(rows.start, rows.stop, device=z_ND.device) % sentences
        log_px_N = self.decoder.log_prob(
            self.tokens_BT[index_N], z_ND.unsqueeze(0), self._context(rows, index_N, shape)
        )
        own = prior.rows(index_N) if prior.batch_shape else prior
        return log_px_N[0] + own.log_prob(z_ND)

    def _context(self, rows: slice, index_N: Tensor, shape: torch.Size) -> Context | None:
        """What some of the S * B rows are conditioned on; a label may differ by sample, nothing else does."""
        if self.context is None:
            return None
        label_B = self.context.label_B
        label_N = None if label_B is None else label_B.expand(shape).reshape(-1)[rows]
        return replace(self.context.rows(index_N), label_B=label_N)


# Not compiled: refining calls autograd, and the hashes of `sentence_keys` rely on integer overflow.
@uncompiled
def seeing_target(
    posterior: nn.Module,
    start: LatentDistribution,
    decoder: ScoringDecoder,
    prior: LatentDistribution,
    tokens_BT: Tensor,
    context: Context | None = None,
) -> Refined:
    """q(z|x): the distribution that a posterior computed from the features, refined by log p(x, z) if it needs that.

    Args:
        posterior: the posterior module.
        start: the distribution that it computed from the features, batch shape [B].
        decoder: the model's decoder.
        prior: the prior of the sentences, batch shape [] or [B].
        tokens_BT: the sentences.
        context: what else the decoder is conditioned on.

    Returns:
        `start` unchanged, unless the posterior is one that `NeedsJoint`.
    """
    if not isinstance(posterior, NeedsJoint):
        return Refined(start)
    return posterior.refine(start, LogJoint(decoder, prior, tokens_BT, context), sentence_keys(tokens_BT))


def _ordinary(x: Tensor) -> Tensor:
    """The tensor, cloned if it was made in inference mode, so that autograd can save it."""
    if not x.is_inference():
        return x
    with torch.inference_mode(False):
        return x.clone()


@contextmanager
def differentiable(module: object, frozen: bool, second_order: bool = False) -> Iterator[None]:
    """A context with dropout off in which gradients through the module still work; afterwards it is restored.

    cuDNN differentiates recurrent layers only in training mode, so these are put into training mode. That changes no
    values as long as their own dropout is zero, as in all layers of this package. cuDNN's recurrent layers and the
    fused attention kernels have no second derivatives, so for these the plain implementations are used.

    Args:
        module: the module whose modes change; objects that are not modules are left alone.
        frozen: whether its parameters get no gradients, which saves their computation.
        second_order: whether gradients will be differentiated again.
    """
    modules = list(module.modules()) if isinstance(module, nn.Module) else []
    modes = [part.training for part in modules]
    parameters = list(modules[0].parameters()) if frozen and modules else []
    trained = [parameter for parameter in parameters if parameter.requires_grad and parameter.is_leaf]
    with ExitStack() as stack:
        dropping = any(isinstance(part, nn.RNNBase) and part.dropout > 0 for part in modules)
        if second_order or dropping:
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        if second_order:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        try:
            for part in modules:
                part.training = isinstance(part, nn.RNNBase) and not dropping
            for parameter in trained:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode
