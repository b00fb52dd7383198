"""The stage `classify`: trains a semi-supervised model from few labels and unlabelled sentences, and measures it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textvae.config import Config
from textvae.disk import write_json
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.model_card import model_card
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.run_folder import best_device, split_file
from textvae.pipeline.section import Section
from textvae.pipeline.shown import SHOWN
from textvae.pipeline.stage import DETAILS, Stage, Work

if TYPE_CHECKING:
    from textvae.models import SemiSupervisedTextVAE, TextModel
    from textvae.text.tokenized import TokenizedCorpus
    from textvae.text.tokenizers import Tokenizer

METRICS = (
    Metric("accuracy", "Classifier's accuracy", "share", "of test sentences whose label is predicted", 3,
           definition="share of test sentences that are given their right label",
           headline="Classifier: {accuracy:.1%} of test sentences are right, from {labels:,} labels "
           "({held_out_labels:,} held out); by always the commonest label {majority_accuracy:.1%} are."),
    Metric("supervised_accuracy", "... of the same net from the labels alone", "share",
           "the same start, the same labels, no sentences without a label", 3,
           definition="accuracy of the same net with the same start and the same labels, which no sentence without a "
           "label trains (method `supervised`)"),
    Metric("probe_accuracy", "... of a linear layer on the frozen encoder", "share",
           "a logistic regression from the same labels", 3,
           definition="accuracy of a logistic regression on the features of the trained VAE's encoder, from the same "
           "labels (method `probe`)"),
    Metric("svm_accuracy", "... of a linear SVM on TF-IDF from as many labels", "share",
           "a support vector machine on words and pairs of words", 3,
           note="mean of {svm_draws} draws of {labels:,} labels",
           headline="A linear SVM on TF-IDF, from as many labels ({labels:,}): {svm_accuracy:.1%}.",
           definition="accuracy of a linear support vector machine on TF-IDF of words and pairs of words "
           "(scikit-learn's defaults), trained on `labels` labels; mean of `svm_draws` draws of them"),
    Metric("svm_accuracy_sd", "... its standard deviation over draws of labels", "share",
           "how much the choice of the labels alone changes it; that of the classifier changes as well", 3,
           definition="standard deviation of `svm_accuracy` over the draws of labels; the classifier is one draw"),
    Metric("majority_accuracy", "Accuracy of the commonest label", "share",
           "the accuracy of always predicting it", 3,
           definition="share of test sentences whose label is the commonest of training"),
    Metric("labels", "Labels looked at", "sentences",
           "in all: learned, or held out to choose the epoch and the temperature", 0,
           definition="training sentences whose label was looked at, equally many of each class: those that were "
           "learned, and those that chose the epoch and the temperature (setting `held_out`)"),
    Metric("held_out_labels", "... of them held out", "sentences",
           "they chose the epoch and the temperature", 0,
           definition="of `labels`, those that were not learned but chose the epoch and the temperature"),
    Metric("ece", "Calibration error", "share",
           "mean distance between stated confidence and accuracy", 3,
           note="a perfect predictor would have {ece_perfect:.3f} on so many sentences",
           definition="expected calibration error: the mean distance between confidence and accuracy over 10 bins of "
           "confidence of equal width, weighted by sentences"),
    Metric("ece_perfect", "... of a perfect predictor", "share",
           "what the number of test sentences alone makes of it", 3, shown=False,
           definition="the calibration error of the same probabilities if they held: mean of 200 simulations"),
    Metric("temperature", "Temperature", "factor",
           "by which the logits were divided, so that held-out labels are likeliest", 2,
           definition="the number by which the classifier's logits were divided; 1 where no labels were held out"),
    Metric("nll", "Classifier's NLL", "nats per label", "mean of -log q(y|x) over test sentences", shown=False),
    Metric("tokens_per_second", "Training speed of the classifier", "tokens per second",
           "predicted tokens, in the time of training steps alone", 0, shown=False, definition="as that of `train`"),
    Metric("train_seconds", "Time of its training steps", "seconds", "validation and checkpoints left out", 1,
           shown=False, definition="as that of `train`"),
)  # fmt: skip

CLASSIFIER = """
<section>
<h2>Classifier</h2>
<p>
{%- if results.left_out is defined %}{{ results.left_out }} {% endif %}
{%- if results.labels is defined %}{{ "{:,}".format(results.labels) }} labels were looked at
{%- if results.held_out_labels | default(0) %}; {{ "{:,}".format(results.held_out_labels) }} of them were held out and chose the epoch and the temperature{% endif %}
{%- if results.valid_labels is defined %}, and {{ "{:,}".format(results.valid_labels) }} more chose the epoch{% endif %}
{%- if run.settings.classify.method | default("semi_supervised") == "semi_supervised" %}; the other sentences were learned from without labels{% endif %}. {% endif %}
{%- if results.accuracy is defined %}{{ "{:.1%}".format(results.accuracy) }} of the test sentences are classified correctly
{%- if results.majority_accuracy is defined %}; always predicting the most frequent label would reach {{ "{:.1%}".format(results.majority_accuracy) }}{% endif %}
{%- if results.ece is defined %}. Stated probabilities are {{ "{:.1%}".format(results.ece) }} off on average, where those of a perfect predictor would be {{ "{:.1%}".format(results.ece_perfect) }} off on so many sentences{% endif %}.{% elif results.labels is defined %}No test sentence has a label, so its accuracy is not measured.{% endif %}</p>
{% if results.svm_accuracy is defined or results.probe_accuracy is defined %}
<table>
<caption>Accuracy from {{ "{:,}".format(results.labels) }} labels</caption>
<tbody>
{% for title, value, note in [
  ("this classifier", results.accuracy, ""),
  ("the same net, from the labels alone", results.supervised_accuracy, ""),
  ("a linear layer on the frozen encoder", results.probe_accuracy, ""),
  ("a linear SVM on TF-IDF", results.svm_accuracy, "± %.1f%%, the standard deviation over %d draws of the labels" % (100 * results.svm_accuracy_sd | default(0), results.svm_draws | default(0))),
] if value is defined %}
<tr class="entry"><th scope="row">{{ title }}</th><td class="number">{{ "{:.1%}".format(value) }}</td><td>{{ note }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% if pictures.confusion is defined %}{{ picture(pictures.confusion, "Confusion matrix: counts by true label, in rows, and predicted label, in columns") }}{% endif %}
</section>
"""  # noqa: E501
"""The classifier's accuracy in a sentence, and the confusion matrix."""


