"""Hostile command lines and hostile standard input, for every option of every command."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import typer
from hypothesis import strategies as st

from benchmarks.faults import nasty
from benchmarks.faults.case import ODD_NAMES, Case, Family, Place
from benchmarks.faults.corpora import good_rows, written
from benchmarks.faults.world import STAGES

SENTENCES = ("the a i is good", "the b j is bad", "the c k is fine")
BLANKS = ("the ___ is good", "the ___* bad", "___")
ABSURD = (
    *("-1", "0", "-0", "1e3", "1_000", "0x10", "18446744073709551615", "18446744073709551616", "-9223372036854775809"),
    *("1000000000000", "-1000000000000", "9" * 5000, "nan", "inf", "-inf", "1e400", "5e-324", "0.0", "1.5", "", " "),
    *("a" * 300, "true", "None", "\x1b[31mred", "a\nb", "\x7f", "\x9b", "é", "\u0661", "½", "\udcff\udcfe", "--", "-n"),
    *("train", "valid", "test", "greedy", "sample", "beam", "linear", "spherical", "pos", "neg", "GREEDY", "tset"),
)
"""Values for options. Counts that are merely long work, such as a million of sentences, are not among them."""
NO_NUMBERS = ("nan", "inf", "-inf", "1e400")
"""No option takes them."""


@cache
def commands() -> dict[str, list[Any]]:
    """Every command's parameters, as click has them."""
    from textvae.cli import app

    group: Any = typer.main.get_command(app)
    return {name: list(command.params) for name, command in sorted(group.commands.items())}


def reading_sentences() -> list[str]:
    """The commands that are given sentences, as arguments or on standard input."""
    return [name for name, parameters in commands().items() if any(one.name == "sentences" for one in parameters)]


def _argument(value: str) -> str:
    return value.replace("\x00", "")[:100_000]


def _paths(place: Place) -> str:
    return place.rng.choice(ODD_NAMES)


def _value(place: Place, parameter: Any) -> str:
    if parameter.name in ("run", "file", "out", "recipes", "vectors"):
        if parameter.name == "vectors" and place.chance(0.6):
            return _vectors(place)
        return place.rng.choice((_paths(place), _paths(place), place.rng.choice(ABSURD)))
    if _is_number(parameter) and place.chance(0.5):
        return place.rng.choice((*NO_NUMBERS, *(value for value in ABSURD if value[-1:].isdigit())))
    if place.chance(0.6):
        return place.rng.choice(ABSURD)
    return _argument(str(place.drawn(nasty.scalar)))


def _is_number(parameter: Any) -> bool:
    return bool({int, float} & {parameter.type_descriptor.annotation})


def _vectors(place: Place) -> str:
    rng = np.random.default_rng(place.rng.randrange(2**32))
    arrays = (
        *(rng.normal(size=(2, 4)), rng.normal(size=(0, 4)), rng.normal(size=3), np.float64(1), np.full((2, 4), np.nan)),
        *(np.full((2, 4), np.inf), np.zeros((2, 4), complex), np.zeros((2, 4), "U3"), np.zeros((2, 4), bool)),
        np.full((2, 4), 1e300),
    )
    np.save(place.work / "vectors.npy", arrays[place.rng.randrange(len(arrays))])
    if place.chance(0.4):
        content = (place.work / "vectors.npy").read_bytes()
        place.write("vectors.npy", nasty.broken_bytes(content, place.rng))
    return "vectors.npy"


def _options(place: Place, name: str, most: int) -> list[str]:
    """Some options of a command with values that are absurd, mostly."""
    named = [
        parameter for parameter in commands()[name] if parameter.opts[0].startswith("-") and parameter.name != "help"
    ]
    given: list[str] = []
    for parameter in place.rng.sample(named, min(len(named), place.rng.randint(1, most))):
        option = place.rng.choice([*parameter.opts])
        if getattr(parameter, "is_flag", False):
            given.append(option)
            continue
        value = _argument(_value(place, parameter))
        given += [f"{option}={value}"] if option.startswith("--") and place.chance(0.4) else [option, value]
    return given


def _sentences(place: Place, name: str) -> list[str]:
    if name not in reading_sentences():
        return []
    usual = BLANKS if name == "impute" else SENTENCES
    count = 2 if name == "interpolate" and place.chance(0.8) else place.rng.choice((1, 1, 2, 3))
    return [place.rng.choice(usual) for _ in range(count)]


def _setting_out(place: Place) -> None:
    place.user_files()
    place.link_run()
    place.odd_files()


def of_command(name: str) -> Family:
    """Options of one command, with a run, a recipe or a file that are good ones, mostly."""

    def family(place: Place) -> Case:
        _setting_out(place)
        given = _options(place, name, place.rng.choice((1, 2, 4)))
        numbers = {option for parameter in commands()[name] if _is_number(parameter) for option in parameter.opts}
        refused = any(
            option in numbers and value in NO_NUMBERS
            for option, value in [*pairwise(given), *(part.split("=", 1) for part in given if "=" in part)]
        )
        if place.chance(0.5):
            given += [] if "--json" in given else ["--json"]
        usual = {"run": "tiny.toml", "new": "text.tsv"}.get(name, place.rng.choice(("run", "run/train/model")))
        first = usual if place.chance(0.8) else _argument(_paths(place))
        line = [name, first, *_sentences(place, name), *given]
        if name == "run" and "--dry-run" not in line:
            line.append("--dry-run")
        if place.chance(0.1):
            place.rng.shuffle(line)
            line = [*line, "--dry-run"] if "run" in line else line
        codes = frozenset({2}) if refused else frozenset({0, 2})
        return Case(line, stdin="\n".join(SENTENCES).encode(), codes=codes)

    return family


