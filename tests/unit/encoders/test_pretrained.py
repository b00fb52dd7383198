"""The pretrained encoder in a model: what is trained, saved and loaded, and what it remembers."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.components import HAS_TRANSFORMERS, eleven_words, random_batch, reading
from tests.tiny_backbone import VOCABULARY, write_backbone
from tests.tiny_corpus import SETTINGS, write_tiny
from tests.unit.training.helpers import LABELS, MODEL, config, sentences, write_corpora
from textvae import cli
from textvae.disk import size_and_crc
from textvae.encoders import PretrainedEncoderConfig, sentence_features
from textvae.encoders.feature_memory import FeatureMemory
from textvae.encoders.pretrained import FrozenEncoder, TunedEncoder
from textvae.errors import ModelError
from textvae.evaluation import likelihood
from textvae.models import SemiSupervisedConfig, TextVAE, TextVAEConfig, load_model
from textvae.text.batching import encode_texts
from textvae.text.tokenizers import WordConfig
from textvae.training import train
from textvae.training.checkpoint import Checkpoints

pytestmark = pytest.mark.skipif(not HAS_TRANSFORMERS, reason="needs the transformers package")

TEXTS = ["one two three", "seven", "six five four three two one", "two two"]
TRAINABLE = ["none", "last", "all"]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return write_backbone(tmp_path / "bert")


def built(folder: Path, trainable: str = "none", **settings: Any) -> TextVAE:
    encoder = PretrainedEncoderConfig(model=str(folder), trainable=trainable, **settings)  # type: ignore[arg-type]
    return reading(TextVAEConfig(latent_dim=3, encoder=encoder).build(vocab_size=11, max_tokens=9)).eval()


# -- Saving and loading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainable", TRAINABLE)
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_a_model_comes_back_as_it_was(trainable: str, pooling: str, folder: Path, tmp_path: Path) -> None:
    model = built(folder, trainable, pooling=pooling)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert torch.equal(model.encode(TEXTS), again.encode(TEXTS)) and again.config == model.config
    assert again.num_parameters == model.num_parameters
    again.save_pretrained(tmp_path / "twice")
    assert torch.equal(model.encode(TEXTS), load_model(tmp_path / "twice").encode(TEXTS))


@pytest.mark.parametrize("trainable", ["last", "all"])
def test_a_trained_encoder_is_saved_whole(trainable: str, folder: Path, tmp_path: Path) -> None:
    """The model's folder is all that is needed: the one it was made from may be gone, and neither holds a path."""
    model = built(folder, trainable)
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(folder)
    shutil.move(tmp_path / "model", tmp_path / "moved")
    assert torch.equal(load_model(tmp_path / "moved").encode(TEXTS), model.encode(TEXTS))
    saved = json.loads((tmp_path / "moved" / "config.json").read_text())["files"]
    assert {name for name in saved if name.startswith("encoder/")} == {
        *("encoder/config.json", "encoder/sentence_bert_config.json"),
        *("encoder/tokenizer.json", "encoder/tokenizer_config.json"),
    }
    path = tmp_path / "moved" / "encoder" / "tokenizer.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(ModelError, match="bytes"):
        load_model(tmp_path / "moved")


@pytest.mark.parametrize(
    "absurd",
    [{"vocab_size": 10**12}, {"max_position_embeddings": 10**12}, {"hidden_size": 2**14}, {"num_hidden_layers": 99}],
)
def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(
    absurd: dict[str, int], folder: Path, tmp_path: Path
) -> None:
    built(folder, "all").save_pretrained(tmp_path / "model")
    path, header = tmp_path / "model" / "encoder" / "config.json", tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **absurd}))
    content = json.loads(header.read_text())
    content["files"]["encoder/config.json"] = size_and_crc(path)
    header.write_text(json.dumps(content))
    with pytest.raises(ModelError):
        load_model(tmp_path / "model")


def test_a_frozen_encoder_is_saved_by_reference(folder: Path, tmp_path: Path) -> None:
    model = built(folder)
    model.save_pretrained(tmp_path / "model")
    names = set(load_file(tmp_path / "model" / "model.safetensors"))
    assert {name for name in names if name.startswith("encoder")} == {"encoder._extra_state"}
    assert not (tmp_path / "model" / "encoder").exists()
    assert not list(model.encoder.parameters())
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"is no folder here; give the folder of a model, or its OWNER/NAME on .*\.$"):
        load_model(tmp_path / "model")


