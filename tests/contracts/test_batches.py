"""Lines that a model cannot read as they are: one answer a line, in order, whatever the other lines are.

Run over the registry: every command that declares `answers_each_line`, and the one that docs/extending.md writes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.test_commands import OF_THE_PAGE, assert_refused, registered, run
from textvae.commands import COMMANDS, NAMES
from textvae.commands.lines import MOST

MAX_TOKENS = 10
"""Of the tiny run."""
BLANK = ("", " ", "\t", "\u00a0", " \u2003 \x0b ")
EACH = [*(name for name in NAMES if COMMANDS[name].answers_each_line), OF_THE_PAGE]
KINDS = ("good", "blank", "long", "unknown", "nothing known", "one word")


@pytest.fixture(params=EACH)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from registered(request.param, monkeypatch)


@pytest.fixture
def place(tiny_run: Path) -> str:
    return str(tiny_run / "run")


def has_blanks(name: str) -> bool:
    """Whether the command's texts have blanks to be filled."""
    return "___" in COMMANDS[name].example


def line_of(kind: str, rng: random.Random, name: str) -> str:
    """A line of some kind, of the words of the tiny run."""
    sentence = f"the {rng.choice('abcdefgh')} {rng.choice('ijklmnop')} is {rng.choice(['good', 'bad', 'fine'])}"
    made = {
        "good": sentence,
        "blank": rng.choice(BLANK),
        "long": " ".join([sentence] * rng.randint(3, 8)),
        "unknown": f"{sentence} zorb{rng.randint(0, 9)} quux",
        "nothing known": f"zorb quux{rng.randint(0, 9)}",
        "one word": rng.choice(["good", "the"]),
    }[kind]
    return f"___ {made}" if has_blanks(name) and made.strip() else made


def batch(seed: int, name: str) -> tuple[list[str], list[str]]:
    """Twelve lines in any order, two of each kind, and their kinds."""
    rng = random.Random(seed)
    kinds = list(KINDS) * 2
    rng.shuffle(kinds)
    return kinds, [line_of(kind, rng, name) for kind in kinds]


def answers(name: str, place: str, lines: list[str]) -> tuple[list[dict[str, Any]], str]:
    """The answers as JSON, and standard error."""
    code, out, err = run(name, place, "--json", stdin="\n".join([*lines, ""]).encode())
    assert code == 0, err
    return json.loads(out), err


