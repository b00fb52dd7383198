"""Books and articles are seen and cut into sentences; what is one text a line stays so."""

# ruff: noqa: RUF001, SIM905
from __future__ import annotations

import os
import random
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from textvae.text.corpora import ProseCorpus
from textvae.text.inspect import inspect_file
from textvae.text.sentences import train_punkt

WORDS = (
    "river stone window garden letter morning captain sister winter carriage silver evening mountain promise "
    "laughed carried found remembered followed opened waited wandered answered believed the a of and with under "
    "near quickly softly always never again small old bright broken distant every some this that their its"
).split()
GERMAN = "der die und mit unter Haus Garten Brief Morgen Abend Fenster ging fand sah wartete langsam alt ein".split()
CHINESE = "今天天气很好我们去公园散步他说不知道为什么山水风花雪月春秋冬夏人民大地"
ARABIC = "ذهب الرجل الى البيت ثم عاد في المساء وكان الجو جميلا جدا".split()


def sentence(r: random.Random, words: Sequence[str] = WORDS, low: int = 6, high: int = 18, end: str = ".") -> str:
    text = " ".join(r.choice(words) for _ in range(r.randint(low, high)))
    return text[0].upper() + text[1:] + end


def paragraph(r: random.Random, words: Sequence[str] = WORDS, low: int = 3, high: int = 9) -> str:
    return " ".join(sentence(r, words, end=r.choice("..?!")) for _ in range(r.randint(low, high)))


def wrapped(r: random.Random, width: int, words: Sequence[str] = WORDS, indent: str = "", between: str = "\n\n") -> str:
    return between.join(
        textwrap.fill(paragraph(r, words), width, initial_indent=indent, break_on_hyphens=False) for _ in range(40)
    )


def chinese(r: random.Random, count: int) -> str:
    return "".join("".join(r.choice(CHINESE) for _ in range(r.randint(8, 20))) + "。" for _ in range(count))


def speech(r: random.Random) -> str:
    return f'"{sentence(r, end=r.choice(",?!"))}" said the {r.choice(WORDS[:9])}. {paragraph(r, low=2, high=5)}'


PROSE: dict[str, Callable[[random.Random], str]] = {
    "60 columns": lambda r: wrapped(r, 60),
    "72 columns": lambda r: wrapped(r, 72),
    "80 columns": lambda r: wrapped(r, 80),
    "lines end in CR LF": lambda r: wrapped(r, 72).replace("\n", "\r\n"),
    "indented paragraphs": lambda r: wrapped(r, 70, indent="    ", between="\n"),
    "no mark of paragraphs": lambda r: wrapped(r, 76, between="\n"),
    "chapters": lambda r: "\n\n\n".join(f"CHAPTER {i}\n\n{wrapped(r, 66)}" for i in ("I", "II", "III", "IV")),
    "dialogue": lambda r: "\n\n".join(textwrap.fill(speech(r), 65) for _ in range(60)),
    "double spaces": lambda r: wrapped(r, 68).replace(". ", ".  "),
    "an e-book": lambda r: (
        "The Project of Nobody\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n" + wrapped(r, 70)
        + "\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\n" + "The licence of this file is a long one.\n" * 99
    ),
    "German": lambda r: wrapped(r, 72, GERMAN),
    "Chinese": lambda r: "\n\n".join("\n".join(textwrap.wrap(chinese(r, 9), 36)) for _ in range(20)),
    "Arabic": lambda r: wrapped(r, 60, ARABIC),
    "long paragraphs, blank lines between": lambda r: "\n\n".join(paragraph(r, low=5) for _ in range(50)),
}  # fmt: skip
PARAGRAPHS: dict[str, Callable[[random.Random], str]] = {
    "a paragraph a line": lambda r: "\n".join(paragraph(r, low=4, high=12) for _ in range(80)),
    "with short speech between": lambda r: "\n".join(
        paragraph(r, low=5, high=12) if i % 2 else f'"{sentence(r, low=2, high=6, end="!")}"' for i in range(80)
    ),
    "German": lambda r: "\n".join(paragraph(r, GERMAN, low=5) for _ in range(60)),
    "Chinese": lambda r: "\n".join(chinese(r, 8) for _ in range(60)),
    "one article": lambda r: "\n".join(paragraph(r, low=6, high=12) for _ in range(12)),
}


