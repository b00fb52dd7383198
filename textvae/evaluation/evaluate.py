"""Everything that is measured of a model, under the names of `report.json`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator

from textvae.arguments import checked_seed
from textvae.config import MAX_BATCH_TOKENS, MAX_SAMPLES, MAX_STEPS, Config
from textvae.disk import no_number
from textvae.errors import ConfigError, ModelError
from textvae.evaluation.annealed import AISConfig, annealed_likelihood
from textvae.evaluation.bidirectional import bidirectional
from textvae.evaluation.information import active_units, information
from textvae.evaluation.likelihood import Likelihood, likelihood, mean_and_error
from textvae.evaluation.nearest import has_memory, naming_cost, nearest_kl
from textvae.evaluation.perplexity import perplexities
from textvae.evaluation.probe import linear_probe, posterior_means, require_scikit_learn
from textvae.evaluation.protocol import Progress, TextCorpus
from textvae.evaluation.rate_distortion import lossy_codes, rate_distortion
from textvae.evaluation.reconstruction import permuted_codes, reconstruct
from textvae.evaluation.text_quality import prior_samples, text_quality
from textvae.evaluation.verdict import judge
from textvae.generation import DecodingConfig, GreedyConfig, SamplingConfig
from textvae.models import ModelSettings, TextModel
from textvae.text.few_labels import choose_labelled
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import UNK_ID


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
    """Refuse to weigh codes that have no density, or none without a vector which no corpus has, and to anneal a label.

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
    posterior = model.posterior_settings
    if config.ais is None and posterior is not None and not posterior.has_density:
        raise ConfigError(
            f"a {posterior.kind} posterior has no density, so neither ELBO nor importance weighting bounds the "
            "likelihood; add [evaluate.ais] to the recipe, or --ais to the command."
        )
    if config.ais is not None and model.classifies:
        raise ConfigError(
            "annealed importance sampling moves one vector a sentence, and a semi_supervised model has a label beside "
            "it; leave out [evaluate.ais], or --ais of the command."
        )


@dataclass(frozen=True)
class Example:
    """A sentence and what came back from its code."""

    text: str
    reconstruction: str


class Evaluation(dict[str, Any]):
    """The flat metrics of `report.json`; what was not measured is an absent key. Beside them, as attributes:

    Attributes:
        curve: rows `{"iw_samples", "iw_nll", "iw_nll_se"}`, the bound by its number of samples.
        rate_distortion: of a code in levels, what its first k levels cost and tell; see `textvae.evaluation.
            rate_distortion` for the rows. Empty for other models.
        latent_means: posterior means, float32 [N, D], or None.
        labels: class of each of these sentences, int64 [N], -1 for none.
        indices: their places in the corpus, [N].
        by_sentence: what was measured of each, [N]: `sentence` (its place in the corpus), `tokens`, `iw_nll`,
            `elbo_nll`, `rec_nll`, `kl`; two models are compared by the differences of these.
        reconstructions: some sentences and what came back (needs a tokenizer).
        samples: sentences from the prior (needs a tokenizer).
    """

    curve: list[dict[str, Any]]
    rate_distortion: list[dict[str, Any]]
    latent_means: np.ndarray | None
    labels: np.ndarray | None
    indices: np.ndarray
    by_sentence: dict[str, np.ndarray]
    reconstructions: list[Example]
    samples: list[str]

    def __init__(self, indices: np.ndarray) -> None:
        super().__init__()
        self.curve, self.latent_means, self.labels, self.indices = [], None, None, indices
        self.rate_distortion, self.reconstructions, self.samples = [], [], []
        self.by_sentence = {"sentence": indices}

    def put(self, **values: Any) -> None:
        """Add what was measured; None stays absent, and so does what is no finite number, which JSON does not have."""
        self.update({name: value for name, value in values.items() if value is not None and not no_number(value)})


