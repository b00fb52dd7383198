"""Writes the pages of `docs/` that are generated from `benchmarks/results/` or from the registry of stages.

A test checks that the pages agree with their sources.

python -m benchmarks.pages
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.family_pages import families_block, families_page
from benchmarks.faults.page import faults_page
from benchmarks.markdown import MI, active_units, collapsed, information, shown, source, table, with_error
from benchmarks.mixture_page import mixture_block
from benchmarks.own_text_page import own_text_block
from benchmarks.remedy_pages import remedies_block
from benchmarks.rows import probed_with
from benchmarks.semi_supervised_page import few_labels_block
from benchmarks.unit_pages import numbers_block
from benchmarks.whole_files_page import scaling_block, whole_files_block

BUDGETS = {
    "converged": "the learning rate falls over as many epochs as the validation bound improves in",
    "45min": "at most 45 minutes of a core for each training",
}
"""What a table's budgets are called on its page, the best first."""

PUBLISHED = {
    "ptb": (
        "For comparison, published values on this test set with the same vocabulary, words + EOS as tokens, and the",
        "ELBO (one sample; the KL was not published): VAE with an LSTM decoder 102.10, with a Transformer decoder",
        "101.48 (read in the README of texar); 101.92 and 101.72 (read in pull request 133 of texar-pytorch). Compare",
        "them with the column of the ELBO. Other published tables count other tokens, or do not say which bound they",
        "report.",
    )
}
"""Published values that a table can be compared with, and where they were read."""

DOCS = Path(__file__).resolve().parent.parent / "docs"


def results_page(contents: dict[str, dict[str, Any]]) -> str:
    """The page of likelihoods: the tables of remedies against collapse, and the recipes."""
    lines = [
        "# Results",
        "",
        "Likelihoods are those of the test split, in nats per sentence. `IW-k` is the importance-weighted bound with k",
        "samples; the perplexity is computed from it, over words + EOS. The likelihood of a language model is exact.",
        "Units are in [units.md](units.md). What the numbers mean is in",
        "[reading_the_results.md](reading_the_results.md).",
        "",
    ]
    titles = {"ptb": "The Penn Treebank", "yelp_short": "Short sentences of Yelp reviews"}
    for name, title in titles.items():
        if name in contents:
            lines += _remedies(contents[name], name, title)
    if "paired" in contents:
        lines += _paired(contents["paired"])
    if "recipes" in contents:
        lines += _recipes(contents["recipes"])
    return "\n".join(lines) + "\n"


def _remedies(content: dict[str, Any], name: str, title: str) -> list[str]:
    """One protocol, one row for each remedy against collapse."""
    lines = [f"## {title}: remedies against collapse", "", *source(content, name)]
    lines += [*PUBLISHED[name], ""] if name in PUBLISHED else []
    for budget, words in BUDGETS.items():
        rows = [row for row in content["rows"] if row["budget"] == budget]
        if not rows:
            continue
        best = min((row for row in rows if _is_exact(row)), key=lambda row: row["iw_nll"], default=None)
        lines += [f"### Budget `{budget}`: {words}", ""]
        lines += table(
            [
                *("row", "IW NLL", "beyond the best language model's", "ELBO NLL", "KL", MI, "active units"),
                *("permuted z costs", "PPL", "BLEU", "collapsed"),
            ],
            [_likelihood_cells(row, best) for row in rows],
        )
        curves = [row for row in rows if any(_is_curve(key) for key in row)]
        if curves:
            counts = sorted({int(key.split("_")[2]) for row in curves for key in row if _is_curve(key)})
            lines += ["", "The importance-weighted bound by the number of samples:", ""]
            lines += table(
                ["row", *(f"IW-{count}" for count in counts)],
                [[_named(row), *(shown(row, f"iw_nll_{count}") for count in counts)] for row in curves],
            )
        lines += _probes(rows)
        lines += ["", "Cost of training:", ""]
        lines += table(
            [
                *(
                    "row",
                    "seed",
                    "parameters",
                    "training, minutes",
                    "of a core, minutes",
                    "training tokens",
                    "tokens per second of a core",
                    "epochs",
                    "best",
                ),
                *("precision", "sentences", "tokens", "commit", "on"),
            ],
            [_cost_cells(row) for row in rows],
        )
        lines += [""]
    return lines


