"""`train`: trains a model and writes the best one into a folder."""

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
from textvae.regularizers import Regularizer
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers.base import Tokenizer
from textvae.training.checkpoint import Checkpoints, has_checkpoints
from textvae.training.config import TrainConfig, require_summed_labels
from textvae.training.corpora import label_counts, longest_sentence, require_corpora
from textvae.training.folder import CHECKPOINT_FOLDER, MODEL_FOLDER, claim_training
from textvae.training.identity import identity_of
from textvae.training.initial import start_from
from textvae.training.loop import TrainingLoop
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

    The other files in `out` are `metrics.jsonl`, ``result.json`` and, during training, ``checkpoints/``. Called again
    after a crash, a SIGKILL or Ctrl-C, `train` resumes from the last checkpoint and, on a CPU, ends with the same
    weights to the bit. Called again after training is finished, it only reads the result. Under `torchrun` or
    `accelerate launch` every process must make the same call, and `out` must be a folder that all of them can read.

    Args:
        config: the recipe's ``[train]`` table.
        train_corpus: the training sentences.
        valid_corpus: the validation sentences. The best epoch is selected by their weight-1 bound, or by the number
            that the objective names (`competes_by`).
        out: the folder for results.
        seed: of the weights, the noise and the order of batches.
        tokenizer: saved in the model's folder.
        label_names: the classes, for models with labels.
        card: entries of the model card; the bounds reached are added.
        max_tokens: longest sentence of the model, EOS not counted; by default the longest of both corpora.
        initial_model: train this model instead of building `config.model`.
        regularizer: further penalties, each [B] in nats per sentence, beside those of `config.regularizers`. If it is
            a module, its parameters are trained and saved in checkpoints too.
        validation_metric: measured on the model after each epoch. The epoch where it is highest is kept, instead of
            the best epoch by `valid_corpus`.
        find_source: see `textvae.training.initial.start_from`. Called only where there is no checkpoint.
        progress: whether to draw a progress bar when standard error is a terminal.

    Raises:
        ConfigError: settings do not fit together, or do not fit the corpus.
        DataError: a corpus is empty.
        ModelError: checkpoints are damaged or of another training; or a file that textvae did not write has the name of
            one that training writes.
        DivergedError: a gradient is not finite; no weight was updated by it.
        MachineError: memory or disk is full, or the disk cannot be written.
        KeyboardInterrupt: after Ctrl-C, when the step is done and a checkpoint is written.
    """
    # -- Check what is given.
    seed, out = checked_seed(seed), Path(out)
    require_corpora(config, train_corpus, valid_corpus)
    require_summed_labels(config.objective, config.model, len(label_names))
    processes = Processes(config.precision, config.trackers, out)
    plan = TrainingPlan(config, train_corpus, valid_corpus, seed)
    identity = identity_of(config, train_corpus, valid_corpus, seed)
    started = time.perf_counter()

    # -- If training is finished, read the result. After a crash at its very end, checkpoints may be left: remove them.
    finished = read_result(out, identity) if (out / MODEL_FOLDER).exists() else None
    if finished is not None:
        if processes.is_main:
            with suppress(OSError):  # on a read-only disk they stay
                Checkpoints(out / CHECKPOINT_FOLDER, identity, {}).remove()
        return finished
    if processes.is_main:
        claim_training(out)
    processes.wait()

    with memory_errors(config.batch_tokens), machine_errors(out), isolated_randomness(processes.device):
        # -- The model. All processes have the same seed here, so the initial weights do not depend on their number.
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
        raise ConfigError("train() got neither a tokenizer nor a model, expected one of them; give tokenizer=.")
    return tokenizer.vocab_size
