"""Training a model: from what is given to the model that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from textvae.arguments import checked_seed
from textvae.disk import machine_errors
from textvae.errors import ConfigError
from textvae.models import TextModel
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers.base import Tokenizer
from textvae.training.checkpoint import Checkpoints, has_checkpoints
from textvae.training.config import TrainConfig
from textvae.training.corpora import label_counts, longest_sentence, require_corpora
from textvae.training.folder import CHECKPOINT_FOLDER, MODEL_FOLDER, claim_training
from textvae.training.identity import identity_of
from textvae.training.initial import start_from
from textvae.training.loop import TrainingLoop
from textvae.training.loss import Regularizer
from textvae.training.out_of_memory import memory_errors
from textvae.training.plan import TrainingPlan
from textvae.training.processes import Processes
from textvae.training.result import TrainResult, read_result
from textvae.training.validation import isolated_randomness


def train(
    config: TrainConfig,
    train_corpus: TokenizedCorpus,
    valid_corpus: TokenizedCorpus,
    out: Path,
    *,
    seed: int,
    tokenizer: Tokenizer | None = None,
    label_names: Sequence[str] = (),
    card: dict[str, Any] | None = None,
    max_tokens: int | None = None,
    initial_model: TextModel | None = None,
    regularizer: Regularizer | None = None,
    validation_metric: Callable[[TextModel], float] | None = None,
    find_source: Callable[[str], Path] | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a model and leave the best one in ``out/model``.

    Everything else in `out` is `metrics.jsonl`, ``result.json`` and, until training is over, ``checkpoints/``. Called
    again after a crash, a SIGKILL or Ctrl-C it goes on from the last checkpoint and, on a CPU, ends with the same
    weights to the bit. Called again after the training is over it only reads the result. Under `torchrun` or
    `accelerate launch` every process calls it alike, and `out` must be a folder that all of them see.

    Args:
        config: the recipe's ``[train]`` table.
        train_corpus: what to train on.
        valid_corpus: epochs compete by its weight-1 bound, or by the number that the objective names in its place.
        out: the folder for results.
        seed: of the weights, the noise and the order of batches.
        tokenizer: goes into the model's folder.
        label_names: the classes, for models that have them.
        card: what the model card should tell; the bounds reached are added.
        max_tokens: longest sentence the model is to take, EOS not counted; by default the longest of both corpora.
        initial_model: train this one instead of building `config.model`.
        regularizer: further penalties, each [B] in nats per sentence, beside those of `config.regularizers`. The
            parameters of one that is a module are trained and kept in checkpoints too.
        validation_metric: measured on the model after each epoch. The epoch where it is highest is kept, instead of the
            one that is best by `valid_corpus`.
        find_source: see `textvae.training.initial.start_from`. It is called only without a checkpoint to go on from.
        progress: whether to draw a progress bar when standard error is a terminal.

    Raises:
        ConfigError: settings that do not fit together or the corpus.
        DataError: an empty corpus.
        ModelError: checkpoints that are damaged, or of another training; a file that is not ours in the way.
        DivergedError: a gradient that is not a number, before it reaches the weights.
        MachineError: no memory or no disk.
        KeyboardInterrupt: after Ctrl-C, when the step is done and a checkpoint is written.
    """
    # -- What is asked for: refused here, where it does not fit together.
    seed, out = checked_seed(seed), Path(out)
    require_corpora(config, train_corpus, valid_corpus)
    processes = Processes(config.precision, config.trackers, out)
    plan = TrainingPlan(config, train_corpus, valid_corpus, seed)
    identity = identity_of(config, train_corpus, valid_corpus, seed)
    started = time.perf_counter()

    # -- Is it over already? Then only what a crash after the result left is removed.
    finished = read_result(out, identity) if (out / MODEL_FOLDER).exists() else None
    if finished is not None:
        if processes.is_main:
            with suppress(OSError):  # a read-only disk may keep it
                Checkpoints(out / CHECKPOINT_FOLDER, identity, {}).remove()
        return finished
    if processes.is_main:
        claim_training(out)
    processes.wait()

    with memory_errors(config.batch_tokens), machine_errors(out), isolated_randomness(processes.device):
        # -- The model. Its weights do not depend on the number of processes: all of them begin with the same seed.
        torch.manual_seed(seed)
        if max_tokens is None:
            max_tokens = longest_sentence(train_corpus, valid_corpus)

        def build_model() -> TextModel:
            sizes = {"vocab_size": _vocab_size(tokenizer), "max_tokens": max_tokens}
            return config.model.build(**sizes, label_names=tuple(label_names))

        model = build_model() if initial_model is None else initial_model
        if config.start_from is not None and not has_checkpoints(out / CHECKPOINT_FOLDER):
            start_from(model, config.start_from, tokenizer, find_source)
        if model.label_names:
            model.set_label_prior(torch.from_numpy(label_counts(train_corpus, len(model.label_names))))
        if tokenizer is not None:
            model.tokenizer = tokenizer

        # -- The training, from its first step or from its last checkpoint.
        loop = TrainingLoop(
            config,
            plan,
            model,
            build_model,
            train_corpus,
            valid_corpus,
            out,
            identity=identity,
            seed=seed,
            processes=processes,
            started=started,
            regularizer=regularizer,
            validation_metric=validation_metric,
            show_progress=progress,
        )
        return loop.run(dict(card or {}))


def _vocab_size(tokenizer: Tokenizer | None) -> int:
    if tokenizer is None:
        raise ConfigError("got neither a tokenizer nor a model; give train() one of them.")
    return tokenizer.vocab_size
