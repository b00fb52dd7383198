"""What `textvae new` and `textvae run` make of real texts within a time budget, without a hand on them.

    python -m benchmarks.own_text --data DATA --out RUNS [--rows NAME@MINUTES ...]

DATA is the folder of the corpora (TEXTVAE_DATA by default). For each row one file is given to `textvae new FILE
--minutes M`, and its recipe to `textvae run`; the row has the time of the run, and what came out. Run it on a machine
without other jobs. A row that is finished is not made again; one that was interrupted begins anew in another folder,
because a resumed run would not show the time it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import pages, results_file

FILES = {
    "banking77": "banking77/train.csv",
    "daily_dialog": "daily_dialog/train.jsonl.gz",
    "gutenberg": "gutenberg/austen-emma.txt",
    "imdb": "imdb/train.jsonl.gz",
    "mr": "mr/train.tsv",
    "ptb": "ptb/ptb.train.txt",
    "subj": "subj/train.tsv",
    "tatoeba_en": "tatoeba_en/train.txt",
    "trec": "trec/train.tsv",
    "yelp_short": "yelp_short/train.tsv",
}
"""The file of each corpus, in the folder of the corpora."""

ROWS = (
    *((name, 5) for name in ("banking77", "gutenberg", "subj", "tatoeba_en", "trec", "yelp_short")),
    *((name, 15) for name in ("daily_dialog", "mr", "tatoeba_en")),
    ("imdb", 30),
)
"""Corpus and minutes of each row."""

SENTENCES = 3


def row_of(name: str, minutes: int, data: Path, out: Path) -> dict[str, Any]:
    """Make a row, or read it where it is made already.

    Args:
        name: of the corpus.
        minutes: the budget.
        data: the folder of the corpora.
        out: a folder for recipes and runs.
    """
    home = out / f"{name}_{minutes}"
    done = home / "row.json"
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8"))
    attempt = 1 + len(list(home.glob("attempt_*")))
    folder = home / f"attempt_{attempt}"
    folder.mkdir(parents=True)
    file = (data / FILES[name]).absolute()
    new_seconds, made = _textvae(folder, "new", str(file), "--name", name, "--minutes", str(minutes), "--json")
    (written,) = [json.loads(made)]
    seconds, told = _textvae(folder, "run", written["recipe"], "--json")
    (outcome,) = json.loads(told)
    report = outcome["report"]
    details = json.loads((folder / outcome["folder"] / "evaluate" / "details.json").read_text(encoding="utf-8"))
    evaluated, trained = report["evaluate"], report["train"]
    row = {
        "name": name,
        "seed": report["run"]["seed"],
        "minutes": minutes,
        "seconds": round(seconds, 1),
        "new_seconds": round(new_seconds, 1),
        "told_too_short": any("would do" in note for note in written["notes"]),
        "stopped_early": trained["stopped_early"],
        "epochs": trained["epochs"],
        "collapsed": evaluated["collapsed"],
        "mi": evaluated["mi"],
        "mi_sentences": evaluated["mi_sentences"],
        **{key: evaluated[key] for key in ("iw_nll", "iw_nll_se", "iw_samples", "tokens", "sentences", "kl", "ppl")},
        **{
            f"classify_{key}": value
            for key, value in report.get("classify", {}).items()
            if key in ("accuracy", "labels")
        },
        "sentences_read": " | ".join(details["samples"]["sampled"][:SENTENCES]),
        "commit": results_file.commit(),
        "made_on": results_file.hardware(),
    }
    done.write_text(json.dumps(row, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return row


def _textvae(folder: Path, *arguments: str) -> tuple[float, str]:
    """Wall-clock seconds of a command, started in `folder`, and its standard output; its progress goes to a log."""
    began = time.monotonic()
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        made = subprocess.run(
            [sys.executable, "-m", "textvae", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
            check=False,
        )
    if made.returncode:
        said = (folder / "log.txt").read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise SystemExit(f"textvae {' '.join(arguments)} ended with code {made.returncode}: {''.join(said)}")
    return time.monotonic() - began, made.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("TEXTVAE_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=[f"{name}@{minutes}" for name, minutes in ROWS])
    given = parser.parse_args()
    if given.data is None or not Path(given.data).is_dir():
        raise SystemExit(f"--data is {given.data}; expected the folder of the corpora.")
    for asked in given.rows:
        name, _, minutes = asked.partition("@")
        if name not in FILES or not minutes.isdigit():
            raise SystemExit(f"--rows has {asked}, expected NAME@MINUTES with one of {', '.join(FILES)}.")
        row = row_of(name, int(minutes), Path(given.data), given.out)
        print(json.dumps(row, ensure_ascii=False), flush=True)
        results_file.add(
            "own_text",
            [row],
            key=lambda row: (row["minutes"], row["name"]),
            command="python -m benchmarks.own_text --out RUNS",
        )
        pages.write_all()


if __name__ == "__main__":
    main()
