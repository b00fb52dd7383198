"""SIGKILL and Ctrl-C at random moments of a run; the resumed run must end with the results of an uninterrupted one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

from benchmarks.faults.process import SLOW, Ended, Process
from benchmarks.faults.trial import Outcome, Trial
from benchmarks.faults.verdict import complaints, differences, last_words, losses, results_of
from benchmarks.faults.world import (
    STAGES,
    Operations,
    World,
    finished_stages,
    rerun_stages,
    run_line,
    users_files,
)

INSIDE_WRITES, OLDER, SEVERAL, ANY, STARTING, TWICE = (
    "inside writes",
    "over an older run",
    "several in a row",
    "any moment",
    "while starting",
    "two at once",
)
FIRST_SECOND = {stage: f"{stage}: first second" for stage in STAGES}
MOMENTS = {
    "sigkill": {INSIDE_WRITES: 8, OLDER: 3, SEVERAL: 4, ANY: 2, STARTING: 2} | dict.fromkeys(FIRST_SECOND.values(), 2),
    "sigint": {INSIDE_WRITES: 3, OLDER: 2, SEVERAL: 2, ANY: 2, STARTING: 5, TWICE: 4}
    | dict.fromkeys(FIRST_SECOND.values(), 2),
}
"""Kind -> moment -> its share."""

PATIENCE = 20.0
"""Seconds after Ctrl-C by which a command has to have ended: 2 are the aim, and machines are busy."""
_ATTEMPTS = 12
SENT = "sent"
"""In a trial's folder: that the process has come to where it signals itself."""


def is_real(trial: Trial) -> bool:
    """Whether Python is started anew: where the moment is one in time, for some of the kills, most interrupts."""
    if trial.name == STARTING:
        return True
    if trial.name in (INSIDE_WRITES, OLDER, SEVERAL):
        return False
    return trial.seed % 3 == 0 if trial.kind == "sigkill" else trial.seed % 3 != 0


def stop(trial: Trial, folder: Path, world: World) -> Outcome:
    """Do a trial.

    Args:
        trial: which.
        folder: its own, empty.
        world: what it starts from and has to come to.
    """
    rng = random.Random(f"{trial.kind} {trial.name} {trial.seed}")
    outcome = Outcome(trial, real=is_real(trial), landed=0)
    begun = world.folder / ("older/work" if trial.name == OLDER else "user")
    shutil.copytree(begun, folder / "work")
    mine = users_files(folder / "work")
    wanted = rng.randint(2, 4) if trial.name == SEVERAL else 1
    finished: set[str] = set()
    for attempt in range(_ATTEMPTS):
        process = _start(trial, folder, world, rng, outcome)
        inside = trial.name in (INSIDE_WRITES, OLDER, SEVERAL)
        came = _wait_and_send(process, trial, world, rng)
        ended = process.finish(PATIENCE if trial.kind == "sigint" and (came or inside) else SLOW)
        came = came or (folder / SENT).exists()
        (folder / SENT).unlink(missing_ok=True)
        outcome.said.append(last_words(ended))
        _judge_stop(trial, ended, came, outcome)
        finished |= finished_stages(ended.err)
        if outcome.wrong:
            outcome.said.append(ended.err.decode("utf-8", "backslashreplace")[-3000:])
            break
        if outcome.landed >= wanted:
            break
        if ended.code == 0 and attempt + 1 < _ATTEMPTS and outcome.landed == 0:
            # It was too late: the run had ended. Once more, from the beginning.
            shutil.rmtree(folder / "work")
            shutil.copytree(begun, folder / "work")
            finished = set()
        elif ended.code == 0:
            break
    outcome.lost += losses(mine, users_files(folder / "work"))
    process = Process(run_line(), folder, name="last")
    ended = process.finish(2 * SLOW)
    outcome.commands.append(run_line())
    outcome.said.append(last_words(ended))
    outcome.wrong += [f"the run that goes on: {words}" for words in complaints(ended, {0})]
    if ended.code == 0:
        outcome.lost += differences(world.results, results_of(folder / "work" / "run"))
        outcome.lost += [f"{stage} was finished and ran again" for stage in finished & rerun_stages(ended.err)]
    outcome.lost += [words for words in losses(mine, users_files(folder / "work")) if words not in outcome.lost]
    return outcome


