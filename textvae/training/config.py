"""The settings of a training: a recipe's `[train]` table."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from textvae.config import MAX_BATCH_TOKENS, MAX_STEPS, Config
from textvae.errors import ConfigError
from textvae.models import ModelConfig, ModelSettings, TextVAEConfig
from textvae.models.support import kl_has_dimensions, plain_prior
from textvae.objectives import ELBOConfig, ObjectiveConfig, ObjectiveSettings
from textvae.objectives.schedules import ConstantScheduleConfig, ScheduleConfig
from textvae.posteriors import PosteriorSettings
from textvae.priors import PriorSettings
from textvae.regularizers import RegularizerConfig
from textvae.training.aggressive import AggressiveConfig
from textvae.training.initial import StartFromConfig
from textvae.training.learning_rate import DecayConfig, NoDecayConfig
from textvae.training.optimizers import AdamConfig, OptimizerConfig
from textvae.training.phases import require_autoencoder_first, require_final_weight


class TrainConfig(Config):
    """Settings of a training: model, objective, optimizer, schedule and limits.

    >>> TrainConfig.model_validate({"epochs": 3, "optimizer": {"kind": "sgd", "lr": 0.5}}).optimizer.lr
    0.5
    """

    watched_only: ClassVar[frozenset[str]] = frozenset({"checkpoint_minutes", "trackers"})
    added: ClassVar[frozenset[str]] = frozenset({"objective_weight", "keep"})

    model: ModelConfig = Field(default_factory=TextVAEConfig)
    objective: ObjectiveConfig = Field(default_factory=ELBOConfig)
    objective_weight: ScheduleConfig = Field(
        default_factory=ConstantScheduleConfig,
        description="weight of the objective beside the regularizers; 0 for these alone",
    )
    regularizers: tuple[RegularizerConfig, ...] = Field(
        (), description="penalties beside the objective; each kind once"
    )
    optimizer: OptimizerConfig = Field(default_factory=AdamConfig)
    warmup: int = Field(0, ge=0, le=MAX_STEPS, description="steps in which the learning rate rises to its full value")
    decay: DecayConfig = Field(
        default_factory=NoDecayConfig, description="how the learning rate falls after the warm-up"
    )
    epochs: int = Field(10, ge=1, le=MAX_STEPS)
    max_steps: int | None = Field(None, ge=1, le=MAX_STEPS, description="most steps; may end training inside an epoch")
    batch_tokens: int = Field(
        4096, ge=4, le=MAX_BATCH_TOKENS, description="at most this many tokens in a batch, padding counted"
    )
    batch_sentences: int | None = Field(
        None, ge=1, le=MAX_STEPS, description="at most this many sentences in a batch; no limit when absent"
    )
    clip_norm: float | None = Field(
        5.0, gt=0, allow_inf_nan=True, description="the gradient is clipped to this norm; inf for no clipping"
    )
    encoder_updates: AggressiveConfig | None = Field(
        None, description="aggressive training: further updates of the encoder before each update of the decoder"
    )
    fresh_decoder: int | None = Field(
        None,
        ge=1,
        description="after this many epochs of an autoencoder (a KL weight of 0) the decoder gets new weights, and "
        "optimizer and learning rate restart",
    )
    start_from: StartFromConfig | None = Field(None, description="a trained model whose weights training starts with")
    guard_sentences: int = Field(
        500, ge=0, description="validation sentences on which the collapse guard measures; 0 = no guard"
    )
    early_stopping: int | None = Field(
        None, ge=1, description="epochs without a better validation value after which training ends"
    )
    keep: Literal["best", "last"] = Field("best", description="which epoch's model is kept")
    valid_sentences: int | None = Field(
        None, ge=1, description="validate on this many sentences, drawn once; on all when absent"
    )
    checkpoint_minutes: float = Field(
        10.0, gt=0, description="minutes between checkpoints inside an epoch; each epoch ends with one anyway"
    )
    log_every: int = Field(50, ge=1, description="steps between two lines of metrics.jsonl")
    precision: Literal["float32", "bf16"] = "float32"
    compile: bool = Field(False, description="torch.compile the model")
    trackers: tuple[Literal["tensorboard"], ...] = ()

    @field_validator("clip_norm")
    @classmethod
    def _infinity_is_no_clipping(cls, value: float | None) -> float | None:
        # TOML has no null and JSON has no infinity: a recipe says inf, which is None everywhere else.
        return None if value == math.inf else value

    @model_validator(mode="after")
    def _what_needs_a_code(self) -> TrainConfig:
        if self.encoder_updates is not None:
            if not self.model.single_code:
                raise ValueError(f"encoder_updates need a text_vae, and the model is a {self.model.kind}; remove them")
            if self.guard_sentences == 0:
                raise ValueError(
                    "encoder_updates end when the guard's mutual information falls, and guard_sentences = 0 switches "
                    "the guard off; set guard_sentences to 2 or more"
                )
        self._density_where_it_is_needed()
        if self.objective.gradient_estimator == "doubly_reparameterized" and self.regularizers:
            raise ValueError(
                "doubly reparameterized gradients would scale the gradients of the regularizers too; set "
                'objective.gradient = "plain", or remove the regularizers'
            )
        if self.compile and self.model.has_code:
            self._gradient_inside_of_what_is_compiled()
        if self.regularizers and not self.model.has_code:
            raise ValueError(
                f"a {self.regularizers[0].kind} regularizer reads z, which a {self.model.kind} does not have; remove "
                "it from regularizers"
            )
        classifier = next((one.kind for one in self.regularizers if one.needs_classifier), None)
        if classifier is not None and not self.model.classifies:
            raise ValueError(
                f"a {classifier} regularizer is for a model with a classifier, which a {self.model.kind} is not; move "
                "it to [classify], or remove it"
            )
        if self.objective.compares_codes and self.model.beside_code:
            raise ValueError(
                f"the objective {self.objective.kind} compares vectors with draws of the prior, and a "
                f"{self.model.kind} model has a label besides, which is no vector; use the objective elbo, or a "
                "text_vae"
            )
        return self

    @model_validator(mode="after")
    def _what_is_kept(self) -> TrainConfig:
        if self.keep == "last" and self.early_stopping is not None:
            raise ValueError(
                'early_stopping ends training some epochs after the best one, so that keep = "last" would keep a worse '
                'one; set keep = "best", or remove early_stopping'
            )
        return self

    @property
    def batches_all_lengths(self) -> bool:
        """Whether batches must be random samples of the corpus, of all lengths.

        They must where the sentences of a batch depend on one another: the objective compares their codes, or the
        posterior normalizes over the batch."""
        posterior = self.model.posterior_settings
        return posterior is not None and (self.objective.compares_codes or bool(posterior.batch_setting))

    @model_validator(mode="after")
    def _phases_fit(self) -> TrainConfig:
        require_final_weight(self.objective, self.epochs, self.max_steps)
        if self.fresh_decoder is None:
            return self
        if not self.model.has_code:
            raise ValueError(
                f"fresh_decoder keeps what the encoder learned, and a {self.model.kind} has none; remove it"
            )
        if self.fresh_decoder >= self.epochs:
            raise ValueError(
                f"fresh_decoder = {self.fresh_decoder} must be before the end, epochs = {self.epochs}; lower it, or "
                "raise epochs"
            )
        require_autoencoder_first(self.objective, self.epochs, self.fresh_decoder)
        return self

    def _gradient_inside_of_what_is_compiled(self) -> None:
        """Refuse gradients that are scaled at the samples by a hook: hooks inside a compiled model do not run."""
        if self.objective.gradient_estimator == "doubly_reparameterized":
            raise ValueError(
                "doubly reparameterized gradients are scaled where they reach the samples, and inside a model with "
                "compile = true they cannot be, so that the encoder would get another gradient; set compile = false, "
                'or objective.gradient = "plain"'
            )

    def _density_where_it_is_needed(self) -> None:
        """Refuse a posterior without a density (implicit) with what needs one, and its objective with any other."""
        own, title = self.objective.for_implicit, self.model.code_title
        if not self.model.has_code:
            return
        if self.model.has_density:
            if own:
                raise ValueError(
                    f"the objective {self.objective.kind} omits the posterior's entropy, which is known for a {title}; "
                    "use the objective elbo, or the posterior stein"
                )
            return
        if not own:
            raise ValueError(
                f"a {title} has no density, and the objective {self.objective.kind} needs one; use "
                '[train.objective] kind = "stein"'
            )
        if self.regularizers:
            raise ValueError(
                f"a {title} learns from Stein's gradient alone, so gradients of regularizers would not reach its "
                "codes; remove the regularizers"
            )
        if self.encoder_updates is not None:
            raise ValueError(
                f"encoder_updates end when mutual information falls, and that of a {title} is unknown; remove "
                "encoder_updates"
            )

    @model_validator(mode="after")
    def _what_the_posterior_has(self) -> TrainConfig:
        posterior, prior = self.model.posterior_settings, self.model.prior_settings
        if posterior is not None and prior is not None and posterior.has_density:
            require_fitting_objective(self.objective, posterior, prior)
            if self.encoder_updates is not None and posterior.extended:
                raise ValueError(
                    "encoder_updates end when mutual information falls, which needs the density of codes, and a "
                    f"{posterior.kind} posterior does not have it; remove them"
                )
        return self

    @model_validator(mode="after")
    def _what_a_corpus_has(self) -> TrainConfig:
        vector_dim = self.model.vector_size
        if vector_dim:
            raise ValueError(
                f"corpora hold no vectors to condition the prior on (vector_dim = {vector_dim}); set prior.num_labels "
                "to condition it on labels, or train in Python on TextVAE.terms of batches with vector_BH"
            )
        return self

    @field_validator("regularizers")
    @classmethod
    def _each_kind_once(cls, value: tuple[RegularizerConfig, ...]) -> tuple[RegularizerConfig, ...]:
        kinds = [regularizer.kind for regularizer in value]
        if len(set(kinds)) < len(kinds):
            raise ValueError("expected each kind of regularizer once; add up their weights")
        return value


def require_summed_labels(objective: ObjectiveSettings, model: ModelSettings, labels: int) -> None:
    """Refuse an objective that is no expectation where labels are drawn, whose gradient it would make wrong.

    Raises:
        ConfigError: that is so; the message names a cure.
    """
    if model.draws_labels(labels) and not objective.linear:
        raise ConfigError(
            f"the objective {objective.kind} is no expectation under q, and of {labels} labels some are drawn, so the "
            'classifier would get a wrong gradient; set model.label_sum = { kind = "enumerate" }, or use the objective '
            "elbo."
        )


def require_fitting_objective(objective: ObjectiveSettings, posterior: PosteriorSettings, prior: PriorSettings) -> None:
    """Refuse an objective that does not fit a posterior or a prior.

    Refused are: a gradient that needs the density of any code, where q has none; a gradient for draws of q, where
    samples are stratified; an objective that is no expectation under q, where the score function estimates gradients;
    another bound than that of KL weight 1, where the posterior refines its codes by it; a learned prior that the
    objective does not train; and a KL of each dimension where it is unknown.

    Raises:
        ValueError: the combination is refused; the message names a cure. Pydantic reports it.
    """
    gradient = objective.gradient_estimator
    if gradient != "plain" and posterior.extended:
        raise ValueError(
            f'the gradient "{gradient}" of objective {objective.kind} needs the density of any code, which a '
            f'{posterior.kind} posterior does not have; set objective.gradient = "plain"'
        )
    if gradient != "plain" and not posterior.samples_are_draws:
        raise ValueError(
            f'the gradient "{gradient}" of objective {objective.kind} needs draws of q, and a {posterior.title} '
            f'draws from each of its components instead; set objective.gradient = "plain" or '
            f"{posterior.pathwise_setting}"
        )
    if posterior.needs_linear and not objective.linear:
        raise ValueError(
            f"the gradient of a {posterior.title} is right for expectations under q only, and the objective "
            f"{objective.kind} is not one: the encoder would get a wrong gradient, or none; set "
            f"{posterior.pathwise_setting}, or use the objective elbo or unregularized"
        )
    if posterior.refines_bound and not objective.bound_at_weight_one:
        raise ValueError(
            f"a {posterior.kind} posterior refines its codes by the bound at KL weight 1, and the objective "
            f"{objective.kind} with these settings is not this bound; set objective.kl_weight = "
            '{ kind = "constant", weight = 1.0 } with the objective elbo, iwae or renyi, and start from a run whose z '
            'is in use (start_from), or use posterior.kind = "gaussian"'
        )
    if prior.learned and not objective.trains_prior:
        raise ValueError(
            f"the objective {objective.kind} with these settings does not use the prior, so a {prior.kind} prior "
            f"would never be trained; set prior.kind = '{plain_prior(posterior)}', or use the objective elbo with a "
            "kl_weight above 0"
        )
    free_bits = objective.kl_allowance
    if free_bits is not None and free_bits.by_dimension and not kl_has_dimensions(posterior, prior):
        raise ValueError(
            f"free bits of kind '{free_bits.kind}' need the KL of each dimension, which a {posterior.kind} posterior "
            f"with a {prior.kind} prior does not have; set objective.free_bits.kind = 'rate' or 'target' instead of "
            f"'{free_bits.kind}'"
        )
