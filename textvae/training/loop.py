"""The training loop: builds its parts, runs steps, and validates, selects and saves after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from textvae.interrupt import Interrupt
from textvae.models import TextModel
from textvae.regularizers import Regularizer
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.aggressive import AggressiveRule, AggressiveUpdates
from textvae.training.callback import Callback
from textvae.training.checkpoint import Checkpoints
from textvae.training.clock import Clock
from textvae.training.code_memory import CodeMemory
from textvae.training.config import TrainConfig
from textvae.training.finish import keep_best, result_of
from textvae.training.folder import CHECKPOINT_FOLDER
from textvae.training.fresh_decoder import FreshDecoder
from textvae.training.guard import CollapseCheck, CollapseGuard
from textvae.training.identity import environment_of, warn_of_changes
from textvae.training.learning_rate import LearningRate
from textvae.training.loss import Regularizers, TrainingLoss
from textvae.training.metrics import METRICS_FILE, MetricsLog, Window
from textvae.training.plan import TrainingPlan
from textvae.training.processes import Processes
from textvae.training.progress import ProgressBar
from textvae.training.reporter import Reporter
from textvae.training.result import TrainResult
from textvae.training.saver import Saver
from textvae.training.selection import Selection
from textvae.training.state import Progress, TrainState
from textvae.training.step import StepResult, TrainStep
from textvae.training.validation import Validation, ValidationInterrupted


class TrainingLoop:
    """Trains a model from the first step, or from the last checkpoint.

    Args:
        config: of the training.
        plan: its steps.
        model: the model, with its initial weights.
        build_model: builds a model of the same settings with fresh weights.
        train_corpus: the training sentences.
        valid_corpus: the validation sentences, by which the best epoch is selected.
        out: the training's folder.
        identity: settings, seed and data of the training.
        seed: of noise and draws. Torch's random state must be that of the seed, alike in all processes.
        processes: of the training.
        started: `time.perf_counter()` at the start or resumption of the training in this process.
        regularizer: further penalties from the caller.
        validation_metric: of the caller, see `train`.
        show_progress: whether a progress bar is drawn on a terminal.
    """

    def __init__(
        self,
        config: TrainConfig,
        plan: TrainingPlan,
        model: TextModel,
        build_model: Callable[[], TextModel],
        train_corpus: TokenizedCorpus,
        valid_corpus: TokenizedCorpus,
        out: Path,
        *,
        identity: dict[str, Any],
        seed: int,
        processes: Processes,
        started: float,
        regularizer: Regularizer | None,
        validation_metric: Callable[[TextModel], float] | None,
        show_progress: bool,
    ) -> None:
        self.config, self.plan, self.model, self.processes = config, plan, model, processes
        self.out, self.identity = out, identity
        self.progress, self.window, self.interrupt = Progress(), Window(), Interrupt()
        self.clock = Clock(self.progress, self.window, started)

        # -- Checkpoints. CodeMemory comes first: it sets the length of the memory, one of the weights' shapes.
        memory = CodeMemory(model, train_corpus, batch_tokens=config.batch_tokens, seed=seed, processes=processes)
        weights = {name: list(value.shape) for name, value in model.state_dict().items()}
        environment = environment_of(processes)
        self.checkpoints = Checkpoints(out / CHECKPOINT_FOLDER, {**identity, "weights": weights}, environment)

        # -- The step. Weights are loaded first, because wrappers copy them to other processes.
        regularizers = Regularizers(
            config.regularizers,
            model,
            regularizer,
            steps_per_epoch=plan.steps_per_epoch,
            total_steps=plan.total_steps,
        )
        saved = self.checkpoints.latest()
        if saved is not None:
            saved.load_weights(model)
        self.objective = config.objective.build(steps_per_epoch=plan.steps_per_epoch, total_steps=plan.total_steps)
        self.learning_rate = LearningRate(
            config.optimizer.lr,
            warmup=config.warmup,
            decay=config.decay,
            total_steps=plan.total_steps,
            restart=plan.fresh_step,
        )
        loss = TrainingLoss(
            model,
            self.objective,
            regularizers,
            config.compile,
            processes.sum_dtype,
            config.objective_weight.build(steps_per_epoch=plan.steps_per_epoch, total_steps=plan.total_steps),
            any(one.reads_terms for one in config.regularizers),
        )
        self.train_step = TrainStep(
            loss,
            train_corpus,
            config.optimizer,
            self.learning_rate,
            clip_norm=config.clip_norm,
            processes=processes,
        )
        # From here on each process has its own noise, for its own sentences.
        torch.manual_seed(seed + 7919 * processes.index)

        # -- Callbacks. Their order matters: codes are stored before validation uses them, and the guard measures what
        # AggressiveUpdates judges by.
        guard = CollapseGuard(valid_corpus, min(config.guard_sentences, len(valid_corpus)), plan.valid_batch_tokens)
        aggressive = AggressiveRule(config.encoder_updates)
        self.validation = Validation(
            valid_corpus,
            model,
            self.objective,
            plan=plan,
            progress=self.progress,
            limit=config.valid_sentences,
            seed=seed,
            processes=processes,
            metric=validation_metric,
            interrupted=lambda: processes.count == 1 and self.interrupt.raised,
        )
        self.callbacks: list[Callback] = [
            FreshDecoder(
                model,
                build_model,
                self.train_step.optimizer,
                at_step=plan.fresh_step,
                progress=self.progress,
                seed=seed,
            ),
            memory,
            self.validation,
            CollapseCheck(
                guard,
                model,
                config,
                progress=self.progress,
                first_final_step=max(self.objective.first_final_step, plan.fresh_step),
                total_steps=plan.total_steps,
                processes=processes,
            ),
            AggressiveUpdates(
                aggressive,
                self.train_step,
                progress=self.progress,
                first_final_step=self.objective.first_final_step,
                seed=seed,
            ),
        ]
        self.selection = Selection(config.early_stopping, last=config.keep == "last")

        # -- Resume, if there is a checkpoint.
        state = TrainState(
            self.progress,
            {
                "optimizer": self.train_step.optimizer,
                "regularizers": regularizers,
                "learning_rate": self.learning_rate,
                "selection": self.selection,
                "guard": guard,
                "aggressive": aggressive,
            },
            self.window,
            processes,
            seed,
        )
        if saved is not None:
            state.load_state_dict(saved.state)
            if processes.is_main:
                warn_of_changes(saved.environment, environment, self.progress.step)
        else:
            memory.fill()

        # -- Logging and saving.
        if processes.is_main:
            self.checkpoints.clean()
        log = MetricsLog(out / METRICS_FILE, self.progress.metrics_bytes) if processes.is_main else None
        self.bar = ProgressBar(
            plan.total_steps, self.progress.step, config.epochs, enabled=show_progress and processes.is_main
        )
        self.reporter = Reporter(log, self.bar, progress=self.progress, clock=self.clock, processes=processes)
        self.saver = Saver(
            self.checkpoints,
            model,
            state,
            log=log,
            clock=self.clock,
            divergence=self.train_step.divergence,
            minutes=config.checkpoint_minutes,
        )

    def run(self, card: dict[str, Any]) -> TrainResult:
        """Train to the end, and write the best model.

        Args:
            card: entries of the model card.
        """
        try:
            with self.bar, self.interrupt:
                while not self.progress.over:
                    self._train_epoch()
                    self._close_epoch()
        finally:
            self.reporter.close()

        self.clock.read()
        result = result_of(
            self.progress,
            self.selection,
            self.validation,
            plan=self.plan,
            processes=self.processes,
            lr=self.config.optimizer.lr,
        )
        if self.processes.is_main:
            keep_best(self.model, result, self.checkpoints, self.out, identity=self.identity, card=card)
        self.processes.wait()
        return result

    def _train_epoch(self) -> None:
        """Run the remaining steps of the epoch."""
        progress, plan = self.progress, self.plan
        batches = plan.batches.epoch(progress.epoch)
        self.model.train()
        self.clock.start_steps()
        while progress.position < len(batches) and progress.step < plan.total_steps:
            # -- Update.
            indices = batches[progress.position]
            for callback in self.callbacks:
                callback.before_step(batches)
            done = self.train_step(indices, progress.step)
            for callback in self.callbacks:
                callback.after_step(indices)

            # -- Count. Nothing waits for the device here. The time of a single step is therefore exact on a CPU only;
            # that of all steps between two log lines is exact on every device.
            progress.step += 1
            progress.position += 1
            progress.train_tokens += done.tokens
            self.window.add(done)
            self.clock.count_steps()
            self.reporter.advance()

            # -- Log and save. Several processes must agree whether to save, which needs communication; they
            # communicate only at log lines, where they do so anyway.
            logs = progress.step % self.config.log_every == 0 or progress.step == plan.total_steps
            if logs:
                self._log(done)
            if logs or self.processes.count == 1:
                self._save_if_due()
        if self.processes.device.type == "cuda":
            torch.cuda.synchronize(self.processes.device)
        self.clock.count_steps()

    def _close_epoch(self) -> None:
        """Validate, select, save."""
        progress = self.progress
        numbers = self._validate()
        progress.epoch += 1
        progress.position = 0
        progress.last_bound = numbers[self.validation.bound_name]
        progress.last_criterion = numbers[self.validation.criterion_name]
        progress.last_metric = numbers.get("valid_metric")

        is_best, exhausted = self._select()
        progress.over = exhausted or progress.step >= self.plan.total_steps
        progress.stopped_early = exhausted and progress.step < self.plan.total_steps
        self.reporter.write({**numbers, "best": is_best}, epoch=progress.epoch)
        self.saver.save(is_best=is_best)
        if self.processes.any(self.interrupt.raised) and not progress.over:
            raise KeyboardInterrupt

    def _validate(self) -> dict[str, int | float]:
        """Metrics of the epoch, from all callbacks."""
        self.train_step.divergence.check()
        numbers: dict[str, int | float] = {}
        try:
            for callback in self.callbacks:
                callback.after_epoch(numbers)
        except ValidationInterrupted:
            self.saver.save()
            raise KeyboardInterrupt from None
        return numbers

    def _select(self) -> tuple[bool, bool]:
        """Whether the epoch just closed is the best so far, and whether patience ends the training.

        No epoch is selected before the KL weight is final, or before a fresh decoder has made a step.
        """
        progress = self.progress
        if progress.step < max(self.objective.first_final_step, self.plan.fresh_step + 1):
            return False, False
        is_best = self.selection.update(
            epoch=progress.epoch,
            step=progress.step,
            bound=progress.last_bound,
            criterion=progress.last_criterion,
            metric=progress.last_metric,
        )
        exhausted = self.learning_rate.judge(progress.last_criterion, progress.epoch - 1) or self.selection.exhausted
        return is_best, exhausted

    def _log(self, done: StepResult) -> None:
        """Log the means since the last log line: the only place where the host waits for the device."""
        self.train_step.divergence.check()
        numbers = self.window.means(self.processes.sum)
        self.clock.count_steps()
        numbers["tokens_per_second"] = self.window.tokens / max(self.window.seconds, 1e-9)
        self.window.clear()
        if "kl" in numbers:  # where q has no density there is no KL, so no KL weight either
            numbers["kl_weight"] = done.kl_weight
        self.reporter.write({**numbers, "lr": done.learning_rate}, epoch=self.progress.epoch + 1)

    def _save_if_due(self) -> None:
        """Save if the last checkpoint is old, or if Ctrl-C was pressed; then raise KeyboardInterrupt."""
        due, interrupted = self.saver.due, self.processes.any(self.interrupt.raised)
        if due or interrupted:
            self.saver.save()
            self.clock.start_steps()
        if interrupted:
            raise KeyboardInterrupt
