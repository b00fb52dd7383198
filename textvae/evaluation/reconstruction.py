"""How well sentences are reconstructed from their codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from textvae.arguments import checked_seed
from textvae.evaluation.likelihood import mean_and_error
from textvae.evaluation.protocol import Corpus, Progress, cpu64, likely_label
from textvae.evaluation.sweep import BATCH_TOKENS, sweep
from textvae.generation import Decoding, GreedyConfig, SteppingDecoder, generate
from textvae.models import TextModel
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import EOS_ID, PAD_ID, Batch, Context


@dataclass
class Reconstruction:
    """Reconstructions of sentences from their posterior means.

    Attributes:
        metrics: `token_accuracy`, `teacher_forced_accuracy`, `exact_match` (shares), with a tokenizer `bleu` (0 to 100)
            and `bleu_signature`.
        originals: ids of each sentence, in the order of the indices.
        reconstructions: ids of each reconstruction.
    """

    metrics: dict[str, Any] = field(default_factory=dict)
    originals: list[list[int]] = field(default_factory=list)
    reconstructions: list[list[int]] = field(default_factory=list)


def reconstruct(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    *,
    decoding: Decoding | None = None,
    tokenizer: Tokenizer | None = None,
    codes_of: Callable[[Batch], torch.Tensor] | None = None,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> Reconstruction:
    """Decode each sentence from its posterior mean (or from `codes_of`), greedily by default, and compare.

    On a sphere the mean direction is decoded, because the mean lies inside the sphere.

    `token_accuracy` is the share of a sentence's tokens (EOS counted) that the reconstruction, decoded from the code
    alone, has at the same place. `teacher_forced_accuracy` is the share of tokens that are the likeliest next token
    given the true tokens before them; a model that ignores z can score well there. `exact_match` is the share of
    sentences reconstructed without any difference. BLEU compares detokenized text. The sentence too passes through the
    tokenizer, so that words outside the vocabulary do not count as errors of z. The signature names sacrebleu's
    tokenization.
    """
    indices = np.asarray(indices)
    found = Reconstruction(originals=[[] for _ in indices], reconstructions=[[] for _ in indices])
    right = forced = total = 0
    with sweep(model, corpus, indices, "reconstruction", batch_tokens=batch_tokens, progress=progress) as parts:
        for part in parts:
            batch = part.batch
            z_BD = model.posterior_of(batch).center if codes_of is None else codes_of(batch)
            context = likely_label(model, batch)
            made = generate(model.decoder, z_BD, decoding or GreedyConfig(), context=context).tokens
            forced += _teacher_forced_hits(model.decoder, batch, z_BD, context)
            tokens = batch.tokens_BT.tolist()
            for row, length, written, ids in zip(part.rows, batch.lengths_B.tolist(), tokens, made, strict=True):
                original = written[1 : length - 1]
                found.originals[row], found.reconstructions[row] = original, ids
                pairs = zip([*original, EOS_ID], [*ids, EOS_ID], strict=False)
                right += sum(one == other for one, other in pairs)
                total += length - 1
    same = sum(a == b for a, b in zip(found.originals, found.reconstructions, strict=True))
    found.metrics = {
        "token_accuracy": right / total,
        "teacher_forced_accuracy": forced / total,
        "exact_match": same / len(indices),
    }
    if tokenizer is not None:
        found.metrics |= bleu(tokenizer.decode_batch(found.reconstructions), tokenizer.decode_batch(found.originals))
    return found


def _teacher_forced_hits(decoder: SteppingDecoder, batch: Batch, z_BD: torch.Tensor, context: Context | None) -> int:
    """Tokens that are the likeliest given the true tokens before them; by steps, so that [B, T, V] is never stored."""
    state, hits = decoder.init_state(z_BD, context), 0
    for position in range(batch.tokens_BT.shape[1] - 1):
        log_prob_BV, state = decoder.step(batch.tokens_BT[:, position], state)
        target_B = batch.tokens_BT[:, position + 1]
        hits += int(((log_prob_BV.argmax(-1) == target_B) & (target_B != PAD_ID)).sum())
    return hits


def bleu(candidates: list[str], references: list[str]) -> dict[str, Any]:
    """Corpus BLEU of detokenized texts by sacrebleu, with the signature that makes it comparable.

    >>> round(bleu(["a cat sat on a mat"], ["a cat sat on a mat"])["bleu"])
    100
    """
    from sacrebleu.metrics import BLEU

    # `force` silences a warning about text that is tokenized already, such as PTB; the signature says 13a.
    metric = BLEU(force=True)
    score = metric.corpus_score(candidates, [references]).score
    return {"bleu": float(score), "bleu_signature": str(metric.get_signature())}


@dataclass(frozen=True)
class PermutedCodes:
    """How much the reconstruction NLL rises when a sentence is decoded from another sentence's code.

    Attributes:
        nll: mean -log p(x_i | z_j), nats per sentence.
        rise: `nll` minus the mean of -log p(x_i | z_i) with the same codes.
        rise_se: standard error of the rise over sentences; None for fewer than two.
    """

    nll: float
    rise: float
    rise_se: float | None


def permuted_codes(
    model: TextModel,
    corpus: Corpus,
    indices: np.ndarray,
    codes_ND: torch.Tensor,
    *,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
) -> PermutedCodes | None:
    """Decode every sentence from another sentence's code, and measure how its likelihood falls.

    A fall shows that the decoder uses z. The permutation is one cycle over all sentences, so none keeps its own code.
    None for fewer than two sentences.
    """
    seed, indices = checked_seed(seed), np.asarray(indices)
    if len(indices) < 2:
        return None
    other = np.empty(len(indices), dtype=np.int64)
    cycle = np.random.default_rng([seed, 0]).permutation(len(indices))
    other[cycle] = np.roll(cycle, 1)
    nll_2N = np.zeros((2, len(indices)))
    swept = sweep(model, corpus, indices, "permuted codes", batch_tokens=batch_tokens, copies=2, progress=progress)
    with swept as parts:
        for part in parts:
            pick = torch.as_tensor(np.stack([part.rows, other[part.rows]]), device=model.device)
            context = likely_label(model, part.batch)
            log_px_2B = model.decoder.log_prob(part.batch.tokens_BT, codes_ND[pick], context)
            nll_2N[:, part.rows] = -cpu64(log_px_2B)
    rise, rise_se = mean_and_error(nll_2N[1] - nll_2N[0])
    return PermutedCodes(mean_and_error(nll_2N[1])[0], rise, rise_se)
