"""The speed and the memory of `textvae encode` and `textvae score` on a file of a million lines.

    python -m benchmarks.whole_files --texts FILE --out FOLDER [--lines 1000000]

FILE has a text a line; its lines are repeated until there are enough. The model is an LSTM of 128 units with 24
dimensions of z and 8000 pieces: it is not trained, as its speed does not depend on its weights. Each file is encoded
and scored by the command, in a process of its own, with 50 000 lines and with all. Beside it stands the speed of the
same computation on the same batches, already tokenized in memory. At last the work is killed halfway, and goes on. Run
it on a machine without other jobs.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import pages, results_file
from textvae.mapping.formats.base import PART_ROWS
from textvae.models import TextVAE, TextVAEConfig
from textvae.tasks.encode import encode
from textvae.tasks.score import bounds
from textvae.text.token_rows import TokenRows
from textvae.text.tokenizers import SentencePieceConfig

FEW = 50_000
IN_MEMORY = 20
"""Parts of the file that are computed in memory."""
MOST_TOKENS = 40
ROOT = Path(__file__).resolve().parent.parent

DOING: dict[str, Callable[[TextVAE, TokenRows], object]] = {"encode": encode, "score": bounds}


def prepared(texts: Path, out: Path, lines: int) -> tuple[Path, Path]:
    """The model's folder, and the file of all lines; a file of the first ones is beside it."""
    model, file = out / "model", out / f"{lines}.txt"
    out.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with texts.open(encoding="utf-8") as given:
            kept = [line for line in given if line.strip()]
        for name in (FEW, lines):
            with (out / f"{name}.txt").open("w", encoding="utf-8") as made:
                made.writelines(itertools.islice(itertools.cycle(kept), name))
    if not model.exists():
        torch.manual_seed(0)
        part = {"kind": "lstm", "embedding_dim": 96, "hidden_dim": 128}
        settings = TextVAEConfig.model_validate(
            {"latent_dim": 24, "encoder": {**part, "bidirectional": True, "pooling": "max"}, "decoder": part}
        )
        with texts.open(encoding="utf-8") as given:
            tokenizer = SentencePieceConfig(vocab_size=8000).train(itertools.islice(given, 100_000))
        built = settings.build(vocab_size=tokenizer.vocab_size, max_tokens=MOST_TOKENS)
        built.tokenizer = tokenizer
        built.save_pretrained(model)
    return model, file


def command(verb: str, model: Path, file: Path, out: Path) -> list[str]:
    """The command that answers a file."""
    return [sys.executable, "-m", "textvae", verb, str(model), "--file", str(file), "--out", str(out)]


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds of a command, and its largest memory in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed: {told.strip().splitlines()[-1:]}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def parts_of(model: TextVAE, file: Path) -> Iterator[TokenRows]:
    """The tokens of the first parts of the file, as the command makes them."""
    tokenizer = model.require_tokenizer()
    with file.open(encoding="utf-8") as given:
        for _ in range(IN_MEMORY):
            texts = list(itertools.islice(given, PART_ROWS))
            if not texts:
                return
            yield TokenRows([ids[:MOST_TOKENS] for ids in tokenizer.encode_batch(texts)])


def speed_in_memory(verb: str, model: TextVAE, file: Path) -> float:
    """Lines per second of the computation alone."""
    parts = list(parts_of(model, file))
    DOING[verb](model, parts[0])
    began = time.monotonic()
    for part in parts:
        DOING[verb](model, part)
    return sum(map(len, parts)) / (time.monotonic() - began)


def killed_and_resumed(words: list[str], out: Path, seconds: float) -> str:
    """The digest of a file whose making was killed after so many seconds, and went on."""
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if out.exists():
        raise SystemExit("the work was done before it was killed; take more lines.")
    measured(words)
    return digest(out)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def row_of(verb: str, model: Path, file: Path, lines: int) -> dict[str, Any]:
    """The row of a verb."""
    home = file.parent / verb
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    _, memory_of_few = measured(command(verb, model, file.with_name(f"{FEW}.txt"), home / "few.parquet"))
    words = command(verb, model, file, home / "all.parquet")
    loaded = TextVAE.from_pretrained(model)
    # Before and after, as the speed of a machine drifts.
    speeds = [speed_in_memory(verb, loaded, file)]
    seconds, memory = measured(words)
    speeds.append(speed_in_memory(verb, loaded, file))
    in_memory = sum(speeds) / len(speeds)
    again = home / "again" / "all.parquet"
    resumed = killed_and_resumed(command(verb, model, file, again), again, 0.5 * seconds)
    row = {
        "name": verb,
        "seed": 0,
        "lines": lines,
        "seconds": round(seconds, 1),
        "per_second": round(lines / seconds),
        "in_memory_per_second": round(in_memory),
        "of_in_memory": round(lines / seconds / in_memory, 3),
        "peak_memory_mb": round(memory),
        "few_lines": FEW,
        "few_peak_memory_mb": round(memory_of_few),
        "of_few_peak_memory": round(memory / memory_of_few, 3),
        "same_bytes_after_kill": resumed == digest(home / "all.parquet"),
        "commit": results_file.commit(),
        "made_on": results_file.hardware(),
    }
    shutil.rmtree(home)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--verbs", nargs="+", choices=list(DOING), default=list(DOING))
    given = parser.parse_args()
    model, file = prepared(given.texts, given.out, given.lines)
    for verb in given.verbs:
        row = row_of(verb, model, file, given.lines)
        print(json.dumps(row), flush=True)
        results_file.add(
            "whole_files",
            [row],
            key=lambda row: (row["name"], row["lines"]),
            command="python -m benchmarks.whole_files --texts FILE --out FOLDER",
        )
        pages.write_all()


if __name__ == "__main__":
    main()
