"""The loop of greedy decoding and sampling: one token at a time; finished sentences are dropped from the batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from textvae.generation.base import Generated, SteppingDecoder, cut_at_end, first_tokens, forbidden_ids, word_limit
from textvae.types import EOS_ID, Context

_COMPACT_BELOW = 0.75
"""Finished rows are dropped only when at least a quarter has finished: copying a key-value cache costs about as
much as a step."""


def decode_stepwise(
    decoder: SteppingDecoder,
    z_ND: Tensor,
    choose: Callable[[Tensor, Tensor], Tensor],
    *,
    context: Context | None,
    max_tokens: int | None,
    allow_unk: bool,
) -> Generated:
    """Decode with a function that picks the next tokens.

    Args:
        choose: (log_prob_MV with forbidden tokens at -inf, index_M of these rows in the batch) -> token_M.
    """
    rows, device = z_ND.shape[0], z_ND.device
    limit = word_limit(decoder, max_tokens)
    forbidden = torch.tensor(forbidden_ids(allow_unk), device=device)
    tokens_NT = torch.full((rows, limit + 1), EOS_ID, dtype=torch.int64, device=device)
    log_prob_N = torch.zeros(rows, dtype=z_ND.dtype, device=device)
    finished_N = torch.zeros(rows, dtype=torch.bool, device=device)
    if rows == 0:
        return Generated([], log_prob_N, finished_N)

    active_M = torch.arange(rows, device=device)  # the sentence of each row of the state
    state = decoder.init_state(z_ND, context)
    token_M = first_tokens(rows, device)
    for position in range(limit + 1):
        log_prob_MV, state = decoder.step(token_M, state)
        token_M = choose(log_prob_MV.index_fill(1, forbidden, -torch.inf), active_M)
        going_M = ~finished_N[active_M]
        ends_M = token_M == EOS_ID
        # At the limit only EOS counts; any other token would make the sentence too long.
        counts_M = going_M & ends_M if position == limit else going_M
        gained_M = log_prob_MV.gather(1, token_M.unsqueeze(1)).squeeze(1).to(log_prob_N.dtype)
        log_prob_N[active_M] += torch.where(counts_M, gained_M, torch.zeros_like(gained_M))
        tokens_NT[active_M, position] = torch.where(counts_M, token_M, EOS_ID)
        finished_N[active_M] |= going_M & ends_M
        still_M = ~finished_N[active_M]
        remaining = int(still_M.sum())
        if remaining == 0:
            break
        if position < limit and remaining <= _COMPACT_BELOW * len(active_M):
            keep = still_M.nonzero().squeeze(1)
            state, active_M, token_M = decoder.select(state, keep), active_M[keep], token_M[keep]
    return Generated(cut_at_end(tokens_NT), log_prob_N, finished_N)
