"""MADE: no output sees its own input or a later one, and drawing one by one gives the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.autograd.functional import jacobian

from tests.components import scramble
from textvae.layers import AutoregressiveMap, MaskedAutoregressive

SHAPES: dict[str, dict[str, Any]] = {
    "one-input": {"dims": 1, "hidden_dim": 4, "context_dim": 3},
    "narrow": {"dims": 6, "hidden_dim": 4, "context_dim": 3},
    "wide": {"dims": 4, "hidden_dim": 11, "context_dim": 3},
    "deep": {"dims": 5, "hidden_dim": 7, "hidden_layers": 3, "context_dim": 3},
    "no-context": {"dims": 5, "hidden_dim": 8, "hidden_layers": 2},
}
OUTPUTS = 3


def built(name: str) -> tuple[AutoregressiveMap, torch.Tensor, torch.Tensor | None]:
    """A network with large weights, an input and a context."""
    made = scramble(MaskedAutoregressive(outputs=OUTPUTS, **SHAPES[name])).double()
    assert isinstance(made, MaskedAutoregressive)
    z = torch.randn(2, made.dims, dtype=torch.float64)
    context = torch.randn(2, 3, dtype=torch.float64) if "context_dim" in SHAPES[name] else None
    return made.masked(), z, context


@pytest.mark.parametrize("name", SHAPES)
def test_jacobian_is_strictly_triangular_and_full_below(name: str) -> None:
    network, z, context = built(name)
    row = None if context is None else context[0]
    slopes_DOD = jacobian(lambda x: network(x, row), z[0])
    for number in range(OUTPUTS):
        assert not slopes_DOD[:, number].triu().any()
        lower = torch.ones_like(slopes_DOD[:, number]).tril(-1).bool()
        assert (slopes_DOD[:, number][lower].abs() > 1e-6).all()


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "no-context"])
def test_every_output_sees_the_context(name: str) -> None:
    network, z, context = built(name)
    assert context is not None
    slopes = jacobian(lambda c: network(z[0], c), context[0])
    assert (slopes.abs().amax(-1) > 1e-6).all()


@pytest.mark.parametrize("name", SHAPES)
def test_one_by_one_equals_one_pass(name: str) -> None:
    network, z, context = built(name)
    seen = []

    def choose(d: int, outputs: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.expand(2, OUTPUTS))
        return z[:, d]

    torch.testing.assert_close(network.solve(choose, context), z)
    torch.testing.assert_close(torch.stack(seen, 1), network(z, context))


def test_biases_start_where_they_are_told() -> None:
    made = MaskedAutoregressive(3, 2, hidden_dim=4, output_bias=(0.0, 2.0))
    with torch.no_grad():
        made.layers[-1].weight.zero_()  # type: ignore[operator]
    torch.testing.assert_close(made(torch.randn(3)), torch.tensor([[0.0, 2.0]] * 3))


def test_half_precision_contexts_do_not_reach_the_map() -> None:
    """Under autocast a flow stays float32: forward and inverse would otherwise be different maps."""
    made = MaskedAutoregressive(3, 2, hidden_dim=4)
    z = torch.randn(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(z)
    torch.testing.assert_close(found, made(z), rtol=0, atol=0)
