"""The memory of training codes through the real trainer: what is stored when, what is saved, and what stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.training.helpers import MODEL, config, training_lines, validation_lines, write_corpora
from textvae.errors import ConfigError
from textvae.models import TextVAE, load_model
from textvae.training import train
from textvae.training.code_memory import CodeMemory
from textvae.training.processes import Processes

pytestmark = pytest.mark.filterwarnings("ignore::textvae.training.guard.CollapseWarning")

PRIOR: dict[str, Any] = {"kind": "nearest_neighbors", "neighbors": 3, "hidden_dim": 6}
DECODERS: dict[str, dict[str, Any]] = {
    "lstm": MODEL["decoder"],
    "transformer": {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2},
}


def model_of(**prior: Any) -> dict[str, Any]:
    return {**MODEL, "prior": {**PRIOR, **prior}}


def trained(folder: Path, model: dict[str, Any], train_sentences: int = 48, **settings: Any) -> tuple[TextVAE, Any]:
    corpus, valid, tokenizer = write_corpora(folder, train=train_sentences)
    train(config(model=model, **settings), corpus, valid, folder / "out", seed=1, tokenizer=tokenizer, progress=False)
    found = load_model(folder / "out" / "model")
    assert isinstance(found, TextVAE)
    return found, corpus


def all_codes(model: TextVAE, corpus: Any) -> Tensor:
    with torch.no_grad():
        return model.eval().code_of(corpus.batch(np.arange(len(corpus))))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("posterior", ["gaussian", "inverse_autoregressive", "mixture", "semi_amortized"])
def test_it_trains_validates_and_loads(decoder: str, posterior: str, tmp_path: Path) -> None:
    components = 2 if posterior == "mixture" else 1
    parts = {**model_of(components=components), "decoder": DECODERS[decoder], "posterior": {"kind": posterior}}
    model, _ = trained(tmp_path, parts, epochs=2)
    assert model.prior.codes_ND.shape == (48, 3) and model.prior.filled_N.all()  # type: ignore[union-attr]
    for line in (*training_lines(tmp_path / "out"), *validation_lines(tmp_path / "out")):
        assert all(np.isfinite(value) for value in line.values() if isinstance(value, float)), line
    last = validation_lines(tmp_path / "out")[-1]
    assert last["valid_elbo_nll"] == pytest.approx(last["valid_nll"] + last["valid_kl"])
    z = model.prior().sample((5,))
    assert z.isfinite().all() and len(model.decode(z)) == 5


def test_once_an_epoch_the_memory_holds_the_codes_of_that_model(tmp_path: Path) -> None:
    model, corpus = trained(tmp_path, model_of(memory="epoch"), epochs=2)
    torch.testing.assert_close(model.prior.codes_ND, all_codes(model, corpus))  # type: ignore[union-attr]


def test_with_each_step_it_holds_the_codes_that_passed_last(tmp_path: Path) -> None:
    """At a learning rate of zero, without dropout before the code, those are the codes of the first model."""
    still, corpus = trained(tmp_path, model_of(), epochs=1, optimizer={"kind": "sgd", "lr": 1e-12})
    torch.testing.assert_close(still.prior.codes_ND, all_codes(still, corpus))  # type: ignore[union-attr]
    (tmp_path / "moving").mkdir()
    moving, corpus = trained(tmp_path / "moving", model_of(), epochs=1, optimizer={"kind": "sgd", "lr": 0.05})
    late = (moving.prior.codes_ND - all_codes(moving, corpus)).abs()  # type: ignore[union-attr]
    assert 1e-6 < late.max() < 0.5, "stored before the steps that followed"


def test_a_step_stores_the_whole_batch_once(tmp_path: Path) -> None:
    corpus, _, tokenizer = write_corpora(tmp_path)
    settings = config(model=model_of())
    model = settings.model.build(vocab_size=tokenizer.vocab_size, max_tokens=12)
    memory = CodeMemory(model, corpus, batch_tokens=80, seed=0, processes=Processes())
    assert model.prior.codes_ND.shape == (48, 3) and not model.prior.filled_N.any()
    memory.fill()
    first = model.prior.codes_ND.clone()
    torch.testing.assert_close(first, all_codes(model, corpus))
    with torch.no_grad():
        model.posterior.parameters_of.bias += 1.0
    indices = np.array([7, 3, 20])
    model.train().terms(corpus.batch(np.array([1, 2])))  # of an encoder's own step, which does not count
    model.terms(corpus.batch(indices))
    memory.after_step(indices)
    changed = (model.prior.codes_ND != first).any(-1).nonzero().flatten().tolist()
    assert changed == [3, 7, 20]
    torch.testing.assert_close(model.prior.codes_ND[indices], all_codes(model, corpus)[indices])


def test_other_priors_have_no_memory(tmp_path: Path) -> None:
    corpus, _, tokenizer = write_corpora(tmp_path)
    model = config().model.build(vocab_size=tokenizer.vocab_size, max_tokens=12)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    memory = CodeMemory(model, corpus, batch_tokens=80, seed=0, processes=Processes())
    memory.fill()
    memory.after_step(np.arange(3))
    memory.after_epoch({})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_corpus_smaller_than_the_neighborhood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs at least one more"):
        trained(tmp_path, model_of(neighbors=48))


def test_weights_may_come_from_a_run_on_another_corpus(tmp_path: Path) -> None:
    """Its memory is of its own sentences, and stays there."""
    first, _ = trained(tmp_path, model_of(), epochs=1)
    other = tmp_path / "other"
    other.mkdir()
    start = {"run": str(tmp_path / "out" / "model")}
    settings: dict[str, Any] = {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 1e-12}, "start_from": start}
    second, corpus = trained(other, model_of(), train_sentences=30, **settings)
    assert second.prior.codes_ND.shape == (30, 3)  # type: ignore[union-attr]
    torch.testing.assert_close(second.prior.codes_ND, all_codes(second, corpus))  # type: ignore[union-attr]
    torch.testing.assert_close(second.prior.network.state_dict(), first.prior.network.state_dict())  # type: ignore[union-attr]


def test_a_folder_brings_the_memory_back_to_the_bit(tmp_path: Path) -> None:
    model, _ = trained(tmp_path, model_of(mixture_codes=9), epochs=1)
    model.save_pretrained(tmp_path / "again")
    again = load_model(tmp_path / "again")
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert len(again.prior.mixture_M) == 9  # type: ignore[union-attr, arg-type]
    assert "48" not in (tmp_path / "again" / "config.json").read_text().split('"model"')[1].split('"vocab_size"')[0]
