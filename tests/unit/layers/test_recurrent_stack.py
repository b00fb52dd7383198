"""Dropout on states acts in training, on hidden-to-hidden weights alone; half precision works on every processor."""

from __future__ import annotations

import pytest
import torch

from textvae.layers import Cell, RecurrentStack, lstm_with_term


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_state_dropout(cell: Cell, bidirectional: bool) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 3, 5, layers=2, bidirectional=bidirectional, state_dropout=0.5)
    plain = RecurrentStack(cell, 3, 5, layers=2, bidirectional=bidirectional)
    plain.load_state_dict(stack.state_dict())
    x, lengths = torch.randn(4, 6, 3), torch.tensor([6, 5, 3, 1])

    stack.eval()
    torch.testing.assert_close(stack(x, lengths)[0], plain(x, lengths)[0])
    stack.train()
    assert not torch.equal(stack(x, lengths)[0], stack(x, lengths)[0])
    # The first step reads no state but zeros, so nothing is dropped from it.
    torch.testing.assert_close(stack(x[:, :1], lengths.clamp(max=1))[0], plain(x[:, :1], lengths.clamp(max=1))[0])

    stack(x, lengths)[0].sum().backward()
    for name, parameter in stack.named_parameters():
        assert parameter.grad is not None, name
        if "weight_hh" in name:
            assert 0.2 < (parameter.grad == 0).float().mean() < 0.8, "dropped weights get no gradient"
        else:
            assert (parameter.grad != 0).any(), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("state_dropout", [0.0, 0.5])
def test_half_precision_is_float32_where_the_processor_has_no_kernels(
    cell: Cell, state_dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor without bfloat16 made every such training fail: there the result is that of float32, to the bit."""
    monkeypatch.setattr("textvae.layers.precision.has_half_precision_lstm", lambda x: False)
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 3, 5, layers=2, bidirectional=True, state_dropout=state_dropout)
    x, lengths = torch.randn(4, 6, 3), torch.tensor([6, 5, 3, 1])
    torch.manual_seed(1)
    plain = stack(x, lengths)[0]
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        half, state = stack(x, lengths)
        step = RecurrentStack(cell, 3, 5)
        step(x[:, :1].bfloat16(), state=[tuple(part.bfloat16() for part in step(x)[1][0])])
    assert torch.equal(plain, half) and state[0][0].dtype == torch.float32
    half.sum().backward()


def test_half_precision_works_on_this_processor() -> None:
    stack = RecurrentStack("lstm", 3, 5, bidirectional=True)
    x, lengths = torch.randn(4, 6, 3), torch.tensor([6, 5, 3, 1])
    with torch.autocast("cpu", torch.bfloat16):
        half = stack(x, lengths)[0]
    torch.testing.assert_close(half.float(), stack(x, lengths)[0], rtol=0, atol=0.05)


@pytest.mark.parametrize("sentences", [1, 100])
def test_a_term_of_zero_is_the_ordinary_lstm(sentences: int) -> None:
    """Outputs and last states within 1e-5 of the fused kernel's, from any state; with another term they differ."""
    torch.manual_seed(0)
    stack, x = RecurrentStack("lstm", 3, 5, layers=2), torch.randn(sentences, 6, 3)
    state = [(torch.randn(sentences, 5), torch.randn(sentences, 5)) for _ in range(2)]
    output, after = stack(x, state=state)
    zero = torch.zeros(sentences, 5)
    found, found_after = stack(x, state=state, terms=[zero, zero])
    torch.testing.assert_close(found, output, rtol=0, atol=1e-5)
    torch.testing.assert_close(found_after, after, rtol=0, atol=1e-5)
    assert (stack(x, state=state, terms=[zero, zero + 0.3])[0] - output).abs().min() > 1e-4


def test_a_term_is_added_to_the_cell() -> None:
    """At the first step exactly it is added; at the second it has gone through the forget gate as well."""
    torch.manual_seed(0)
    weights = list(torch.nn.LSTM(3, 5).double().parameters())
    x, state = torch.randn(4, 2, 3).double(), (torch.randn(4, 5).double(), torch.randn(4, 5).double())
    term, zero = torch.randn(4, 5).double(), torch.zeros(4, 5).double()
    _, (_, plain) = lstm_with_term(x[:, :1], state, zero, weights)
    _, (_, moved) = lstm_with_term(x[:, :1], state, term, weights)
    torch.testing.assert_close(moved - plain, term, rtol=0, atol=1e-12)
    assert not torch.allclose(
        lstm_with_term(x, state, term, weights)[1][1] - lstm_with_term(x, state, zero, weights)[1][1], term
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_derivatives_of_the_cell_with_a_term() -> None:
    """float64, against finite differences: reverse mode once and twice, and forward mode, in all that goes in."""
    torch.manual_seed(0)
    weights = [part.detach().requires_grad_() for part in torch.nn.LSTM(2, 3).double().parameters()]
    given = [torch.randn(2, 3, 2), torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3)]
    inputs = [*(part.double().requires_grad_() for part in given), *weights]

    def run(*parts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output, after = lstm_with_term(parts[0], (parts[1], parts[2]), parts[3], parts[4:])
        return output, *after

    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("state_dropout", [0.0, 0.5])
def test_half_precision_with_a_term(kernels: bool, state_dropout: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.layers.precision.has_half_precision_lstm", lambda x: kernels)
    torch.manual_seed(0)
    stack, x = RecurrentStack("lstm", 3, 5, layers=2, state_dropout=state_dropout), torch.randn(4, 6, 3)
    terms = [torch.randn(4, 5), torch.randn(4, 5)]
    torch.manual_seed(1)
    plain, _ = stack(x, terms=terms)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        half, state = stack(x, terms=terms)
        step, _ = stack(x[:, :1].bfloat16(), state=state, terms=[term.bfloat16() for term in terms])
    assert half.dtype == step.dtype == (torch.bfloat16 if kernels else torch.float32)
    torch.testing.assert_close(half.float(), plain, rtol=0, atol=0.05 if kernels else 0)
    half.float().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in stack.parameters())
    whole = RecurrentStack("lstm", 3, 5).bfloat16()
    assert whole(x.bfloat16(), terms=[terms[0].bfloat16()])[0].dtype == torch.bfloat16


def test_state_dropout_with_a_term() -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("lstm", 3, 5, state_dropout=0.5)
    x, terms = torch.randn(4, 6, 3), [torch.randn(4, 5)]
    assert torch.equal(stack.eval()(x, terms=terms)[0], stack(x, terms=terms)[0])
    stack.train()(x, terms=terms)[0].sum().backward()
    (layer,) = stack.forward_layers
    assert 0.2 < (layer.weight_hh_l0.grad == 0).float().mean() < 0.8, "dropped weights get no gradient"
