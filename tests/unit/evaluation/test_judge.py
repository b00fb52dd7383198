"""The judges of a corpus: the NLL is the language model's own, blank and long texts are counted, and runs are kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import judges
from tests.components import SMALL, scramble
from tests.tiny_corpus import SETTINGS, write_tiny
from tests.unit.evaluation.test_tfidf import corpus
from textvae.decoders import LSTMDecoderConfig
from textvae.errors import DataError, ModelError
from textvae.evaluation import Judge, LabelJudge, judge_recipe
from textvae.evaluation.tfidf import tfidf_accuracies
from textvae.models import LanguageModelConfig, TextVAEConfig
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.stages import STAGES
from textvae.text.batching import encode_texts
from textvae.text.tokenizers import WordConfig
from textvae.types import BOS_ID, EOS_ID

TOKENIZER = WordConfig(vocab_size=40).train(["the old dog sleeps", "no cat loves the sea", "you and i sing"])
TEXTS = ["the dog loves you", "no cat sleeps", "i sing"]
LONGEST = 5
CARDS = sorted((Path(__file__).parents[3] / "data").glob("*.toml"))
TINY: dict[str, Any] = {
    "tokenize.max_tokens": 10,
    "train.epochs": 2,
    "train.model.decoder.embedding_dim": 8,
    "train.model.decoder.hidden_dim": 12,
}


@pytest.fixture(name="judge")
def _judge() -> Judge:
    config = LanguageModelConfig(decoder=LSTMDecoderConfig(**SMALL, dropout=0.4))
    model: Any = scramble(config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=LONGEST), scale=0.3)
    model.tokenizer = TOKENIZER
    return Judge(model.train())


def test_the_nll_is_the_language_models(judge: Judge) -> None:
    """Within 1e-5 of the decoder's own in evaluation mode, in whatever mode the model is, which stays."""
    nll_N, tokens_N = judge.nll(iter(TEXTS))
    assert judge.model.training
    batch = encode_texts(TEXTS, TOKENIZER, LONGEST)
    expected = -judge.model.eval().decoder.log_prob(batch.tokens_BT, torch.zeros(1, 3, 0))[0]
    np.testing.assert_allclose(nll_N, expected.detach(), rtol=1e-5)
    assert tokens_N.tolist() == [5, 4, 3]
    assert judge.perplexity(TEXTS) == pytest.approx(math.exp(nll_N.sum() / 12))
    np.testing.assert_allclose(judge.nll(TEXTS[::-1])[0], nll_N[::-1], rtol=1e-5)


def test_blank_long_and_unknown_texts_are_judged_and_counted(judge: Judge) -> None:
    long = "the cat loves the old dog and the sea"
    found = judge.judge([long, "", "   ", "the xylophone sings", "the cat loves the old"])
    assert (found.cut, found.blank) == (1, 2)
    assert found.tokens.tolist() == [6, 1, 1, 4, 6] and found.unknown.tolist() == [0, 0, 0, 2, 0]
    assert found.nll[0] == pytest.approx(found.nll[4], rel=1e-5), "its first words, as a whole text"
    decoder = judge.model.eval().decoder
    first, _ = decoder.step(torch.tensor([BOS_ID]), decoder.init_state(torch.zeros(1, 0)))
    np.testing.assert_allclose(found.nll[1:3], -first[0, EOS_ID].item(), rtol=1e-5)
    assert found.perplexity == pytest.approx(math.exp(found.nll.sum() / 18))
    for wrong in ([], "one text"):
        with pytest.raises(DataError):
            judge.judge(wrong)


def test_a_judge_is_a_language_model() -> None:
    with pytest.raises(ModelError, match="this is a 'text_vae' model; train one with"):
        Judge(TextVAEConfig(latent_dim=3).build(vocab_size=9, max_tokens=5))


def test_the_classifier_learns_from_all_labels_and_says_how_good_it_is(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    train, test = (corpus(tmp_path / f"{seed}.arrow", 300, seed, noise=0.2) for seed in (0, 1))
    judge = LabelJudge(train, test)
    assert judge.accuracy == tfidf_accuracies(train, test, [len(train)], [0])[0, 0] > 0.7
    assert judge.sentences == 300 and judge.accuracy_se == pytest.approx(
        (judge.accuracy * (1 - judge.accuracy) / 300) ** 0.5
    )
    found = judge.labels_of(["it was lovely today", "it was awful today", "", "xyz"])
    assert found[:2] == [judge.label_names[1], judge.label_names[0]] and found[2] == found[3]
    plain = write_unlabelled(tmp_path / "plain.arrow")
    for splits, which in (((plain, test), "training"), ((train, plain), "test")):
        with pytest.raises(DataError, match=f"the {which} split has no labels"):
            LabelJudge(*splits)


def write_unlabelled(path: Path) -> Any:
    from textvae.text.corpora.base import Example
    from textvae.text.tokenized import TokenizedCorpus, write_tokenized

    write_tokenized(path, [Example("the old dog", None)], TOKENIZER, max_tokens=9)
    return TokenizedCorpus(path)


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_every_card_has_a_judge_that_can_be_trained(card: Path) -> None:
    recipe = judges.recipe_of(card)
    checked_settings(read_recipe(recipe), STAGES)
    assert recipe["seed"] == judges.SEED and judge_recipe(card, 7)["seed"] == 7
    assert judges.recipe_of(card.stem)["tokenize"] == recipe["tokenize"]


def test_a_judge_is_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tiny sizes: the run is kept, the lines printed are those of its report, and both judges come out of it."""
    pytest.importorskip("sklearn")
    write_tiny(tmp_path, SETTINGS, 300)
    card, out = tmp_path / "card.toml", tmp_path / "runs"
    judge = judges.judge_of(card, out, TINY)
    model = out / "judge_card" / "train" / "model" / "model.safetensors"
    made = model.stat().st_mtime_ns
    again = judges.judge_of(card, out, TINY)
    assert model.stat().st_mtime_ns == made
    texts = ["the a i is good", "the i"]
    np.testing.assert_array_equal(judge.nll(texts)[0], again.nll(texts)[0])
    perplexity, accuracy = judges.told(card, out, TINY)
    report = judges.trained(card, out, TINY)
    assert f"perplexity {report['evaluate']['ppl']:.2f}" in perplexity and "sentences of the test split" in perplexity
    assert accuracy.startswith("classifier of card: accuracy 1.0000")
    assert judges.label_judge_of(card, out, TINY).labels_of(["the b k is sad"]) == ["neg"]
