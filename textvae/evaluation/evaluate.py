"""The whole evaluation of a model: every metric, under its name in `report.json`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import numpy as np

from textvae.arguments import checked_seed
from textvae.disk import no_number
from textvae.errors import ModelError
from textvae.evaluation.annealed import AISConfig, annealed_likelihood
from textvae.evaluation.bidirectional import bidirectional
from textvae.evaluation.information import active_units, information
from textvae.evaluation.likelihood import Likelihood, likelihood, mean_and_error
from textvae.evaluation.nearest import has_memory, naming_cost, nearest_kl
from textvae.evaluation.perplexity import perplexities
from textvae.evaluation.probe import linear_probe, posterior_means
from textvae.evaluation.protocol import Progress, TextCorpus
from textvae.evaluation.rate_distortion import lossy_codes, rate_distortion
from textvae.evaluation.reconstruction import permuted_codes, reconstruct
from textvae.evaluation.result import Evaluation, Example
from textvae.evaluation.settings import EvaluateConfig, require_bound
from textvae.evaluation.text_quality import prior_samples, text_quality
from textvae.evaluation.verdict import judge_reconstruction, verdict_of
from textvae.models import TextModel
from textvae.text.few_labels import choose_labelled
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import UNK_ID


def evaluate(
    model: TextModel,
    corpus: TextCorpus,
    config: EvaluateConfig | None = None,
    *,
    seed: int = 0,
    tokenizer: Tokenizer | None = None,
    training_corpus: TextCorpus | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a model on held-out sentences, on the device where the model is.

    Nats are per sentence, sums over tokens (EOS counted, BOS not); every mean is a total over a count, in float64.
    Results depend on `batch_tokens` only by rounding. The model's mode and the global random state are restored.

    Args:
        model: any model.
        corpus: the tokenized split.
        config: see `EvaluateConfig`.
        seed: of all draws.
        tokenizer: for BLEU, samples and perplexity per word; the model's own when None.
        training_corpus: for the share of samples that occur in it word for word, and for training the probes.
        progress: called with what is being measured, sentences done, sentences in all.

    Raises:
        ConfigError: a probe needs more labels than a class has; scikit-learn is missing; `config.ais` is absent for a
            posterior without a density, or present for a semi-supervised model.
    """
    config, seed = config or EvaluateConfig(), checked_seed(seed)
    require_bound(model.config, config)
    # First, because it can fail: an error must not come after hours of measuring.
    shown = _probed_sentences(corpus, training_corpus, config, seed)
    indices = chosen_sentences(len(corpus), config.max_sentences, seed)
    setup = _Setup(model, corpus, config, seed, tokenizer or model.tokenizer, training_corpus, progress)
    result = Evaluation(indices)

    # How likely is the text?
    bounds = likelihood(model, corpus, indices, num_samples=config.iw_samples, seed=seed, **setup.how)
    _put_bounds(result, bounds)
    _put_nearest(result, setup)
    _put_perplexities(result, setup, bounds)
    if config.ais is not None and not bounds.exact:
        _put_annealed(result, setup, config.ais, bounds)

    # What is the rate of each level of z, and how much distortion does it remove?
    if bounds.level_kl:
        _put_levels(result, setup, bounds)

    # Is z used?
    rise = _put_codes(result, setup, shown) if model.has_code else None
    # A posterior whose mean is fixed has no active units, whether or not z is used.
    units = None if model.config.fixed_mean else result.get("active_units")
    judged = verdict_of(
        latent_dim=model.latent_dim,
        mi=result.get("mi"),
        mi_sentences=result.get("mi_sentences"),
        active_units=units,
        permuted_rise=rise,
    )
    result.put(collapsed=judged.collapsed, verdict=judged.sentence)
    if "exact_match" in result:
        result.put(reconstruction=judge_reconstruction(result["exact_match"], result.get("bleu")))

    # What are samples from the prior like?
    _put_samples(result, setup)
    return result


class _How(TypedDict):
    """Arguments of every sweep over the sentences."""

    batch_tokens: int
    progress: Progress | None


@dataclass(frozen=True)
class _Setup:
    """What all measurements share: the model, the corpus and the settings."""

    model: TextModel
    corpus: TextCorpus
    config: EvaluateConfig
    seed: int
    tokenizer: Tokenizer | None
    training_corpus: TextCorpus | None
    progress: Progress | None

    @property
    def how(self) -> _How:
        return {"batch_tokens": self.config.batch_tokens, "progress": self.progress}


def chosen_sentences(count: int, most: int | None, seed: int) -> np.ndarray:
    """Indices of the sentences that are measured: all `count`, or `most` of them drawn by the seed, sorted.

    >>> chosen_sentences(100, 4, seed=0)
    array([50, 55, 87, 98])
    """
    if most is None or most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, 1]).choice(np.arange(count), most, replace=False))


