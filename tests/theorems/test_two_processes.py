"""Several processes equal one: each takes a slice of every global batch, and nothing is repeated or averaged twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.components import HAS_TRANSFORMERS
from tests.tiny_backbone import tiny_backbone
from tests.tiny_corpus import SETTINGS as STAGES
from tests.tiny_corpus import write_tiny
from tests.unit.training.helpers import lines, without_times, write_corpora

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "tests.theorems.two_processes_script"

SETTINGS: dict[str, dict[str, Any]] = {
    "batch_mean": {"objective": {"kind": "elbo", "free_bits": {"kind": "batch_mean", "nats": 0.15}}},
    "target-bag_of_words": {
        "objective": {"kind": "elbo", "free_bits": {"kind": "target", "nats": 0.15}},
        "regularizers": [{"kind": "bag_of_words", "hidden_dim": 5}],
    },
    # The nearest one alone: which of several is drawn is noise.
    "memory_of_codes": {"model": {"prior": {"kind": "nearest_neighbors", "neighbors": 1, "hidden_dim": 5}}},
    # Gradients inside of the forward pass must not be counted as those of the backward one.
    "rate-hamiltonian": {
        "objective": {"kind": "elbo", "free_bits": {"kind": "rate", "nats": 0.15}},
        "model": {"posterior": {"kind": "hamiltonian", "steps": 2, "tempering": {"kind": "free"}}},
    },
}
if HAS_TRANSFORMERS:
    # Its weights are in no process's share of the gradients.
    SETTINGS["frozen_encoder"] = {"model": {"encoder": {"kind": "pretrained", "model": tiny_backbone()}}}


TORCHRUN = ["torch.distributed.run", "--nproc_per_node=2", "--master_port=0", "--standalone", "-m"]


def run(launcher: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *launcher, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-9000:]
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "batch_mean")) for name in SETTINGS]
)
def test_two_gloo_processes_equal_one(name: str, tmp_path: Path) -> None:
    further = json.dumps(SETTINGS[name])
    write_corpora(tmp_path, train=49)
    run([SCRIPT], str(tmp_path), str(tmp_path / "one"), further)
    run([*TORCHRUN, SCRIPT], str(tmp_path), str(tmp_path / "two"), further)

    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5, msg=name)
    single, double = (without_times(lines(tmp_path / name)) for name in ("one", "two"))
    assert len(single) == len(double) > 10
    for left, right in zip(single, double, strict=True):
        assert left == pytest.approx(right, abs=1e-4), "every metric is a total over all processes"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_bring_two_recipes_up_to_date_together(tmp_path: Path) -> None:
    """The second one is begun when all of the first is done, and both processes train it."""
    first = write_tiny(tmp_path, {name: table for name, table in STAGES.items() if name != "impute"}, sentences=200)
    second = tmp_path / "second.toml"
    second.write_text(first.read_text().replace('name = "tiny"', 'name = "second"'))
    recipes = [str(first), str(second), "--out", str(tmp_path / "runs")]
    told = [
        line for line in run([*TORCHRUN, "textvae"], "run", *recipes).stderr.splitlines() if "output is missing" in line
    ]
    assert [line.partition(":")[0] for line in told] == ["tokenize", "train", "evaluate", "classify", "interpolate"] * 2

    one, two = (load_file(tmp_path / "runs" / name / "train/model/model.safetensors") for name in ("tiny", "second"))
    for name in one:
        assert torch.equal(one[name], two[name]), f"{name}: a single process would draw other noise"

    plan = run([*TORCHRUN, "textvae"], "run", *recipes, "--dry-run").stdout.splitlines()
    assert (
        plan == [f"{stage}: up to date" for stage in ("tokenize", "train", "evaluate", "classify", "interpolate")] * 2
    )
