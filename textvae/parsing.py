"""Readers of JSON and TOML from untrusted sources; every refusal is one sentence."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from textvae.errors import ConfigError, TextVAEError

MAX_DEPTH = 64
"""Levels of nested tables and lists that are read. No settings and no data need more, and Python's readers are
recursive: deep nesting would exhaust the stack."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# tomllib takes quadratic time in the number of parts of a dotted key.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)""" + f"{{{MAX_DEPTH}}}")


def parse_json(text: str | bytes, where: str, error_class: type[TextVAEError], *, nan_is_null: bool = False) -> Any:
    """Parse JSON.

    Args:
        text: the content of a file or of one line.
        where: the name of the source in an error message, such as ``reviews.jsonl, line 3``.
        error_class: the error to raise.
        nan_is_null: read NaN, with which some programs write a missing value, as null.

    Raises:
        TextVAEError: an `error_class`. The text is not JSON, is nested too deeply, has NaN or an infinity (which JSON
            does not allow), a number of more than 4300 digits, or half of a surrogate pair, which is no character.

    >>> parse_json('{"a": [1, 2.5]}', "here", ConfigError)
    {'a': [1, 2.5]}
    >>> parse_json('{"a": NaN}', "here", ConfigError)
    Traceback (most recent call last):
    textvae.errors.ConfigError: here is not JSON (it has no number NaN); mend it, or write it again.
    >>> parse_json('{"a": ', "here, line 3", ConfigError)
    Traceback (most recent call last):
    textvae.errors.ConfigError: here, line 3 is not JSON (Expecting value at column 7); mend it, or write it again.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = (_NULLS if nan_is_null else _NUMBERS).decode(text)
    except UnicodeDecodeError as error:
        raise error_class(f"{where} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        # Where the text is one line, the source has named it.
        what = str(error) if "\n" in error.doc.strip() else f"{error.msg.removesuffix(' at')} at column {error.colno}"
        raise error_class(f"{where} is not JSON ({what}); mend it, or write it again.") from None
    except (RecursionError, ValueError) as error:
        raise _unreadable(error, where, error_class) from None
    _check_json(value, text, lambda: where, error_class)
    return value


def parse_json_at(
    text: str, start: int, where: Callable[[], str], error_class: type[TextVAEError], *, nan_is_null: bool = False
) -> tuple[Any, int] | None:
    """Parse the JSON value that begins at a position, in a text of which more may follow.

    Args:
        text: the part of a document that is in memory.
        start: where the value begins.
        where: makes the name of the source in an error message.
        error_class: the error to raise.
        nan_is_null: see `parse_json`.

    Returns:
        the value and the position after it; None where no whole value begins there.

    Raises:
        TextVAEError: an `error_class`, as by `parse_json`, if there is a whole value.

    >>> parse_json_at('[{"a": 1}, {"a"', 1, str, ConfigError), parse_json_at('[{"a": 1}, {"a"', 11, str, ConfigError)
    (({'a': 1}, 9), None)
    """
    decoder = _NULLS if nan_is_null else _NUMBERS
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError:
        return None
    except (RecursionError, ValueError) as error:
        raise _unreadable(error, where(), error_class) from None
    _check_json(value, text[start:end], where, error_class)
    return value, end


def _unreadable(error: Exception, where: str, error_class: type[TextVAEError]) -> TextVAEError:
    if isinstance(error, RecursionError):
        return error_class(_too_deep(where))
    if isinstance(error, _NoNumber):
        return error_class(f"{where} is not JSON (it has no number {error}); mend it, or write it again.")
    return error_class(f"{where} holds a number of more than 4300 digits; mend it, or write it as text.")


def _check_json(value: Any, text: str, where: Callable[[], str], error_class: type[TextVAEError]) -> None:
    if text.count("[") + text.count("{") > MAX_DEPTH and is_deep(value):
        raise error_class(_too_deep(where()))
    if _SURROGATE.search(text) and (found := _bad_text(value, lone_surrogate)) is not None:
        raise error_class(f"{where()} holds {found}; mend it, or leave it out.")


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML.

    Args:
        text: the content of a file.
        where: the name of the source in an error message, such as ``recipe demo.toml``.

    Raises:
        ConfigError: the text is not TOML, is nested too deeply, or has a number of more than 4300 digits or an
            impossible date.

    >>> parse_toml("a.b = [1]", "here")
    {'a': {'b': [1]}}
    """
    if _LONG_KEY.search(text):
        raise ConfigError(_too_deep(where))
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not TOML: {error}; correct that line.") from None
    except RecursionError:
        raise ConfigError(_too_deep(where)) from None
    except ValueError:
        raise ConfigError(f"{where} holds a number that is too long, or an impossible date; correct it.") from None
    if is_deep(tables):
        raise ConfigError(_too_deep(where))
    return tables


def check_tables(tables: Mapping[Any, Any], where: str) -> None:
    """Refuse tables, passed from Python, that no TOML file could have contained.

    Args:
        tables: nested tables of settings.
        where: their name in an error message.

    Raises:
        ConfigError: the tables are nested too deeply, have a key that is not a string, or a string that cannot be
            written as UTF-8.
    """
    if is_deep(tables):
        raise ConfigError(_too_deep(where))
    if (found := _bad_text(tables, bad_character)) is not None:
        raise ConfigError(f"{where} holds {found}; write it as plain text.")


def is_deep(value: object) -> bool:
    """Whether tables and lists are nested more than `MAX_DEPTH` times, or contain themselves.

    >>> is_deep({"a": [1]}), is_deep(json.loads("[" * 70 + "]" * 70))
    (False, True)
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def bad_character(text: str) -> str | None:
    """Describe a character of the text that cannot be stored (a NUL, half of a surrogate pair); None without one.

    >>> bad_character("Zoë"), bad_character("a\\0b"), bad_character("\\udcff")
    (None, 'a NUL character', "half of a surrogate pair ('\\\\udcff'), which is no character")
    """
    return "a NUL character" if "\0" in text else lone_surrogate(text)


def lone_surrogate(text: str) -> str | None:
    """Describe half of a surrogate pair in the text; None without one."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair ({text[error.start]!r}), which is no character"
    return None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _bad_text(value: Any, problem: Callable[[str], str | None]) -> str | None:
    """The problem of the first string (or key) that has one; the recursion is safe as `is_deep` was checked before."""
    if isinstance(value, str):
        return problem(value)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                return f"{str(name)[:40]!r} where the name of a setting is expected"
            if (found := problem(name)) is not None:
                return found
    for inner in _inside(value):
        if (found := _bad_text(inner, problem)) is not None:
            return found
    return None


def _too_deep(where: str) -> str:
    return f"{where} is nested more than {MAX_DEPTH} levels deep; write it flatter."


class _NoNumber(ValueError):
    """The text has NaN, Infinity or -Infinity, which Python's JSON reader would accept."""


def _no_number(name: str) -> NoReturn:
    raise _NoNumber(name)


def _null_or_no_number(name: str) -> None:
    if name != "NaN":
        raise _NoNumber(name)


_NUMBERS = json.JSONDecoder(parse_constant=_no_number)
_NULLS = json.JSONDecoder(parse_constant=_null_or_no_number)