def rhyme(r: random.Random) -> str:
    stanza = [sentence(r, low=5, high=7, end=r.choice([",", ";", "", "."])) for _ in range(4)]
    return "\n".join(stanza) + "\n"


def subtitle(r: random.Random) -> str:
    i = r.randint(1, 999)
    return f"{i}\n00:{i % 60:02}:01,000 --> 00:{i % 60:02}:03,500\n{textwrap.fill(sentence(r), 36)}\n"


LINES: dict[str, Callable[[random.Random], str]] = {
    "sentences": lambda r: sentence(r),
    "short sentences": lambda r: sentence(r, low=2, high=6),
    "long sentences": lambda r: sentence(r, low=15, high=40),
    "lower case, tokenized": lambda r: sentence(r, end=" .").lower(),
    "without punctuation": lambda r: sentence(r, low=4, high=40, end="").lower(),
    "headlines": lambda r: sentence(r, low=6, high=10, end=""),
    "headlines in lower case": lambda r: sentence(r, low=7, high=10, end="").lower(),
    "Title Case": lambda r: sentence(r, low=5, high=9, end="").title(),
    "verses": rhyme,
    "pentameters": lambda r: sentence(r, low=8, high=8, end=r.choice([",", ";", "."])),
    "verses in lower case": lambda r: sentence(r, low=2, high=6, end="").lower() + ("\n" if r.random() < 0.2 else ""),
    "tweets": lambda r: f"@{r.choice(WORDS)} {sentence(r, low=3, high=20, end=r.choice('.!?'))} #{r.choice(WORDS)}",
    "SMILES": lambda r: "".join(r.choices(["C", "c1ccccc1", "(=O)", "N", "O", "Cl", "[nH]"], k=r.randint(3, 20))),
    "proteins at 60 columns": lambda r: f">seq{r.randint(1, 999)}\n" + "\n".join(
        "".join(r.choices("ACDEFGHIKLMNPQRSTVWY", k=60)) for _ in range(4)
    ),
    "subtitles": subtitle,
    "Chinese sentences": lambda r: chinese(r, 1),
    "Arabic sentences": lambda r: sentence(r, ARABIC),
    "names": lambda r: f"{r.choice(WORDS).title()} {r.choice(WORDS).title()}",
    "questions": lambda r: sentence(r, low=4, high=12, end="?"),
    "reviews of one to three sentences": lambda r: paragraph(r, low=1, high=3),
    "a chat": lambda r: f"[12:{r.randint(10, 59)}] {r.choice(WORDS).title()}: {sentence(r, low=1, high=9).lower()}",
}  # fmt: skip


def write(folder: Path, content: str) -> Path:
    file = folder / "mine.txt"
    file.write_bytes(content.encode())
    return file


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", PROSE)
def test_running_text_is_read_as_sentences(tmp_path: Path, shape: str, seed: int) -> None:
    found = inspect_file(write(tmp_path, PROSE[shape](random.Random(seed))))
    assert (found.kind, found.split_sentences) == ("prose", True)
    assert found.texts.count > 100
    # Statistics are those of sentences, which have at most 18 words and 20 characters.
    assert found.texts.words_quantiles[0.9] <= (42 if shape == "Chinese" else 25)
    assert not any("GUTENBERG" in text or "licence" in text or "CHAPTER" in text for text in found.texts.sample)
    card = ProseCorpus.model_validate({"name": "x", "root": str(tmp_path), "files": {"train": "mine.txt"}})
    assert [text for text, _ in card.read("train")][:50] == list(found.texts.sample[:50])


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", PARAGRAPHS)
def test_a_paragraph_a_line_is_cut_into_sentences(tmp_path: Path, shape: str, seed: int) -> None:
    found = inspect_file(write(tmp_path, PARAGRAPHS[shape](random.Random(seed))))
    assert (found.kind, found.split_sentences) == ("lines", True)
    assert found.texts.count > 60 and found.texts.words_quantiles[0.9] <= 25


