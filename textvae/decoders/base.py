"""The base classes of decoders, which compute log p(x|z) of sentences or token by token, and of their settings."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component
from textvae.layers import VocabularyProjection, drop_words
from textvae.types import PAD_ID, Context, DecoderState


class DecoderSettings(Component):
    """The settings of a decoder, with the traits that other parts read before it is built."""

    @property
    @abstractmethod
    def hides_words(self) -> bool:
        """Whether some input words are hidden in training (`word_dropout` above 0). A decoder without such a setting
        returns True, so that the collapse guard does not advise it."""

    @abstractmethod
    def build(self, *, vocab_size: int, latent_dim: int, num_labels: int = 0, max_tokens: int | None = None) -> Decoder:
        """Build the decoder with new parameters.

        Args:
            vocab_size: V.
            latent_dim: D; 0 for a language model.
            num_labels: C for a decoder p(x|z, y) that is conditioned on a label; else 0.
            max_tokens: the longest sentence in tokens, EOS not counted; None for a default or no limit.
        """


class Decoder(nn.Module):
    """z, tokens -> log p(x|z).

    Teacher forcing (`token_log_prob`) and stepping (`init_state`, `step`) must give the same probabilities. PAD and BOS
    have probability zero, so that the probabilities of all sentences sum to one for any z.

    Attributes:
        latent_dim: D; 0 for a language model, whose z is [S, B, 0].
        max_tokens: the longest sequence of predicted tokens, EOS included; None for no limit.
        num_labels: C if the decoder is conditioned on a label, else 0.
        word_dropout: share of input words hidden in training; at 1 the decoder has no word inputs at all.
        vocabulary: the layer from states to word probabilities.
    """

    latent_dim: int
    num_labels: int
    max_tokens: int | None
    word_dropout: float
    vocabulary: VocabularyProjection

    @property
    def inputless(self) -> bool:
        """Whether the decoder has no word inputs, in training, evaluation and generation alike."""
        return self.word_dropout == 1

    def token_log_prob(
        self, tokens_BT: Int[Tensor, "B T"], z_SBD: Float[Tensor, "S B D"], context: Context | None = None
    ) -> Float[Tensor, "S B T-1"]:
        """log p(x_t | x_<t, z) of tokens 1 .. T-1, nats; 0 at padding.

        Args:
            tokens_BT: BOS, words, EOS, padding.
            z_SBD: S codes for each sentence.
            context: the labels, for a decoder conditioned on them; `label_B` is [B], or [S, B] if it differs between
                samples.
        """
        samples, sentences, _ = z_SBD.shape
        inputs_BT = tokens_BT[:, :-1]
        if self.training and not self.inputless:
            inputs_BT = drop_words(inputs_BT, self.word_dropout)
        label_N = label_rows(context, samples, sentences) if self.num_labels else None
        states_NTH = self.states(inputs_BT, z_SBD.reshape(samples * sentences, -1), label_N)
        tokens_NT = tokens_BT.repeat(samples, 1)
        # The vocabulary projection is most of the computation, so padding is left out before it.
        valid_NT = valid_targets(tokens_NT)
        scores = self.vocabulary.target_log_prob(states_NTH[valid_NT], tokens_NT[:, 1:][valid_NT])
        return scatter_valid(scores, valid_NT).unflatten(0, (samples, sentences))

    def states(
        self, inputs_BT: Int[Tensor, "B T"], z_ND: Float[Tensor, "N D"], label_N: Int[Tensor, " N"] | None
    ) -> Float[Tensor, "N T H"]:
        """The hidden states that predict each next word, with teacher forcing.

        Args:
            inputs_BT: BOS and words, padded.
            z_ND: codes, N = S * B, the batch of the first sample first.
            label_N: classes, for a decoder conditioned on labels; else None.
        """
        raise NotImplementedError

    def log_prob(
        self, tokens_BT: Int[Tensor, "B T"], z_SBD: Float[Tensor, "S B D"], context: Context | None = None
    ) -> Float[Tensor, "S B"]:
        """log p(x|z), nats, summed over tokens."""
        return self.token_log_prob(tokens_BT, z_SBD, context).sum(-1)

    def init_state(self, z_ND: Float[Tensor, "N D"], context: Context | None = None) -> DecoderState:
        """The state before BOS is read, one row for each code."""
        raise NotImplementedError

    def step(self, token_N: Int[Tensor, " N"], state: DecoderState) -> tuple[Float[Tensor, "N V"], DecoderState]:
        """Read one token in each row (first BOS): the log-probabilities of the next one, nats, and the new state."""
        raise NotImplementedError

    def select(self, state: DecoderState, index_M: Int[Tensor, " M"]) -> DecoderState:
        """The state of the rows at `index_M`, which may be repeated or reordered, as in beam search."""
        raise NotImplementedError


def label_rows(context: Context | None, samples: int, sentences: int) -> Tensor:
    """The labels of the S * B rows, from a context with labels [B] or [S, B]."""
    assert context is not None and context.label_B is not None, "this decoder is conditioned on a label"
    return context.label_B.expand(samples, sentences).reshape(-1)


def valid_targets(tokens_BT: Tensor) -> Tensor:
    """Which of the predicted tokens 1 .. T-1 are not padding, [B, T-1]."""
    return tokens_BT[:, 1:] != PAD_ID


def scatter_valid(values: Tensor, valid_NT: Tensor) -> Tensor:
    """Put the values of the valid positions, in order, back in their places; 0 elsewhere."""
    out = torch.zeros(valid_NT.shape, dtype=values.dtype, device=values.device)
    return out.masked_scatter(valid_NT, values)
