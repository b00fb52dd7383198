"""The throughput of `map_files` with one and with two actors of Ray on this machine.

    python -m benchmarks.scaling --texts FILE --out FOLDER

FILE has a text a line; sixteen files of 25 000 lines are made of it. The model is that of `benchmarks.whole_files`.
Each actor has one core. The time is that of the whole call: starting the actors and reading the models count. Run it on
a machine without other jobs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import time
from pathlib import Path

from benchmarks import pages, results_file
from benchmarks.whole_files import prepared

FILES, LINES = 16, 25_000


def files_of(texts: Path, out: Path) -> list[Path]:
    """The input files."""
    folder = out / "files"
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"part{number:02d}.txt" for number in range(FILES)]
    with texts.open(encoding="utf-8") as given:
        lines = itertools.cycle([line for line in given if line.strip()])
    for path in made:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(itertools.islice(lines, LINES))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    # Actors inherit it: each computes on its own core.
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    import ray

    from textvae.mapping.ray_data import map_files

    out = given.out.absolute()
    model, _ = prepared(given.texts, out, 100_000)
    files = files_of(given.texts, out)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    for actors in (1, 2):
        folder = out / f"actors_{actors}"
        shutil.rmtree(folder, ignore_errors=True)
        began = time.monotonic()
        counts = map_files(model, files, folder, "encode", ending=".parquet", actors=actors)
        seconds = time.monotonic() - began
        lines = sum(one.rows for one in counts.values())
        row = {
            "name": "encode",
            "seed": 0,
            "actors": actors,
            "files": len(files),
            "lines": lines,
            "seconds": round(seconds, 1),
            "per_second": round(lines / seconds),
            "commit": results_file.commit(),
            "made_on": results_file.hardware(),
        }
        print(json.dumps(row), flush=True)
        results_file.add(
            "scaling",
            [row],
            key=lambda row: (row["name"], row["actors"]),
            command="python -m benchmarks.scaling --texts FILE --out FOLDER",
        )
        shutil.rmtree(folder)
    pages.write_all()


if __name__ == "__main__":
    main()