def _probes(rows: list[dict[str, Any]]) -> list[str]:
    probed = [row for row in rows if probed_with(row)]
    if not probed:
        return []
    counts = sorted({labels for row in probed for labels in probed_with(row)})
    cells = [
        [f"`{row['name']}`", *(with_error(row, f"probe_accuracy_{labels}", "{:.3f}") for labels in counts)]
        for row in probed
    ]
    floor = ["TF-IDF 1-2 grams", *(shown(probed[0], f"tfidf_svm_accuracy_{labels}", "{:.3f}") for labels in counts)]
    return [
        "",
        "Accuracy of a logistic regression on the posterior means, by the number of labels it was trained on, and of a",
        "linear SVM on TF-IDF trained on the same labels:",
        "",
        *table(["row", *(f"{labels} labels" for labels in counts)], [*cells, floor]),
    ]


def _paired(content: dict[str, Any]) -> list[str]:
    lines = ["## Paired differences", "", *source(content, "paired")]
    lines += [
        "The NLL of the first run minus that of the second, in nats, on the same test sentences: below 0, the first",
        "run is better. The standard error is that of the mean difference, so the variance between sentences is not in",
        "it.",
        "",
    ]
    rows = [
        [
            f"`{row['run']}`",
            f"`{row['baseline']}`",
            f"IW-{row['iw_samples']}" if row["iw_samples"] else "exact",
            with_error(row, "difference", "{:+.3f}"),
            str(row["sentences"]),
        ]
        for row in content["rows"]
    ]
    return [*lines, *table(["run", "against", "bound", "difference", "sentences"], rows), ""]


def _is_curve(key: str) -> bool:
    return key.startswith("iw_nll_") and key.split("_")[2].isdigit()


def _is_exact(row: dict[str, Any]) -> bool:
    """Whether a row is a language model's, which needs no bound."""
    return row["kl"] == 0 and "active_units" not in row


def _named(row: dict[str, Any]) -> str:
    """A row's name, with its seed where that is not 0."""
    return f"`{row['name']}`" + (f", seed {row['seed']}" if row["seed"] else "")


def _likelihood_cells(row: dict[str, Any], best: dict[str, Any] | None) -> list[str]:
    nll = f"{row['iw_nll']:.2f} (exact)"
    if not _is_exact(row):
        nll = f"{with_error(row, 'iw_nll')} (IW-{row['iw_samples']})"
    return [
        _named(row),
        nll,
        "" if best is None or row is best else f"{row['iw_nll'] - best['iw_nll']:+.2f}",
        f"{row['elbo_nll']:.2f}",
        f"{row['kl']:.2f}",
        information(row),
        active_units(row),
        shown(row, "permuted_rise"),
        f"{row['ppl']:.2f}",
        shown(row, "bleu", "{:.1f}"),
        collapsed(row),
    ]


def _cost_cells(row: dict[str, Any]) -> list[str]:
    return [
        f"`{row['name']}`",
        str(row["seed"]),
        f"{row['params']:,}",
        f"{row['train_seconds'] / 60:.1f}",
        f"{row['train_cpu_seconds'] / 60:.1f}" if "train_cpu_seconds" in row else "",
        f"{row['train_tokens']:,}",
        f"{row['train_tokens'] / row['train_cpu_seconds']:,.0f}" if "train_cpu_seconds" in row else "",
        f"{row['epochs']:g}",
        shown(row, "best_epoch", "{:g}"),
        row["precision"],
        str(row["sentences"]),
        str(row["tokens"]),
        row["commit"],
        row["made_on"],
    ]


