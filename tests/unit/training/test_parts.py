"""The small parts of training: rates, optimizers, selection, metrics, checkpoints, the bar."""

from __future__ import annotations

import errno
import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors import SafetensorError
from torch import nn

from textvae.config import parse
from textvae.disk import MARKER, is_marked, machine_errors, size_and_crc
from textvae.errors import ConfigError, MachineError, ModelError
from textvae.training import AdamConfig, AdamWConfig, CosineConfig, NoDecayConfig, PlateauConfig, SGDConfig, TrainConfig
from textvae.training.checkpoint import Checkpoints
from textvae.training.learning_rate import LearningRate
from textvae.training.metrics import MetricsLog, Window
from textvae.training.progress import ProgressBar
from textvae.training.selection import Selection
from textvae.training.step import StepResult

# ------------------------------------------------------------------ learning rates


def test_warmup_rises_in_a_straight_line() -> None:
    rate = LearningRate(2.0, warmup=4, decay=NoDecayConfig(), total_steps=10)
    assert [rate(step) for step in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_cosine_ends_at_its_final_share() -> None:
    rate = LearningRate(2.0, warmup=0, decay=CosineConfig(final=0.25), total_steps=100)
    assert rate(0) == 2.0
    assert rate(50) == pytest.approx(2.0 * (0.25 + 0.75 / 2))
    assert rate(100) == pytest.approx(0.5)


def test_plateau_halves_after_patience_and_ends_after_the_last() -> None:
    decay = PlateauConfig(factor=0.5, patience=2, max_decays=2, start_epoch=1)
    rate = LearningRate(1.0, warmup=0, decay=decay, total_steps=100)
    seen = []
    for epoch, bound in enumerate([0.0, 9.0, 9.0, 9.0, 8.0, 8.0, 8.0, 8.0, 8.0]):
        seen.append((rate.judge(bound, epoch), rate(0)))
    # Epoch 0 is before `start_epoch`; epoch 1 sets the best; 2 and 3 are bad; 4 is better; then two bad ones, twice.
    assert seen == [
        (False, 1.0),
        (False, 1.0),
        (False, 1.0),
        (False, 0.5),
        (False, 0.5),
        (False, 0.5),
        (False, 0.25),
        (False, 0.25),
        (True, 0.25),
    ]


def test_plateau_survives_a_restart() -> None:
    decay = PlateauConfig(patience=2)
    one, two = (LearningRate(1.0, warmup=0, decay=decay, total_steps=9) for _ in range(2))
    one.judge(5.0, 0), one.judge(6.0, 1)
    two.load_state_dict(one.state_dict())
    two.judge(6.0, 2)
    assert two(0) == 0.5


# ------------------------------------------------------------------ optimizers


def one_update(config: AdamConfig | AdamWConfig | SGDConfig, updates: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """What a matrix and a vector of ones become under gradients of one."""
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizer = config.build(parameters=[matrix, vector])
    for _ in range(updates):
        matrix.grad, vector.grad = torch.ones(2, 2), torch.ones(2)
        optimizer.step()
    return matrix.detach()[0, 0], vector.detach()[0]


def test_optimizers_make_their_own_updates() -> None:
    assert one_update(SGDConfig(lr=0.1))[0] == pytest.approx(0.9)
    assert one_update(SGDConfig(lr=0.1, momentum=0.5), 2)[0] == pytest.approx(1 - 0.1 - 0.15)
    assert one_update(AdamConfig(lr=0.1))[0] == pytest.approx(0.9)
    assert one_update(AdamConfig(lr=0.1, eps=1.0))[0] == pytest.approx(0.95)


def test_adam_betas_are_applied() -> None:
    def third_update(betas: tuple[float, float]) -> float:
        weight = nn.Parameter(torch.ones(1))
        optimizer = AdamConfig(lr=0.1, betas=betas).build(parameters=[weight])
        for gradient in (1.0, -1.0, 0.5):
            weight.grad = torch.tensor([gradient])
            optimizer.step()
        return weight.item()

    assert len({third_update(betas) for betas in ((0.9, 0.999), (0.0, 0.999), (0.9, 0.5))}) == 3


@pytest.mark.parametrize("config", [AdamWConfig(lr=0.1, weight_decay=0.5), SGDConfig(lr=0.1, weight_decay=0.5)])
def test_weight_decay_pulls_on_matrices_only(config: AdamWConfig | SGDConfig) -> None:
    matrix, vector = one_update(config)
    assert matrix == pytest.approx(0.85)
    assert vector == pytest.approx(0.9)


# ------------------------------------------------------------------ settings


def test_infinite_clip_norm_means_none_and_survives_json() -> None:
    config = parse(TrainConfig, {"clip_norm": math.inf}, "test")
    assert config.clip_norm is None
    assert parse(TrainConfig, json.loads(config.model_dump_json()), "test") == config


def test_unknown_setting_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="early_stopping"):
        parse(TrainConfig, {"early_stoping": 3}, "recipe x.toml")
    with pytest.raises(ConfigError, match=r"'objective.free_bits'; other tables or kinds have it"):
        parse(TrainConfig, {"objective": {"kind": "iwae", "free_bits": {}}}, "recipe x.toml")


# ------------------------------------------------------------------ selection


def test_selection_keeps_the_lowest_bound_and_counts_patience() -> None:
    selection = Selection(patience=2)
    best = [selection.update(epoch=e, step=e, bound=b) for e, b in enumerate([5.0, 4.0, 4.5, 4.2], start=1)]
    assert best == [True, True, False, False]
    assert (selection.epoch, selection.bound, selection.exhausted) == (2, 4.0, True)


def test_selection_by_metric_takes_the_highest() -> None:
    selection = Selection()
    best = [
        selection.update(epoch=e, step=e, bound=b, metric=m)
        for e, (b, m) in enumerate([(1.0, 0.5), (9.0, 0.8), (0.5, 0.7)], start=1)
    ]
    assert best == [True, True, False]
    assert (selection.metric, selection.bound) == (0.8, 9.0)


def test_a_bound_that_is_no_number_is_beaten_by_any_other() -> None:
    selection = Selection()
    assert selection.update(epoch=1, step=1, bound=math.nan)
    assert selection.update(epoch=2, step=2, bound=7.0)
    assert not selection.update(epoch=3, step=3, bound=math.nan)


# ------------------------------------------------------------------ metrics


def test_window_means_are_total_over_count() -> None:
    window = Window()
    for total, sentences in ((10.0, 1), (2.0, 3)):
        step = StepResult(
            loss=torch.tensor(total / sentences),
            names=("nll",),
            totals_K=torch.tensor([total], dtype=torch.float64),
            units_2D=torch.zeros(2, 0, dtype=torch.float64),
            grad_norm=torch.tensor(2.0),
            kl_weight=1.0,
            learning_rate=1e-3,
            sentences=sentences,
            tokens=5,
        )
        window.add(step)
    assert window.means(lambda x: x) == {"nll": 3.0, "grad_norm": 2.0}, "not the mean of 10 and 2/3"


def test_metrics_log_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "m.jsonl")
    log.write({"step": 1, "loss": 1 / 3})
    size = log.sync()
    log.write({"step": 2})
    log.close()
    log = MetricsLog(tmp_path / "m.jsonl", size)
    log.write({"step": 2, "again": True})
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.33333333}, {"step": 2, "again": True}]


