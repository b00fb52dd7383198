"""Collects the results of the stages, and writes `report.json` and `report.html`."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import re
from datetime import datetime
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from textvae import __version__
from textvae.pipeline.duration import duration
from textvae.pipeline.manifest import Manifest, as_json, read_manifest
from textvae.pipeline.ownership import write_own
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.report import plots
from textvae.pipeline.report.latent_map import latent_map
from textvae.pipeline.report.metrics import metric_groups
from textvae.pipeline.run_folder import PAGE_FILE, REPORT_FILE, decoder_knows_prior
from textvae.pipeline.section import Area
from textvae.pipeline.stages import STAGES
from textvae.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_CONTENTS = "<li data-contents></li>"
"""Stands in a page until its sections are known; a text in a page is escaped and cannot look like it."""


def build_report(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write both files of a run folder from its finished stages.

    A stage whose inputs have changed since it ran is left out, and the page says so.

    Returns:
        the content of report.json.

    Raises:
        ConfigError: a file that textvae did not write has the name of one of them.
    """
    manifests, stale = _current(recipe, out)
    report: dict[str, Any] = {"run": _run(recipe, manifests)}
    details: dict[str, Any] = {}
    for stage in STAGES:
        if stage.name in manifests:
            manifest = manifests[stage.name]
            report[stage.name] = {**manifest.results, "seconds": manifest.total_seconds}
            details[stage.name] = stage.details(out / stage.name)
    report = as_json(report)
    write_own(out / PAGE_FILE, render(report, details, _about(recipe), stale))
    # Written last: where report.json exists, the page is complete.
    write_own(out / REPORT_FILE, json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return report


def render(
    report: dict[str, Any],
    details: dict[str, Any],
    corpus: dict[str, Any],
    stale: list[str],
) -> str:
    """The page.

    Args:
        report: as in report.json.
        details: the data of each stage for the page (`Stage.details`), by the stage's name.
        corpus: name, licence, description, citation and source.
        stale: stages that are out of date.
    """
    made = environment()
    return rendered(
        made,
        "page.html",
        run=report["run"],
        corpus=corpus,
        groups=metric_groups(report),
        sections=_sections(made, report, details),
        has_plots=plots.available(),
        stale=stale,
    )


def rendered(made_by: Environment, name: str, **variables: object) -> str:
    """A page, with the list of its contents.

    Args:
        made_by: from `environment`.
        name: of the template, in this folder.
        **variables: of the template.
    """
    from markupsafe import Markup

    page = made_by.from_string(template(name)).render(contents=Markup(_CONTENTS), **variables)
    titles: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        titles.append(found["title"])
        return f'<section{found["rest"]} id="s{len(titles)}">\n<h2>{found["title"]}</h2>'

    # Texts in a page are escaped, so nothing else looks like the beginning of a section.
    page = re.sub(r"<section(?P<rest>[^>]*)>\s*<h2>(?P<title>.*?)</h2>", numbered, page)
    links = [f'<li><a href="#s{number}">{title}</a></li>' for number, title in enumerate(titles, start=1)]
    return page.replace(_CONTENTS, "\n".join(links), 1)


def template(name: str) -> str:
    """The text of a template in this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def environment() -> Environment:
    """The Jinja environment of the pages and the stages' sections, with escapes, macros, filters and the style."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Pictures, macros and JSON are Markup, whose content is escaped already.
        finalize=lambda value: printable(value, lines=True) if type(value) is str else value,
    )
    made.filters["duration"] = duration
    script = template("page.js")
    made.globals |= {
        "decoder_knows_prior": decoder_knows_prior,
        "latent_map": latent_map,
        "style": Markup(template("style.css")),
        "script": Markup(script),
        # The page allows this script alone.
        "script_hash": "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    macros = made.from_string(template("macros.html")).module
    made.globals |= {name: macro for name, macro in vars(macros).items() if not name.startswith("_")}
    return made


def _sections(made_by: Environment, report: dict[str, Any], details: dict[str, Any]) -> dict[str, list[Markup]]:
    """The stages' rendered sections by area, in order; empty for a stage without an output."""
    from markupsafe import Markup

    made: dict[str, list[tuple[int, Markup]]] = {area: [] for area in get_args(Area)}
    for stage in STAGES:
        ran = stage.name in report or stage.name in details
        own: dict[str, Any] = {"results": report.get(stage.name, {}), "details": details.get(stage.name, {})}
        pictures = stage.pictures(**own) if ran and plots.available() else {}
        own["pictures"] = {name: Markup(picture) for name, picture in pictures.items()}
        for section in stage.sections:
            text = made_by.from_string(section.template).render(run=report["run"], **own).strip() if ran else ""
            # Text in the area "numbers" is part of a sentence, so a space follows; elsewhere the line ends.
            end = " " if section.area == "numbers" else "\n"
            made[section.area].append((section.rank, Markup(text + end if text else "")))
    return {area: [text for _, text in sorted(found, key=lambda one: one[0])] for area, found in made.items()}


def _current(recipe: Recipe, out: Path) -> tuple[dict[str, Manifest], list[str]]:
    """The manifests of the stages whose output is up to date with its inputs, and the names of the others."""
    names = [stage.name for stage in STAGES]
    good: dict[str, Manifest] = {}
    stale = []
    for name in names:
        manifest = read_manifest(out / name) if name in recipe.tables else None
        if manifest is None:
            continue
        needs = {need: fingerprint for need, fingerprint in manifest.inputs.items() if need in names}
        if all(need in good and good[need].fingerprint == fingerprint for need, fingerprint in needs.items()):
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
    """The processor, its cores, and the CUDA device if torch is loaded already and finds one."""
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


def _about(recipe: Recipe) -> dict[str, Any]:
    """The page's facts about the corpus."""
    corpus = recipe.corpus
    return {
        "name": corpus.name,
        "licence": corpus.licence,
        "description": corpus.description,
        "citation": corpus.citation,
        "source": corpus.source,
    }
