"""Plans a run within a time budget: the size of the model, its vocabulary, and the length of each stage.

Everything follows from the file, the minutes and a `Trial`: the same three give the same recipe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textvae.pipeline.proposal import SMALL_CORPUS, Proposal, Rates, Size, Trial
from textvae.pipeline.stage import Stage

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport, ProposedTokenizer

SIZES = (Size(64, 64, 16), Size(128, 96, 24), Size(192, 128, 24), Size(256, 256, 32), Size(512, 256, 32))
"""The sizes of model that are proposed, the smallest first."""
OVERHEAD = 10.0
"""Seconds of a run outside its stages: starting Python and torch, reading models, the report."""
VALIDATED = 2000
"""Validation sentences of an epoch, at most."""
CHECKPOINT = 0.15
"""Seconds of a checkpoint at the end of an epoch."""

MANY_TEXTS = 200_000
"""Texts from which batches are larger."""
WANTED_EPOCHS, WANTED_TOKENS = 12.0, 4e6
"""A larger model is chosen where it still gets so many epochs, or trains on so many tokens."""
ENOUGH_EPOCHS, ENOUGH_TOKENS = 4.0, 1e6
"""Below both, even the smallest model has seen too little text to use z: `new` says what would do."""
ENOUGH_STEPS = 800
"""Below so many steps too: the KL is charged slowly, and a small corpus has few batches in an epoch."""
FULL = 0.93
"""Share of a batch's tokens that is text: the rest is padding and BOS."""


@dataclass(frozen=True)
class Budgeted:
    """The tables of a recipe, and what they take.

    Attributes:
        proposal: the file and the model.
        tables: of the stages, by name.
        epochs: of the training, within the budget.
        enough_minutes: the budget that would do, where this one is too short; else None.
    """

    proposal: Proposal
    tables: dict[str, dict[str, Any]]
    epochs: float
    enough_minutes: int | None


def batch_tokens(found: FileReport) -> int:
    """Tokens of a training batch."""
    if found.rows_estimate < SMALL_CORPUS:
        return 256
    return 1024 if found.rows_estimate < MANY_TEXTS else 4096


def epoch_steps(proposal: Proposal) -> float:
    """Training steps of an epoch."""
    return max(1.0, proposal.epoch_tokens / (FULL * batch_tokens(proposal.found)))


def fitting_sizes(found: FileReport, tokenizer: ProposedTokenizer) -> list[Size]:
    """The sizes that do not simply memorize such a corpus, the smallest first."""
    tokens = 0.9 * found.rows_estimate * (tokenizer.tokens_per_text + 1)
    return [size for size in SIZES if size.hidden <= 128 or tokens > 400 * size.hidden]


def affordable(found: FileReport, tokenizer: ProposedTokenizer, rates: Rates, seconds: float) -> bool:
    """Whether a model with these rates is trained well in the time, in a first estimate."""
    tokens = 0.6 * seconds * rates.train
    return _enough(tokens, found.rows_estimate * (tokenizer.tokens_per_text + 1), WANTED_EPOCHS, WANTED_TOKENS)


def fit_to_budget(
    found: FileReport, tokenizer: ProposedTokenizer, trial: Trial, minutes: float, stages: Sequence[Stage]
) -> Budgeted:
    """The largest model that is trained well within the budget, else the smallest one; with the tables of all stages.

    Args:
        found: the file.
        tokenizer: for its texts.
        trial: of this machine.
        minutes: the budget of the whole run.
        stages: those of the pipeline.
    """
    sizes = [size for size in fitting_sizes(found, tokenizer) if size.hidden in trial.rates]
    made = [_of_size(found, tokenizer, trial, size, minutes, stages) for size in sizes]
    good = [one for one in made if _well_trained(one, WANTED_EPOCHS, WANTED_TOKENS)]
    if good:
        return good[-1]
    smallest = made[0]
    if _well_trained(smallest, ENOUGH_EPOCHS, ENOUGH_TOKENS):
        return smallest
    # The least whole number of minutes that is enough: the other stages get their share of a longer budget too.
    enough = math.floor(minutes) + 1
    step = 1
    while not _well_trained(
        _of_size(found, tokenizer, trial, sizes[0], float(enough), stages), ENOUGH_EPOCHS, ENOUGH_TOKENS
    ):
        enough += step
        step = max(1, enough // 20)
    return replace(smallest, enough_minutes=enough)


def _of_size(
    found: FileReport,
    tokenizer: ProposedTokenizer,
    trial: Trial,
    size: Size,
    minutes: float,
    stages: Sequence[Stage],
) -> Budgeted:
    seconds = 60.0 * minutes
    draft = Proposal(found, tokenizer, size, trial.rates[size.hidden], trial.encode, seconds, seconds)
    tables: dict[str, dict[str, Any]] = {}
    others = OVERHEAD
    for stage in stages:
        if stage.gives_model:
            continue
        table = stage.new_table(draft)
        if table is not None:
            tables[stage.name] = table
            others += stage.seconds(draft, table)
    # A budget that the other stages nearly use up still gives most of its time to training.
    training = max(seconds - others, 0.5 * seconds)
    proposal = replace(draft, training_seconds=training)
    for stage in stages:
        if stage.gives_model and (table := stage.new_table(proposal)) is not None:
            tables[stage.name] = table
    return Budgeted(proposal, tables, epochs_of(proposal), None)


def epoch_seconds(proposal: Proposal) -> float:
    """Seconds of an epoch: its steps, validation, and the collapse guard."""
    rates = proposal.rates
    validated = min(proposal.shares["valid"] * proposal.texts, VALIDATED)
    guarded = min(validated, 500)
    steps = proposal.epoch_tokens / rates.train
    checks = proposal.text_tokens * (validated + 3 * guarded) / rates.read
    return steps + checks + CHECKPOINT


def epochs_of(proposal: Proposal) -> float:
    """Epochs that fit into the time of the training."""
    return proposal.training_seconds / epoch_seconds(proposal)


def _well_trained(made: Budgeted, epochs: float, tokens: float) -> bool:
    return made.epochs * epoch_steps(made.proposal) >= ENOUGH_STEPS and _enough(
        made.epochs * made.proposal.epoch_tokens, made.proposal.epoch_tokens, epochs, tokens
    )


def _enough(tokens: float, epoch_tokens: float, epochs: float, wanted: float) -> bool:
    return tokens >= min(epochs * epoch_tokens, wanted)
