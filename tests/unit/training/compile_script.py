"""Trains plainly and compiled, and compares. Argument: a folder.

A script of its own, because the shape checks that the suite wraps around every function cannot be compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.unit.training.helpers import LABELS, config, write_corpora
from textvae.models import load_model
from textvae.training import train


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    train_corpus, valid_corpus, tokenizer = write_corpora(folder)
    decoder = {"kind": "transformer", "model_dim": 8, "layers": 1, "heads": 2, "dropout": 0.0}
    weights = []
    for name, compiled in (("plain", False), ("compiled", True)):
        settings = config(
            model={"kind": "language_model", "decoder": decoder},
            # Not Adam: a key's bias has no gradient but rounding, which Adam would blow up to its full rate.
            optimizer={"kind": "sgd", "lr": 0.1},
            max_steps=3,
            compile=compiled,
        )
        train(settings, train_corpus, valid_corpus, folder / name, seed=0, tokenizer=tokenizer, label_names=LABELS)
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        assert (graphs > 0) == compiled, graphs
        weights.append(load_model(folder / name / "model").state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=1e-4, rtol=1e-3, msg=name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
