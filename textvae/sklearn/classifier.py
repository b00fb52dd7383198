"""A semi-supervised VAE as a classifier of scikit-learn: few labels, and many texts without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float64
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from textvae.arguments import shown
from textvae.errors import ConfigError, ModelError
from textvae.sklearn.inputs import InputError, path_of, seed_of, texts_of
from textvae.sklearn.labels import Labels, labelled_rows, labels_of, name_of
from textvae.sklearn.text_estimator import TextEstimator
from textvae.text.given import checked_overlong

if TYPE_CHECKING:
    from textvae.models import ModelSettings

METHODS = ("semi_supervised", "supervised", "probe")
"""The values of `method`, as in a recipe's `[classify]`."""
_DTYPES = "bifuUO"
"""numpy's letters for the types that classes have."""


class TextVAEClassifier(ClassifierMixin, TextEstimator):
    """Texts to classes, learned from texts of which only some have a label.

    `fit` trains a sentence VAE on all texts. Then a mixture of unigrams, which counts words and pairs of words given
    the class, and a linear layer on what the encoder gives teach each other with all texts (co-EM, Nigam & Ghani 2000);
    `textvae.tasks.word_mixture` says how. With the setting ``classify.epochs`` above 0 a semi-supervised VAE is trained
    from there by its bound (Kingma et al. 2014, arXiv 1406.5298, M2).

    X is a list, a tuple, an array or a Series of strings, one text a row. y has a string, a whole number or a truth
    value for each text. None, NaN or the number -1 stand for no label, as scikit-learn's semi-supervised classifiers
    have it; -1 among strings needs a list or an array of objects. Without any such text the classifier learns from
    the labelled ones alone.

    All labels are looked at and learned. A cross-validation among them chooses the features, or the logistic regression
    of method "probe" where the labels are likelier by it, and the temperature of the probabilities. Methods
    "supervised" and "probe" hold out a fifth of the labels for the temperature, where there are 25 for each class on
    average (setting ``classify.held_out``).

    Equal fits from equal seeds are equal, as those of `LatentFeatures` are.

    Args:
        minutes: how much a fit may compute, in minutes of the reference machine, one core of an AMD EPYC; by texts and
            minutes the recipe is planned. One or two minutes may be exceeded, and thousands of labels or dozens of
            classes take longer.
        method: "semi_supervised"; "supervised": the same net with the same start, trained by the labels alone; or
            "probe": a logistic regression on what the VAE's encoder gives, and on words and pairs of words.
        encoder: the folder of a pretrained sentence encoder of Hugging Face transformers, or its name on the hub
            (extra `pretrained`). It is not trained unless the setting ``train.model.encoder.trainable`` says so. None:
            an LSTM that is trained from scratch.
        settings: override those of the planned recipe, such as ``{"train.epochs": 5, "classify.words.rounds": 10}``.
            `method` and `random_state` override them in turn.
        random_state: as of `LatentFeatures`; the labels that are held out depend on it too.
        overlong: what predictions do with a text of more tokens than the model was trained for: read its beginning, as
            training did ("truncate"), or refuse it ("error").
        out: as of `LatentFeatures`; a folder belongs to one set of texts and labels.
        verbose: whether to print progress to standard error.

    Attributes:
        classes_: the classes, sorted, in the type of y, [C].
        model_: the trained `SemiSupervisedTextVAE`; its `label_names` are the classes as strings.
        card_: facts about its training: method, temperature, seed, steps.
        seed_: the seed of the fit.

    >>> TextVAEClassifier(method="probe")
    TextVAEClassifier(method='probe')
    """

    entry: ClassVar[str] = "classifier"
    use_instead: ClassVar[str] = "textvae.SemiSupervisedTextVAE.from_pretrained"

    classes_: np.ndarray

    def __init__(
        self,
        *,
        minutes: object = 5.0,
        method: object = "semi_supervised",
        encoder: object = None,
        settings: object = None,
        random_state: object = 0,
        overlong: object = "truncate",
        out: object = None,
        verbose: object = False,
    ) -> None:
        # scikit-learn's contract: parameters are stored as they are, and checked by `fit`.
        self.minutes = minutes
        self.method = method
        self.encoder = encoder
        self.settings = settings
        self.random_state = random_state
        self.overlong = overlong
        self.out = out
        self.verbose = verbose

    def fit(self, X: object, y: object) -> TextVAEClassifier:
        """Train the classifier.

        Args:
            X: texts, at least 30 different ones; blank ones are left out, with their labels.
            y: a label for each text, or -1, None or NaN for none; of two classes at least.

        Raises:
            InputError: X is no list of texts, or has too few; or y does not fit.
            ConfigError: a parameter is wrong.
            ModelError: the settings ask for a model that cannot classify.
        """
        from textvae.sklearn.splits import divided

        texts = texts_of(X)
        labels = labels_of(y, len(texts))
        checked_overlong(self.overlong)
        settings, seed = self._planned(), seed_of(self.random_state)
        _require_words(texts, labels)
        names = _names_in_files(labels.classes)
        given = divided(texts, labels.codes, names)
        with self._training(given, only="classify", settings={**settings, "seed": seed}, require=_require_code) as run:
            self._open(run / "classify" / "model")
        # In a folder, a class that its file could not name has a number.
        self.model_.label_names = tuple(name_of(labels.classes[names.index(name)]) for name in self.model_.label_names)
        self.classes_, self.seed_ = labels.classes, seed
        return self

    def predict(self, X: object) -> np.ndarray:
        """The likeliest class of each text, [N], in the type of the y that was learned from.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no list of texts, or a text is too long and `overlong` is "error".
        """
        log_NC = self.predict_log_proba(X)
        return self.classes_[log_NC.argmax(-1)]

    def predict_proba(self, X: object) -> Float64[np.ndarray, "N C"]:
        """The probability of each class, in the order of `classes_`; rows sum to one.

        It depends neither on the other texts nor on their order. A blank text has the probabilities of a sentence
        without words.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no list of texts, or a text is too long and `overlong` is "error".
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: object) -> Float64[np.ndarray, "N C"]:
        """The logarithms of `predict_proba`, nats."""
        from textvae.tasks.classify import log_probabilities

        count, parts = self._rows(X)
        place_of = {name: place for place, name in enumerate(self.model_.label_names)}
        places = [place_of[name_of(label)] for label in self.classes_]
        log_NC = np.empty((count, len(places)))
        for part, rows in parts:
            log_NC[part] = log_probabilities(self.model_, rows, np.arange(len(rows)))[:, places]
        # The model's own sums are right to 1e-6.
        return log_NC - np.log(np.exp(log_NC).sum(-1, keepdims=True))

    def score(self, X: object, y: object, sample_weight: object = None) -> float:
        """The accuracy on the texts that have a label; those without one are left out.

        So cross-validation scores a y with -1 in it. scikit-learn's own scorers, such as "f1_macro", would take -1 for
        a class.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no list of texts, y has not one entry for each, or no text has a label.
        """
        check_is_fitted(self)
        texts = texts_of(X)
        rows, labels = labelled_rows(y, len(texts))
        if not rows:
            raise InputError("No text has a label, so there is nothing to score; give some texts their label.")
        weights = None if sample_weight is None else np.asarray(sample_weight)[rows]
        return float(super().score([texts[row] for row in rows], labels, weights))

    def _planned(self) -> dict[str, Any]:
        """The settings: those of `encoder`, those given, and those of `method`, each overriding the former."""
        if self.method not in METHODS:
            expected = ", ".join(map(repr, METHODS[:-1]))
            raise ConfigError(f"method is {shown(self.method)}; expected {expected} or {METHODS[-1]!r}.")
        own: dict[str, Any] = {}
        if self.encoder is not None:
            own["train.model.encoder"] = {"kind": "pretrained", "model": str(path_of(self.encoder, "encoder"))}
        return {**own, **self._own_settings(), "classify.method": self.method}

    def _require(self, model: ModelSettings) -> None:
        if not model.classifies:
            raise ModelError(f"a '{model.kind}' model cannot classify; TextVAEClassifier needs that of [classify].")

    def _learned(self) -> dict[str, Any]:
        kind = self.classes_.dtype.str if self.classes_.dtype != object else "O"
        return {"classes": self.classes_.tolist(), "type_of_classes": kind}

    def _restore(self, entry: Mapping[str, Any], path: Path) -> None:
        values, kind = entry.get("classes"), entry.get("type_of_classes")
        try:
            dtype = np.dtype(str(kind))
            classes = np.array(values, dtype=dtype)
            known = dtype.kind in _DTYPES and classes.ndim == 1
        except (TypeError, ValueError, OverflowError):
            known = False
        if not known or sorted(map(name_of, classes)) != sorted(self.model_.label_names):
            raise ModelError(
                f"the classes in the card of {path} are not those of its model; save the classifier again, or use the "
                f"model by {self.use_instead}."
            )
        self.classes_ = classes


def _require_code(model: ModelSettings) -> None:
    """Refuse a model of [train] from which no classifier starts.

    Raises:
        ModelError: it has no code.
    """
    if not model.has_code:
        raise ModelError(f"a '{model.kind}' model has no code; TextVAEClassifier needs a text_vae in [train].")


def _require_words(texts: Sequence[str], labels: Labels) -> None:
    """Refuse a class of which all texts are blank.

    Raises:
        InputError: there is such a class.
    """
    from textvae.text.normalize import normalize

    seen = {code for text, code in zip(texts, labels.codes.tolist(), strict=True) if code >= 0 and normalize(text)}
    for code, label in enumerate(labels.classes.tolist()):
        if code not in seen:
            raise InputError(f"All texts of the class {shown(label)} are blank; leave them out, or give it other ones.")


def _names_in_files(classes: np.ndarray) -> list[str]:
    """The names of classes in a file of texts: their own, or numbers where a reader would change one of them."""
    from textvae.text.corpora.tables import label_text

    names = [name_of(label) for label in classes]
    if all(label_text(name) == name for name in names):
        return names
    return [f"class {place:0{len(str(len(names)))}}" for place in range(len(names))]
