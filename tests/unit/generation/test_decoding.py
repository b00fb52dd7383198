"""Greedy, sampling and beam search against enumeration, over several decoders."""

from __future__ import annotations

import math

import pytest
import torch

from tests.unit.generation.toy import LONGEST, NAMES, VOCAB, build, codes, every_sentence, log_prob
from textvae.config import parse
from textvae.errors import ConfigError
from textvae.generation import (
    BeamConfig,
    DecodingConfig,
    GreedyConfig,
    SamplingConfig,
    beam_search,
    generate,
)
from textvae.generation.sampling import draw, reshape
from textvae.types import UNK_ID

ALL = [
    GreedyConfig(max_tokens=LONGEST),
    SamplingConfig(max_tokens=LONGEST),
    SamplingConfig(max_tokens=LONGEST, temperature=0.7, top_k=2, top_p=0.8),
    BeamConfig(max_tokens=LONGEST, width=3),
    BeamConfig(max_tokens=LONGEST, width=3, length_penalty=0.8),
    GreedyConfig(max_tokens=LONGEST, allow_unk=True),
]


@pytest.fixture(params=NAMES, name="decoder")
def _decoder(request: pytest.FixtureRequest):
    return build(request.param)


@pytest.mark.parametrize("decoding", ALL, ids=str)
def test_the_reported_log_probability_is_the_decoders(decoder, decoding) -> None:
    z = codes(30)
    made = generate(decoder, z, decoding, generator=torch.Generator().manual_seed(3))
    assert len(made.tokens) == 30
    for row, words in enumerate(made.tokens):
        expected = log_prob(decoder, [words], z[row], end=bool(made.finished_N[row]))[0]
        assert made.log_prob_N[row].item() == pytest.approx(expected.item(), abs=1e-6)
        assert len(words) <= LONGEST
        assert all(word > UNK_ID or (decoding.allow_unk and word == UNK_ID) for word in words)


def test_a_wide_beam_finds_the_mode(decoder) -> None:
    """Width no smaller than the number of prefixes: the exact argmax, and the exact runners-up."""
    z, sentences = codes(4), every_sentence()
    for penalty in (0.0, 0.7, 1.0):
        found = beam_search(decoder, z, width=len(sentences), length_penalty=penalty, best=5, max_tokens=LONGEST)
        for row, ranked in enumerate(found):
            exact = log_prob(decoder, sentences, z[row])
            score = exact / torch.tensor([float(len(s) + 1) ** penalty for s in sentences], dtype=torch.float64)
            # Markov chains make ties, so sentences are compared by their scores.
            assert [h.score for h in ranked] == pytest.approx(score.sort(descending=True).values[:5].tolist(), abs=1e-6)
            for hypothesis in ranked:
                true = score[sentences.index(tuple(hypothesis.tokens))].item()
                assert hypothesis.score == pytest.approx(true, abs=1e-6)
            assert len({tuple(h.tokens) for h in ranked}) == 5


def test_greedy_is_a_beam_of_one(decoder) -> None:
    z = codes(40)
    greedy = generate(decoder, z, GreedyConfig(max_tokens=LONGEST))
    beam = generate(decoder, z, BeamConfig(max_tokens=LONGEST, width=1))
    assert greedy.tokens == beam.tokens
    assert torch.equal(greedy.finished_N, beam.finished_N)
    torch.testing.assert_close(greedy.log_prob_N, beam.log_prob_N)


@pytest.mark.parametrize("decoding", [ALL[0], ALL[3], ALL[4]], ids=str)
def test_batching_never_changes_an_answer(decoder, decoding) -> None:
    z = codes(20)
    together = generate(decoder, z, decoding)
    apart = [generate(decoder, z[i : i + 1], decoding).tokens[0] for i in range(20)]
    assert together.tokens == apart


def _exact(decoder, z_D: torch.Tensor, **settings) -> dict[tuple[int, ...], float]:
    """The exact distribution over (sentence, finished) of sampling at most 2 words, by walking the tree."""
    exact: dict[tuple[int, ...], float] = {}

    def walk(words: tuple[int, ...], probability: float) -> None:
        state = decoder.init_state(z_D.unsqueeze(0))
        with torch.no_grad():
            for token in (1, *words):
                scores, state = decoder.step(torch.tensor([token]), state)
        scores[:, [0, 1, UNK_ID]] = -torch.inf
        probs = reshape(scores, **settings)[0].tolist()
        for token, p in enumerate(probs):
            if p == 0:
                continue
            if token == 2 or len(words) == 2:
                key = (*words, 2) if token == 2 else (*words, -1)
                exact[key] = exact.get(key, 0.0) + probability * p
            else:
                walk((*words, token), probability * p)

    walk((), 1.0)
    return exact


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.6}, {"top_k": 2}, {"top_p": 0.7}], ids=str)
@pytest.mark.parametrize("name", ["table", "gru-both", "transformer-prefix"])
def test_sampling_frequencies_are_the_exact_probabilities(name: str, settings: dict) -> None:
    """20 000 draws; every frequency within 4.5 standard errors (about 100 comparisons in all)."""
    decoder, z, draws = build(name), codes(1), 20_000
    decoding = SamplingConfig(max_tokens=2, **settings)
    made = generate(decoder, z.expand(draws, -1), decoding, generator=torch.Generator().manual_seed(0))
    seen: dict[tuple[int, ...], int] = {}
    for words, finished in zip(made.tokens, made.finished_N.tolist(), strict=True):
        key = (*words, 2 if finished else -1)
        seen[key] = seen.get(key, 0) + 1
    exact = _exact(decoder, z[0], **settings)
    assert sum(exact.values()) == pytest.approx(1.0, abs=1e-9)
    assert set(seen) <= set(exact)
    for key, probability in exact.items():
        error = math.sqrt(probability * (1 - probability) / draws) + 1e-9
        assert abs(seen.get(key, 0) / draws - probability) < 4.5 * error + 1 / draws, key


