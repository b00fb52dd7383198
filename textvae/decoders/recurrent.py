"""LSTM and GRU decoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_WIDTH
from textvae.decoders.base import Decoder, DecoderSettings, label_rows
from textvae.layers import Cell, Linear, LockedDropout, RecurrentStack, VocabularyProjection
from textvae.types import PAD_ID, Context

_SMALL = {"embedding_dim": 6, "hidden_dim": 5}


class _RecurrentDecoderConfig(DecoderSettings):
    embedding_dim: int = Field(256, gt=0, le=MAX_WIDTH)
    hidden_dim: int = Field(256, gt=0, le=MAX_WIDTH)
    layers: int = Field(1, gt=0, le=MAX_LAYERS)
    z_to: Literal["initial_state", "every_step", "both"] = Field("both", description="how z enters")
    word_dropout: float = Field(0.0, ge=0, le=1, description="share of input words hidden in training; 1 = inputless")
    dropout: float = Field(0.0, ge=0, lt=1, description="locked dropout on embeddings, between layers and on outputs")
    state_dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden-to-hidden weights dropped in training")
    label_dim: int = Field(
        16, gt=0, le=MAX_WIDTH, description="features of the class embedding, where labels are at the inputs"
    )
    tie_embeddings: bool = Field(
        False, description="predict words with their embeddings, after a linear map to their size"
    )

    @model_validator(mode="after")
    def _tied_sizes(self) -> _RecurrentDecoderConfig:
        if self.tie_embeddings and self.word_dropout == 1:
            raise ValueError("an inputless decoder (word_dropout = 1) has no embedding to tie")
        return self

    @property
    def hides_words(self) -> bool:
        return self.word_dropout > 0

    @property
    def label_in_cell(self) -> bool:
        """Whether a label enters the cells of the layers, and not their inputs."""
        return False

    def build(
        self, *, vocab_size: int, latent_dim: int, num_labels: int = 0, max_tokens: int | None = None
    ) -> RecurrentDecoder:
        return RecurrentDecoder(self, vocab_size, latent_dim, num_labels)


class LSTMDecoderConfig(_RecurrentDecoderConfig):
    """Settings of an LSTM decoder."""

    kind: Literal["lstm"] = "lstm"
    added: ClassVar[frozenset[str]] = frozenset({"label_to"})
    label_to: Literal["input", "cell"] = Field(
        "input", description="how a label enters, where there are labels: beside every input word, or into the cells"
    )
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "initial": {**_SMALL, "z_to": "initial_state"},
        "every": {**_SMALL, "z_to": "every_step"},
        "both-2-layers": {**_SMALL, "z_to": "both", "layers": 2, "dropout": 0.3},
        "word-dropout": {**_SMALL, "word_dropout": 0.4},
        "inputless": {**_SMALL, "word_dropout": 1.0},
        "tied": {"embedding_dim": 5, "hidden_dim": 5, "tie_embeddings": True},
        "tied-larger": {"embedding_dim": 5, "hidden_dim": 7, "tie_embeddings": True, "state_dropout": 0.4},
        "cell": {**_SMALL, "label_to": "cell", "word_dropout": 0.4},
        "cell-2-layers": {**_SMALL, "label_to": "cell", "layers": 2, "dropout": 0.3, "state_dropout": 0.4},
    }

    @property
    def label_in_cell(self) -> bool:
        return self.label_to == "cell"


class GRUDecoderConfig(_RecurrentDecoderConfig):
    """Settings of a GRU decoder."""

    kind: Literal["gru"] = "gru"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "both": {**_SMALL, "z_to": "both", "layers": 2, "state_dropout": 0.3},
        "inputless-every": {**_SMALL, "z_to": "every_step", "word_dropout": 1.0},
    }


RecurrentState = tuple[list[tuple[Tensor, ...]], Tensor, list[Tensor]]
"""The states of the layers, the part of the inputs that is the same at every step, [N, D + label_dim], and what is
added to the cell of each layer, each [N, H], or nothing."""


class RecurrentDecoder(Decoder):
    """An autoregressive LSTM or GRU over words.

    z enters as the initial state (c = W z + b, h = tanh(c); He et al. 2019, arXiv 1901.05534), concatenated to every
    input word, or both.

    A label enters in one of the two ways of Xu et al. 2017 (arXiv 1603.02514). Its embedding is concatenated to every
    input word (`label_to` = ``input``; CLSTM-I), or the cell of an LSTM gets one more term at every step (``cell``;
    CLSTM-II, the SC-LSTM without a gate on the label): c_t = f_t c_{t-1} + i_t c~_t + tanh(W_y y). Each layer has a W_y
    of its own, [H, C], which begins as zero: the decoder begins as the one without labels. The cell with the term has
    no fast kernel, and is computed in a loop over time. Without labels the setting changes nothing.

    Args:
        config: the settings.
        vocab_size: V.
        latent_dim: D; 0 for a language model.
        num_labels: C; 0 without labels.

    >>> import torch
    >>> decoder = LSTMDecoderConfig(embedding_dim=4, hidden_dim=3).build(vocab_size=10, latent_dim=2)
    >>> decoder.log_prob(torch.tensor([[1, 5, 6, 2]]), torch.zeros(7, 1, 2)).shape
    torch.Size([7, 1])
    """

    def __init__(self, config: _RecurrentDecoderConfig, vocab_size: int, latent_dim: int, num_labels: int = 0) -> None:
        super().__init__()
        cell: Cell = config.kind  # type: ignore[assignment]
        self.latent_dim, self.num_labels, self.max_tokens = latent_dim, num_labels, None
        self.layers, self.hidden_dim, self.word_dropout = config.layers, config.hidden_dim, config.word_dropout
        self.z_at_every_step = latent_dim > 0 and config.z_to in ("every_step", "both")
        if self.inputless:
            # One learned vector is the input in place of every word.
            self.start = nn.Parameter(torch.empty(config.embedding_dim).uniform_(-0.1, 0.1))
        else:
            self.embedding = nn.Embedding(vocab_size, config.embedding_dim, padding_idx=PAD_ID)
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        label_in_input = num_labels > 0 and not config.label_in_cell
        self.label = nn.Embedding(num_labels, config.label_dim) if label_in_input else None
        self.label_cell = None
        if num_labels and config.label_in_cell:
            # The rows of W_y of all layers, side by side. No label is better than another before anything was learned.
            self.label_cell = nn.Embedding(num_labels, config.layers * config.hidden_dim)
            nn.init.zeros_(self.label_cell.weight)
        constant_dim = (latent_dim if self.z_at_every_step else 0) + (config.label_dim if label_in_input else 0)
        self.stack = RecurrentStack(
            cell,
            config.embedding_dim + constant_dim,
            config.hidden_dim,
            config.layers,
            dropout=config.dropout,
            state_dropout=config.state_dropout,
        )
        self.initial = None
        if latent_dim > 0 and config.z_to in ("initial_state", "both"):
            self.initial = Linear(latent_dim, config.layers * config.hidden_dim)
        self.dropout = LockedDropout(config.dropout)
        tied = self.embedding.weight if config.tie_embeddings else None
        # A tied projection needs states of the embedding's size; if the cell's have another, a linear map is inserted.
        between = config.tie_embeddings and config.embedding_dim != config.hidden_dim
        self.to_embedding = Linear(config.hidden_dim, config.embedding_dim) if between else nn.Identity()
        output_dim = config.embedding_dim if config.tie_embeddings else config.hidden_dim
        self.vocabulary = VocabularyProjection(output_dim, vocab_size, tied)

    def _initial_state(self, z_ND: Tensor) -> list[tuple[Tensor, ...]]:
        if self.initial is None:
            zero = z_ND.new_zeros(z_ND.shape[0], self.hidden_dim)
            parts = [zero] * self.layers
        else:
            parts = list(self.initial(z_ND).chunk(self.layers, -1))
        if self.stack.cell == "lstm":
            return [(torch.tanh(part), part.contiguous()) for part in parts]
        return [(torch.tanh(part),) for part in parts]

    def _constant_input(self, z_ND: Tensor, label_N: Tensor | None) -> Tensor:
        parts = [z_ND] if self.z_at_every_step else []
        if self.label is not None:
            parts.append(self.label(label_N))
        return torch.cat(parts, -1) if parts else z_ND.new_zeros(z_ND.shape[0], 0)

    def _terms(self, label_N: Tensor | None) -> list[Tensor]:
        """tanh(W_y y) of each layer, each [N, H]; none where the label is at the inputs or there is no label."""
        if self.label_cell is None:
            return []
        return list(torch.tanh(self.label_cell(label_N)).chunk(self.layers, -1))

    def _words(self, tokens_NT: Tensor) -> Tensor:
        if self.inputless:
            return self.start.expand(*tokens_NT.shape, -1)
        return self.embedding(tokens_NT)

    def states(
        self, inputs_BT: Int[Tensor, "B T"], z_ND: Float[Tensor, "N D"], label_N: Int[Tensor, " N"] | None
    ) -> Float[Tensor, "N T H"]:
        words = self.dropout(self._words(inputs_BT)).repeat(len(z_ND) // len(inputs_BT), 1, 1)
        constant = self._constant_input(z_ND, label_N)
        if constant.shape[-1]:
            words = torch.cat([words, constant.unsqueeze(1).expand(-1, words.shape[1], -1)], -1)
        hidden, _ = self.stack(words, state=self._initial_state(z_ND), terms=self._terms(label_N))
        return self.dropout(self.to_embedding(hidden))

    def init_state(self, z_ND: Float[Tensor, "N D"], context: Context | None = None) -> RecurrentState:
        label_N = label_rows(context, 1, z_ND.shape[0]) if self.num_labels else None
        return self._initial_state(z_ND), self._constant_input(z_ND, label_N), self._terms(label_N)

    def step(self, token_N: Int[Tensor, " N"], state: RecurrentState) -> tuple[Float[Tensor, "N V"], RecurrentState]:
        layers, constant, terms = state
        words = self._words(token_N.unsqueeze(1))
        if constant.shape[-1]:
            words = torch.cat([words, constant.unsqueeze(1)], -1)
        hidden, layers = self.stack(words, state=layers, terms=terms)
        return self.vocabulary(self.to_embedding(hidden.squeeze(1))), (layers, constant, terms)

    def select(self, state: RecurrentState, index_M: Int[Tensor, " M"]) -> RecurrentState:
        layers, constant, terms = state
        chosen = [tuple(part[index_M] for part in layer) for layer in layers]
        return chosen, constant[index_M], [term[index_M] for term in terms]
