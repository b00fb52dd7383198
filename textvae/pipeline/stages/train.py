"""The stage `train`: trains the model, and resumes an interrupted training from its last checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textvae.config import Config
from textvae.errors import ModelError
from textvae.pipeline.manifest import read_manifest
from textvae.pipeline.metric import Metric
from textvae.pipeline.model_card import model_card
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.section import Section
from textvae.pipeline.sources import source_model
from textvae.pipeline.stage import Stage, Work

if TYPE_CHECKING:
    from textvae.training import TrainConfig, TrainResult

ONLY_OF_CODES = ("encoder_updates", "fresh_decoder", "regularizers")
"""Settings that apply only to a model with a code z: remedies against collapse. The baseline has none of them."""

MAX_EPOCHS = 2000
"""Epochs in a recipe of `textvae new`, at most; early stopping ends the training of a small corpus before."""
FEW_EPOCHS = 10
"""Epochs below which `textvae new` also gives the number of steps."""
ANNEALED_EPOCHS, ANNEALED_STEPS = 16.0, 800.0
"""The KL has its full weight, in a recipe of `textvae new`, after the longer of the two, or half of the training."""
PATIENCE, PATIENT_STEPS = 4, 100.0
"""Epochs without a better one after which the training ends, in a recipe of `textvae new`; as many steps at least."""
SMALL_TOKENS, DROPOUT = 500_000, 0.3
"""Training tokens below which a model of `textvae new` has dropout, and its rate."""

METRICS = (
    Metric("tokens_per_second", "Training speed", "tokens per second",
           "predicted tokens, in the time of training steps alone", 0, cost=True,
           definition="predicted tokens (EOS counted; BOS and padding not), in the time of training steps alone"),
    Metric("train_tokens", "Tokens trained on", "tokens", "predicted tokens in all epochs", 0, cost=True),
    Metric("parameters", "Parameters", "", "trainable weights of the model, tied ones counted once", 0,
           cost=True),
    Metric("peak_memory_mb", "Peak memory of training", "MiB", "maximum resident set of the process", 0, cost=True,
           definition="the process's maximum resident set"),
    Metric("peak_gpu_memory_mb", "Peak memory on the accelerator", "MiB", "peak memory of tensors", 0, shown=False,
           definition="most memory that tensors held on the accelerator"),
    Metric("train_seconds", "Time of training steps", "seconds", "validation and checkpoints left out", 1, shown=False,
           definition="time of the training steps alone, validation and checkpoints left out"),
    Metric("train_cpu_seconds", "Processor time of training steps", "seconds",
           "of the main process, over all its threads", 1, shown=False,
           definition="processor time of the main process in these steps, over all its threads"),
    Metric("valid_elbo_nll", "Validation bound", "nats per sentence",
           "of the epoch kept, at KL weight 1", shown=False,
           definition="minus the ELBO at KL weight 1 on the validation sentences, of the epoch kept"),
    Metric("valid_proxy_elbo_nll", "Validation bound of proxy", "nats per sentence",
           "by the Gaussian with the same moments as q", shown=False,
           definition="in place of `valid_elbo_nll` where q(z|x) has no density: minus the bound, at weight 1, of the "
           "diagonal Gaussian with each sentence's moments under q; an upper bound on the negative log-likelihood, "
           "though not q's"),
    Metric("valid_nll", "Validation NLL given z", "nats per sentence",
           "reconstruction of the validation sentences", shown=False,
           definition="-E_q log p(x|z) on the validation sentences; the best epoch is chosen by it with the objective "
           "`unregularized`, and only then it is a result of training"),
    Metric("valid_loss", "Validation loss", "nats per sentence", "the objective on the validation sentences",
           shown=False,
           definition="the objective `info_vae` on the validation sentences, at the weight of that step: NLL given z, "
           "its share of the KL, and the discrepancy of each batch; the best epoch is chosen by it. Not a bound"),
    Metric("valid_metric", "Validation metric", "as the metric's", "by which the epoch kept was chosen", shown=False,
           definition="of the epoch kept, where the best epoch was chosen by a metric that the caller gave"),
)  # fmt: skip

CURVES = """
{% if pictures.curves is defined %}
<section>
<h2>Training</h2>
{{ picture(pictures.curves, "Curves by training step: loss and validation bound, KL and its penalty, weight of the KL", wide=true) }}
{% if results.valid_proxy_elbo_nll is defined %}
<p class="note">This posterior has no density, so there is no KL, and the loss is not a bound: the entropy of the codes is missing. The best epoch is chosen by the validation bound of a proxy, the Gaussian with the same moments.</p>
{% elif results.valid_nll is defined %}
<p class="note">The loss is the reconstruction alone, so it is not a bound; the raw KL is measured, but it is not part of the loss. The best epoch is chosen by the reconstruction of validation sentences.</p>
{% elif results.valid_loss is defined %}
<p class="note">The solid line is the raw KL; the dashed line is the penalty in the loss, which includes the discrepancy between codes and prior. The loss is not a bound. The best epoch is chosen by this loss on validation sentences.</p>
{% else %}
<p class="note">The solid line is the raw KL; the dashed line is the penalty in the loss. While the KL weight is below 1 the loss is not a bound, so the best epoch is chosen by the validation bound at weight 1.</p>
{% endif %}
<p class="note">Thin lines are means of a few batches, whose sentences mostly have similar lengths; thick lines are means of epochs.</p>
</section>
{% endif %}
"""  # noqa: E501
"""The curves of the training, and the criterion by which the best epoch was chosen."""


_COMPARED = {
    "valid_elbo_nll": "Validation bound, nats per sentence, by step",
    "valid_kl": "Validation KL, nats per sentence, by step",
}
"""Numbers of a validation whose curves are compared with those of other runs."""


class TrainStage(Stage):
    """Output: `model/` and `metrics.jsonl`."""

    name: ClassVar[str] = "train"
    title: ClassVar[str] = "Training"
    needs: ClassVar[tuple[str, ...]] = ("tokenize",)
    resumes: ClassVar[bool] = True
    all_processes: ClassVar[bool] = True
    gives_model: ClassVar[bool] = True
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = ("steps", "epochs", "best_epoch", "stopped_early")
    sections: ClassVar[Sequence[Section]] = (Section(CURVES, rank=10),)

    def files(self) -> tuple[str, ...]:
        from textvae.training.folder import FILES

        return FILES

    def config_type(self) -> type[Config]:
        from textvae.training import TrainConfig

        return TrainConfig

    def starts_from(self, config: Mapping[str, Any]) -> str | None:
        return (config.get("start_from") or {}).get("run")

    def asks_for_baseline(self, table: Mapping[str, Any]) -> bool:
        model = table.get("model")
        return isinstance(model, Mapping) and model.get("kind") == "language_model"

    def baseline_table(self, table: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {part: value for part, value in table.items() if part in asked or part not in ONLY_OF_CODES}
        model = table.get("model")
        if isinstance(model, Mapping):
            kept["model"] = {part: value for part, value in model.items() if part in ("kind", "decoder")}
        return kept

    def new_table(self, proposal: Proposal) -> dict[str, Any]:
        from textvae.pipeline.budget import VALIDATED, batch_tokens, epoch_steps, epochs_of

        epochs, steps = epochs_of(proposal), epoch_steps(proposal)
        table: dict[str, Any] = {"epochs": max(1, min(MAX_EPOCHS, round(epochs)))}
        if epochs < FEW_EPOCHS:
            # A whole number of epochs would miss the budget by too much.
            table |= {"epochs": math.ceil(epochs), "max_steps": max(1, round(epochs * steps))}
        # The KL is charged from an eighth of the training on, and in full after half of it; in a long training of a
        # small corpus sooner, so that early stopping, which waits for the full weight, ends it when it has learned.
        end = min(0.5, max(ANNEALED_EPOCHS, ANNEALED_STEPS / steps) / table["epochs"])
        return {
            **table,
            "batch_tokens": batch_tokens(proposal.found),
            "valid_sentences": VALIDATED,
            "early_stopping": max(PATIENCE, math.ceil(PATIENT_STEPS / steps)),
            "optimizer": {"kind": "adam", "lr": 2e-3},
            "objective": {
                "kind": "elbo",
                "kl_weight": {"kind": "linear", "start": round(end / 4, 4), "end": round(end, 4)},
                "free_bits": {"kind": "batch_mean", "nats": float(max(4, proposal.size.latent // 3))},
            },
            "model": proposal.size.model(DROPOUT if proposal.epoch_tokens < SMALL_TOKENS else 0.0),
        }

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        return proposal.training_seconds

    def details(self, folder: Path) -> dict[str, Any]:
        """`curves`: the lines of `metrics.jsonl`, up to the first that cannot be read."""
        curves: list[dict[str, Any]] = []
        try:
            for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
                curves.append(json.loads(line))
        except (OSError, ValueError):
            pass
        return {"curves": curves}

    def series(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {title: [] for title in _COMPARED.values()}
        for row in details.get("curves", ()):
            for name, title in _COMPARED.items():
                if name in row and "step" in row:
                    found[title].append((float(row["step"]), float(row[name])))
        return {title: points for title, points in found.items() if points}

    def pictures(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, str]:
        from textvae.pipeline.report import plots

        curves = details.get("curves")
        return {"curves": plots.training_curves(curves, tuple(results))} if curves else {}

    def run(self, work: Work) -> dict[str, Any]:
        return train_on_splits(work, work.config).to_dict()


def train_on_splits(work: Work, config: TrainConfig) -> TrainResult:
    """Train a model on the tokenized splits, into the folder of the stage.

    Args:
        work: of a stage that needs the stage `tokenize`.
        config: of the training.

    Raises:
        ModelError: the tokenized splits are damaged.
    """
    from textvae.text.tokenized import TokenizedCorpus
    from textvae.text.tokenizers import load_tokenizer
    from textvae.training import train

    source, beside = work.inputs["tokenize"], work.folder.parent.parent
    tokenized = read_manifest(source)
    if tokenized is None:
        raise ModelError(f"{source} is not finished or damaged; run the tokenize stage again.")
    return train(
        config,
        TokenizedCorpus(source / "train.arrow"),
        TokenizedCorpus(source / "valid.arrow"),
        work.folder,
        seed=work.seed,
        tokenizer=load_tokenizer(source / "tokenizer"),
        label_names=tokenized.results.get("label_names", ()),
        max_tokens=tokenized.config["max_tokens"],
        card=model_card(work),
        find_source=lambda named: source_model(named, beside),
        progress=work.is_main and work.progress,
    )


STAGE = TrainStage()
