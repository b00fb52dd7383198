"""The texts that a command was given, one a line: which of them the model reads, and what is said of the others.

Line i of the output belongs to line i of the input, so no line may be lost because of another one. An empty line is
answered by an empty line. A line that is too long is cut, as the tokenize stage cut those of training. Both are said on
standard error, and so are words that the model does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textvae.arguments import shown
from textvae.commands.output import warn
from textvae.errors import DataError
from textvae.parsing import bad_character

if TYPE_CHECKING:
    from textvae.models import TextModel
    from textvae.text.tokenizers import Tokenizer
    from textvae.text.tokenizers.unknown import Unknown

MOST = 3
"""Lines of one kind that are named one by one; the rest are counted."""
WORDS = 5
"""Unknown words that are named of a line."""
LONGEST = 30
"""Characters of an unknown word that are shown."""
EMPTY = "it is empty; give at least one word."
"""Why the model does not read a text without a word."""


@dataclass(frozen=True)
class Lines:
    """The given texts, and those among them that the model reads.

    Attributes:
        given: all texts.
        places: positions of those that the model reads, ascending.
    """

    given: list[str]
    places: list[int]

    @property
    def texts(self) -> list[str]:
        """The texts that the model reads. Those that are too long are whole: pass them on with
        ``overlong="truncate"``."""
        return [self.given[place] for place in self.places]

    def answers(self, found: Sequence[dict[str, Any]], blank: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One answer for each given text.

        Args:
            found: the answers to `texts`, in order; each has the given text as `text`.
            blank: the other values of the answer to a text that the model does not read.
        """
        by_place = dict(zip(self.places, found, strict=True))
        return [by_place.get(place, {"text": text, **blank}) for place, text in enumerate(self.given)]


def checked_lines(texts: Sequence[str], unit: str = "sentence", *, all_needed: bool = False) -> list[str]:
    """The texts of a command, checked as far as possible without a model.

    Args:
        texts: as the user gave them.
        unit: the word for one text in error messages.
        all_needed: refuse a text that no model could read, instead of leaving its line empty.

    Raises:
        DataError: there is none, none that a model could read, or not all that are needed.
    """
    if not texts:
        raise DataError(f"No {unit} was given; give at least one.")
    _require_some([_harm(text) for text in texts], unit, all_needed=all_needed)
    return list(texts)


def readable_lines(
    texts: Sequence[str],
    model: TextModel,
    *,
    unit: str = "sentence",
    measure: Callable[[str], tuple[int, int]] | None = None,
    words_of: Callable[[str], str] = str,
    all_needed: bool = False,
) -> Lines:
    """Find the texts that a model reads, and warn of lines that are empty, too long, or have unknown words.

    Args:
        texts: as the user gave them.
        model: that reads them.
        unit: the word for one text in error messages.
        measure: gives the number of tokens that the model reads of a text, and the number that it has. It raises a
            DataError where the model cannot read the text. By default a text is read up to the model's `max_tokens`.
        words_of: gives the part of a text whose words are looked up in the vocabulary.
        all_needed: refuse a text that cannot be read, instead of leaving its line empty.

    Raises:
        DataError: the model can read none of the texts, or not all that are needed.
    """
    tokenizer = model.require_tokenizer()
    measure = measure or _up_to(tokenizer, model.max_tokens)
    problems, sizes = [_harm(text) for text in texts], dict[int, tuple[int, int]]()
    for place, text in enumerate(texts):
        if problems[place] is None:
            try:
                sizes[place] = measure(text)
            except DataError as error:
                problems[place] = str(error)
    _require_some(problems, unit, all_needed=all_needed)
    name = _Names(len(texts), unit)
    _tell([f"{name(place)}: {problem}" for place, problem in enumerate(problems) if problem not in (None, EMPTY)])
    _tell(
        [f"{name(place)} is empty, and so is its answer." for place, problem in enumerate(problems) if problem == EMPTY]
    )
    _tell(
        [
            f"{name(place)} is cut as in training: {read} of its {tokens} tokens are read."
            for place, (read, tokens) in sizes.items()
            if read < tokens
        ]
    )
    lines = Lines(list(texts), list(sizes))
    _tell_unknown(tokenizer.unknown([words_of(text) for text in lines.texts]), lines, name)
    return lines