def test_other_weights_than_those_of_training_are_refused(folder: Path, tmp_path: Path) -> None:
    model = built(folder)
    assert isinstance(model.encoder, FrozenEncoder)
    expected = model.encoder.backbone.source.sha256
    model.save_pretrained(tmp_path / "model")
    Checkpoints(tmp_path / "kept", {}, {}).save(model, {}, step=1, epoch=1, is_best=True)
    write_backbone(folder, seed=1)
    other = built(folder)
    assert isinstance(other.encoder, FrozenEncoder)
    found = other.encoder.backbone.source.sha256
    assert found != expected
    checkpoint = Checkpoints(tmp_path / "kept", {}, {}).latest()
    assert checkpoint is not None
    for load in (lambda: load_model(tmp_path / "model"), lambda: checkpoint.load_weights(other)):
        with pytest.raises(ModelError) as caught:
            load()
        said = str(caught.value)
        assert expected in said and found in said and "put the former weights there" in said
        assert said.endswith(".") and said.count(". ") == 0


def test_a_whole_model_over_one_by_reference_and_back(folder: Path, tmp_path: Path) -> None:
    whole, plain = built(folder, "all"), built(folder)
    whole.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "encoder" / "notes.txt").write_text("mine")
    plain.save_pretrained(tmp_path / "model")
    assert [path.name for path in (tmp_path / "model" / "encoder").iterdir()] == ["notes.txt"]
    assert torch.equal(load_model(tmp_path / "model").encode(TEXTS), plain.encode(TEXTS))
    whole.save_pretrained(tmp_path / "model")
    assert torch.equal(load_model(tmp_path / "model").encode(TEXTS), whole.encode(TEXTS))


# -- What is trained ---------------------------------------------------------------------------------------------------


def trained(folder: Path, out: Path, trainable: str, stop_at: int | None = None, **settings: Any) -> Path:
    """The folder of a model after a few steps; stopped after some checkpoint and gone on with, if asked for."""
    train_corpus, valid_corpus, tokenizer = write_corpora(out)
    encoder = {"kind": "pretrained", "model": str(folder), "trainable": trainable}
    chosen = config(model={**MODEL, "encoder": encoder, **settings}, epochs=2, checkpoint_minutes=1e-9, max_steps=6)

    def sit() -> None:
        train(chosen, train_corpus, valid_corpus, out, seed=3, tokenizer=tokenizer, label_names=LABELS)

    if stop_at is not None:
        saved, calls = Checkpoints.save, 0

        def save(self: Checkpoints, *arguments: object, **more: object) -> None:
            nonlocal calls
            saved(self, *arguments, **more)  # type: ignore[arg-type]
            calls += 1
            if calls == stop_at:
                raise InterruptedError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoints, "save", save)
            with pytest.raises(InterruptedError):
                sit()
    sit()
    return out / "model"


