"""A pretrained sentence encoder of Hugging Face transformers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from textvae.encoders.backbone import (
    Pooling,
    last_layer,
    load_backbone,
    padded,
    pooled_states,
    unused_parts,
    width_of,
)
from textvae.encoders.backbone_files import FILES, BackboneFiles, find_backbone
from textvae.encoders.base import Encoder, EncoderSettings
from textvae.encoders.frozen import frozen_backbone
from textvae.errors import ModelError
from textvae.layers import uncompiled


class PretrainedEncoderConfig(EncoderSettings):
    """Settings of a pretrained encoder."""

    kind: Literal["pretrained"] = "pretrained"
    file_names: ClassVar[tuple[str, ...]] = FILES
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {"model": "tiny-bert"},
        "first": {"model": "tiny-bert", "pooling": "first"},
        "last-layer": {"model": "tiny-bert", "trainable": "last", "pooling": "max"},
        "all": {"model": "tiny-bert", "trainable": "all"},
    }
    model: str = Field(
        min_length=1, max_length=1000, description="the folder of a model, or its name on the Hugging Face hub"
    )
    revision: str | None = Field(
        None, description="a branch, a tag or a commit on the hub; its main branch when absent"
    )
    trainable: Literal["none", "last", "all"] = Field(
        "none", description="which weights are trained: none, those of the last layer, or all"
    )
    pooling: Pooling = Field("mean", description="of the last states, over a sentence's tokens")

    _files: Mapping[str, bytes] | None = PrivateAttr(None)

    def with_files(self, files: Mapping[str, bytes]) -> PretrainedEncoderConfig:
        copy = self.model_copy()
        copy._files = files or None
        return copy

    def build(self, *, vocab_size: int, max_tokens: int | None = None) -> PretrainedEncoder:
        if self._files is not None:
            return TunedEncoder(self, BackboneFiles(self.model, self._files, {}))
        source = find_backbone(self.model, self.revision)
        return FrozenEncoder(self, source) if self.trainable == "none" else TunedEncoder(self, source)


class PretrainedEncoder(Encoder):
    """Tokens to text by the model's tokenizer, text to ids by that of the pretrained encoder, and pooled states.

    The text is `Tokenizer.decode` of a sentence, so it is the sentence as the decoder knows it: cut at the model's
    `max_tokens`, changed by augmentations, an unknown word as ``<unk>``. It is cut again at the longest text that the
    pretrained encoder reads. Pooling is over all tokens of that text, the encoder's special ones among them. Features
    are not normalized.

    Args:
        config: the settings.
    """

    place: Tensor

    def __init__(self, config: PretrainedEncoderConfig) -> None:
        super().__init__()
        self.config = config
        # It follows the model to its device and dtype, also where no weight is the model's own.
        self.register_buffer("place", torch.zeros(()), persistent=False)

    def forward(self, tokens_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"]) -> Float[Tensor, "B H"]:
        return self._read(tokens_BT, lengths_B)

    @uncompiled
    def _read(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        if self.tokenizer is None:
            raise ModelError(
                "a pretrained encoder reads text, and the model has no tokenizer to turn tokens into it; set "
                "model.tokenizer, or give train(...) the tokenizer."
            )
        tokens = tokens_BT.cpu().numpy().astype(np.int32)
        rows = [row[1 : length - 1] for row, length in zip(tokens, lengths_B.tolist(), strict=True)]
        return self.features_of(rows)

    def texts_of(self, rows: Sequence[np.ndarray]) -> list[str]:
        """The text of each sentence.

        Args:
            rows: ids of the words of each, without BOS and EOS.
        """
        assert self.tokenizer is not None
        return self.tokenizer.decode_batch(rows)

    @abstractmethod
    def features_of(self, rows: Sequence[np.ndarray]) -> Float[Tensor, "B H"]:
        """The features of each sentence.

        Args:
            rows: as of `texts_of`.
        """


class FrozenEncoder(PretrainedEncoder):
    """A pretrained encoder that is not trained: always in evaluation mode, in float32, without a gradient.

    Its weights are not those of the model: they are shared in the process, and neither counted nor saved. What is saved
    is their SHA-256, which is compared when the model or a checkpoint is loaded.

    A sentence has the same features, to the bit, as long as they are kept in memory (`Encoder.freeze`); computed anew
    they are equal to within 1e-5 (see `FrozenBackbone`).

    Args:
        config: the settings.
        source: the files.
    """

    def __init__(self, config: PretrainedEncoderConfig, source: BackboneFiles) -> None:
        super().__init__(config)
        self.backbone = frozen_backbone(source)
        self.feature_dim = self.backbone.width
        self.freeze()
        if not self.place.is_meta:
            self.backbone.load()

    def features_of(self, rows: Sequence[np.ndarray]) -> Float[Tensor, "B H"]:
        found_BH = self.backbone.encode(self.texts_of(rows), self.config.pooling, self.place.device)
        return torch.from_numpy(found_BH).to(self.place)

    def get_extra_state(self) -> Tensor:
        """The SHA-256 of the weights, uint8 [32]."""
        digest = bytes(32) if self.place.is_meta else bytes.fromhex(self.backbone.sha256)
        return torch.tensor(list(digest), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Compare the SHA-256 of the weights with that which was saved.

        Raises:
            ModelError: they differ.
        """
        expected, found = bytes(state.tolist()).hex(), self.backbone.sha256
        if found != expected:
            raise ModelError(
                f"the model was trained on features of a pretrained encoder whose weights have SHA-256 {expected}, and "
                f"those of '{self.config.model}' have {found}; put the former weights there, or write where they are "
                "into 'model' of the encoder in the model's config.json."
            )


class TunedEncoder(PretrainedEncoder):
    """A pretrained encoder of which the last layer or all weights are trained; all of them are the model's own.

    They are saved with the model, whole, and so are the files of settings and tokenizer. Parts that are not trained
    run in evaluation mode.

    Args:
        config: the settings.
        source: the files; without weights, those that are read later take the place of new ones.
    """

    def __init__(self, config: PretrainedEncoderConfig, source: BackboneFiles) -> None:
        super().__init__(config)
        self._source_files = source.files
        self.reader, self.backbone = load_backbone(source)
        self.feature_dim = width_of(source)
        trained = last_layer(self.backbone, source) if config.trainable == "last" else self.backbone
        self.backbone.requires_grad_(False)
        trained.requires_grad_(True)
        for part in unused_parts(self.backbone):
            part.requires_grad_(False)
        # In a list, so that it is no second name of the same weights.
        self._trained: list[nn.Module] = [trained]

    def train(self, mode: bool = True) -> TunedEncoder:
        super().train(mode)
        self.backbone.eval()
        for part in self._trained:
            part.train(self.training)
        return self

    def own_files(self) -> Mapping[str, bytes]:
        return self._source_files

    def features_of(self, rows: Sequence[np.ndarray]) -> Float[Tensor, "B H"]:
        given = self.reader(self.texts_of(rows))
        if not given:
            return self.place.new_zeros(0, self.feature_dim)
        width = max(len(row) for row in given)
        ids_BT, lengths_B = padded(given, width, self.reader.pad_id, self.place.device)
        return pooled_states(self.backbone, ids_BT, lengths_B, self.config.pooling)
