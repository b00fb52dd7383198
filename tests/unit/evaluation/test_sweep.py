"""The loop that every evaluation shares: what it promises of batches, labels, progress, the model and randomness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.oracles.corpus import ListCorpus
from textvae.errors import ConfigError
from textvae.evaluation.sweep import places, sweep
from textvae.models import LanguageModel, LanguageModelConfig

SENTENCES = [[4] * (1 + i * 7 % 6) for i in range(20)]
CORPUS = ListCorpus(SENTENCES, labels=[i % 2 for i in range(20)])


def language_model() -> LanguageModel:
    return LanguageModelConfig().build(vocab_size=9, max_tokens=8)  # type: ignore[return-value]


@pytest.mark.parametrize(("batch_tokens", "copies"), [(1, 1), (30, 1), (30, 3), (10_000, 1)])
def test_every_sentence_is_in_one_part_within_the_budget(batch_tokens: int, copies: int) -> None:
    indices, seen = np.array([17, 3, 8, 0, 12, 5]), []
    with sweep(language_model(), CORPUS, indices, "x", batch_tokens=batch_tokens, copies=copies) as parts:
        for part in parts:
            seen += part.rows.tolist()
            assert part.example_ids.tolist() == indices[part.rows].tolist() == part.batch.example_id_B.tolist()
            assert part.batch.lengths_B.tolist() == CORPUS.lengths[part.example_ids].tolist()
            longest = CORPUS.lengths[indices].max()
            assert part.batch.tokens_BT.numel() <= max(longest, batch_tokens // copies)
    assert sorted(seen) == list(range(6))


def test_labels_are_hidden() -> None:
    with sweep(language_model(), CORPUS, np.arange(20), "x") as parts:
        assert [part.batch.label_B for part in parts] == [None]


def test_progress_counts_what_is_done() -> None:
    told: list[tuple[str, int, int]] = []
    with sweep(
        language_model(), CORPUS, np.arange(20), "x", batch_tokens=8, progress=lambda *so_far: told.append(so_far)
    ) as parts:
        for number, part in enumerate(parts):
            assert len(told) == number, "a part counts when its work is done"
            done = len(part.rows) + (told[-1][1] if told else 0)
    assert {(what, total) for what, _, total in told} == {("x", 20)}
    assert [count for _, count, _ in told] == sorted(count for _, count, _ in told) and told[-1][1] == done == 20


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_mode_gradients_and_random_state_are_as_before(training: bool, fails: bool) -> None:
    model = language_model().train(training)
    state = torch.random.get_rng_state()
    try:
        with sweep(model, CORPUS, np.arange(20), "x", batch_tokens=8) as parts:
            for _ in parts:
                torch.rand(3)
                assert not model.training and not torch.is_grad_enabled()
                if fails:
                    raise KeyError
    except KeyError:
        assert fails
    assert model.training == training and torch.is_grad_enabled()
    assert torch.equal(state, torch.random.get_rng_state())


def test_no_sentences_are_refused() -> None:
    with (
        pytest.raises(ConfigError, match="no sentences"),
        sweep(language_model(), CORPUS, np.array([], dtype=np.int64), "x") as parts,
    ):
        list(parts)


def test_all_places_when_none_are_named() -> None:
    assert places(CORPUS, None).tolist() == list(range(20))
    assert places(CORPUS, np.array([3, 1])).tolist() == [3, 1]