def _harm(text: str) -> str | None:
    """Why no model can read a text; None where there is no reason."""
    if not text.strip():
        return EMPTY
    harm = bad_character(text)
    return None if harm is None else f"{shown(text, 40)} holds {harm}; mend it, or leave it out."


def _up_to(tokenizer: Tokenizer, most: int) -> Callable[[str], tuple[int, int]]:
    """A `measure` of texts that are read up to so many tokens."""

    def measure(text: str) -> tuple[int, int]:
        tokens = len(tokenizer.encode(text))
        if not tokens:
            raise DataError(EMPTY)
        return min(tokens, most), tokens

    return measure


def _require_some(problems: Sequence[str | None], unit: str, *, all_needed: bool = False) -> None:
    """Refuse texts of which none can be read, or not all that are needed."""
    bad = [(place, problem) for place, problem in enumerate(problems, start=1) if problem is not None]
    if not bad or (len(bad) < len(problems) and not all_needed):
        return
    place, problem = bad[0]
    if len(problems) == 1:
        raise DataError(f"The {unit} cannot be read: {problem}")
    if all(problem == EMPTY for problem in problems):
        raise DataError(f"All {len(problems)} {unit}s are empty; give one with at least one word.")
    if all_needed:
        raise DataError(f"{unit.capitalize()} {place} cannot be read: {problem}")
    place, problem = next((place, problem) for place, problem in bad if problem != EMPTY)
    raise DataError(f"None of the {len(problems)} {unit}s can be read; line {place}: {problem}")


@dataclass(frozen=True)
class _Names:
    """What a text is called in a warning: `line 7`, or `the sentence` where it is the only one."""

    count: int
    unit: str

    def __call__(self, place: int) -> str:
        return f"line {place + 1}" if self.count > 1 else f"the {self.unit}"


def _tell(said: Sequence[str]) -> None:
    """Warn of the first lines of one kind, and count the rest."""
    for one in said[:MOST]:
        warn(one)
    if len(said) > MOST:
        warn(f"... and {len(said) - MOST:,} more line{'s' if len(said) > MOST + 1 else ''} like that.")


def _tell_unknown(found: Sequence[Unknown], lines: Lines, name: _Names) -> None:
    """Warn of unknown words: line by line where these are few, else by their number and the worst line."""
    having = {place: one for place, one in zip(lines.places, found, strict=True) if one.count}
    if len(having) <= MOST:
        for place, one in having.items():
            warn(f"{name(place)}: {_in_words(one)}.")
        return
    unit, count = next(iter(having.values())).unit, sum(one.count for one in having.values())
    worst = max(having, key=lambda place: (having[place].count / having[place].total, having[place].count))
    warn(
        f"{count:,} of {sum(one.total for one in found):,} {unit}s are not in the vocabulary, in {len(having):,} of "
        f"{len(lines.given):,} lines; the worst, {name(worst)}: {_in_words(having[worst])}."
    )
    nothing = [place + 1 for place, one in having.items() if one.nothing_known]
    if len(nothing) > 1:
        named = ", ".join(map(str, nothing[:WORDS])) + (", ..." if len(nothing) > WORDS else "")
        warn(f"in {len(nothing):,} lines no {unit} is known, so their answers have nothing to do with them ({named}).")


def _in_words(one: Unknown) -> str:
    """Such as `3 of 4 words are not in the vocabulary (zorb, quux, blah)`."""
    short = [word if len(word) <= LONGEST else word[: LONGEST - 3] + "..." for word in one.missing[:WORDS]]
    named = ", ".join(short) + (", ..." if len(one.missing) > WORDS else "")
    if one.nothing_known:
        which = f"its only {one.unit} is" if one.total == 1 else f"all of its {one.total} {one.unit}s are"
        return f"{which} not in the vocabulary ({named}), so the answer has nothing to do with it"
    verb = "is" if one.count == 1 else "are"
    return f"{one.count} of {one.total} {one.unit}s {verb} not in the vocabulary ({named})"
