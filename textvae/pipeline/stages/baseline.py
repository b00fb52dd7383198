"""The stage `baseline`: a language model with the same decoder and no z, beside whose likelihood the model's stands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from textvae.config import Config
from textvae.disk import read_json
from textvae.pipeline.by_sentence import sentence_nll
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.run_folder import open_model, split_file
from textvae.pipeline.section import Section
from textvae.pipeline.stage import RESULTS, Stage, Work
from textvae.pipeline.stages import train

METRICS = (
    Metric("nll", "NLL of the language model", "nats per sentence",
           "exact, of a language model with the same decoder and no z, trained in the same way",
           definition="-log p(x), exact, of a language model with the decoder of `[train.model]` and no z, which was "
           "trained by the settings of `[train]` on the same sentences, in a mean over the evaluated ones"),
    Metric("ppl", "Perplexity of the language model", "per token", "exp(total NLL / total tokens)",
           note="over {tokens:,} tokens", definition="exp(total `nll` / `tokens`)"),
    Metric("difference", "The model's bound minus it", "nats per sentence",
           "over the same sentences, below zero where the model with z is better; its error is that of the mean "
           "difference, not of either mean", 3, note="IW-{samples}, {sentences:,} sentences",
           headline="Beside a language model with the same decoder: {difference:+.2f} nats per sentence (IW-{samples}) "
           "with {model_parameters:,} against {parameters:,} parameters.",
           definition="mean over the evaluated sentences of the model's `iw_nll` minus the language model's `nll`; "
           "an upper bound on the difference of the likelihoods"),
    Metric("model_parameters", "Parameters of the model", "", "trainable weights, the encoder's among them", 0,
           shown=False),
    Metric("parameters", "Parameters of the language model", "", "trainable weights, tied ones counted once", 0,
           cost=True),
    Metric("train_seconds", "Time of the language model's training steps", "seconds",
           "validation and checkpoints left out", 1, shown=False),
    Metric("tokens_per_second", "Training speed of the language model", "tokens per second", "as that of `train`", 0,
           shown=False),
)  # fmt: skip

BESIDE = """
{% if results.difference is defined %}
<section>
<h2>Beside a language model</h2>
<p>A language model with the same decoder and no z, trained by the same settings for {{ "{:g}".format(results.epochs) }} epochs, has an NLL of {{ "{:.2f}".format(results.nll) }} nats per sentence. The model's bound is {{ "{:+.3f}".format(results.difference) }}{% if results.difference_se is defined %} ± {{ "{:.3f}".format(results.difference_se) }}{% endif %} nats from it, over the same {{ "{:,}".format(results.sentences) }} sentences (IW-{{ results.samples }}).</p>
<p class="note">It is one run of each. The model has {{ "{:,}".format(results.model_parameters) }} parameters, its encoder's among them; the language model has {{ "{:,}".format(results.parameters) }}. The true likelihood of the model is at least its bound, so the true difference is at most this one.</p>
</section>
{% endif %}
"""  # noqa: E501
"""The comparison in words."""


class BaselineConfig(Config):
    """Settings of the stage: none. The training is that of `[train]`, for a model without z."""


class BaselineStage(Stage):
    """Output: `model/`, the language model's likelihood, and the paired difference of the model's bound from it."""

    name: ClassVar[str] = "baseline"
    title: ClassVar[str] = "Language model beside it"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train", "evaluate")
    resumes: ClassVar[bool] = True
    needs_code: ClassVar[bool] = True
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = ("samples", "sentences", "tokens", "epochs", "stopped_early")
    sections: ClassVar[Sequence[Section]] = (Section(BESIDE, rank=15),)

    def files(self) -> tuple[str, ...]:
        from textvae.training.folder import FILES

        return FILES

    def config_type(self) -> type[Config]:
        return BaselineConfig

    def run(self, work: Work) -> dict[str, Any]:
        import numpy as np

        from textvae.config import parse
        from textvae.evaluation.likelihood import likelihood
        from textvae.evaluation.paired import SentenceNLL, paired_difference
        from textvae.evaluation.perplexity import perplexities
        from textvae.models import load_model
        from textvae.text.tokenized import TokenizedCorpus
        from textvae.training import TrainConfig

        table = language_model_table(work.recipe.tables["train"])
        trained = train.train_on_splits(work, parse(TrainConfig, table, "the language model of [baseline]"))
        began = time.monotonic()
        evaluated = read_json(work.inputs["evaluate"] / RESULTS)
        # By whatever numbers there are by sentence: a posterior without a density has no bound.
        mine = sentence_nll(work.inputs["evaluate"], evaluated) if "iw_nll" in evaluated else None
        corpus = TokenizedCorpus(split_file(work.inputs["tokenize"], evaluated["split"]))
        indices = np.arange(len(corpus)) if mine is None else mine.sentences
        found = likelihood(
            open_model(work.folder / "model").eval(), corpus, indices=indices, num_samples=1, seed=work.seed
        )
        assert found.iw_nll is not None, "the likelihood of a language model is exact"
        told = trained.to_dict()
        kept = ("parameters", "train_seconds", "tokens_per_second", "epochs", "stopped_early")
        results: dict[str, Any] = {
            "nll": float(np.mean(found.iw_nll)),
            "ppl": perplexities(found.iw_nll, None, found.tokens)["ppl"],
            "tokens": int(found.tokens.sum()),
            "sentences": len(indices),
            **{name: told[name] for name in kept if name in told},
            "model_parameters": load_model(work.inputs["train"] / "model").num_parameters,
        }
        if mine is not None:
            pair = asdict(paired_difference(mine, SentenceNLL(found.iw_nll, 0, indices)))
            results |= {name: pair[name] for name in ("difference", "difference_se", "samples")}
        results["seconds"] = round(trained.seconds + time.monotonic() - began, 3)
        return as_json(results)


def language_model_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table `[train]` of the language model beside a model: as by ``--set train.model.kind=language_model``.

    Args:
        table: `[train]` of the recipe.
    """
    model = {**table.get("model", {}), "kind": "language_model"}
    return dict(train.STAGE.baseline_table({**table, "model": model}, {}))


STAGE = BaselineStage()
