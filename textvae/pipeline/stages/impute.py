"""Hides one word in each of many test sentences, and fills the blanks of given texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from textvae.config import MAX_BEAM, MAX_PARTS, Config
from textvae.disk import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.run_folder import open_model, split_file
from textvae.pipeline.stage import DETAILS, Stage, Work
from textvae.pipeline.stages.interpolate import require_latent_model


class ImputeConfig(Config):
    """Settings of the stage.

    Attributes:
        sentences: of the split, one random word hidden in each.
        split: whose sentences.
        texts: with `___` for a token or `___*` for a span; their best answers are shown in the report.
        rounds: alternations between z and the blanks.
        width: hypotheses kept where a blank begins.
        expand: how many times more are kept while the words to its right are read.
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
            raise ValueError(f"width * expand is {self.width * self.expand}, expected at most {MAX_PARTS}")
        return self


class ImputeStage(Stage):
    """Output: the share of hidden words restored; `details.json` with examples and ranked answers."""

    name: ClassVar[str] = "impute"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")

    def files(self) -> tuple[str, ...]:
        return ()

    def config_type(self) -> Any:
        return ImputeConfig

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        require_latent_model(settings["train"].model, self.name, without_latent=True)

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
