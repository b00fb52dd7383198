"""The rules against collapse do what their papers say; the guard tells a model that uses z from one that does not."""

from __future__ import annotations

import math
import shutil
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training.helpers import LABELS, MODEL, config, lines, training_lines, validation_lines, write_corpora
from textvae.errors import ConfigError, ModelError
from textvae.models import TextVAE, load_model
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers import Tokenizer
from textvae.training import CollapseWarning, TrainResult, train
from textvae.training.aggressive import AggressiveConfig, AggressiveRule, AggressiveUpdates, InnerLoop
from textvae.training.checkpoint import has_checkpoints
from textvae.training.fresh_decoder import FreshDecoder
from textvae.training.guard import CollapseCheck, CollapseGuard, remedy
from textvae.training.processes import Processes
from textvae.training.state import Progress

Corpora = tuple[TokenizedCorpus, TokenizedCorpus, Tokenizer]

AUTOENCODER: dict[str, Any] = {
    "model": {
        **MODEL,
        "encoder": {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 16, "pooling": "max"},
        "decoder": {"kind": "lstm", "embedding_dim": 16, "hidden_dim": 16, "z_to": "both"},
    },
    "objective": {"kind": "elbo", "kl_weight": {"kind": "constant", "weight": 0.02}},
    "optimizer": {"kind": "adam", "lr": 0.02},
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return write_corpora(tmp_path_factory.mktemp("corpora"), train=96)


def fit(corpora: Corpora, out: Path, **settings: Any) -> TrainResult:
    train_corpus, valid_corpus, tokenizer = corpora
    return train(config(**settings), train_corpus, valid_corpus, out, seed=0, tokenizer=tokenizer, label_names=LABELS)


@pytest.fixture(scope="module")
def healthy(corpora: Corpora, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small autoencoder of made-up sentences, whose training must not be warned about."""
    out = tmp_path_factory.mktemp("healthy")
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        # It takes most of its epochs to use z, longer than the guard waits.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("textvae.training.guard.PATIENCE", 25)
            fit(corpora, out, epochs=30, **AUTOENCODER)
    return out


def test_the_guard_stays_silent_on_a_healthy_model(corpora: Corpora, healthy: Path) -> None:
    last = validation_lines(healthy)[-1]
    assert last["guard_mi"] > 1.5 and last["guard_active_units"] == 3 and last["guard_permuted_rise"] > 1.5
    guard = CollapseGuard(corpora[1], 24, 400)
    model = load_model(healthy / "model")
    measured = guard.measure(model)
    assert guard.measure(model) == measured, "the same sentences, the same noise"
    for epoch in range(1, 6):
        assert guard.observe(config(**AUTOENCODER), 3, measured, epoch, final=True, done=1.0) is None


def test_the_guard_fires_on_a_decoder_that_cannot_see_z(corpora: Corpora, healthy: Path) -> None:
    """Oracle O16: weights of z at zero. First the encoder still speaks; then q = p, which is optimal for it."""
    guard, settings = CollapseGuard(corpora[1], 24, 400), config(**AUTOENCODER)
    model = load_model(healthy / "model")
    assert isinstance(model, TextVAE)
    ending: dict[str, Any] = {"final": True, "done": 1.0}
    assert guard.observe(settings, 3, guard.measure(model), 4, **ending) is None
    with torch.no_grad():
        model.decoder.initial.weight.zero_()
        model.decoder.stack.forward_layers[0].weight_ih_l0[:, -3:].zero_()
    deaf = guard.measure(model)
    assert deaf["guard_permuted_rise"] == pytest.approx(0.0, abs=1e-6) and deaf["guard_mi"] > 1.0
    assert guard.observe(settings, 3, deaf, 5, **ending) is None, "one epoch may be an accident"
    said = guard.observe(settings, 3, deaf, 6, **ending)
    assert said is not None and "no longer used" in said and "word_dropout" in said
    assert guard.observe(settings, 3, deaf, 7, **ending) is None, "once is enough"

    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.zero_()
    silent = guard.measure(model)
    assert abs(silent["guard_kl"]) < 1e-6 and abs(silent["guard_mi"]) < 1e-6 and silent["guard_active_units"] == 0
    fresh = CollapseGuard(corpora[1], 24, 400)
    assert fresh.observe(settings, 3, silent, 1, **ending) is None, "one epoch is too early to judge"
    said = fresh.observe(settings, 3, silent, 2, **ending)
    assert said is not None and "not come into use" in said and "free_bits" in said

    # Not sure: the KL weight still changes, or the codes are rich and half of the training is to come.
    for numbers, final, done in ((silent, False, 1.0), (deaf, True, 0.4)):
        unsure = CollapseGuard(corpora[1], 24, 400)
        for epoch in range(1, 9):
            assert unsure.observe(settings, 3, numbers, epoch, final=final, done=done) is None


class Second(Processes):
    """The second of two processes, which has measured a little more than the main one."""

    def __init__(self) -> None:
        self.is_main = False

    def gather(self, value: Any) -> list[Any]:
        return [{name: number - 1e-6 for name, number in value.items()}, value]


def test_all_processes_judge_by_what_the_main_one_has_measured(corpora: Corpora, healthy: Path) -> None:
    """Else one might go on with aggressive updates while another stops, and each would wait for the other."""
    guard, model = CollapseGuard(corpora[1], 24, 400), load_model(healthy / "model")
    numbers: dict[str, int | float] = {}
    steps = {"first_final_step": 0, "total_steps": 1}
    check = CollapseCheck(guard, model, config(**AUTOENCODER), progress=Progress(), processes=Second(), **steps)
    check.after_epoch(numbers)
    assert numbers == {name: number - 1e-6 for name, number in guard.measure(model).items()}


def test_every_remedy_is_a_setting(corpora: Corpora) -> None:
    """Following the advice again and again ends, and each step is accepted as a setting."""
    import tomllib

    given: dict[str, Any] = {"model": MODEL | {"decoder": {"kind": "lstm"}, "encoder": {"kind": "lstm"}}}
    for _ in range(9):
        advice = remedy(config(**given), {})
        if not advice.startswith("Try "):
            break
        name, _, value = advice.removeprefix("Try train.").removesuffix(".").partition(" = ")
        *path, last = name.split(".")
        here = given
        for part in path:
            here = here.setdefault(part, {"kind": "elbo"} if part == "objective" else {})
        here[last] = tomllib.loads(f"value = {value}")["value"]
    else:
        pytest.fail("the advice never ends")
    assert len(given) == 2 and given["objective"]["free_bits"]


def test_a_collapsing_training_warns_once(corpora: Corpora, tmp_path: Path) -> None:
    with pytest.warns(CollapseWarning, match="not come into use") as caught:
        fit(corpora, tmp_path, epochs=4)
    assert len([one for one in caught if one.category is CollapseWarning]) == 1


def test_no_guard_without_sentences(corpora: Corpora, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        fit(corpora, tmp_path, epochs=3, guard_sentences=0)
    assert not any("guard_mi" in line for line in lines(tmp_path))


def test_the_inner_loop_stops_by_its_rule() -> None:
    def updates(losses: list[float], **settings: int) -> int:
        loop = InnerLoop(AggressiveConfig(**settings))
        return next(number for number, loss in enumerate(losses, start=1) if loop.done(8 * loss, 8))

    falling = [100.0 - step for step in range(200)]
    assert updates(falling, max_updates=50, window=5) == 50
    assert updates([7.0] * 200, max_updates=50, window=5) == 10, "the second window is no better than the first"
    assert updates(falling[:20] + [200.0] * 99, max_updates=100, window=5) == 25
    # One bad batch among good ones does not end it: means of windows are compared.
    assert updates([9.0, 9.0, 8.0, 9.5, 1.0, 1.0, 0.0, 0.0, 5.0, 5.0], max_updates=100, window=2) == 10


def test_training_is_plain_once_mutual_information_falls() -> None:
    rule = AggressiveRule(AggressiveConfig())
    assert [rule.judge(mi) for mi in (0.1, 0.4, 0.4, 0.3, 0.9)] == [True, True, True, False, False]
    limited = AggressiveRule(AggressiveConfig(max_epochs=2))
    assert [limited.judge(mi) for mi in (0.1, 0.4, 0.5)] == [True, False, False]
    assert not AggressiveRule(None).on


def test_mutual_information_at_its_cap_is_not_compared() -> None:
    cap = math.log(500)
    rising = AggressiveRule(AggressiveConfig())
    # log 500 is 6.2146: the second is below the first by chance, and the third because the KL weight rose.
    told = [(6.2126, False), (6.2109, False), (4.0, False), (4.5, False), (6.0, False), (4.6, True), (4.4, True)]
    assert [rising.judge(mi, cap, final) for mi, final in told] == [True] * 6 + [False]
    # At the weight that stays, codes that name every sentence end the phase: it could not end by a fall.
    final = AggressiveRule(AggressiveConfig())
    assert [final.judge(mi, cap, at_end) for mi, at_end in ((6.21, False), (6.21, True), (6.3, True))] == [
        True,
        False,
        False,
    ]
    limited = AggressiveRule(AggressiveConfig(max_epochs=2))
    assert [limited.judge(6.21, cap, False) for _ in range(2)] == [True, False]
    again = AggressiveRule(AggressiveConfig())
    again.load_state_dict(rising.state_dict())
    assert not again.on and again.mutual_information == 4.4


def test_training_tells_the_rule_the_cap_and_when_the_weight_is_final(corpora: Corpora, tmp_path: Path) -> None:
    """The weight reaches its height in the third of four epochs, and the guard looks at 24 sentences."""
    schedule = {"kind": "linear", "initial": 0.0, "end": 0.6}
    told: list[tuple[float, float, bool]] = []

    def judge(self: AggressiveRule, mi: float, cap: float, final: bool) -> bool:
        told.append((mi, cap, final))
        return True

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        patch.setattr(AggressiveRule, "judge", judge)
        updates = {"max_updates": 1, "window": 99}
        objective = {"kind": "elbo", "kl_weight": schedule}
        fit(corpora, tmp_path, epochs=4, objective=objective, encoder_updates=updates)
    assert [final for _, _, final in told] == [False, False, True, True]
    assert all(cap == pytest.approx(math.log(24)) for _, cap, _ in told)
    logged = [(line["guard_mi"], line["guard_mi_cap"]) for line in validation_lines(tmp_path)]
    assert logged == [pytest.approx((mi, cap), rel=1e-4, abs=1e-6) for mi, cap, _ in told]


def test_aggressive_updates_move_the_encoder_alone(
    corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps, each of four updates of encoder and posterior alone, then one of everything but them."""
    seen: list[dict[str, torch.Tensor]] = []
    update_encoder = AggressiveUpdates.update_encoder

    def weights(self: Any) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.train_step.loss.named_parameters()}

    def watched(self: Any, batches: Any) -> None:
        seen.append(weights(self))
        update_encoder(self, batches)
        seen.append(weights(self))

    monkeypatch.setattr(AggressiveUpdates, "update_encoder", watched)
    settings = {"max_steps": 3, "epochs": 1, "regularizers": [{"kind": "bag_of_words"}]}
    fit(corpora, tmp_path, **settings, encoder_updates={"max_updates": 4, "window": 99})
    assert validation_lines(tmp_path)[-1]["encoder_updates"] == 12
    parts = {name.split(".")[1] for name in seen[0]}
    assert {"encoder", "posterior", "decoder"} < parts and any(name.startswith("regularizer.") for name in seen[0])
    for number, (before, after) in enumerate(pairwise(seen)):
        inner = number % 2 == 0
        for name in before:
            moves = name.startswith(("model.encoder.", "model.posterior.")) == inner
            assert torch.equal(before[name], after[name]) != moves, (number, name)


def test_a_fresh_decoder_begins_anew(corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], int]] = []
    reset = FreshDecoder.reset_decoder

    def watched(self: Any) -> None:
        before = {name: value.clone() for name, value in self.model.state_dict().items()}
        reset(self)
        seen.append((before, {n: v.clone() for n, v in self.model.state_dict().items()}, len(self.optimizer.state)))

    monkeypatch.setattr(FreshDecoder, "reset_decoder", watched)
    settings = {"epochs": 3, "fresh_decoder": 1, "warmup": 3, "decay": {"kind": "cosine"}}
    objective = {"kind": "elbo", "kl_weight": {"kind": "linear", "start": 1, "end": 2, "unit": "epochs"}}
    fit(corpora, tmp_path, **settings, objective=objective)
    ((before, after, memory),) = seen
    assert memory == 0
    for name in before:
        same = torch.equal(before[name], after[name])
        assert same == name.startswith(("encoder.", "posterior.", "prior.")) or before[name].abs().max() == 0, name
    rates = [line["lr"] for line in training_lines(tmp_path)]
    per_epoch = len(rates) // 3
    assert rates[per_epoch : per_epoch + 3] == pytest.approx(rates[:3]), "the warm-up comes again"
    assert rates[per_epoch - 1] < 0.1 * max(rates) and rates[-1] < 0.1 * max(rates)
    with pytest.raises(ConfigError, match="before the end"):
        config(epochs=3, fresh_decoder=3)