def _spread(rows: np.ndarray, count: int | None) -> np.ndarray:
    """At most `count` of the rows, evenly spread over them; all of them when None."""
    if count is None or count >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def _put_bounds(result: Evaluation, bounds: Likelihood) -> None:
    for name, values_N in (("iw_nll", bounds.iw_nll), ("elbo_nll", bounds.elbo_nll)):
        if values_N is not None:
            mean, error = mean_and_error(values_N)
            # A language model's likelihood is exact, so its error as an estimate is 0.
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


def _put_nearest(result: Evaluation, setup: _Setup) -> None:
    model = setup.model
    # For a training sentence the nearest stored code would be that of the sentence itself.
    if has_memory(model) and setup.config.split != "train":
        nearest_N = nearest_kl(model, setup.corpus, result.indices, seed=setup.seed, **setup.how)
        rate, rate_se = mean_and_error(nearest_N)
        result.put(kl_nearest=rate, kl_nearest_se=rate_se, kl_nearest_naming=naming_cost(model))


def _put_perplexities(result: Evaluation, setup: _Setup, bounds: Likelihood) -> None:
    corpus, indices = setup.corpus, result.indices
    found = perplexities(
        bounds.iw_nll,
        bounds.elbo_nll,
        bounds.tokens,
        splits_words=setup.tokenizer is not None and setup.tokenizer.splits_words,
        words_N=np.asarray(corpus.word_counts)[indices],
        characters_N=np.fromiter((len(corpus.text(int(i))) for i in indices), dtype=np.int64, count=len(indices)),
    )
    result.put(**found)
    result.put(sentences=len(indices), split=setup.config.split, params=setup.model.num_parameters)
    # The share of `<unk>` among the predicted tokens: with a small vocabulary a low perplexity means little.
    unknown = sum(int((corpus.ids(int(i)) == UNK_ID).sum()) for i in indices)
    result.put(unk_share=unknown / int((np.asarray(corpus.lengths)[indices] - 1).sum()))


def _put_annealed(result: Evaluation, setup: _Setup, ais: AISConfig, bounds: Likelihood) -> None:
    """How tight the importance-weighted bound is: annealing on some sentences, and two-sided bounds on simulated ones.

    `ais_gain` is the importance-weighted NLL minus the annealed NLL, on the same sentences.
    """
    model, seed, rows = setup.model, setup.seed, _spread(np.arange(len(result.indices)), ais.sentences)
    found = annealed_likelihood(model, setup.corpus, result.indices[rows], ais, seed=seed, **setup.how)
    mean, error = mean_and_error(found.nll)
    result.put(ais_nll=mean, ais_nll_se=error, ais_acceptance=found.acceptance)
    result.put(ais_sentences=len(rows), ais_chains=ais.chains, ais_steps=ais.steps)
    if bounds.iw_nll is None:
        # Annealing gives the only bound, so the only perplexity is that of the annealed sentences.
        tokens = int(bounds.tokens[rows].sum())
        result.put(ais_ppl=perplexities(found.nll, None, bounds.tokens[rows])["ppl"], ais_tokens=tokens)
    else:
        gain, gain_error = mean_and_error(bounds.iw_nll[rows] - found.nll)
        result.put(ais_gain=gain, ais_gain_se=gain_error)
    if ais.simulated:
        try:
            both = bidirectional(model, ais, iw_samples=setup.config.iw_samples, seed=seed, **setup.how)
            result.put(**both.metrics())
        except ModelError as problem:
            # Too few of the model's sentences end. All other numbers are kept.
            warnings.warn(f"No bounds from both sides: {problem}", stacklevel=3)


def _put_levels(result: Evaluation, setup: _Setup, bounds: Likelihood) -> None:
    model, corpus, config = setup.model, setup.corpus, setup.config
    for name, values_N in bounds.level_kl.items():
        mean, error = mean_and_error(values_N)
        result.put(**{name: mean, f"{name}_se": error})
    if not config.rate_distortion_samples:
        return
    found = rate_distortion(
        model, corpus, result.indices, num_samples=config.rate_distortion_samples, seed=setup.seed, **setup.how
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
            tokenizer=setup.tokenizer,
            codes_of=partial(lossy_codes, model, row["levels"]),
            **setup.how,
        )
        told = {name: value for name, value in restored.metrics.items() if name != "bleu_signature"}
        result.rate_distortion.append({**row, **told})


