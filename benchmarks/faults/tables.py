"""Hostile recipes and corpus cards: TOML with changed bytes, values and keys; random documents; deep nesting."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

from hypothesis import strategies as st

from benchmarks.faults import nasty
from benchmarks.faults.case import ODD_NAMES, Case, Family, Place
from benchmarks.faults.process import CHECKOUT
from benchmarks.faults.world import RECIPE, STAGES

DRY = ["--dry-run"]
ONE_STEP = ["--set", "train.max_steps=1"]
CARD: dict[str, Any] = {
    "kind": "tsv",
    "licence": "public domain",
    "text_column": "text",
    "label_column": "label",
    "files": {"train": "text.tsv"},
    "split_fractions": {"train": 0.8, "valid": 0.1, "test": 0.1},
}
RICH_CARD = CARD | {
    "name": "rich",
    "description": "A card with every field.",
    "citation": "nobody",
    "source": "nowhere",
    "min_words": 1,
    "max_words": 12,
    "limit": {"train": 100},
    "keep": "random",
    "seed": 3,
    "split_sentences": False,
    "root": ".",
    "header": True,
    "checksums": {},
}


@cache
def installed(folder: str) -> dict[str, str]:
    """The recipes or the cards of the checkout: their text by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / folder).glob("*.toml"))}


@cache
def trees(folder: str) -> list[dict[str, Any]]:
    return [tomllib.loads(text) for text in installed(folder).values()]


@cache
def words(folder: str) -> tuple[str, ...]:
    """The names and the words that occur in the recipes, or in the cards."""
    found: set[str] = set()
    for tree in [*trees(folder), RECIPE, RICH_CARD]:
        for way in nasty.places(tree):
            inner = nasty.at(tree, way)
            found |= {str(way[-1])} | ({inner} if isinstance(inner, str) and len(inner) < 30 else set())
    return tuple(sorted(found))


def documents(folder: str) -> st.SearchStrategy[Any]:
    """Tables whose names are those of real ones, mostly, and whose values are anything."""
    name = st.one_of(st.sampled_from(words(folder)), st.sampled_from(words(folder)), nasty.text)
    leaf = st.one_of(nasty.scalar, st.sampled_from(words(folder)))
    inner = st.recursive(
        leaf,
        lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(name, below, max_size=5)),
        max_leaves=12,
    )
    return st.dictionaries(name, inner, max_size=6)


def _some_recipe(place: Place) -> tuple[str, str]:
    """The name and the text of a recipe, with what it extends beside it."""
    if place.chance(0.4):
        return "tiny.toml", nasty.as_toml(RECIPE)
    for name, text in installed("pipelines").items():
        place.write(name, text)
    name = place.rng.choice(sorted(installed("pipelines")))
    return name, installed("pipelines")[name]


def _run(name: str, *more: str) -> Case:
    return Case(["run", name, *(more or DRY)])


def recipe_bytes(place: Place) -> Case:
    place.user_files()
    name, text = _some_recipe(place)
    place.write(name, nasty.broken_bytes(text.encode(), place.rng))
    return _run(name)


def recipe_values(place: Place) -> Case:
    place.user_files()
    name, text = _some_recipe(place)
    tree = tomllib.loads(text)
    for _ in range(place.rng.choice((1, 1, 1, 2, 4))):
        tree = nasty.mutated(tree, place.rng, trees("pipelines"), place.drawn(nasty.value))
    place.write(name, nasty.as_toml(tree))
    return _run(name)


def recipe_parts(place: Place) -> Case:
    """Parts of other recipes in a tiny one: combinations that nobody tried, with a number out of line."""
    place.user_files()
    tree = {**RECIPE}
    for _ in range(place.rng.randint(1, 3)):
        donor = place.rng.choice([tree for tree in trees("pipelines") if "train" in tree])
        part = place.rng.choice(list(donor["train"]))
        tree = {**tree, "train": {**tree["train"], part: donor["train"][part]}}
    if place.chance(0.7):
        tree = nasty.mutated(tree, place.rng, trees("pipelines"), place.drawn(nasty.number))
    place.write("tiny.toml", nasty.as_toml(tree))
    return _run("tiny.toml")


