"""The base of estimators on texts: a training in a folder, a model, and saving with the parameters in its card."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from textvae.arguments import checked_minutes, shown, whole_number
from textvae.disk import at_home, is_folder
from textvae.errors import ConfigError, ModelError
from textvae.sklearn.inputs import InputError, path_of, settings_of, texts_of, value_errors
from textvae.text.given import checked_overlong

if TYPE_CHECKING:
    from textvae.models import ModelSettings, TextModel
    from textvae.pipeline.fitting import GivenTexts
    from textvae.text.token_rows import TokenRows

FORMAT_VERSION = 1
"""The version of the entry of a saved model's card that holds the parameters."""
TEXTS_AT_ONCE = 4096
"""Texts that are tokenized together."""

E = TypeVar("E", bound="TextEstimator")

_turn = threading.Lock()
"""Fits in several threads take turns: torch's random state, from which a training draws, is one for the process."""


class TextEstimator(BaseEstimator):
    """What estimators share whose model textvae trains on texts.

    Attributes:
        model_: the trained model.
        card_: facts about its training: seed, steps, epoch kept, validation bound.
        seed_: the seed of the fit; None where nothing was trained.
    """

    entry: ClassVar[str]
    """The entry of a saved model's card that holds the parameters."""
    use_instead: ClassVar[str]
    """What takes a model that `save` has not written, for messages."""

    model_: TextModel
    card_: dict[str, Any]
    seed_: int | None
    minutes: object
    settings: object
    random_state: object
    overlong: object
    out: object
    verbose: object

    def save(self, folder: str | Path) -> None:
        """Save the fitted estimator as a model folder, without pickle, with its parameters in the model's card.

        `load` reads it, and so does everything that takes a model folder, such as `textvae.models.load_model`. Of a
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
        entry = {"format_version": FORMAT_VERSION, "parameters": plain, **self._learned()}
        self.model_.save_pretrained(at_home(folder), {**self.card_, self.entry: entry})

    @classmethod
    def load(cls: type[E], folder: str | Path) -> E:
        """The fitted estimator that `save` has written.

        Raises:
            ModelError: `save` has not written the folder, or it is damaged.
        """
        path, name = at_home(folder), cls.__name__
        entry = _card_of(path).get(cls.entry)
        if not isinstance(entry, dict) or not isinstance(entry.get("parameters"), dict):
            raise ModelError(f"{path} holds a model that {name}.save has not written; use it by {cls.use_instead}.")
        parameters = entry["parameters"]
        if entry.get("format_version") != FORMAT_VERSION or not parameters.keys() <= cls().get_params().keys():
            raise ModelError(
                f"{path} was saved by a {name} of another version; install a newer textvae, or use the model by "
                f"{cls.use_instead}."
            )
        made = cls(**parameters)
        made._open(path)
        made.seed_ = whole_number(made.random_state)
        made._restore(entry, path)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """The tags for scikit-learn 1.5."""
        return {"X_types": ["1darray", "string"]}

    # --- what an estimator supplies --------------------------------------------------------------------------

    def _require(self, model: ModelSettings) -> None:
        """Refuse a model that is of no use to this estimator.

        Raises:
            ModelError: it is of no use.
        """

    def _learned(self) -> dict[str, Any]:
        """What `fit` learned beside the model, as JSON values."""
        return {}

    def _restore(self, entry: Mapping[str, Any], path: Path) -> None:
        """Take over what `_learned` gave.

        Raises:
            ModelError: it is damaged.
        """

    # --- what they share -------------------------------------------------------------------------------------

    @contextmanager
    def _training(self, given: GivenTexts, *, only: str, settings: Mapping[str, Any], **options: Any) -> Iterator[Path]:
        """The folder of a finished run; a temporary one is removed afterwards.

        Args:
            given: the texts.
            only: the last stage.
            settings: those of the estimator and its own ones.
            **options: of `fit_into`.
        """
        from textvae.pipeline.fitting import fit_into
        from textvae.pipeline.reference import REFERENCE

        minutes, out = checked_minutes(self.minutes), None if self.out is None else path_of(self.out, "out")
        with (
            _turn,
            tempfile.TemporaryDirectory(prefix="textvae-", ignore_cleanup_errors=True) as scratch,
            value_errors(),
        ):
            yield fit_into(
                Path(scratch) / "fit" if out is None else out,
                given,
                minutes=minutes,
                settings=settings,
                only=only,
                trial=REFERENCE,
                quiet=not self.verbose,
                **options,
            )

    def _open(self, folder: Path) -> None:
        """Load a model, on this machine's device."""
        from textvae.disk import settled
        from textvae.pipeline.run_folder import open_model

        model = open_model(folder)
        self._require(model.config)
        model.require_tokenizer()
        # A name on the hub is no folder here, and the card is not read.
        card = _card_of(folder) if is_folder(settled(folder)) else {}
        self.model_, self.card_ = model, {name: value for name, value in card.items() if name != self.entry}

    def _own_settings(self) -> dict[str, Any]:
        return settings_of(self.settings)

    def _rows(self, X: object) -> tuple[int, Iterator[tuple[slice, TokenRows]]]:
        """The number of texts, and their tokens in parts, each with the place of its texts.

        Raises:
            NotFittedError: there was no `fit`.
            InputError: X is no list of texts, or, as the parts are read, a text is too long and `overlong` is "error".
        """
        check_is_fitted(self)
        texts, overlong = texts_of(X), checked_overlong(self.overlong)
        return len(texts), _parts(self.model_, texts, refuse=overlong == "error")


def _parts(model: TextModel, texts: list[str], *, refuse: bool) -> Iterator[tuple[slice, TokenRows]]:
    from textvae.tasks.sentences import chunks
    from textvae.text.token_rows import TokenRows

    tokenizer, most = model.require_tokenizer(), model.max_tokens
    for part in chunks(len(texts), TEXTS_AT_ONCE):
        rows = tokenizer.encode_batch(texts[part])
        for number, row in enumerate(rows, start=part.start + 1):
            if refuse and len(row) > most:
                raise InputError(
                    f"Text {number} has {len(row)} tokens, more than the {most} the model was trained for; shorten "
                    'it, or have it cut as in training with overlong="truncate".'
                )
        # A text without a token is BOS and EOS, which every encoder can read.
        yield part, TokenRows([row[:most] for row in rows])


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
