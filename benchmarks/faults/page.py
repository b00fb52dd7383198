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
        "A run of six stages on a tiny corpus, with a checkpoint after every step, is killed at a random moment and",
        "then run again to its end. *inside writes*: the process kills itself at one of the changes that a run makes",
        "to files (open to write, rename, link, remove, make or remove a folder, flush), drawn at random; in two of",
        "three trials just before the change, else up to 10 ms later. *over an older run*: the same, while a finished",
        "run with other settings is replaced. *several in a row*: two to four such kills before the run may finish.",
        "The other cases draw a time: in the first second after a stage reports that it runs, during the imports, or",
        "in the whole run.",
    ),
    "sigint": (
        "The same with SIGINT, which must end the command with exit code 130 and a message (or with 0 if it had",
        "finished). *two at once*: a second signal at most half a second after the first. More than 20 s from the",
        "signal to the end is wrong; outside of training the aim is 2 s, but the test machine has other work. A signal",
        "that arrives before Python runs the first line of the package tests Python and not textvae, and is drawn",
        "again.",
    ),
    "full_disk": (
        "A file system in memory (tmpfs) of 20 to 450 kB is mounted on the run folder, in a mount namespace that no",
        "other process sees; or the size of a file is limited (RLIMIT_FSIZE, 3 to 60 kB). The run must end with exit",
        "code 1 and one sentence. Then it is given space (the file system grows, at once or in steps, or its files are",
        "copied to another disk) and must run to its end. Where mounting is not allowed, only the limit is tried.",
    ),
    "recipe": (
        "`textvae run RECIPE --dry-run` on recipes of this project with changed bytes, values, keys and parts, on",
        "random documents, and with random `--set` options. Some are trained for one step.",
    ),
    "card": ("The same with corpus cards. A quarter of them are read by the tokenize stage.",),
    "corpus": (
        "Damaged, random or unusual files of text, CSV, TSV and JSON lines, gzipped or not, are read by",
        "`textvae run --only tokenize` and by `textvae new`.",
    ),
    "argument": (
        "Every option of every command with absurd values and in odd combinations; sentences of any characters;",
        "standard input that is closed, a folder, binary or long; run folders in which the user has files with names",
        "that textvae uses.",
    ),
    "model_folder": (
        "A trained model with changed settings, weights or tokenizer, or with its files replaced by folders, pipes,",
        "endless devices or links, is used by generate, reconstruct, interpolate, impute, classify and evaluate.",
    ),
}


def faults_page(contents: dict[str, dict[str, Any]]) -> str:
    """The page: how many trials of each case there were, and how many went wrong or lost something."""
    content = contents["faults"]
    rows = content["rows"]
    lines = ["# Faults on purpose", "", *source(content, "faults")]
    lines += [
        "This page counts what goes wrong when textvae is killed, interrupted, run on a full disk or given hostile",
        "input. A trial is determined by its kind, its name and its seed (from 0 up to the number tried), and",
        "`python -m benchmarks.faults --again KIND NAME SEED` repeats it; times of signals repeat only roughly. Cases",
        "that found a fault were tried again at the commit that fixed it: each kind lists its commits.",
        "",
        "**Wrong**: a traceback; an internal error of textvae; an exit code other than 0 for success, 2 for what the",
        "user can fix, 1 for lack of memory or disk, 130 for Ctrl-C; an end by a signal; more than 60 s; with",
        "`--json`, output that is not valid JSON (NaN is not); raw control characters in the output.",
        "",
        "**Lost**: a file of the user's that was changed or removed (the hashes of all files in and around the folder",
        "are compared: corpus, card, recipe, the user's files in the run folder); or a resumed run that differs from",
        "an uninterrupted one (in any byte of the weights of the two trained models or of the tokenized files, or in",
        "any number of a stage except times); or a finished stage that had to run again.",
        "",
        "*anew*: how many of the trials started a new Python process, `python -m textvae`. The others are forks of a",
        "process that has imported everything, and run the same command with standard streams of their own.",
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
        "## Conditions",
        "",
        "The trials ran on Linux, with one thread for each process, a tiny model on a CPU, the file system of this",
        "machine, and two trials at a time. SIGKILL ends a process, not the machine: after a power cut, data that the",
        "disk had not written yet may be lost, and this is not tested. Each hostile input gets 3 GiB of memory beyond",
        "what the imports take, and an error about too little memory is not wrong. There is no network, so names on",
        "the hub are not found. If the kernel has Landlock, an input cannot write outside of its folder, and a command",
        "that tries gets a permission error. In forks, `textvae new` uses a fixed speed of the machine instead of",
        "measuring it for half a second. Inputs that are only long (a million sentences) are not among the trials.",
    ]
    return "\n".join(lines) + "\n"


_COUNTS = ("tried", "real", "wrong", "lost")
_HEADS = ("tried", "anew", "wrong", "lost")
