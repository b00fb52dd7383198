"""Dropout on states acts in training, on the hidden-to-hidden weights alone, and leaves the expectation of the step."""

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
