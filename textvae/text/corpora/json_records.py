"""The records of a JSON document, one at a time, however long it is; and the fields within them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textvae.disk import shown_path
from textvae.errors import DataError
from textvae.parsing import parse_json, parse_json_at
from textvae.text.corpora import reading

MISSING = object()
"""Stands for a field that a record does not have."""

_ENOUGH = 2**16  # characters that are read at once
_ONE_RECORD = 2**20  # characters; an object that is longer is taken for the one around a list
_DEEPEST, _MOST_ITEMS, _MOST_COLUMNS = 6, 8, 300
_SPACE = " \t\r\n"


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file: the items of its list, or of the first list of objects in its one object, or its objects
    one after another. An item that is a string has the column ``text``, one that is a list has its positions.

    Raises:
        DataError: the file is no JSON, or has no such list.
    """
    text = _Text(path)
    first = text.next_character()
    if first == "[":
        yield from _items(text)
        text.skip("]")
        if text.next_character():
            raise DataError(f"{text.where()} is not JSON (there is more after its list); mend it, or write it again.")
    elif first == "{":
        yield from _objects(text)
    else:
        raise DataError(f"{shown_path(path)} is not JSON (it begins with {first!r}); expected a list of objects.")


class _Text:
    """The characters of a file, of which a part is in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = reading.read_characters(path)
        self.text = ""
        self.at = 0
        self.lines = 1

    def where(self) -> str:
        return f"{shown_path(self.path)}, line {self.lines + self.text.count(chr(10), 0, self.at)}"

    def more(self, size: int = 0) -> bool:
        """Read on; False at the end of the file."""
        self.lines += self.text.count("\n", 0, self.at)
        read, found = [self.text[self.at :]], 0
        self.at = 0
        for part in self.parts:
            read.append(part)
            found += len(part)
            if found >= max(size, _ENOUGH):
                break
        self.text = "".join(read)
        return found > 0

    def next_character(self) -> str:
        """The next character that is no white space, which stays; "" at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _SPACE:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def skip(self, expected: str) -> None:
        found = self.next_character()
        if not found or found not in expected:
            got = repr(found) if found else "its end"
            raise DataError(
                f"{self.where()} is not JSON ({got} where {' or '.join(map(repr, expected))} is expected); mend it, or "
                "write it again."
            )
        self.at += 1

    def value(self, longest: int | None = None) -> Any:
        """The value that begins here; `MISSING` if it is longer than `longest` characters."""
        self.next_character()
        limit = reading.LONGEST_LINE if longest is None else longest
        ended = False
        while True:
            found = parse_json_at(self.text, self.at, self.where, DataError, nan_is_null=True)
            # A number could go on in the next part.
            if found is not None and (ended or found[1] < len(self.text)):
                value, self.at = found
                return value
            if ended:
                # The parser names what is wrong.
                return parse_json(self.text[self.at :], self.where(), DataError, nan_is_null=True)
            if len(self.text) - self.at > limit:
                if longest is not None:
                    return MISSING
                raise DataError(f"{self.where()} begins a value of more than {limit // 2**20} MB; write it in parts.")
            ended = not self.more(len(self.text) - self.at)


def _items(text: _Text) -> Iterator[dict[str, Any]]:
    """The items of a list, of which the next character is the beginning."""
    text.skip("[")
    if text.next_character() == "]":
        return
    while True:
        value = text.value()
        if isinstance(value, dict):
            yield value
        elif isinstance(value, str):
            yield {"text": value}
        elif isinstance(value, list):
            yield {str(place): item for place, item in enumerate(value)}
        else:
            raise DataError(
                f'{text.where()} is a JSON {type(value).__name__}, expected an object such as {{"text": ...}}.'
            )
        if text.next_character() == "]":
            return
        text.skip(",]")


def _objects(text: _Text) -> Iterator[dict[str, Any]]:
    """Objects one after another; or the items of the list in a single one."""
    first = text.value(_ONE_RECORD)
    if first is not MISSING and text.next_character():
        yield first
        while text.next_character():
            if text.next_character() == ",":
                text.skip(",")
            value = text.value()
            if not isinstance(value, dict):
                raise DataError(f"{text.where()} is a JSON {type(value).__name__}, expected an object.")
            yield value
        return
    if first is MISSING:
        yield from _wrapped(text)
        return
    yield from _records_in(text, first)


def _records_in(text: _Text, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The list within an object that is in memory."""
    for value in found.values():
        if isinstance(value, list) and value and isinstance(value[0], dict | str):
            yield from (
                {"text": item} if isinstance(item, str) else item for item in value if isinstance(item, dict | str)
            )
            return
    for value in found.values():
        if isinstance(value, dict) and any(isinstance(inner, list) for inner in value.values()):
            yield from _records_in(text, value)
            return
    raise _no_list(text)


def _wrapped(text: _Text) -> Iterator[dict[str, Any]]:
    """The first list of objects within an object that is too long for memory."""
    text.skip("{")
    while text.next_character() != "}":
        name = text.value()
        text.skip(":")
        if not isinstance(name, str):
            raise _no_list(text)
        if text.next_character() == "[":
            yield from _items(text)
            return
        if text.next_character() == "{":
            value = text.value(_ONE_RECORD)
            if value is MISSING:
                raise _no_list(text)
        else:
            text.value()
        if text.next_character() == ",":
            text.skip(",")
    raise _no_list(text)


def _no_list(text: _Text) -> DataError:
    return DataError(
        f"{shown_path(text.path)} is one JSON object without a list of records; write it as a list of objects, or one "
        "object a line (in pandas: to_json with orient='records', lines=True)."
    )


def at_path(record: object, path: str) -> Any:
    """The field of a record at a dotted path, such as ``choices.0.text``; `MISSING` if there is none.

    >>> at_path({"data": {"text": "Good."}, "a.b": 1, "a": {"b": 2}}, "data.text"), at_path({"a.b": 1}, "a.b")
    ('Good.', 1)
    """
    if isinstance(record, list):
        head, _, tail = path.partition(".")
        if not head.isdecimal() or int(head) >= len(record):
            return MISSING
        return at_path(record[int(head)], tail) if tail else record[int(head)]
    if not isinstance(record, dict):
        return MISSING
    if path in record:
        return record[path]
    end = path.rfind(".")
    while end > 0:
        if path[:end] in record:
            found = at_path(record[path[:end]], path[end + 1 :])
            if found is not MISSING:
                return found
        end = path.rfind(".", 0, end)
    return MISSING


def flat(record: dict[str, Any]) -> dict[str | int, object]:
    """The fields of a record that are no objects, by their dotted paths; of a list, the first items.

    >>> flat({"id": 1, "data": {"text": "Good."}, "tags": ["a", "b"]})
    {'id': 1, 'data.text': 'Good.', 'tags.0': 'a', 'tags.1': 'b'}
    """
    found: dict[str | int, object] = {}

    def add(name: str, value: object, depth: int) -> None:
        if len(found) >= _MOST_COLUMNS:
            return
        if isinstance(value, dict) and value and depth < _DEEPEST:
            for key, inner in value.items():
                add(f"{name}.{key}" if name else key, inner, depth + 1)
        elif isinstance(value, list) and value and depth < _DEEPEST:
            for place, inner in enumerate(value[:_MOST_ITEMS]):
                add(f"{name}.{place}", inner, depth + 1)
        elif not isinstance(value, dict | list):
            found[name] = value

    for key, value in record.items():
        add(key, value, 1)
    return found
