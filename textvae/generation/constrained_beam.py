"""Beam search through sentences with blanks, guided by the words on both sides of a blank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.errors import DataError
from textvae.generation.base import SteppingDecoder, first_tokens, forbidden_ids, inference, word_limit
from textvae.types import EOS_ID, Context

_ROWS_AT_ONCE = 4096
"""Most hypotheses in one search: their log-probabilities over 10 000 words take 160 MB."""


@dataclass(frozen=True, eq=False)
class Blank:
    """A gap of `min_tokens` to `max_tokens` tokens.

    Attributes:
        min_tokens: at least this many, 1 or more.
        max_tokens: at most this many.
        first_V: bool [V], which tokens may come first; None for all.
        rest_V: bool [V], which tokens may follow in the gap; None for all.

    PAD, BOS and EOS never fill a gap; `<unk>` does only with `allow_unk`.
    """

    min_tokens: int = 1
    max_tokens: int = 1
    first_V: Tensor | None = None
    rest_V: Tensor | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.min_tokens <= self.max_tokens:
            raise ValueError(
                f"a blank needs 1 <= min_tokens <= max_tokens, got {self.min_tokens} and {self.max_tokens}"
            )


Slot = int | Blank
"""A fixed token id, or a gap."""


@dataclass(frozen=True)
class Filling:
    """A sentence whose blanks were filled.

    Attributes:
        tokens: the whole sentence, without BOS and EOS.
        fillers: the tokens in each blank, in order.
        log_prob: the decoder's log p(x|z) of the whole sentence, nats, EOS included.
    """

    tokens: tuple[int, ...]
    fillers: tuple[tuple[int, ...], ...]
    log_prob: float


def constrained_beam(
    decoder: SteppingDecoder,
    z_ND: Tensor,
    templates: Sequence[Sequence[Slot]],
    *,
    width: int = 5,
    expand: int = 4,
    best: int | None = None,
    context: Context | None = None,
    max_tokens: int | None = None,
    allow_unk: bool = False,
) -> list[list[Filling]]:
    """Search for the most probable fillings of each template under p(x|z).

    All sentences advance together, one token a step. Hypotheses of a sentence are compared only with those at
    the same slot that have the same number of tokens in it, so that long and short fillings of a span both
    survive. At a blank the `width` best are extended to the `width * expand` best. These are scored on the
    fixed tokens to the right of the blank as well, before the next blank prunes them to `width` again. Nothing
    is pruned after the last blank. With `width` and `expand` large enough the result is the exact argmax over
    all fillings.

    Args:
        decoder: anything with the methods of `SteppingDecoder`.
        z_ND: a latent vector for each template; width 0 for a language model.
        templates: for each sentence its fixed tokens and gaps, without BOS and EOS.
        width: hypotheses kept where a blank begins.
        expand: this many times `width` are kept while the words after a blank are read.
        best: fillings returned for a sentence; None for all that survived.
        context: conditions, one row for each sentence.
        max_tokens: longest sentence, EOS not counted; longer fillings are not considered.
        allow_unk: whether a blank may be filled by `<unk>`.

    Returns:
        For each sentence its fillings, best first, no sentence twice. Empty only where every filling has
        probability zero or is too long.

    Raises:
        DataError: even the shortest filling of a template is longer than the decoder's limit.
    """
    if width < 1 or expand < 1:
        raise ValueError(f"width and expand must be at least 1, got {width} and {expand}")
    limit = word_limit(decoder, max_tokens) if max_tokens is not None or decoder.max_tokens is not None else None
    shortest = [sum(slot.min_tokens if isinstance(slot, Blank) else 1 for slot in template) for template in templates]
    for length in shortest:
        if limit is not None and length > limit:
            raise DataError(
                f"a sentence with its blanks has at least {length} tokens, the model takes at most {limit}; shorten it."
            )
    spread = [_different_lengths(template) for template in templates]
    found: list[list[Filling]] = [[] for _ in templates]
    # Sentences of similar length finish together, so that no chunk is mostly idle.
    order = sorted(range(len(templates)), key=lambda i: (shortest[i], spread[i]))
    start = 0
    with inference(decoder):
        while start < len(order):
            rows, stop = 0, start
            while stop < len(order) and (stop == start or rows + width * expand * spread[order[stop]] <= _ROWS_AT_ONCE):
                rows += width * expand * spread[order[stop]]
                stop += 1
            chosen = order[start:stop]
            index = torch.tensor(chosen, device=z_ND.device)
            search = _Search(
                decoder, [templates[i] for i in chosen], z_ND.device, width=width, expand=expand, allow_unk=allow_unk
            )
            some = None if context is None else context.rows(index)
            for i, fillings in zip(chosen, search.run(z_ND[index], some, limit), strict=True):
                found[i] = fillings[:best]
            start = stop
    return found


def _different_lengths(template: Sequence[Slot]) -> int:
    """How many different lengths the filled sentence may have: hypotheses of each length are kept separately."""
    return 1 + sum(slot.max_tokens - slot.min_tokens for slot in template if isinstance(slot, Blank))


@dataclass
class _Rows:
    """Hypotheses of all sentences: the sentence, the position in its template and the tokens so far."""

    sentence: Tensor  # [R]
    slot: Tensor  # [R] the slot the next token belongs to
    count: Tensor  # [R] tokens already put into that slot
    score: Tensor  # [R] float64
    filled: Tensor  # [R, blanks] number of tokens in each blank
    tokens: Tensor  # [R, t]
    parent: Tensor  # [R] row of the decoder state that it continues

    def pick(self, index: Tensor) -> _Rows:
        return _Rows(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


class _Search:
    """The search over one chunk of sentences."""

    def __init__(
        self,
        decoder: SteppingDecoder,
        templates: list[Sequence[Slot]],
        device: torch.device,
        *,
        width: int,
        expand: int,
        allow_unk: bool,
    ) -> None:
        self.decoder, self.templates, self.device = decoder, templates, device
        self.width, self.candidates = width, width * expand
        self.forbidden = torch.tensor([*forbidden_ids(allow_unk), EOS_ID], device=device)
        self.slots = max(len(template) for template in templates) + 2  # EOS, and the place after it
        self.blanks = max(sum(isinstance(slot, Blank) for slot in template) for template in templates)
        fixed = [[EOS_ID] * self.slots for _ in templates]
        table = [[(0, 0, 0, 0, 0)] * self.slots for _ in templates]  # min, max, two masks, number of the blank
        self.masks: list[Tensor] = []
        known: dict[int, int] = {}
        for i, template in enumerate(templates):
            number = 0
            for j, slot in enumerate(template):
                if isinstance(slot, Blank):
                    masks = [self._mask(known, mask) for mask in (slot.first_V, slot.rest_V)]
                    fixed[i][j] = -1
                    table[i][j] = (slot.min_tokens, slot.max_tokens, masks[0], masks[1], number)
                    number += 1
                else:
                    fixed[i][j] = slot
        self.fixed = torch.tensor(fixed, device=device)
        self.table = torch.tensor(table, device=device)
        self.end = torch.tensor([len(template) + 1 for template in templates], device=device)

    def _mask(self, known: dict[int, int], mask: Tensor | None) -> int:
        """The row of a mask in the table of masks; -1 for none."""
        if mask is None:
            return -1
        if id(mask) not in known:
            known[id(mask)] = len(self.masks)
            self.masks.append(mask.to(self.device, torch.bool))
        return known[id(mask)]

    def run(self, z_ND: Tensor, context: Context | None, limit: int | None) -> list[list[Filling]]:
        sentences, device = len(self.templates), self.device
        done: list[dict[tuple[int, ...], Filling]] = [{} for _ in range(sentences)]
        zeros = torch.zeros(sentences, dtype=torch.int64, device=device)
        rows = _Rows(
            sentence=torch.arange(sentences, device=device),
            slot=zeros,
            count=zeros,
            score=zeros.double(),
            filled=torch.zeros(sentences, self.blanks, dtype=torch.int64, device=device),
            tokens=torch.zeros(sentences, 0, dtype=torch.int64, device=device),
            parent=zeros,
        )
        # A template without slots is allowed: its sentence is EOS alone.
        state, last = self.decoder.init_state(z_ND, context), first_tokens(sentences, device)
        step = 0
        while len(rows.score) and (limit is None or step <= limit):
            log_prob_RV, state = self.decoder.step(last, state)
            before = len(rows.score)
            rows = self._extend(rows, log_prob_RV)
            ended = rows.slot == self.end[rows.sentence]
            self._collect(rows.pick(ended.nonzero().squeeze(1)), done)
            rows = rows.pick((~ended).nonzero().squeeze(1))
            entering = self.fixed[rows.sentence, rows.slot] < 0
            cap = torch.where(entering, self.width, self.candidates)
            rows = rows.pick(best_in_group(rows.score, self._bin(rows), cap))
            if len(rows.parent) != before or not torch.equal(rows.parent, torch.arange(before, device=device)):
                state = self.decoder.select(state, rows.parent)
            last = rows.tokens[:, -1]
            step += 1
        return [sorted(some.values(), key=lambda filling: -filling.log_prob) for some in done]

    def _bin(self, rows: _Rows) -> Tensor:
        longest = int(self.table[..., 1].max()) + 1
        return (rows.sentence * self.slots + rows.slot) * longest + rows.count

    def _extend(self, rows: _Rows, log_prob_RV: Tensor) -> _Rows:
        """All continuations of all hypotheses, those of a blank cut to the best `width * expand`."""
        kind = self.fixed[rows.sentence, rows.slot]
        at_fixed = (kind >= 0).nonzero().squeeze(1)
        token = kind[at_fixed]
        stepped = self._continued(rows, at_fixed, token, log_prob_RV[at_fixed, token].double())
        stepped.slot, stepped.count = stepped.slot + 1, torch.zeros_like(stepped.count)
        parts = [stepped]
        at_blank = (kind < 0).nonzero().squeeze(1)
        if len(at_blank):
            where = self.table[rows.sentence[at_blank], rows.slot[at_blank]]
            mask = torch.where(rows.count[at_blank] == 0, where[:, 2], where[:, 3])
            scores_RV = log_prob_RV[at_blank].index_fill(1, self.forbidden, -torch.inf)
            for number, allowed_V in enumerate(self.masks):
                scores_RV.masked_fill_((mask == number).unsqueeze(1) & ~allowed_V, -torch.inf)
            gain, token = scores_RV.topk(min(self.candidates, scores_RV.shape[1]), dim=-1)
            index = at_blank.repeat_interleave(gain.shape[1])
            filled = self._continued(rows, index, token.flatten(), gain.flatten().double())
            cap = torch.full_like(filled.slot, self.candidates)
            filled = filled.pick(best_in_group(filled.score, self._bin(filled), cap))
            filled.count = filled.count + 1
            least, most, _, _, blank = self.table[filled.sentence, filled.slot].unbind(1)
            # Where a blank may end or continue, both are kept: two hypotheses with the same tokens so far.
            parts.append(filled.pick((filled.count < most).nonzero().squeeze(1)))
            ends = (filled.count >= least).nonzero().squeeze(1)
            closed = filled.pick(ends)
            closed.filled = closed.filled.scatter(1, blank[ends].unsqueeze(1), closed.count.unsqueeze(1))
            closed.slot, closed.count = closed.slot + 1, torch.zeros_like(closed.count)
            parts.append(closed)
        every = _Rows(*(torch.cat([getattr(part, name) for part in parts]) for name in _Rows.__dataclass_fields__))
        return every.pick((every.score > -torch.inf).nonzero().squeeze(1))

    @staticmethod
    def _continued(rows: _Rows, index: Tensor, token: Tensor, gain: Tensor) -> _Rows:
        new = rows.pick(index)
        new.score = new.score + gain
        new.tokens = torch.cat([new.tokens, token.unsqueeze(1)], 1)
        new.parent = index
        return new

    def _collect(self, rows: _Rows, done: list[dict[tuple[int, ...], Filling]]) -> None:
        for sentence, score, filled, tokens in zip(
            rows.sentence.tolist(), rows.score.tolist(), rows.filled.tolist(), rows.tokens.tolist(), strict=True
        ):
            words = tuple(tokens[:-1])
            fillers, at, lengths = [], 0, iter(filled)
            for slot in self.templates[sentence]:
                length = next(lengths) if isinstance(slot, Blank) else 1
                if isinstance(slot, Blank):
                    fillers.append(words[at : at + length])
                at += length
            # Two adjacent spans can divide the same words differently; the sentence is returned once.
            if words not in done[sentence]:
                done[sentence][words] = Filling(words, tuple(fillers), score)


def best_in_group(score_R: Tensor, group_R: Tensor, cap_R: Tensor) -> Tensor:
    """Indices of the rows that are among the best `cap` of their group, in the order of the rows.

    >>> best_in_group(torch.tensor([1.0, 3.0, 2.0, 0.0]), torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 2, 2]))
    tensor([1, 2, 3])
    """
    order = score_R.argsort(descending=True, stable=True)
    order = order[group_R[order].argsort(stable=True)]
    sorted_group = group_R[order]
    place = torch.arange(len(order), device=order.device)
    begins = torch.ones_like(sorted_group, dtype=torch.bool)
    begins[1:] = sorted_group[1:] != sorted_group[:-1]
    first = torch.where(begins, place, torch.zeros_like(place)).cummax(0).values if len(order) else place
    return order[place - first < cap_R[order]].sort().values
