"""Stacked LSTM or GRU layers whose states at valid positions do not depend on padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.layers.locked_dropout import LockedDropout
from textvae.layers.lstm_with_term import lstm_with_term
from textvae.layers.pooling import valid_positions
from textvae.layers.precision import float32_where_needed

Cell = Literal["lstm", "gru"]


class RecurrentStack(nn.Module):
    """LSTM or GRU layers over padded batches, forward or in both directions.

    Sequences are not packed: batches of similar lengths have little padding, and the kernels for unpacked sequences are
    faster. Instead, the backward direction reads each sentence reversed within its own length, so that padding cannot
    influence a valid state.

    Args:
        cell: "lstm" or "gru".
        input_dim: features of the inputs.
        hidden_dim: features of the state of each direction.
        layers: number of layers.
        bidirectional: also read backwards; the outputs then have 2 * hidden_dim features.
        dropout: rate of the locked dropout between layers.
        state_dropout: share of the hidden-to-hidden weights dropped in training, the same ones for the whole batch
            (DropConnect; Merity et al. 2018, arXiv 1708.02182). The fast kernels do not allow dropout on the states
            themselves.
    """

    def __init__(
        self,
        cell: Cell,
        input_dim: int,
        hidden_dim: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        state_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell, self.hidden_dim, self.bidirectional = cell, hidden_dim, bidirectional
        self.state_dropout = state_dropout
        make = nn.LSTM if cell == "lstm" else nn.GRU
        directions = 2 if bidirectional else 1
        sizes = [input_dim] + [directions * hidden_dim] * (layers - 1)
        self.forward_layers = nn.ModuleList(make(size, hidden_dim, batch_first=True) for size in sizes)
        self.backward_layers = nn.ModuleList(
            make(size, hidden_dim, batch_first=True) for size in sizes if bidirectional
        )
        self.dropout = LockedDropout(dropout)
        self.output_dim = directions * hidden_dim
        for layer in (*self.forward_layers, *self.backward_layers):
            assert isinstance(layer, nn.LSTM | nn.GRU)
            _initialize(layer)

    def forward(
        self,
        inputs_BTH: Float[Tensor, "B T _"],
        lengths_B: Int[Tensor, " B"] | None = None,
        state: list[tuple[Tensor, ...]] | None = None,
        terms: Sequence[Tensor] = (),
    ) -> tuple[Float[Tensor, "B T H"], list[tuple[Tensor, ...]]]:
        """Run over whole sentences, or over a single step.

        Args:
            inputs_BTH: inputs.
            lengths_B: number of valid inputs of each row; needed only to read backwards.
            state: initial states of the forward direction: for each layer (h,) or (h, c), each [B, hidden_dim]; zeros
                if None.
            terms: what is added to the cell state of each layer at every step, each [B, hidden_dim], for an LSTM that
                only reads forward (`lstm_with_term`); empty for the ordinary cells, which have fast kernels.

        Returns:
            the outputs of the top layer, undefined at padding, and the final states of the forward direction. They are
            those of the last position, so they are meaningful only without padding.
        """
        reverse_BT = None
        if self.bidirectional:
            assert lengths_B is not None
            reverse_BT = _reversal(lengths_B, inputs_BTH.shape[1])
        states = []
        x = inputs_BTH
        for index, layer in enumerate(self.forward_layers):
            if index:
                x = self.dropout(x)
            given = None if state is None else tuple(part.unsqueeze(0) for part in state[index])
            output, after = self._run(layer, x, given, terms[index] if terms else None)
            states.append(tuple(part.squeeze(0) for part in (after if isinstance(after, tuple) else (after,))))
            if reverse_BT is not None:
                backward, _ = self._run(self.backward_layers[index], _take(x, reverse_BT), None)
                output = torch.cat([output, _take(backward, reverse_BT)], -1)
            x = output
        return x, states

    def _run(
        self, layer: nn.Module, x: Tensor, state: tuple[Tensor, ...] | None, term_BH: Tensor | None = None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """One layer in one direction, in float32 where the machine has no half precision for it."""
        with float32_where_needed(x) as converted:
            if converted:
                x = x.float()
                state = None if state is None else tuple(part.float() for part in state)
            return self._computed(layer, x, state, term_BH)

    def _computed(
        self, layer: nn.Module, x: Tensor, state: tuple[Tensor, ...] | None, term_BH: Tensor | None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """One layer in one direction, with some of its hidden-to-hidden weights dropped in training."""
        assert isinstance(layer, nn.LSTM | nn.GRU)
        drops = self.training and self.state_dropout > 0.0
        if not drops and term_BH is None:
            return layer(x, state[0] if state is not None and self.cell == "gru" else state)
        if state is None:
            zero = x.new_zeros(1, x.shape[0], self.hidden_dim)
            state = (zero, zero) if self.cell == "lstm" else (zero,)
        weights: list[Tensor] = [parameter for _, parameter in layer.named_parameters()]  # W_ih, W_hh, b_ih, b_hh
        if drops:
            weights[1] = nn.functional.dropout(weights[1], self.state_dropout)
        if term_BH is not None:
            output, (h, c) = lstm_with_term(x, (state[0].squeeze(0), state[1].squeeze(0)), term_BH, weights)
            return output, (h.unsqueeze(0), c.unsqueeze(0))
        if self.cell == "lstm":
            output, h, c = torch.lstm(x, state, weights, True, 1, 0.0, True, False, True)
            return output, (h, c)
        return torch.gru(x, state[0], weights, True, 1, 0.0, True, False, True)

    def last_state(self, outputs_BTH: Float[Tensor, "B T H"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """The state after reading the whole sentence: forward at the last position, backward at the first, [B, H]."""
        rows = torch.arange(len(lengths_B), device=lengths_B.device)
        last = outputs_BTH[rows, lengths_B - 1]
        if not self.bidirectional:
            return last
        return torch.cat([last[:, : self.hidden_dim], outputs_BTH[:, 0, self.hidden_dim :]], -1)


def _reversal(lengths_B: Tensor, width: int) -> Tensor:
    """The indices that reverse each sentence within its own length; padding stays in place."""
    position_T = torch.arange(width, device=lengths_B.device)
    mirrored_BT = lengths_B.unsqueeze(1) - 1 - position_T
    return torch.where(valid_positions(lengths_B, width), mirrored_BT, position_T)


def _take(x_BTH: Tensor, index_BT: Tensor) -> Tensor:
    return x_BTH.gather(1, index_BT.unsqueeze(-1).expand(-1, -1, x_BTH.shape[-1]))


def _initialize(layer: nn.LSTM | nn.GRU) -> None:
    """Orthogonal recurrent weights, Glorot input weights, zero biases but 1 for an LSTM's forget gates."""
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.data.split(layer.hidden_size):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            for gate in parameter.data.split(layer.hidden_size):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih") and isinstance(layer, nn.LSTM):
                parameter.data[layer.hidden_size : 2 * layer.hidden_size] = 1.0
