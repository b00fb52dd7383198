"""The settings of a classifier, and whether they fit together."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from textvae.config import MAX_BATCH_TOKENS, MAX_STEPS, Config, first_problem
from textvae.errors import ConfigError
from textvae.models import ModelSettings, SemiSupervisedConfig
from textvae.models.support import kl_has_dimensions
from textvae.objectives import BatchMeanFreeBitsConfig, ELBOConfig, ObjectiveConfig, RateFreeBitsConfig
from textvae.objectives.schedules import ConstantScheduleConfig, ScheduleConfig
from textvae.regularizers import RegularizerConfig
from textvae.tasks.contrast import ContrastConfig
from textvae.tasks.word_mixture import WordMixtureConfig
from textvae.training import AdamConfig, OptimizerConfig, TrainConfig

HELD_OUT, ENOUGH = 0.2, 25
"""Share of the labels that are held out where nothing else is asked for, if there are so many for each class."""

NGRAMS = 2
"""Words of the longest n-grams that a classifier reads where its parts are those of the VAE."""

Method = Literal["semi_supervised", "supervised", "probe"]
"""What a classifier learns from: the labels and all sentences, by the bound of a semi-supervised VAE; the labels
alone, with all weights; or the labels alone, by a linear layer on frozen features."""


class ClassifyConfig(Config):
    """Settings of a classifier: a recipe's `[classify]` table."""

    added: ClassVar[frozenset[str]] = frozenset({"with_validation", "start_competes", "words"})

    method: Method = Field(
        "semi_supervised",
        description="'supervised' is the same net with the same start, from the labels alone; 'probe' a linear layer "
        "on the frozen encoder",
    )
    labels: Annotated[int, Field(gt=1)] | Literal["all"] = Field(
        500,
        description="training sentences whose label is looked at, the same number from each class; all of a class that "
        "has fewer; 'all' for all",
    )
    held_out: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="share of these labels that is not learned from, but chooses the epoch and the temperature of the "
        "probabilities; when absent 0.2, and none where there are fewer than 25 labels for each class, or where "
        "there are no epochs, as a cross-validation chooses the temperature then. With none the last epoch is kept",
    )
    unlabelled: int | None = Field(
        None, ge=0, description="training sentences used without a label; all others when absent"
    )
    with_validation: bool = Field(
        False,
        description="learn from the validation sentences too, as from those of training: where no label is to be lost. "
        "The bound that is measured on them is then one of sentences that were learned from",
    )
    model: SemiSupervisedConfig | None = Field(
        None,
        description="the classifier's parts; when absent, those of the trained VAE, and a classifier that reads words "
        "and pairs of words besides",
    )
    warm_start: bool = Field(
        True,
        description="start from the weights of the trained VAE where their shapes fit, and from the linear layer of "
        "method 'probe', which needs it",
    )
    start_competes: bool = Field(
        False,
        description="keep the classifier as it was before its training, if labels that are held out are likelier by it "
        "than by the best epoch; method 'supervised' does so in any case",
    )
    contrast: ContrastConfig | None = Field(
        None,
        description="first train the encoder on pairs of labelled sentences (SetFit), which pays for a pretrained one; "
        "not at all when absent",
    )
    words: WordMixtureConfig | None = Field(
        None,
        description="let a mixture of unigrams and the linear layer learn from all sentences (co-EM), before the bound "
        "is trained; when absent, with its defaults where the classifier reads n-grams. For method 'semi_supervised'",
    )
    train_encoder: bool = Field(
        True,
        description="go on training the encoder; if not, it reads each sentence once, which is fast where it is large",
    )
    objective: ObjectiveConfig | None = Field(
        None,
        description="when absent, the ELBO with 8 free nats: by dimension if the KL is known by dimension, else of the "
        "total KL",
    )
    objective_weight: ScheduleConfig = Field(
        default_factory=ConstantScheduleConfig, description="as in [train]; 0 for a classifier without a bound"
    )
    optimizer: OptimizerConfig = Field(default_factory=AdamConfig)
    classification_weight: float = Field(
        20.0, gt=0, description="weight of the classifier's cross-entropy against the bound"
    )
    regularizers: tuple[RegularizerConfig, ...] = Field(
        (), description="as in [train]; 'consistency' and 'pseudo_labels' make use of sentences without a label"
    )
    label_word_dropout: float = Field(
        0.3, ge=0, lt=1, description="share of a labelled sentence's words hidden from the classifier"
    )
    labelled_sentences: int = Field(64, gt=0, description="labelled sentences in each step")
    epochs: int = Field(
        5, ge=0, le=MAX_STEPS, description="of training by the bound; 0 keeps the classifier of `words`"
    )
    steps: int = Field(200, gt=0, le=MAX_STEPS, description="steps of method 'supervised', in place of epochs")
    early_stopping: int | None = Field(
        None, gt=0, description="epochs of patience on the labels that are held out, or on the bound where none are"
    )
    valid_sentences: int = Field(
        2000, gt=0, description="validation sentences whose bound is measured after an epoch, at most"
    )
    batch_tokens: int = Field(2048, gt=0, le=MAX_BATCH_TOKENS)
    batch_sentences: int | None = Field(None, gt=0, description="as in [train]")
    clip_norm: float = Field(5.0, gt=0, allow_inf_nan=True, description="as in [train]")

    @model_validator(mode="after")
    def _probe_has_features(self) -> ClassifyConfig:
        if self.method == "probe" and not self.warm_start:
            raise ValueError("method 'probe' is a linear layer on the trained encoder; set warm_start = true")
        return self

    @model_validator(mode="after")
    def _regularizers_train(self) -> ClassifyConfig:
        if self.epochs == 0 and self.regularizers:
            raise ValueError("regularizers need a training by the bound; set epochs above 0, or remove regularizers")
        return self

    def held_out_share(self, labels: int, classes: int) -> float:
        """The share of `labels` that is held out.

        >>> [ClassifyConfig().held_out_share(labels, 2) for labels in (20, 100)]
        [0.0, 0.2]
        """
        if self.held_out is not None:
            return self.held_out
        if self.method == "semi_supervised" and self.epochs == 0 and (self.contrast is None or self.contrast.folds):
            return 0.0
        return HELD_OUT if labels >= ENOUGH * classes else 0.0


