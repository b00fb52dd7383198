"""Subtitles and sequences: files of lines of which only some are text."""

from __future__ import annotations

import random

import pytest

from tests.unit.text.looking import looked, prose, texts
from textvae.text.inspect import inspect_file

N = 40
SAID = sorted(prose(i) for i in range(N))


def cue(i: int, text: str, mark: str = ",", hours: str = "00:") -> str:
    return f"{hours}{i // 60:02d}:{i % 60:02d}{mark}000 --> {hours}{i // 60:02d}:{i % 60:02d}{mark}900\n{text}\n"


SUBTITLES = {
    "srt": "\n".join(f"{i + 1}\n{cue(i, prose(i))}" for i in range(N)),
    "vtt": "WEBVTT - a film\n\nNOTE made up\n\n" + "\n".join(cue(i, prose(i), ".", "") for i in range(N)),
    "two lines": "\n".join(f"{i + 1}\n{cue(i, prose(i).replace(' was', chr(10) + 'was'))}" for i in range(N)),
    "markup": "\n".join(f"{i + 1}\n{cue(i, f'<i>{prose(i)}</i>')}" for i in range(N)),
    "no numbers": "\n".join(cue(i, prose(i)) for i in range(N)),
    "windows": "\r\n".join(f"{i + 1}\n{cue(i, prose(i))}".replace("\n", "\r\n") for i in range(N)),
    "position": "\n".join(
        f"{i + 1}\n{cue(i, prose(i)).replace('900', '900 align:start position:0%')}" for i in range(N)
    ),
}


@pytest.mark.parametrize("name", SUBTITLES)
@pytest.mark.parametrize("ending", ["srt", "txt", "vtt"])
def test_subtitles_are_the_text_that_is_shown(tmp_path, name, ending) -> None:
    found, card = looked(tmp_path, f"x.{ending}", SUBTITLES[name])
    assert found.kind == "subtitles" and texts(card) == SAID


def sequence(i: int, letters: str) -> str:
    return "".join(random.Random(i).choices(letters, k=70 + i))


@pytest.mark.parametrize("letters", ["ACDEFGHIKLMNPQRSTVWY", "ACGT", "ACGU", "ACGTN-"])
@pytest.mark.parametrize("width", [20, 60, 1000])
@pytest.mark.parametrize("ending", ["fasta", "fa", "txt"])
def test_sequences_are_joined_without_their_names(tmp_path, letters, width, ending) -> None:
    whole = [sequence(i, letters) for i in range(N)]
    content = "".join(
        f">sp|P{i}|a name of it\n" + "".join(f"{text[at : at + width]}\n" for at in range(0, len(text), width))
        for i, text in enumerate(whole)
    )
    found, card = looked(tmp_path, f"x.{ending}", content)
    assert found.kind == "fasta" and texts(card) == sorted(whole)


@pytest.mark.parametrize(
    "line", ["> He said {}", ">{} is more", "A --> B {}", "10:{} to 11:00 --> late", ">>> print({})"]
)
def test_other_lines_stay_lines(tmp_path, line) -> None:
    (tmp_path / "x.txt").write_text("".join(f"{line.format(i)}\n" for i in range(N)))
    found = inspect_file(tmp_path / "x.txt")
    assert (found.kind, found.texts.count) == ("lines", N)
