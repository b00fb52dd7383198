"""Gathers what the stages left, and writes `report.json` and `report.html`."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from textvae import __version__
from textvae.disk import read_json
from textvae.pipeline.duration import duration
from textvae.pipeline.manifest import Manifest, as_json, read_manifest
from textvae.pipeline.ownership import write_own
from textvae.pipeline.recipe import STAGE_NAMES, Recipe
from textvae.pipeline.report import plots
from textvae.pipeline.report.metrics import metric_rows
from textvae.pipeline.run_folder import PAGE_FILE, REPORT_FILE
from textvae.pipeline.stage import DETAILS
from textvae.printable import printable


def build_report(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write both files of a run folder from its finished stages.

    A stage whose inputs have been made anew since is left out, and the page says so.

    Returns:
        what report.json holds.

    Raises:
        ConfigError: a file that is not ours is in the place of one of them.
    """
    manifests, stale = _current(recipe, out)
    report: dict[str, Any] = {"run": _run(recipe, manifests)}
    details: dict[str, Any] = {}
    for name, manifest in manifests.items():
        report[name] = {**manifest.results, "seconds": manifest.total_seconds}
        details[name] = _read(out / name / DETAILS)
    report = as_json(report)
    write_own(out / PAGE_FILE, render(report, details, _metrics(out), _licence(recipe), stale))
    # Written last: a report that this file vouches for is whole.
    write_own(out / REPORT_FILE, json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return report


def render(
    report: dict[str, Any],
    details: dict[str, Any],
    curves: list[dict[str, Any]],
    corpus: dict[str, Any],
    stale: list[str],
) -> str:
    """The page.

    Args:
        report: as in report.json.
        details: what stages left for the page, by name.
        curves: lines of metrics.jsonl.
        corpus: name, licence, description, citation and source.
        stale: stages that are out of date.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    pictures = {}
    if plots.available():
        if curves:
            pictures["curves"] = Markup(plots.training_curves(curves, tuple(report.get("train", {}))))
        if details.get("evaluate", {}).get("latent"):
            pictures["latent"] = Markup(plots.latent_plane(details["evaluate"]["latent"]))
        confusion = details.get("classify", {}).get("confusion")
        if confusion:
            names = details["classify"].get("label_names") or [str(i) for i in range(len(confusion))]
            pictures["confusion"] = Markup(plots.confusion_matrix(confusion, names))
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Pictures, macros and JSON are Markup: what is in them went through this, or through escapes, already.
        finalize=lambda value: printable(value, lines=True) if type(value) is str else value,
    )
    environment.filters["duration"] = duration
    template = environment.from_string(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        run=report["run"],
        details={name: details.get(name, {}) for name in STAGE_NAMES},
        corpus=corpus,
        rows=metric_rows(report),
        pictures=pictures,
        has_plots=plots.available(),
        has_curves=bool(curves),
        stale=stale,
    )


def _current(recipe: Recipe, out: Path) -> tuple[dict[str, Manifest], list[str]]:
    good: dict[str, Manifest] = {}
    stale = []
    for name in STAGE_NAMES:
        manifest = read_manifest(out / name) if name in recipe.tables else None
        if manifest is None:
            continue
        needs = {need: print_ for need, print_ in manifest.inputs.items() if need in STAGE_NAMES}
        if all(need in good and good[need].fingerprint == print_ for need, print_ in needs.items()):
            good[name] = manifest
        else:
            stale.append(name)
    return good, stale


def _run(recipe: Recipe, manifests: dict[str, Manifest]) -> dict[str, Any]:
    try:
        torch_version = version("torch")
    except PackageNotFoundError:
        torch_version = "unknown"
    return {
        "recipe": recipe.name,
        "description": recipe.description,
        "corpus": recipe.corpus.name,
        "licence": recipe.corpus.licence,
        "seed": recipe.seed,
        "textvae": __version__,
        "torch": torch_version,
        "python": platform.python_version(),
        "hardware": hardware(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(sum(manifest.total_seconds for manifest in manifests.values()), 1),
        "stage_seconds": {name: round(manifest.total_seconds, 1) for name, manifest in manifests.items()},
        "fingerprints": {name: manifest.fingerprint for name, manifest in manifests.items()},
        "settings": recipe.as_tables(),
    }


def hardware() -> str:
    """The processor, its cores, and the accelerator if torch is already loaded and sees one."""
    import sys

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{name}, {cores} cores, {platform.system()}"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _licence(recipe: Recipe) -> dict[str, Any]:
    corpus = recipe.corpus
    return {name: getattr(corpus, name) for name in ("name", "licence", "description", "citation", "source")}


def _metrics(out: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        for line in (out / "train" / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            rows.append(json.loads(line))
    except (OSError, ValueError):
        return rows
    return rows


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