def _put_codes(result: Evaluation, setup: _Setup, shown: dict[int, np.ndarray]) -> float | None:
    """The information in codes about their sentences: in nats, by reconstruction, and by probes of the label.

    Returns:
        the rise of the reconstruction NLL when codes are permuted, nats; None for a single sentence.
    """
    model, corpus, config, indices = setup.model, setup.corpus, setup.config, result.indices
    known = information(model, corpus, indices, mi_sentences=config.mi_sentences, seed=setup.seed, **setup.how)
    if known.mi is not None:
        result.put(mi=known.mi, mi_se=known.mi_se, mi_cap=known.mi_cap)
        result.put(mi_sentences=known.mi_sentences, mi_1000=known.mi_1000, mi_1000_se=known.mi_1000_se)
        result.put(marginal_kl=known.marginal_kl, marginal_kl_se=known.marginal_kl_se)
    if known.means_ND is not None:
        varying = active_units(known.means_ND, known.unit_variance)
        result.put(active_units=varying, latent_dim=model.latent_dim)
        result.latent_means = known.means_ND
        result.labels = np.asarray(corpus.labels)[indices] if corpus.label_names else None
        _put_reconstructions(result, setup)
        _put_probes(result, setup, shown)
    permuted = permuted_codes(model, corpus, indices, known.codes_ND, seed=setup.seed, **setup.how)
    if permuted is None:
        return None
    result.put(permuted_rec_nll=permuted.nll, permuted_rise=permuted.rise, permuted_rise_se=permuted.rise_se)
    return permuted.rise


def _put_reconstructions(result: Evaluation, setup: _Setup) -> None:
    config, tokenizer = setup.config, setup.tokenizer
    # Spread evenly over the corpus, which may be sorted; the same sentences at every evaluation.
    chosen = _spread(result.indices, config.reconstruct_sentences)
    found = reconstruct(
        setup.model, setup.corpus, chosen, decoding=config.reconstruct_decoding, tokenizer=tokenizer, **setup.how
    )
    result.put(**found.metrics, reconstructed=len(chosen))
    if tokenizer is not None:
        for row in _spread(np.arange(len(chosen)), config.samples):
            made = found.reconstructions[row]
            exact = made == found.originals[row]
            result.reconstructions.append(Example(setup.corpus.text(int(chosen[row])), tokenizer.show(made), exact))


def _probed_sentences(
    corpus: TextCorpus, training_corpus: TextCorpus | None, config: EvaluateConfig, seed: int
) -> dict[int, np.ndarray]:
    """Indices of the labelled training sentences of each probe, by their number; empty where there are no labels."""
    if not config.probe_labels or training_corpus is None or len(training_corpus.label_names) < 2:
        return {}
    labels, classes = np.asarray(training_corpus.labels), len(training_corpus.label_names)
    if not (np.asarray(corpus.labels) >= 0).any() or len(np.unique(labels[labels >= 0])) < 2:
        return {}
    return {
        count: choose_labelled(labels, count, classes, seed, setting="evaluate.probe_labels")
        for count in config.probe_labels
    }


def _put_probes(result: Evaluation, setup: _Setup, shown: dict[int, np.ndarray]) -> None:
    training_corpus, labels_N, latent_ND = setup.training_corpus, result.labels, result.latent_means
    if not shown or training_corpus is None or labels_N is None or latent_ND is None:
        return
    measured = labels_N >= 0
    if not measured.any():
        return
    # Each sentence is encoded once, even where several probes are trained on it.
    union = np.unique(np.concatenate(list(shown.values())))
    means_MD = posterior_means(setup.model, training_corpus, union, **setup.how)
    if means_MD is None:
        return
    labels_M = np.asarray(training_corpus.labels)[union]
    for count, chosen in shown.items():
        rows = np.searchsorted(union, chosen)
        found = linear_probe(means_MD[rows], labels_M[rows], latent_ND[measured], labels_N[measured], seed=setup.seed)
        result.put(**{f"probe_accuracy_{count}": found.accuracy, f"probe_accuracy_{count}_se": found.accuracy_se})


def _put_samples(result: Evaluation, setup: _Setup) -> None:
    config, seed = setup.config, setup.seed
    count = max(config.quality_samples, config.samples)
    if not count:
        return
    made = prior_samples(setup.model, count, config.decoding, seed=seed)
    if config.quality_samples:
        picked = np.random.default_rng([seed, 2]).permutation(result.indices)[: config.quality_samples]
        originals = [setup.corpus.ids(int(i)).tolist() for i in picked]
        training = setup.training_corpus
        seen = None if training is None else {tuple(training.ids(i).tolist()) for i in range(len(training))}
        quality = text_quality(
            made[: config.quality_samples], originals, allow_unk=config.decoding.allow_unk, training=seen
        )
        result.put(**quality)
    if setup.tokenizer is not None:
        result.samples = setup.tokenizer.show_batch(made[: config.samples])