def test_starting_from_a_run(corpora: Corpora, healthy: Path, tmp_path: Path) -> None:
    """Nothing is learned in a step at rate 1e-9, so what was learned before is still there; other sizes are refused."""
    still = {"optimizer": {"kind": "sgd", "lr": 1e-9}, "max_steps": 1, "epochs": 1}
    source = {"run": str(healthy / "model")}
    fit(corpora, tmp_path / "again", **{**AUTOENCODER, **still}, start_from=source)
    given, kept = (load_model(out / "model").state_dict() for out in (healthy, tmp_path / "again"))
    for name, value in given.items():
        torch.testing.assert_close(kept[name], value, atol=1e-6, rtol=0)
    with pytest.raises(ModelError, match="needs"):
        fit(corpora, tmp_path / "other", start_from=source)
    with pytest.raises(ModelError, match="does not exist"):
        fit(corpora, tmp_path / "none", start_from={"run": str(tmp_path / "nowhere")})


def test_a_source_is_read_only_where_there_is_no_checkpoint(corpora: Corpora, healthy: Path, tmp_path: Path) -> None:
    train_corpus, valid_corpus, tokenizer = corpora
    source = tmp_path / "source"
    shutil.copytree(healthy / "model", source)
    settings = config(**{**AUTOENCODER, "epochs": 2, "start_from": {"run": "a name that somebody resolves"}})
    asked: list[str] = []

    def find(named: str) -> Path:
        asked.append(named)
        return source

    def sitting(metric: Any) -> TrainResult:
        return train(settings, train_corpus, valid_corpus, tmp_path / "out", seed=0, tokenizer=tokenizer,
                     label_names=LABELS, find_source=find, validation_metric=metric)  # fmt: skip

    def failing_at_the_second_look(model: Any) -> float:
        if has_checkpoints(tmp_path / "out" / "checkpoints"):
            raise RuntimeError("power cut")
        return 0.0

    with pytest.raises(RuntimeError, match="power cut"):
        sitting(failing_at_the_second_look)
    shutil.rmtree(source)
    assert sitting(lambda model: 0.0).epochs == 2.0
    assert asked == ["a name that somebody resolves"]


