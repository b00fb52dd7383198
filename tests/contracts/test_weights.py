"""Weights are written and read in one way, whatever lies behind them: cuDNN's flat storage, ties, other devices."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file, save_model
from torch import nn

from tests.components import CROSSED, DECODERS, ENCODERS, POSTERIORS, PRIORS, remembering, scramble
from tests.contracts.test_models import CONFIGS, built
from tests.unit.training.helpers import LABELS, LANGUAGE_MODEL, MODEL, config, write_corpora
from textvae.errors import ModelError
from textvae.explain import explain
from textvae.generation import generate
from textvae.models import LanguageModelConfig, TextModel, TextVAE, TextVAEConfig, load_model
from textvae.models.weights import read_weights, write_weights
from textvae.priors import MemoryPrior
from textvae.text.tokenizers import WordConfig
from textvae.training import train
from textvae.training.checkpoint import Checkpoints
from textvae.types import Context


def flatten(model: nn.Module) -> int:
    """Lay the weights of each recurrent layer out as views of one tensor, as cuDNN does; how many layers there were."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.RNNBase)]
    for layer in layers:
        weights = list(layer.parameters())
        flat = torch.cat([weight.detach().reshape(-1) for weight in weights])
        place = 0
        for weight in weights:
            weight.data = flat[place : place + weight.numel()].view_as(weight)
            place += weight.numel()
    return len(layers)


RECURRENT = {
    **{f"encoder {name}": TextVAEConfig(latent_dim=4, encoder=part) for name, part in ENCODERS.items()},
    **{f"decoder {name}": TextVAEConfig(latent_dim=4, decoder=part) for name, part in DECODERS.items()},
    **{f"language model {name}": LanguageModelConfig(decoder=part) for name, part in DECODERS.items()},
    **{
        f"{q} {p}": TextVAEConfig(latent_dim=4, posterior=POSTERIORS[q], prior=PRIORS[p])
        for q, p in CROSSED
        if q in ("gaussian", "von_mises_fisher-learned") or p == "standard_normal"
    },
}


def made(name: str) -> TextModel:
    if name in CONFIGS:
        return built(name)
    model = RECURRENT[name].build(vocab_size=11, max_tokens=8, label_names=("a", "b", "c"))
    if isinstance(model, TextVAE) and isinstance(model.prior, MemoryPrior):
        remembering(model.prior)
    return scramble(model, scale=0.1).eval()  # type: ignore[return-value]


@pytest.mark.parametrize("name", [*CONFIGS, *RECURRENT])
def test_flat_storage_is_saved_and_comes_back(name: str, tmp_path: Path) -> None:
    model = made(name)
    flatten(model)
    model.tokenizer = WordConfig(vocab_size=11).train(["one two three four five six seven"])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    flatten(again)
    for state in (model.state_dict(), again.state_dict()):
        assert list(state) == list(before)
        assert all(torch.equal(state[key], before[key]) for key in before)
    # Read into flat storage, as a training on a GPU does at its end.
    read_weights(again, tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(again.state_dict()[key], before[key]) for key in before)
    if isinstance(model, TextVAE):
        z = model.encode(["one two three"])
        assert torch.equal(z, again.encode(["one two three"])) and model.decode(z) == again.decode(z)  # type: ignore[attr-defined]
    # A checkpoint of it is read into another one.
    Checkpoints(tmp_path / "kept", {"seed": 1}, {}).save(model, {"step": 1}, step=1, epoch=1, is_best=True)
    other = made(name)
    scramble(other, seed=1)
    flatten(other)
    latest = Checkpoints(tmp_path / "kept", {"seed": 1}, {}).latest()
    assert latest is not None
    latest.load_weights(other)
    assert all(torch.equal(other.state_dict()[key], before[key]) for key in before)
    # No tensor is held twice: what the file holds is what the model has.
    with safe_open(str(tmp_path / "model" / "model.safetensors"), "pt") as file:
        stored = sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
    unique = {(v.data_ptr(), v.numel()): v.numel() for v in model.state_dict().values()}
    assert stored == sum(unique.values())


class _Killed(Exception):
    pass


