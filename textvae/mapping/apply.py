"""A verb applied to a table: one pure function, Arrow table in, Arrow table out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pyarrow as pa

from textvae.arguments import checked_seed, shown
from textvae.errors import ConfigError, DataError
from textvae.mapping.verbs import Verb
from textvae.mapping.verbs.base import BLANK, Reading
from textvae.parsing import bad_character

if TYPE_CHECKING:
    from textvae.models import TextModel

OnError = Literal["truncate", "skip", "stop"]
"""What is done with texts that the model cannot read whole: too long ones are cut as in training and others keep their
row without an answer (`truncate`); too long ones have no answer either (`skip`); the first one ends the work
(`stop`)."""

ERROR = "error"
"""The column that says why a row has no answer."""
_AGAIN = "textvae_"
"""Put before the name of an added column where the table has a column of that name."""


@dataclass(frozen=True)
class Counts:
    """What happened to the rows of a table.

    Attributes:
        rows: of the table.
        answered: rows with an answer.
        cut: answered rows whose text was cut as in training.
        too_long: rows without an answer because their text is too long.
        blank: rows without an answer because there is no word in them.
        broken: other rows without an answer.
        first_broken: the first of these rows, counted from 1, and why it has no answer, such as ``row 3: ...``; empty
            where there is none.

    >>> Counts(2, answered=1, broken=1, first_broken="row 2: ...") + Counts(3, broken=3, first_broken="row 3: ...")
    Counts(rows=5, answered=1, cut=0, too_long=0, blank=0, broken=4, first_broken='row 2: ...')
    """

    rows: int = 0
    answered: int = 0
    cut: int = 0
    too_long: int = 0
    blank: int = 0
    broken: int = 0
    first_broken: str = field(default="", compare=False)

    def __add__(self, other: Counts) -> Counts:
        numbers = (one.name for one in fields(Counts) if one.name != "first_broken")
        sums = {name: getattr(self, name) + getattr(other, name) for name in numbers}
        return Counts(**sums, first_broken=self.first_broken or other.first_broken)


def apply(
    table: pa.Table,
    verb: Verb,
    model: TextModel,
    *,
    column: str = "text",
    source: str = "",
    first_row: int = 0,
    seed: int = 0,
    on_error: str = "truncate",
) -> pa.Table:
    """Do something to the text of each row: all columns of the table, and those that the verb adds.

    The result is a function of the arguments alone: what is drawn for a row belongs to (source, row, seed). The same
    rows in other tables give the same answers but for rounding, if `first_row` says where each table begins.

    Args:
        table: with a column of strings.
        verb: what is done; see `textvae.mapping.verbs`.
        model: that does it.
        column: the column with the text; null is a blank text.
        source: the name of the file that the rows come from.
        first_row: the number of the first row in that file, from 0.
        seed: of what is drawn.
        on_error: what is done with texts that are blank, too long, or that the model cannot answer.

    Returns:
        the table with the columns of `Verb.columns` and `error`, which is null where there is an answer. A column that
        exists already is kept; the one that is added is then called ``textvae_label``, for instance.

    Raises:
        DataError: the table has no such column of strings; with ``stop``, a row has no answer.
        ModelError: the model cannot do this.

    >>> import pyarrow as pa
    >>> from textvae.mapping.verbs import EncodeVerb
    >>> from textvae.models import TextVAEConfig
    >>> from textvae.text.tokenizers import WordConfig
    >>> model = TextVAEConfig(latent_dim=2).build(vocab_size=7, max_tokens=5)
    >>> model.tokenizer = WordConfig(vocab_size=7).train(["a cat sat"])
    >>> done = apply(pa.table({"id": [7, 8], "text": ["a cat", ""]}), EncodeVerb(), model)
    >>> done.column_names, [len(z or ()) for z in done["z"].to_pylist()], done["error"].to_pylist()
    (['id', 'text', 'z', 'error'], [2, 0], [None, 'blank: there is no word to read'])
    """
    verb.check(model)
    rows = read_rows(
        texts_of(table, column), verb, model, source=source, first_row=first_row, on_error=checked_on_error(on_error)
    )
    added = answers(rows, verb, model, seed=checked_seed(seed))
    return with_columns(table, result_names(table.column_names, list(added)), added)


@dataclass(frozen=True)
class Rows:
    """Rows of a file as a model reads them.

    Attributes:
        source: the name of the file.
        first_row: the number of the first row in the file.
        good: the places of the rows that are answered, among these rows.
        texts: of the answered rows.
        ids: the tokens of the answered rows that the model reads.
        errors: why each row has no answer; None where it has one.
        counts: what happens to the rows.
    """

    source: str
    first_row: int
    good: list[int]
    texts: list[str]
    ids: list[Sequence[int]]
    errors: list[str | None]
    counts: Counts


def read_rows(
    texts: Sequence[str | None],
    verb: Verb,
    model: TextModel,
    *,
    source: str,
    first_row: int,
    on_error: OnError,
    problems: Sequence[str | None] | None = None,
) -> Rows:
    """Tokenize the texts of rows, and find those that have no answer.

    Args:
        texts: one for each row; None for a row without a text.
        verb: see `apply`, as for the other arguments.
        model: that reads them.
        source: the name of the file.
        first_row: the number of the first row in the file.
        on_error: what is done with texts that the model cannot read whole.
        problems: why rows could not be read from their file, None for those that could; None for no such rows.

    Raises:
        DataError: with ``stop``, a row has no answer.
    """
    readings = _readings(texts, verb, model, problems)
    good: list[int] = []
    errors: list[str | None] = []
    cut = too_long = blank = 0
    first_broken = ""
    # The loop over all rows of a file: hence one pass, and no call where a row has its answer.
    for at, (ids, tokens, error) in enumerate(readings):
        if error is None and tokens > len(ids):
            if on_error == "truncate":
                cut += 1
            else:
                too_long += 1
                error = f"too long: {tokens} tokens, and the model reads {model.max_tokens}"
        elif error == BLANK:
            blank += 1
        elif error is not None and not first_broken:
            first_broken = f"row {first_row + at + 1}: {error.removeprefix('broken: ')}"
        errors.append(error)
        if error is None:
            good.append(at)
        elif on_error == "stop":
            raise DataError(
                f"row {first_row + at + 1} of {source or 'the table'} has no answer ({error}); mend it, or go on past "
                "such rows with --on-error truncate or skip."
            )
    return Rows(
        source,
        first_row,
        good,
        [str(texts[at]) for at in good],
        [readings[at].ids for at in good],
        errors,
        Counts(len(texts), len(good), cut, too_long, blank, len(texts) - len(good) - too_long - blank, first_broken),
    )


def answers(rows: Rows, verb: Verb, model: TextModel, *, seed: int) -> dict[str, pa.Array]:
    """The columns that a verb adds to rows, `error` among them.

    Args:
        rows: see `read_rows`.
        verb: see `apply`, as for the other arguments.
        model: that read them.
        seed: of what is drawn.
    """
    columns = verb.columns(model)
    found: Mapping[str, Any] = dict.fromkeys(columns, ())
    if rows.good:
        numbers = rows.first_row + np.array(rows.good, dtype=np.int64)
        found = verb.answer(model, rows.texts, rows.ids, numbers, seed_of(rows.source, seed))
    added = {name: _spread(found[name], kind, rows.good, len(rows.errors)) for name, kind in columns.items()}
    added[ERROR] = pa.array(rows.errors, pa.string())
    return added


def _readings(
    texts: Sequence[str | None], verb: Verb, model: TextModel, problems: Sequence[str | None] | None
) -> list[Reading]:
    found = _harms(texts)
    for at, problem in enumerate(problems or ()):
        if problem is not None:
            found[at] = problem
    readable = [str(text) for text, problem in zip(texts, found, strict=True) if problem is None]
    read = verb.read(model, readable) if readable else []
    if len(read) == len(texts):
        return read
    each = iter(read)
    return [next(each) if problem is None else Reading(problem=problem) for problem in found]


def _harms(texts: Sequence[str | None]) -> list[str | None]:
    """Why each text cannot be read; None for one that can."""
    found = [None if text is not None and text.strip() else BLANK for text in texts]
    # All texts at once first: nearly always they are without harm.
    if bad_character("".join(text for text in texts if text is not None)) is not None:
        for at, text in enumerate(texts):
            if found[at] is None and (harm := bad_character(str(text))) is not None:
                found[at] = f"broken: it holds {harm}"
    return found


def _spread(values: Any, kind: pa.DataType, good: Sequence[int], rows: int) -> pa.Array:
    """The values of the answered rows as a column of all rows, null elsewhere."""
    found = values if isinstance(values, pa.Array) else pa.array(values, kind)
    if len(good) == rows:
        return found
    places = np.zeros(rows, dtype=np.int64)
    places[list(good)] = np.arange(len(good))
    missing = np.ones(rows, dtype=bool)
    missing[list(good)] = False
    return found.take(pa.array(places, mask=missing))


def with_columns(table: pa.Table, names: Sequence[str], added: Mapping[str, pa.Array]) -> pa.Table:
    """The table with further columns of these names."""
    for name, values in zip(names, added.values(), strict=True):
        table = table.append_column(name, values)
    return table


def result_names(present: Sequence[str], added: Sequence[str]) -> list[str]:
    """The names of columns that are added to a table with these columns.

    >>> result_names(["text", "label"], ["label", "probability", "error"])
    ['textvae_label', 'probability', 'error']
    """
    taken, names = set(present), []
    for name in added:
        while name in taken:
            name = _AGAIN + name
        taken.add(name)
        names.append(name)
    return names


def texts_of(table: pa.Table, column: str) -> list[str | None]:
    """The texts of a column.

    Raises:
        DataError: there is no such column, or it holds no strings.
    """
    if table.column_names.count(column) != 1:
        there = ", ".join(map(repr, table.column_names[:20])) or "none"
        raise DataError(f"the table has no column {column!r}; its columns are {there}; name one of these by --column.")
    values = table[column]
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise DataError(f"column {column!r} holds values of type {values.type}, expected strings; name another column.")
    found: list[str | None] = values.to_pylist()
    return found


def seed_of(source: str, seed: int) -> int:
    """The seed of a file's noise, from its name and the seed of all files: a whole number below 2**63.

    >>> seed_of("a.csv", 0) != seed_of("b.csv", 0), 0 <= seed_of("a.csv", 1) < 2**63
    (True, True)
    """
    content = f"{checked_seed(seed)} {source}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


def checked_on_error(on_error: object) -> OnError:
    """What to do with texts that cannot be read whole.

    Raises:
        ConfigError: it is none of the three.
    """
    for known in get_args(OnError):
        if on_error == known:
            return known  # type: ignore[no-any-return]
    raise ConfigError(f"--on-error is {shown(on_error)}; expected {', '.join(get_args(OnError)[:-1])} or stop.")
