"""Imputation on the enumerable text model, where every completion's probability is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch

from tests.oracles.markov_mixture import (
    CHAINS,
    LENGTH,
    SENTENCES,
    VOCAB_SIZE,
    MarkovMixtureModel,
    OneHotCategorical,
    batch_of,
    exact_blank_joint,
    exact_imputations,
    exact_posterior,
    wrong,
)
from textvae.generation import Blank, Slot
from textvae.tasks import impute
from textvae.tasks.iterated_modes import Completed, iterated_modes
from textvae.text.tokenizers.word import WordTokenizer
from textvae.types import UNK_ID, Batch

PATTERNS = [hidden for n in (1, 2, 3) for hidden in itertools.combinations(range(LENGTH), n)]
"""Which of the three words are hidden."""

WIDE = {"width": 64, "expand": 4, "candidates": 64}
CASES = [(sentence, hidden) for sentence in SENTENCES[::13] for hidden in PATTERNS]


def template(sentence: tuple[int, ...], hidden: tuple[int, ...]) -> list[Slot]:
    return [Blank() if i in hidden else word for i, word in enumerate(sentence)]


def with_blanks(sentence: tuple[int, ...], hidden: tuple[int, ...]) -> list[int | None]:
    return [None if i in hidden else word for i, word in enumerate(sentence)]


def run(model: MarkovMixtureModel, samples: int = 4, rounds: int = 10, **settings: int) -> list[Completed]:
    settings = WIDE | settings
    templates = [template(*case) for case in CASES]
    return iterated_modes(model, templates, rounds=rounds, samples=samples, seed=0, **settings)  # type: ignore[arg-type]


class StartsBadly(MarkovMixtureModel):
    """Exact for whole sentences; one with `<unk>` in it, as the rounds begin with, is taken for the rarest chain's."""

    def posterior_of(self, batch: Batch) -> OneHotCategorical:
        unseen_B1 = (batch.tokens_BT == UNK_ID).any(1, keepdim=True)
        return OneHotCategorical(
            torch.where(unseen_B1, torch.tensor([0.1, 0.1, 0.8]).double(), exact_posterior(batch.tokens_BT))
        )


@pytest.mark.parametrize("model", [MarkovMixtureModel(), StartsBadly()], ids=["exact-start", "bad-start"])
def test_exact_steps_never_lower_the_joint_and_end_in_a_conditional_mode(model: MarkovMixtureModel) -> None:
    """z at the exact posterior mode, blanks at the exact argmax: log p(x_hidden, x_observed, z) climbs (to 1e-12)
    until neither step can raise it alone, and is never above the enumerated maximum."""
    climbed = 0
    for (sentence, hidden), completed in zip(CASES, run(model), strict=True):
        table = {(whole, k): joint for whole, k, joint in exact_blank_joint(with_blanks(sentence, hidden))}
        trace = completed.trace
        assert all(after >= before - 1e-12 for before, after in itertools.pairwise(trace))
        climbed += trace[-1] > trace[0] + 1e-9
        k = int(exact_posterior(batch_of([completed.best]).tokens_BT).argmax())
        reached = table[completed.best, k]
        assert trace[-1] == pytest.approx(reached, abs=1e-9)
        assert reached >= max(joint for (whole, _), joint in table.items() if whole == completed.best) - 1e-12
        assert reached >= max(joint for (_, chain), joint in table.items() if chain == k) - 1e-12
        assert reached <= max(table.values()) + 1e-12
    if isinstance(model, StartsBadly):
        assert climbed >= 3, "no case needs a second round: the theorem tests nothing"


@pytest.mark.parametrize("width", [1, 2])
def test_a_wrong_posterior_and_a_narrow_beam_keep_the_best_pair(width: int) -> None:
    for (sentence, hidden), completed in zip(CASES, run(MarkovMixtureModel(wrong), width=width, expand=1), strict=True):
        table = exact_blank_joint(with_blanks(sentence, hidden))
        joints = [joint for whole, _, joint in table if whole == completed.best]
        assert any(max(completed.trace) == pytest.approx(joint, abs=1e-9) for joint in joints)


@pytest.mark.parametrize("approximate", [None, wrong], ids=["exact", "wrong"])
def test_probabilities_are_those_of_enumeration(approximate: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
    """All completions are considered, so shares are p(x_hidden | x_observed) and log_prob is log p(x).

    Every estimate is an importance-weighted mean over z from q(z | best completion), whose standard error the
    enumeration gives too; all 500 and more comparisons must hold within 5 of these.
    """
    model, samples = MarkovMixtureModel(approximate), 1_000
    for (sentence, hidden), completed in zip(CASES, run(model, samples=samples), strict=True):
        blanks = with_blanks(sentence, hidden)
        exact = dict(exact_imputations(blanks))
        joint: dict[tuple[int, ...], list[float]] = {whole: [0.0] * CHAINS for whole in exact}
        for whole, k, log_joint in exact_blank_joint(blanks):
            joint[whole][k] = math.exp(log_joint)
        q_K = model.posterior_of(batch_of([completed.best])).probs[0].tolist()
        total_K = [sum(row[k] for row in joint.values()) for k in range(CHAINS)]
        total = sum(total_K)

        def relative_error(joint_K: list[float], q_K: list[float] = q_K, total: float = total) -> float:
            second = sum(p * p / q for p, q in zip(joint_K, q_K, strict=True))
            return math.sqrt(max(second - sum(joint_K) ** 2, 0.0) / samples) / total

        assert {completion.tokens for completion in completed.completions} == set(exact)
        shares = [completion.probability for completion in completed.completions]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == sorted(shares, reverse=True)
        for completion in completed.completions:
            error = relative_error(joint[completion.tokens])
            both = error + exact[completion.tokens] * relative_error(total_K)
            assert abs(completion.probability - exact[completion.tokens]) < 5 * both + 1e-9
            true = sum(joint[completion.tokens])
            assert abs(math.exp(completion.log_prob) - true) < 5 * error * total + 1e-12


def test_texts_in_texts_out() -> None:
    """The same through the public function: the best answer is the enumerated one wherever that leads clearly."""
    model = MarkovMixtureModel()
    model.tokenizer = WordTokenizer(["<pad>", "<s>", "</s>", "<unk>", "a", "b", "c", "d"], split="whitespace")
    assert model.tokenizer.vocab_size == VOCAB_SIZE
    texts = ["a ___ c", "___ d d", "b a ___", "___ ___ a"]
    blanks: list[list[int | None]] = [[4, None, 6], [None, 7, 7], [5, 4, None], [None, None, 4]]
    found = impute(model, texts, samples=4000, width=20, answers=16, candidates=16)
    for text, blank, imputation in zip(texts, blanks, found, strict=True):
        assert imputation.text == text and imputation.bound == "iw-4000"
        ranked = exact_imputations(blank)
        if ranked[0][1] > ranked[1][1] + 0.1:
            assert imputation.answers[0].text == model.tokenizer.decode(ranked[0][0])
        assert "___" not in imputation.answers[0].text
        assert len(imputation.answers[0].fillers) == text.count("___")
        exact = {model.tokenizer.decode(whole): probability for whole, probability in ranked}
        for answer in imputation.answers:
            assert answer.probability == pytest.approx(exact[answer.text], abs=0.06)
    again = impute(model, texts, samples=4000, width=20, answers=16, candidates=16)
    assert again == found
