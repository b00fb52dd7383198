"""The origin of a model, for its model card."""

from __future__ import annotations

from typing import Any

from textvae import __version__
from textvae.pipeline.manifest import read_manifest
from textvae.pipeline.stage import Work


def model_card(work: Work) -> dict[str, Any]:
    """The origin of the model that a stage trains: recipe, corpus and licence, seed, version; without empty entries.

    Args:
        work: of a stage that needs the stage `tokenize`.
    """
    corpus = work.recipe.corpus
    tokenized = read_manifest(work.inputs["tokenize"])
    card = {
        "recipe": work.recipe.name,
        "corpus": corpus.name,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "source": corpus.source,
        "dataset": corpus.hub_dataset,
        "corpus_fingerprint": tokenized.inputs["corpus"] if tokenized else "",
        "seed": work.seed,
        "textvae": __version__,
    }
    return {name: value for name, value in card.items() if value != ""}
