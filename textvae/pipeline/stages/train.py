"""Trains the model; interrupted, it goes on from its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textvae import __version__
from textvae.errors import ModelError
from textvae.pipeline.manifest import read_manifest
from textvae.pipeline.sources import source_model
from textvae.pipeline.stage import Stage, Work


class TrainStage(Stage):
    """Output: `model/` and `metrics.jsonl`."""

    name: ClassVar[str] = "train"
    needs: ClassVar[tuple[str, ...]] = ("tokenize",)
    resumes: ClassVar[bool] = True
    all_processes: ClassVar[bool] = True

    def files(self) -> tuple[str, ...]:
        from textvae.training.folder import FILES

        return FILES

    def config_type(self) -> Any:
        from textvae.training import TrainConfig

        return TrainConfig

    def starts_from(self, config: Mapping[str, Any]) -> str | None:
        return (config.get("start_from") or {}).get("run")

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.text.tokenized import TokenizedCorpus
        from textvae.text.tokenizers import load_tokenizer
        from textvae.training import train

        source = work.inputs["tokenize"]
        tokenized = read_manifest(source)
        if tokenized is None:
            raise ModelError(f"{source} is not finished or damaged; run the tokenize stage again.")
        beside = work.folder.parent.parent
        result = train(
            work.config,
            TokenizedCorpus(source / "train.arrow"),
            TokenizedCorpus(source / "valid.arrow"),
            work.folder,
            seed=work.seed,
            tokenizer=load_tokenizer(source / "tokenizer"),
            label_names=tokenized.results.get("label_names", ()),
            max_tokens=tokenized.config["max_tokens"],
            card=model_card(work),
            find_source=lambda named: source_model(named, beside),
            progress=work.is_main,
        )
        return result.to_dict()


def model_card(work: Work) -> dict[str, Any]:
    """What a model should tell of where it comes from."""
    corpus = work.recipe.corpus
    tokenized = read_manifest(work.inputs["tokenize"])
    card = {
        "recipe": work.recipe.name,
        "corpus": corpus.name,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "source": corpus.source,
        "corpus_fingerprint": tokenized.inputs["corpus"] if tokenized else "",
        "seed": work.seed,
        "textvae": __version__,
    }
    return {name: value for name, value in card.items() if value != ""}
