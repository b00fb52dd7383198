"""Dropout on states acts in training, on hidden-to-hidden weights alone; half precision works on every processor."""

from __future__ import annotations

import pytest
import torch

from textvae.layers import Cell, RecurrentStack


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
