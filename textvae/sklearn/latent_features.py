"""A sentence VAE as a transformer of scikit-learn: texts in, the means of their codes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float32
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from textvae.arguments import checked_count
from textvae.config import MAX_WIDTH
from textvae.errors import ModelError
from textvae.sklearn.inputs import path_of, seed_of, texts_of, value_errors
from textvae.sklearn.text_estimator import TextEstimator
from textvae.text.given import checked_overlong

if TYPE_CHECKING:
    from textvae.models import ModelSettings

CODES_AT_ONCE = 256
"""Codes that are decoded together."""


class LatentFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TextEstimator):
    """Texts to the means of their codes: the posterior means of a sentence VAE that `fit` trains on the texts.

    X is a list, a tuple, an array or a Series of strings, one text a row. Labels are not used. The features have no
    common scale: an estimator that needs one takes them through a `StandardScaler`.

    Equal fits from equal seeds are equal, on a CPU to the bit, if the number of threads is the same too: size of the
    model and number of epochs are planned by the speed of a fixed reference machine, never by a measurement.

    Args:
        minutes: how much a fit may compute, in minutes of the reference machine, one core of an AMD EPYC. Texts and
            minutes decide on the size of the model and the most epochs. Early stopping often ends the fit of a small
            corpus sooner.
        latent_dim: number of features; None for that of the planned model, 16 to 32.
        settings: override those of the planned recipe, such as ``{"train.epochs": 5, "tokenize.max_tokens": 20}``.
            `latent_dim` and `random_state` override them in turn.
        random_state: seed of the weights, the noise and the order of batches: a whole number, or a
            ``numpy.random.RandomState`` or None, from which a seed is drawn.
        pretrained: a finished run, a model folder, or a name on the Hugging Face hub. `fit` then loads that model and
            trains nothing, and the parameters above have no effect.
        overlong: what `transform` does with a text of more tokens than the model was trained for: cut it as in
            training ("truncate"), or refuse it ("error").
        out: the folder in which texts, recipe, run and report of the fit are kept; an interrupted fit goes on there. A
            folder belongs to one set of texts, so that it is not for cross-validation. None: a temporary folder, which
            is removed.
        verbose: whether to print progress to standard error.

    Attributes:
        model_: the trained `TextVAE`.
        card_: facts about its training: seed, steps, epoch kept, validation bound.
        seed_: the seed of the fit; None with `pretrained`.

    >>> LatentFeatures(latent_dim=8)
    LatentFeatures(latent_dim=8)
    """

    entry: ClassVar[str] = "latent_features"
    use_instead: ClassVar[str] = "LatentFeatures(pretrained=...)"

    def __init__(
        self,
        *,
        minutes: object = 5.0,
        latent_dim: object = None,
        settings: object = None,
        random_state: object = 0,
        pretrained: object = None,
        overlong: object = "truncate",
        out: object = None,
        verbose: object = False,
    ) -> None:
        # scikit-learn's contract: parameters are stored as they are, and checked by `fit`.
        self.minutes = minutes
        self.latent_dim = latent_dim
        self.settings = settings
        self.random_state = random_state
        self.pretrained = pretrained
        self.overlong = overlong
        self.out = out
        self.verbose = verbose

    def fit(self, X: object, y: object = None) -> LatentFeatures:
        """Train the model on texts, or load that of `pretrained`.

        Args:
            X: texts, at least 30 different ones; blank ones are left out. With `pretrained` any number.
            y: not used.

        Raises:
            InputError: X is no list of texts, or has too few.
            ConfigError: a parameter is wrong.
            ModelError: the model of `pretrained` cannot be read, or gives no features.
        """
        texts = texts_of(X)
        checked_overlong(self.overlong)
        if self.pretrained is not None:
            from textvae.pipeline.run_folder import find_model

            self._open(find_model(path_of(self.pretrained, "pretrained")))
            self.seed_ = None
        else:
            seed = seed_of(self.random_state)
            self._train(texts, seed)
            self.seed_ = seed
        return self

    def transform(self, X: object) -> Float32[np.ndarray, "N D"]:
        """The posterior mean of each text; it depends neither on the other texts nor on their order.

        A blank text has the code of a sentence without words.

        Args:
            X: texts.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no list of texts, or a text is too long and `overlong` is "error".
        """
        from textvae.tasks.encode import encode

        count, parts = self._rows(X)
        found_ND = np.empty((count, self.model_.latent_dim), dtype=np.float32)
        for part, rows in parts:
            found_ND[part] = encode(self.model_, rows)
        return found_ND

    def inverse_transform(self, X: object) -> list[str]:
        """The sentence that is decoded from each code, word by word the most probable one.

        Args:
            X: codes, [N, latent_dim], such as those of `transform`.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no array of N rows of `latent_dim` finite numbers.
        """
        check_is_fitted(self)
        codes = np.asarray(X)
        with value_errors():
            if codes.ndim != 2:
                return self.model_.decode(codes)
            parts = (codes[start : start + CODES_AT_ONCE] for start in range(0, len(codes), CODES_AT_ONCE))
            return [text for part in parts for text in self.model_.decode(part)]

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _more_tags(self) -> dict[str, Any]:
        return {**super()._more_tags(), "preserves_dtype": []}

    def _train(self, texts: list[str], seed: int) -> None:
        from textvae.pipeline.fitting import GivenTexts

        own: dict[str, Any] = {"seed": seed}
        settings = self._own_settings()
        if self.latent_dim is not None:
            own["train.model.latent_dim"] = checked_count(self.latent_dim, "latent_dim", 1, MAX_WIDTH)
        settings = {**settings, **own}
        with self._training(GivenTexts(texts), only="train", settings=settings, require=self._require) as run:
            self._open(run / "train" / "model")

    def _require(self, model: ModelSettings) -> None:
        """Refuse a model whose posterior mean is no feature of a text.

        Raises:
            ModelError: it has no code, or something beside it, or its mean is the same for every text.
        """
        if not model.single_code:
            beside = "a label beside its code" if model.has_code else "no code"
            raise ModelError(
                f"a '{model.kind}' model has {beside}; LatentFeatures needs a text_vae, the model of [train]."
            )
        if model.fixed_mean:
            raise ModelError(
                f"the mean of a {model.code_title} is the same for every text, so it is no feature; use another "
                "posterior, such as gaussian."
            )

    def _restore(self, entry: Mapping[str, Any], path: Path) -> None:
        if self.pretrained is not None:
            self.seed_ = None
