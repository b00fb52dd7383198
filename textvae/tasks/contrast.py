"""Training an encoder on pairs of labelled sentences: near features within a class, far ones between classes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn.functional import cosine_similarity, mse_loss

from textvae.config import MAX_STEPS, Config
from textvae.errors import ConfigError
from textvae.evaluation.protocol import TextCorpus
from textvae.models import SemiSupervisedTextVAE

MAX_FOLDS = 100
_WARM_UP, _CLIP = 0.1, 1.0
"""Share of the steps in which the rate rises, and the norm to which gradients are clipped."""


class ContrastConfig(Config):
    """Settings of a training on pairs."""

    steps: int = Field(100, gt=0, le=MAX_STEPS, description="updates at most")
    pairs: int = Field(16, gt=0, le=10_000, description="in each update")
    of_each: int = Field(
        20, gt=0, le=10_000, description="pairs of each sentence with one of its class, and with one of another"
    )
    lr: float = Field(5e-5, gt=0, description="of AdamW, after a warm-up and before a linear decay to 0")
    precision: Literal["float32", "bf16"] = Field("float32", description="as in [train]")
    folds: int = Field(
        3,
        ge=0,
        le=MAX_FOLDS,
        description="of a cross-validation among the labels that finds the temperature where there are no epochs: the "
        "encoder is trained in each of them; 0: labels that are held out find it",
    )

    @field_validator("folds")
    @classmethod
    def _not_one(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("a cross-validation needs two folds; use 2 or more, or 0 for none")
        return folds


class Pair(NamedTuple):
    """Two labelled sentences, by their places, and the cosine that their features are to have."""

    first: int
    second: int
    cosine: float


def drawn_pairs(label_N: np.ndarray, of_each: int, generator: np.random.Generator) -> list[Pair]:
    """For each sentence so many pairs with a sentence of its class, and so many with one of another, in random order.

    A sentence may be paired with itself. Where all have one class, there are only pairs of the first sort.

    >>> pairs = drawn_pairs(np.array([0, 1]), 1, np.random.default_rng(0))
    >>> sorted(pairs)[:2]
    [Pair(first=0, second=0, cosine=1.0), Pair(first=0, second=1, cosine=0.0)]
    """
    pairs = []
    for first, label in enumerate(label_N.tolist()):
        for members, cosine in ((label_N == label, 1.0), (label_N != label, 0.0)):
            there = np.flatnonzero(members)
            if len(there):
                pairs += [Pair(first, int(second), cosine) for second in generator.choice(there, of_each)]
    return [pairs[place] for place in generator.permutation(len(pairs))]


def contrast(
    model: SemiSupervisedTextVAE, corpus: TextCorpus, rows: np.ndarray, config: ContrastConfig, *, seed: int
) -> None:
    """Train the encoder so that the cosine of two sentences' features is 1 within a class and 0 between classes.

    Tunstall et al. 2022 (arXiv 2209.11055, SetFit): from few sentences there are many pairs.

    Args:
        model: its encoder is trained in place.
        corpus: with labels.
        rows: labelled sentences.
        config: the settings.
        seed: of the pairs and of dropout.

    Raises:
        ConfigError: no weight of the encoder is trained.
    """
    parameters = [one for one in model.encoder.parameters() if one.requires_grad]
    if not parameters:
        raise ConfigError(
            "classify.contrast trains the encoder, and none of its weights is trained; set its trainable = 'all', or "
            "remove classify.contrast."
        )
    label_N = np.asarray(corpus.labels)[rows]
    pairs = drawn_pairs(label_N, config.of_each, np.random.default_rng([seed, 6]))
    steps = max(1, min(config.steps, len(pairs) // config.pairs))
    optimizer = torch.optim.AdamW(parameters, lr=config.lr)

    def rate(step: int) -> float:
        return min((step + 1) / (_WARM_UP * steps + 1), (steps - step) / ((1 - _WARM_UP) * steps))

    def features(places: list[int]) -> Tensor:
        batch = corpus.batch(np.asarray(rows)[places]).to(model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            found: Tensor = model.encoder(batch.tokens_BT, batch.lengths_B)
        return found.float()

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    for step in range(steps):
        taken = pairs[step * config.pairs : (step + 1) * config.pairs]
        found = features([pair.first for pair in taken] + [pair.second for pair in taken])
        cosine = cosine_similarity(found[: len(taken)], found[len(taken) :])
        loss = mse_loss(cosine, torch.tensor([pair.cosine for pair in taken], device=cosine.device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimizer.step()
        schedule.step()
    model.eval()
