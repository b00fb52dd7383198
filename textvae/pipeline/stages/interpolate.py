"""The stage `interpolate`: decodes paths between the codes of pairs of sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, create_model

from textvae.config import MAX_PARTS, MAX_PATH, Config
from textvae.disk import write_json
from textvae.errors import ConfigError
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.run_folder import open_model, split_file
from textvae.pipeline.section import Section
from textvae.pipeline.stage import DETAILS, Stage, Work

METRICS = (
    Metric("evenness", "Evenness of paths", "1 for equal steps, 0 for one jump",
           "1 minus the excess of the largest step: whether a path changes a little at a time",
           definition="1 - (s - 1/n) / (1 - 1/n), s the share of the largest of a path's n steps in all tokens that "
           "change along it (inserted, deleted or replaced); mean over the paths on which something changes"),
    Metric("ends_changed", "Ends that do not come back", "share",
           "of the tokens of the given sentences, by how much the decoded ends of a path differ from them",
           definition="edits between a path's decoded ends and the given sentences, over the tokens of the longer; "
           "mean of both ends and over the paths; 0 where all come back"),
    Metric("new_sentences", "New sentences on a path", "sentences", "that are neither of its ends; mean over paths", 1,
           definition="different sentences on a path that are neither a decoded end nor a given sentence, mean over "
           "the paths"),
)  # fmt: skip

PATHS = """
{% if details.paths is defined %}
<section>
<h2>Paths between sentences</h2>
<p class="note">Each path goes from the code of one sentence to that of another, {{ "along the sphere" if results.kind | default("") == "spherical" else "in a straight line" }}. The blue ends are the given sentences; between them are the sentences decoded at points of the path.</p>
<div class="columns">
{% for path in details.paths %}
<div><h3>From “{{ path.start }}” to “{{ path.end }}”</h3>
<ol class="path">
<li class="end entry">{{ path.start }}</li>
{% for text in path.texts %}<li class="entry">{{ text }}</li>{% endfor %}
<li class="end entry">{{ path.end }}</li>
</ol></div>
{% endfor %}
</div>
</section>
{% endif %}
"""  # noqa: E501
"""The paths, a column each."""


class _InterpolateSettings(Config):
    """Settings of the stage.

    Attributes:
        pairs: first and last sentences of paths, cut as in training where they are too long; random sentences of
            `split` are added up to `count`.
        count: number of paths.
        steps: points of a path, both ends included.
        kind: of the path; when absent spherical where codes are on a sphere, else linear.
        split: from which sentences are drawn.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    count: int = Field(6, ge=1, le=MAX_PARTS)
    steps: int = Field(7, ge=2, le=MAX_PATH)
    kind: Literal["linear", "spherical"] | None = None
    split: Literal["train", "valid", "test"] = "test"


@lru_cache(maxsize=1)
def _config_type() -> type[Config]:
    from textvae.generation import DecodingConfig, GreedyConfig

    return create_model(
        "InterpolateConfig",
        __base__=_InterpolateSettings,
        decoding=(DecodingConfig, Field(default_factory=GreedyConfig)),
    )


class InterpolateStage(Stage):
    """Output: `details.json` with the paths; how evenly they change as numbers."""

    name: ClassVar[str] = "interpolate"
    title: ClassVar[str] = "Paths"
    version: ClassVar[int] = 2  # evenness in the place of smoothness
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    needs_code: ClassVar[bool] = True
    takes_label: ClassVar[bool] = False
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = ("pairs", "steps")
    sections: ClassVar[Sequence[Section]] = (Section(PATHS, rank=50, area="texts"),)

    def files(self) -> tuple[str, ...]:
        return ()

    def config_type(self) -> type[Config]:
        return _config_type()

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        from textvae.types import SPHERE

        posterior = settings["train"].model.posterior_settings
        if posterior is not None and posterior.support == SPHERE and settings[self.name].kind == "linear":
            raise ConfigError(
                "interpolate.kind is 'linear', but the model's codes are on a sphere, which a straight line leaves; "
                "use 'spherical', or leave kind out."
            )

    def new_table(self, proposal: Proposal) -> dict[str, Any]:
        return {"count": 6, "steps": 7}

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        return 0.5 + table["count"] * table["steps"] * proposal.text_tokens / proposal.rates.generate

    def texts(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        return {f"From “{path['start']}” to “{path['end']}”": path["texts"] for path in details.get("paths", ())}

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.tasks.interpolate import interpolate
        from textvae.text.tokenized import TokenizedCorpus

        model = open_model(work.inputs["train"] / "model")
        corpus = TokenizedCorpus(split_file(work.inputs["tokenize"], work.config.split))
        pairs = list(work.config.pairs)[: work.config.count]
        rng = np.random.default_rng(work.seed)
        while len(pairs) < work.config.count:
            start, end = rng.choice(len(corpus), 2, replace=len(corpus) < 2)
            pairs.append((corpus.text(start), corpus.text(end)))
        paths = [
            interpolate(
                model, start, end, steps=work.config.steps, kind=work.config.kind,
                decoding=work.config.decoding, overlong="truncate", seed=work.seed,
            )
            for start, end in pairs
        ]  # fmt: skip
        shown = [{name: value for name, value in asdict(path).items() if name != "z"} for path in paths]
        write_json(work.folder / DETAILS, as_json({"paths": shown}))
        even = [path.evenness for path in paths if path.evenness is not None]
        return {
            "pairs": len(paths),
            "steps": work.config.steps,
            "kind": paths[0].kind,
            **({"evenness": float(np.mean(even))} if even else {}),
            "ends_changed": float(np.mean([path.ends_changed for path in paths])),
            "new_sentences": float(np.mean([path.new_sentences for path in paths])),
        }


STAGE = InterpolateStage()
