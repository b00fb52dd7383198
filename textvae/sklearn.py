"""A sentence VAE as an estimator of scikit-learn: texts in, the means of their codes out."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from textvae.arguments import checked_count, checked_minutes, checked_seed, shown, whole_number
from textvae.config import MAX_WIDTH
from textvae.disk import at_home, is_folder
from textvae.errors import ConfigError, DataError, ModelError
from textvae.text.given import GivenOverlong, checked_overlong, checked_texts, is_missing

if TYPE_CHECKING:
    from textvae.models import ModelSettings, TextModel

__all__ = ["InputError", "LatentFeatures"]

ENTRY, FORMAT_VERSION = "latent_features", 1
"""The entry of a saved model's card that holds the parameters, and the version of its format."""
TEXTS_AT_ONCE = 4096
"""Texts that are tokenized together."""
CODES_AT_ONCE = 256
"""Codes that are decoded together."""

_turn = threading.Lock()
"""Fits in several threads take turns: torch's random state, from which a training draws, is one for the process."""


class InputError(DataError, ValueError):
    """Texts or codes cannot be used as they are. It is the ValueError that scikit-learn expects of an estimator."""


class LatentFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
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

    model_: TextModel
    card_: dict[str, Any]
    seed_: int | None

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
        texts = _texts_of(X)
        checked_overlong(self.overlong)
        if self.pretrained is not None:
            from textvae.pipeline.run_folder import find_model

            self._open(find_model(_path(self.pretrained, "pretrained")))
            self.seed_ = None
        else:
            seed = _seed(self.random_state)
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
        check_is_fitted(self)
        return _means(self.model_, _texts_of(X), checked_overlong(self.overlong))

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
        with _value_errors():
            if codes.ndim != 2:
                return self.model_.decode(codes)
            parts = (codes[start : start + CODES_AT_ONCE] for start in range(0, len(codes), CODES_AT_ONCE))
            return [text for part in parts for text in self.model_.decode(part)]

    def save(self, folder: str | Path) -> None:
        """Save the fitted estimator as a model folder, without pickle, with its parameters in the model's card.

        `load` reads it, and so does everything that takes a model folder, such as ``TextVAE.from_pretrained``. Of a
        `random_state` that is no whole number the seed that was drawn is saved.

        Args:
            folder: new, or with an older model; other files in it are left alone.

        Raises:
            NotFittedError: there was no `fit`.
            ModelError: a file that textvae did not write is in the way.
            ConfigError: a parameter is no JSON value.
            MachineError: the disk is full or broken.
        """
        check_is_fitted(self)
        parameters = self.get_params(deep=False)
        if whole_number(self.random_state) is None:
            parameters["random_state"] = self.seed_
        plain = json.loads(json.dumps(parameters, default=_plain))
        entry = {"format_version": FORMAT_VERSION, "parameters": plain}
        self.model_.save_pretrained(at_home(folder), {**self.card_, ENTRY: entry})

    @classmethod
    def load(cls, folder: str | Path) -> LatentFeatures:
        """The fitted estimator that `save` has written.

        Raises:
            ModelError: `save` has not written the folder, or it is damaged.
        """
        path = at_home(folder)
        entry = _card_of(path).get(ENTRY)
        if not isinstance(entry, dict) or not isinstance(entry.get("parameters"), dict):
            raise ModelError(
                f"{path} holds a model that LatentFeatures.save has not written; use it by "
                "LatentFeatures(pretrained=...)."
            )
        parameters = entry["parameters"]
        if entry.get("format_version") != FORMAT_VERSION or not parameters.keys() <= cls().get_params().keys():
            raise ModelError(
                f"{path} was saved by a LatentFeatures of another version; install a newer textvae, or use the model "
                "by LatentFeatures(pretrained=...)."
            )
        made = cls(**parameters)
        made._open(path)
        made.seed_ = None if made.pretrained is not None else whole_number(made.random_state)
        return made

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """The tags for scikit-learn 1.5."""
        return {"X_types": ["1darray", "string"], "preserves_dtype": []}

    def _train(self, texts: list[str], seed: int) -> None:
        from textvae.pipeline.fitting import fit_into
        from textvae.pipeline.reference import REFERENCE

        settings = self.settings if self.settings is not None else {}
        if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
            raise ConfigError(f'settings is {shown(settings)}; expected a dict such as {{"train.epochs": 5}}.')
        own: dict[str, Any] = {"seed": seed}
        if self.latent_dim is not None:
            own["train.model.latent_dim"] = checked_count(self.latent_dim, "latent_dim", 1, MAX_WIDTH)
        minutes, out = checked_minutes(self.minutes), None if self.out is None else _path(self.out, "out")
        with (
            _turn,
            tempfile.TemporaryDirectory(prefix="textvae-", ignore_cleanup_errors=True) as scratch,
            _value_errors(),
        ):
            self._open(
                fit_into(
                    Path(scratch) / "fit" if out is None else out,
                    texts,
                    minutes=minutes,
                    settings={**settings, **own},
                    only="train",
                    trial=REFERENCE,
                    require=_require_features,
                    quiet=not self.verbose,
                )
            )

    def _open(self, folder: Path) -> None:
        """Load a model, on this machine's device."""
        from textvae.disk import settled
        from textvae.pipeline.run_folder import open_model

        model = open_model(folder)
        _require_features(model.config)
        model.require_tokenizer()
        # A name on the hub is no folder here, and the card is not read.
        card = _card_of(folder) if is_folder(settled(folder)) else {}
        self.model_, self.card_ = model, {name: value for name, value in card.items() if name != ENTRY}


