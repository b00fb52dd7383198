"""A masked network whose d-th output depends only on the inputs before the d-th (MADE)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import elu


@dataclass(frozen=True)
class AutoregressiveMap:
    """The function that a `MaskedAutoregressive` computes, as plain tensors, which a distribution can hold and detach.

    Attributes:
        weights: masked matrices of the hidden layers and of the output layer, [out, in] each.
        biases: one vector for each layer.
        context_weights: one matrix [out, C] for each layer; empty without a context.
        direct: masked matrix from the inputs to the outputs, [D * O, D].
        slices: for each hidden layer, the positions of the units that depend on exactly d inputs, d = 0 .. D - 1.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    context_weights: tuple[Tensor, ...]
    direct: Tensor
    slices: tuple[tuple[slice, ...], ...]

    def __call__(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """All outputs in one pass.

        Args:
            z: inputs [..., D].
            context: [..., C], broadcast against the inputs.

        Returns:
            [..., D, O]; entry d depends on inputs 0 .. d - 1 and on the context.
        """
        with torch.autocast(z.device.type, enabled=False):
            added, hidden = self._added(context), z
            for layer, weight in enumerate(self.weights[:-1]):
                hidden = elu(hidden @ weight.T + added[layer])
            out = hidden @ self.weights[-1].T + z @ self.direct.T + added[-1]
        return out.unflatten(-1, (z.shape[-1], -1))

    def solve(self, choose: Callable[[int, Tensor], Tensor], context: Tensor | None = None) -> Tensor:
        """Determine the inputs one after another, each from the outputs at its position.

        This inverts an autoregressive flow. A hidden unit is computed once, as soon as its last input is known, so that
        all D steps together cost about as much as one pass.

        Args:
            choose: a function of d and the outputs [..., O] at position d that returns input d, [...].
            context: [..., C], or None.

        Returns:
            the inputs, [..., D].
        """
        dims = self.direct.shape[1]
        outputs = self.direct.shape[0] // dims
        with torch.autocast(self.direct.device.type, enabled=False):
            # left: sums of the units of each layer that are not finished. first: the position of the first of them.
            left, first, chosen = self._added(context), [0] * len(self.weights), []
            for d in range(dims):
                for layer, slices in enumerate(self.slices):
                    ready = slices[d]
                    if ready.start < ready.stop:
                        count = ready.stop - ready.start
                        done, left[layer] = left[layer].tensor_split((count,), -1)
                        first[layer] = ready.stop
                        onward = self.weights[layer + 1][first[layer + 1] :, ready]
                        left[layer + 1] = left[layer + 1] + elu(done) @ onward.T
                done, left[-1] = left[-1].tensor_split((outputs,), -1)
                first[-1] += outputs
                z_d = choose(d, done)
                chosen.append(z_d)
                if d + 1 < dims:
                    left[0] = left[0] + z_d.unsqueeze(-1) * self.weights[0][first[0] :, d]
                    left[-1] = left[-1] + z_d.unsqueeze(-1) * self.direct[first[-1] :, d]
        return torch.stack(torch.broadcast_tensors(*chosen), -1)

    def _added(self, context: Tensor | None) -> list[Tensor]:
        """What is added to the inputs of every layer: its bias and the contribution of the context."""
        if context is None or not self.context_weights:
            return list(self.biases)
        return [bias + context @ weight.T for bias, weight in zip(self.biases, self.context_weights, strict=True)]

    def detached(self) -> AutoregressiveMap:
        """The same function with detached weights."""
        return AutoregressiveMap(
            tuple(weight.detach() for weight in self.weights),
            tuple(bias.detach() for bias in self.biases),
            tuple(weight.detach() for weight in self.context_weights),
            self.direct.detach(),
            self.slices,
        )


class MaskedAutoregressive(nn.Module):
    """MADE: a network that computes the parameters of all conditionals of an ordered vector in one pass.

    Germain et al. 2015 (arXiv 1502.03509), section 4, with the direct connections of section 4.2 and with ELU. A hidden
    unit depends on the first m inputs. m is spread evenly over 0 .. D - 1 and increases with the unit's index, so that
    the units with the same m are adjacent. Units with m = 0 depend on the context only.

    Args:
        dims: D.
        outputs: O, the number of outputs for each input.
        hidden_dim: units of a hidden layer.
        hidden_layers: number of hidden layers, at least one.
        context_dim: C; 0 for none.
        output_bias: initial biases of the O outputs; zeros if None.

    >>> made = MaskedAutoregressive(3, 2, hidden_dim=8)
    >>> made(torch.zeros(5, 3)).shape
    torch.Size([5, 3, 2])
    >>> z = torch.randn(3)
    >>> torch.autograd.functional.jacobian(lambda x: made(x)[:, 0], z).triu().any().item()
    False
    """

    mask_direct: Tensor

    def __init__(
        self,
        dims: int,
        outputs: int,
        *,
        hidden_dim: int,
        hidden_layers: int = 1,
        context_dim: int = 0,
        output_bias: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.dims = dims
        seen_H = torch.arange(hidden_dim) * dims // hidden_dim
        seen_O = torch.arange(dims).repeat_interleave(outputs)
        seen_D = torch.arange(dims) + 1  # a unit that depends on m inputs may read input j (from 0) if j + 1 <= m
        sees = [seen_D, *[seen_H] * hidden_layers, seen_O]
        sizes = [len(seen) for seen in sees]
        pairs = list(pairwise(sizes))
        self.layers = nn.ModuleList(nn.Linear(below, above) for below, above in pairs)
        self.context = nn.ModuleList(nn.Linear(context_dim, above, bias=False) for _, above in pairs if context_dim)
        self.direct = nn.Parameter(torch.zeros(sizes[-1], dims))
        for number, (below, above) in enumerate(pairwise(sees)):
            mask = (above.unsqueeze(1) >= below).float()
            self.register_buffer(f"mask_{number}", mask, persistent=False)
        self.register_buffer("mask_direct", (seen_O.unsqueeze(1) >= seen_D).float(), persistent=False)
        # bounds[d] is the number of hidden units that depend on fewer than d inputs; plain integers, no device sync.
        bounds = [-(-d * hidden_dim // dims) for d in range(dims + 1)]
        places = tuple(slice(start, stop) for start, stop in pairwise(bounds))
        self._slices = (places,) * hidden_layers
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            # Small output weights, so that a flow starts close to the simple map that its output biases alone give.
            last.weight.mul_(0.1)
            last.bias.copy_(torch.tensor(list(output_bias or [0.0] * outputs)).repeat(dims))
            if context_dim:
                self.context[-1].weight.mul_(0.1)  # type: ignore[operator]

    def masked(self) -> AutoregressiveMap:
        """The function with the masks applied to the weights, once for many calls."""
        layers = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        contexts = [layer for layer in self.context if isinstance(layer, nn.Linear)]
        weights = [layer.weight * getattr(self, f"mask_{number}") for number, layer in enumerate(layers)]
        return AutoregressiveMap(
            tuple(weights),
            tuple(layer.bias for layer in layers),
            tuple(layer.weight for layer in contexts),
            self.direct * self.mask_direct,
            self._slices,
        )

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[..., D] -> [..., D, O]; see `AutoregressiveMap`."""
        return self.masked()(z, context)
