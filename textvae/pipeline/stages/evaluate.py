"""The stage `evaluate`: measures the model on held-out sentences, and makes examples and pictures for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from textvae.config import Config
from textvae.disk import write_json
from textvae.pipeline.by_sentence import BY_SENTENCE
from textvae.pipeline.closing import Closing
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.run_folder import decoder_knows_prior, open_model, progress_lines, split_file
from textvae.pipeline.section import Section
from textvae.pipeline.shown import SHOWN, shorten, spread_out
from textvae.pipeline.stage import DETAILS, Stage, Work

if TYPE_CHECKING:
    from textvae.generation import DecodingConfig
    from textvae.models import TextModel

ENDING = 3
"""Sentences at the end of a run."""

METRICS = (
    Metric("iw_nll", "NLL, importance-weighted", "nats per sentence",
           "how surprised the model is by unseen sentences, by the tightest bound measured on all; lower is better",
           note="IW-{iw_samples}",
           definition="the importance-weighted upper bound on the negative log-likelihood with `iw_samples` samples "
           "(Burda et al. 2016); at most `elbo_nll` in expectation"),
    Metric("elbo_nll", "NLL, ELBO", "nats per sentence",
           "the bound that training works on; never below the importance-weighted one, but for noise",
           definition="minus the evidence lower bound at KL weight 1, without free bits: an upper bound on the "
           "negative log-likelihood"),
    Metric("ais_nll", "NLL, annealed", "nats per sentence",
           "by annealed importance sampling, a bound that needs no good q(z|x); on some of the sentences only, "
           "whose mean may differ", note="AIS-{ais_steps}, {ais_sentences} sentences",
           definition="the upper bound by annealed importance sampling with `ais_chains` chains of `ais_steps` "
           "distributions (Neal 2001; Wu et al. 2017), on `ais_sentences` of the sentences only"),
    Metric("ais_gain", "... below the importance-weighted one", "nats per sentence",
           "on the same sentences: the importance-weighted bound is above the true NLL by at least this much",
           definition="`iw_nll` minus `ais_nll` on the same sentences: the importance-weighted bound is above the true "
           "NLL by at least this much"),
    Metric("simulated_nll_upper", "NLL of the model's own sentences, at most", "nats per sentence",
           "by annealing forward, as on real sentences; in expectation not below the truth",
           definition="an upper bound, in expectation, on `simulated_sentences` that the model generated "
           "(bidirectional Monte Carlo, Grosse et al. 2015)"),
    Metric("simulated_nll_lower", "... and at least", "nats per sentence",
           "by annealing backward from the code of each sentence; in expectation not above the truth",
           definition="a lower bound, in expectation, on the same sentences, from the code each was generated from"),
    Metric("simulated_gap", "Gap of annealed bounds", "nats per sentence",
           "between the upper and the lower bound: the truth lies between them",
           definition="`simulated_nll_upper` minus `simulated_nll_lower`"),
    Metric("simulated_iw_distance", "Importance-weighted bound from the truth", "nats per sentence",
           "at most, on sentences sampled from the model",
           definition="`simulated_iw_nll` minus `simulated_nll_lower`: the importance-weighted bound is above the true "
           "NLL by at most this much"),
    Metric("simulated_iw_nll", "... importance-weighted", "nats per sentence",
           "the importance-weighted bound on sentences sampled from the model", shown=False),
    Metric("ais_ppl", "Perplexity, annealed", "per token",
           "from the annealed bound on its sentences; q(z|x) has no density, so there is no other bound",
           note="over {ais_tokens:,} tokens",
           headline="NLL at most {ais_nll:.1f} nats per sentence, perplexity at most {ais_ppl:.1f} per token, by "
           "annealing on {ais_sentences:,} sentences.",
           definition="exp(total `ais_nll` / `ais_tokens`), on its sentences; only where q(z|x) has no density, and so "
           "neither `iw_nll` nor `ppl`"),
    Metric("ais_acceptance", "Acceptance of annealing", "share", "of the moves of annealing that are accepted",
           shown=False,
           definition="mean acceptance probability of the annealing moves; step sizes are adapted towards 0.8, and if "
           "it is far below, the bounds are looser than they could be"),
    Metric("ppl", "Perplexity", "per token",
           "exp(total NLL / total tokens), from that same bound; end of sentence counts as a token; "
           "compare only between models with the same tokens", note="over {tokens:,} tokens",
           headline="NLL at most {iw_nll:.1f} nats per sentence, perplexity at most {ppl:.1f} per token, over "
           "{tokens:,} tokens of {sentences:,} sentences.",
           definition="exp(total `iw_nll` / `tokens`)"),
    Metric("tokens", "Predicted tokens", "count", "EOS counted, BOS not", 0, shown=False,
           definition="predicted tokens: EOS counted, BOS not"),
    Metric("elbo_ppl", "Perplexity, ELBO", "per token", "the same from the ELBO", shown=False,
           definition="exp(total `elbo_nll` / `tokens`)"),
    Metric("ppl_word", "Perplexity per word", "per word",
           "the same divided by words between spaces, ends of sentences counted: comparable across tokenizers",
           definition="the total of `ppl` over whitespace words + EOS, for tokenizers that split words"),
    Metric("nll_per_char", "NLL per character", "nats", "for comparing across tokenizers, in any script", 3,
           definition="total NLL over characters, for text without spaces"),
    Metric("rec_nll", "NLL given z", "nats per sentence", "the reconstruction part of the ELBO", shown=False,
           definition="-E_q log p(x|z), the reconstruction part of the ELBO"),
    Metric("kl", "KL(q(z|x) || p(z))", "nats per sentence",
           "how much the code of a sentence differs from the prior: the cost of using z",
           definition="KL(q(z|x) || p(z)), raw: never clamped, never weighted"),
    Metric("kl_z_#", "KL of level #", "nats per sentence", "given the levels above", shown=False,
           definition="for a hierarchical code, the KL of each level given the levels above, the top first; they "
           "sum to `kl`"),
    Metric("kl_nearest", "... to the nearest training codes", "nats per sentence",
           "given the nearest training codes; not part of a bound, because the cost of choosing them is left out",
           definition="KL(q(z|x) || p(z|c)), the mean over the K training codes c nearest to the sentence's own (prior "
           "`nearest_neighbors`; not on the training split, and sentences of the training corpus must not be given by "
           "`--file` either: each would be nearest to its own code)"),
    Metric("kl_nearest_naming", "Cost of naming the nearest", "nats", "the cost of choosing among training codes",
           shown=False,
           definition="log(N / K): the nats needed to name one of K acceptable codes among N stored ones"),
    Metric("mi", "Mutual information of x and z, at least", "nats",
           "information of a code about its sentence; 0 in a collapsed model. It grows with the number of sentences "
           "it is estimated from, and is at most the log of that", note="from {mi_sentences:,} sentences",
           definition="mutual information of x and z under q, with the aggregated posterior over `mi_sentences` "
           "sentences (all that are evaluated, at most 10 000). It grows with that number and is at most `mi_cap`; in "
           "expectation it is a lower bound on the information about the texts that the sentences come from (Oord et "
           "al. 2018; Poole et al. 2019)"),
    Metric("mi_sentences", "Sentences of the mutual information", "sentences", "that it is estimated from", 0,
           shown=False, definition="sentences that `mi` is estimated from"),
    Metric("mi_1000", "... from 1000 sentences", "nats",
           "from as many sentences for every model, for comparing models",
           definition="`mi` from the first 1000 of a fixed shuffle of the sentences, so that models which were "
           "evaluated on different numbers of sentences of one corpus can be compared; absent where there are fewer"),
    Metric("mi_cap", "Cap of mutual information", "nats", "the log of the sentences used", shown=False,
           definition="log N, N = `mi_sentences`, which `mi` cannot exceed"),
    Metric("marginal_kl", "KL(q(z) || p(z))", "nats per sentence",
           "the part of the KL that is not information: the most that a better prior could save",
           definition="KL(q(z) || p(z)) of the aggregated posterior, on the sentences of `mi`: the part of the KL that "
           "is not information (`kl` = `mi` + `marginal_kl` there), and the most that a better prior can save; an "
           "upper bound, and far too high where `mi` is at its cap"),
    Metric("permuted_rise", "Cost of another sentence's z", "nats per sentence",
           "rise of the reconstruction NLL when the code of another sentence is decoded", shown=False,
           definition="by how much `rec_nll` rises, to `permuted_rec_nll`, when each sentence is decoded from the z of "
           "another one; the report calls it the cost of another sentence's z"),
    Metric("permuted_rec_nll", "NLL given another sentence's z", "nats per sentence",
           "reconstruction from the code of another sentence", shown=False),
    Metric("active_units", "Active units", "dimensions",
           "dimensions of z whose mean varies between sentences, variance above 0.01 (0.01 / D on a sphere)", 0,
           definition="latent dimensions whose posterior mean has a variance above 0.01 over sentences (0.01 / D for "
           "codes on the unit sphere, whose D variances sum to at most 1); the mean of an `inverse_autoregressive` or "
           "`hierarchical` posterior is estimated from 32 draws with noise that all sentences share, and for a "
           "`hamiltonian` posterior it is the point to which the mean of its initial distribution is moved"),
    Metric("collapsed", "Collapsed", "yes or no", "whether z is not used; the verdict says why", shown=False,
           definition="`mi` below 1 nat (half of `mi_cap` where that is less), or fewer than 2 active units, or "
           "permuting z between sentences raises `rec_nll` by less than 1 nat; active units do not count for a "
           "posterior whose mean is the same for every sentence (`zero_mean`)"),
    Metric("token_accuracy", "Tokens reconstructed", "share",
           "at the same place, from the code of a sentence alone", 3,
           definition="share of a sentence's tokens (EOS counted) that its reconstruction has at the same place; it is "
           "decoded from the posterior mean (on a sphere, the mean direction) alone and never sees the sentence"),
    Metric("teacher_forced_accuracy", "... given the true tokens before them", "share",
           "likeliest next token, from the code and the sentence so far: a model that ignores z can score well too", 3,
           definition="share of tokens (EOS counted) that the decoder finds likeliest, given the true tokens before "
           "them and the posterior mean; a language model reaches some of it without z, so it says little about z"),
    Metric("exact_match", "Sentences reconstructed", "share", "exactly, to the last token", 3,
           definition="share of reconstructions from the posterior mean, greedy by default, that equal the sentence to "
           "the last token"),
    Metric("bleu", "BLEU of reconstructions", "0 to 100", "overlap of words and phrases, by sacrebleu", 1,
           definition="of the same reconstructions, by sacrebleu on detokenized text"),
    Metric("probe_accuracy_#", "Labels read off codes", "share, from # labels",
           "of test sentences whose label a linear classifier predicts from the posterior mean alone", 3,
           definition="accuracy on test sentences of a linear classifier of posterior means, trained on # labels"),
    Metric("unk_share", "Unknown words", "share", "of predicted tokens that are unknown words", shown=False,
           definition="predicted tokens that are unknown words, which cost little to predict"),
    Metric("sample_unk_share", "... of samples", "share", "of the tokens of samples", shown=False,
           definition="tokens that are unknown words, of sentences drawn from the prior"),
    Metric("sample_distinct_1", "Different words of samples", "share", "different words over all", shown=False,
           definition="of sentences drawn from the prior: different words over all words"),
    Metric("sample_distinct_2", "Different pairs of words of samples", "share", "different pairs over all",
           shown=False, definition="of sentences drawn from the prior: different pairs of words over all pairs"),
    Metric("sample_mean_length", "Length of samples", "tokens", "mean over sentences drawn from the prior",
           shown=False, definition="mean length of sentences drawn from the prior"),
    Metric("sample_memorized", "Samples that are training sentences", "share", "word by word", shown=False,
           definition="of sentences drawn from the prior: share that are training sentences word by word"),
    Metric("corpus_distinct_#", "Different n-grams of the corpus", "share", "of as many sentences as samples",
           shown=False, definition="as `sample_distinct_...`, of as many sentences of the corpus"),
    Metric("corpus_mean_length", "Length of the corpus' sentences", "tokens", "of as many sentences as samples",
           shown=False, definition="as `sample_mean_length`, of as many sentences of the corpus"),
)  # fmt: skip

VERDICT = """
{% if results.verdict is defined %}
<section class="verdict {{ 'bad' if results.collapsed | default(false) else 'good' }}">
<p>{{ results.verdict }}</p>
{% if results.reconstruction is defined %}<p class="note">{{ results.reconstruction }}</p>{% endif %}
</section>
{% endif %}
"""
"""The verdicts: whether z is used, and how well sentences come back, a sentence each."""

MEASURED_ON = """
{% if results.split is defined %}Measured on the {{ results.split }} split
{%- if results.sentences is defined %}, {{ "{:,}".format(results.sentences) }} sentences{% endif %}.{% endif %}
"""

SAMPLES = """
{% set samples = details.samples | default({}) %}
{% if samples %}
<section>
<h2>New sentences</h2>
{% if not decoder_knows_prior(run.settings.train | default({})) %}
<p class="note">The training objective did not draw the codes of sentences to the prior, so the decoder was not trained on codes like the prior's. Sample with a Markov chain from a sentence instead: <code>textvae generate RUN --start TEXT</code>.</p>
{% endif %}
<div class="columns">
{% if samples.greedy is defined %}
<div><h3>z from the prior, greedy decoding</h3>
{{ sentence_list(samples.greedy) }}</div>
{% endif %}
<div><h3>{{ "z from the prior, sampled words" if samples.greedy is defined else "Sampled words" }}</h3>
{{ sentence_list(samples.sampled) }}</div>
</div>
{% if samples.by_label is defined %}
<p class="note">Above, the label is summed out: it is drawn for each sentence by its frequency in training. Below, sentences for given labels, with sampled words.</p>
<div class="columns">
{% for one in samples.by_label %}
<div><h3>{{ one.label }}</h3>
{{ sentence_list(one.sentences) }}</div>
{% endfor %}
</div>
{% endif %}
</section>
{% endif %}
"""  # noqa: E501
"""Sentences from the prior, and for each label where the model has labels."""

RECONSTRUCTIONS = """
{% if details.reconstructions | default([]) %}
<section>
<h2>Sentences through z and back</h2>
<div class="scroll"><table>
<tr><th>Sentence</th><th>Reconstruction from its code</th></tr>
{% for made in details.reconstructions %}
<tr class="entry"><td class="text">{{ made.text }}</td><td class="text">{{ made.reconstruction }}{% if made.exact | default(made.reconstruction == made.text) %} <span class="soft">✓</span>{% endif %}</td></tr>
{% endfor %}
</table></div>
</section>
{% endif %}
"""  # noqa: E501

LEVELS = """
{% if details.rate_distortion | default([]) %}
{% set has_bleu = details.rate_distortion[0].bleu is defined %}
<section>
<h2>Levels of z</h2>
<p class="note">Rate: the KL of the levels sent, each given the levels above, summed. Distortion: minus log p(x|z), with the other levels drawn from the prior given those sent. In the last row the two sum to minus the ELBO. Tokens and sentences restored{% if has_bleu %}, and BLEU,{% endif %} are those of reconstructions from the center of each posterior.</p>
<div class="scroll"><table>
<tr><th class="number">Levels sent</th><th class="number">Rate, nats</th><th class="number">Distortion, nats</th><th class="number">Tokens restored</th><th class="number">Sentences restored</th>{% if has_bleu %}<th class="number">BLEU</th>{% endif %}</tr>
{% for row in details.rate_distortion %}
<tr><td class="number">{{ row.levels }}</td><td class="number">{{ "%.2f" | format(row.rate) }}{% if row.rate_se is defined %} ± {{ "%.2f" | format(row.rate_se) }}{% endif %}</td><td class="number">{{ "%.2f" | format(row.distortion) }}{% if row.distortion_se is defined %} ± {{ "%.2f" | format(row.distortion_se) }}{% endif %}</td><td class="number">{{ "%.3f" | format(row.token_accuracy) }}</td><td class="number">{{ "%.3f" | format(row.exact_match) }}</td>{% if row.bleu is defined %}<td class="number">{{ "%.1f" | format(row.bleu) }}</td>{% endif %}</tr>
{% endfor %}
</table></div>
</section>
{% endif %}
"""  # noqa: E501
"""Rate and distortion of a hierarchical code by the number of levels."""

LATENT_SPACE = """
{% if details.latent is defined and details.latent.points %}
{% set seen = details.latent %}
<section>
<h2>Latent space</h2>
{{ scatter(latent_map(seen), "Posterior means of " ~ (seen.points | length) ~ " sentences as points in a plane") }}
<p class="note">Posterior means of {{ "{:,}".format(seen.points | length) }} sentences in the plane of their two principal components: across, the first has {{ "{:.0%}".format(seen.explained[0]) }} of the variance, upward the second has {{ "{:.0%}".format(seen.explained[1]) }}. The map shows {{ "{:.0%}".format(seen.explained | sum) }} of the variance in {{ seen.dimensions }} dimensions; the rest is not to be seen.</p>
</section>
{% endif %}
"""  # noqa: E501


SHARE, IW_SAMPLES = 0.1, 50
"""Share of a time budget that `textvae new` gives to the bounds, and their samples."""


def _seconds_of_sentence(proposal: Proposal) -> float:
    return proposal.text_tokens * (IW_SAMPLES / proposal.rates.score + 3 / proposal.rates.read)


class EvaluateStage(Stage):
    """Output: the metrics; those of each sentence in `by_sentence.arrow` (columns as in `Evaluation.by_sentence`); and
    `details.json` with samples, reconstructions and the latent space in two dimensions."""

    name: ClassVar[str] = "evaluate"
    title: ClassVar[str] = "Likelihood, use of z, reconstruction"
    version: ClassVar[int] = 2  # mi_1000, and a verdict that names the sentences of the MI
    keeps: ClassVar[tuple[int, ...]] = (1,)
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = (
        *("iw_samples", "sentences", "params", "latent_dim", "reconstructed"),
        *("ais_sentences", "ais_chains", "ais_steps", "ais_tokens", "simulated_sentences", "quality_samples"),
    )
    sections: ClassVar[Sequence[Section]] = (
        Section(VERDICT, area="top"),
        Section(MEASURED_ON, area="numbers"),
        Section(SAMPLES, rank=20, area="texts"),
        Section(RECONSTRUCTIONS, rank=70, area="texts"),
        Section(LEVELS, rank=40),
        Section(LATENT_SPACE, rank=80),
    )

    def files(self) -> tuple[str, ...]:
        return (BY_SENTENCE,)

    def config_type(self) -> type[Config]:
        from textvae.evaluation import EvaluateConfig

        return EvaluateConfig

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        from textvae.evaluation import require_bound

        require_bound(settings["train"].model, settings[self.name])

    def new_table(self, proposal: Proposal) -> dict[str, Any]:
        tested = proposal.shares["test"] * proposal.texts
        affordable = SHARE * proposal.seconds / _seconds_of_sentence(proposal)
        table: dict[str, Any] = {
            "iw_samples": IW_SAMPLES,
            "reconstruct_sentences": 500,
            "decoding": {"kind": "sample", "temperature": 0.7},
        }
        if affordable < tested:
            table["max_sentences"] = int(max(200, affordable))
        return table

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        tested = min(proposal.shares["test"] * proposal.texts, table.get("max_sentences", math.inf))
        return 2.0 + tested * _seconds_of_sentence(proposal) + 1000 * proposal.text_tokens / proposal.rates.generate

    def closing(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> list[Closing]:
        """The verdict, the headlines, and a few sentences from the prior."""
        verdict = results.get("verdict")
        told = (verdict, results.get("reconstruction"))
        lines = [Closing(sentence, "verdict") for sentence in told if isinstance(sentence, str)]
        lines += super().closing(results, details)
        sentences = (details.get("samples") or {}).get("sampled", [])[:ENDING]
        if sentences:
            strange = "" if details.get("decoder_knows_prior", True) else ", on whose codes the decoder was not trained"
            lines.append(Closing(f"New sentences from the prior{strange}:", "sentences"))
        return lines + [Closing(f"  {shorten(text)}", "sentences") for text in sentences]

    def texts(self, details: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        samples = (details.get("samples") or {}).get("sampled", ())
        return {"New sentences, z from the prior, sampled words": samples} if samples else {}

    def run(self, work: Work) -> dict[str, Any]:
        import pyarrow as pa
        from pyarrow import feather

        from textvae.evaluation import evaluate
        from textvae.evaluation.plane import latent_plane
        from textvae.text.tokenized import TokenizedCorpus

        model = open_model(work.inputs["train"] / "model")
        split = split_file(work.inputs["tokenize"], work.config.split)
        corpus = TokenizedCorpus(split)
        training = TokenizedCorpus(work.inputs["tokenize"] / "train.arrow")
        measured = evaluate(
            model, corpus, work.config, seed=work.seed, training_corpus=training, progress=progress_lines(work.say)
        )
        details: dict[str, Any] = {"curve": measured.curve}
        details["decoder_knows_prior"] = decoder_knows_prior(work.recipe.tables.get("train", {}))
        if measured.rate_distortion:
            details["rate_distortion"] = measured.rate_distortion
        details["samples"] = {"sampled": measured.samples[:SHOWN]}
        details["reconstructions"] = [asdict(made) for made in spread_out(measured.reconstructions)]
        if model.latent_dim:
            from textvae.tasks.generate import generate_sentences

            details["samples"]["greedy"] = [made.text for made in generate_sentences(model, SHOWN, seed=work.seed)]
            details["samples"].update(samples_by_label(model, work.config.decoding, work.seed))
        if measured.latent_means is not None:
            texts = [shorten(corpus.text(int(index))) for index in measured.indices]
            details["latent"] = latent_plane(
                measured.latent_means, measured.labels, corpus.label_names, work.seed, texts=texts
            )
        write_json(work.folder / DETAILS, as_json(details))
        feather.write_feather(pa.table(measured.by_sentence), work.folder / BY_SENTENCE)
        return {**as_json(dict(measured)), "split": split.stem}


def samples_by_label(model: TextModel, decoding: DecodingConfig, seed: int) -> dict[str, Any]:
    """`by_label`: name and sentences of at most `SHOWN` labels, about `SHOWN` sentences in all.

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


STAGE = EvaluateStage()