def _recipes(content: dict[str, Any]) -> list[str]:
    lines = ["## The recipes", "", *source(content, "recipes")]
    rows = content["rows"]
    lines += ["### Likelihood and use of z", ""]
    lines += table(
        ["recipe", "IW NLL", "ELBO NLL", "KL", MI, "active units", "PPL", "tokens", "sentences", "collapsed"],
        [
            [
                f"`{row['name']}`",
                f"{with_error(row, 'iw_nll')} (IW-{row['iw_samples']})",
                f"{row['elbo_nll']:.2f}",
                f"{row['kl']:.2f}",
                information(row),
                active_units(row),
                f"{row['ppl']:.2f}",
                str(row["tokens"]),
                str(row["sentences"]),
                collapsed(row),
            ]
            for row in rows
        ],
    )
    lines += ["", "### Reconstruction, imputation, classification", ""]
    lines += table(
        [
            *("recipe", "BLEU", "exact match", "hidden word restored", "within five", "most frequent word"),
            *("labels", "accuracy", "majority", "TF-IDF SVM"),
        ],
        [
            [
                f"`{row['name']}`",
                shown(row, "bleu", "{:.1f}"),
                shown(row, "exact_match", "{:.3f}"),
                shown(row, "impute_accuracy", "{:.3f}"),
                shown(row, "impute_top5", "{:.3f}"),
                shown(row, "impute_baseline_accuracy", "{:.3f}"),
                shown(row, "classify_labels", "{}"),
                with_error(row, "classify_accuracy", "{:.3f}"),
                shown(row, "classify_majority_accuracy", "{:.3f}"),
                shown(row, "classify_tfidf_svm_accuracy", "{:.3f}"),
            ]
            for row in rows
        ],
    )
    lines += ["", "### What they cost", ""]
    lines += table(
        [
            "recipe",
            "all stages, minutes",
            "training tokens",
            "tokens per second",
            "parameters",
            "peak memory, MiB",
            "commit",
            "on",
        ],
        [
            [
                f"`{row['name']}`",
                f"{row['seconds'] / 60:.1f}",
                f"{row['train_tokens']:,}",
                f"{row['tokens_per_second']:,.0f}",
                f"{row['params']:,}",
                f"{row['peak_memory_mb']:.0f}",
                row["commit"],
                row["made_on"],
            ]
            for row in rows
        ],
    )
    return lines


def speed_page(contents: dict[str, dict[str, Any]]) -> str:
    content = contents["speed"]
    lines = ["# Speed", "", *source(content, "speed")]
    lines += [
        "`of the floor` compares a row with the hardware: it is the share of the speed that the model would have if",
        "its matrix products were all its work, and ran as fast as the fastest matrix product measured in the same",
        "process. `iw` is the whole importance-weighted estimator of the evaluation, with 100 samples of each sentence",
        "of a few batches.",
        "",
    ]
    lines += table(
        ["task", "model", "device", "per second", "unit", "of the floor", "peak memory, MiB"],
        [
            [
                row["task"],
                f"`{row['model']}`",
                row["device"],
                f"{row['per_second']:,.0f}",
                row["unit"],
                shown(row, "of_floor", "{:.0%}"),
                shown(row, "peak_memory_mb", "{:.0f}"),
            ]
            for row in content["rows"]
        ],
    )
    return "\n".join(lines) + "\n"


PAGES: dict[str, tuple[tuple[str, ...], Callable[[dict[str, dict[str, Any]]], str]]] = {
    "results.md": (("ptb", "yelp_short", "paired", "recipes"), results_page),
    "speed.md": (("speed",), speed_page),
    "families.md": (("families", "family_steps"), families_page),
    "faults.md": (("faults",), faults_page),
}
"""Page -> the results files it is made from, and the function that makes it."""

BLOCKS: dict[str, dict[str, tuple[tuple[str, ...], Callable[[dict[str, dict[str, Any]]], str]]]] = {
    "choosing.md": {
        "remedies": (("ptb",), remedies_block),
        "families": (("families", "family_steps"), families_block),
        "mixture_gradients": (("mixture_gradients",), mixture_block),
    },
    "few_labels.md": {"results": (("semi_supervised",), few_labels_block)},
    "own_text.md": {"results": (("own_text",), own_text_block)},
    "units.md": {"numbers": ((), numbers_block)},
    "scaling.md": {"scaling": (("scaling",), scaling_block)},
    "whole_files.md": {"results": (("whole_files",), whole_files_block)},
}
"""Page that is written by hand except for some tables -> each table's name, its results files and its function.

A table is between two lines `<!-- made by benchmarks.pages: NAME -->`.
"""


def rendered(page: str) -> str:
    """The text of a page, made from its files; files that do not exist yet are left out."""
    if page in PAGES:
        names, make = PAGES[page]
        return make(_contents(names))
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, (files, make) in BLOCKS[page].items():
        mark = f"<!-- made by benchmarks.pages: {name} -->"
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n{make(_contents(files))}\n{mark}{after}"
    return text


def _contents(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    paths = {name: results_file.RESULTS / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def write_all() -> None:
    for page in [*PAGES, *BLOCKS]:
        if page in BLOCKS or _contents(PAGES[page][0]):
            (DOCS / page).write_text(rendered(page), encoding="utf-8")


if __name__ == "__main__":
    write_all()
