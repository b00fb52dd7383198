"""The settings of an evaluation, and which models they are refused for."""

from __future__ import annotations

from pydantic import Field, model_validator

from textvae.config import MAX_BATCH_TOKENS, MAX_SAMPLES, MAX_STEPS, Config
from textvae.errors import ConfigError
from textvae.evaluation.annealed import AISConfig
from textvae.generation import DecodingConfig, GreedyConfig, SamplingConfig
from textvae.models import ModelSettings


class EvaluateConfig(Config):
    """Settings of an evaluation: the recipe's table `[evaluate]`."""

    split: str = Field("test", description="which sentences; a corpus without it is measured on what it has")
    iw_samples: int = Field(100, ge=1, le=MAX_SAMPLES, description="samples of the importance-weighted bound")
    max_sentences: int | None = Field(
        None, ge=2, le=MAX_STEPS, description="measure so many, drawn by the seed; all when absent"
    )
    mi_sentences: int = Field(10_000, ge=2, le=1_000_000, description="sentences of the aggregated posterior, at most")
    batch_tokens: int = Field(
        16_384, ge=1, le=MAX_BATCH_TOKENS, description="tokens of a decoder call; memory, never a result"
    )
    reconstruct_sentences: int | None = Field(None, ge=1, description="reconstruct so many; all when absent")
    reconstruct_decoding: DecodingConfig = Field(default_factory=GreedyConfig, description="from posterior means")
    rate_distortion_samples: int = Field(
        10,
        ge=0,
        le=MAX_SAMPLES,
        description="codes of a sentence, for what each level of a hierarchical model tells; 0 leaves it out",
    )
    samples: int = Field(20, ge=0, le=MAX_SAMPLES, description="sentences from the prior to show")
    quality_samples: int = Field(
        500, ge=0, le=MAX_SAMPLES, description="sentences from the prior to measure; 0 leaves that out"
    )
    decoding: DecodingConfig = Field(default_factory=SamplingConfig, description="of sentences from the prior")
    ais: AISConfig | None = Field(None, description="annealed importance sampling too; slow, so left out when absent")
    probe_labels: tuple[int, ...] = Field(
        (), description="train a linear probe of the label on so many labelled training sentences, for each number"
    )

    @model_validator(mode="after")
    def _probes_see_other_sentences(self) -> EvaluateConfig:
        if any(count < 2 for count in self.probe_labels) or len(set(self.probe_labels)) < len(self.probe_labels):
            raise ValueError("expected probe_labels to be different numbers, each at least 2")
        if self.probe_labels and self.split == "train":
            raise ValueError("expected another split than train: probes would be measured on sentences they learn from")
        return self


def require_bound(model: ModelSettings, config: EvaluateConfig) -> None:
    """Refuse models whose log p(x) an evaluation with these settings cannot bound.

    They have a prior that needs a vector, which no corpus holds, or a posterior without a density, unless annealing is
    asked for, or a label beside the code, where annealing is asked for.

    Args:
        model: the settings of a model.
        config: those of its evaluation.

    Raises:
        ConfigError: and names what to use.
    """
    vector_dim = model.vector_size
    if vector_dim:
        raise ConfigError(
            f"the prior is conditioned on a vector of {vector_dim} numbers, and corpora hold none, so there is no p(x) "
            "to bound; bound log p(x|vector) by textvae.evaluation.likelihood, or condition the prior on labels."
        )
    if config.ais is None and not model.has_density:
        raise ConfigError(
            f"a {model.code_title} has no density, so neither ELBO nor importance weighting bounds the "
            "likelihood; add [evaluate.ais] to the recipe, or --ais to the command."
        )
    if config.ais is not None and model.beside_code:
        raise ConfigError(
            f"annealed importance sampling moves one vector a sentence, and a {model.kind} model has a label beside "
            "it; leave out [evaluate.ais], or --ais of the command."
        )
