"""Trains the semi-supervised model from few labels and the rest of the corpus without."""

from __future__ import annotations

from typing import Any, ClassVar

from textvae.errors import ConfigError
from textvae.pipeline.files import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stage import DETAILS, Stage, Work
from textvae.pipeline.stages.evaluate import split_file


class ClassifyStage(Stage):
    """Output: `model/`, accuracy and its confusion matrix."""

    name: ClassVar[str] = "classify"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    resumes: ClassVar[bool] = True

    def config_type(self) -> Any:
        from textvae.tasks.classify import ClassifyConfig

        return ClassifyConfig

    def check(self, recipe: Recipe) -> None:
        if not recipe.corpus.has_labels:
            raise ConfigError(
                f"{recipe.source} has a [classify] table, but corpus '{recipe.corpus.name}' has no labels; "
                "remove the table, or name the corpus' label_column in its card."
            )

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.tasks.classify import train_classifier
        from textvae.text.tokenized import TokenizedCorpus

        source = work.inputs["tokenize"]
        result = train_classifier(
            work.config,
            TokenizedCorpus(source / "train.arrow"),
            TokenizedCorpus(source / "valid.arrow"),
            TokenizedCorpus(split_file(source, "test")),
            work.inputs["train"] / "model",
            work.folder,
            seed=work.seed,
        )
        results = as_json(result.to_dict() if hasattr(result, "to_dict") else result)
        # A matrix is for the page; the numbers beside it are the results.
        details = {name: results.pop(name) for name in ("confusion", "label_names", "examples") if name in results}
        write_json(work.folder / DETAILS, details)
        return results
