"""A run killed at any of its file operations comes to the same as one that never was, and leaves nothing besides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def deaths(folder: Path, stride: int) -> int:
    command = [sys.executable, "-m", "tests.theorems.run_script", str(folder), str(stride)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(300)
def test_sigkill_at_some_file_operations_of_a_run(tmp_path: Path) -> None:
    assert deaths(tmp_path, stride=9) > 40


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.timeout(600)
def test_sigkill_at_every_file_operation_of_a_run(tmp_path: Path) -> None:
    assert deaths(tmp_path, stride=1) > 400
