"""The pages of `docs/` that are made from `benchmarks/results/`; a test holds that page and file agree.

python -m benchmarks.pages
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import results_file

DOCS = Path(__file__).resolve().parent.parent / "docs"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def shown(row: dict[str, Any], name: str, form: str = "{:.2f}") -> str:
    """A number of a row; an empty cell where it was not measured."""
    return form.format(row[name]) if name in row else ""


def source(content: dict[str, Any], name: str) -> list[str]:
    return [
        f"From `benchmarks/results/{name}.json`: `{content['command']}`, commit {content['commit']}, "
        f"{content['date']}, {content['hardware']}, torch {content['torch']}.",
        "",
    ]


def recipes_page(content: dict[str, Any]) -> str:
    lines = ["# Results of the recipes", "", *source(content, "recipes")]
    lines += [
        "Likelihoods are of the test split, in nats per sentence; `IW-k` is the importance-weighted bound with k",
        "samples, and the perplexity is made from it, over words + EOS. Units are in [units.md](units.md). The",
        "hand-written reading of these numbers is in [reading_the_results.md](reading_the_results.md).",
        "",
    ]
    rows = content["rows"]
    lines += ["## Likelihood and use of z", ""]
    lines += table(
        ["recipe", "IW NLL", "ELBO NLL", "KL", "MI", "active units", "PPL", "tokens", "sentences", "collapsed"],
        [
            [
                f"`{row['name']}`",
                f"{row['iw_nll']:.2f} ± {row['iw_nll_se']:.2f} (IW-{row['iw_samples']})",
                f"{row['elbo_nll']:.2f}",
                f"{row['kl']:.2f}",
                shown(row, "mi"),
                f"{row['active_units']} of {row['latent_dim']}" if "active_units" in row else "",
                f"{row['ppl']:.2f}",
                str(row["tokens"]),
                str(row["sentences"]),
                "yes" if row["collapsed"] else "no",
            ]
            for row in rows
        ],
    )
    lines += ["", "## Reconstruction, imputation, classification", ""]
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
                f"{row['classify_accuracy']:.3f} ± {row['classify_accuracy_se']:.3f}"
                if "classify_accuracy" in row
                else "",
                shown(row, "classify_majority_accuracy", "{:.3f}"),
                shown(row, "classify_tfidf_svm_accuracy", "{:.3f}"),
            ]
            for row in rows
        ],
    )
    lines += ["", "## What they cost", ""]
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
                f"{row['parameters']:,}",
                f"{row['peak_memory_mb']:.0f}",
                row["commit"],
                row["made_on"],
            ]
            for row in rows
        ],
    )
    return "\n".join(lines) + "\n"


def speed_page(content: dict[str, Any]) -> str:
    lines = ["# Speed", "", *source(content, "speed")]
    lines += [
        "The floor of a row is the arithmetic of the model's weight matrices divided into the speed of a matrix",
        "product measured in the same process; the last column but one is the share of it that was reached.",
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


PAGES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "recipes": ("results.md", recipes_page),
    "speed": ("speed.md", speed_page),
}
"""Results file -> page, and what makes it."""


def rendered(name: str) -> str:
    path = results_file.RESULTS / f"{name}.json"
    return PAGES[name][1](json.loads(path.read_text(encoding="utf-8")))


def write_all() -> None:
    for name, (page, _) in PAGES.items():
        if (results_file.RESULTS / f"{name}.json").exists():
            (DOCS / page).write_text(rendered(name), encoding="utf-8")


if __name__ == "__main__":
    write_all()