def _start(trial: Trial, folder: Path, world: World, rng: random.Random, outcome: Outcome) -> Process:
    number = signal.SIGKILL if trial.kind == "sigkill" else signal.SIGINT
    outcome.commands.append(run_line())
    prepare = None
    if trial.name in (INSIDE_WRITES, OLDER, SEVERAL):
        at = rng.randint(1, world.operations)
        delay = rng.choice((0.0, 0.0, rng.uniform(0, 0.01)))

        def act() -> None:
            os.close(os.open(folder / SENT, os.O_CREAT | os.O_WRONLY))
            # Just before the operation, or a little later: inside of it, or of what libraries write themselves.
            if delay:
                threading.Timer(delay, os.kill, (os.getpid(), number)).start()
            else:
                os.kill(os.getpid(), number)

        prepare = Operations(at, act).install
    return Process(run_line(), folder, real=outcome.real, prepare=prepare)


def _wait_and_send(process: Process, trial: Trial, world: World, rng: random.Random) -> bool:
    """Wait for the moment and send the signal; whether it was still running then."""
    number = signal.SIGKILL if trial.kind == "sigkill" else signal.SIGINT
    if trial.name in (INSIDE_WRITES, OLDER, SEVERAL):
        return False
    stage = next((stage for stage, name in FIRST_SECOND.items() if name == trial.name), None)
    if stage is not None and not process.said_within(f"{stage}: running".encode(), SLOW):
        return False
    if stage is not None:
        # Not so late that the run would have ended.
        rest = sum(list(world.stage_seconds.values())[STAGES.index(stage) :])
        wait = rng.uniform(0, min(1.0, 0.8 * rest if process.real else 1.2 * world.stage_seconds[stage]))
    elif trial.name == STARTING:
        # Python itself takes its first tenth of a second, and no code of a package can do anything about that.
        wait = rng.uniform(0.1, 3.5)
    else:
        wait = rng.uniform(0.05, world.seconds + (3.5 if process.real else 0.0))
    time.sleep(wait)
    over = b"done: " in process.err.read_bytes() if process.err.exists() else False
    sent = process.signal(number) and not over
    if sent and trial.name == TWICE:
        time.sleep(rng.choice((0.0, rng.uniform(0, 0.5))))
        process.signal(number)
    return sent


def _judge_stop(trial: Trial, ended: Ended, came: bool, outcome: Outcome) -> None:
    if trial.kind == "sigkill":
        if ended.code == -signal.SIGKILL:
            outcome.landed += 1
        else:
            outcome.wrong += [f"the run to be stopped: {words}" for words in complaints(ended, {0})]
        return
    if ended.code is None:
        outcome.landed += 1
        outcome.wrong.append(f"did not end within {PATIENCE:.0f} s of Ctrl-C")
        return
    if _in_pythons_own_start(ended):
        return
    # What came before the run had finished may not be lost, although the run then comes to its end.
    found = complaints(ended, {130} if came else {0, 130})
    complete = b"done: " in ended.err or b"nothing to do" in ended.err
    if ended.code == 0 and not complete:
        found.append("exit code 0 although it had not finished")
    if ended.code == 130 and b"interrupted" not in ended.err:
        found.append("exit code 130 and not a word of the interruption")
    if ended.code != 0 or found:
        outcome.landed += 1
    outcome.wrong += found


def _in_pythons_own_start(ended: Ended) -> bool:
    """Whether Ctrl-C came before the first line of the package ran, or after its last."""
    return ended.code == -signal.SIGINT and b"textvae/" not in ended.err
