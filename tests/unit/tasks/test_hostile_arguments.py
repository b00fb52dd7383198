"""What is handed over in Python either works or is refused in one sentence: never an error of the inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.tasks.hostile_script import cases

ROOT = Path(__file__).resolve().parents[3]
NAMES = list(cases(Path("unused")))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, dict]:
    command = [sys.executable, "-m", "tests.unit.tasks.hostile_script", str(tmp_path_factory.mktemp("fit"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_or_an_answer(outcomes, name: str) -> None:
    outcome = outcomes[name]
    if name.startswith("works"):
        assert "value" in outcome, outcome
    else:
        assert outcome.get("code") == 2, outcome
        assert "\n" not in outcome["refused"] and len(outcome["refused"]) < 400


def test_what_came_of_unusual_arguments(outcomes) -> None:
    value = {name: outcome["value"] for name, outcome in outcomes.items() if "value" in outcome}
    assert value["works decode nothing"] == value["works decode an empty list"] == []
    assert value["works decode nothing by beam"] == []
    # However codes are written, they are the same codes.
    alike = {str(value[f"works decode {name}"]) for name in ("float64", "array", "lists", "big-endian", "integers")}
    assert len(alike) == 1
    assert value["works encode a generator"] == value["works encode an array"]
    # At a temperature next to 0 the likeliest word is drawn.
    assert value["works decode almost cold"] == value["works decode float64"]
    assert value["works a long path"] == 600


def test_errors_say_what_was_got_and_what_is_expected(outcomes) -> None:
    said = {name: outcome["refused"] for name, outcome in outcomes.items() if "refused" in outcome}
    assert said["refused encode none among them"] == "Sentence 2 is None; expected a string."
    assert "1 different text;" in said["refused fit duplicates"] and "at least 30" in said["refused fit duplicates"]
    assert "19 different texts" in said["refused fit few"]
    assert "got one code of 4 numbers; expected N rows of 4" in said["refused decode one code"]
    assert "steps is 1000000000; expected a whole number from 2 to 10000" in said["refused interpolate steps many"]
    assert "shape (2, 5); expected N rows of 4" in said["refused decode wrong width"]
