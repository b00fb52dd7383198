"""The list of trials, the worker processes that run them, and the file of finished trials."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.faults.case import remove
from benchmarks.faults.disks import disk_names, full_disk
from benchmarks.faults.hostile import families, hostile
from benchmarks.faults.process import warm_up
from benchmarks.faults.stops import MOMENTS, stop
from benchmarks.faults.trial import HOSTILE, Outcome, Trial, read_line
from benchmarks.faults.verdict import losses, snapshot
from benchmarks.faults.world import load_world

PROGRESS, FAILURES = "trials.jsonl", "failures.md"
WORKERS = 2


def spread(count: int, shares: Mapping[str, int]) -> dict[str, int]:
    """A count divided by shares, so that the parts add up to it.

    >>> spread(7, {"a": 2, "b": 1})
    {'a': 5, 'b': 2}
    """
    total, given, before = sum(shares.values()), {}, 0
    for name, upto in zip(shares, itertools.accumulate(shares.values()), strict=True):
        given[name] = -(-count * upto // total) - before
        before += given[name]
    return given


def trials(kills: int, interrupts: int, disks: int, cases: int) -> list[Trial]:
    """All trials of a campaign, the hostile inputs in equal numbers of each kind, kinds and names mixed."""
    parts = {
        "sigkill": (kills, MOMENTS["sigkill"]),
        "sigint": (interrupts, MOMENTS["sigint"]),
        "full_disk": (disks, disk_names() if disks else {"": 1}),
    }
    for kind, count in spread(cases, dict.fromkeys(HOSTILE, 1)).items():
        parts[kind] = (count, {name: share for name, (share, _) in families()[kind].items()})
    found = []
    for kind, (count, shares) in parts.items():
        for name, many in spread(count, shares).items():
            found += [(seed / many, Trial(kind, name, seed)) for seed in range(many)]
    return [trial for _, trial in sorted(found)]


def attempt(trial: Trial, out: Path) -> Outcome:
    """Do one trial in a folder that is removed afterwards."""
    began = time.monotonic()
    folder = out / "work" / trial.folder
    remove(folder)
    folder.mkdir(parents=True)
    if trial.kind in HOSTILE:
        outcome = hostile(trial, folder, out / "world")
    else:
        world = load_world(out / "world")
        outcome = full_disk(trial, folder, world) if trial.kind == "full_disk" else stop(trial, folder, world)
    outcome.seconds = round(time.monotonic() - began, 3)
    return outcome


def settle(out: Path) -> None:
    """A folder for a campaign, with the world in it."""
    (out / "work" / "libraries").mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            warm_up()
            load_world(out / "world")
            code = 0
        except RuntimeError as error:
            print(error)
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise SystemExit("the campaign cannot start, because its uninterrupted run failed; see the error above.")


def done(out: Path) -> list[Outcome]:
    """The trials that were finished so far, each once."""
    path = out / PROGRESS
    if not path.exists():
        return []
    found: dict[Trial, Outcome] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcome = read_line(line)
        except ValueError:
            continue  # cut off when the campaign was stopped
        found[outcome.trial] = outcome
    return list(found.values())


def campaign(wanted: list[Trial], out: Path, minutes: float) -> None:
    """Do the trials that are not done yet, in two processes; each finished one is kept at once.

    Args:
        wanted: all of them.
        out: the campaign's folder.
        minutes: after which no trial is begun any more.
    """
    finished = {outcome.trial for outcome in done(out)}
    left = [trial for trial in wanted if trial not in finished]
    if not left:
        return
    world = snapshot(out / "world")
    context = multiprocessing.get_context("fork")
    following = context.Value("l", 0)
    until = time.monotonic() + 60 * minutes
    workers = [context.Process(target=_work, args=(left, following, out, until)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            while worker.is_alive():
                worker.join(5)
                print(f"\r{min(following.value, len(left))} of {len(left)} trials", end="", flush=True)
    except KeyboardInterrupt:
        for worker in workers:
            worker.terminate()
    print()
    if any(worker.exitcode for worker in workers):
        print("a worker process crashed; run the same command again to continue.")
    changed = losses(world, snapshot(out / "world"))
    if changed:
        raise SystemExit(
            f"a trial wrote outside its folder: {changed[:5]}; later trials may be wrong, so start with another --out."
        )


def _work(left: list[Trial], following: Any, out: Path, until: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["HF_HUB_OFFLINE"], os.environ["HF_HOME"] = "1", str(out / "work" / "libraries")
    warm_up()
    with (out / PROGRESS).open("ab", buffering=0) as progress:
        while time.monotonic() < until:
            with following.get_lock():
                at = following.value
                following.value += 1
            if at >= len(left):
                return
            try:
                outcome = attempt(left[at], out)
            except Exception as error:
                # A fault of the campaign's own costs one trial, and is seen.
                outcome = Outcome(left[at], wrong=[f"the campaign itself: {type(error).__name__}: {error}"[:300]])
            progress.write(outcome.line().encode() + b"\n")
            os.fsync(progress.fileno())
            remove(out / "work" / left[at].folder)


def failures(outcomes: list[Outcome]) -> str:
    """The failures, those of like cause together, each with the command that repeats it."""
    causes: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.failed:
            causes.setdefault(cause(outcome), []).append(outcome)
    lines = [f"# {sum(map(len, causes.values()))} failures of {len(outcomes)} trials, {len(causes)} causes", ""]
    for words, those in sorted(causes.items(), key=lambda pair: -len(pair[1])):
        kinds = Counter(outcome.trial.kind for outcome in those)
        lines += [f"## {len(those)} x {words}", "", ", ".join(f"{kind} {count}" for kind, count in kinds.items()), ""]
        for outcome in those[:5]:
            shown = [[argument[:80] for argument in line][:12] for line in outcome.commands[-1:]]
            lines += [f"- `{outcome.trial.again}`", f"  {shown!r}", f"  {outcome.wrong + outcome.lost}"[:600]]
            lines += [f"  {outcome.said[-1][:300]!r}"] if outcome.said else []
        lines += [f"- and {len(those) - 5} more"] if len(those) > 5 else []
        lines.append("")
    return "\n".join(lines)


def cause(outcome: Outcome) -> str:
    """What failures are put together by: the first complaint and the error behind it, without names and numbers."""
    first = (outcome.wrong + outcome.lost)[0]
    said = next((said for said in outcome.said if "inside textvae" in said), (outcome.said or [""])[-1])
    if "inside textvae" in said:
        first = said.split("inside textvae: ")[-1].split("; set TEXTVAE_DEBUG")[0]
    elif "Error" in said and "Traceback" in " ".join(outcome.wrong):
        first = f"traceback: {said}"
    elif outcome.wrong and "exit code" in first:
        first = f"{first}: {said}"
    first = re.sub(r"0x[0-9a-f]+", "0xN", first)
    first = re.sub(r"\S*/\S*", "PATH", first)
    first = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", first)
    return re.sub(r"-?\d+(\.\d+)?", "N", first)[:160]


def rows(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """The rows of the results file: one for each kind and name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for outcome in outcomes:
        trial = outcome.trial
        fresh = {"name": trial.name, "seed": 0, "kind": trial.kind, "tried": 0, "real": 0, "wrong": 0, "lost": 0}
        row = found.setdefault((trial.kind, trial.name), fresh)
        if not outcome.landed and not outcome.failed:
            continue
        row["tried"] += 1
        row["real"] += outcome.real
        row["wrong"] += bool(outcome.wrong)
        row["lost"] += bool(outcome.lost)
    return [row for row in found.values() if row["tried"]]


def summary(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each kind: how many, how many wrong and lost, and the time a trial took."""
    by_kind: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.trial.kind, []).append(outcome)
    for kind, those in by_kind.items():
        wrong, lost = sum(bool(one.wrong) for one in those), sum(bool(one.lost) for one in those)
        forked = [one.seconds for one in those if not one.real] or [0.0]
        real = [one.seconds for one in those if one.real] or [0.0]
        yield (
            f"{kind:13} {len(those):6} tried {wrong:5} wrong {lost:5} lost; median seconds "
            f"{sorted(forked)[len(forked) // 2]:.3f} forked, {sorted(real)[len(real) // 2]:.2f} real"
        )