def _require_features(model: ModelSettings) -> None:
    """Refuse a model whose posterior mean is no feature of a text.

    Raises:
        ModelError: it has no code, or something beside it, or its mean is the same for every text.
    """
    if not model.single_code:
        beside = "a label beside its code" if model.has_code else "no code"
        raise ModelError(f"a '{model.kind}' model has {beside}; LatentFeatures needs a text_vae, the model of [train].")
    if model.fixed_mean:
        raise ModelError(
            f"the mean of a {model.code_title} is the same for every text, so it is no feature; use another posterior, "
            "such as gaussian."
        )


def _means(model: TextModel, texts: list[str], overlong: GivenOverlong) -> Float32[np.ndarray, "N D"]:
    """The center of each text's posterior, in batches of texts of similar length."""
    from textvae.tasks.encode import encode
    from textvae.tasks.sentences import chunks
    from textvae.text.token_rows import TokenRows

    tokenizer, most = model.require_tokenizer(), model.max_tokens
    found_ND = np.empty((len(texts), model.latent_dim), dtype=np.float32)
    for part in chunks(len(texts), TEXTS_AT_ONCE):
        rows = tokenizer.encode_batch(texts[part])
        for number, row in enumerate(rows, start=part.start + 1):
            if overlong == "error" and len(row) > most:
                raise InputError(
                    f"Text {number} has {len(row)} tokens, more than the {most} the model was trained for; shorten "
                    'it, or have it cut as in training with overlong="truncate".'
                )
        # A text without a token is BOS and EOS, which every encoder can read.
        found_ND[part] = encode(model, TokenRows([row[:most] for row in rows]))
    return found_ND


def _texts_of(X: object) -> list[str]:
    """The texts of X as a list.

    Raises:
        InputError: X is no list of texts: it is one string, a table or another array of two dimensions, or empty; or
            something in it is missing or is no string.
    """
    if hasattr(X, "shape") and isinstance(X.shape, tuple) and len(X.shape) != 1:
        column = f"X[{next(iter(X.columns))!r}]" if hasattr(X, "columns") and len(X.columns) else "X[:, 0]"
        raise InputError(
            f"X has the shape {X.shape}, and texts are expected in one dimension, one a row; give the column of the "
            f"texts itself, such as {column} (in a ColumnTransformer, name the column by a string, not by a list)."
        )
    with _value_errors():
        if isinstance(X, Iterable) and not isinstance(X, str | bytes | Mapping):
            X = list(X)
            for number, text in enumerate(X, start=1):
                if is_missing(text):
                    raise DataError(f"Text {number} is missing ({shown(text)}); fill it with '', or leave its row out.")
        return checked_texts(X, "text")


def _seed(random_state: object) -> int:
    if whole_number(random_state) is not None:
        return checked_seed(random_state, "random_state")
    return int(check_random_state(random_state).randint(2**31 - 1))


def _path(value: object, name: str) -> Path:
    if not isinstance(value, str | Path):
        raise ConfigError(f"{name} is {shown(value)}; expected a path.")
    return at_home(value)


def _card_of(folder: Path) -> dict[str, Any]:
    """The card of a model folder."""
    from textvae.disk import settled
    from textvae.models.folder import read_header

    card = read_header(settled(folder)).get("card")
    return card if isinstance(card, dict) else {}


def _plain(value: object) -> object:
    """A parameter that is no JSON value, as one."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise ConfigError(f"a parameter holds {shown(value)}, which JSON has not; set it to a plain value before saving.")


@contextmanager
def _value_errors() -> Iterator[None]:
    """Errors in texts and codes become an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except DataError as error:
        raise InputError(str(error)) from None
