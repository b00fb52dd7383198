"""Extreme values, texts and documents, and mutations of valid ones."""

from __future__ import annotations

import copy
import datetime
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 255, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1),
    *(10**12, -(10**12), 10**30, 10**400, 0.0, -0.0, 0.5, 1.5, -0.5, 1e-320, 5e-324, 1e-8, 1e8, 1e38, 1e39, 1e308),
    *(math.nan, math.inf, -math.inf, True, False),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "\t", "\n", "\r\n", "a" * 300, "x" * 70_000, "\x00", "\x1b[31mred\x1b[0m", "\x07", "\x7f", "\x85"),
    *("\x9b2J", "\u202eabc", "\u200b", "\u2028", "\ufeff", "\ufffe", "e\u0301", "\U0001f4a9", "\U000e0001", "..", "."),
    *("/", "~", "../../up", "nan", "inf", "1e999", "-1", "0x10", "null", "true", "None", "{}", "[]", "[[", "'", '"'),
    *("%s%n", "{0}{x}", "${HOME}", "$(id)", "`id`", "; ls", "<script>", "\\", "\\u0000", "a=b", "a.b.c", "=", "#"),
    *(
        "elbo",
        "lstm",
        "gaussian",
        "greedy",
        "train",
        "___",
        "___*",
        "________",
        "\u0130",
        "\u1e9e",
        "ﬁ",
        "\u0f40\u0f72",
    ),
)
TIMES = (datetime.datetime(1, 1, 1), datetime.date(9999, 12, 31), datetime.time(23, 59, 59, 999999))

text = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text(st.characters(max_codepoint=0x7F), max_size=20),
)
number = st.one_of(
    st.sampled_from(NUMBERS), st.integers(-5, 100), st.integers(), st.floats(), st.floats(-2, 2, allow_nan=False)
)
scalar = st.one_of(number, text, st.sampled_from(TIMES))
value = st.recursive(
    scalar, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)), max_leaves=8
)


def as_toml(tables: Mapping[str, Any]) -> str:
    """A TOML document, tables inline: also of what the package itself would never write."""
    return "".join(f"{_string(key)} = {_toml(value)}\n" for key, value in tables.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_string(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return _string(str(value))


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c != "\x7f" else "\\u007f" for c in quoted)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside of nested tables and lists."""
    items: Any = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def at(tree: Any, path: Sequence[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def mutated(tree: Any, rng: random.Random, donors: Sequence[Any] = (), value: Any = None) -> Any:
    """A tree with one thing changed: a value, a key, a place.

    Args:
        tree: nested tables and lists; left as it is.
        rng: decides.
        donors: trees that parts are taken from.
        value: to put in somewhere, where a value is changed.
    """
    tree = copy.deepcopy(tree)
    ways = list(places(tree))
    if not ways:
        return tree
    *way, last = rng.choice(ways)
    parent = at(tree, way)
    change = rng.choice(("value", "value", "value", "remove", "rename", "wrap", "add", "swap", "donate"))
    if change == "value":
        parent[last] = value
    elif change == "remove":
        del parent[last]
    elif change == "rename" and isinstance(parent, dict):
        parent[rng.choice((str(last)[:-1], f"{last}s", str(last).upper(), rng.choice(TEXTS)))] = parent.pop(last)
    elif change == "wrap":
        parent[last] = rng.choice(([parent[last]], {str(last): parent[last]}, [[parent[last]]] * 2))
    elif change == "add" and isinstance(parent, dict):
        parent[rng.choice(("kind", "name", "root", "extends", "card", rng.choice(TEXTS)))] = value
    elif change == "swap":
        *other_way, other_last = rng.choice(ways)
        other = at(tree, other_way)
        parent[last], other[other_last] = copy.deepcopy((other[other_last], parent[last]))
    elif donors:
        donor = rng.choice(donors)
        donated = list(places(donor))
        named = [place for place in donated if place[-1] == last] or donated
        parent[last] = copy.deepcopy(at(donor, rng.choice(named)))
    return tree


def broken_bytes(content: bytes, rng: random.Random) -> bytes:
    """Content with a few bytes changed, put in, left out, repeated or cut off."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        where = rng.randrange(len(made) + 1)
        length = rng.choice((1, 1, 2, 8, 64))
        change = rng.randrange(7)
        if change == 0:
            made[where : where + 1] = bytes([rng.randrange(256)])
        elif change == 1:
            made[where:where] = rng.randbytes(length)
        elif change == 2:
            del made[where : where + length]
        elif change == 3:
            made[where:where] = made[where : where + length] * rng.choice((1, 2, 50))
        elif change == 4 and where < len(made):
            made[where] ^= 1 << rng.randrange(8)
        elif change == 5:
            made[where:where] = rng.choice(TEXTS).encode()
        elif rng.random() < 0.3:
            del made[where:]
    return bytes(made)


def deep(rng: random.Random) -> Any:
    """Lists and tables inside of one another, a few or very many deep, as TOML or JSON text."""
    depth = rng.choice((10, 100, 900, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ("{a = ", "}"), ("[{a=", "}]")))
    inner = rng.choice(("", "1", '"x"'))
    return opening * depth + inner + closing * rng.choice((depth, depth, depth - 1))
