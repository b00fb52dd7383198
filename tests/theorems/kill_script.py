"""Trains in child processes that are killed with SIGKILL at random moments.

Arguments: a folder, how many short lives there are first, further settings of the training as JSON.

A child is forked after everything is imported, so that all of its life is training. Its life is measured in
the file operations it does below its folder, not in seconds: a slow machine kills as often as a fast one, and
where files change is where a kill can do harm. Half of the kills come just before an operation, half up to ten
milliseconds after it, in the middle of a step or of a write. Prints how often it killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import torch

from tests.unit.training.helpers import LABELS, config, write_corpora
from textvae.training import train

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


class Life:
    """Counts the file operations below a folder and, if it is to end, kills the process at one of them."""

    def __init__(self, folder: Path, last: int | None, delay: float) -> None:
        self.folder, self.last, self.delay, self.count = str(folder), last, delay, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in OPERATIONS and str(arguments[0]).startswith(self.folder):
            self.count += 1
            if self.count == self.last:
                kill = threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL))
                kill.run() if self.delay == 0 else kill.start()


def live(folder: Path, name: str, further: dict[str, Any], last: int | None = None, delay: float = 0.0) -> int | None:
    """A training in a process of its own: the number of its file operations, or nothing if it was killed."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            life = Life(folder / name, last, delay)
            sys.addaudithook(life)
            training(folder, name, further)
            (folder / "operations").write_text(str(life.count))
            status = 0
        except BaseException:
            traceback.print_exc()  # a child's own last words
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return None
    assert status == 0, status
    return int((folder / "operations").read_text())


def training(folder: Path, name: str, further: dict[str, Any]) -> None:
    train_corpus, valid_corpus, tokenizer = write_corpora(folder)
    settings = config(
        epochs=6,
        log_every=3,
        warmup=4,
        checkpoint_minutes=0.02 / 60,
        fresh_decoder=2,
        encoder_updates={"max_updates": 2, "window": 1},
        objective={"kind": "elbo", "kl_weight": {"kind": "linear", "start": 2, "end": 3, "unit": "epochs"}},
        **further,
    )
    train(settings, train_corpus, valid_corpus, folder / name, seed=3, tokenizer=tokenizer, label_names=LABELS)


def main(folder: Path, least_kills: int, further: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    write_corpora(folder)
    whole = live(folder, "whole", further)
    assert whole is not None and whole > 0

    draw, kills = random.Random(0), 0
    # Short lives first, so that start-up and the first checkpoints are hit as well; never too short for ever.
    while True:
        longest = max(1, whole // (least_kills + 1)) if kills < least_kills else 2 * whole
        delay = draw.choice((0.0, draw.uniform(0.0, 0.01)))
        if live(folder, "killed", further, last=draw.randint(1, longest), delay=delay) is not None:
            print(kills)
            return
        kills += 1
        assert kills < 100, "no progress between kills"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
