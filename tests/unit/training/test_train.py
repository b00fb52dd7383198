"""Every setting of a training changes what happens, and every way it can fail is one clear sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.unit.training.helpers import (
    LABELS,
    LANGUAGE_MODEL,
    MODEL,
    config,
    lines,
    training_lines,
    validation_lines,
    without_times,
    write_corpora,
)
from textvae.errors import ConfigError, MachineError, ModelError
from textvae.models import LanguageModel, TextModel, load_model
from textvae.objectives import ELBO
from textvae.text.corpora.base import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import Tokenizer
from textvae.training import DivergedError, TrainResult, train
from textvae.training.result import RESULT_FILE
from textvae.types import Batch, LatentTerms

Corpora = tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def fit(corpora: Corpora, out: Path, arguments: dict[str, Any] | None = None, **settings: Any) -> TrainResult:
    train_corpus, valid_corpus, tokenizer = corpora
    return train(
        config(**settings),
        train_corpus,
        valid_corpus,
        out,
        seed=0,
        tokenizer=tokenizer,
        label_names=LABELS,
        **(arguments or {}),
    )


def weights(out: Path) -> dict[str, Tensor]:
    return load_model(out / "model").state_dict()


def same(left: Path, right: Path) -> bool:
    one, two = weights(left), weights(right)
    return all(torch.equal(one[name], two[name]) for name in one)


# ------------------------------------------------------------------ what is left behind


def test_result_metrics_and_model(corpora: Corpora, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    result = fit(corpora, tmp_path, {"card": {"corpus": "made up"}}, epochs=3)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random state is left alone"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".textvae", "metrics.jsonl", "model", "result.json"]

    predicted = int((corpora[0].lengths - 1).sum())
    steps = training_lines(tmp_path)
    assert (result.train_tokens, result.epochs, result.steps) == (3 * predicted, 3.0, len(steps))
    assert result.tokens_per_second == pytest.approx(result.train_tokens / result.train_seconds)
    assert result.train_seconds < result.seconds
    assert result.train_cpu_seconds > 0
    assert result.peak_memory_mb > 50
    assert result.parameters == load_model(tmp_path / "model").num_parameters
    expected = {"step", "epoch", "loss", "nll", "kl", "kl_penalty", "kl_weight", "active_units", "lr", "grad_norm"}
    assert expected | {"tokens_per_second", "seconds"} == set(steps[0])
    assert "corpus: made up" in (tmp_path / "model" / "README.md").read_text()

    judged = validation_lines(tmp_path)
    assert [line["epoch"] for line in judged] == [1, 2, 3]
    assert judged[-1]["valid_elbo_nll"] == pytest.approx(judged[-1]["valid_nll"] + judged[-1]["valid_kl"])
    assert result.valid_elbo_nll == pytest.approx(min(line["valid_elbo_nll"] for line in judged))
    assert judged[-1]["valid_elbo_nll"] < judged[0]["valid_elbo_nll"], "it learns"


def test_a_finished_training_is_not_repeated(corpora: Corpora, tmp_path: Path) -> None:
    result = fit(corpora, tmp_path)
    written = (tmp_path / "metrics.jsonl").read_bytes()
    assert fit(corpora, tmp_path).to_dict() == result.to_dict()
    assert (tmp_path / "metrics.jsonl").read_bytes() == written
    with pytest.raises(ModelError, match="other settings"):
        fit(corpora, tmp_path, epochs=3)


def test_the_same_seed_gives_the_same_weights(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path / "a")
    torch.randn(7)
    fit(corpora, tmp_path / "b")
    assert same(tmp_path / "a", tmp_path / "b")


def test_language_model_validates_on_its_exact_likelihood(corpora: Corpora, tmp_path: Path) -> None:
    result = fit(corpora, tmp_path, model=LANGUAGE_MODEL)
    model = load_model(tmp_path / "model")
    assert isinstance(model, LanguageModel)
    with torch.no_grad():
        terms = model.terms(corpora[1].batch(np.arange(len(corpora[1]))))
    assert result.valid_elbo_nll == pytest.approx(-terms.log_px_z_SB.mean().item(), abs=1e-4)
    assert "active_units" not in training_lines(tmp_path)[0]


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": {"kind": "sgd", "lr": 0.1}},
        {"optimizer": {"kind": "adamw", "weight_decay": 0.9}},
        {"optimizer": {"kind": "adam", "lr": 0.01}},
        {"warmup": 5},
        {"decay": {"kind": "cosine"}},
        {"clip_norm": 0.1, "optimizer": {"kind": "sgd", "lr": 0.1}},
        {"batch_tokens": 40},
        {"batch_sentences": 2},
        {"max_steps": 3},
        {"precision": "bf16"},
        {"objective": {"kind": "elbo", "kl_weight": {"kind": "constant", "weight": 0.0}}},
    ],
    ids=str,
)
def test_settings_change_the_weights(corpora: Corpora, tmp_path_factory: pytest.TempPathFactory, setting: Any) -> None:
    folder = tmp_path_factory.mktemp("settings")
    base = {"optimizer": {"kind": "sgd", "lr": 0.1}} if "clip_norm" in setting else {}
    fit(corpora, folder / "a", epochs=1, valid_sentences=4, **base)
    fit(corpora, folder / "b", **{"epochs": 1, "valid_sentences": 4, **setting})
    assert not same(folder / "a", folder / "b")


def test_the_logged_rate_is_the_one_used(corpora: Corpora, tmp_path: Path) -> None:
    used: list[float] = []
    original = torch.optim.SGD.step

    def spy(self: torch.optim.SGD, *arguments: Any) -> Any:
        used.append(self.param_groups[0]["lr"])
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", spy)
        fit(corpora, tmp_path, optimizer={"kind": "sgd", "lr": 0.4}, warmup=4, decay={"kind": "cosine"})
    assert used[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert used[-1] < 0.1
    assert [line["lr"] for line in training_lines(tmp_path)] == pytest.approx(used)


@pytest.mark.parametrize("limit", [0.5, None])
def test_clipping_is_by_norm_and_after_backward(corpora: Corpora, tmp_path: Path, limit: float | None) -> None:
    norms: list[float] = []
    original = torch.optim.Adam.step

    def spy(self: torch.optim.Adam, *arguments: Any) -> Any:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", spy)
        fit(corpora, tmp_path, clip_norm=limit)
    logged = [line["grad_norm"] for line in training_lines(tmp_path)]
    assert min(logged) > 0.5, "the logged norm is the one before clipping"
    assert norms == pytest.approx(logged if limit is None else [limit] * len(norms), rel=1e-3)


def test_log_every(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path, log_every=4)
    steps = [line["step"] for line in training_lines(tmp_path)]
    assert steps[:2] == [4, 8]
    assert steps[-1] == validation_lines(tmp_path)[-1]["step"], "what is left over is logged at the end"


def test_valid_sentences(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path / "all")
    fit(corpora, tmp_path / "few", valid_sentences=3)
    assert same(tmp_path / "all", tmp_path / "few")
    few, whole = (validation_lines(tmp_path / name)[0]["valid_nll"] for name in ("few", "all"))
    assert few != whole


def test_validation_never_touches_training(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path / "plain")

    def noisy(model: TextModel) -> float:
        torch.rand(5)
        return 1.0

    fit(corpora, tmp_path / "noisy", {"validation_metric": noisy}, valid_sentences=5)
    plain, other = (without_times(training_lines(tmp_path / name)) for name in ("plain", "noisy"))
    assert plain == other


def test_validation_uses_the_weight_one_bound_with_raw_kl(corpora: Corpora, tmp_path: Path) -> None:
    objective = {
        "kind": "elbo",
        "kl_weight": {"kind": "constant", "weight": 0.1},
        "free_bits": {"kind": "batch_mean", "nats": 30.0},
    }
    fit(corpora, tmp_path, objective=objective)
    line = training_lines(tmp_path)[-1]
    assert line["kl_penalty"] == pytest.approx(30.0, rel=1e-5)
    assert line["kl"] < 5
    assert line["loss"] == pytest.approx(line["nll"] + 0.1 * line["kl_penalty"], rel=1e-5)
    judged = validation_lines(tmp_path)[-1]
    assert judged["valid_kl"] < 5
    assert judged["valid_elbo_nll"] == pytest.approx(judged["valid_nll"] + judged["valid_kl"])


def test_only_epochs_after_the_schedule_compete(corpora: Corpora, tmp_path: Path) -> None:
    metric = iter([0.9, 0.8, 0.1, 0.2, 0.15, 0.1])
    arguments = {"validation_metric": lambda model: next(metric)}
    objective = {"kind": "elbo", "kl_weight": {"kind": "linear", "end": 3, "unit": "epochs"}}
    result = fit(corpora, tmp_path, arguments, objective=objective, epochs=6, early_stopping=1)
    assert [line["best"] for line in validation_lines(tmp_path)] == [False, False, True, True, False]
    assert (result.best_epoch, result.valid_metric, result.stopped_early) == (4, 0.2, True)


def test_a_schedule_that_never_ends_keeps_the_last_model_and_warns(corpora: Corpora, tmp_path: Path) -> None:
    # In epochs it would be refused; how many steps there are only the corpus tells.
    objective = {"kind": "elbo", "kl_weight": {"kind": "linear", "end": 900, "unit": "steps"}}
    with pytest.warns(UserWarning, match="the last model is kept"):
        result = fit(corpora, tmp_path, objective=objective)
    assert result.best_epoch == 2


def test_the_best_model_is_kept_not_the_last(corpora: Corpora, tmp_path: Path) -> None:
    metric = iter([0.1, 0.9, 0.2])
    fit(corpora, tmp_path / "three", {"validation_metric": lambda model: next(metric)}, epochs=3)
    fit(corpora, tmp_path / "two", epochs=2)
    assert same(tmp_path / "three", tmp_path / "two")


def test_early_stopping(corpora: Corpora, tmp_path: Path) -> None:
    metric = iter([0.5, 0.4, 0.3, 0.2])
    arguments = {"validation_metric": lambda model: next(metric)}
    result = fit(corpora, tmp_path, arguments, epochs=9, early_stopping=3)
    assert result.stopped_early and len(validation_lines(tmp_path)) == 4
    assert result.best_epoch == 1


def test_plateau_listens_to_the_bound(corpora: Corpora, tmp_path: Path) -> None:
    decay = {"kind": "plateau", "factor": 0.1, "patience": 1, "max_decays": 1}
    # A rate at which nothing moves: every bound equals the first.
    result = fit(corpora, tmp_path, optimizer={"kind": "sgd", "lr": 1e-30}, decay=decay, epochs=9)
    rates = {line["epoch"]: line["lr"] for line in training_lines(tmp_path)}
    assert rates == pytest.approx({1: 1e-30, 2: 1e-30, 3: 1e-31})
    assert result.stopped_early


def test_tensorboard(corpora: Corpora, tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    fit(corpora, tmp_path, trackers=["tensorboard"])
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    written = {event.step: event.value for event in events.Scalars("kl")}
    assert written == pytest.approx({line["step"]: line["kl"] for line in training_lines(tmp_path)}, rel=1e-5)


def test_missing_tensorboard_is_a_settings_error(
    corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textvae.training.processes.is_tensorboard_available", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install textvae\[tensorboard\]"):
        fit(corpora, tmp_path, trackers=["tensorboard"])


def test_bf16_runs_in_half_precision(corpora: Corpora, tmp_path: Path) -> None:
    seen: list[bool] = []
    arguments = {"regularizer": _autocast_spy(seen)}
    fit(corpora, tmp_path / "half", arguments, precision="bf16", max_steps=2)
    fit(corpora, tmp_path / "full", {"regularizer": _autocast_spy(seen)}, max_steps=2)
    assert seen == [True, True, False, False]
    half, full = (training_lines(tmp_path / name)[0]["nll"] for name in ("half", "full"))
    assert half == pytest.approx(full, rel=0.02)
    assert all(value.dtype == torch.float32 for value in weights(tmp_path / "half").values())


def _autocast_spy(seen: list[bool]) -> Any:
    def spy(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        seen.append(torch.is_autocast_enabled("cpu"))
        return {}

    return spy


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compiled_training_agrees_with_plain(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "tests.unit.training.compile_script", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root), "ACCELERATE_USE_CPU": "1"}
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-3000:]


# ------------------------------------------------------------------ other models, other terms


def test_semi_supervised_with_a_regularizer_and_a_metric(corpora: Corpora, tmp_path: Path) -> None:
    seen: list[Tensor] = []

    def classifier(model: Any, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        assert batch.label_B is not None
        seen.append(batch.label_B)
        log_q_BC = model.label_log_prob(batch)
        known_B = batch.label_B >= 0
        penalty_B = -log_q_BC.gather(1, batch.label_B.clamp_min(0).unsqueeze(1)).squeeze(1) * known_B
        return {"classifier": penalty_B}

    def accuracy(model: Any) -> float:
        batch = corpora[1].batch(np.arange(len(corpora[1])))
        assert batch.label_B is not None
        return float((model.label_log_prob(batch).argmax(-1) == batch.label_B).float().mean())

    arguments = {
        "regularizer": classifier,
        "validation_metric": accuracy,
    }
    model = {**MODEL, "kind": "semi_supervised"}
    result = fit(corpora, tmp_path, arguments, model=model, epochs=2)
    first_epoch = torch.cat(seen[: len(seen) // 2])
    assert len(first_epoch) == len(corpora[0])
    line = training_lines(tmp_path)[0]
    assert line["loss"] == pytest.approx(line["nll"] + line["kl_penalty"] + line["classifier"], rel=1e-5)
    reached = [line["valid_metric"] for line in validation_lines(tmp_path)]
    assert result.valid_metric == pytest.approx(max(reached))


BAG_OF_WORDS = {"regularizers": [{"kind": "bag_of_words", "weight": 0.5, "hidden_dim": 4}]}


class _Gate(torch.nn.Module):
    """A regularizer of the caller's with a parameter of its own; it may press Ctrl-C at some step."""

    def __init__(self, name: str = "gate", press: int | None = None) -> None:
        super().__init__()
        self.name, self.press, self.gate = name, press, torch.nn.Parameter(torch.ones(3))

    def forward(self, model: Any, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        if step == self.press:
            signal.raise_signal(signal.SIGINT)
        return {self.name: (self.gate * terms.latents[0].posterior.mean).square().sum(-1)}


def test_regularizers_of_the_settings_and_of_the_caller_are_trained_and_logged(
    corpora: Corpora, tmp_path: Path
) -> None:
    gate = _Gate()
    result = fit(corpora, tmp_path / "both", {"regularizer": gate}, **BAG_OF_WORDS)
    for line in training_lines(tmp_path / "both"):
        parts = ("nll", "kl_penalty", "bag_of_words", "gate")
        assert line["loss"] == pytest.approx(sum(line[name] for name in parts), rel=1e-5)
    first, last = training_lines(tmp_path / "both")[0], training_lines(tmp_path / "both")[-1]
    assert last["bag_of_words"] < first["bag_of_words"]
    assert not torch.equal(gate.gate, torch.ones(3)), "its parameters are the optimizer's too"
    assert result.parameters == load_model(tmp_path / "both" / "model").num_parameters, "the model's alone"
    fit(corpora, tmp_path / "none")
    assert not same(tmp_path / "both", tmp_path / "none")


def test_regularizers_come_back_with_a_checkpoint(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path / "whole", {"regularizer": (whole := _Gate())}, epochs=3, **BAG_OF_WORDS)
    with pytest.raises(KeyboardInterrupt):
        fit(corpora, tmp_path / "cut", {"regularizer": _Gate(press=7)}, epochs=3, **BAG_OF_WORDS)
    fresh = _Gate()
    fit(corpora, tmp_path / "cut", {"regularizer": fresh}, epochs=3, **BAG_OF_WORDS)
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert torch.equal(fresh.gate, whole.gate)
    assert (
        training_lines(tmp_path / "whole")[-1]["bag_of_words"] == training_lines(tmp_path / "cut")[-1]["bag_of_words"]
    )


def test_regularizers_are_told_apart(corpora: Corpora, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="each kind"):
        config(regularizers=[{"kind": "bag_of_words"}, {"kind": "bag_of_words", "weight": 2.0}])
    with pytest.raises(ConfigError, match="two regularizers are called 'bag_of_words'"):
        fit(corpora, tmp_path, {"regularizer": _Gate("bag_of_words")}, **BAG_OF_WORDS)


def test_an_initial_model_is_trained_in_place_of_the_configured_one(corpora: Corpora, tmp_path: Path) -> None:
    given = config(model=LANGUAGE_MODEL).model.build(vocab_size=corpora[2].vocab_size, max_tokens=20)
    fit(corpora, tmp_path, {"initial_model": given})
    assert isinstance(load_model(tmp_path / "model"), LanguageModel)
    assert load_model(tmp_path / "model").max_tokens == 20


# ------------------------------------------------------------------ failures


def test_ctrl_c_keeps_a_checkpoint_and_resuming_equals_no_interruption(corpora: Corpora, tmp_path: Path) -> None:
    fit(corpora, tmp_path / "whole", epochs=3)
    calls = []

    def press(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        calls.append(step)
        if step == 7:
            signal.raise_signal(signal.SIGINT)
        return {}

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(corpora, tmp_path / "cut", {"regularizer": press}, epochs=3)
    assert calls[-1] == 7, "the step is finished, no other begun"
    assert signal.getsignal(signal.SIGINT) is handler
    assert any((tmp_path / "cut" / "checkpoints").glob("step-00000008-*"))
    result = fit(corpora, tmp_path / "cut", epochs=3)
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert without_times(lines(tmp_path / "whole")) == without_times(lines(tmp_path / "cut"))
    assert result.steps == len(training_lines(tmp_path / "whole"))


def test_resuming_on_another_set_up_warns_and_works(corpora: Corpora, tmp_path: Path) -> None:
    _interrupt(corpora, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.warns(UserWarning, match="threads"):
            fit(corpora, tmp_path, epochs=3)
    finally:
        torch.set_num_threads(threads)


def test_resuming_with_other_settings_is_refused(corpora: Corpora, tmp_path: Path) -> None:
    _interrupt(corpora, tmp_path)
    with pytest.raises(ModelError, match=r"other config\.clip_norm"):
        fit(corpora, tmp_path, epochs=3, clip_norm=1.0)
    fit(corpora, tmp_path, epochs=3, checkpoint_minutes=1.0)  # how often to keep is no matter of identity


def _interrupt(corpora: Corpora, out: Path) -> None:
    def press(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        if step == 7:
            signal.raise_signal(signal.SIGINT)
        return {}

    with pytest.raises(KeyboardInterrupt):
        fit(corpora, out, {"regularizer": press}, epochs=3)


def test_ctrl_c_during_validation(corpora: Corpora, tmp_path: Path) -> None:
    calls = []

    def metric(model: TextModel) -> float:
        calls.append(1)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        fit(corpora, tmp_path / "cut", {"validation_metric": metric})
    fit(corpora, tmp_path / "cut", {"validation_metric": metric})
    assert len(validation_lines(tmp_path / "cut")) == 2


def test_a_checkpoint_is_due_after_some_minutes(corpora: Corpora, tmp_path: Path) -> None:
    seen: set[str] = set()

    def watch(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        seen.update(path.name for path in (tmp_path / "checkpoints").glob("step-*"))
        return {}

    fit(corpora, tmp_path, {"regularizer": watch}, checkpoint_minutes=1e-9, epochs=1)
    assert {"step-00000001-epoch-0000", "step-00000002-epoch-0000"} <= seen


def test_training_works_outside_the_main_thread(corpora: Corpora, tmp_path: Path) -> None:
    worker = threading.Thread(target=lambda: fit(corpora, tmp_path, epochs=1))
    worker.start()
    worker.join()
    assert (tmp_path / "model").exists()


def test_a_gradient_that_is_no_number_stops_before_the_update(corpora: Corpora, tmp_path: Path) -> None:
    kept: dict[str, Tensor] = {}

    def poison(model: TextModel, batch: Batch, terms: LatentTerms, step: int) -> dict[str, Tensor]:
        kept["before"] = next(model.parameters()).detach().clone()
        kept["ids"] = batch.example_id_B if batch.example_id_B is not None else torch.empty(0)
        kept["parameter"] = next(model.parameters())
        return {"poison": terms.log_px_z_SB.sum(0) * (float("nan") if step == 3 else 0.0)}

    with pytest.raises(DivergedError, match=r"at step 3 .*train\.optimizer\.lr") as caught:
        fit(corpora, tmp_path, {"regularizer": poison})
    assert ", ".join(map(str, kept["ids"].tolist()[:20])) in str(caught.value)
    assert torch.equal(kept["before"], kept["parameter"]), "the weights are those of before"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_no_memory_names_batch_tokens(
    corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(ELBO, "__call__", fail)
    with pytest.raises(MachineError, match="batch_tokens = 80"):
        fit(corpora, tmp_path)


def test_other_runtime_errors_are_not_disguised(
    corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ELBO, "__call__", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(corpora, tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_a_full_disk_is_a_machine_error(corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    monkeypatch.setattr("textvae.training.loop.METRICS_FILE", "full.jsonl")
    with pytest.raises(MachineError, match="no space left"):
        fit(corpora, tmp_path)


def test_neither_tokenizer_nor_model(corpora: Corpora, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tokenizer"):
        train(config(), corpora[0], corpora[1], tmp_path, seed=0)


def test_seconds_are_added_up_over_sittings(corpora: Corpora, tmp_path: Path) -> None:
    started = time.perf_counter()
    _interrupt(corpora, tmp_path)
    result = fit(corpora, tmp_path, epochs=3)
    assert result.seconds < time.perf_counter() - started
    assert result.seconds >= lines(tmp_path)[-1]["seconds"]
    assert RESULT_FILE == "result.json"


def test_a_prior_of_labels_is_told_how_often_each_was_seen(corpora: Corpora, tmp_path: Path) -> None:
    """By the training sentences, with one added to each count; their two labels are not equally frequent."""
    fit(corpora, tmp_path, model={**MODEL, "prior": {"kind": "conditional", "num_labels": 2}}, epochs=1)
    seen = torch.tensor(corpora[0].labels.tolist()).bincount(minlength=2) + 1.0
    assert seen[0] != seen[1]
    torch.testing.assert_close(weights(tmp_path)["prior.log_prior_C"].exp(), seen / seen.sum())


def test_free_bits_of_dimensions_need_every_label(corpora: Corpora, tmp_path: Path) -> None:
    """With one sentence whose label is not known there is no KL by dimension, which is said before the first step."""
    train_corpus, valid_corpus, tokenizer = corpora
    examples = [Example(train_corpus.text(i), LABELS[train_corpus.labels[i]] if i else None) for i in range(16)]
    write_tokenized(tmp_path / "some.arrow", examples, tokenizer, max_tokens=12, label_names=LABELS)
    model = {**MODEL, "prior": {"kind": "conditional", "num_labels": 2}}
    partly = (TokenizedCorpus.open(tmp_path / "some.arrow"), valid_corpus, tokenizer)
    by_dimension = {"kind": "elbo", "free_bits": {"kind": "batch_mean", "nats": 1.0}}
    with pytest.raises(ConfigError, match=r"1 of 16 training sentences have no label.*kind = 'rate'"):
        fit(partly, tmp_path / "refused", model=model, objective=by_dimension, epochs=1)
    assert not (tmp_path / "refused" / "metrics.jsonl").exists()
    fit(corpora, tmp_path / "all", model=model, objective=by_dimension, epochs=1)
    by_rate = {"kind": "elbo", "free_bits": {"kind": "rate", "nats": 1.0}}
    fit(partly, tmp_path / "rate", model=model, objective=by_rate, epochs=1)


def test_a_model_that_diverged_at_its_last_step_is_kept_without_a_bound(corpora: Corpora, tmp_path: Path) -> None:
    """Its weights are finite, its bound is not: what is no number goes into no file, and the user is told."""
    with pytest.warns(UserWarning, match="training diverged"):
        result = fit(corpora, tmp_path, optimizer={"kind": "adam", "lr": 1e12}, epochs=1, max_steps=1)
    assert result.valid_elbo_nll is None
    for name in ("result.json", "model/config.json"):
        assert "NaN" not in (tmp_path / name).read_text() and "Infinity" not in (tmp_path / name).read_text()
