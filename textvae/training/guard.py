"""The collapse guard: is z still used, and what could be done if it is not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from textvae.evaluation.information import active_units, information
from textvae.evaluation.protocol import Corpus
from textvae.evaluation.reconstruction import permuted_codes
from textvae.evaluation.verdict import Verdict, judge
from textvae.models import TextModel
from textvae.models.support import kl_has_dimensions
from textvae.training.callback import Callback
from textvae.training.config import TrainConfig
from textvae.training.processes import Processes
from textvae.training.state import Progress

_SAMPLE_SEED = 20_190_106
"""Of the sentences drawn and of their noise: the same at every look, so that looks can be compared."""

PATIENCE = 2
"""Epochs a model may take before it uses z for the first time."""


class CollapseWarning(UserWarning):
    """z is not used, or no longer."""


class CollapseGuard:
    """After each epoch: raw KL, mutual information, active units, and the price of a permuted z.

    All on the same sentences with the same noise. It speaks when z stops being used, and when it has not come into use
    after `PATIENCE` epochs; once each time, with a remedy the training does not have yet. Mutual information is capped
    at the log of the number of sentences: far above the nat by which collapse is judged, and yet reached by any model
    whose KL is well above it. Two numbers near `guard_mi_cap` say that z is used, and not which of them uses it more.

    Args:
        corpus: the validation sentences.
        sentences: how many of them to look at.
        batch_tokens: budget of a batch.
    """

    def __init__(self, corpus: Corpus, sentences: int, batch_tokens: int) -> None:
        self.corpus = corpus
        everything = np.random.default_rng(_SAMPLE_SEED).permutation(len(corpus))
        self.indices = np.sort(everything[:sentences])
        self.batch_tokens = batch_tokens
        self.used = self.warned = False

    def measure(self, model: TextModel) -> dict[str, float]:
        """Look at a model; its mode and the random state stay as they were.

        Returns:
            guard_kl, guard_mi, its cap guard_mi_cap and guard_permuted_rise in nats, and guard_active_units; what a
            model cannot tell is absent.
        """
        where: dict[str, Any] = {"batch_tokens": self.batch_tokens, "seed": _SAMPLE_SEED}
        known = information(model, self.corpus, self.indices, **where)
        found: dict[str, float] = {}
        if known.mi is not None and known.marginal_kl is not None:
            # The identity KL = MI + KL(q(z) || p(z)) holds for these estimates, term by term.
            found |= {"guard_kl": known.mi + known.marginal_kl, "guard_mi": known.mi}
            found["guard_mi_cap"] = known.mi_cap
        # Where means cannot vary, no unit is active and none need be.
        if known.means_ND is not None and not model.config.fixed_mean:
            varying = active_units(known.means_ND, known.unit_variance)
            found["guard_active_units"] = float(varying)
        permuted = permuted_codes(model, self.corpus, self.indices, known.codes_ND, **where)
        if permuted is not None:
            found["guard_permuted_rise"] = permuted.rise
        return found

    def judge(self, latent_dim: int, measured: dict[str, float]) -> Verdict:
        """The verdict of the evaluation on these numbers."""
        units = measured.get("guard_active_units")
        return judge(
            latent_dim=latent_dim,
            mi=measured.get("guard_mi"),
            active_units=None if units is None else int(units),
            permuted_rise=measured.get("guard_permuted_rise"),
        )

    def observe(self, config: TrainConfig, latent_dim: int, measured: dict[str, float], epoch: int) -> str | None:
        """Tell the guard an epoch's numbers.

        Args:
            config: of the training, for the remedy.
            latent_dim: D.
            measured: from `measure`.
            epoch: counted from 1.

        Returns:
            What to warn of; None while all is well, or after it was said once.
        """
        verdict = self.judge(latent_dim, measured)
        if not verdict.collapsed:
            self.used, self.warned = True, False
            return None
        if self.warned or not (self.used or epoch >= PATIENCE):
            return None
        began = "z is no longer used" if self.used else "z has not come into use"
        self.used, self.warned = False, True
        kl = f"KL {measured['guard_kl']:.2f} nats. " if math.isfinite(measured.get("guard_kl", math.nan)) else ""
        return f"{began} at the end of epoch {epoch}: {kl}{verdict.sentence} {remedy(config, measured)}"

    def state_dict(self) -> dict[str, bool]:
        return {"used": self.used, "warned": self.warned}

    def load_state_dict(self, state: dict[str, bool]) -> None:
        self.used, self.warned = state["used"], state["warned"]


class CollapseCheck(Callback):
    """Lets the guard look at the model after each epoch, and warns of what it says.

    Args:
        guard: its state is saved. It does not look at a single sentence.
        model: one without a code is not looked at.
        config: of the training, for the remedy.
        progress: tells the epoch.
        processes: all of them look, and the main one's numbers count; it alone warns.
    """

    def __init__(
        self, guard: CollapseGuard, model: TextModel, config: TrainConfig, *, progress: Progress, processes: Processes
    ) -> None:
        self.guard, self.model, self.config = guard, model, config
        self.progress, self.processes = progress, processes

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        if not self.model.has_code or len(self.guard.indices) < 2:
            return
        # On accelerators a number may differ in its last digits, and processes must not disagree on what to do next.
        measured = self.processes.gather(self.guard.measure(self.model))[0]
        numbers.update(measured)
        message = self.guard.observe(self.config, self.model.latent_dim, measured, self.progress.epoch + 1)
        if message is not None and self.processes.is_main:
            warnings.warn(message, CollapseWarning, stacklevel=2)


def remedy(config: TrainConfig, measured: dict[str, float]) -> str:
    """The first remedy, in the order of docs/choosing.md, that a training does not have yet.

    >>> remedy(TrainConfig(), {})
    'Try train.objective.free_bits = { kind = "batch_mean", nats = 6.0 }.'
    """
    for missing, cure in _remedies(config, measured):
        if missing:
            return f"Try {cure}."
    if config.objective.kl_allowance is None:
        return "The remedies of docs/choosing.md that fit are in place already; try more epochs, or a smaller decoder."
    return (
        "The first remedies of docs/choosing.md are in place already; raise train.objective.free_bits.nats, take a "
        "smaller decoder, or try another of its table."
    )


def _remedies(config: TrainConfig, measured: dict[str, float]) -> Iterator[tuple[bool, str]]:
    objective, model = config.objective, config.model
    encoder, posterior, prior = model.encoder_settings, model.posterior_settings, model.prior_settings
    if measured.get("guard_kl", 0.0) > 1.0 and measured.get("guard_permuted_rise", math.inf) < 1.0:
        # The encoder says something and the decoder does not listen: more KL would not help.
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
        weight is not None and weight.kind == "constant",
        'train.objective.kl_weight = { kind = "linear", start = 0.1, end = 0.4 }',
    )
    yield not model.decoder_settings.hides_words, "train.model.decoder.word_dropout = 0.3"
