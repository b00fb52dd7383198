"""The training loop."""

from __future__ import annotations

import math
import platform
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textvae import __version__
from textvae.arguments import checked_seed
from textvae.disk import machine_errors, no_number
from textvae.errors import ConfigError, DataError, MachineError
from textvae.interrupt import Interrupt
from textvae.models import TextModel
from textvae.objectives import local_mean
from textvae.text.batching import BatchPlan
from textvae.text.tokenized import TokenizedCorpus
from textvae.text.tokenizers.base import Tokenizer
from textvae.training.aggressive import AggressiveRule, InnerLoop
from textvae.training.checkpoint import Checkpoint, Checkpoints, has_checkpoints, load_weights
from textvae.training.code_memory import CodeMemory
from textvae.training.config import TrainConfig
from textvae.training.divergence import DivergenceWatch
from textvae.training.folder import CHECKPOINT_FOLDER, MODEL_FOLDER, claim_training
from textvae.training.guard import CollapseGuard, CollapseWarning
from textvae.training.initial import start_from
from textvae.training.learning_rate import LearningRate
from textvae.training.metrics import METRICS_FILE, MetricsLog, Window
from textvae.training.processes import Processes
from textvae.training.progress import ProgressBar
from textvae.training.result import TrainResult, peak_gpu_memory_mb, peak_memory_mb, read_result, write_result
from textvae.training.selection import Selection
from textvae.training.step import Regularizer, Regularizers, TrainStep
from textvae.training.validation import Validation, isolated_randomness


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
    validation_metric: Callable[[Any], float] | None = None,
    find_source: Callable[[str], Path] | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a model and leave the best one in ``out/model``.

    Everything else in `out` is `metrics.jsonl`, ``result.json`` and, until training is over, ``checkpoints/``. Called
    again after a crash, a SIGKILL or Ctrl-C it goes on from the last checkpoint and, on a CPU, ends with the same
    weights to the bit. Called again after it was over it only reads the result. Under `torchrun` or `accelerate launch`
    every process calls it alike, and `out` must be a folder that all of them see.

    Args:
        config: the recipe's ``[train]`` table.
        train_corpus: what to train on.
        valid_corpus: by whose weight-1 bound epochs compete, or by what the objective names in its place.
        out: the folder for results.
        seed: of the weights, the noise and the order of batches.
        tokenizer: goes into the model's folder.
        label_names: the classes, for models that have them.
        card: what the model card should tell; the bounds reached are added.
        max_tokens: longest sentence the model is to take, EOS not counted; by default the longest of both corpora.
        initial_model: train this one instead of building `config.model`.
        regularizer: further penalties, each [B] in nats per sentence, beside those of `config.regularizers`. The
            parameters of one that is a module are trained and kept in checkpoints too.
        validation_metric: measured on the model after each epoch; the epoch where it is highest is kept, instead of
            the one with the best bound (or what the objective names in its place).
        find_source: see `textvae.training.initial.start_from`; called where there is no checkpoint to go on from.
        progress: whether to draw a progress bar when standard error is a terminal.

    Raises:
        ConfigError: settings that do not fit together or the corpus.
        DataError: an empty corpus.
        ModelError: checkpoints that are damaged, or of another training; a file that is not ours in the way.
        DivergedError: a gradient that is not a number, before it reaches the weights.
        MachineError: no memory or no disk.
        KeyboardInterrupt: after Ctrl-C, when the step is done and a checkpoint is written.
    """
    seed = checked_seed(seed)
    for name, corpus in (("training", train_corpus), ("validation", valid_corpus)):
        if len(corpus) == 0:
            raise DataError(f"the {name} corpus has no sentences; expected at least one.")
    _require_known_labels(config, train_corpus)
    run = _Training(config, train_corpus, valid_corpus, Path(out), seed, regularizer, validation_metric, progress)
    finished = read_result(run.out, run.identity) if (run.out / MODEL_FOLDER).exists() else None
    if finished is not None:
        if run.processes.is_main:
            with suppress(OSError):  # what a crash after the result left; a read-only disk may keep it
                Checkpoints(run.out / CHECKPOINT_FOLDER, run.identity, {}).remove()
        return finished
    if max_tokens is None:
        max_tokens = int(max(train_corpus.lengths.max(), valid_corpus.lengths.max())) - 2
    if run.processes.is_main:
        claim_training(run.out)
    run.processes.wait()
    with _memory_errors(config), machine_errors(run.out), isolated_randomness(run.processes.device):
        # Weights do not depend on the number of processes, so all of them begin with the same seed.
        torch.manual_seed(seed)

        def build() -> Any:
            sizes = {"vocab_size": _vocab_size(tokenizer), "max_tokens": max_tokens}
            return config.model.build(**sizes, label_names=tuple(label_names))

        model = build() if initial_model is None else initial_model
        if config.start_from is not None and not has_checkpoints(run.out / CHECKPOINT_FOLDER):
            start_from(model, config.start_from, tokenizer, find_source)
        if model.label_names:
            model.set_label_prior(torch.from_numpy(_label_counts(train_corpus, len(model.label_names))))
        if tokenizer is not None:
            model.tokenizer = tokenizer
        return run(model, build, dict(card or {}))


def _require_known_labels(config: TrainConfig, corpus: TokenizedCorpus) -> None:
    """Free bits by dimension need a KL by dimension in every batch, and the mixture over labels has none."""
    free_bits, prior = config.objective.kl_allowance, config.model.prior_settings
    if free_bits is None or not free_bits.by_dimension or prior is None or not prior.label_count:
        return
    unknown = int((np.asarray(corpus.labels) < 0).sum())
    if unknown:
        raise ConfigError(
            f"free bits of kind '{free_bits.kind}' need the KL of each dimension, and {unknown} of {len(corpus)} "
            f"training sentences have no label, for which a {prior.kind} prior is a mixture; "
            "set train.objective.free_bits.kind = 'rate' or 'target', or leave these sentences out."
        )


def _label_counts(corpus: TokenizedCorpus, classes: int) -> np.ndarray:
    """How many sentences show each label, [C]."""
    labels = np.asarray(corpus.labels)
    return np.bincount(labels[labels >= 0], minlength=classes)


class _Training:
    """One sitting of a training: what `train` was given, and what must survive a restart."""

    def __init__(
        self,
        config: TrainConfig,
        train_corpus: TokenizedCorpus,
        valid_corpus: TokenizedCorpus,
        out: Path,
        seed: int,
        regularizer: Regularizer | None,
        validation_metric: Callable[[Any], float] | None,
        progress: bool,
    ) -> None:
        self.config, self.corpus, self.out, self.seed = config, train_corpus, out, seed
        self.further_regularizer, self.validation_metric = regularizer, validation_metric
        self.show_progress = progress
        self.processes = Processes(config.precision, config.trackers, out)

        # -- How long it takes: the cuts of an epoch depend on the sentences' lengths only.
        self.lengths = np.asarray(train_corpus.lengths)
        all_lengths = config.batches_all_lengths
        self.plan = BatchPlan(self.lengths, config.batch_tokens, config.batch_sentences, seed, all_lengths=all_lengths)
        self.total_steps = config.epochs * self.plan.steps_per_epoch
        if config.max_steps is not None:
            self.total_steps = min(self.total_steps, config.max_steps)
        self.objective = config.objective.build(steps_per_epoch=self.plan.steps_per_epoch, total_steps=self.total_steps)
        batch_tokens = max(config.batch_tokens, (2 if all_lengths else 1) * int(np.max(valid_corpus.lengths)))
        self.validation = Validation(
            valid_corpus,
            batch_tokens=batch_tokens,
            limit=config.valid_sentences,
            seed=seed,
            objective=self.objective,
            processes=self.processes,
            all_lengths=all_lengths,
        )
        sentences = min(config.guard_sentences, len(valid_corpus))
        self.guard = CollapseGuard(valid_corpus, sentences, batch_tokens, self.processes.device)

        # -- What changes as training goes on: `state_dict` and `load_state_dict` hold all of it.
        self.step = 0
        self.epoch = 0
        self.position = 0  # batches of this epoch that are done
        self.over = self.stopped_early = False
        self.last_bound = self.last_criterion = math.inf
        self.last_metric: float | None = None
        self.train_seconds = self.train_cpu_seconds = self.seconds_before = 0.0
        self.train_tokens = 0
        self.peak_memory = 0.0
        self.fresh_step = (config.fresh_decoder or 0) * self.plan.steps_per_epoch
        self.learning_rate = LearningRate(
            config.optimizer.lr,
            warmup=config.warmup,
            decay=config.decay,
            total_steps=self.total_steps,
            restart=self.fresh_step,
        )
        self.aggressive = AggressiveRule(config.encoder_updates)
        self.selection = Selection(config.early_stopping)
        self.window = Window()
        self.metrics_bytes = 0

        # -- What tells this training from others.
        self.identity: dict[str, Any] = {
            "config": config.model_dump(mode="json", exclude=set(config.watched_only)),
            "seed": seed,
            "data": {"train": _fingerprint(train_corpus), "valid": _fingerprint(valid_corpus)},
        }
        self.started = time.perf_counter()

    def __call__(self, model: Any, fresh: Callable[[], Any], card: dict[str, Any]) -> TrainResult:
        config, processes = self.config, self.processes
        self.model, self.fresh = model, fresh
        self.memory = CodeMemory(
            model, self.corpus, batch_tokens=config.batch_tokens, seed=self.seed, processes=processes
        )
        weights = {name: list(value.shape) for name, value in model.state_dict().items()}
        identity = {**self.identity, "weights": weights}
        self.checkpoints = Checkpoints(self.out / CHECKPOINT_FOLDER, identity, self._environment())
        # Like the model they begin alike in all processes: the random state is still that of the seed.
        self.regularizers = Regularizers(config.regularizers, model, self.further_regularizer)

        # -- Resume, if there is something to resume from. Weights first: wrappers copy them to other processes.
        saved = self.checkpoints.latest()
        if saved is not None:
            saved.load_weights(model)
            self.regularizers.load_state_dict(saved.state["regularizers"])
        step = TrainStep(model, self.objective, self.regularizers, config.compile, processes.sum_dtype)
        self.module = processes.accelerator.prepare_model(step)
        self.inner = step
        # All that is trained: the model's parameters, then the regularizers' own.
        self.parameters = [parameter for parameter in step.parameters() if parameter.requires_grad]
        self.optimizer = config.optimizer.build(parameters=self.parameters)
        # From here on noise differs between processes, as their sentences do.
        torch.manual_seed(self.seed + 7919 * processes.index)
        if saved is not None:
            self._resume(saved)
        else:
            self.memory.fill()
        if processes.is_main:
            self.checkpoints.clean()
            self.log: MetricsLog | None = MetricsLog(self.out / METRICS_FILE, self.metrics_bytes)
        else:
            self.log = None
        processes.start_trackers(self.step)
        self.last_checkpoint = time.monotonic()
        self.watch = DivergenceWatch(
            processes.device,
            deferred=processes.device.type == "cuda",
            processes=processes.count,
            lr=config.optimizer.lr,
        )

        # -- The loop: epochs of steps, each closed by a validation and a checkpoint.
        visible = self.show_progress and processes.is_main
        bar = ProgressBar(self.total_steps, self.step, config.epochs, enabled=visible)
        try:
            with bar, Interrupt() as interrupt:
                while not self.over:
                    self._train_epoch(bar, interrupt)
                    self._close_epoch(bar, interrupt)
        finally:
            processes.finish_trackers()
            if self.log is not None:
                self.log.close()
        return self._finish(card)

    def _train_epoch(self, bar: ProgressBar, interrupt: Interrupt) -> None:
        """All steps of the epoch that are still to do."""
        config, processes = self.config, self.processes
        batches = self.plan.epoch(self.epoch)
        self.model.train()
        clock = (time.perf_counter(), time.process_time())
        while self.position < len(batches) and self.step < self.total_steps:
            indices = batches[self.position]
            if self.step == self.fresh_step > 0:
                self._begin_anew()
            if self.aggressive.on:
                self._encoder_catches_up(batches)
            with self._frozen(encoder=True) if self.aggressive.on else nullcontext():
                loss, totals_K, units_2D, grad_norm, kl_weight, rate = self._one_step(indices)
            self._update(indices, loss, grad_norm)
            self.memory.after_step(indices)
            self.step += 1
            self.position += 1

            # Count. Nothing waits for the device here: a single step's time is exact on a CPU only, that of all
            # steps between two log lines everywhere.
            tokens = int((self.lengths[indices] - 1).sum())
            self.window.add(self.inner.names, totals_K, units_2D, grad_norm, len(indices), tokens)
            self.train_tokens += tokens
            clock = self._count_time(clock)
            bar.advance(self.step, self.epoch)

            # Log: the only place where the host waits for the device.
            at_log = self.step % config.log_every == 0 or self.step == self.total_steps
            if at_log:
                self.watch.check()
                numbers = self.window.means(processes.sum)
                clock = self._count_time(clock)
                numbers["tokens_per_second"] = self.window.tokens / max(self.window.seconds, 1e-9)
                self.window = Window()
                # Where q has no density there is no KL, and so no weight of one.
                weights = {"kl_weight": kl_weight} if "kl" in numbers else {}
                self._write({**numbers, **weights, "lr": rate}, self.epoch + 1, bar)

            # Keep. Several processes must agree, so they ask one another only where they meet anyway.
            if at_log or processes.count == 1:
                due = processes.is_main and time.monotonic() - self.last_checkpoint > 60 * config.checkpoint_minutes
                interrupted = processes.any(interrupt.raised)
                if interrupted or processes.any(due):
                    self._save()
                    clock = (time.perf_counter(), time.process_time())
                if interrupted:
                    raise KeyboardInterrupt
        if processes.device.type == "cuda":
            torch.cuda.synchronize(processes.device)
        self._count_time(clock)

    def _begin_anew(self) -> None:
        """A decoder with fresh weights, and an optimizer without memory (Li et al. 2019, arXiv 1909.00868).

        It happens before the first step of its epoch, so that a resumed training does it again, in the same way.
        """
        with isolated_randomness(self.processes.device):
            torch.manual_seed(self.seed + self.step)
            fresh = self.fresh().decoder.to(self.processes.device)
        with torch.no_grad():
            for old, new in zip(self.model.decoder.parameters(), fresh.parameters(), strict=True):
                old.copy_(new)
        self.optimizer.state.clear()

    def _encoder_catches_up(self, batches: list[np.ndarray]) -> None:
        """Updates of the encoder alone, on batches of this epoch drawn at random, until its loss stops falling."""
        assert self.aggressive.config is not None
        drawn = np.random.default_rng([self.seed, self.step])
        inner = InnerLoop(self.aggressive.config)
        done = False
        with self._frozen(encoder=False):
            while not done:
                indices = batches[int(drawn.integers(len(batches)))]
                loss, _, _, grad_norm, _, _ = self._one_step(indices)
                self._update(indices, loss, grad_norm)
                self.aggressive.encoder_updates += 1
                self.train_tokens += int((self.lengths[indices] - 1).sum())
                # The loss is this process's share of the mean, times the number of processes.
                mean = float(self.processes.sum(loss)) / self.processes.count
                done = inner.done(mean * len(indices), len(indices))

    @contextmanager
    def _frozen(self, *, encoder: bool) -> Iterator[None]:
        """Inside, the encoder and the posterior, or everything but them (regularizers too), get no gradient."""
        chosen = [
            parameter
            for name, parameter in self.inner.named_parameters()
            if parameter.requires_grad and name.startswith(("model.encoder.", "model.posterior.")) == encoder
        ]
        for parameter in chosen:
            parameter.requires_grad_(False)
            parameter.grad = None
        try:
            yield
        finally:
            for parameter in chosen:
                parameter.requires_grad_(True)

    def _count_time(self, since: tuple[float, float]) -> tuple[float, float]:
        """Add the time since a moment (on the wall, of the processor) to that of the steps; return the present one."""
        now = (time.perf_counter(), time.process_time())
        self.train_seconds += now[0] - since[0]
        self.window.seconds += now[0] - since[0]
        self.train_cpu_seconds += now[1] - since[1]
        return now

    def _one_step(self, indices: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor, float, float]:
        """Forward, backward, clip: everything of a step but the update.

        Args:
            indices: the sentences of the global batch.
        """
        processes = self.processes
        mine, counts = processes.share(indices)
        batch = self.corpus.batch(mine).to(processes.device)
        rate = self.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

        # The loss is the mean over the global batch. Wrappers average gradients over processes, hence the factor.
        scale = processes.count / len(indices) if counts else 0.0
        mean = local_mean if processes.count == 1 else processes.batch_mean(len(indices), counts)
        self.optimizer.zero_grad(set_to_none=True)
        loss, totals_K, units_2D, kl_weight = self.module(batch, self.step, scale, mean)
        processes.accelerator.backward(loss)

        # Clipping comes after backward, on the averaged gradient. The norm logged is the one before clipping.
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        grad_norm = torch.nn.utils.get_total_norm(gradients)
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip_norm, grad_norm)
        return loss.detach(), totals_K, units_2D, grad_norm, kl_weight, rate

    def _update(self, indices: np.ndarray, loss: Tensor, grad_norm: Tensor) -> None:
        """The rest of a step."""
        self.watch.before_update(self.optimizer, step=self.step, indices=indices, loss=loss, grad_norm=grad_norm)
        self.optimizer.step()

    def _close_epoch(self, bar: ProgressBar, interrupt: Interrupt) -> None:
        """Validate, judge, keep."""
        processes = self.processes
        self.watch.check()
        self.memory.after_epoch()
        measured = self.validation(
            self.model,
            step=self.step,
            metric=self.validation_metric,
            interrupted=lambda: processes.count == 1 and interrupt.raised,
        )
        if measured is None:
            self._save()
            raise KeyboardInterrupt
        self.epoch += 1
        self.position = 0
        self.last_bound = measured[self.validation.bound_of(self.model)]
        self.last_criterion = measured[self.validation.criterion_of(self.model)]
        self.last_metric = measured.get("valid_metric")

        # Is z used?
        if self.model.latent_dim and len(self.guard.indices) > 1:
            looked = self.guard.measure(self.model)
            measured |= looked
            message = self.guard.observe(self.config, self.model.latent_dim, looked, self.epoch)
            if message is not None and processes.is_main:
                warnings.warn(message, CollapseWarning, stacklevel=2)
            if self.aggressive.on:
                goes_on = self.aggressive.judge(
                    looked.get("guard_mi", -math.inf),
                    cap=looked.get("guard_mi_cap", math.inf),
                    final=self.step >= self.objective.first_final_step,
                )
                measured["aggressive"] = float(goes_on)
                measured["encoder_updates"] = self.aggressive.encoder_updates

        # Compete, once the KL weight is final.
        is_best = exhausted = False
        if self.step >= max(self.objective.first_final_step, self.fresh_step + 1):
            is_best = self.selection.update(
                epoch=self.epoch,
                step=self.step,
                bound=self.last_bound,
                criterion=self.last_criterion,
                metric=self.last_metric,
            )
            exhausted = self.learning_rate.judge(self.last_criterion, self.epoch - 1) or self.selection.exhausted
        self.over = exhausted or self.step >= self.total_steps
        self.stopped_early = exhausted and self.step < self.total_steps
        self._write({**measured, "best": is_best}, self.epoch, bar)
        self._save(is_best=is_best)
        if processes.any(interrupt.raised) and not self.over:
            raise KeyboardInterrupt

    def _write(self, values: dict[str, Any], epoch: int, bar: ProgressBar) -> None:
        """Metrics to all who asked for them; epoch counted from 1."""
        line = {"step": self.step, "epoch": epoch, **values, "seconds": self._seconds()}
        if self.log is not None:
            self.log.write(line)
        self.processes.track({name: float(value) for name, value in line.items() if name != "step"}, self.step)
        bar.show(values)

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    # Checkpoints: everything that must survive a restart is in the dict that `_save` makes.

    def _save(self, *, is_best: bool = False) -> None:
        processes, device = self.processes, self.processes.device
        self.watch.check()
        local = {
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "window": self.window.state_dict(),
        }
        by_process = processes.gather(local)
        self.peak_memory = max(processes.gather(max(self.peak_memory, peak_memory_mb())))
        if processes.is_main and self.log is not None:
            state = {
                "step": self.step,
                "epoch": self.epoch,
                "position": self.position,
                "over": self.over,
                "stopped_early": self.stopped_early,
                "last_bound": self.last_bound,
                "last_criterion": self.last_criterion,
                "last_metric": self.last_metric,
                "seconds": self._seconds(),
                "train_seconds": self.train_seconds,
                "train_cpu_seconds": self.train_cpu_seconds,
                "train_tokens": self.train_tokens,
                "peak_memory": self.peak_memory,
                "metrics_bytes": self.log.sync(),
                "optimizer": self.optimizer.state_dict(),
                "regularizers": self.regularizers.state_dict(),
                "learning_rate": self.learning_rate.state_dict(),
                "selection": self.selection.state_dict(),
                "guard": self.guard.state_dict(),
                "aggressive": self.aggressive.state_dict(),
                "by_process": by_process,
            }
            self.checkpoints.save(self.model, state, step=self.step, epoch=self.epoch, is_best=is_best)
        self.last_checkpoint = time.monotonic()

    def _resume(self, saved: Checkpoint) -> None:
        """Put everything back but the weights, random states last."""
        state, processes = saved.state, self.processes
        self.step, self.epoch, self.position = state["step"], state["epoch"], state["position"]
        self.over, self.stopped_early = state["over"], state["stopped_early"]
        self.last_bound, self.last_criterion = state["last_bound"], state["last_criterion"]
        self.last_metric = state["last_metric"]
        self.seconds_before, self.train_seconds = state["seconds"], state["train_seconds"]
        self.train_cpu_seconds = state["train_cpu_seconds"]
        self.train_tokens, self.peak_memory = state["train_tokens"], state["peak_memory"]
        self.metrics_bytes = state["metrics_bytes"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.learning_rate.load_state_dict(state["learning_rate"])
        self.selection.load_state_dict(state["selection"])
        self.guard.load_state_dict(state["guard"])
        self.aggressive.load_state_dict(state["aggressive"])

        now = self._environment()
        changed = [
            f"{key} {saved.environment.get(key)} -> {now[key]}" for key in now if saved.environment.get(key) != now[key]
        ]
        if changed and processes.is_main:
            warnings.warn(
                f"resuming at step {self.step} on another machine or set-up ({'; '.join(changed)}): training goes on, "
                "but its weights will differ in the last bits from those of an uninterrupted one.",
                stacklevel=2,
            )
        if len(state["by_process"]) != processes.count:
            torch.manual_seed(self.seed + 7919 * processes.index + self.step)
            return
        local = state["by_process"][processes.index]
        self.window.load_state_dict(local["window"], processes.device)
        torch.set_rng_state(local["random"])
        if processes.device.type == "cuda" and local["cuda_random"] is not None:
            torch.cuda.set_rng_state(local["cuda_random"], processes.device)

    def _environment(self) -> dict[str, Any]:
        device = self.processes.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
        return {
            "textvae": __version__,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "device": f"{device.type} {name}",
            "threads": torch.get_num_threads(),
            "processes": self.processes.count,
        }

    # The end.

    def _finish(self, card: dict[str, Any]) -> TrainResult:
        processes, selection = self.processes, self.selection
        if selection.epoch == 0 and processes.is_main:
            warnings.warn(
                f"the KL weight is final only from step {self.objective.first_final_step}, training ended at step "
                f"{self.step}; no epoch could compete, so the last model is kept; train longer or shorten it.",
                stacklevel=2,
            )
        competed = selection.epoch > 0
        bound = {
            self.validation.bound_of(self.model): selection.bound if competed else self.last_bound,
            self.validation.criterion_of(self.model): selection.criterion if competed else self.last_criterion,
        }
        finite = {name: value for name, value in bound.items() if not no_number(value)}
        if len(finite) < len(bound) and processes.is_main:
            warnings.warn(
                "the validation sentences have no finite bound under the model that is kept: training diverged; "
                f"lower train.optimizer.lr ({self.config.optimizer.lr:g}), or set train.warmup.",
                stacklevel=2,
            )
        result = TrainResult(
            steps=self.step,
            epochs=round(self.step / self.plan.steps_per_epoch, 6),
            seconds=self._seconds(),
            train_seconds=self.train_seconds,
            train_cpu_seconds=self.train_cpu_seconds,
            train_tokens=self.train_tokens,
            tokens_per_second=self.train_tokens / max(self.train_seconds, 1e-9),
            peak_memory_mb=max(self.peak_memory, peak_memory_mb()),
            parameters=sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad),
            best_epoch=selection.epoch if competed else self.epoch,
            valid_metric=selection.metric if competed else self.last_metric,
            stopped_early=self.stopped_early,
            peak_gpu_memory_mb=peak_gpu_memory_mb(processes.device),
            **finite,
        )
        if processes.is_main:
            # Model, then result, then checkpoints: whatever a crash leaves of this, the next call finishes it.
            best = self.checkpoints.best
            if best is not None:
                load_weights(self.model, best)
            self.model.eval()
            reached = {"steps": result.steps, "epoch": result.best_epoch}
            self.model.save_pretrained(self.out / MODEL_FOLDER, {**card, **reached, **finite})
            write_result(self.out, result, self.identity)
            self.checkpoints.remove()
        processes.wait()
        return result


def _vocab_size(tokenizer: Tokenizer | None) -> int:
    if tokenizer is None:
        raise ConfigError("got neither a tokenizer nor a model; give train() one of them.")
    return tokenizer.vocab_size


def _fingerprint(corpus: TokenizedCorpus) -> dict[str, int]:
    """Enough of a corpus to notice that another one took its place."""
    checksum = zlib.crc32(corpus.lengths.tobytes())
    return {"sentences": len(corpus), "crc32": zlib.crc32(corpus.labels.tobytes(), checksum)}


@contextmanager
def _memory_errors(config: TrainConfig) -> Iterator[None]:
    """Turn a lack of memory into a `MachineError` that names the setting to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        words = ("DefaultCPUAllocator", "out of memory", "can't allocate memory")
        surely = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not surely and not any(word in str(error) for word in words):
            raise
        raise MachineError(
            f"out of memory with train.batch_tokens = {config.batch_tokens}; halve it, or make the model smaller, "
            "and run again."
        ) from None