def test_a_language_model_becomes_a_decoder(corpora: Corpora, tmp_path: Path) -> None:
    """With the weights of z at zero, log p(x|z) is that of the language model it began with."""
    still = {"optimizer": {"kind": "sgd", "lr": 1e-9}, "max_steps": 1, "epochs": 1}
    decoder = {**MODEL["decoder"], "z_to": "every_step"}
    fit(corpora, tmp_path / "lm", model={"kind": "language_model", "decoder": decoder})
    source = {"run": str(tmp_path / "lm" / "model"), "parts": "decoder"}
    fit(corpora, tmp_path / "vae", **still, model={**MODEL, "decoder": decoder}, start_from=source)
    lm, vae = load_model(tmp_path / "lm" / "model"), load_model(tmp_path / "vae" / "model")
    with torch.no_grad():
        vae.decoder.stack.forward_layers[0].weight_ih_l0[:, -3:].zero_()
        batch = corpora[1].batch(torch.arange(9).numpy())
        found = vae.decoder.log_prob(batch.tokens_BT, torch.randn(2, 9, 3))
        exact = lm.terms(batch, 1).log_px_z_SB
    torch.testing.assert_close(found, exact.expand(2, 9), atol=1e-4, rtol=0)


def test_aggressive_training_of_a_model_without_an_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match="need a text_vae"):
        config(model={"kind": "language_model"}, encoder_updates={})
    with pytest.raises(ConfigError, match="set guard_sentences"):
        config(encoder_updates={}, guard_sentences=0)
