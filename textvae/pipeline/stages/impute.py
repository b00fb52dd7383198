"""The stage `impute`: restores a hidden word in each of many test sentences, and fills the blanks of given texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from textvae.config import MAX_BEAM, MAX_PARTS, Config
from textvae.disk import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.run_folder import open_model, split_file
from textvae.pipeline.section import Section
from textvae.pipeline.stage import DETAILS, Stage, Work

METRICS = (
    Metric("accuracy", "Hidden words restored", "share",
           "one random word is hidden in each test sentence; share restored exactly", 3,
           definition="one random word is hidden in each test sentence: share of them restored exactly",
           headline="Imputation: {accuracy:.1%} of hidden words are restored; by always the commonest word "
           "{baseline_accuracy:.1%} are."),
    Metric("top5", "... among five answers", "share", "the hidden word is one of the first five answers", 3,
           definition="share of hidden words that are among the first five answers"),
    Metric("baseline_accuracy", "... by the commonest word", "share",
           "the share for always answering the most frequent word", 3,
           definition="share restored by always answering the most frequent word of training"),
)  # fmt: skip

BLANKS = """
{% macro blanks(text) %}
{% for part in text.split("___") %}{% if not loop.first %}<span class="blank">___</span>{% endif %}{{ part }}{% endfor %}
{% endmacro %}
<section>
<h2>Blanks filled in</h2>
{% for one in details.answers | default([]) %}
<h3 class="text">{{ blanks(one.text) }}</h3>
<table>
{% for answer in one.answers %}
<tr class="entry"><td class="text">{% for part in one.text.replace("___*", "___").split("___") %}{{ part }}{% if not loop.last and answer.fillers[loop.index0] is defined %}<span class="filled">{{ answer.fillers[loop.index0] }}</span>{% endif %}{% endfor %}</td><td class="number">{{ "{:.1%}".format(answer.probability) }}</td></tr>
{% endfor %}
</table>
{% endfor %}
{% if details.trials is defined %}
<h3>One word hidden in a test sentence</h3>
<div class="scroll"><table>
<tr><th>Sentence with the model's answer</th><th>Hidden word</th><th class="number">Probability</th></tr>
{% for trial in details.trials %}
<tr class="entry {{ 'right' if trial.correct else 'wrong' }}"><td class="text">{% for part in trial.text.split("___") %}{{ part }}{% if not loop.last %}<span class="filled">{{ trial.answer or "___" }}</span>{% endif %}{% endfor %}</td><td class="text">{{ trial.truth }}</td><td class="number">{{ "{:.1%}".format(trial.probability) }}</td></tr>
{% endfor %}
</table></div>
{% endif %}
<p class="note">Probabilities are normalized over the answers that were ranked. Green: the answer is the hidden word; red: it is another word.</p>
</section>
"""  # noqa: E501
"""Ranked answers for given texts, and some of the hidden words with the model's answers."""


SHARE = 0.05
"""Share of a time budget that `textvae new` gives to this stage."""


_PIECES = 2.8
"""How much longer a hidden word takes with a tokenizer of pieces, about."""


def _seconds_of_sentence(proposal: Proposal) -> float:
    settings = ImputeConfig()
    # In each round a few hypotheses read the words to the left of the blank, and `expand` times as many the others.
    written = settings.rounds * settings.width * (1 + settings.expand) / 2
    scored = settings.samples * settings.width
    # A word of several pieces is a span of unknown length.
    spans = _PIECES if proposal.tokenizer.trained.splits_words else 1.0
    return spans * proposal.text_tokens * (written / proposal.rates.generate + scored / proposal.rates.score)


class ImputeConfig(Config):
    """Settings of the stage.

    Attributes:
        sentences: number of sentences of the split; one random word is hidden in each.
        split: from which the sentences are drawn.
        texts: with `___` for a token or `___*` for a span; their best answers are shown in the report.
        rounds: alternations between z and the blanks.
        width: hypotheses kept where a blank begins.
        expand: this many times `width` are kept while the words to the right of a blank are read.
        samples: draws of z for ranking answers.
        answers: shown for each text.
    """

    sentences: int = Field(500, ge=1)
    split: Literal["train", "valid", "test"] = "test"
    texts: tuple[str, ...] = ()
    rounds: int = Field(3, ge=1, le=MAX_BEAM)
    width: int = Field(5, ge=1, le=MAX_BEAM)
    expand: int = Field(4, ge=1, le=MAX_BEAM)
    samples: int = Field(8, ge=1, le=MAX_PARTS)
    answers: int = Field(5, ge=1, le=MAX_BEAM)

    @model_validator(mode="after")
    def _hypotheses_fit(self) -> ImputeConfig:
        if self.width * self.expand > MAX_PARTS:
            raise ValueError(
                f"width * expand is {self.width * self.expand}, expected at most {MAX_PARTS}; lower one of them"
            )
        return self


class ImputeStage(Stage):
    """Output: the share of hidden words restored; `details.json` with examples and ranked answers."""

    name: ClassVar[str] = "impute"
    title: ClassVar[str] = "Blanks"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    takes_label: ClassVar[bool] = False
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = ("sentences", "unknown_words")
    sections: ClassVar[Sequence[Section]] = (Section(BLANKS, rank=60, area="texts"),)

    def files(self) -> tuple[str, ...]:
        return ()

    def config_type(self) -> type[Config]:
        return ImputeConfig

    def new_table(self, proposal: Proposal) -> dict[str, Any]:
        affordable = SHARE * proposal.seconds / _seconds_of_sentence(proposal)
        return {"sentences": int(min(500, max(50, affordable)))}

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        return 1.0 + table["sentences"] * _seconds_of_sentence(proposal)

    def texts(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        return {
            f"Filled in: {one['text']}": [f"{answer['probability']:.1%} {answer['text']}" for answer in one["answers"]]
            for one in details.get("answers", ())
        }

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.tasks.impute import impute, impute_accuracy
        from textvae.text.tokenized import TokenizedCorpus

        config = work.config
        model = open_model(work.inputs["train"] / "model")
        source = work.inputs["tokenize"]
        search = {"rounds": config.rounds, "width": config.width, "expand": config.expand}
        measured = impute_accuracy(
            model,
            TokenizedCorpus(split_file(source, config.split)),
            TokenizedCorpus(source / "train.arrow"),
            sentences=config.sentences,
            samples=config.samples,
            seed=work.seed,
            **search,
        )
        results = asdict(measured)
        details: dict[str, Any] = {"trials": results.pop("examples"), "answers": []}
        if config.texts:
            answered = impute(
                model, config.texts, answers=config.answers, samples=config.samples, seed=work.seed, **search
            )
            details["answers"] = [asdict(one) for one in answered]
        write_json(work.folder / DETAILS, as_json(details))
        return results


STAGE = ImputeStage()