GRU = {"kind": "gru", "embedding_dim": 6, "hidden_dim": 6}
TIED = {**MODEL["decoder"], "hidden_dim": 8, "tie_embeddings": True, "layers": 2}
TRAINED: dict[str, dict[str, Any]] = {
    "lstm": MODEL,
    "bidirectional, tied": {**MODEL, "encoder": {**MODEL["encoder"], "bidirectional": True}, "decoder": TIED},
    "gru": {**MODEL, "encoder": GRU, "decoder": GRU},
    "language model": LANGUAGE_MODEL,
    "labels": {**MODEL, "kind": "semi_supervised"},
    "memory": {**MODEL, "prior": {"kind": "nearest_neighbors", "neighbors": 2, "hidden_dim": 5}},
}


def _trained(folder: Path, model: dict[str, Any], stop_at: int | None = None) -> bytes:
    """A training of a model in flat storage; stopped at a checkpoint and gone on with, if asked for."""
    corpora = write_corpora(folder)
    settings = config(model=model, epochs=2, checkpoint_minutes=1e-9, max_steps=8)
    out = folder / "out"

    def sit() -> None:
        torch.manual_seed(3)
        made = settings.model.build(vocab_size=corpora[2].vocab_size, max_tokens=12, label_names=LABELS)
        assert flatten(made) > 0
        train(settings, corpora[0], corpora[1], out, seed=3, tokenizer=corpora[2], initial_model=made)

    if stop_at is not None:
        saved = Checkpoints.save
        calls = 0

        def save(self: Checkpoints, *arguments: object, **more: object) -> None:
            nonlocal calls
            saved(self, *arguments, **more)  # type: ignore[arg-type]
            calls += 1
            if calls == stop_at:
                raise _Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoints, "save", save)
            with pytest.raises(_Killed):
                sit()
    sit()
    trained = load_model(out / "model")
    decoded = generate(trained.decoder, torch.zeros(2, trained.latent_dim), trained.limited(None), **_context(trained))
    assert len(decoded.tokens) == 2
    return (out / "model" / "model.safetensors").read_bytes()


def _context(model: TextModel) -> dict[str, Any]:
    return {"context": Context(label_B=torch.tensor([0, 1]))} if model.label_names else {}


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_in_flat_storage_is_checkpointed_stopped_resumed_and_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped and gone on with it ends with the weights of one that was never stopped: on a CPU to the bit."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    assert _trained(tmp_path / "stopped", TRAINED[name], stop_at=3) == _trained(tmp_path / "whole", TRAINED[name])


def test_a_file_that_safetensors_wrote_is_read(tmp_path: Path) -> None:
    """As all models and checkpoints were before: tied weights are left out there, and named in the metadata."""
    for name in ("lstm-tied", "gru-both"):
        model = scramble(TextVAEConfig(latent_dim=4, decoder=DECODERS[name]).build(vocab_size=11, max_tokens=8))
        other = TextVAEConfig(latent_dim=4, decoder=DECODERS[name]).build(vocab_size=11, max_tokens=8)
        save_model(model, str(tmp_path / name))
        read_weights(other, tmp_path / name)
        for key, value in model.state_dict().items():
            assert torch.equal(other.state_dict()[key], value)


