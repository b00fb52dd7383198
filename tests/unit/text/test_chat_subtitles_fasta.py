"""Formats that are not one text a line: subtitles, exports of chats, FASTA."""

from __future__ import annotations

from pathlib import Path

import pytest

from textvae.text.corpora import FILE_KINDS
from textvae.text.inspect import inspect_file


def texts(folder: Path, kind: str, content: str) -> list[str]:
    path = folder / "file.txt"
    path.write_text(content, encoding="utf-8")
    card = FILE_KINDS[kind].model_validate({"name": "x", "root": str(folder), "files": {"train": path.name}})
    return [example.text for example in card.read("train")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "1\n00:00:01,000 --> 00:00:02,000\nGood day.\n\n2\n00:00:03,000 --> 00:00:04,000\nWhy?\n",
            ["Good day.", "Why?"],
        ),
        ("WEBVTT\n\nNOTE by hand\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>Good day.\n", ["Good day."]),
        ("1\n00:00:01,000 --> 00:00:02,000\n- Who?\n- Me.\n", ["- Who? - Me."]),
        ("1\n0:00:01.0 --> 0:00:02.0\n{\\an8}<i>Far</i> <font color='red'>away</font>\n\n\n", ["Far away"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:03,000 --> 00:00:04,000\n1984 was cold.\n", ["1984 was cold."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nOne.\n2\n00:00:02,000 --> 00:00:03,000\nTwo.", ["One.", "Two."]),
    ],
)
def test_subtitles(tmp_path: Path, content: str, expected: list[str]) -> None:
    assert texts(tmp_path, "subtitles", content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("12/05/20, 10:31 - Ann: Hello\n12/05/20, 10:32 - Ben: Bye: soon\n", ["Hello", "Bye: soon"]),
        ("[12.05.2020, 10:31:02] Ann B.: Hello\n[12.05.2020, 10:31:09] Ben: A\nB\n\nC\n", ["Hello", "A B  C"]),
        ("5/12/20, 9:31\u202fPM - Ann: Hello\n5/12/20, 9:32 pm - Ben: <Media omitted>\n", ["Hello"]),
        (
            "1/1/2020, 10:30 - Clara joined\n12/05/2020, 10:31 - Ann: Hello\n1/1/2020, 10:32 - Ben left\nx",
            ["Hello"],
        ),
        (
            "2020-05-12 10:31 <ann> hello <b>\n2020-05-12T10:32:11 <ben> https://x.org: see\n",
            ["hello <b>", "https://x.org: see"],
        ),
        ("\u200e[12/05/20, 10:31:02] Ann: \u200e<attached: 1.jpg>\n[12/05/20, 10:31:03] Ben: Nice!\n", ["Nice!"]),
    ],
)
def test_chats(tmp_path: Path, content: str, expected: list[str]) -> None:
    assert texts(tmp_path, "chat", content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (">a\nMKT\nAYI\n>b c d\nMSH\n", ["MKTAYI", "MSH"]),
        (">a\n\nMKT\n\nAYI*\n", ["MKTAYI*"]),
        (">a\n>b\nMSH", ["MSH"]),
        ("; old comment\n>a\nACGTNN--ACGT\n", ["ACGTNN--ACGT"]),
        (">a\r\nMKT\r\n>b\r\nMSH\r\n", ["MKT", "MSH"]),
    ],
)
def test_fasta(tmp_path: Path, content: str, expected: list[str]) -> None:
    assert texts(tmp_path, "fasta", content) == expected


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("subtitles", "{0}\n00:00:{0:02d},000 --> 00:00:{0:02d},900\nLine number {0} is said.\n\n"),
        ("chat", "12/05/2020, 10:{0:02d} - Ann: Message number {0}, as it was sent\n"),
        ("fasta", ">protein_{0}\nMKTAYIAKQRQISFVKSHFSRQ\nLEERLGLIEVQ\n"),
        ("lines", "Meeting at 10:{0:02d} on 12/05/2020: bring the papers.\n"),
        ("lines", "> quoted line {0} of an old mail\n"),
    ],
)
def test_they_are_seen_whatever_the_file_is_called(tmp_path: Path, kind: str, line: str) -> None:
    path = tmp_path / "my_file.txt"
    path.write_text("".join(line.format(number) for number in range(10, 59)), encoding="utf-8")
    found = inspect_file(path)
    assert found.kind == kind and found.texts.count == 49