def odd_sentences(place: Place) -> Case:
    """Sentences of any characters and lengths, from the command line."""
    _setting_out(place)
    name = place.rng.choice((*reading_sentences(), "generate"))
    texts = place.drawn(st.lists(nasty.text, min_size=1, max_size=3))
    extra = place.rng.choice(
        (
            *("", " ", "word " * 20_000, "x" * 100_000, "___ " * 2_000, "___*" * 500, "\udcff\udcfe", "the \udce9 is"),
            *(
                "the a i is good\nthe b j",
                "\u202e",
                "\x1b[31mthe",
                "the\x9b31m a",
                "___\u0301",
                "-n",
                "--",
            ),
        )
    )
    texts = place.rng.choice((texts, [extra], [*texts, extra], [SENTENCES[0], extra]))
    texts = [_argument(text) for text in texts]
    if name == "impute" and place.chance(0.6):
        texts = [f"{text} ___" for text in texts]
    json = ["--json"] if place.chance(0.5) else []
    if name == "generate":
        return Case(["generate", "run", "-n", "2", *json, *(part for text in texts for part in ("--start", text))])
    return Case([name, "run", *json, *(["--"] if place.chance(0.5) else []), *texts])


def standard_input(place: Place) -> Case:
    """Standard input that is closed, binary, empty or of many lines; a folder is refused by Python itself."""
    _setting_out(place)
    name = place.rng.choice(reading_sentences())
    content: bytes | None = place.rng.choice(
        (
            *(None, None, b"", b"\n", b"\n" * 1000, b"\x00", bytes(range(256)), b"\xff\xfe" * 100),
            *(
                "the a i is good".encode("utf-16"),
                b"\r\n\r\n",
                b"the a i is good\r\nthe b j is bad\r",
                b"\xef\xbb\xbfthe a",
            ),
            *(b"the a i is good\n" * 500, b"the " * 300_000, b"x" * 3_000_000, b"the a ___\n" * 100, b"a\x1b[31m b\n"),
            *("a\u2028b\x85c\x0bd\x1ee\n".encode(), b"the a i is good", place.rng.randbytes(100)),
            place.drawn(nasty.text).encode(),
        )
    )
    return Case([name, "run", *(["--json"] if place.chance(0.5) else [])], stdin=content)


def odd_runs(place: Place) -> Case:
    """Runs and models that are something else: files, devices, folders, names of the hub."""
    _setting_out(place)
    name = place.rng.choice([command for command in commands() if command not in ("run", "new")])
    return Case([name, _argument(_paths(place)), *_sentences(place, name)], stdin=b"the a i is good\n")


def odd_commands(place: Place) -> Case:
    """Commands and options that there are none of, or in an odd order."""
    _setting_out(place)
    known = [*commands(), "--help", "-h", "--version", "--json", "--", "-", "tiny.toml", "run", *ABSURD, *ODD_NAMES]
    line = [_argument(place.rng.choice(known)) for _ in range(place.rng.randint(0, 4))]
    if "run" in line or "new" in line:
        line += ["--dry-run"]
    return Case(line)


def somebodys_folder(place: Place) -> Case:
    """A run folder, or a place for a recipe, where somebody has files already: none of them may change."""
    place.user_files()
    stages = STAGES[:3]  # the others take longer, and write their folders in the same way
    endings = ("", ".partial", ".old", ".new", ".tmp", ".partial/model", ".partial/checkpoints", "/model", "/tokenizer")
    for _ in range(place.rng.choice((1, 1, 2, 4))):
        folder = f"out/{place.rng.choice(stages)}{place.rng.choice(endings)}"
        name = place.rng.choice(("letter.txt", "manifest.json", "begun.json", "train.arrow", "results.json"))
        path = place.work / folder / name
        if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
            place.write(f"{folder}/{name}", place.rng.choice(("dear friend\n", "{}", "")))
    if place.chance(0.3):
        name = place.rng.choice(
            ("recipe.json", "report.json", "report.html", ".lock", "train", "tokenize", "train.old")
        )
        if not (place.work / "out" / name).exists():
            place.write(f"out/{name}", "dear friend\n")
    if place.chance(0.2):
        place.write("precious/letter.txt", "dear friend\n")
        link = place.work / "out" / place.rng.choice(("tokenize", "tokenize.partial", "tokenize.old", "mine"))
        if not link.exists():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to("../precious")
    if place.chance(0.25):
        place.write("text.txt", written(good_rows(place.rng), "txt"))
        for name in place.rng.sample(("text.toml", "text_corpus.toml", "text.toml.new", ".text.toml"), 2):
            place.write(f"out/{name}", "dear = 'friend'\n")
        return Case(["new", "text.txt", "--out", "out"])
    more = ["--only", place.rng.choice(stages)] if place.chance(0.8) else []
    force = ["--force"] if place.chance(0.4) else []
    return Case(["run", "tiny.toml", "--out", "out", "--set", "train.max_steps=2", *more, *force])


def families() -> dict[str, tuple[int, Family]]:
    """Family -> its share, and what makes a case of it."""
    return {
        **{f"options of {name}": (2, of_command(name)) for name in commands()},
        "odd sentences": (3, odd_sentences),
        "standard input": (2, standard_input),
        "odd runs": (2, odd_runs),
        "odd commands": (1, odd_commands),
        "somebody's folder": (2, somebodys_folder),
    }
