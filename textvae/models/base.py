"""What all models share: terms for objectives, texts in and out, a folder on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from textvae.config import Component
from textvae.decoders import Decoder
from textvae.errors import ModelError
from textvae.generation import Decoding, DecodingConfig, GreedyConfig, generate
from textvae.models import storage
from textvae.text.tokenizers import Tokenizer
from textvae.types import Batch, Context, LatentTerms


class TextModel(nn.Module):
    """A probability model of sentences.

    Attributes:
        config: what it was built from.
        sizes: the numbers that came from the corpus: vocab_size, max_tokens, label_names.
        tokenizer: set on models that came from disk or from training; needed for texts, not for tensors.
    """

    config: Component
    decoder: Decoder
    tokenizer: Tokenizer | None = None

    def __init__(self, config: Component, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> None:
        super().__init__()
        self.config, self.vocab_size, self.max_tokens = config, vocab_size, max_tokens
        self.label_names = tuple(label_names)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def latent_dim(self) -> int:
        return self.decoder.latent_dim

    @property
    def num_parameters(self) -> int:
        """Trainable numbers, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """All that objectives and bounds need of a batch."""
        raise NotImplementedError

    def forward(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The same as `terms`: what wrappers for several processes call."""
        return self.terms(batch, num_samples)

    def set_label_prior(self, counts_C: Tensor) -> None:
        """p(y) from how often each label was seen in training; a model without labels has none to set."""

    def require_tokenizer(self) -> Tokenizer:
        if self.tokenizer is None:
            raise ModelError("this model has no tokenizer, so it can take no text; load it with from_pretrained.")
        return self.tokenizer

    def limited(self, decoding: Decoding | None) -> Decoding:
        """Greedy by default, and no longer than the sentences the model was trained on."""
        decoding = GreedyConfig() if decoding is None else decoding
        return decoding if decoding.max_tokens else decoding.model_copy(update={"max_tokens": self.max_tokens})

    def decode(
        self,
        z_ND: Float[Tensor, "N D"],
        decoding: DecodingConfig | None = None,
        context: Context | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Latent to text: one sentence for each code, the likeliest by default.

        Args:
            z_ND: codes.
            decoding: greedy when None.
            context: labels, for a model conditioned on them.
            generator: for decodings that draw.
        """
        tokenizer = self.require_tokenizer()
        made = generate(
            self.decoder, z_ND.to(self.device), self.limited(decoding), context=context, generator=generator
        )
        return tokenizer.decode_batch(made.tokens)

    def save_pretrained(self, folder: str | Path, card: dict[str, Any] | None = None) -> None:
        """Write the model as a folder: config.json, model.safetensors, tokenizer, README.md."""
        storage.save(self, Path(folder), card or {})
