"""The collapse guard: measures after each epoch whether z is used, and names a remedy if it is not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from textvae.evaluation.information import active_units, information
from textvae.evaluation.protocol import Corpus
from textvae.evaluation.reconstruction import permuted_codes
from textvae.evaluation.verdict import MIN_INFORMATION, Verdict, verdict_of
from textvae.models import TextModel
from textvae.models.support import kl_has_dimensions
from textvae.training.callback import Callback
from textvae.training.config import TrainConfig
from textvae.training.processes import Processes
from textvae.training.state import Progress

_SAMPLE_SEED = 20_190_106
"""Seed of the choice of sentences and of their noise: the same after every epoch, so that epochs can be compared."""

PATIENCE = 2
"""Epochs in a row, at the final KL weight, in which z must be found unused before a warning."""


class CollapseWarning(UserWarning):
    """z is not used, or no longer used."""


class CollapseGuard:
    """Measures raw KL, mutual information, active units, and the rise of the NLL when z is permuted, after each epoch.

    All epochs are measured on the same sentences with the same noise. The guard warns when z is no longer used, and
    when z has not come into use: once each time, with a remedy that the settings do not have yet, and only when that
    is sure. It is not sure while the KL weight still changes, nor in the first half of a training whose codes are
    informative (a large KL) and whose decoder has only to learn to read them: healthy trainings begin like that. The
    estimate of mutual information is at most the log of the number of sentences. This cap is far above the 1 nat by
    which collapse is judged, but a model whose KL is well above the cap reaches it. Two estimates near `guard_mi_cap`
    show that z is used, but not which of the two models uses it more.

    Args:
        corpus: the validation sentences.
        sentences: how many of them are measured.
        batch_tokens: budget of a batch.
    """

    def __init__(self, corpus: Corpus, sentences: int, batch_tokens: int) -> None:
        self.corpus = corpus
        everything = np.random.default_rng(_SAMPLE_SEED).permutation(len(corpus))
        self.indices = np.sort(everything[:sentences])
        self.batch_tokens = batch_tokens
        self.used = self.warned = False
        self.unused_epochs = 0

    def measure(self, model: TextModel) -> dict[str, float]:
        """Measure a model; its mode and the random state are restored.

        Returns:
            guard_kl, guard_mi, its cap guard_mi_cap and guard_permuted_rise in nats, and guard_active_units; those
            that are unknown for the model's posterior are absent.
        """
        where: dict[str, Any] = {"batch_tokens": self.batch_tokens, "seed": _SAMPLE_SEED}
        known = information(model, self.corpus, self.indices, **where)
        found: dict[str, float] = {}
        if known.mi is not None and known.marginal_kl is not None:
            # The identity KL = MI + KL(q(z) || p(z)) holds for these estimates, term by term.
            found |= {"guard_kl": known.mi + known.marginal_kl, "guard_mi": known.mi}
            found["guard_mi_cap"] = known.mi_cap
        # A posterior whose mean is fixed has no active units, whether or not z is used.
        if known.means_ND is not None and not model.config.fixed_mean:
            varying = active_units(known.means_ND, known.unit_variance)
            found["guard_active_units"] = float(varying)
        permuted = permuted_codes(model, self.corpus, self.indices, known.codes_ND, **where)
        if permuted is not None:
            found["guard_permuted_rise"] = permuted.rise
        return found

    def judge(self, latent_dim: int, measured: dict[str, float]) -> Verdict:
        """The verdict on these numbers, by the rule of the evaluation."""
        units, cap = measured.get("guard_active_units"), measured.get("guard_mi_cap")
        return verdict_of(
            latent_dim=latent_dim,
            mi=measured.get("guard_mi"),
            mi_sentences=None if cap is None else round(math.exp(cap)),
            active_units=None if units is None else int(units),
            permuted_rise=measured.get("guard_permuted_rise"),
        )

    def observe(
        self, config: TrainConfig, latent_dim: int, measured: dict[str, float], epoch: int, *, final: bool, done: float
    ) -> str | None:
        """Judge an epoch's numbers.

        Args:
            config: of the training, for the remedy.
            latent_dim: D.
            measured: from `measure`.
            epoch: counted from 1.
            final: whether the KL weight is the one that stays.
            done: share of the training that is over, 0 to 1.

        Returns:
            The text of a warning; None while z is used, while that is not sure, or where the warning was already given.
        """
        verdict = self.judge(latent_dim, measured)
        if not verdict.collapsed:
            self.used, self.warned, self.unused_epochs = True, False, 0
            return None
        if not final or self.warned:
            return None
        self.unused_epochs += 1
        if self.unused_epochs < PATIENCE or not (self.used or _tell_nothing(measured) or done >= 0.5):
            return None
        began = "z is no longer used" if self.used else "z has not come into use"
        self.used, self.warned = False, True
        kl = f"KL {measured['guard_kl']:.2f} nats. " if math.isfinite(measured.get("guard_kl", math.nan)) else ""
        return f"{began} at the end of epoch {epoch}: {kl}{verdict.sentence} {remedy(config, measured)}"

    def state_dict(self) -> dict[str, Any]:
        return {"used": self.used, "warned": self.warned, "unused_epochs": self.unused_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.used, self.warned = state["used"], state["warned"]
        # Checkpoints of version 0.1.0 do not count epochs.
        self.unused_epochs = state.get("unused_epochs", 0)


def _tell_nothing(measured: dict[str, float]) -> bool:
    """Whether codes carry less than a nat: then the posterior is the prior, and does not leave it again."""
    known = [measured[name] for name in ("guard_kl", "guard_mi") if name in measured]
    return bool(known) and min(known) < MIN_INFORMATION


class CollapseCheck(Callback):
    """Runs the guard after each epoch and issues its warnings.

    Args:
        guard: its state is saved. With fewer than two sentences nothing is measured.
        model: a model without a code is not measured.
        config: of the training, for the remedy.
        progress: has the epoch and the step.
        first_final_step: the first step from which the KL weight no longer changes.
        total_steps: of the training.
        processes: all of them measure, and the main one's numbers count; it alone warns.
    """

    def __init__(
        self,
        guard: CollapseGuard,
        model: TextModel,
        config: TrainConfig,
        *,
        progress: Progress,
        first_final_step: int,
        total_steps: int,
        processes: Processes,
    ) -> None:
        self.guard, self.model, self.config = guard, model, config
        self.first_final_step, self.total_steps = first_final_step, total_steps
        self.progress, self.processes = progress, processes

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        if not self.model.has_code or len(self.guard.indices) < 2:
            return
        # On accelerators a number may differ in its last digits, and processes must not disagree on what to do next.
        measured = self.processes.gather(self.guard.measure(self.model))[0]
        numbers.update(measured)
        message = self.guard.observe(
            self.config,
            self.model.latent_dim,
            measured,
            self.progress.epoch + 1,
            final=self.progress.step >= self.first_final_step,
            done=self.progress.step / self.total_steps,
        )
        if message is not None and self.processes.is_main:
            warnings.warn(message, CollapseWarning, stacklevel=2)


def remedy(config: TrainConfig, measured: dict[str, float]) -> str:
    """The first remedy of docs/choosing.md that the settings do not have yet, as a sentence.

    >>> remedy(TrainConfig(), {})
    'Try train.objective.free_bits = { kind = "batch_mean", nats = 6.0 }.'
    """
    for missing, cure in _remedies(config, measured):
        if missing:
            return f"Try {cure}."
    if config.objective.kl_allowance is None:
        return "The remedies of docs/choosing.md that fit are in place already; try more epochs, or a smaller decoder."
    return (
        "The first remedies of docs/choosing.md are in place already; raise train.objective.free_bits.nats, use a "
        "smaller decoder, or try another remedy of its table."
    )


def _remedies(config: TrainConfig, measured: dict[str, float]) -> Iterator[tuple[bool, str]]:
    objective, model = config.objective, config.model
    encoder, posterior, prior = model.encoder_settings, model.posterior_settings, model.prior_settings
    if measured.get("guard_kl", 0.0) > 1.0 and measured.get("guard_permuted_rise", math.inf) < 1.0:
        # The codes are informative and the decoder does not use them: more KL would not help.
        yield (
            not model.decoder_settings.hides_words,
            "train.model.decoder.word_dropout = 0.3, so that the decoder needs z",
        )
    by_dimension = posterior is not None and prior is not None and kl_has_dimensions(posterior, prior)
    kind = "batch_mean" if by_dimension else "rate"
    yield (
        objective.takes_allowance and objective.kl_allowance is None,
        f'train.objective.free_bits = {{ kind = "{kind}", nats = 6.0 }}',
    )
    yield encoder is not None and encoder.reads_last_state, 'train.model.encoder.pooling = "max"'
    weight = objective.weights.get("kl_weight")
    yield (
        weight is not None and not weight.varies,
        'train.objective.kl_weight = { kind = "linear", start = 0.1, end = 0.4 }',
    )
    yield not model.decoder_settings.hides_words, "train.model.decoder.word_dropout = 0.3"
