"""Reconstruction: sentences encoded and decoded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from textvae.arguments import checked_seed
from textvae.evaluation.noise import Stream, draw_codes, own_randomness
from textvae.generation import GivenDecoding, RowNoise, generate
from textvae.models import TextModel
from textvae.results import Reconstruction
from textvae.tasks.sentences import chunks, require_latent, tell_of_fixed_mean
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
    places: Sequence[int] | None = None,
) -> list[Reconstruction]:
    """Encode each text and decode it again. What is drawn for a text does not depend on the other texts.

    Args:
        model: a TextVAE with its tokenizer.
        texts: sentences.
        decoding: greedy when None.
        sample: draw z from q(z|x) instead of taking its center (see `LatentDistribution.center`).
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"); `exact` is then about the part that was read.
        seed: of z, where it is drawn, and of decoding by sampling.
        places: the number of each text, to which its draws belong, such as its row in a file; its place among the
            texts when None.

    Raises:
        DataError: a sentence is empty, or too long.
        ModelError: the model has no z.
    """
    require_latent(model, "reconstruct")
    if not sample:
        tell_of_fixed_mean(
            model, "reconstruct", "draw codes instead (in Python, sample=True), or use generate and impute"
        )
    tokenizer, device, seed = model.require_tokenizer(), model.device, checked_seed(seed)
    decoding, texts = model.limited(decoding), checked_texts(texts)
    whole = encode_texts(texts, tokenizer, model.max_tokens, overlong=overlong)
    place_N = np.arange(len(texts)) if places is None else np.asarray(places, dtype=np.int64)
    noise = RowNoise(seed, place_N, device)
    made: list[Reconstruction] = []
    with own_randomness(model):
        for part in chunks(len(texts)):
            batch = whole.rows(part).to(device)
            posterior = model.posterior_of(batch)
            z_BD = (
                draw_codes(posterior, place_N[part], seed, 1, stream=Stream.CODES, device=device)[0]
                if sample
                else posterior.center
            )
            found = generate(model.decoder, z_BD, decoding, generator=noise.rows(part))
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
