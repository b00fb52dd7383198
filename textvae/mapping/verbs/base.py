"""The base of verbs: what is done to each text of a file, and the columns that it adds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from textvae.config import Component

if TYPE_CHECKING:
    from textvae.models import TextModel


BLANK = "blank: there is no word to read"
"""Why a text without a word has no answer."""


class Reading(NamedTuple):
    """How a model reads one text.

    Attributes:
        ids: the tokens that it reads, without BOS and EOS.
        tokens: number of tokens that the text has; more than `ids` where the text is too long for the model.
        problem: why the model cannot answer the text; None where it can.
    """

    ids: Sequence[int] = ()
    tokens: int = 0
    problem: str | None = None


class Verb(Component):
    """Settings of what is done to each text of a file.

    A verb is a pure function of a text, its number and the settings: its noise belongs to (file, row, seed).
    """

    def model_of(self, run: str | Path) -> TextModel:
        """The model of a run that this verb uses, on the device of this machine.

        Raises:
            ModelError: there is no such model.
        """
        from textvae.pipeline.run_folder import model_of

        return model_of(run)

    def set_by(self, run: str | Path) -> Verb:
        """The settings with those that are left open taken from the recipe of the run."""
        return self

    def check(self, model: TextModel) -> None:
        """Refuse a model that cannot do this.

        Raises:
            ModelError: it has no z, for instance.
        """
        model.require_tokenizer()

    @abstractmethod
    def columns(self, model: TextModel) -> dict[str, pa.DataType]:
        """The columns that are added, in order. In a file of lines, they are what is written."""

    def read(self, model: TextModel, texts: Sequence[str]) -> list[Reading]:
        """How the model reads each text. The texts are not blank and can be written as UTF-8."""
        found, most = model.require_tokenizer().encode_batch(texts), model.max_tokens
        return [Reading(ids[:most], len(ids), None if ids else BLANK) for ids in found]

    @abstractmethod
    def answer(
        self, model: TextModel, texts: Sequence[str], ids: Sequence[Sequence[int]], rows: np.ndarray, seed: int
    ) -> Mapping[str, Any]:
        """The values of each column, one for each text.

        Args:
            model: that `check` admits.
            texts: those that the model can answer, at least one; too long ones are whole.
            ids: the tokens of each that the model reads.
            rows: the number of each in its file, int64 [N], to which its noise belongs.
            seed: of the noise; another one for each file.
        """
