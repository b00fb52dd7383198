"""What each number of a report is called, its unit, and what it means in plain words."""

from __future__ import annotations

from typing import Any, NamedTuple


class Metric(NamedTuple):
    """A row of the table: `group.name` in report.json, a title, a unit, a meaning, digits after the point.

    A `#` in the name stands for a number, which the unit may repeat: there is a row for each.
    """

    key: str
    title: str
    unit: str
    meaning: str
    digits: int = 2


METRICS: tuple[Metric, ...] = (
    Metric("evaluate.iw_nll", "NLL, importance-weighted", "nats per sentence",
           "how surprised the model is by unseen sentences, by the tightest bound measured on all; lower is better"),
    Metric("evaluate.elbo_nll", "NLL, ELBO", "nats per sentence",
           "the bound that training works on; never below the importance-weighted one, but for noise"),
    Metric("evaluate.ais_nll", "NLL, annealed", "nats per sentence",
           "by annealed importance sampling, a bound that needs no good q(z|x); on some of the sentences only, "
           "whose mean may be another"),
    Metric("evaluate.ais_gain", "... below the importance-weighted one", "nats per sentence",
           "on the same sentences: how much the importance-weighted bound leaves at least"),
    Metric("evaluate.simulated_nll_upper", "NLL of the model's own sentences, at most", "nats per sentence",
           "by annealing forward, as on real sentences; in expectation not below the truth"),
    Metric("evaluate.simulated_nll_lower", "... and at least", "nats per sentence",
           "by annealing backward from the code each was written from; in expectation not above the truth"),
    Metric("evaluate.simulated_gap", "Gap of annealed bounds", "nats per sentence",
           "between these bounds from both sides: the truth is within it"),
    Metric("evaluate.simulated_iw_distance", "Importance-weighted bound from the truth", "nats per sentence",
           "at most, on sentences the model wrote itself"),
    Metric("evaluate.ais_ppl", "Perplexity, annealed", "per token",
           "from the annealed bound on its sentences, where q(z|x) has no density and so no other bound"),
    Metric("evaluate.ppl", "Perplexity", "per token",
           "exp(total NLL / total tokens), from that same bound; end of sentence counts as a token; "
           "compare only between models with the same tokens"),
    Metric("evaluate.ppl_word", "Perplexity per word", "per word",
           "the same divided by words between spaces, ends of sentences counted: comparable across tokenizers"),
    Metric("evaluate.nll_per_char", "NLL per character", "nats", "for comparing across tokenizers, in any script", 3),
    Metric("evaluate.kl", "KL(q(z|x) || p(z))", "nats per sentence",
           "how much the code of a sentence differs from the prior: what the model pays to use z"),
    Metric("evaluate.kl_nearest", "... to the nearest training codes", "nats per sentence",
           "given which training sentences are near: no part of a bound, as that choice is not paid for"),
    Metric("evaluate.mi", "Mutual information of x and z", "nats",
           "how much of a sentence its code tells; 0 in a collapsed model, and at most the log of the sentences used"),
    Metric("evaluate.marginal_kl", "KL(q(z) || p(z))", "nats per sentence",
           "the part of the KL that is no information: all that a better prior could save"),
    Metric("evaluate.active_units", "Active units", "dimensions",
           "dimensions of z whose mean varies between sentences, variance above 0.01 (0.01 / D on a sphere)", 0),
    Metric("evaluate.token_accuracy", "Tokens reconstructed", "share",
           "at the same place, from the code of a sentence alone", 3),
    Metric("evaluate.teacher_forced_accuracy", "... given the true tokens before them", "share",
           "likeliest next token, from the code and the sentence so far: a language model scores there too", 3),
    Metric("evaluate.exact_match", "Sentences reconstructed", "share", "exactly, to the last token", 3),
    Metric("evaluate.bleu", "BLEU of reconstructions", "0 to 100", "overlap of words and phrases, by sacrebleu", 1),
    Metric("evaluate.probe_accuracy_#", "Labels read off codes", "share, from # labels",
           "of test sentences whose label a linear classifier tells from the posterior's mean alone", 3),
    Metric("classify.accuracy", "Classifier's accuracy", "share", "of test sentences given their right label", 3),
    Metric("classify.majority_accuracy", "Accuracy of the commonest label", "share",
           "what always answering the same would reach", 3),
    Metric("classify.labels", "Labels seen", "sentences",
           "how many training sentences showed the classifier their label", 0),
    Metric("impute.accuracy", "Hidden words restored", "share",
           "one random word is hidden in each test sentence; share filled in exactly", 3),
    Metric("impute.top5", "... among five answers", "share", "the hidden word is one of the first five answers", 3),
    Metric("impute.baseline_accuracy", "... by the commonest word", "share",
           "what always answering the most frequent word would reach", 3),
    Metric("interpolate.smoothness", "Smoothness of paths", "share",
           "1 minus the share of words that change from one step of a path to the next"),
    Metric("interpolate.distinct", "Different sentences on a path", "sentences", "mean over the paths", 1),
    Metric("train.tokens_per_second", "Training speed", "tokens per second",
           "predicted tokens, validation left out", 0),
    Metric("train.train_tokens", "Tokens trained on", "tokens", "predicted tokens in all epochs", 0),
    Metric("train.parameters", "Parameters", "", "trainable numbers of the model", 0),
    Metric("train.peak_memory_mb", "Peak memory of training", "MiB", "maximum resident set of the process", 0),
)  # fmt: skip


def metric_rows(report: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the table for those numbers the report has."""
    rows = []
    for metric in METRICS:
        group, pattern = metric.key.split(".")
        for name, number in _names(pattern, report.get(group, {})):
            found = report[group]
            value = found[name]
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            shown = f"{value:,.{metric.digits}f}"
            error = found.get(f"{name}_se")
            if isinstance(error, int | float):
                shown += f" ± {error:.{metric.digits}f}"
            unit = metric.unit.replace("#", number)
            if metric.key == "evaluate.iw_nll" and found.get("iw_samples"):
                unit += f", IW-{found['iw_samples']}"
            if metric.key == "evaluate.ais_nll" and found.get("ais_steps"):
                unit += f", AIS-{found['ais_steps']}, {found['ais_sentences']} sentences"
            if metric.key == "evaluate.ais_ppl" and found.get("ais_tokens"):
                unit += f", over {found['ais_tokens']:,} tokens"
            if metric.key == "evaluate.ppl" and found.get("tokens"):
                unit += f", over {found['tokens']:,} tokens"
            key = f"{group}.{name}"
            rows.append({"key": key, "title": metric.title, "value": shown, "unit": unit, "meaning": metric.meaning})
    return rows


def _names(pattern: str, found: dict[str, Any]) -> list[tuple[str, str]]:
    """Names of a group that a pattern stands for, each with the number in the place of its `#`, lowest first."""
    before, wild, _ = pattern.partition("#")
    if not wild:
        return [(pattern, "")] if pattern in found else []
    numbers = [name.removeprefix(before) for name in found if name.startswith(before)]
    return [(before + number, number) for number in sorted(filter(str.isdigit, numbers), key=int)]
