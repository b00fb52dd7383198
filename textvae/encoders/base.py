"""The base classes of encoders, which turn tokens into one feature vector for each sentence, and of their settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component
from textvae.encoders.feature_memory import FeatureMemory
from textvae.layers import uncompiled
from textvae.text.tokenizers.base import Tokenizer

REMEMBERED, REMEMBERED_BYTES = 200_000, 10**9
"""Sentences whose features a frozen encoder keeps in memory, 4 * H bytes each, and bytes of them, at most."""


class EncoderSettings(Component):
    """The settings of an encoder, with the traits that other parts read before it is built.

    Attributes:
        file_names: the names of all files that `Encoder.own_files` may have.
    """

    file_names: ClassVar[tuple[str, ...]] = ()

    @property
    def reads_last_state(self) -> bool:
        """Whether the features are only the state at the last word, which tends to forget the first words."""
        return False

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> Encoder:
        """Build the encoder with new parameters.

        Args:
            vocab_size: V.
            max_tokens: the longest sentence in tokens, EOS not counted; None for a default.
        """

    def with_files(self, files: Mapping[str, bytes]) -> EncoderSettings:
        """These settings for building an encoder whose weights are read afterwards.

        Args:
            files: what `Encoder.own_files` gave when the model was saved.
        """
        return self


class Encoder(nn.Module):
    """tokens -> features.

    An encoder reads the words and EOS, not BOS. Its features must not depend on padding or on the other sentences of
    the batch.

    Attributes:
        feature_dim: H.
        tokenizer: for an encoder that reads text; set by the model.
        memory: of a frozen encoder, the features of sentences that it has read before; else None.
    """

    feature_dim: int
    tokenizer: Tokenizer | None = None
    memory: FeatureMemory | None = None
    _remembered_by: Tokenizer | None = None

    def freeze(self) -> None:
        """From now on its weights are not trained, it has no dropout, and it reads each sentence once.

        The features of up to `REMEMBERED` sentences are kept in memory, in float32. A sentence has the same features,
        to the bit, as long as they are kept. They are not saved, and a loaded encoder is not frozen.
        """
        self.requires_grad_(False)
        self.memory = FeatureMemory(self.feature_dim, min(REMEMBERED, REMEMBERED_BYTES // (4 * self.feature_dim)))
        self.eval()

    def train(self, mode: bool = True) -> Encoder:
        super().train(mode and self.memory is None)
        return self

    def __call__(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        if self.memory is None:
            found: Tensor = super().__call__(tokens_BT, lengths_B)
            return found
        return self._remembered(tokens_BT, lengths_B)

    @uncompiled
    def _remembered(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """The features, of sentences that were read before from memory."""
        assert self.memory is not None
        if self._remembered_by is not self.tokenizer:
            # The same ids are other words to another tokenizer.
            self._remembered_by, self.memory = self.tokenizer, FeatureMemory(self.feature_dim, self.memory.most)
        tokens = tokens_BT.cpu().numpy().astype(np.int32)
        keys = [row[:length].tobytes() for row, length in zip(tokens, lengths_B.tolist(), strict=True)]
        missing = self.memory.missing(keys)
        features_BH = np.zeros((len(keys), self.feature_dim), dtype=np.float32)
        known, known_KH = self.memory.find(keys)
        features_BH[known] = known_KH
        if missing:
            rows_M = torch.tensor(missing, device=tokens_BT.device)
            with torch.no_grad():
                fresh_MH = super().__call__(tokens_BT[rows_M], lengths_B[rows_M]).float().cpu().numpy()
            fresh = {keys[place]: row for row, place in enumerate(missing)}
            for place, key in enumerate(keys):
                if key in fresh:
                    features_BH[place] = fresh_MH[fresh[key]]
            self.memory.store(list(fresh), fresh_MH)
        owned = next(one for one in chain(self.parameters(), self.buffers()) if one.is_floating_point())
        return torch.from_numpy(features_BH).to(owned)

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """Args:
        tokens_BT: BOS, words, EOS, padding.
        lengths_B: valid tokens of each row, BOS and EOS included.
        """
        raise NotImplementedError

    def own_files(self) -> Mapping[str, bytes]:
        """Files by name without which the encoder cannot be built again; they are saved in the model's folder."""
        return {}
