"""What the cells of a column are like: words, numbers, addresses, how many differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from textvae.text.corpora.files import Row
from textvae.text.corpora.tables import label_text

_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d(e[-+]?\d+)?\s*%?", re.IGNORECASE)
_FRACTION = re.compile(r"[-+]?\d*\.(?!0*$)\d+")
_MACHINE = re.compile(
    r"(?:https?|ftp)://\S+|www\.\S+|\S+@\S+\.\w+"  # addresses
    r"|(?:/|\.{1,2}/|~/|[A-Za-z]:\\)\S+|\S+\.(?:jpe?g|png|gif|wav|mp[34]|txt|pdf|html?|json|csv|xml)"  # paths
    r"|[0-9a-fA-F]{16,}|\{?[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\}?|[A-Za-z]{0,8}[-_#]\d+|[A-Za-z]{1,3}\d{3,}"  # hashes, ids
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ,]+\d{1,2}:\d{2}\S*(?: ?[AP]M)?(?: \S+)?)?"  # dates
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?[AP]M)?"  # times
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*,? .*\d{4}.*"
    r"|[\[{(].*[\]})]",  # lists
    re.IGNORECASE | re.DOTALL,
)
# Letters of scripts that put no spaces between words: about two to a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Profile:
    """The cells of a column, in the rows that were looked at. Shares are of the cells that are not empty.

    Attributes:
        column: its name or position.
        place: its position.
        rows: number of rows.
        counts: how often each value occurs that is not empty.
        words: mean number of words of a cell; of scripts without spaces, two letters count as one.
        characters: mean number of characters of a cell.
        numbers: share of numbers.
        machine: share of addresses, paths, hashes, ids, dates, times and lists.
        markup: share of cells that are HTML.
    """

    column: str | int
    place: int
    rows: int
    counts: Counter[str]
    words: float
    characters: float
    numbers: float
    machine: float
    markup: float

    @property
    def filled(self) -> int:
        """Number of cells that are not empty."""
        return sum(self.counts.values())

    @property
    def distinct(self) -> float:
        """Share of different values among the cells."""
        return len(self.counts) / max(1, self.filled)

    @property
    def fractions(self) -> float:
        """Share of numbers that are not whole."""
        return sum(n for value, n in self.counts.items() if _FRACTION.fullmatch(value)) / max(1, self.filled)

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return all(re.fullmatch(r"[-+]?\d+(\.0+)?", value) for value in self.counts)


def profiles(rows: Sequence[Row], columns: Sequence[str | int]) -> list[Profile]:
    """The profile of every column in some rows."""
    return [_profile(rows, column, place) for place, column in enumerate(columns)]


def _profile(rows: Sequence[Row], column: str | int, place: int) -> Profile:
    counts = Counter(value for row in rows if (value := label_text(row.get(column))) is not None)
    total = max(1, sum(counts.values()))

    def mean(measured: dict[str, float]) -> float:
        return sum(counts[value] * number for value, number in measured.items()) / total

    numbers = {value: float(_NUMBER.fullmatch(value) is not None) for value in counts}
    return Profile(
        column=column,
        place=place,
        rows=len(rows),
        counts=counts,
        words=mean({value: words_in(value) for value in counts}),
        characters=mean({value: float(len(value)) for value in counts}),
        numbers=mean(numbers),
        machine=mean({value: float(not numbers[value] and is_machine(value)) for value in counts}),
        markup=mean({value: float(value[0] == "<" and value[-1] == ">") for value in counts}),
    )


def is_machine(text: str) -> bool:
    """Whether a text is an address, a path, a hash, an id, a date, a time or a list.

    >>> is_machine("https://x.org/a"), is_machine("2020-01-31 10:00"), is_machine("It was late.")
    (True, True, False)
    """
    return _MACHINE.fullmatch(text) is not None


def words_in(text: str) -> float:
    """Number of words in a text; two letters of a script without spaces count as one.

    >>> words_in("It is late."), words_in("今日は天気")
    (3.0, 2.5)
    """
    unspaced = len(_UNSPACED.findall(text))
    return unspaced / 2 + len(_UNSPACED.sub("", text).split())
