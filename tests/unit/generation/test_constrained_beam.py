"""Blanks: the search against enumeration of every filling."""

from __future__ import annotations

import itertools
import sys

import pytest
import torch

from tests.unit.generation.toy import LATENT, LONGEST, NAMES, VOCAB, WORDS, build, codes, log_prob
from textvae.errors import DataError
from textvae.generation import Blank, constrained_beam
from textvae.types import UNK_ID

TOKEN, SPAN = Blank(), Blank(1, 3)
FIRST = torch.zeros(VOCAB, dtype=torch.bool)
FIRST[[4, 6]] = True
REST = torch.zeros(VOCAB, dtype=torch.bool)
REST[5] = True
PIECES = Blank(1, 3, FIRST, REST)

TEMPLATES = [
    [TOKEN, 5, 4],
    [4, TOKEN, 6, 5],
    [4, 5, TOKEN],
    [TOKEN, 4, TOKEN, 6],
    [SPAN, 5],
    [SPAN],
    [6, SPAN],
    [SPAN, TOKEN],
    [PIECES, 4],
    [4, PIECES],
    [PIECES, PIECES],
    [TOKEN, TOKEN, TOKEN, TOKEN],
    [4, 5, 6],
    [Blank(2, 2), 6],
    [SPAN, SPAN],
]


def fillings(template, longest: int = LONGEST) -> set[tuple[int, ...]]:
    """Every sentence a template allows, by brute force."""
    choices = []
    for slot in template:
        if isinstance(slot, int):
            choices.append([(slot,)])
            continue
        allowed = []
        for n in range(slot.min_tokens, slot.max_tokens + 1):
            for words in itertools.product(WORDS, repeat=n):
                first = slot.first_V is None or bool(slot.first_V[words[0]])
                rest = slot.rest_V is None or all(bool(slot.rest_V[w]) for w in words[1:])
                if first and rest:
                    allowed.append(words)
        choices.append(allowed)
    every = {tuple(itertools.chain(*parts)) for parts in itertools.product(*choices)}
    return {sentence for sentence in every if len(sentence) <= longest}


@pytest.mark.parametrize("name", NAMES)
def test_a_wide_search_is_exact(name: str) -> None:
    """All templates in one batch: every filling is found, with its exact probability and in the exact order."""
    decoder = build(name)
    z = codes(len(TEMPLATES))
    found = constrained_beam(decoder, z, TEMPLATES, width=200, expand=4, max_tokens=LONGEST)
    for row, template in enumerate(TEMPLATES):
        sentences = sorted(fillings(template))
        exact = dict(zip(sentences, log_prob(decoder, sentences, z[row]).tolist(), strict=True))
        assert {filling.tokens for filling in found[row]} == set(sentences)
        for filling in found[row]:
            assert filling.log_prob == pytest.approx(exact[filling.tokens], abs=1e-6)
        scores = [filling.log_prob for filling in found[row]]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == pytest.approx(max(exact.values()), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_batching_never_changes_an_answer(name: str) -> None:
    decoder, z = build(name), codes(len(TEMPLATES))
    together = constrained_beam(decoder, z, TEMPLATES, width=2, expand=2, max_tokens=LONGEST)
    for row, template in enumerate(TEMPLATES):
        (apart,) = constrained_beam(decoder, z[row : row + 1], [template], width=2, expand=2, max_tokens=LONGEST)
        assert [f.tokens for f in apart] == [f.tokens for f in together[row]]


def test_many_sentences_are_cut_into_chunks_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, templates = build("gru-both"), TEMPLATES * 6
    z = codes(len(templates))
    whole = constrained_beam(decoder, z, templates, width=2, expand=2, max_tokens=LONGEST)
    # The package's name `constrained_beam` is the function, hence the look-up of its module.
    monkeypatch.setattr(sys.modules["textvae.generation.constrained_beam"], "_ROWS_AT_ONCE", 30)
    cut = constrained_beam(decoder, z, templates, width=2, expand=2, max_tokens=LONGEST)
    assert [[f.tokens for f in row] for row in cut] == [[f.tokens for f in row] for row in whole]


def test_fillers_fill_the_blanks_in_order() -> None:
    decoder, z = build("table"), codes(len(TEMPLATES))
    for template, found in zip(TEMPLATES, constrained_beam(decoder, z, TEMPLATES, width=3), strict=True):
        for filling in found:
            rebuilt: list[int] = []
            fillers = iter(filling.fillers)
            for slot in template:
                rebuilt += next(fillers) if isinstance(slot, Blank) else [slot]
            assert tuple(rebuilt) == filling.tokens
            assert UNK_ID not in itertools.chain(*filling.fillers)


def test_words_to_the_right_decide() -> None:
    """4 is the likelier word after BOS, but 5 is what may stand before 6: with one hypothesis kept, 5 must win."""
    decoder = build("table")
    table = torch.full_like(decoder.log_prob_ZVV, -8.0)
    table[:, 1, 4], table[:, 1, 5] = -0.4, -1.2
    table[:, 4, 6], table[:, 5, 6], table[:, 6, 2] = -7.0, -0.1, -0.1
    decoder.log_prob_ZVV = table
    ((with_right, *_),) = constrained_beam(decoder, codes(1), [[TOKEN, 6]], width=1, expand=3)
    ((without, *_),) = constrained_beam(decoder, codes(1), [[TOKEN, 6]], width=1, expand=1)
    assert with_right.tokens == (5, 6)
    assert without.tokens == (4, 6)


def test_a_language_model_has_no_latent() -> None:
    found = constrained_beam(build("table"), torch.zeros(2, 0), [[TOKEN, 4], [5, TOKEN]], best=2)
    assert [len(ranked) for ranked in found] == [2, 2]


def test_unknown_words_fill_blanks_only_when_allowed() -> None:
    decoder, z = build("table"), codes(1)
    (found,) = constrained_beam(decoder, z, [[TOKEN]], width=9, allow_unk=True)
    assert {f.tokens[0] for f in found} == {UNK_ID, *WORDS}


def test_too_long_is_said() -> None:
    with pytest.raises(DataError, match="at most 4"):
        constrained_beam(build("transformer-prefix"), torch.zeros(1, LATENT).double(), [[4] * 5])
    with pytest.raises(ValueError, match="min_tokens"):
        Blank(0, 2)
    assert constrained_beam(build("table"), codes(0), []) == []