def test_reshaping_is_what_it_says() -> None:
    p = torch.tensor([[0.5, 0.25, 0.15, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    log_p = p.log()
    torch.testing.assert_close(reshape(log_p), p)
    squared = p.square() / p.square().sum(-1, keepdim=True)
    torch.testing.assert_close(reshape(log_p, temperature=0.5), squared)
    expected = torch.tensor([[2 / 3, 1 / 3, 0, 0], [0, 0, 3 / 7, 4 / 7]], dtype=torch.float64)
    torch.testing.assert_close(reshape(log_p, top_k=2), expected)
    # 0.5 + 0.25 reaches 0.75 exactly: the nucleus is these two; 0.4 + 0.3 does not, so it takes a third.
    nucleus = torch.tensor([[2 / 3, 1 / 3, 0, 0], [0, 2 / 9, 3 / 9, 4 / 9]], dtype=torch.float64)
    torch.testing.assert_close(reshape(log_p, top_p=0.75), nucleus)
    # Among the two of top_k, 4/7 < 0.6, so both stay; in the first row 2/3 is enough.
    both = torch.tensor([[1, 0, 0, 0], [0, 0, 3 / 7, 4 / 7]], dtype=torch.float64)
    torch.testing.assert_close(reshape(log_p, top_k=2, top_p=0.6), both)


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_every_row_keeps_candidates_whatever_the_batch(rows: int) -> None:
    scores = torch.randn(rows, 50, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    for settings in ({"top_k": 1}, {"top_k": 3}, {"top_k": 99}, {"top_p": 1e-6}, {"top_k": 5, "top_p": 0.01}):
        kept = reshape(scores, **settings) > 0
        assert (kept.sum(-1) >= 1).all()
        if "top_p" not in settings:
            assert (kept.sum(-1) == min(settings["top_k"], 50)).all()
        assert kept.gather(1, scores.argmax(-1, keepdim=True)).all()


def test_a_draw_never_has_weight_zero() -> None:
    weights = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]], dtype=torch.float64)
    uniform = torch.tensor([0.0, 0.3 - 1e-12, 0.3, 1 - 2**-53], dtype=torch.float64)
    assert draw(weights.expand(4, -1), uniform).tolist() == [1, 1, 3, 3]


def test_a_seed_fixes_the_samples(decoder) -> None:
    z = codes(20)
    decoding = SamplingConfig(max_tokens=LONGEST)
    first = generate(decoder, z, decoding, generator=torch.Generator().manual_seed(5))
    again = generate(decoder, z, decoding, generator=torch.Generator().manual_seed(5))
    other = generate(decoder, z, decoding, generator=torch.Generator().manual_seed(6))
    assert first.tokens == again.tokens
    assert first.tokens != other.tokens


def test_no_sentences_and_no_latent_are_fine() -> None:
    for decoding in ALL:
        assert generate(build("table"), codes(0), decoding).tokens == []
        assert len(generate(build("table"), torch.zeros(3, 0), decoding).tokens) == 3


def test_a_decoder_in_training_mode_is_left_so_and_decodes_without_dropout() -> None:
    decoder = build("lstm-both-2-layers")
    expected = generate(decoder, codes(10), GreedyConfig(max_tokens=LONGEST)).tokens
    decoder.train()
    assert generate(decoder, codes(10), GreedyConfig(max_tokens=LONGEST)).tokens == expected
    assert decoder.training


def test_settings_are_refused_with_a_cure() -> None:
    with pytest.raises(ConfigError, match="greedy"):
        parse(DecodingConfig, {"kind": "sample", "temperature": 0.0}, "recipe")
    for wrong in ({"kind": "sample", "top_p": 0.0}, {"kind": "sample", "top_k": 0}, {"kind": "beam", "width": 0}):
        with pytest.raises(ConfigError):
            parse(DecodingConfig, wrong, "recipe")
    with pytest.raises(ConfigError, match="at most 4"):
        generate(build("transformer-prefix"), codes(1), GreedyConfig(max_tokens=9))
    assert isinstance(parse(DecodingConfig, {"kind": "beam", "width": 2}, "recipe"), BeamConfig)


def test_the_default_limit_is_the_decoders_or_fifty() -> None:
    endless = build("table")
    endless.log_prob_ZVV = endless.log_prob_ZVV.clone()
    endless.log_prob_ZVV[..., 2] = -50.0
    made = generate(endless, codes(3), GreedyConfig())
    assert [len(words) for words in made.tokens] == [50] * 3
    assert not made.finished_N.any()
    beam = generate(endless, codes(3), BeamConfig(width=2))
    assert [len(words) for words in beam.tokens] == [50] * 3
    assert not beam.finished_N.any()
    for words in generate(build("transformer-prefix"), codes(20), SamplingConfig()).tokens:
        assert len(words) <= LONGEST
    assert VOCAB == 7