def test_metrics_log_that_lost_lines_only_warns(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="lost lines"):
        MetricsLog(tmp_path / "m.jsonl", 100).close()


# ------------------------------------------------------------------ checkpoints


def checkpoints(folder: Path, identity: dict[str, object] | None = None) -> Checkpoints:
    return Checkpoints(folder, identity or {"config": {"epochs": 2}, "seed": 1}, {"torch": "2"})


def saved_thrice(folder: Path) -> tuple[Checkpoints, nn.Linear]:
    """Weights 1, 2, 3 at steps 1, 2, 3; the second is the best."""
    model, keeper = nn.Linear(2, 2), checkpoints(folder)
    for step in (1, 2, 3):
        nn.init.constant_(model.weight, float(step))
        keeper.save(model, {"step": step, "x": torch.ones(2)}, step=step, epoch=step, is_best=step == 2)
    return keeper, model


def test_the_last_two_checkpoints_are_kept_and_best_travels_along(tmp_path: Path) -> None:
    saved_thrice(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [MARKER, "step-00000002-epoch-0002", "step-00000003-epoch-0003"]
    assert is_marked(tmp_path) and is_marked(tmp_path / names[-1])
    keeper, model = checkpoints(tmp_path), nn.Linear(2, 2)
    latest = keeper.latest()
    assert latest is not None and latest.state["step"] == 3
    latest.load_weights(model)
    assert model.weight[0, 0] == 3.0
    assert keeper.best is not None
    from textvae.training.checkpoint import load_weights

    load_weights(model, keeper.best)
    assert model.weight[0, 0] == 2.0


@pytest.mark.parametrize("file", ["model.safetensors", "best.safetensors", "state.pt", "checkpoint.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "delete"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path, file: str, harm: str) -> None:
    saved_thrice(tmp_path)
    path = tmp_path / "step-00000003-epoch-0003" / file
    content = bytearray(path.read_bytes())
    path.unlink()  # the file may be a hard link into the one before it
    if harm != "delete":
        if harm == "flip":
            content[0 if file == "checkpoint.json" else len(content) // 2] ^= 0xFF
        path.write_bytes(content if harm == "flip" else content[: len(content) // 2])
    with pytest.warns(UserWarning, match="resuming from the checkpoint before it"):
        latest = checkpoints(tmp_path).latest()
    assert latest is not None and latest.state["step"] == 2


def test_only_damaged_checkpoints_are_an_error_in_one_sentence(tmp_path: Path) -> None:
    saved_thrice(tmp_path)
    for folder in tmp_path.glob("step-*"):
        (folder / "state.pt").write_bytes(b"foreign")
    with pytest.raises(ModelError, match=r"state\.pt is missing, truncated or damaged; delete .* to start afresh\.$"):
        checkpoints(tmp_path).latest()


def test_a_checkpoint_of_another_training_names_what_differs(tmp_path: Path) -> None:
    saved_thrice(tmp_path)
    with pytest.raises(ModelError, match=r"other config\.epochs, seed;"):
        checkpoints(tmp_path, {"config": {"epochs": 3}, "seed": 2}).latest()


def test_half_written_checkpoints_are_never_read(tmp_path: Path) -> None:
    keeper, _ = saved_thrice(tmp_path)
    (tmp_path / "step-00000009-epoch-0009.tmp").mkdir()
    latest = checkpoints(tmp_path).latest()
    assert latest is not None and latest.state["step"] == 3
    keeper.clean()
    assert not list(tmp_path.glob("*.tmp"))


def test_no_pickle_is_executed(tmp_path: Path) -> None:
    keeper, _ = saved_thrice(tmp_path)

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (print, ("executed",))

    folder = tmp_path / "step-00000003-epoch-0003"
    torch.save({"step": Harm()}, folder / "state.pt")
    header = json.loads((folder / "checkpoint.json").read_text())
    header["files"]["state.pt"] = size_and_crc(folder / "state.pt")
    (folder / "checkpoint.json").write_text(json.dumps(header))
    with pytest.warns(UserWarning, match="cannot be read"):
        latest = keeper.latest()
    assert latest is not None and latest.state["step"] == 2


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_a_machine_error_and_keeps_the_checkpoints_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    keeper, model = saved_thrice(tmp_path)

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("textvae.training.checkpoint.write_weights", full)
    with pytest.raises(MachineError, match="no space left"):
        keeper.save(model, {"step": 4}, step=4, epoch=4, is_best=False)
    latest = checkpoints(tmp_path).latest()
    assert latest is not None and latest.state["step"] == 3


def test_other_errors_pass_the_disk_guard(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), machine_errors(tmp_path):
        (tmp_path / "none").read_text()


# ------------------------------------------------------------------ the bar


def test_progress_bar_shows_the_numbers() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    with ProgressBar(10, 0, 2, console=console) as bar:
        bar.show({"loss": 50.04, "kl": 8.25, "active_units": 7, "tokens_per_second": 12345.6})
        bar.advance(5, 0)
    shown = screen.getvalue()
    for words in ("epoch 1/2", "50 %", "loss 50.0", "kl 8.2", "active 7", "tok/s 12,346"):
        assert words in shown, words


def test_progress_bar_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for enabled in (True, False):
        with ProgressBar(10, 0, 2, enabled=enabled) as bar:
            bar.show({"loss": 1.0})
            bar.advance(3, 0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