OWN_KINDS = {"proteins at 60 columns": "fasta", "subtitles": "subtitles"}
"""Shapes that have a kind of their own."""


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", LINES)
def test_one_text_a_line_stays_so(tmp_path: Path, shape: str, seed: int) -> None:
    r = random.Random(seed)
    lines = [LINES[shape](r) for _ in range(300)]
    found = inspect_file(write(tmp_path, "\n".join(lines) + "\n"))
    kind = OWN_KINDS.get(shape, "lines")
    assert (found.kind, found.split_sentences) == (kind, False)
    if kind == "lines":
        assert found.texts.count == sum(bool(line.strip()) for text in lines for line in text.split("\n"))


BOOK = """[A Book by Nobody 1900]

CONTENTS

I. The Door ......... 1
II. The Well ......... 20

CHAPTER I

The Door

"Come in," said the old man, "and shut the door.  It was open
all night long."  The boy did so--he was cold--
and sat down by the _fire_.[12]

12

* * *

[Illustration: a well]

He had not eaten since the day before.  A well-
known cook lived there; every morn-
ing she baked, and by morning all was eaten.

THE END
"""


def test_what_is_read_of_a_book(tmp_path: Path) -> None:
    write(tmp_path, BOOK)
    card = ProseCorpus.model_validate({"name": "x", "root": str(tmp_path), "files": {"train": "mine.txt"}})
    assert [text for text, _ in card.read("train")] == [
        '"Come in," said the old man, and shut the door.',
        "It was open all night long.",
        "The boy did so--he was cold--and sat down by the fire.",
        "He had not eaten since the day before.",
        "A well-known cook lived there; every morning she baked, and by morning all was eaten.",
    ]
    whole = card.model_copy(update={"split_sentences": False})
    assert [len(text.split()) for text, _ in whole.read("train")] == [27, 23]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("今天很好。我们去吧！好吗？走。", ["今天很好。", "我们去吧！", "好吗？", "走。"]),
        ("他说：「我不去。」然后走了。", ["他说：「我不去。」", "然后走了。"]),
        ("「行くか。」と言った。はい。", ["「行くか。」と言った。", "はい。"]),
        ("هل ذهبت؟ نعم ذهبت.", ["هل ذهبت؟", "نعم ذهبت."]),
        ("हम गए। वह आया।", ["हम गए।", "वह आया।"]),
        ('"Why?" asked he. "Go!" He left.', ['"Why?" asked he.', '"Go!"', "He left."]),
        ("What did Mrs. Bell say to J. Smith? Nothing.", ["What did Mrs. Bell say to J. Smith?", "Nothing."]),
        ("Wait! and see. Then go.", ["Wait! and see.", "Then go."]),
    ],
)  # fmt: skip
def test_sentences_of_every_script(text: str, sentences: list[str]) -> None:
    cut = train_punkt(["The captain came home. Mrs. Bell saw him. He was glad! She was not."] * 5)
    assert cut(text) == sentences


def test_text_without_capitals_is_cut_after_every_mark() -> None:
    cut = train_punkt(["so it goes! you are there? i am not. we saw it."] * 5)
    assert cut("so it goes! you are there? i am not.") == ["so it goes!", "you are there?", "i am not."]


VERSE = ("blake", "milton", "shakespeare", "whitman")
BOOKS = Path(os.environ.get("TEXTVAE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data")) / "gutenberg"


@pytest.mark.skipif(not BOOKS.is_dir(), reason="needs the books of the folder gutenberg beside the project")
def test_real_books(tmp_path: Path) -> None:
    """Novels are prose; poems and plays in verse stay lines. Two of them are not UTF-8, and read as if they were."""
    for book in sorted(BOOKS.glob("*.txt")):
        text = book.read_bytes().decode("utf-8", errors="replace")
        file = write(tmp_path, text[:60_000])
        found = inspect_file(file)
        prose = not book.name.startswith(VERSE)
        assert (found.kind, found.split_sentences) == (("prose", True) if prose else ("lines", False)), book.name