def _changed(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def _set(value: float) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        _changed(path, lambda tensors: next(iter(tensors.values())).view(-1)[0].fill_(value))

    return harm


def _replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.unlink()
        make(path)

    return harm


HARMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "NaN": (_set(float("nan")), "not finite"),
    "infinity": (_set(float("inf")), "not finite"),
    "half precision": (
        lambda path: _changed(path, lambda tensors: tensors.update({k: v.half() for k, v in tensors.items()})),
        "as torch.float16, expected torch.float32",
    ),
    "a tensor missing": (lambda path: _changed(path, lambda tensors: tensors.popitem() and None), "lacks"),
    "a tensor more": (
        lambda path: _changed(path, lambda tensors: tensors.update(more=torch.zeros(2))),
        "for which the model has no place",
    ),
    "another shape": (
        lambda path: _changed(path, lambda tensors: tensors.update({k: v[:-1].clone() for k, v in tensors.items()})),
        "of shape",
    ),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-9]) and None, "truncated"),
    "empty": (lambda path: path.write_bytes(b"") and None, "truncated"),
    "a header of a terabyte": (lambda path: path.write_bytes(b"\xff" * 8 + b"{}") and None, "truncated"),
    "a pipe": (_replaced(os.mkfifo), "is a pipe"),
    "a link to a device": (_replaced(lambda path: path.symlink_to("/dev/zero")), "is a device"),
    "a link to itself": (_replaced(lambda path: path.symlink_to(path)), "is no path"),
    "a folder": (_replaced(lambda path: path.mkdir()), "is a folder"),
    "nothing": (lambda path: path.unlink(), "does not exist"),
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("listed", [True, False])
def test_harmed_weights_get_one_sentence(harm: str, listed: bool, tmp_path: Path) -> None:
    """With the checksum that config.json keeps, and without, as in models from before."""
    model = made("lstm-lstm")
    model.save_pretrained(tmp_path / "model")
    do, said = HARMS[harm]
    do(tmp_path / "model" / "model.safetensors")
    if not listed:
        _forget_files(tmp_path / "model")
        with pytest.raises(ModelError, match=said):
            load_model(tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path / "model")
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def _forget_files(folder: Path, **changed: object) -> None:
    import json

    path = folder / "config.json"
    header = json.loads(path.read_text())
    header.pop("files", None)
    path.write_text(json.dumps({**header, **changed}))


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    made("lstm-lstm").save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    "absurd",
    [
        {"vocab_size": 10**12},
        {"vocab_size": 0},
        {"vocab_size": True},
        {"max_tokens": -1},
        {"label_names": "abc"},
        {"model": {"kind": "text_vae", "latent_dim": 10**9}},
        {"model": {"kind": "text_vae", "encoder": {"kind": "lstm", "hidden_dim": 10**7}}},
        {"model": {"kind": "text_vae", "decoder": {"kind": "lstm", "embedding_dim": 3}}},
    ],
)
def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(
    absurd: dict[str, object], tmp_path: Path
) -> None:
    model = TextVAEConfig().build(vocab_size=30, max_tokens=8)
    model.save_pretrained(tmp_path / "model")
    _forget_files(tmp_path / "model", **absurd)
    with pytest.raises(ModelError):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("listed", [True, False])
def test_the_tokenizer_of_another_model_is_refused(listed: bool, tmp_path: Path) -> None:
    model = made("lstm-lstm")
    model.tokenizer = WordConfig(vocab_size=11).train(["one two three four five six seven"])
    model.save_pretrained(tmp_path / "model")
    if not listed:
        _forget_files(tmp_path / "model")
    WordConfig(vocab_size=30).train([f"word{i}" for i in range(40)]).save(tmp_path / "model" / "tokenizer")
    with pytest.raises(ModelError, match="another model's" if listed else "do not belong together"):
        load_model(tmp_path / "model")


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    """Metadata of several entries would come in another order in every process."""
    model = TextVAEConfig(latent_dim=4, decoder=DECODERS["transformer-prefix"]).build(vocab_size=11, max_tokens=8)
    write_weights(model, tmp_path / "weights")
    with safe_open(str(tmp_path / "weights"), "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert len(model.state_dict()) > len(load_file(tmp_path / "weights")), "one of them is tied"
    read_weights(model, tmp_path / "weights")


def test_two_tensors_for_a_tied_one_are_refused(tmp_path: Path) -> None:
    model = TextVAEConfig(latent_dim=4, decoder=DECODERS["lstm-tied"]).build(vocab_size=11, max_tokens=8)
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    save_file(tensors, tmp_path / "weights")
    read_weights(model, tmp_path / "weights")
    tensors["decoder.vocabulary.weight"] += 1.0
    save_file(tensors, tmp_path / "weights")
    with pytest.raises(ModelError, match="for one of the model's"):
        read_weights(model, tmp_path / "weights")


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    model = made("lstm-lstm")
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        write_weights(model, tmp_path / "weights")
    with pytest.raises(ModelError, match="not finite"):
        model.save_pretrained(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_may_not_be_read_are_not_called_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("lstm-lstm").save_pretrained(tmp_path / "model")
    monkeypatch.setattr("textvae.models.weights.os.access", lambda path, _: path.suffix != ".safetensors")
    with pytest.raises(PermissionError) as caught:
        load_model(tmp_path / "model")
    code, said = explain(caught.value)
    assert code == 2 and "no permission" in said and "model.safetensors" in said
