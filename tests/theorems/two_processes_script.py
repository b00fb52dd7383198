"""Trains without noise; started alone and by torchrun.

Arguments: folder of the corpora, folder for results, further settings of the training as JSON, parts of the model
among them.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.unit.training.helpers import LABELS, MODEL, config, write_corpora
from textvae.distributions import DiagonalGaussian
from textvae.training import train


def main(corpora: Path, out: Path, further: dict[str, Any]) -> None:
    # A process that waits for the other one for ever says where, and ends both.
    faulthandler.dump_traceback_later(120, exit=True)
    torch.set_num_threads(1)
    # Noise belongs to a process's own random stream; what must agree is everything else.
    DiagonalGaussian.rsample = lambda self, shape=(): self.loc.expand(*shape, *self.loc.shape)  # type: ignore[method-assign]
    train_corpus, valid_corpus, tokenizer = write_corpora(corpora)
    noiseless = {**MODEL, "decoder": {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 9}, **further.pop("model", {})}
    settings = config(
        model=noiseless,
        # 49 sentences in threes: the last batch has one sentence, so one of two processes has none.
        batch_sentences=3,
        batch_tokens=1000,
        epochs=2,
        optimizer={"kind": "sgd", "lr": 0.3, "momentum": 0.5},
        clip_norm=1.0,
        log_every=3,
        **further,
    )
    train(settings, train_corpus, valid_corpus, out, seed=5, tokenizer=tokenizer, label_names=LABELS, progress=False)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