def recipe_drawn(place: Place) -> Case:
    place.user_files()
    tree = place.drawn(documents("pipelines"))
    if place.chance(0.5):
        tree = {"name": "tiny", "corpus": "card", **tree}
    place.write("tiny.toml", nasty.as_toml(tree))
    return _run("tiny.toml")


def recipe_deep(place: Place) -> Case:
    place.user_files()
    value = nasty.deep(place.rng)
    dots = ".".join(["a"] * place.rng.choice((10, 500, 20_000)))
    digits = "9" * place.rng.choice((100, 4_000, 5_000, 100_000))
    way = place.rng.choice(
        (f"a = {value}", f"[train]\nmodel = {value}", f"{dots} = 1", f"seed = {digits}", f"[{dots}]")
    )
    place.write("tiny.toml", f"{way}\n{nasty.as_toml(RECIPE) if place.chance(0.3) else ''}")
    if place.chance(0.3):
        place.user_files()
        return _run("tiny.toml", *DRY, "--set", f"train.model={value[:100_000]}")
    return _run("tiny.toml")


def recipe_extends(place: Place) -> Case:
    place.user_files()
    place.odd_files()
    parents = [*(name for name in ODD_NAMES if "\udcff" not in name), "child.toml", "a.toml", "b.toml"]
    place.write("a.toml", 'extends = "b.toml"\n')
    place.write("b.toml", f"extends = {nasty._string(place.rng.choice(('a.toml', 'child.toml', 'tiny.toml')))}\n")
    child = {"extends": place.rng.choice([*parents, place.drawn(nasty.value)]), "name": "child"}
    if place.chance(0.3):
        for i in range(place.rng.choice((10, 1_500))):
            place.write(f"{i}.toml", f'extends = "{i + 1}.toml"\n')
        child["extends"] = "0.toml"
    place.write("child.toml", nasty.as_toml(child))
    return _run("child.toml")


def recipe_settings(place: Place) -> Case:
    """`--set` of anything, laid over a good recipe."""
    place.user_files()
    ways = [".".join(map(str, way)) for way in nasty.places(RECIPE) if all(isinstance(part, str) for part in way)]
    more: list[str] = []
    for _ in range(place.rng.choice((1, 1, 2, 5))):
        name = place.rng.choice([*ways, place.rng.choice(ways) + ".kind", *words("pipelines")])
        if place.chance(0.15):
            name = place.drawn(nasty.text)
        value = place.drawn(nasty.value)
        shown = nasty._toml(value) if place.chance(0.7) else str(value)
        more += ["--set", f"{name}={shown}"[:100_000].replace("\x00", "")]
    return _run("tiny.toml", *DRY, *more)


def recipe_trained(place: Place) -> Case:
    """Settings out of line that pass, or should not: trained for a step, and all that comes after."""
    place.user_files()
    tree = RECIPE
    ways = [way for way in nasty.places(RECIPE) if way[0] in STAGES]
    if place.chance(0.4):
        tree = {**tree, "train": {**tree["train"], **_train_part(place)}}
    for _ in range(place.rng.choice((1, 1, 2))):
        numbers = [way for way in ways if isinstance(nasty.at(RECIPE, way), int | float)]
        way = place.rng.choice(numbers)
        tree = _changed(tree, way, place.drawn(nasty.number))
    tree = _changed(tree, ("train", "max_steps"), 1)
    place.write("tiny.toml", nasty.as_toml(tree))
    return Case(["run", "tiny.toml", "--out", "out", "--only", place.rng.choice(STAGES[1:])])


def _train_part(place: Place) -> dict[str, Any]:
    """A part of another recipe's training; what takes minutes is left out."""
    slow = ("epochs", "model", "compile", "start_from")
    donors = [tree["train"] for tree in trees("pipelines") if set(tree.get("train", ())) - {*slow}]
    donor = place.rng.choice(donors)
    part = place.rng.choice([part for part in donor if part not in slow])
    return {part: donor[part]}


def _changed(tree: dict[str, Any], way: tuple[Any, ...], value: Any) -> dict[str, Any]:
    first, *rest = way
    inner = tree.get(first, {}) if isinstance(tree, dict) else {}
    return {**tree, first: _changed(inner, tuple(rest), value) if rest else value}


