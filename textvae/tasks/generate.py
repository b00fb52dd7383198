"""New sentences from the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from textvae.errors import ConfigError
from textvae.generation import Decoding, generate, inference, word_generator
from textvae.tasks.sentences import chunks, device_of, require_unlabeled, seeded, tokenizer_of


@dataclass(frozen=True)
class NewSentence:
    """A sentence that a model made.

    Attributes:
        text: the sentence.
        log_prob: log p(x|z) (of a language model: log p(x)), nats, EOS included where finished.
        finished: False where the sentence was cut at the longest length.
    """

    text: str
    log_prob: float
    finished: bool


def generate_sentences(model: Any, count: int, *, decoding: Decoding | None = None, seed: int = 0) -> list[NewSentence]:
    """Draw z from the prior and decode it.

    Args:
        model: a TextVAE or a LanguageModel with its tokenizer. A language model has no z: all that differs
            between its sentences then comes from decoding by `sample`.
        count: how many sentences.
        decoding: greedy when None.
        seed: the same seed gives the same sentences.

    Raises:
        ModelError: the model has no tokenizer, or needs a label.
        ConfigError: `count` is negative, or longer sentences were asked for than the model can say.
    """
    if count < 0:
        raise ConfigError(f"got {count} sentences to generate; give a number of at least 0.")
    require_unlabeled(model, "generate without one")
    tokenizer, device = tokenizer_of(model), device_of(model)
    decoding, generator = model.limited(decoding), word_generator(seed, device)
    made: list[NewSentence] = []
    with inference(model), seeded(seed, device):
        for part in chunks(count):
            size = part.stop - part.start
            z_ND = model.prior().sample((size,)) if model.latent_dim else torch.zeros(size, 0, device=device)
            found = generate(model.decoder, z_ND.to(device), decoding, generator=generator)
            texts = tokenizer.decode_batch(found.tokens)
            made += map(NewSentence, texts, found.log_prob_N.tolist(), found.finished_N.tolist())
    return made