CHANGED = {
    "none": set(),
    "last": {"encoder.layer.1"},
    "all": {"embeddings", "encoder.layer.0", "encoder.layer.1"},
}


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_only_what_is_trained_changes(
    trainable: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    before = load_file(folder / "model.safetensors")
    model = load_model(trained(folder, tmp_path / "out", trainable))
    after = {name.removeprefix("backbone."): value for name, value in model.encoder.state_dict().items()}
    changed = {name for name, value in before.items() if name in after and not torch.equal(value, after[name])}
    parts = {name if not name.startswith("encoder.layer") else name[: len("encoder.layer.0")] for name in changed}
    assert {part.split(".")[0] if part.startswith("embeddings") else part for part in parts} == CHANGED[trainable]
    counted = sum(value.numel() for name, value in before.items() if any(part in name for part in CHANGED[trainable]))
    rest = sum(value.numel() for name, value in model.named_parameters() if not name.startswith("encoder."))
    assert model.num_parameters == counted + rest
    assert all(torch.equal(value, load_file(folder / "model.safetensors")[name]) for name, value in before.items())


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_a_training_that_was_stopped_ends_with_the_same_weights(
    trainable: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit on a CPU, though the memory of features is empty when it goes on."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    whole = trained(folder, tmp_path / "whole", trainable)
    stopped = trained(folder, tmp_path / "stopped", trainable, stop_at=3)
    assert (whole / "model.safetensors").read_bytes() == (stopped / "model.safetensors").read_bytes()


def test_modes(folder: Path) -> None:
    """A frozen encoder never drops anything; of one whose last layer is trained, only that layer does."""
    batch = random_batch()
    for trainable in TRAINABLE:
        model = built(folder, trainable).train()
        first, second = (model.encoder(batch.tokens_BT, batch.lengths_B) for _ in range(2))
        assert torch.equal(first, second) is (trainable == "none")
        assert first.requires_grad is (trainable != "none")
    model = built(folder, "last").train()
    assert isinstance(model.encoder, TunedEncoder)
    training = {name for name, part in model.encoder.backbone.named_modules() if part.training}
    assert training and all(name.startswith("encoder.layer.1") for name in training)


def test_the_random_state_is_not_touched_by_loading(folder: Path) -> None:
    """So the other parts have the same weights, whether or not the encoder was loaded before."""
    for trainable in TRAINABLE:
        states = []
        for _ in range(2):
            torch.manual_seed(0)
            states.append(built(folder, trainable).state_dict())
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


# -- Text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_without_a_tokenizer_it_says_so(trainable: str, folder: Path) -> None:
    model = built(folder, trainable)
    model.tokenizer = None
    batch = random_batch()
    with pytest.raises(ModelError, match="has no tokenizer to turn tokens into it; set"):
        model.encoder(batch.tokens_BT, batch.lengths_B)


@pytest.mark.parametrize("trainable", TRAINABLE)
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_features_are_those_of_the_text_that_the_tokens_spell(trainable: str, pooling: str, folder: Path) -> None:
    """By transformers' own classes, from the decoded text, one at a time."""
    import transformers

    model = built(folder, trainable, pooling=pooling)
    batch = random_batch()
    found_BH = model.encoder(batch.tokens_BT, batch.lengths_B)
    ids = transformers.AutoTokenizer.from_pretrained(folder)
    bert = transformers.AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    for row in range(5):
        text = eleven_words().decode(batch.tokens_BT[row])
        with torch.no_grad():
            states_TH = bert(**ids(text, return_tensors="pt")).last_hidden_state[0]
        expected_H = {"mean": states_TH.mean(0), "first": states_TH[0], "max": states_TH.amax(0)}[pooling]
        torch.testing.assert_close(found_BH[row], expected_H, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_sentences_of_no_words_and_of_too_many_and_no_sentences(trainable: str, tmp_path: Path) -> None:
    model = built(write_backbone(tmp_path / "short", longest=5), trainable)
    tokens = torch.tensor([[1, 2, 0, 0, 0, 0], [1, 4, 5, 6, 7, 2], [1, 4, 5, 6, 8, 2], [1, 4, 5, 7, 6, 2]])
    found_BH = model.encoder(tokens, torch.tensor([2, 6, 6, 6]))
    assert found_BH.isfinite().all() and not torch.equal(found_BH[0], found_BH[1])
    # [CLS] and [SEP] leave three words of five tokens.
    torch.testing.assert_close(found_BH[1], found_BH[2], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found_BH[1], found_BH[3], atol=1e-3)
    assert model.encoder(tokens[:0], torch.zeros(0, dtype=torch.int64)).shape == (0, 8)


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_half_precision(trainable: str, folder: Path) -> None:
    """A frozen encoder is computed in float32 under autocast too; one that is trained is as near as bf16 is."""
    model = built(folder, trainable)
    batch = random_batch()
    expected_BH = model.encoder(batch.tokens_BT, batch.lengths_B)
    fresh = built(folder, trainable)
    with torch.autocast("cpu", torch.bfloat16):
        found_BH = fresh.encoder(batch.tokens_BT, batch.lengths_B)
        loss = fresh.terms(batch).log_px_z_SB.sum()
    assert found_BH.dtype == torch.float32 and loss.isfinite()
    torch.testing.assert_close(found_BH, expected_BH, rtol=0, atol=0 if trainable == "none" else 0.1)
    double = built(folder, trainable).double()
    assert double.encoder(batch.tokens_BT, batch.lengths_B).dtype == torch.float64
    assert double.terms(batch).log_px_z_SB.dtype == torch.float64


# -- What is remembered and shared -------------------------------------------------------------------------------------


def test_a_sentence_is_encoded_once(folder: Path, seen: list[int]) -> None:
    model = built(folder)
    first = model.encode(TEXTS)
    assert seen == [4]
    assert torch.equal(model.encode([*TEXTS[::-1], TEXTS[0]]), torch.cat([first.flip(0), first[:1]]))
    assert seen == [4]
    model.encode([*TEXTS, "five", "five"])
    assert seen == [4, 1]


def test_another_tokenizer_is_another_text(folder: Path) -> None:
    model, batch = built(folder), random_batch()
    before = model.encoder(batch.tokens_BT, batch.lengths_B)
    model.tokenizer = WordConfig(vocab_size=11).train(["good bad is the one two three"])
    assert not torch.allclose(model.encoder(batch.tokens_BT, batch.lengths_B), before)
    model.tokenizer = eleven_words()
    assert torch.equal(model.encoder(batch.tokens_BT, batch.lengths_B), before)


def test_the_memory_is_bounded_and_right_beyond_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.encoders.base.REMEMBERED", 3)
    model = built(folder)
    assert isinstance(model.encoder, FrozenEncoder)
    batch = encode_texts(TEXTS, eleven_words(), 9)
    expected = model.encoder.backbone.encode(TEXTS, "mean", torch.device("cpu"))
    for _ in range(3):
        assert np.array_equal(model.encoder(batch.tokens_BT, batch.lengths_B), expected)
        assert model.encoder.memory is not None and len(model.encoder.memory) == 3
    memory = FeatureMemory(2, most=5000)
    for start in range(0, 6000, 7):
        keys = [str(i).encode() for i in range(start, start + 7)]
        memory.store(keys, np.arange(start, start + 7, dtype=np.float32).repeat(2).reshape(7, 2))
    assert len(memory) == 5000 and memory._rows_NH.nbytes <= 5000 * 2 * 4
    places, rows = memory.find([b"4999", b"5000", b"17"])
    assert places.tolist() == [0, 2] and rows[:, 0].tolist() == [4999, 17]


def test_it_is_loaded_once_for_all_models_and_copies(folder: Path) -> None:
    first, second = built(folder), built(folder, pooling="max")
    copied, pickled = copy.deepcopy(first), pickle.loads(pickle.dumps(first))
    for other in (second, copied, pickled):
        assert other.encoder.backbone is first.encoder.backbone  # type: ignore[union-attr]
    first.encode(TEXTS)
    for other in (copied, pickled):
        assert len(other.encoder.memory) == 0
        assert torch.equal(other.encode(TEXTS), first.encode(TEXTS))
    assert built(write_backbone(folder.parent / "other", seed=1)).encoder.backbone is not first.encoder.backbone  # type: ignore[union-attr]


def test_weights_that_change_under_a_model_are_noticed(folder: Path, tmp_path: Path) -> None:
    """A model goes on with those that it has; what refers to them is refused."""
    model = built(folder)
    assert isinstance(model.encoder, FrozenEncoder)
    before, pickled = model.encode(TEXTS), pickle.dumps(model)
    expected = model.encoder.backbone.sha256
    write_backbone(folder, seed=1)
    assert bytes(model.state_dict()["encoder._extra_state"].tolist()).hex() == expected
    assert torch.equal(model.encode(TEXTS), before) and torch.equal(copy.deepcopy(model).encode(TEXTS), before)
    with pytest.raises(ModelError, match=f"were changed: they have SHA-256 .*, expected {expected}"):
        pickle.loads(pickled)


def test_features_do_not_depend_on_the_batch(folder: Path) -> None:
    """To the bit on a CPU: lengths from 1 to 30 words, alone, together and in another order."""
    model = built(folder)
    assert isinstance(model.encoder, FrozenEncoder)
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(VOCABULARY[5:16], size=draw.integers(1, 31))) for _ in range(60)]
    encode = model.encoder.backbone.encode
    device = torch.device("cpu")
    together = encode(texts, "mean", device)
    assert np.array_equal(together, np.concatenate([encode([text], "mean", device) for text in texts]))
    order = draw.permutation(60)
    assert np.array_equal(together[order], encode([texts[i] for i in order], "mean", device))


# -- Uses --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_every_task_works_with_it(trainable: str, folder: Path, tmp_path: Path) -> None:
    model = built(folder, trainable)
    assert model.encode(TEXTS).shape == (4, 3)
    assert len(model.score(TEXTS)) == len(model.reconstruct(TEXTS)) == 4
    assert len(model.generate(2)) == 2
    assert model.impute("one ___ three", answers=2)
    assert model.interpolate(TEXTS[0], TEXTS[1], steps=3).texts
    train_corpus, _, tokenizer = write_corpora(tmp_path)
    encoder = PretrainedEncoderConfig(model=str(folder), trainable=trainable)  # type: ignore[arg-type]
    sizes = {"vocab_size": tokenizer.vocab_size, "max_tokens": 12}
    classifier = SemiSupervisedConfig(latent_dim=3, encoder=encoder).build(**sizes, label_names=LABELS)  # type: ignore[arg-type]
    classifier.tokenizer = tokenizer
    assert {one.label for one in classifier.classify(sentences(6, 5))} <= set(LABELS)
    plain = TextVAEConfig(latent_dim=3, encoder=encoder).build(**sizes)  # type: ignore[arg-type]
    plain.tokenizer = tokenizer
    assert np.isfinite(likelihood(plain.eval(), train_corpus, num_samples=2).rec_nll).all()


@pytest.mark.parametrize("prior", ["vamp", "nearest_neighbors"])
def test_priors_that_need_the_encoder(
    prior: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    model = load_model(trained(folder, tmp_path / "out", "none", prior={"kind": prior}))
    assert np.isfinite([one.elbo_nll for one in model.score(sentences(3, 1))]).all()


@pytest.mark.parametrize("trainable", ["none", "last"])
def test_a_recipe(trainable: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All stages: the classifier starts from the VAE's weights, beside the same encoder."""
    encoder = {"kind": "pretrained", "model": str(folder), "trainable": trainable}
    model = {**SETTINGS["train"]["model"], "encoder": encoder}
    settings = {**SETTINGS, "train": {**SETTINGS["train"], "model": model, "epochs": 1}}
    recipe = write_tiny(tmp_path, settings, sentences=200)
    out = tmp_path / "run"
    assert cli._run(["run", str(recipe), "--out", str(out)]) == 0, capsys.readouterr().err
    assert json.loads((out / "classify" / "manifest.json").read_text())
    assert cli._run(["score", str(out), "the a i is good"]) == 0
    assert cli._run(["classify", str(out), "the a i is good"]) == 0


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_changed_sentences_are_read_as_they_are(
    trainable: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that an augmentation hides is read as the tokenizer shows it; a training with augmentations works."""
    model = built(folder, trainable)
    tokens = torch.tensor([[1, 5, 3, 7, 2]])
    assert eleven_words().decode(tokens[0]).split()[1] == "<unk>"
    found_BH = model.encoder(tokens, torch.tensor([5]))
    expected = sentence_features([eleven_words().decode(tokens[0])], str(folder))
    np.testing.assert_allclose(found_BH.detach().numpy(), expected, rtol=0, atol=1e-5)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    corpora = write_corpora(tmp_path)
    encoder = {"kind": "pretrained", "model": str(folder), "trainable": trainable}
    chosen = config(model={**MODEL, "encoder": encoder}, max_steps=3, regularizers=[{"kind": "consistency"}])
    train(chosen, *corpora[:2], tmp_path / "out", seed=3, tokenizer=corpora[2])
    assert load_model(tmp_path / "out" / "model").encode(sentences(2, 5)).isfinite().all()


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_weights_of_16_bits_are_computed_and_saved_in_32(trainable: str, folder: Path, tmp_path: Path) -> None:
    weights = {name: value.half() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "float16"}))
    model = built(folder, trainable)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    assert torch.equal(again.encode(TEXTS), model.encode(TEXTS))


def test_a_start_from_a_run_with_other_weights_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    first = trained(folder, tmp_path / "first", "none")
    corpora = write_corpora(tmp_path / "second")
    for seed, refused in ((0, False), (1, True)):
        write_backbone(tmp_path / "other", seed=seed)
        encoder = {"kind": "pretrained", "model": str(tmp_path / "other")}
        chosen = config(model={**MODEL, "encoder": encoder}, max_steps=1, start_from={"run": str(first)})
        out = tmp_path / f"out-{seed}"
        if not refused:
            train(chosen, *corpora[:2], out, seed=3, tokenizer=corpora[2])
            continue
        with pytest.raises(ModelError, match="have SHA-256"):
            train(chosen, *corpora[:2], out, seed=3, tokenizer=corpora[2])
