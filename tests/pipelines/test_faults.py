"""A small part of the fault campaign, and that the campaign itself sees what it is there to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import campaign, hostile, nasty, verdict
from benchmarks.faults.process import CHECKOUT, Ended
from benchmarks.faults.trial import HOSTILE, KINDS, Outcome, Trial, read_line

SMALL = """
import json, sys
from pathlib import Path
from benchmarks.faults import campaign
out = Path(sys.argv[1])
campaign.settle(out)
wanted = campaign.trials(*map(int, sys.argv[2:]))
campaign.campaign(wanted, out, minutes=60)
done = campaign.done(out)
print(json.dumps({"wanted": len(wanted), "done": len(done), "failed": [one.line() for one in done if one.failed]}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("counts", [("6", "6", "4", "0"), ("0", "0", "0", "150")], ids=["stops", "hostile"])
def test_a_small_campaign_finds_nothing(counts: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
    line = [sys.executable, "-c", SMALL, str(tmp_path), *counts]
    said = subprocess.run(line, capture_output=True, text=True, env=environment, check=True, cwd=CHECKOUT)
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["done"] == found["wanted"] == sum(map(int, counts))
    assert found["failed"] == []


@pytest.mark.parametrize(
    ("code", "out", "err", "words"),
    [
        (0, b"x", b"Traceback (most recent call last):\n", "Traceback"),
        (1, b"", b"textvae: an error inside textvae: KeyError", "inside textvae"),
        (1, b"", b"textvae: no permission", "exit code 1"),
        (2, b"", b"", "without a word"),
        (-11, b"", b"", "signal 11"),
        (None, b"", b"", "still running"),
        (0, b"[NaN]", b"", "bare NaN"),
        (0, b"[1", b"", "invalid JSON"),
        (0, b"[]", b"a\x1b[31m", "0x1b on stderr"),
        (0, b'["\xc2\x9b"]', b"", "0x9b on stdout"),
        (0, b"\xff", b"", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_seen(code: int | None, out: bytes, err: bytes, words: str) -> None:
    found = verdict.complaints(Ended(code, out, err, 0.1), {0, 2}, as_json=True)
    assert any(words in complaint for complaint in found), found


def test_what_is_right_is_not_wrong() -> None:
    for code, out, err in (
        (0, b'["\xc3\xa9"]\n', b""),
        (2, b"", b"textvae: no\n"),
        (1, b"", b"textvae: out of memory"),
    ):
        assert verdict.complaints(Ended(code, out, err, 0.1), {0, 2}, as_json=True) == []


def test_what_is_lost_is_seen(tmp_path: Path) -> None:
    for name in ("kept", "changed", "gone", "folder/inner"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = verdict.snapshot(tmp_path)
    (tmp_path / "changed").write_text("CHANGED")
    (tmp_path / "gone").unlink()
    (tmp_path / "folder" / "inner").rename(tmp_path / "inner")
    (tmp_path / "new").touch()
    found = verdict.losses(before, verdict.snapshot(tmp_path))
    assert sorted(found) == ["b'changed' is changed", "b'folder/inner' is gone", "b'gone' is gone"]


def test_differences_leave_times_out(tmp_path: Path) -> None:
    runs = []
    for name, seconds, nll in (("a", 1.0, 2.0), ("b", 3.0, 2.0), ("c", 1.0, 2.5)):
        stage = tmp_path / name / "train"
        (stage / "model").mkdir(parents=True)
        (stage / "model" / "model.safetensors").write_bytes(b"weights" if name != "c" else b"Weights")
        (stage / "results.json").write_text(json.dumps({"train_seconds": seconds, "nll": nll}))
        runs.append(verdict.results_of(tmp_path / name))
    assert verdict.differences(runs[0], runs[1]) == []
    assert verdict.differences(runs[0], runs[2]) == [
        "train/model/model.safetensors differs",
        "train/results.json differs",
    ]
    assert verdict.differences(runs[0], {}) == [f"{name} is missing" for name in sorted(runs[0])]


def test_every_kind_gets_its_share_and_each_case_a_seed() -> None:
    wanted = campaign.trials(31, 30, 0, 500)
    assert len(set(wanted)) == len(wanted) == 561
    counts = {kind: sum(trial.kind == kind for trial in wanted) for kind in KINDS}
    assert counts == {"sigkill": 31, "sigint": 30, "full_disk": 0} | dict.fromkeys(HOSTILE, 100)
    for trial in wanted:
        assert trial.seed == 0 or Trial(trial.kind, trial.name, trial.seed - 1) in wanted


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with a run that has only the look of one: enough to make cases from."""
    from benchmarks.faults.world import write_user

    base = tmp_path_factory.mktemp("world")
    write_user(base / "user")
    return base


@pytest.mark.parametrize("kind", ["recipe", "card", "corpus"])
def test_a_case_is_decided_by_its_seed(kind: str, base: Path, tmp_path: Path) -> None:
    seen = set()
    for name in hostile.families()[kind]:
        made = []
        for attempt, seed in (("a", 3), ("b", 3), ("c", 4)):
            folder = tmp_path / f"{name.replace(' ', '')}{attempt}"
            case = hostile.make(Trial(kind, name, seed), folder, base)
            # An unreadable file is told by when it was made.
            content = {key: value for key, value in verdict.snapshot(folder).items() if "locked" not in key}
            made.append((case.arguments, case.stdin, content))
        assert made[0] == made[1]
        seen.add(made[0] != made[2])
    assert True in seen


def test_toml_of_anything_is_toml() -> None:
    import random
    import tomllib

    from benchmarks.faults.case import drawn
    from benchmarks.faults.tables import documents

    for seed in range(50):
        tree = drawn(documents("pipelines"), random.Random(seed))
        assert str(tomllib.loads(nasty.as_toml(tree))) == str(tree)


def test_progress_survives_a_line_cut_off(tmp_path: Path) -> None:
    good, bad = Outcome(Trial("card", "numbers", 1)), Outcome(Trial("card", "numbers", 2), wrong=["a traceback"])
    assert read_line(bad.line()).wrong == ["a traceback"]
    (tmp_path / campaign.PROGRESS).write_text(f"{good.line()}\n{bad.line()}\n{good.line()[:20]}")
    assert [one.trial.seed for one in campaign.done(tmp_path)] == [1, 2]
    assert campaign.rows(campaign.done(tmp_path)) == [
        {"name": "numbers", "seed": 0, "kind": "card", "tried": 2, "real": 0, "wrong": 1, "lost": 0}
    ]


def test_nothing_is_written_outside_of_the_fence(tmp_path: Path) -> None:
    from benchmarks.faults.fence import has_fence

    if not has_fence():
        pytest.skip("the kernel has no Landlock")
    program = (
        "import sys\nfrom pathlib import Path\nfrom benchmarks.faults.fence import fence_in\n"
        "inside, outside = map(Path, sys.argv[1:])\nfence_in([inside])\n(inside / 'a').write_text('a')\n"
        "for act in ((outside / 'a').touch, (outside / 'b').unlink, lambda: (outside / 'b').write_text('')):\n"
        "    try:\n        act()\n    except PermissionError:\n        print('refused')\n"
    )
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "b").write_text("b")
    line = [sys.executable, "-c", program, str(tmp_path / "inside"), str(tmp_path / "outside")]
    said = subprocess.run(line, capture_output=True, text=True, cwd=CHECKOUT, check=True)
    assert said.stdout.split() == ["refused"] * 3
    assert (tmp_path / "inside" / "a").read_text() == "a" and (tmp_path / "outside" / "b").read_text() == "b"
