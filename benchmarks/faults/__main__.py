"""Runs the fault campaign, or repeats one of its trials.

python -m benchmarks.faults --kills 300 --interrupts 100 --disks 60 --cases 20000
python -m benchmarks.faults --kinds sigint --interrupts 100
python -m benchmarks.faults --kinds corpus --names 'damaged gzip'
python -m benchmarks.faults --again KIND NAME SEED
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import pages, results_file
from benchmarks.faults import campaign
from benchmarks.faults.process import warm_up
from benchmarks.faults.trial import KINDS, Trial

DEFAULT = Path(tempfile.gettempdir()) / "textvae-faults"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="SIGKILLs")
    parser.add_argument("--interrupts", type=int, default=100, help="Ctrl-Cs")
    parser.add_argument("--disks", type=int, default=60, help="full disks")
    parser.add_argument("--cases", type=int, default=20_000, help="hostile inputs")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help="these only")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="of these kinds only the cases of these names")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no new trial after this time")
    parser.add_argument("--out", type=Path, default=DEFAULT, help=f"where progress is kept; {DEFAULT} by default")
    parser.add_argument("--again", nargs=3, metavar=("KIND", "NAME", "SEED"), help="repeat one trial and show it")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    out = args.out.absolute()
    if args.again:
        again(Trial(args.again[0], args.again[1], int(args.again[2])), out)
        return
    _same_commit(out)
    campaign.settle(out)
    wanted = [
        trial
        for trial in campaign.trials(args.kills, args.interrupts, args.disks, args.cases)
        if trial.kind in args.kinds and (args.names is None or trial.name in args.names)
    ]
    campaign.campaign(wanted, out, args.minutes)
    asked = set(wanted)
    outcomes = sorted((one for one in campaign.done(out) if one.trial in asked), key=_order)
    (out / campaign.FAILURES).write_text(campaign.failures(outcomes), encoding="utf-8")
    for line in campaign.summary(outcomes):
        print(line)
    print(f"failures: {out / campaign.FAILURES}")
    if len(outcomes) < len(wanted):
        print(f"{len(wanted) - len(outcomes)} trials are left; run the same command again to continue.")
        return
    counts = f"--kills {args.kills} --interrupts {args.interrupts} --disks {args.disks} --cases {args.cases}"
    rows = [{**row, "commit": (out / "commit").read_text()} for row in campaign.rows(outcomes)]
    results_file.add("faults", rows, _place, f"python -m benchmarks.faults {counts}")
    pages.write_all()


def again(trial: Trial, out: Path) -> None:
    """Repeat one trial, print all there is to know about it, and leave its folder."""
    campaign.settle(out)
    warm_up()
    outcome = campaign.attempt(trial, out)
    folder = out / "work" / trial.folder
    print(json.dumps(json.loads(outcome.line()) | {"commands": outcome.commands, "said": outcome.said}, indent=1))
    for path in sorted([*folder.glob("*.out"), *folder.glob("*.err")]):
        print(f"--- {path.name}")
        print(repr(path.read_bytes()[:20_000])[2:-1].replace("\\n", "\n"))
    print(f"--- its folder: {folder}")


def _order(outcome: campaign.Outcome) -> tuple[int, str, int]:
    trial = outcome.trial
    return KINDS.index(trial.kind), trial.name, trial.seed


def _place(row: dict[str, Any]) -> tuple[int, str]:
    return KINDS.index(row["kind"]), row["name"]


def _same_commit(out: Path) -> None:
    """Keep the trials of different commits apart."""
    out.mkdir(parents=True, exist_ok=True)
    note, now = out / "commit", results_file.commit()
    if note.exists() and note.read_text() != now:
        raise SystemExit(f"the trials in {out} are of commit {note.read_text()}, expected {now}; give another --out.")
    note.write_text(now)


if __name__ == "__main__":
    main()