def assert_same(name: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    """But for the last digits, and for noise that belongs to the place of a line: that of imputation and of scores."""
    if name == "score":
        assert (one["text"], one["tokens"]) == (other["text"], other["tokens"])
        return
    if has_blanks(name):
        assert one["text"] == other["text"] and len(one["answers"]) == len(other["answers"]) > 0
        return
    assert one == {
        key: pytest.approx(value, rel=1e-4) if isinstance(value, float | dict) else value
        for key, value in other.items()
    }


@pytest.mark.parametrize("seed", range(3))
def test_line_i_of_the_output_belongs_to_line_i_of_the_input(name: str, place: str, seed: int) -> None:
    kinds, lines = batch(seed, name)
    made, err = answers(name, place, lines)
    assert [one["text"] for one in made] == lines
    assert len({tuple(one) for one in made}) == 1, "the same keys in every entry"
    read = [i for i, kind in enumerate(kinds) if kind != "blank"]
    for i, kind in enumerate(kinds):
        values = [value for key, value in made[i].items() if key != "text"]
        assert any(values) is (kind != "blank")
    alone, _ = answers(name, place, [lines[i] for i in read])
    for i, other in zip(read, alone, strict=True):
        assert_same(name, made[i], other)
    assert "<unk>" not in json.dumps(made)
    said = err.splitlines()
    assert all(line.startswith("textvae: warning: ") for line in said)
    for i, kind in enumerate(kinds, start=1):
        words = len(lines[i - 1].split())
        assert (f"line {i} is empty, and so is its answer." in err) is (kind == "blank")
        assert (f"line {i} is cut as in training: {MAX_TOKENS} of its {words} tokens are read." in err) is (
            kind == "long"
        )
    # Four lines have unknown words: one line sums them up and names the worst, another those without a known word.
    assert "8 of" in err and "words are not in the vocabulary, in 4 of 12 lines; the worst, line" in err
    lost = ", ".join(str(i) for i, kind in enumerate(kinds, start=1) if kind == "nothing known")
    assert f"in 2 lines no word is known, so their answers have nothing to do with them ({lost})." in err


@pytest.mark.parametrize("seed", range(3))
def test_the_lines_of_plain_output(name: str, place: str, seed: int) -> None:
    kinds, lines = batch(seed, name)
    code, out, _ = run(name, place, stdin="\n".join(lines).encode())
    assert code == 0
    printed = out.removesuffix("\n").split("\n")
    if has_blanks(name):
        # A text is followed by its answers, which are indented.
        printed = [line for line in printed if not line.startswith("  ")]
        assert printed == [line if line.strip() else "" for line in lines]
    else:
        assert [bool(line) for line in printed] == [kind != "blank" for kind in kinds]


@pytest.mark.parametrize("lines", [[""], ["", ""], [" ", "\t", ""], ["\u00a0"] * 4, [*BLANK] * 3], ids=len)
def test_a_batch_of_empty_lines_is_refused(name: str, place: str, lines: list[str]) -> None:
    assert_refused(name, place, stdin="\n".join([*lines, ""]).encode())
    assert_refused(name, place, *lines)


@pytest.mark.parametrize("seed", range(3))
def test_a_line_with_a_character_that_is_none_is_left_out(name: str, place: str, seed: int) -> None:
    rng = random.Random(seed)
    lines = [line_of("good", rng, name) for _ in range(4)]
    bad = rng.randrange(4)
    lines[bad] = lines[bad].replace(" ", "\0", 1)
    made, err = answers(name, place, lines)
    assert [one["text"] for one in made] == lines
    assert [any(value for key, value in one.items() if key != "text") for one in made] == [i != bad for i in range(4)]
    assert f"line {bad + 1}: " in err and "NUL" in err
    assert_refused(name, place, lines[bad])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("before", ["", "\ufeff"], ids=["", "bom"])
def test_a_line_ends_at_a_line_end_only(name: str, place: str, end: str, before: str) -> None:
    rng = random.Random(1)
    lines = [line_of("good", rng, name) for _ in range(3)]
    # Characters at which Python's splitlines would end a line; they are white space within one.
    lines[1] = lines[1].replace(" is", "\u2028is").replace(" the", "\x0bthe")
    code, out, err = run(name, place, "--json", stdin=(before + end.join([*lines, "", lines[0], ""])).encode())
    assert code == 0, err
    assert [one["text"] for one in json.loads(out)] == [*lines, "", lines[0]]


@pytest.mark.parametrize("count", [1, MOST, MOST + 1, 20, 50])
def test_many_warnings_are_summed_up(name: str, place: str, count: int) -> None:
    rng = random.Random(count)
    good, kinds = line_of("good", rng, name), ("blank", "long", "unknown")
    lines = [good, *(line_of(kind, rng, name) for kind in kinds for _ in range(count))]
    _, err = answers(name, place, lines)
    more = count - MOST
    if more > 0:
        assert err.count(f"... and {more} more line{'s' if more > 1 else ''} like that.") == 2
    assert len(err.splitlines()) <= 2 * (MOST + 1) + MOST
    assert err.count(" is empty") == err.count(" is cut as in training") == min(count, MOST)


@pytest.mark.parametrize(
    "words", ["zorb", "zorb quux", "Zorb, quux!", "zorb zorb zorb", "a1b2 zorb quux blah x9 y9 z9"]
)
def test_an_argument_of_unknown_words_is_said_to_be_one(name: str, place: str, words: str) -> None:
    text = f"___ {words}" if has_blanks(name) else words
    code, out, err = run(name, place, text)
    assert code == 0 and out and "<unk>" not in out
    total = len(words.split())
    said = "its only word is" if total == 1 else f"all of its {total} words are"
    kind = "text" if has_blanks(name) else "sentence"
    assert err.startswith(f"textvae: warning: the {kind}: {said} not in the vocabulary (")
    assert err.endswith("so the answer has nothing to do with it.\n") and len(err.splitlines()) == 1
    known = f"{text} the a i is"
    _, _, err = run(name, place, known)
    verb = "is" if total == 1 else "are"
    assert f"the {kind}: {total} of {total + 4} words {verb} not in the vocabulary (" in err
    assert ("..." in err) is (len(set(words.split())) > 5)


PATHS = [
    ("the a i is good", "zorb", "line 2: its only word is"),
    ("the zorb", "the a i is good", "line 1: 1 of 2 words is not"),
    ("the a i is good", "the " * 30, "line 2 is cut as in training: 10 of its 30"),
    ("the " * 11, "the " * 12, "line 1 is cut as in training: 10 of its 11"),
    ("zorb quux", "blah", "line 1: all of its 2 words are"),
]


@pytest.mark.parametrize(("start", "end", "said"), PATHS)
def test_a_path_and_a_chain_read_such_sentences_too(place: str, start: str, end: str, said: str) -> None:
    for arguments in (("interpolate", place, start, end), ("generate", place, "--start", start, "--start", end)):
        code, out, err = run(*arguments)
        assert code == 0 and out and said in err
        assert "<unk>" not in out
    for empty in BLANK:
        assert_refused("interpolate", place, start, empty)
        assert_refused("generate", place, "--start", empty, "--start", end)


@pytest.mark.parametrize("position", [0, 9, 10, 11, 24])
@pytest.mark.parametrize("blank", ["___", "___*"])
def test_a_blank_that_the_model_would_not_read_is_no_loss_to_others(place: str, position: int, blank: str) -> None:
    words = ["the"] * 25
    words[position] = blank
    lines = ["the ___ is good", " ".join(words), "no blank", "a ___ is bad"]
    made, err = answers("impute", place, lines)
    read = position < MAX_TOKENS
    assert [bool(one["answers"]) for one in made] == [True, read, False, True]
    assert "line 3: 'no blank' has no blank" in err
    if read:
        for answer in made[1]["answers"]:
            (filler,) = answer["fillers"]
            assert answer["text"] == " ".join(words).replace(blank, filler)
    else:
        assert f"has a blank at token {position + 1} of 25, and the model reads the first 10" in err


def test_words_of_the_text_come_back_as_they_are_written(place: str) -> None:
    made, _ = answers("impute", place, ["Zorb, the ___ is Quux-like!", "<unk> the ___"])
    for one in made:
        for answer in one["answers"]:
            assert answer["text"] == one["text"].replace("___", answer["fillers"][0])


def test_a_file_to_measure_may_have_such_lines(place: str, tmp_path: Path) -> None:
    rng = random.Random(0)
    lines = [line_of(kind, rng, "evaluate") for kind in KINDS * 5]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    code, out, err = run("evaluate", place, "--file", str(tmp_path / "lines.txt"), "--samples", "2", "--json")
    assert code == 0 and json.loads(out)["sentences"] == 25
    assert "5 empty lines are left out." in err and "5 lines are cut as in training, to 10 tokens." in err
    assert "% of the tokens are not in the vocabulary" in err
