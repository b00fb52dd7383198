"""Trains in child processes and kills them with SIGKILL at random moments.

Arguments: a folder, how many short lives there are first, further settings of the training as JSON.

A child is forked after everything is imported, so that most of its life is training rather than start-up.
Prints how often it killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.unit.training.helpers import LABELS, config, write_corpora
from textvae.training import train


def child(folder: Path, name: str, further: dict[str, Any]) -> int:
    """Start a training, or go on with one, in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        train_corpus, valid_corpus, tokenizer = write_corpora(folder)
        settings = config(
            epochs=6,
            log_every=3,
            warmup=4,
            checkpoint_minutes=0.02 / 60,
            fresh_decoder=2,
            encoder_updates={"max_updates": 2, "window": 1},
            objective={"kind": "elbo", "kl_weight": {"kind": "linear", "end": 0.3}},
            **further,
        )
        train(settings, train_corpus, valid_corpus, folder / name, seed=3, tokenizer=tokenizer, label_names=LABELS)
        status = 0
    finally:
        os._exit(status)


def main(folder: Path, least_kills: int, further: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    write_corpora(folder)
    started = time.monotonic()
    _, status = os.waitpid(child(folder, "whole", further), 0)
    assert status == 0
    took = time.monotonic() - started

    draw, kills = random.Random(0), 0
    while True:
        pid = child(folder, "killed", further)
        # Short lives first, so that start-up and the first checkpoints are hit as well; never too short for ever.
        longest = took * (0.5 if kills < least_kills else 2.0)
        deadline = time.monotonic() + draw.uniform(0.05 * took, longest)
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                assert status == 0, status
                print(kills)
                return
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
        assert kills < 100, "no progress between kills"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
