"""The kind of corpus that reads a file, and the settings of its card, by the file's ending and its first lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from textvae.errors import DataError
from textvae.text.corpora import FILE_KINDS, JSONLinesCorpus
from textvae.text.corpora.delimiters import Sniffed, known_names, sniff
from textvae.text.corpora.files import filled
from textvae.text.corpora.signatures import markup

DEFAULT_KIND = "lines"
"""The kind of corpus for a file that no other kind recognizes."""

_LINES, _TITLE = 2000, 6
_JSON_KINDS = ("json_lines", "json")
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def kind_of(path: Path, lines: Sequence[str], delimiter: str | None = None) -> tuple[str, Mapping[str, object]]:
    """The kind of corpus that reads a file, and settings of its card.

    Args:
        path: the file, for its ending.
        lines: its first lines.
        delimiter: the character between cells, if the user names it; see `delimiter_of`.

    Raises:
        DataError: the file is a page of markup.
    """
    lines = lines[:_LINES]
    if (found := markup("\n".join(filled(lines)))) is not None:
        raise DataError(f"{path} is {found[0]}, not text or a table; {found[1]}.")
    if delimiter is not None:
        return "csv", _with_delimiter(lines, delimiter)
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    named = next((name for name, kind in FILE_KINDS.items() if ending in kind.endings), None)
    if named in _JSON_KINDS and filled(lines, 1):
        single = named == "json_lines" and len(filled(lines)) == 1 and filled(lines)[0].lstrip().startswith("{")
        return ("json_lines" if single or JSONLinesCorpus.looks_like(lines) else "json"), {}
    if named is not None and FILE_KINDS[named].may_have_header:
        table = sniff(lines)
        _refuse_title(path, lines, table)
        return (table.kind, table.settings) if table is not None else (named, {})
    if named is not None:
        return named, FILE_KINDS[named].settings_of(lines)
    for name, kind in reversed(FILE_KINDS.items()):
        if filled(lines, 1) and kind.looks_like(lines):
            return name, kind.settings_of(lines)
    return DEFAULT_KIND, {}


def _refuse_title(path: Path, lines: Sequence[str], table: Sniffed | None) -> None:
    """Refuse a table that begins below lines of another sort, such as a title."""
    first = filled(lines, _LINES)
    if table is not None and table.columns > 1 and len(table.rows[0]) >= table.columns:
        return
    for left_out in range(1, min(_TITLE, len(first) - 1)):
        below = sniff(first[left_out:])
        if below is not None and below.columns > 1 and known_names(below) > 0:
            what = "line 1 is" if left_out == 1 else f"the first {left_out} lines are"
            raise DataError(f"{path}, {what} no part of the table that begins below; delete what is above its header.")


def delimiter_of(given: str) -> str:
    r"""The character that the user means by `--delimiter`.

    Raises:
        DataError: it is no single character.

    >>> delimiter_of(";"), delimiter_of("\\t"), delimiter_of("tab")
    (';', '\t', '\t')
    """
    found = _NAMED_DELIMITERS.get(given.lower(), given)
    if len(found) != 1 or found in '"\r\n\0':
        raise DataError(f"--delimiter is {given!r}; expected one character, such as ';', or tab.")
    return found


def _with_delimiter(lines: Sequence[str], delimiter: str) -> Mapping[str, object]:
    table = sniff(lines, only=delimiter)
    own: Mapping[str, object] = {} if table is None else table.settings
    return {**own, "delimiter": delimiter}