_DRAWS = 5
"""Draws of labels from which the SVM learns."""
SHARE, EPOCHS = 0.25, 5
"""Share of a time budget that `textvae new` gives to the classifier, and its epochs."""
_ENCODED, _DECODED = 0.4, 0.6
"""About the share of encoder and decoder in the time of a training step, and of a pass without a gradient."""
_SVM = 4e-6
"""Seconds of the SVMs for each character of the file."""
_HEADS = 0.03
"""Seconds for each label of the regressions from which the three classifiers start."""
_WORDS = 0.002
"""Seconds for each sentence from which the words learn."""


def _decoded(proposal: Proposal) -> int:
    """The labels with which the decoder reads a sentence without one."""
    from textvae.models import SemiSupervisedConfig

    labels = len(proposal.labels)
    return SemiSupervisedConfig().label_sum_of(labels).decoded(labels)


def _seconds_of_pass(proposal: Proposal) -> float:
    """Of a sentence without a label in a training step; times of the stage are parts of it.

    The decoder reads the sentence with several labels, the encoder once. Each step has 64 labelled sentences
    besides, which the encoder reads, whatever the length of the others.
    """
    from textvae.tasks.classifier_settings import ClassifyConfig

    settings = ClassifyConfig()
    labelled = settings.labelled_sentences * proposal.text_tokens / settings.batch_tokens
    return proposal.text_tokens * (_DECODED * _decoded(proposal) + _ENCODED * (1 + labelled)) / proposal.rates.train


def _seconds_beside(proposal: Proposal, labels: int, epochs: int) -> float:
    """Of everything but the steps of sentences without a label: those with one, validation, and what is at the end."""
    from textvae.tasks.classifier_settings import ClassifyConfig

    settings = ClassifyConfig()
    both = _DECODED * _decoded(proposal) + _ENCODED
    valid, test = (proposal.shares[split] * proposal.texts for split in ("valid", "test"))
    read = both * min(valid, settings.valid_sentences)
    epoch = labels * _seconds_of_pass(proposal) + proposal.text_tokens * read / proposal.rates.read
    # The same net from the labels alone, for comparison.
    alone = settings.steps * settings.labelled_sentences * _ENCODED * proposal.text_tokens / proposal.rates.train
    end = alone + _ENCODED * proposal.text_tokens * test / proposal.rates.read + _SVM * proposal.characters
    return 5.0 + _HEADS * labels + _seconds_of_words(proposal) + epochs * epoch + end


