"""Measures the model on sentences it has not seen, and draws what a reader wants to see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, create_model

from textvae.pipeline.files import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.stage import DETAILS, Stage, Work

SHOWN, PLOTTED = 12, 2000
"""Sentences shown in the report, and points of its picture of the latent space."""


class EvaluateStage(Stage):
    """Output: the numbers, and `details.json` with samples, reconstructions and the latent space in two dimensions."""

    name: ClassVar[str] = "evaluate"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")

    def config_type(self) -> Any:
        return _config_type()

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.evaluation import EvaluateConfig, evaluate
        from textvae.models import load_model
        from textvae.text.tokenized import TokenizedCorpus

        model = load_model(work.inputs["train"] / "model").to(best_device())
        split = split_file(work.inputs["tokenize"], work.config.split)
        corpus = TokenizedCorpus(split)
        config = EvaluateConfig(**work.config.model_dump(exclude={"split"}))
        measured = evaluate(model, corpus, config, seed=work.seed, device=model.device)
        results = {**as_json(measured), "split": split.stem}
        write_json(work.folder / DETAILS, as_json(self._details(model, corpus, work.seed)))
        return results

    def _details(self, model: Any, corpus: Any, seed: int) -> dict[str, Any]:
        from textvae.generation import SamplingConfig
        from textvae.tasks.generate import generate_sentences
        from textvae.tasks.reconstruct import reconstruct

        details: dict[str, Any] = {}
        if getattr(model.decoder, "num_labels", 0):
            return details
        drawn = SamplingConfig(temperature=1.0)
        details["samples"] = {"sampled": [asdict(made) for made in generate_sentences(model, SHOWN, decoding=drawn, seed=seed)]}
        if model.latent_dim:
            details["samples"]["greedy"] = [asdict(made) for made in generate_sentences(model, SHOWN, seed=seed)]
            rng = np.random.default_rng(seed)
            shown = rng.choice(len(corpus), min(SHOWN, len(corpus)), replace=False)
            details["reconstructions"] = [asdict(made) for made in reconstruct(model, [corpus.text(i) for i in shown])]
            plotted = np.sort(rng.choice(len(corpus), min(PLOTTED, len(corpus)), replace=False))
            details["latent"] = latent_plane(model, corpus, plotted)
        return details


@lru_cache(maxsize=1)
def _config_type() -> Any:
    from textvae.evaluation import EvaluateConfig

    if "split" in EvaluateConfig.model_fields:
        return EvaluateConfig
    return create_model("EvaluateTable", __base__=EvaluateConfig, split=(str, Field("test")))


def split_file(tokenized: Path, split: str) -> Path:
    """The file of a split; of the validation sentences where there is no test split.

    Raises:
        ConfigError: the corpus has no such split.
    """
    from textvae.errors import ConfigError

    path = tokenized / f"{split}.arrow"
    if not path.exists() and split == "test":
        path = tokenized / "valid.arrow"
    if not path.exists():
        there = ", ".join(sorted(found.stem for found in tokenized.glob("*.arrow"))) or "none"
        raise ConfigError(f"there is no split '{split}'; the corpus has {there}.")
    return path


def best_device() -> Any:
    """The accelerator of this machine, as training chooses it; else the CPU."""
    import os

    import torch

    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes") or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def latent_plane(model: Any, corpus: Any, indices: Sequence[int] | np.ndarray) -> dict[str, Any]:
    """Posterior means in the plane of their two principal components.

    Args:
        model: a TextVAE.
        corpus: the tokenized split.
        indices: which sentences.

    Returns:
        `points` [N][2], `labels` (names, or absent), `explained`: shares of the variance of the two axes.
    """
    import torch

    from textvae.models import to_device

    means = []
    model.eval()
    with torch.no_grad():
        for part in np.array_split(np.asarray(indices), max(1, len(indices) // 256)):
            means.append(model.posterior_of(to_device(corpus.batch(part), model.device)).mean.float().cpu())
    mean_ND = torch.cat(means).double().numpy()
    points, explained = principal_plane(mean_ND)
    plane: dict[str, Any] = {"points": np.round(points, 4).tolist(), "explained": explained, "dimensions": mean_ND.shape[1]}
    if corpus.label_names:
        labels = corpus.labels[np.asarray(indices)]
        plane["labels"] = [corpus.label_names[i] if i >= 0 else None for i in labels]
    return plane


def principal_plane(x_ND: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The first two principal components of N vectors, and the share of the variance along each.

    >>> points, explained = principal_plane(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [4.0, 0.0, 1.0]]))
    >>> np.abs(points[:, 0]).tolist(), explained
    ([2.0, 0.0, 2.0], [1.0, 0.0])
    """
    centered = x_ND - x_ND.mean(0)
    left, scale, right = np.linalg.svd(centered, full_matrices=False)
    variance = scale**2
    total = max(float(variance.sum()), 1e-12)
    plane = np.zeros((len(x_ND), 2))
    shares = [0.0, 0.0]
    for axis in range(min(2, len(scale))):
        # A sign of its own choosing is no part of a principal axis; this one is always the same.
        sign = np.sign(right[axis][np.abs(right[axis]).argmax()]) or 1.0
        plane[:, axis] = left[:, axis] * scale[axis] * sign
        shares[axis] = round(float(variance[axis]) / total, 4)
    return plane, shares