def evaluate(
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig | None = None,
    *,
    seed: int = 0,
    device: torch.device | str | None = None,
    tokenizer: Tokenizer | None = None,
    training_corpus: TextCorpus | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on sentences it has not seen.

    Nats are per sentence, sums over tokens (EOS counted, BOS not); every mean is a total over a count, in float64.
    Nothing but rounding depends on `batch_tokens`. The model's mode and the global random state are left as they were.

    Args:
        model: a TextVAE, a LanguageModel or a SemiSupervisedTextVAE.
        corpus: the tokenized split.
        config: see `EvaluateConfig`.
        seed: of all draws.
        device: where to measure; where the model is when None. The model is left there.
        tokenizer: for BLEU, samples and perplexity per word; the model's own when None.
        training_corpus: to see which samples occur in it word for word, and for probes to learn from.
        progress: called with what is being measured, sentences done, sentences in all.

    Raises:
        ConfigError: a probe needs more labels than a class has, or scikit-learn, which is missing; a posterior without
            a density needs `config.ais`, and a semi-supervised model cannot have it.
    """
    config, seed = config or EvaluateConfig(), checked_seed(seed)
    require_bound(model.config, config)
    # Before anything is measured, so that hours of work do not end in an error.
    shown = _probed_sentences(corpus, training_corpus, config, seed)
    device = torch.device(device if device is not None else model.device)
    model.to(device)
    tokenizer = tokenizer or model.tokenizer
    indices = chosen_sentences(len(corpus), config.max_sentences, seed)
    result = Evaluation(indices)
    where: dict[str, Any] = {"batch_tokens": config.batch_tokens, "device": device, "progress": progress}

    # How likely is the text?
    bounds = likelihood(model, corpus, indices, num_samples=config.iw_samples, seed=seed, **where)
    _put_bounds(result, bounds)
    if has_memory(model) and config.split != "train":
        rate, rate_se = mean_and_error(nearest_kl(model, corpus, indices, seed=seed, **where))
        result.put(kl_nearest=rate, kl_nearest_se=rate_se, kl_nearest_naming=naming_cost(model))
    texts = _text_sizes(corpus, indices)
    splits_words = tokenizer is not None and tokenizer.splits_words
    result.put(**perplexities(bounds.iw_nll, bounds.elbo_nll, bounds.tokens, splits_words=splits_words, **texts))
    result.put(sentences=len(indices), split=config.split, params=model.num_parameters)
    result.put(unk_share=_unk_share(corpus, indices))
    if config.ais is not None and not bounds.exact:
        _put_annealed(result, model, corpus, config, config.ais, bounds, seed, where)

    # What does each level of z cost, and what does it tell?
    if bounds.level_kl:
        _put_levels(result, model, corpus, config, tokenizer, bounds, seed, where)

    # Is z used?
    rise = None
    if model.latent_dim:
        known = information(model, corpus, indices, mi_sentences=config.mi_sentences, seed=seed, **where)
        if known.mi is not None:
            result.put(mi=known.mi, mi_se=known.mi_se, mi_cap=known.mi_cap)
            result.put(mi_sentences=min(config.mi_sentences, len(indices)))
            result.put(marginal_kl=known.marginal_kl, marginal_kl_se=known.marginal_kl_se)
        if known.means_ND is not None:
            varying = active_units(known.means_ND, known.unit_variance)
            result.put(active_units=varying, latent_dim=model.latent_dim)
            result.latent_means = known.means_ND
            result.labels = np.asarray(corpus.labels)[indices] if corpus.label_names else None
            _put_reconstructions(result, model, corpus, config, tokenizer, where)
            _put_probes(result, model, training_corpus, shown, seed, where)
        permuted = permuted_codes(model, corpus, indices, known.codes_ND, seed=seed, **where)
        if permuted is not None:
            rise = permuted.rise
            result.put(permuted_rec_nll=permuted.nll, permuted_rise=rise, permuted_rise_se=permuted.rise_se)
    # Where means cannot vary, no unit is active and none need be.
    units = None if model.config.fixed_mean else result.get("active_units")
    judged = judge(latent_dim=model.latent_dim, mi=result.get("mi"), active_units=units, permuted_rise=rise)
    result.put(collapsed=judged.collapsed, verdict=judged.sentence)

    # What does it write?
    _put_samples(result, model, corpus, config, tokenizer, training_corpus, seed, device)
    return result


def chosen_sentences(count: int, most: int | None, seed: int) -> np.ndarray:
    """Which of `count` sentences are measured: all, or `most` of them drawn by the seed, in their order.

    >>> chosen_sentences(100, 4, seed=0)
    array([50, 55, 87, 98])
    """
    if most is None or most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, 1]).choice(np.arange(count), most, replace=False))


def _put_bounds(result: Evaluation, bounds: Likelihood) -> None:
    for name, values_N in (("iw_nll", bounds.iw_nll), ("elbo_nll", bounds.elbo_nll)):
        if values_N is not None:
            mean, error = mean_and_error(values_N)
            # A language model's likelihood is exact; its rows say 0 there, not the spread of the corpus.
            result.put(**{name: mean, f"{name}_se": 0.0 if bounds.exact else error})
    if bounds.iw_nll is not None:
        result.put(iw_samples=bounds.num_samples)
    if bounds.kl is not None:
        kl, kl_se = mean_and_error(bounds.kl)
        result.put(kl=kl, kl_se=None if bounds.exact else kl_se)
    result.put(rec_nll=mean_and_error(bounds.rec_nll)[0])
    measured = {"tokens": bounds.tokens, "iw_nll": bounds.iw_nll, "elbo_nll": bounds.elbo_nll}
    measured |= {"rec_nll": bounds.rec_nll, "kl": bounds.kl}
    result.by_sentence |= {name: values_N for name, values_N in measured.items() if values_N is not None}
    for k, values_N in sorted(bounds.curve.items()):
        mean, error = mean_and_error(values_N)
        row = {"iw_samples": k, "iw_nll": mean, "iw_nll_se": 0.0 if bounds.exact else error}
        result.curve.append({name: value for name, value in row.items() if value is not None and not no_number(value)})


def _put_levels(
    result: Evaluation,
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig,
    tokenizer: Tokenizer | None,
    bounds: Likelihood,
    seed: int,
    where: dict[str, Any],
) -> None:
    for name, values_N in bounds.level_kl.items():
        mean, error = mean_and_error(values_N)
        result.put(**{name: mean, f"{name}_se": error})
    if not config.rate_distortion_samples:
        return
    found = rate_distortion(
        model, corpus, result.indices, num_samples=config.rate_distortion_samples, seed=seed, **where
    )
    if found is None:
        return
    chosen = _spread(result.indices, config.reconstruct_sentences)
    for row in found.rows():
        restored = reconstruct(
            model,
            corpus,
            chosen,
            decoding=config.reconstruct_decoding,
            tokenizer=tokenizer,
            codes_of=partial(lossy_codes, model, row["levels"]),
            **where,
        )
        told = {name: value for name, value in restored.metrics.items() if name != "bleu_signature"}
        result.rate_distortion.append({**row, **told})


def _put_annealed(
    result: Evaluation,
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig,
    ais: AISConfig,
    bounds: Likelihood,
    seed: int,
    where: dict[str, Any],
) -> None:
    """What the importance-weighted bound leaves: annealing on some sentences, bounds from both sides on simulated ones.

    `ais_gain` is by how much annealing is below the importance-weighted bound on the very same sentences.
    """
    rows = _spread(np.arange(len(result.indices)), ais.sentences)
    found = annealed_likelihood(model, corpus, result.indices[rows], ais, seed=seed, **where)
    mean, error = mean_and_error(found.nll)
    result.put(ais_nll=mean, ais_nll_se=error, ais_acceptance=found.acceptance)
    result.put(ais_sentences=len(rows), ais_chains=ais.chains, ais_steps=ais.steps)
    if bounds.iw_nll is None:
        # The only bound there is, so the only perplexity: of these sentences.
        tokens = int(bounds.tokens[rows].sum())
        result.put(ais_ppl=perplexities(found.nll, None, bounds.tokens[rows])["ppl"], ais_tokens=tokens)
    else:
        gain, gain_error = mean_and_error(bounds.iw_nll[rows] - found.nll)
        result.put(ais_gain=gain, ais_gain_se=gain_error)
    if ais.simulated:
        try:
            result.put(**bidirectional(model, ais, iw_samples=config.iw_samples, seed=seed, **where).metrics())
        except ModelError as error:
            # A model that writes without end has all other numbers; they shall not be lost.
            warnings.warn(f"No bounds from both sides: {error}", stacklevel=2)


def _put_reconstructions(
    result: Evaluation,
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig,
    tokenizer: Tokenizer | None,
    where: dict[str, Any],
) -> None:
    # Spread evenly over the corpus, whose order may mean something, and the same every time.
    chosen = _spread(result.indices, config.reconstruct_sentences)
    found = reconstruct(model, corpus, chosen, decoding=config.reconstruct_decoding, tokenizer=tokenizer, **where)
    result.put(**found.metrics, reconstructed=len(chosen))
    if tokenizer is not None:
        for row in _spread(np.arange(len(chosen)), config.samples):
            texts = tokenizer.decode_batch([found.originals[row], found.reconstructions[row]])
            result.reconstructions.append(Example(*texts))


def _probed_sentences(
    corpus: TextCorpus, training_corpus: TextCorpus | None, config: EvaluateConfig, seed: int
) -> dict[int, np.ndarray]:
    """The training sentences whose labels each probe is shown, by how many they are; none where there are no labels."""
    if not config.probe_labels or training_corpus is None or len(training_corpus.label_names) < 2:
        return {}
    if not (np.asarray(corpus.labels) >= 0).any():
        return {}
    require_scikit_learn()
    labels, classes = np.asarray(training_corpus.labels), len(training_corpus.label_names)
    return {
        count: choose_labelled(labels, count, classes, seed, setting="evaluate.probe_labels")
        for count in config.probe_labels
    }


def _put_probes(
    result: Evaluation,
    model: TextModel,
    training_corpus: TextCorpus | None,
    shown: dict[int, np.ndarray],
    seed: int,
    where: dict[str, Any],
) -> None:
    if not shown or training_corpus is None or result.labels is None or result.latent_means is None:
        return
    measured = result.labels >= 0
    if not measured.any():
        return
    # Each sentence is encoded once, however many probes are shown it.
    union = np.unique(np.concatenate(list(shown.values())))
    means_ND = posterior_means(model, training_corpus, union, **where)
    if means_ND is None:
        return
    labels_N = np.asarray(training_corpus.labels)[union]
    for count, chosen in shown.items():
        rows = np.searchsorted(union, chosen)
        found = linear_probe(
            means_ND[rows], labels_N[rows], result.latent_means[measured], result.labels[measured], seed=seed
        )
        result.put(**{f"probe_accuracy_{count}": found.accuracy, f"probe_accuracy_{count}_se": found.accuracy_se})


def _spread(rows: np.ndarray, count: int | None) -> np.ndarray:
    """At most `count` of the rows, evenly spread over them; all of them when None."""
    if count is None or count >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def _put_samples(
    result: Evaluation,
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig,
    tokenizer: Tokenizer | None,
    training_corpus: TextCorpus | None,
    seed: int,
    device: torch.device,
) -> None:
    count = max(config.quality_samples, config.samples)
    if not count:
        return
    made = prior_samples(model, count, config.decoding, seed=seed, device=device)
    if config.quality_samples:
        picked = np.random.default_rng([seed, 2]).permutation(result.indices)[: config.quality_samples]
        originals = [corpus.ids(int(i)).tolist() for i in picked]
        seen = None
        if training_corpus is not None:
            seen = {tuple(training_corpus.ids(i).tolist()) for i in range(len(training_corpus))}
        result.put(
            **text_quality(
                made[: config.quality_samples],
                originals,
                allow_unk=config.decoding.allow_unk,
                training=seen,
            )
        )
    if tokenizer is not None:
        result.samples = tokenizer.decode_batch(made[: config.samples])


def _text_sizes(corpus: TextCorpus, indices: np.ndarray) -> dict[str, np.ndarray]:
    characters = np.fromiter((len(corpus.text(int(i))) for i in indices), dtype=np.int64, count=len(indices))
    return {"words_N": np.asarray(corpus.word_counts)[indices], "characters_N": characters}


def _unk_share(corpus: TextCorpus, indices: np.ndarray) -> float:
    """`<unk>` among the predicted tokens: a small vocabulary buys a low perplexity."""
    unknown = sum(int((corpus.ids(int(i)) == UNK_ID).sum()) for i in indices)
    return unknown / int((np.asarray(corpus.lengths)[indices] - 1).sum())
