"""Small files of the shapes in which people keep their texts, made up from a few words."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

THINGS = ("soup", "bread", "tea", "room", "bill", "chair", "lamp", "waiter", "garden", "window", "coffee", "street")
GOOD, BAD = ("fine", "warm", "lovely", "quick", "great"), ("cold", "wrong", "late", "broken", "slow")
THEN = ("will", "won\u2019t", "can't", "shall")
ARABIC = ("البيت", "الكتاب", "جميل", "قديم", "في", "المدينة", "الولد", "يقرأ", "كبير", "الشارع", "هذا", "من")
HAN = "山水风云雨雪日月花鸟江河竹松石木天地人心春秋夜光"


@dataclass(frozen=True)
class OwnText:
    """A file of a user, and what `textvae new` should find in it.

    Attributes:
        name: of the file.
        write: writes it, from a path and a generator of random numbers.
        kind: the kind of corpus.
        text: the text column; None for a file without columns.
        label: the label column; None for none.
        splits: splits that the file itself names.
    """

    name: str
    write: Callable[[Path, random.Random], None]
    kind: str
    text: str | None = None
    label: str | None = None
    splits: tuple[str, ...] = ()


def opinion(rng: random.Random, good: bool) -> str:
    said = rng.choice(GOOD if good else BAD)
    other = rng.choice(THINGS)
    return rng.choice(
        [
            f"The {rng.choice(THINGS)} was {said}, and so was the {other}.",
            f"I found the {rng.choice(THINGS)} {said}; we {rng.choice(THEN)} come back for the {other}!",
            f"{said.capitalize()} {other}, number {rng.randrange(99)}.",
        ]
    )


def reviews(path: Path, rng: random.Random) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(["", "review_id", "date", "review_text", "stars", "url"])
        for number in range(240):
            good = rng.random() < 0.5
            address = f"https://example.org/reviews/{number}/a-very-long-address-of-a-review-that-nobody-reads"
            day = f"2024-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}"
            rows.writerow([number, f"R{number:05d}", day, opinion(rng, good), 5 if good else 1, address])


def tickets(path: Path, rng: random.Random) -> None:
    records = [
        {
            "id": number,
            "ticket": {"subject": f"Case {number}", "body": opinion(rng, number % 3 == 0) + " Please help me soon."},
            "queue": "billing" if number % 3 == 0 else "rooms" if number % 3 == 1 else None,
        }
        for number in range(240)
    ]
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def tweets(path: Path, rng: random.Random) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["tweet_id", "airline_sentiment", "airline_sentiment_confidence", "name", "text", "tweet_coord"])
        for number in range(260):
            good = rng.random() < 0.4
            said = f"@hotel{rng.randrange(5)} {opinion(rng, good)} #{rng.choice(THINGS)} :) http://t.co/x{rng.randrange(9)}"
            mood = "positive" if good else "negative"
            rows.writerow([5_000_000 + number, mood, round(rng.random(), 4), f"user{number}", said, ""])


def poems(path: Path, rng: random.Random) -> None:
    lines = []
    for _ in range(60):
        for _ in range(4):
            lines.append(f"The {rng.choice(THINGS)} is {rng.choice(GOOD + BAD)} by the {rng.choice(THINGS)} at night,")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def smiles(path: Path, rng: random.Random) -> None:
    atoms = ("C", "C", "O", "N", "C(C)", "C=C", "c1ccccc1", "C(=O)", "[nH]", "Cl")
    rows = ["SMILES,SPLIT"]
    rows += [
        "".join(rng.choices(atoms, k=rng.randint(4, 9))) + f",{'test' if number % 5 == 0 else 'train'}"
        for number in range(250)
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def proteins(path: Path, rng: random.Random) -> None:
    lines = []
    for number in range(160):
        lines.append(f">sp|P{number:05d}|NAME_{number} a protein")
        lines += ["".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=60)) for _ in range(rng.randint(1, 2))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def subtitles(path: Path, rng: random.Random) -> None:
    cues = []
    for number in range(1, 220):
        minute, second = divmod(number * 2, 60)
        cues.append(
            f"{number}\n00:{minute:02d}:{second:02d},000 --> 00:{minute:02d}:{second:02d},900\n"
            f"<i>{opinion(rng, number % 2 == 0)}</i>\n"
        )
    path.write_text("\ufeff" + "\n".join(cues), encoding="utf-8")


def chat(path: Path, rng: random.Random) -> None:
    lines = ["12/05/2020, 10:00 - Messages are encrypted from end to end."]
    for number in range(240):
        author = rng.choice(("Anna", "Ben Long", "+49 170 1234567"))
        lines.append(f"12/05/2020, 1{number % 10}:{number % 60:02d} - {author}: {opinion(rng, number % 2 == 0)}")
        if number % 20 == 0:
            lines += ["and a second line", f"12/05/2020, 11:{number % 60:02d} - {author}: <Media omitted>"]
    path.write_text("\n".join(lines), encoding="utf-8")


def chinese(path: Path, rng: random.Random) -> None:
    verses = ("".join(rng.choices(HAN, k=5)) + "\uff0c" + "".join(rng.choices(HAN, k=5)) + "。" for _ in range(260))
    path.write_text("\r\n".join(verses), encoding="utf-16")


def arabic(path: Path, rng: random.Random) -> None:
    records = []
    for number in range(260):
        text = " ".join(rng.choices(ARABIC, k=rng.randint(4, 8))) + " ."
        records.append({"text": text, "label": "NA" if number % 4 == 0 else "ab"[number % 2]})
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


OWN_TEXTS = {
    "reviews": OwnText("reviews.csv", reviews, "csv", "review_text", "stars"),
    "tickets": OwnText("tickets.json", tickets, "json", "ticket.body", "queue"),
    "tweets": OwnText("Tweets.csv", tweets, "csv", "text", "airline_sentiment"),
    "poems": OwnText("poems.txt", poems, "lines"),
    "smiles": OwnText("molecules.csv", smiles, "csv", "SMILES", None, ("train", "test")),
    "proteins": OwnText("proteins.fasta", proteins, "fasta"),
    "subtitles": OwnText("film.srt", subtitles, "subtitles"),
    "chat": OwnText("chat.txt", chat, "chat"),
    "chinese": OwnText("verses.txt", chinese, "lines"),
    "arabic": OwnText("arabic.jsonl", arabic, "json_lines", "text", "label"),
}
"""The files by what is in them."""
