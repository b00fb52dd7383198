"""Files mapped by Ray over two actors are those of one machine, also where an actor dies on the way."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from textvae.errors import ConfigError, DataError
from textvae.mapping import map_file
from textvae.mapping.ray_data import map_files

ROOT = Path(__file__).resolve().parents[2]
FILES, LINES = 5, 9000


def mapped_by_ray(run: Path, files: Path, out: Path, what: str) -> tuple[dict[str, dict[str, int]], str]:
    """The counts of each file, and standard error."""
    command = [sys.executable, "-m", "tests.pipelines.ray_script", str(run), str(files), str(out), what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    # Actors as important as other processes: by default they wait for whatever else the machine does.
    environment["RAY_worker_niceness"] = "0"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return found, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
def test_two_actors_give_the_files_of_one_machine(tiny_run: Path, tmp_path: Path) -> None:
    files, alone = tmp_path / "in", tmp_path / "alone"
    files.mkdir()
    for number in range(FILES):
        rows = (f"the {'abcdefgh'[row % 8]} i is good" if row % 100 else "" for row in range(LINES + number))
        (files / f"file{number}.txt").write_text("\n".join(rows) + "\n")
    expected = {}
    for file in sorted(files.iterdir()):
        counts = map_file(tiny_run / "run", file, alone / f"{file.stem}.jsonl", "score", samples=2, seed=5)
        expected[f"{file.stem}.jsonl"] = asdict(counts)
    for what in ("leave", "kill"):
        out = tmp_path / what
        found, said = mapped_by_ray(tiny_run / "run", files, out, what)
        assert found == expected
        assert ("killed" in said) is (what == "kill")
        visible = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
        assert visible == sorted(expected)
        for name in expected:
            assert (out / name).read_bytes() == (alone / name).read_bytes(), name
        assert not list(out.glob(".*parts"))


def test_files_are_checked_before_ray_is_started(tiny_run: Path, tmp_path: Path) -> None:
    run, out = tiny_run / "run", tmp_path / "out"
    one, two = tmp_path / "a" / "x.txt", tmp_path / "b" / "x.csv"
    for file in (one, two):
        file.parent.mkdir()
        file.write_text("the a i is good\n")
    with pytest.raises(DataError, match="no files"):
        map_files(run, [], out)
    with pytest.raises(DataError, match=r"y\.txt"):
        map_files(run, [one, tmp_path / "y.txt"], out)
    with pytest.raises(ConfigError, match="would both be written"):
        map_files(run, [one, two], out, ending=".jsonl")
    with pytest.raises(ConfigError, match="--on-error"):
        map_files(run, [one], out, on_error="never")
    with pytest.raises(ConfigError, match="samples"):
        map_files(run, [one], out, samples=3)
    assert not out.exists()
