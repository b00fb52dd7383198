"""Beam search for the most probable sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from textvae.config import MAX_BEAM
from textvae.generation.base import (
    Decoding,
    Generated,
    SteppingDecoder,
    first_tokens,
    forbidden_ids,
    word_limit,
)
from textvae.generation.randomness import WordNoise
from textvae.types import EOS_ID, Context

_ROWS_AT_ONCE = 4096
"""Most prefixes (sentences times width) in one search: it bounds the memory that a wide beam takes."""


@dataclass(frozen=True)
class Hypothesis:
    """One sentence that a search found.

    Attributes:
        tokens: ids without BOS and EOS.
        log_prob: the decoder's log p(x|z), nats, EOS included where finished.
        score: log_prob with the length penalty; hypotheses are ranked by it.
        finished: False where the limit was reached without EOS.
    """

    tokens: list[int]
    log_prob: float
    score: float
    finished: bool = True


class BeamConfig(Decoding):
    """Beam search: the `width` best prefixes are extended together.

    Attributes:
        width: prefixes kept for each sentence; at most 1000, since all are held in memory.
        length_penalty: sentences are ranked by log p / (tokens, EOS included) ** length_penalty, a plain
            power of the length (not the formula of GNMT). 0 searches for the mode of p(x|z), 1 for the best
            mean per token. Larger values favor longer sentences.

    >>> BeamConfig(width=5).length_penalty
    0.0
    """

    kind: Literal["beam"] = "beam"
    width: int = Field(default=5, ge=1, le=MAX_BEAM)
    length_penalty: float = Field(default=0.0, ge=0.0, le=10.0)

    def decode(
        self,
        decoder: SteppingDecoder,
        z_ND: Tensor,
        *,
        context: Context | None = None,
        generator: WordNoise | None = None,
    ) -> Generated:
        best: list[Hypothesis] = []
        at_once = max(1, _ROWS_AT_ONCE // self.width)
        for start in range(0, len(z_ND), at_once):
            part = slice(start, start + at_once)
            found = beam_search(
                decoder,
                z_ND[part],
                width=self.width,
                length_penalty=self.length_penalty,
                context=None if context is None else context.rows(part),
                max_tokens=self.max_tokens,
                allow_unk=self.allow_unk,
            )
            best += [ranked[0] for ranked in found]
        return Generated(
            [hypothesis.tokens for hypothesis in best],
            torch.tensor([hypothesis.log_prob for hypothesis in best], dtype=z_ND.dtype, device=z_ND.device),
            torch.tensor([hypothesis.finished for hypothesis in best], dtype=torch.bool, device=z_ND.device),
        )


@torch.no_grad()
def beam_search(
    decoder: SteppingDecoder,
    z_ND: Tensor,
    *,
    width: int = 5,
    length_penalty: float = 0.0,
    best: int = 1,
    context: Context | None = None,
    max_tokens: int | None = None,
    allow_unk: bool = False,
) -> list[list[Hypothesis]]:
    """The `best` sentences found for each row of z, best first.

    A sentence is finished when EOS is among the `width` best continuations; `width` open prefixes are kept
    as well. The search for a row ends when no continuation of an open prefix can beat the worst of its `best`
    finished sentences. log p only falls, so log p / (longest length) ** length_penalty is an upper bound on
    the score of every continuation. With `width` at least the number of prefixes the result is the exact argmax.

    Returns:
        At least one hypothesis for each row. Where fewer than `best` sentences ended, unfinished prefixes follow.
    """
    rows, device = z_ND.shape[0], z_ND.device
    limit = word_limit(decoder, max_tokens)
    if rows == 0:
        return []
    forbidden = torch.tensor(forbidden_ids(allow_unk), device=device)
    longest = float(limit + 1) ** length_penalty
    answers: list[list[Hypothesis]] = [[] for _ in range(rows)]

    # Open prefixes: scores [n, w] and tokens [n, w, t] of the n rows still searched; w is 1 at first.
    row_n = torch.arange(rows, device=device)
    open_nw = torch.zeros(rows, 1, dtype=torch.float64, device=device)
    tokens_nwt = torch.zeros(rows, 1, 0, dtype=torch.int64, device=device)
    last = first_tokens(rows, device)
    state = decoder.init_state(z_ND, context)
    for position in range(limit + 1):
        log_prob_NV, state = decoder.step(last, state)
        n, w = open_nw.shape
        # Twice the width, so that `width` open prefixes remain even if half of the candidates end. The top k of each
        # prefix are taken first, with room for the forbidden tokens, so that no tensor over the vocabulary is copied.
        wanted = min(2 * width + len(forbidden), log_prob_NV.shape[-1])
        log_prob_Nk, token_Nk = log_prob_NV.topk(wanted, dim=-1)
        log_prob_Nk = log_prob_Nk.masked_fill(torch.isin(token_Nk, forbidden), -torch.inf)
        score_nwk = open_nw.unsqueeze(-1) + log_prob_Nk.double().view(n, w, wanted)
        score_nc, place_nc = score_nwk.view(n, w * wanted).topk(min(2 * width, w * wanted), dim=-1)
        from_nc, token_nc = place_nc // wanted, token_Nk.view(n, w * wanted).gather(1, place_nc)
        ends_nc = token_nc == EOS_ID
        good_nc = ends_nc & (score_nc > -torch.inf)
        good_nc[:, width:] = False
        length_cost = float(position + 1) ** length_penalty
        for i, c in good_nc.nonzero().tolist():
            log_prob = float(score_nc[i, c])
            answers[int(row_n[i])].append(
                Hypothesis(tokens_nwt[i, int(from_nc[i, c])].tolist(), log_prob, log_prob / length_cost)
            )

        # The first `width` candidates that do not end, in order of score: a stable sort puts the ended ones last.
        order_nc = ends_nc.long().argsort(dim=-1, stable=True)[:, :width]
        score_nw = score_nc.masked_fill(ends_nc, -torch.inf).gather(1, order_nc)
        from_nw, token_nw = from_nc.gather(1, order_nc), token_nc.gather(1, order_nc)
        kept_nwt = tokens_nwt.gather(1, from_nw.unsqueeze(-1).expand(-1, -1, tokens_nwt.shape[-1]))
        if position == limit:
            # The limit is reached: the new token is dropped, and the prefixes before it are unfinished.
            _fill_up(answers, best, row_n, kept_nwt, open_nw.gather(1, from_nw), score_nw, longest)
            break
        bound_n = (score_nw[:, 0] / longest).tolist()
        going = []
        for i, (row, bound) in enumerate(zip(row_n.tolist(), bound_n, strict=True)):
            have = answers[row]
            if len(have) > best:
                have.sort(key=lambda hypothesis: -hypothesis.score)
                del have[best:]
            worst = min(hypothesis.score for hypothesis in have) if len(have) >= best else -float("inf")
            if bound > worst:
                going.append(i)
        if not going:
            break
        keep = torch.tensor(going, device=device)
        state = decoder.select(state, (keep.unsqueeze(1) * w + from_nw[keep]).flatten())
        open_nw, row_n = score_nw[keep], row_n[keep]
        tokens_nwt = torch.cat([kept_nwt[keep], token_nw[keep].unsqueeze(-1)], -1)
        last = token_nw[keep].flatten()
    return [sorted(have, key=lambda h: (not h.finished, -h.score))[:best] for have in answers]


def _fill_up(
    answers: list[list[Hypothesis]],
    best: int,
    row_n: Tensor,
    tokens_nwt: Tensor,
    log_prob_nw: Tensor,
    next_score_nw: Tensor,
    longest: float,
) -> None:
    """Add open prefixes where fewer than `best` sentences ended: best continuation first, each prefix once."""
    for i, row in enumerate(row_n.tolist()):
        seen: list[list[int]] = []
        for c in range(tokens_nwt.shape[1]):
            tokens = tokens_nwt[i, c].tolist()
            if len(answers[row]) >= best or float(next_score_nw[i, c]) == -float("inf"):
                break
            if tokens not in seen:
                seen.append(tokens)
                log_prob = float(log_prob_nw[i, c])
                answers[row].append(Hypothesis(tokens, log_prob, log_prob / longest, finished=False))
