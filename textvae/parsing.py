"""JSON and TOML as others wrote them: one reader of each, whose every refusal is one sentence."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from textvae.errors import ConfigError, TextVAEError

MAX_DEPTH = 64
"""Tables within tables that are read; what has more is no settings and no data, and would exhaust the stack."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# A key of very many parts takes the TOML reader time by their square.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)""" + f"{{{MAX_DEPTH}}}")


def parse_json(text: str | bytes, where: str, error_class: type[TextVAEError]) -> Any:
    """The value that JSON text says.

    Args:
        text: of a file or a line.
        where: how to name it in an error, such as ``reviews.jsonl, line 3``.
        error_class: what to raise.

    Raises:
        TextVAEError: of that class: no JSON, nested too deeply, NaN or an infinity (which JSON has not), a number of
            more than 4300 digits, or half of a surrogate pair, which is no character.

    >>> parse_json('{"a": [1, 2.5]}', "here", ConfigError)
    {'a': [1, 2.5]}
    >>> parse_json('{"a": NaN}', "here", ConfigError)
    Traceback (most recent call last):
    textvae.errors.ConfigError: here is not JSON (it has no number NaN); mend it, or write it again.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise error_class(f"{where} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise error_class(f"{where} is not JSON ({error}); mend it, or write it again.") from None
    except RecursionError:
        raise error_class(_too_deep(where)) from None
    except _NoNumber as error:
        raise error_class(f"{where} is not JSON (it has no number {error}); mend it, or write it again.") from None
    except ValueError:
        raise error_class(f"{where} holds a number of more than 4300 digits; mend it, or write it as text.") from None
    if is_deep(value):
        raise error_class(_too_deep(where))
    if _SURROGATE.search(text) and (found := _bad_text(value, lone_surrogate)) is not None:
        raise error_class(f"{where} holds {found}; mend it, or leave it out.")
    return value


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables that TOML text says.

    Args:
        text: of a file.
        where: how to name it in an error, such as ``recipe demo.toml``.

    Raises:
        ConfigError: no TOML, nested too deeply, or a number of more than 4300 digits.

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
        raise ConfigError(f"{where} holds a number or a date that cannot be; correct it.") from None
    if is_deep(tables):
        raise ConfigError(_too_deep(where))
    return tables


def check_tables(tables: Mapping[Any, Any], where: str) -> None:
    """Refuse nested tables that no file could have held: too deep, or with what is no text or no name.

    Raises:
        ConfigError: and says what.
    """
    if is_deep(tables):
        raise ConfigError(_too_deep(where))
    if (found := _bad_text(tables, bad_character)) is not None:
        raise ConfigError(f"{where} holds {found}; write it as plain text.")


def is_deep(value: object) -> bool:
    """Whether tables and lists are nested more than `MAX_DEPTH` times (or hold themselves).

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
    """What a text holds that cannot be written as UTF-8 or be read again, in words; None for a text like any other.

    >>> bad_character("Zoë"), bad_character("a\\0b"), bad_character("\\udcff")
    (None, 'a NUL character', "half of a surrogate pair ('\\\\udcff'), which is no character")
    """
    return "a NUL character" if "\0" in text else lone_surrogate(text)


def lone_surrogate(text: str) -> str | None:
    """Half of a surrogate pair in a text, in words; None where there is none."""
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
    """What is wrong with the first text, name included, that has a problem; values are known to be shallow."""
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
    """NaN, Infinity or -Infinity, which Python's reader would let pass."""


def _no_number(name: str) -> NoReturn:
    raise _NoNumber(name)
