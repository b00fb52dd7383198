"""The page of the fault campaign, `docs/faults.md`."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.trial import KINDS
from benchmarks.markdown import source, table

TITLES = {
    "sigkill": "SIGKILL during a run",
    "sigint": "Ctrl-C during a run",
    "full_disk": "Full disks",
    "recipe": "Recipes",
    "card": "Corpus cards",
    "corpus": "Corpora",
    "argument": "Command lines and standard input",
    "model_folder": "Model folders",
}

WHAT = {
    "sigkill": (
        "A run of six stages on a tiny corpus, checkpoints after every step, is killed at a random moment, and",
        "then run again to its end. *inside writes*: the process ends itself at a change of a file drawn from all that",
        "a run makes (open to write, rename, link, remove, make or remove a folder, flush), two times of three just",
        "before it, else up to 10 ms later. *over an older run*: the same, where a finished run of other settings",
        "is being replaced. *several in a row*: two to four such kills before the run may end. The other moments are",
        "moments in time: of the first second since a stage said that it runs, of the imports, of the whole run.",
    ),
    "sigint": (
        "The same with SIGINT, which has to end the command with exit code 130 and a word (or with 0 where it had",
        "finished). *two at once*: a second one at most half a second after the first. More than 20 s from the",
        "signal to the end is wrong: 2 s are the aim outside of training, and a test machine has other work.",
        "What comes before Python reads the first line of the package is Python's own and is drawn anew.",
    ),
    "full_disk": (
        "A file system in memory (tmpfs) of 20 to 450 kB is mounted on the run folder, in a mount namespace that no",
        "other process sees; or the size of a file is limited (RLIMIT_FSIZE, 3 to 60 kB). The run has to end with exit",
        "code 1 and one sentence; then it gets room (the file system grows, at once or little by little, or its files",
        "are copied elsewhere) and runs to its end. Where mounting is not allowed the limit alone is tried.",
    ),
    "recipe": (
        "`textvae run RECIPE --dry-run` of recipes of this project with bytes, values, keys and parts changed, of",
        "drawn documents, with `--set` of anything; some are trained for a step.",
    ),
    "card": ("The same for corpus cards; a quarter of them are read by the tokenize stage.",),
    "corpus": (
        "Text, CSV, TSV and JSON lines, gzipped or not, that are damaged, drawn or odd, read by",
        "`textvae run --only tokenize` and by `textvae new`.",
    ),
    "argument": (
        "Every option of every command with absurd values, in odd combinations; sentences of any characters; standard",
        "input closed, a folder, binary, long; run folders in which somebody has files of the names textvae uses.",
    ),
    "model_folder": (
        "A trained model whose settings, weights or tokenizer are changed, or whose files are replaced by folders,",
        "pipes, endless devices and links, used by generate, reconstruct, interpolate, impute, classify and evaluate.",
    ),
}


def faults_page(contents: dict[str, dict[str, Any]]) -> str:
    """What was tried, and how much of it went wrong or was lost."""
    content = contents["faults"]
    rows = content["rows"]
    lines = ["# Faults on purpose", "", *source(content, "faults")]
    lines += [
        "Each trial is drawn from its kind, its name and its seed (0 up to the number tried);",
        "`python -m benchmarks.faults --again KIND NAME SEED` repeats one. Moments in time repeat only roughly.",
        "Cases that found a fault were tried again at the commit that mended it: each kind says which commits it has.",
        "",
        "**Wrong**: a traceback; an error inside of textvae; an exit code other than 0 for success, 2 for what the",
        "user can mend, 1 for the machine's memory or disk, 130 for Ctrl-C; an end by a signal; more than 60 s; under",
        "`--json` anything but valid JSON, a bare NaN included; raw control characters in the output.",
        "",
        "**Lost**: a file of the user's that changed or went (all that lie in and around the folder are compared by",
        "their hashes: corpus, card, recipe, files of somebody's in the run folder), or a run that, once it was gone",
        "on with, differs from an uninterrupted one: in the weights of the two trained models or the tokenized files,",
        "byte by byte, or in the numbers of any stage but times; or a finished stage that had to run again.",
        "",
        "*anew*: how many of the trials started Python anew, as `python -m textvae`; the others are forks of a process",
        "that has imported everything, which then runs the same command with streams of its own.",
        "",
    ]
    totals = []
    for kind in KINDS:
        those = [row for row in rows if row["kind"] == kind]
        if those:
            totals.append([TITLES[kind], *(f"{sum(row[key] for row in those):,}" for key in _COUNTS)])
    lines += [*table(["kind", *_HEADS], totals), ""]
    for kind in KINDS:
        those = [row for row in rows if row["kind"] == kind]
        if those:
            commits = sorted({row["commit"] for row in those})
            lines += [f"## {TITLES[kind]}", "", *WHAT[kind], f"Tried at commit {', '.join(commits)}.", ""]
            lines += [
                *table(["case", *_HEADS], [[row["name"], *(f"{row[key]:,}" for key in _COUNTS)] for row in those]),
                "",
            ]
    lines += [
        "## What this is conditional on",
        "",
        "Linux, one thread for each process, a tiny model on a CPU, this machine and its file system; two trials at a",
        "time. SIGKILL ends a process and not the machine: a power cut may lose what a disk had not written yet, and",
        "nothing here tries that. Each hostile input gets 3 GiB of memory beyond what the imports take; an answer that",
        "memory did not suffice is a right one. No network: names of the hub are not found. Where the kernel has",
        "Landlock, an input cannot write outside of its folder, and a command that wants to is told that it may not.",
        "`textvae new` takes a figure for the speed of the machine in forks, where it would measure for half a second.",
        "Requests for work that is only long (a million sentences) are not among the inputs.",
    ]
    return "\n".join(lines) + "\n"


_COUNTS = ("tried", "real", "wrong", "lost")
_HEADS = ("tried", "anew", "wrong", "lost")
