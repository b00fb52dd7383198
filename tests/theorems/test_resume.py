"""A training killed at any moment and started again ends with the same weights, bit for bit, as one never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.unit.training.helpers import MODEL, lines, without_times
from textvae.disk import TEMPORARY

ROOT = Path(__file__).resolve().parents[2]


def killed_and_whole(folder: Path, least_kills: int, **further: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    command = [sys.executable, "-m", "tests.theorems.kill_script", str(folder), str(least_kills), json.dumps(further)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) >= least_kills, "the training was over before it could be killed"

    whole, killed = folder / "whole", folder / "killed"
    weights = "model/model.safetensors"
    assert (whole / weights).read_bytes() == (killed / weights).read_bytes()
    assert without_times(lines(whole)) == without_times(lines(killed)), "no line of metrics lost or doubled"
    results = [json.loads((out / "result.json").read_text())["result"] for out in (whole, killed)]
    for name in ("steps", "epochs", "train_tokens", "best_epoch", "valid_elbo_nll", "stopped_early"):
        assert results[0][name] == results[1][name], name
    # A kill just after the end may leave an unfinished name: nothing is written into a training that is finished.
    found = sorted(path.name for path in killed.iterdir() if not TEMPORARY.fullmatch(path.name))
    assert found == [".textvae", "metrics.jsonl", "model", "result.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(300)
def test_sigkill_at_random_moments(tmp_path: Path) -> None:
    killed_and_whole(tmp_path, least_kills=6)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(300)
def test_sigkill_with_what_is_kept_outside_the_models_parameters(tmp_path: Path) -> None:
    """A regularizer's own parameters, and the running statistics of a batch norm."""
    model = {**MODEL, "posterior": {"kind": "gaussian", "batch_norm": {}}}
    killed_and_whole(tmp_path, least_kills=3, model=model, regularizers=[{"kind": "bag_of_words", "hidden_dim": 5}])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(300)
def test_sigkill_of_a_transformer(tmp_path: Path) -> None:
    """Its products go by other kernels, prepared anew for every number of rows."""
    part = {"kind": "transformer", "model_dim": 12, "layers": 2, "heads": 2, "dropout": 0.1}
    killed_and_whole(tmp_path, least_kills=2, model={**MODEL, "encoder": part, "decoder": {**part, "z_to": "prefix"}})


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("memory", ["batch", "epoch"])
def test_sigkill_with_a_memory_of_codes(memory: str, tmp_path: Path) -> None:
    """Codes stored after each step or each epoch, and which of them the mixture is made of."""
    prior = {"kind": "nearest_neighbors", "memory": memory, "neighbors": 3, "hidden_dim": 5, "mixture_codes": 20}
    killed_and_whole(tmp_path, least_kills=2, model={**MODEL, "prior": prior})
    weights = load_file(tmp_path / "killed" / "model" / "model.safetensors")
    assert weights["prior.filled_N"].all() and weights["prior.codes_ND"].std(0).min() > 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(600)
def test_sigkill_at_many_random_moments(tmp_path: Path) -> None:
    killed_and_whole(tmp_path, least_kills=40)
