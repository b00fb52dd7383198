"""Trains the semi-supervised model from few labels and the rest of the corpus without."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from textvae.disk import write_json
from textvae.errors import ConfigError
from textvae.pipeline.manifest import as_json
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.run_folder import best_device, split_file
from textvae.pipeline.stage import DETAILS, Stage, Work
from textvae.pipeline.stages.evaluate import SHOWN
from textvae.pipeline.stages.train import model_card


class ClassifyStage(Stage):
    """Output: `model/`, accuracy and its confusion matrix."""

    name: ClassVar[str] = "classify"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    resumes: ClassVar[bool] = True

    def files(self) -> tuple[str, ...]:
        from textvae.training.folder import FILES

        return (*FILES, "train.arrow")

    def config_type(self) -> Any:
        from textvae.tasks.classify import ClassifyConfig

        return ClassifyConfig

    def check(self, recipe: Recipe) -> None:
        if not recipe.corpus.has_labels:
            raise ConfigError(
                f"{recipe.source} has a [classify] table, but corpus '{recipe.corpus.name}' has no labels; "
                "remove the table, or name the corpus' label_column in its card."
            )

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        from textvae.tasks.classify import check_classifier

        check_classifier(settings[self.name], settings["train"].model)

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.models import SemiSupervisedTextVAE, load_model
        from textvae.tasks.classify import classify, evaluate_classifier, train_classifier
        from textvae.text.tokenized import TokenizedCorpus
        from textvae.text.tokenizers import load_tokenizer

        source = work.inputs["tokenize"]
        train_corpus = TokenizedCorpus(source / "train.arrow")
        test_corpus = TokenizedCorpus(split_file(source, "test"))
        trained = train_classifier(
            work.config,
            train_corpus,
            TokenizedCorpus(source / "valid.arrow"),
            work.folder,
            seed=work.seed,
            tokenizer=load_tokenizer(source / "tokenizer"),
            vae=load_model(work.inputs["train"] / "model"),
            card=model_card(work),
        )
        trained_at = time.monotonic()
        model = SemiSupervisedTextVAE.from_pretrained(work.folder / "model").to(best_device())
        results = as_json(evaluate_classifier(model, test_corpus, train_corpus))
        # A matrix is for the page; the numbers beside it are the results.
        details = {name: results.pop(name) for name in ("confusion", "label_names", "f1")}
        shown = [test_corpus.text(i) for i in range(min(SHOWN, len(test_corpus)))]
        details["examples"] = [
            {**as_json(answer), "truth": test_corpus.label_names[label] if label >= 0 else None}
            for answer, label in zip(classify(model, shown), test_corpus.labels, strict=False)
        ]
        write_json(work.folder / DETAILS, details)
        speed = {
            name: value for name, value in trained.to_dict().items() if name in ("train_seconds", "tokens_per_second")
        }
        seconds = trained.seconds + time.monotonic() - trained_at
        return {"labels": work.config.labels, **results, **speed, "seconds": round(seconds, 3)}
