"""log p(x, z) and its gradient in z: finite differences, chunks, second derivatives, and what must not change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, LABEL_FORMS, PRIORS, composed_prior, random_batch, scramble
from tests.oracles import linear_gaussian, markov_mixture
from textvae.decoders import Decoder
from textvae.distributions import DiagonalGaussian
from textvae.models import LogJoint
from textvae.types import Context

S, B, D = 3, 5, 4
PRIOR = DiagonalGaussian(torch.zeros(D, dtype=torch.float64), torch.ones(D, dtype=torch.float64))


def decoder_of(name: str, dtype: torch.dtype = torch.float64) -> Decoder:
    """In training mode on purpose: dropout must be off all the same."""
    torch.manual_seed(0)
    decoder = DECODERS[name].build(vocab_size=11, latent_dim=D, max_tokens=9)
    return scramble(decoder, scale=0.4).to(dtype).train()  # type: ignore[return-value]


def codes(dtype: torch.dtype = torch.float64, seed: int = 1) -> Tensor:
    return torch.randn(S, B, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def difference(value: Callable[[Tensor], Tensor], z: Tensor, direction: Tensor, step: float = 1e-5) -> Tensor:
    return (value(z + step * direction) - value(z - step * direction)) / (2 * step)


@pytest.mark.parametrize("name", DECODERS)
def test_value_and_gradient(name: str) -> None:
    """float64: the value is the decoder's in evaluation mode plus the prior's; the gradient, finite differences'."""
    decoder, batch, z = decoder_of(name), random_batch(), codes()
    log_joint = LogJoint(decoder, PRIOR, batch.tokens_BT)
    value, grad = log_joint.value_and_grad(z)
    assert decoder.training and all(part.training for part in decoder.modules())
    with torch.no_grad():
        expected = decoder.eval().log_prob(batch.tokens_BT, z) + PRIOR.log_prob(z)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(log_joint(z), expected)
    for seed in range(3):
        direction = codes(seed=10 + seed)
        torch.testing.assert_close(
            (grad * direction).sum(-1), difference(log_joint, z, direction), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("name", DECODERS)
def test_chunks_change_nothing(name: str) -> None:
    """Every way to cut 15 rows, of which most cut through samples and sentences."""
    decoder, batch, z = decoder_of(name), random_batch(), codes()
    width = batch.tokens_BT.shape[1]
    whole = LogJoint(decoder, PRIOR, batch.tokens_BT).value_and_grad(z)
    for rows in (1, 4, 7):
        log_joint = LogJoint(decoder, PRIOR, batch.tokens_BT, row_tokens=rows * width)
        assert log_joint.rows_at_once == rows
        torch.testing.assert_close(log_joint.value_and_grad(z), whole)
        torch.testing.assert_close(log_joint(z), whole[0])


@pytest.mark.parametrize("row_tokens", [1, 10**6])
@pytest.mark.parametrize("name", DECODERS)
def test_second_derivative(name: str, row_tokens: int) -> None:
    """float64: Hessian times vector in z, and d/dtheta of (gradient times vector), against finite differences."""
    decoder, batch = decoder_of(name), random_batch()
    log_joint = LogJoint(decoder, PRIOR, batch.tokens_BT, row_tokens=row_tokens)
    z, direction = codes().requires_grad_(), codes(seed=5)
    value, grad = log_joint.value_and_grad(z, create_graph=True)
    assert all(parameter.grad is None for parameter in decoder.parameters())
    parameter = next(p for p in decoder.parameters() if p.shape[-1] == D or p.shape[-1] > D + 5)
    product, slope = torch.autograd.grad((grad * direction).sum(), [z, parameter], retain_graph=True)
    numeric = difference(lambda z: log_joint.value_and_grad(z)[1], z.detach(), direction)
    torch.testing.assert_close(product, numeric, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(value.sum(), z)[0], grad)

    kept = parameter.detach().clone()
    towards = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter.copy_(kept + sign * 1e-5 * towards)
        found.append((log_joint.value_and_grad(z)[1] * direction).sum())
    assert ((found[0] - found[1]) / 2e-5).item() == pytest.approx((slope * towards).sum().item(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["lstm-both-2-layers", "gru-both", "transformer-prefix", "transformer-cross"])
def test_single_precision_takes_other_kernels_to_the_same_place(name: str) -> None:
    """oneDNN's LSTM and fused attention are float32 only: value, gradient and Hessian times vector as in float64."""
    results = []
    for dtype in (torch.float32, torch.float64):
        prior = DiagonalGaussian(torch.zeros(D, dtype=dtype), torch.ones(D, dtype=dtype))
        log_joint = LogJoint(decoder_of(name, dtype), prior, random_batch().tokens_BT)
        z = codes(dtype).requires_grad_()
        first = log_joint.value_and_grad(z)
        value, grad = log_joint.value_and_grad(z, create_graph=True)
        (product,) = torch.autograd.grad((grad * codes(dtype, seed=5)).sum(), z)
        results.append([part.detach().double() for part in (*first, value, grad, product)])
    for single, double in zip(*results, strict=True):
        torch.testing.assert_close(single, double, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["lstm-tied", "gru-both", "transformer-embedding"])
def test_no_parameter_gets_a_gradient(name: str) -> None:
    decoder, batch = decoder_of(name), random_batch()
    decoder.vocabulary.bias.requires_grad_(False)  # type: ignore[union-attr]
    before = {key: parameter.requires_grad for key, parameter in decoder.named_parameters()}
    loc = torch.zeros(D, dtype=torch.float64, requires_grad=True)
    prior = DiagonalGaussian(loc, torch.ones(D, dtype=torch.float64))
    value, grad = LogJoint(decoder, prior, batch.tokens_BT, row_tokens=20).value_and_grad(codes().requires_grad_())
    assert not value.requires_grad and not grad.requires_grad
    assert loc.grad is None and all(parameter.grad is None for parameter in decoder.parameters())
    assert {key: parameter.requires_grad for key, parameter in decoder.named_parameters()} == before
    assert not all(before.values())


def test_an_error_leaves_the_decoder_as_it_was() -> None:
    decoder = decoder_of("lstm-both-2-layers")
    with pytest.raises(RuntimeError):
        LogJoint(decoder, PRIOR, random_batch().tokens_BT).value_and_grad(codes()[..., :2])
    assert all(part.training for part in decoder.modules())
    assert all(parameter.requires_grad for parameter in decoder.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["lstm-both-2-layers", "transformer-prefix"])
def test_gradients_flow_where_they_are_off(mode: Callable, name: str) -> None:
    decoder, batch = decoder_of(name), random_batch()
    expected = LogJoint(decoder, PRIOR, batch.tokens_BT).value_and_grad(codes())
    with mode():
        log_joint = LogJoint(decoder, PRIOR, random_batch().tokens_BT.clone())
        found = log_joint.value_and_grad(codes())
        assert not torch.is_grad_enabled()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", LABEL_FORMS)
def test_labels_and_priors_of_a_sentence_follow_their_rows(name: str) -> None:
    decoder = DECODERS[name].build(vocab_size=11, latent_dim=D, num_labels=3, max_tokens=9)
    decoder = scramble(decoder).double().eval()
    tokens_BT, z = random_batch().tokens_BT, codes()
    prior = DiagonalGaussian(torch.randn(B, D, dtype=torch.float64), torch.rand(B, D, dtype=torch.float64) + 0.5)
    for label in (torch.tensor([0, 2, 1, 1, 0]), torch.randint(0, 3, (S, B))):
        context = Context(label_B=label)
        expected = decoder.log_prob(tokens_BT, z, context) + prior.log_prob(z)  # type: ignore[operator]
        for row_tokens in (1, 30, 10**6):
            log_joint = LogJoint(decoder, prior, tokens_BT, context, row_tokens)  # type: ignore[arg-type]
            torch.testing.assert_close(log_joint.value_and_grad(z)[0], expected)


@pytest.mark.parametrize("name", LABEL_FORMS)
def test_derivatives_given_a_label(name: str) -> None:
    """float64, first and second in z, against finite differences."""
    decoder = DECODERS[name].build(vocab_size=11, latent_dim=D, num_labels=3, max_tokens=9)
    decoder = scramble(decoder, scale=0.4).double()
    context = Context(label_B=torch.tensor([0, 2, 1, 1, 0]))
    log_joint = LogJoint(decoder, PRIOR, random_batch().tokens_BT, context)  # type: ignore[arg-type]
    z, direction = codes().requires_grad_(), codes(seed=5)
    _, grad = log_joint.value_and_grad(z, create_graph=True)
    slope = difference(log_joint, z.detach(), direction)
    torch.testing.assert_close((grad * direction).sum(-1), slope, rtol=1e-6, atol=1e-7)
    (product,) = torch.autograd.grad((grad * direction).sum(), z)
    numeric = difference(lambda z: log_joint.value_and_grad(z)[1], z.detach(), direction)
    torch.testing.assert_close(product, numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior(name: str) -> None:
    """float64, against finite differences."""
    prior = scramble(composed_prior(PRIORS[name], D, dtype=torch.float64))()
    log_joint = LogJoint(decoder_of("gru-both"), prior, random_batch().tokens_BT)
    z, direction = codes(), codes(seed=7)
    slope = (log_joint.value_and_grad(z)[1] * direction).sum(-1)
    torch.testing.assert_close(slope, difference(log_joint, z, direction), rtol=1e-6, atol=1e-6)


def test_linear_gaussian_is_exact() -> None:
    """O1: log p(x, z) = log p(x) + log p(z|x), so the gradient is the exact posterior's, and the Hessian too."""
    model = linear_gaussian.LinearGaussianModel()
    model = linear_gaussian.LinearGaussianModel(model.sample(4))
    batch = model.batch()
    z = torch.randn(6, 4, 2, dtype=torch.float64, requires_grad=True)
    exact = model.exact_posterior()
    expected = exact.log_prob(z) + model.exact_log_p()
    log_joint = LogJoint(model.decoder, model.prior(), batch.tokens_BT, row_tokens=21)
    value, grad = log_joint.value_and_grad(z)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-9, atol=1e-9)
    error = (z - exact.mean).unsqueeze(-1)
    torch.testing.assert_close(grad, -(exact.precision_matrix @ error).squeeze(-1).detach(), rtol=1e-9, atol=1e-9)
    _, grad = log_joint.value_and_grad(z, create_graph=True)
    (column,) = torch.autograd.grad(grad[..., 0].sum(), z)
    torch.testing.assert_close(column, -exact.precision_matrix[..., 0].detach().expand_as(column))


class Gathered(markov_mixture.MarkovMixtureDecoder):
    """The oracle's decoder with its logarithm taken of the words that occur alone: log 0 has no gradient to gather."""

    def log_prob(self, tokens_BT: Tensor, z_SBD: Tensor, context: Context | None = None) -> Tensor:
        total = torch.zeros(z_SBD.shape[:2], dtype=z_SBD.dtype)
        for place in range(tokens_BT.shape[1] - 1):
            by_chain_KB = self.next_KPUV[:, place, tokens_BT[:, place], tokens_BT[:, place + 1]]
            total = total + (z_SBD * by_chain_KB.T).sum(-1).log()
        return total


def test_markov_mixture_is_exact() -> None:
    """O2: at one-hot codes the sum over the three chains is p(x); between them, finite differences."""
    model, batch = markov_mixture.MarkovMixtureModel(), markov_mixture.batch_of()
    model.decoder = Gathered()
    log_joint = LogJoint(model.decoder, model.prior(), batch.tokens_BT, row_tokens=200)
    z = torch.eye(3, dtype=torch.float64).unsqueeze(1).expand(3, 64, 3)
    value, _ = log_joint.value_and_grad(z)
    torch.testing.assert_close(value.logsumexp(0), markov_mixture.exact_log_p(), rtol=1e-12, atol=1e-12)
    inside = torch.full((1, 64, 3), 1 / 3, dtype=torch.float64)
    direction = torch.randn(1, 64, 3, dtype=torch.float64)
    slope = (log_joint.value_and_grad(inside)[1] * direction).sum(-1)
    torch.testing.assert_close(slope, difference(log_joint, inside, direction), rtol=1e-7, atol=1e-7)