def _with_card(place: Place, card: str | bytes, *more: str) -> Case:
    place.user_files()
    place.write("card.toml", card)
    if place.chance(0.25) and not more:
        # Some are read as well as looked at.
        more = ("--only", "tokenize", "--out", "out")
    return _run("tiny.toml", *more)


def _some_card(place: Place) -> dict[str, Any]:
    return dict(place.rng.choice([CARD, CARD, RICH_CARD, RICH_CARD, *trees("data")]))


def card_bytes(place: Place) -> Case:
    text = place.rng.choice([nasty.as_toml(RICH_CARD), *installed("data").values()])
    return _with_card(place, nasty.broken_bytes(text.encode(), place.rng))


def card_values(place: Place) -> Case:
    tree = _some_card(place)
    for _ in range(place.rng.choice((1, 1, 2, 4))):
        tree = nasty.mutated(tree, place.rng, [*trees("data"), RICH_CARD], place.drawn(nasty.value))
    return _with_card(place, nasty.as_toml(tree))


def card_numbers(place: Place) -> Case:
    """Fractions, limits, columns and seeds that are numbers, but which."""
    name = place.rng.choice(("min_words", "max_words", "seed", "text_column", "label_column", "limit", "fractions"))
    number = place.drawn(nasty.number)
    tree = dict(RICH_CARD)
    if name == "fractions":
        tree["split_fractions"] = {split: place.drawn(nasty.number) for split in ("train", "valid", "test")}
    elif name == "limit":
        tree["limit"] = {place.rng.choice(("train", "valid", "test")): number}
    else:
        tree[name] = number
    return _with_card(place, nasty.as_toml(tree))


def card_drawn(place: Place) -> Case:
    tree = place.drawn(documents("data"))
    if place.chance(0.6):
        tree = {"kind": place.rng.choice(("lines", "csv", "tsv", "json_lines", "hub", "bible")), **tree}
    return _with_card(place, nasty.as_toml(tree))


def card_deep(place: Place) -> Case:
    value = nasty.deep(place.rng)
    return _with_card(place, place.rng.choice((f"a = {value}\n", f"files = {value}\n", f"root = {value}\n")))


def card_files(place: Place) -> Case:
    """Files, roots and checksums that are none."""
    place.odd_files()
    odd = [name for name in ODD_NAMES if "\udcff" not in name]
    files: Any = {"train": place.rng.choice(odd)}
    if place.chance(0.3):
        files = {split: place.rng.choice([*odd, [place.rng.choice(odd)] * 2, []]) for split in ("train", "valid")}
    tree = {**CARD, "kind": place.rng.choice(("lines", "csv", "tsv", "json_lines")), "files": files}
    if tree["kind"] == "lines":
        tree = {name: value for name, value in tree.items() if "column" not in name}
    if place.chance(0.3):
        tree["root"] = place.rng.choice(odd)
        tree["files"] = {"train": "text.tsv"}
    if place.chance(0.2):
        tree["checksums"] = {"train": place.rng.choice(("sha256:", "sha256:" + "0" * 64, "md5:1", *nasty.TEXTS))}
    if place.chance(0.1):
        tree = {"kind": "hub", "dataset": place.rng.choice(odd), "text_column": "text"}
    case = _with_card(place, nasty.as_toml(tree))
    if place.chance(0.1):
        (place.work / "card.toml").unlink()
        (place.work / "card.toml").symlink_to(place.rng.choice(("zero", "loop", "pipe", "folder", "locked")))
    return case


RECIPES: dict[str, tuple[int, Family]] = {
    "bytes changed": (3, recipe_bytes),
    "values and keys changed": (5, recipe_values),
    "parts of other recipes": (3, recipe_parts),
    "drawn documents": (3, recipe_drawn),
    "depth and length": (1, recipe_deep),
    "extends": (1, recipe_extends),
    "--set": (4, recipe_settings),
    "trained for a step": (2, recipe_trained),
}
CARDS: dict[str, tuple[int, Family]] = {
    "bytes changed": (3, card_bytes),
    "values and keys changed": (5, card_values),
    "numbers": (3, card_numbers),
    "drawn documents": (3, card_drawn),
    "depth and length": (1, card_deep),
    "files, roots, checksums": (4, card_files),
}
"""Family -> its share, and what makes a case of it."""