def _seconds_of_words(proposal: Proposal) -> float:
    """Of the mixture of unigrams."""
    from textvae.tasks.word_mixture import WordMixtureConfig

    return _WORDS * min(proposal.shares["train"] * proposal.texts, WordMixtureConfig().sentences)


def _seconds_of_start(labels: int) -> float:
    """Of the regression from which a classifier that looks at all labels starts, and of reading and writing."""
    from textvae.tasks.linear_head import COMPARED

    return 5.0 + _HEADS * min(labels, COMPARED)


class ClassifyStage(Stage):
    """Output: `model/`, the accuracy, and the confusion matrix."""

    name: ClassVar[str] = "classify"
    title: ClassVar[str] = "Classifier"
    version: ClassVar[int] = 4  # words learn with the linear layer before the bound is trained
    keeps: ClassVar[tuple[int, ...]] = (1, 2, 3)
    needs: ClassVar[tuple[str, ...]] = ("tokenize", "train")
    resumes: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    metrics: ClassVar[Sequence[Metric]] = METRICS
    unlisted: ClassVar[Sequence[str]] = ("sentences", "svm_draws", "valid_labels", "labels_in_all")  # two of old runs
    sections: ClassVar[Sequence[Section]] = (Section(CLASSIFIER, rank=70),)

    def files(self) -> tuple[str, ...]:
        from textvae.training.folder import FILES

        return (*FILES, "train.arrow", "all.arrow")

    def config_type(self) -> type[Config]:
        from textvae.tasks.classifier_settings import ClassifyConfig

        return ClassifyConfig

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        from textvae.tasks.classifier_settings import check_classifier

        check_classifier(settings[self.name], settings["train"].model)

    def baseline_table(self, table: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        """None: a classifier has a code z, so the baseline without z has none."""

    def new_table(self, proposal: Proposal) -> dict[str, Any] | None:
        shown = proposal.shown_labels
        if not shown:
            return None
        if proposal.found.every_label:
            # Nothing is generated, so that the bound need not be trained.
            return {"labels": "all", "with_validation": True, "epochs": 0}
        left = SHARE * proposal.seconds - _seconds_beside(proposal, shown, EPOCHS)
        # At least as many sentences without a label as with one: else there would be nothing to learn from them.
        unlabelled = max(shown, int(left / (EPOCHS * _seconds_of_pass(proposal))))
        table: dict[str, Any] = {"labels": shown, "epochs": EPOCHS, "optimizer": {"kind": "adam", "lr": 2e-3}}
        if unlabelled < proposal.shares["train"] * proposal.texts:
            table["unlabelled"] = unlabelled
        return table

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        labels, epochs = proposal.shown_labels, table["epochs"]
        if proposal.found.every_label:
            # No test sentence has a label, so nothing is compared.
            return _seconds_of_start(labels) + _seconds_of_words(proposal)
        sentences = min(proposal.shares["train"] * proposal.texts, table.get("unlabelled", math.inf))
        return _seconds_beside(proposal, labels, epochs) + epochs * sentences * _seconds_of_pass(proposal)

    def pictures(self, results: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, str]:
        from textvae.pipeline.report import plots

        confusion = details.get("confusion")
        if not confusion:
            return {}
        names = details.get("label_names") or [str(i) for i in range(len(confusion))]
        return {"confusion": plots.confusion_matrix(confusion, names)}

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.models import SemiSupervisedTextVAE, load_model
        from textvae.tasks.classifier_start import start_of
        from textvae.tasks.classify import classify, evaluate_classifier
        from textvae.tasks.train_classifier import train_classifier
        from textvae.text.joined import join_tokenized
        from textvae.text.tokenized import TokenizedCorpus
        from textvae.text.tokenizers import load_tokenizer

        source = work.inputs["tokenize"]
        train_corpus = TokenizedCorpus(source / "train.arrow")
        known = {label for label in train_corpus.labels.tolist() if label >= 0}
        if len(known) < 2:
            left_out = (
                f"Left out, as the training texts have {'one label' if known else 'no labels'}; a classifier needs two."
            )
            work.say(f"  {left_out}")
            return {"left_out": left_out}
        valid_corpus, test_corpus = TokenizedCorpus(source / "valid.arrow"), TokenizedCorpus(split_file(source, "test"))
        tokenizer, vae = load_tokenizer(source / "tokenizer"), load_model(work.inputs["train"] / "model")
        if work.config.with_validation:
            train_corpus = join_tokenized(
                work.folder / "all.arrow", (train_corpus, valid_corpus), tokenizer, max_tokens=vae.max_tokens
            )
        began = time.monotonic()
        start = start_of(work.config, train_corpus, seed=work.seed, tokenizer=tokenizer, vae=vae.to(best_device()))
        trained = train_classifier(
            work.config,
            train_corpus,
            valid_corpus,
            work.folder,
            seed=work.seed,
            tokenizer=tokenizer,
            vae=vae,
            start=start,
            card=model_card(work),
            progress=work.progress,
        )
        # With the time before an interruption, where there was one.
        before = max(0.0, trained.numbers.get("seconds", 0.0) - (time.monotonic() - began))
        model = SemiSupervisedTextVAE.from_pretrained(work.folder / "model").to(best_device())
        results = as_json(evaluate_classifier(model, test_corpus, train_corpus))
        # The matrix and the lists are for the page only; the other numbers are the results.
        details = {name: results.pop(name) for name in ("confusion", "label_names", "f1") if name in results}
        if not results:
            work.say("  no test text has a label, so the accuracy is not measured.")
        shown = [test_corpus.text(i) for i in range(min(SHOWN, len(test_corpus)))]
        # The text of a cut sentence ends with a whole word, which may be more than its tokens.
        answers = classify(model, shown, overlong="truncate")
        details["examples"] = [
            {**as_json(answer), "truth": test_corpus.label_names[label] if label >= 0 else None}
            for answer, label in zip(answers, test_corpus.labels, strict=False)
        ]
        write_json(work.folder / DETAILS, details)
        speed = {
            name: trained.numbers[name] for name in ("train_seconds", "tokens_per_second") if name in trained.numbers
        }
        labels = trained.learned + trained.held_out
        counts = {
            "labels": labels,
            "held_out_labels": trained.held_out,
            "temperature": trained.temperature,
        }
        if results:
            results |= _others(work, train_corpus, test_corpus, tokenizer, vae, start)
            results |= _svm(train_corpus, test_corpus, labels, work.seed)
        seconds = before + time.monotonic() - began
        return {**counts, **results, **speed, "seconds": round(seconds, 3)}


def _others(
    work: Work,
    train: TokenizedCorpus,
    test: TokenizedCorpus,
    tokenizer: Tokenizer,
    vae: TextModel,
    start: SemiSupervisedTextVAE,
) -> dict[str, Any]:
    """The accuracy of the methods that learn from the labels alone, but the recipe's own."""
    from textvae.tasks.classify import evaluate_classifier
    from textvae.tasks.train_classifier import learn_from_labels

    found = {}
    for method in ("supervised", "probe"):
        if method == work.config.method or not work.config.warm_start:
            continue
        model, _ = learn_from_labels(
            work.config, train, seed=work.seed, tokenizer=tokenizer, vae=vae, method=method, start=start
        )
        found[f"{method}_accuracy"] = evaluate_classifier(model, test, train)["accuracy"]
    return found


def _svm(train: TokenizedCorpus, test: TokenizedCorpus, labels: int, seed: int) -> dict[str, Any]:
    """What a linear SVM on TF-IDF reaches from as many labels."""
    from textvae.evaluation.tfidf import tfidf_accuracies

    try:
        found = tfidf_accuracies(train, test, [labels], range(seed, seed + _DRAWS))[0]
    except ValueError:  # scikit-learn finds no word of two letters in any text
        return {}
    return {"svm_accuracy": float(found.mean()), "svm_accuracy_sd": float(found.std(ddof=1)), "svm_draws": _DRAWS}


STAGE = ClassifyStage()
