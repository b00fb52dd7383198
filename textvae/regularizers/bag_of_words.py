"""The bag-of-words loss: the words of a sentence must be predictable from z alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_WIDTH
from textvae.errors import ConfigError
from textvae.layers import VocabularyProjection, words_of
from textvae.models import TextModel
from textvae.regularizers.base import RegularizerSettings
from textvae.types import EOS_ID, Batch, LatentTerms


class BagOfWordsConfig(RegularizerSettings):
    """Settings of a bag-of-words loss."""

    kind: Literal["bag_of_words"] = "bag_of_words"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"": {}, "hidden": {"weight": 0.3, "hidden_dim": 4}}
    weight: float = Field(1.0, gt=0, description="weight of this loss")
    hidden_dim: int | None = Field(
        None, gt=0, le=MAX_WIDTH, description="units of a tanh layer between z and the vocabulary; none when absent"
    )

    def build(self, *, vocab_size: int, latent_dim: int, steps_per_epoch: int, total_steps: int) -> BagOfWordsLoss:
        return BagOfWordsLoss(self, vocab_size, latent_dim)


class BagOfWordsLoss(nn.Module):
    """-weight * E_q(z|x) sum over the words w of x of log softmax(f(z))_w.

    Zhao et al. 2017 (arXiv 1703.10960), eq. 4-5: an auxiliary task that can be solved only through z, because its words
    are independent given z. f is linear, or has one tanh layer. Each occurrence of a word counts, also `<unk>`, but not
    EOS, as all sentences have it. The expectation uses the weights of the samples, so that enumerated labels are
    weighted by q(y|x). f is not part of the model: it is trained and kept in checkpoints, but not saved with the model.

    Args:
        config: the settings.
        vocab_size: V.
        latent_dim: D.

    Raises:
        ConfigError: the model has no z.

    >>> from textvae.models import TextVAEConfig
    >>> model = TextVAEConfig(latent_dim=3).build(vocab_size=12, max_tokens=5)
    >>> batch = Batch(torch.tensor([[1, 5, 6, 2]]), torch.tensor([4]))
    >>> loss = BagOfWordsConfig(weight=0.5).build(vocab_size=12, latent_dim=3, steps_per_epoch=1, total_steps=1)
    >>> loss(model, batch, model.terms(batch), 0)["bag_of_words"].shape
    torch.Size([1])
    """

    def __init__(self, config: BagOfWordsConfig, vocab_size: int, latent_dim: int) -> None:
        super().__init__()
        if latent_dim == 0:
            raise ConfigError(
                "a 'bag_of_words' regularizer reads z, which a language model does not have; "
                "remove it from train.regularizers."
            )
        self.weight = config.weight
        self.hidden: nn.Module = nn.Identity()
        if config.hidden_dim is not None:
            self.hidden = nn.Sequential(nn.Linear(latent_dim, config.hidden_dim), nn.Tanh())
        self.words = VocabularyProjection(config.hidden_dim or latent_dim, vocab_size)

    def forward(self, model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        """The penalty of each sentence, nats, [B], under the name `bag_of_words`."""
        z_SBD = sentence_codes(terms)
        # One softmax for each code, [S, B, V], then a look-up for each word; a tensor [S, B, T, V] would be too large.
        log_prob_SBV = self.words(self.hidden(z_SBD.flatten(0, 1))).unflatten(0, z_SBD.shape[:2])
        tokens_BT = batch.tokens_BT
        counted_BT = words_of(tokens_BT)
        # Tokens that do not count are looked up as EOS and multiplied by 0; the -inf of PAD and BOS would give NaN.
        looked_up_BT = torch.where(counted_BT, tokens_BT, EOS_ID)
        log_prob_SBT = log_prob_SBV.gather(2, looked_up_BT.expand(len(z_SBD), -1, -1))
        log_prob_SB = (log_prob_SBT * counted_BT).sum(-1)
        return {"bag_of_words": -self.weight * (terms.log_weight_SB.exp() * log_prob_SB).sum(0)}


def sentence_codes(terms: LatentTerms) -> Tensor:
    """Samples of the model's first latent vector for each sentence, [S, B, D]."""
    group = next(group for group in terms.latents if group.z_SUD.is_floating_point())
    return group.z_SUD if group.unit_B is None else group.z_SUD[:, group.unit_B]
