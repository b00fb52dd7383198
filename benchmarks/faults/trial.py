"""A trial of the campaign, and its outcome."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field

KINDS = ("sigkill", "sigint", "full_disk", "recipe", "card", "corpus", "argument", "model_folder")
STOPS, HOSTILE = KINDS[:3], KINDS[3:]


@dataclass(frozen=True, order=True)
class Trial:
    """A case: everything about it is drawn from these three."""

    kind: str
    name: str
    seed: int

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return shlex.join(["python", "-m", "benchmarks.faults", "--again", self.kind, self.name, str(self.seed)])

    @property
    def folder(self) -> str:
        words = f"{self.kind} {self.name} {self.seed}"
        return "".join(c if c.isalnum() else "-" for c in words)


@dataclass
class Outcome:
    """What came of a trial.

    Attributes:
        trial: which.
        wrong: what was wrong with how the command ended.
        lost: what was lost of the user's files or of the results.
        real: whether Python was started anew for it.
        landed: signals that met a running command, disks that were too small; of hostile inputs 1.
        seconds: it took.
        commands: the command lines, as JSON would write them.
        said: the last line of standard error of each.
    """

    trial: Trial
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    real: bool = False
    landed: int = 1
    seconds: float = 0.0
    commands: list[list[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.wrong or self.lost)

    def line(self) -> str:
        """As progress is kept: the details of failures only, for there are many trials."""
        record = asdict(self)
        trial = record.pop("trial")
        if not self.failed:
            record = {name: record[name] for name in ("wrong", "lost", "real", "landed", "seconds")}
        return json.dumps(trial | record | ({"again": self.trial.again} if self.failed else {}))


def read_line(line: str) -> Outcome:
    record = json.loads(line)
    record.pop("again", None)
    trial = Trial(record.pop("kind"), record.pop("name"), record.pop("seed"))
    return Outcome(trial, **record)
