"""The settings of an evaluation, and the models for which they are refused."""

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
        None, ge=2, le=MAX_STEPS, description="evaluate this many sentences, drawn by the seed; all when absent"
    )
    mi_sentences: int = Field(10_000, ge=2, le=1_000_000, description="sentences of the aggregated posterior, at most")
    batch_tokens: int = Field(
        16_384,
        ge=1,
        le=MAX_BATCH_TOKENS,
        description="rows times tokens of a decoder call, at most; changes memory and speed, not the results",
    )
    reconstruct_sentences: int | None = Field(
        None, ge=1, description="reconstruct this many sentences; all when absent"
    )
    reconstruct_decoding: DecodingConfig = Field(
        default_factory=GreedyConfig, description="how reconstructions are decoded from posterior means"
    )
    rate_distortion_samples: int = Field(
        10,
        ge=0,
        le=MAX_SAMPLES,
        description="codes for each sentence, for rate and distortion of a hierarchical model; 0 leaves them out",
    )
    samples: int = Field(20, ge=0, le=MAX_SAMPLES, description="sentences from the prior to show")
    quality_samples: int = Field(
        500, ge=0, le=MAX_SAMPLES, description="sentences from the prior to measure; 0 leaves that out"
    )
    decoding: DecodingConfig = Field(
        default_factory=SamplingConfig, description="how sentences from the prior are decoded"
    )
    ais: AISConfig | None = Field(
        None, description="annealed importance sampling as well; slow, so only where this table is present"
    )
    probe_labels: tuple[int, ...] = Field(
        (), description="numbers of labelled training sentences; a linear probe of the label is trained for each"
    )

    @model_validator(mode="after")
    def _probes_see_other_sentences(self) -> EvaluateConfig:
        if any(count < 2 for count in self.probe_labels) or len(set(self.probe_labels)) < len(self.probe_labels):
            raise ValueError("expected probe_labels to be different numbers, each at least 2")
        if self.probe_labels and self.split == "train":
            raise ValueError("expected another split than train: probes would be tested on sentences they learn from")
        return self


def require_bound(model: ModelSettings, config: EvaluateConfig) -> None:
    """Refuse models whose log p(x) an evaluation with these settings cannot bound.

    Refused are a prior that is conditioned on a vector, since corpora contain no vectors; a posterior without a
    density, unless `config.ais` is set; and a model with a label beside the code, if `config.ais` is set.

    Args:
        model: the settings of the model.
        config: the settings of the evaluation.

    Raises:
        ConfigError: the model is one of these; the message names what to use.
    """
    vector_dim = model.vector_size
    if vector_dim:
        raise ConfigError(
            f"the prior is conditioned on a vector of {vector_dim} numbers, and corpora contain no vectors, so there "
            "is no p(x) to bound; bound log p(x|vector) with textvae.evaluation.likelihood, or condition the prior on "
            "labels."
        )
    if config.ais is None and not model.has_density:
        raise ConfigError(
            f"a {model.code_title} has no density, so there is neither an ELBO nor an importance-weighted "
            "bound; add [evaluate.ais] to the recipe, or --ais to the command."
        )
    if config.ais is not None and model.beside_code:
        raise ConfigError(
            f"annealed importance sampling needs one vector for each sentence, and a {model.kind} model has a label "
            "beside it; leave out [evaluate.ais], or --ais of the command."
        )