def words_of(config: ClassifyConfig, model: SemiSupervisedConfig) -> WordMixtureConfig:
    """The settings of the mixture of unigrams, with defaults filled in: none where the classifier reads no n-grams.

    >>> words_of(ClassifyConfig(), SemiSupervisedConfig(classifier_ngrams=2)).rounds
    6
    """
    if config.words is not None:
        return config.words
    return WordMixtureConfig(rounds=WordMixtureConfig().rounds if model.classifier_ngrams else 0)


def check_classifier(config: ClassifyConfig, vae: ModelSettings) -> tuple[SemiSupervisedConfig, ObjectiveConfig]:
    """The model and the objective of a classifier, with defaults filled in.

    Args:
        config: settings of the classifier.
        vae: settings of the trained model, whose parts are used where `config.model` is None.

    Raises:
        ConfigError: a classifier cannot have these parts, or the objective does not fit them.

    >>> from textvae.models import TextVAEConfig
    >>> model, objective = check_classifier(ClassifyConfig(), TextVAEConfig(latent_dim=7))
    >>> model.latent_dim, objective.free_bits.nats
    (7, 8.0)
    """
    model = config.model
    if model is None:
        shared = SemiSupervisedConfig.model_fields.keys() - {"kind"}
        parts = vae.model_dump(include=set(shared)) if vae.has_code else {}
        try:
            model = SemiSupervisedConfig.model_validate({**parts, "classifier_ngrams": NGRAMS})
        except ValidationError as error:
            raise ConfigError(
                "without a [classify.model] of its own, [classify] uses the parts of the trained model, and "
                f"{first_problem(error)}; to keep the trained model as it is, remove [classify], or write the parts of "
                "the classifier into [classify.model]."
            ) from None
    if config.method == "semi_supervised" and config.epochs == 0 and words_of(config, model).rounds == 0:
        raise ConfigError(
            "with epochs = 0 and no words nothing is learned from sentences without a label; set classify.epochs above "
            "0, or give the classifier words (classify.model.classifier_ngrams = 2, classify.words.rounds above 0), or "
            "set classify.method = 'supervised'."
        )
    objective = config.objective
    if objective is None:
        by_dimension = kl_has_dimensions(model.posterior, model.prior)
        free_bits = (BatchMeanFreeBitsConfig if by_dimension else RateFreeBitsConfig)(nats=8.0)
        objective = ELBOConfig(free_bits=free_bits)
    if objective.gradient_estimator == "doubly_reparameterized":
        raise ConfigError(
            "setting 'classify.objective': doubly reparameterized gradients would scale the gradients of the "
            'classifier\'s cross-entropy too; set classify.objective.gradient = "plain".'
        )
    try:
        TrainConfig(
            model=model,
            objective=objective,
            objective_weight=config.objective_weight,
            regularizers=config.regularizers,
            epochs=max(1, config.epochs),
        )
    except ValidationError as error:
        raise ConfigError(f"setting 'classify.objective' or 'classify.regularizers': {first_problem(error)}.") from None
    return model, objective
