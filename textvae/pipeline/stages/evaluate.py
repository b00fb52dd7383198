"""Measures the model on sentences it has not seen, and draws what a reader wants to see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from textvae.disk import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.run_folder import open_model, progress_lines, split_file
from textvae.pipeline.stage import DETAILS, Stage, Work

BY_SENTENCE = "by_sentence.arrow"
SHOWN, PLOTTED = 12, 2000
"""Sentences shown in the report, and points of its picture of the latent space."""


class EvaluateStage(Stage):
    """Output: the numbers, those of each sentence in `by_sentence.arrow` (columns as in `Evaluation.by_sentence`), and
    `details.json` with samples, reconstructions and the latent space in two dimensions."""

    name: ClassVar[str] = "evaluate"
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")

    def files(self) -> tuple[str, ...]:
        return (BY_SENTENCE,)

    def config_type(self) -> Any:
        from textvae.evaluation import EvaluateConfig

        return EvaluateConfig

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        from textvae.evaluation import require_bound

        require_bound(settings["train"].model, settings[self.name])

    def run(self, work: Work) -> dict[str, Any]:
        import pyarrow as pa
        from pyarrow import feather

        from textvae.evaluation import evaluate
        from textvae.text.tokenized import TokenizedCorpus

        model = open_model(work.inputs["train"] / "model")
        split = split_file(work.inputs["tokenize"], work.config.split)
        corpus = TokenizedCorpus(split)
        training = TokenizedCorpus(work.inputs["tokenize"] / "train.arrow")
        measured = evaluate(
            model, corpus, work.config, seed=work.seed, training_corpus=training, progress=progress_lines(work.say)
        )
        details: dict[str, Any] = {"curve": measured.curve}
        if measured.rate_distortion:
            details["rate_distortion"] = measured.rate_distortion
        details["samples"] = {"sampled": measured.samples[:SHOWN]}
        details["reconstructions"] = [asdict(made) for made in spread_out(measured.reconstructions)]
        if model.latent_dim:
            from textvae.tasks.generate import generate_sentences

            details["samples"]["greedy"] = [made.text for made in generate_sentences(model, SHOWN, seed=work.seed)]
            details["samples"].update(samples_by_label(model, work.config.decoding, work.seed))
        if measured.latent_means is not None:
            details["latent"] = latent_plane(measured.latent_means, measured.labels, corpus.label_names, work.seed)
        write_json(work.folder / DETAILS, as_json(details))
        feather.write_feather(pa.table(measured.by_sentence), work.folder / BY_SENTENCE)
        return {**as_json(dict(measured)), "split": split.stem}


def samples_by_label(model: Any, decoding: Any, seed: int) -> dict[str, Any]:
    """`by_label`: for each of at most `SHOWN` labels its name and as many sentences as make about `SHOWN` of all.

    Empty for a model without labels.
    """
    from textvae.tasks.generate import generate_sentences

    names = spread_out(model.labels)
    if not names:
        return {}
    each = max(2, SHOWN // len(names))
    made = [generate_sentences(model, each, label=name, decoding=decoding, seed=seed) for name in names]
    shown = [{"label": name, "sentences": [one.text for one in some]} for name, some in zip(names, made, strict=True)]
    return {"by_label": shown}


def spread_out(items: Sequence[Any], count: int = SHOWN) -> list[Any]:
    """At most `count` of some items, evenly spread over them."""
    return [items[i * len(items) // count] for i in range(count)] if len(items) > count else list(items)


def latent_plane(
    means_ND: np.ndarray, labels_N: np.ndarray | None, label_names: Sequence[str], seed: int
) -> dict[str, Any]:
    """Posterior means in the plane of their two principal components, at most `PLOTTED` of them.

    Args:
        means_ND: posterior means, [N, D].
        labels_N: class of each, -1 for none; None for no labels at all.
        label_names: of the classes.
        seed: of the choice.

    Returns:
        `points` [N][2], `labels` (names, or absent), `explained`: shares of the variance along the axes, `dimensions`.
    """
    points, explained = principal_plane(np.asarray(means_ND, dtype=np.float64))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:PLOTTED])
    plane: dict[str, Any] = {"points": np.round(points[chosen], 4).tolist(), "explained": explained}
    plane["dimensions"] = int(means_ND.shape[1])
    if labels_N is not None:
        plane["labels"] = [label_names[i] if i >= 0 else None for i in np.asarray(labels_N)[chosen]]
    return plane


def principal_plane(x_ND: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The first two principal components of N vectors, and the share of the variance along each.

    >>> points, explained = principal_plane(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [4.0, 0.0, 1.0]]))
    >>> np.abs(points[:, 0]).round(6).tolist(), explained
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
