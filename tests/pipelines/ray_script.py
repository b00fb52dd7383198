"""Maps files over two actors of Ray on this machine, and kills one of them if asked to.

Arguments: a run, a folder of files, an output folder, and `kill` or `leave`. Prints the counts of each file as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import psutil
import ray

from textvae.mapping.ray_data import map_files


def kill_one(out: Path) -> None:
    """Kill an actor at work, once the first file is there."""
    while not any(path.is_file() and not path.name.startswith(".") for path in out.glob("*")):
        time.sleep(0.01)
    while True:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if "_Actor" in "".join(child.cmdline()) and child.cpu_percent(0.05) > 0:
                    child.send_signal(signal.SIGKILL)
                    print("killed", file=sys.stderr, flush=True)
                    return


def main(run: Path, files: Path, out: Path, what: str) -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    if what == "kill":
        threading.Thread(target=kill_one, args=(out,), daemon=True).start()
    found = map_files(run, sorted(files.iterdir()), out, "score", ending=".jsonl", actors=2, samples=2, seed=5)
    print(json.dumps({name: asdict(counts) for name, counts in found.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
