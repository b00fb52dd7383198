"""The language model without z: the baseline of every table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field

from textvae.decoders import DecoderConfig, LSTMDecoderConfig
from textvae.decoders.base import DecoderSettings
from textvae.models import loading
from textvae.models.base import ModelSettings, TextModel
from textvae.types import Batch, LatentTerms


class LanguageModelConfig(ModelSettings):
    """Settings of a language model: those of its decoder."""

    kind: Literal["language_model"] = "language_model"
    has_code: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    decoder: DecoderConfig = Field(default_factory=LSTMDecoderConfig)

    @property
    def decoder_settings(self) -> DecoderSettings:
        return self.decoder

    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> LanguageModel:
        return LanguageModel(self, vocab_size, max_tokens)


class LanguageModel(TextModel):
    """p(x) by a decoder whose z has no dimensions; its likelihood is exact.

    Args:
        config: the settings.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.
    """

    def __init__(self, config: LanguageModelConfig, vocab_size: int, max_tokens: int) -> None:
        super().__init__(config, vocab_size, max_tokens)
        self.decoder = config.decoder.build(vocab_size=vocab_size, latent_dim=0, max_tokens=max_tokens)

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """log p(x), as terms with one sample and no latent variable; `num_samples` has no effect."""
        sentences = batch.tokens_BT.shape[0]
        z_SBD = next(self.parameters()).new_zeros(1, sentences, 0)
        log_px_SB = self.decoder.log_prob(batch.tokens_BT, z_SBD)
        return LatentTerms(log_px_SB, torch.zeros_like(log_px_SB).detach(), batch.lengths_B - 1)

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, *, revision: str | None = None) -> LanguageModel:
        """Load a trained language model.

        Args:
            folder_or_name: a finished run (`runs/NAME_lm`), a model folder, or a name on the Hugging Face hub.
            revision: a branch, a tag or a commit on the hub.

        Raises:
            ModelError: there is no model, or it is damaged, not written by textvae, or of another kind.
            MachineError: the hub cannot be reached.
        """
        return loading.load_as(cls, LanguageModelConfig, folder_or_name, revision=revision)
