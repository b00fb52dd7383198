"""Reconstruction: sentences encoded and decoded again."""

from __future__ import annotations

from collections.abc import Iterable

from textvae.generation import GivenDecoding, generate, inference, word_generator
from textvae.models import TextModel
from textvae.results import Reconstruction
from textvae.tasks.sentences import (
    chunks,
    require_latent,
    seeded,
    tell_of_fixed_mean,
)
from textvae.text.batching import encode_texts
from textvae.text.given import GivenOverlong, checked_texts
from textvae.types import EOS_ID


def reconstruct(
    model: TextModel,
    texts: Iterable[str],
    *,
    decoding: GivenDecoding | None = None,
    sample: bool = False,
    overlong: GivenOverlong = "error",
    seed: int = 0,
) -> list[Reconstruction]:
    """Encode each text and decode it again.

    Args:
        model: a TextVAE with its tokenizer.
        texts: sentences.
        decoding: greedy when None.
        sample: draw z from q(z|x) instead of taking its center (see `LatentDistribution.center`).
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"); `exact` is then about the part that was read.
        seed: of z, where it is drawn, and of decoding by sampling.

    Raises:
        DataError: a sentence is empty, or too long.
        ModelError: the model has no z.
    """
    require_latent(model, "reconstruct")
    if not sample:
        tell_of_fixed_mean(
            model, "reconstruct", "draw codes instead (in Python, sample=True), or use generate and impute"
        )
    tokenizer, device = model.require_tokenizer(), model.device
    decoding, generator = model.limited(decoding), word_generator(seed, device)
    texts = checked_texts(texts)
    whole = encode_texts(texts, tokenizer, model.max_tokens, overlong=overlong)
    made: list[Reconstruction] = []
    with inference(model), seeded(seed, device):
        for part in chunks(len(texts)):
            batch = whole.rows(part).to(device)
            posterior = model.posterior_of(batch)
            z_BD = posterior.rsample() if sample else posterior.center
            found = generate(model.decoder, z_BD, decoding, generator=generator)
            rows = batch.tokens_BT.tolist()
            made += [
                Reconstruction(text, said, row[1 : row.index(EOS_ID)] == tokens, log_prob)
                for text, said, row, tokens, log_prob in zip(
                    texts[part],
                    tokenizer.show_batch(found.tokens),
                    rows,
                    found.tokens,
                    found.log_prob_N.tolist(),
                    strict=True,
                )
            ]
    return made
