"""What every stage of the registry brings: settings, numbers, sections, tables of new recipes, and what it refuses.

A new stage is tested by its line in the registry; it needs no line here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.tiny_corpus import SETTINGS, write_tiny
from tests.trial import TRIAL
from textvae.errors import ConfigError
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextVAEConfig
from textvae.pipeline.budget import fit_to_budget
from textvae.pipeline.checking import checked_settings, require_corpus, require_model
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.plan import make_plan
from textvae.pipeline.reading import RecipeHeader, read_recipe
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.report import plots
from textvae.pipeline.report.build import render
from textvae.pipeline.report.metrics import metric_rows
from textvae.pipeline.runner import run_recipe
from textvae.pipeline.stage import Stage
from textvae.pipeline.stages import STAGES
from textvae.pipeline.stages.impute import ImputeStage
from textvae.text.inspect import inspect_file, propose_tokenizer

LEVELS = {"kind": "hierarchical", "levels": 2, "hidden_dim": 6}
OVERLAY: dict[str, Any] = {
    "train.model.posterior": LEVELS,
    "train.model.prior": LEVELS,
    "classify.model": {**SETTINGS["train"]["model"], "kind": "semi_supervised"},
    "evaluate.probe_labels": [20],
    "evaluate.ais": {"sentences": 6, "chains": 2, "steps": 4, "leapfrog": 2, "simulated": 3},
}
"""Laid over the tiny recipe, so that as many numbers as one run can have are measured."""


class ToldMore(TextVAEConfig):
    """A model of a reader's own, whose decoder is told something beside the code."""

    single_code: ClassVar[bool] = False


class Noiseless(TextVAEConfig):
    """A model of a reader's own, whose code has no density for another reason than its posterior."""

    @property
    def has_density(self) -> bool:
        return False


MODELS = {"text_vae": TextVAEConfig(), "language_model": LanguageModelConfig(), "labelled": SemiSupervisedConfig()}
MODELS["told_more"] = ToldMore()
STEIN = TextVAEConfig.model_validate({"posterior": {"kind": "stein"}})
CORPUS = dict.fromkeys(("name", "licence", "description", "citation", "source"), "")
BY_NAME = {stage.name: stage for stage in STAGES}
of_every_stage = pytest.mark.parametrize("stage", STAGES, ids=BY_NAME)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with labels, `tiny.toml`, and its finished `run`: a table for every stage there is."""
    folder = tmp_path_factory.mktemp("stages")
    tables = {name: table for name, table in SETTINGS.items() if not isinstance(table, dict)}
    write_tiny(folder, {**tables, **{stage.name: SETTINGS.get(stage.name, {}) for stage in STAGES}}, sentences=200)
    run_recipe(recipe_in(folder), folder / "run", say=lambda line: None)
    return folder


def recipe_in(folder: Path) -> Recipe:
    return read_recipe(folder / "tiny.toml", OVERLAY)


@pytest.fixture(scope="session")
def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run" / "report.json").read_text(encoding="utf-8"))


def numbers(results: Mapping[str, Any]) -> list[str]:
    """The names of numbers among results; the wall time is every stage's."""
    return [name for name, value in results.items() if isinstance(value, int | float) and name != "seconds"]


def named(stage: Stage, results: Mapping[str, Any]) -> set[str]:
    return {name for metric in stage.metrics for name, _ in metric.names_in(results)}


def test_stages_stand_after_those_they_need_and_have_names_of_their_own() -> None:
    names = list(BY_NAME)
    assert len(names) == len(STAGES) and not {*names} & {*RecipeHeader.model_fields, "corpus", "extends", "run"}
    for number, stage in enumerate(STAGES):
        assert {*stage.needs} <= {*names[:number]}


@of_every_stage
def test_its_defaults_are_settings(stage: Stage) -> None:
    config = checked_settings(Recipe("x", "", 0, ("none", {}), {stage.name: {}}), [stage])[stage.name]
    assert type(config).model_validate(as_json(config)) == config


@of_every_stage
def test_a_run_with_nothing_changed_is_up_to_date(stage: Stage, folder: Path) -> None:
    (step,) = (step for step in make_plan(recipe_in(folder), STAGES, folder / "run") if step.stage is stage)
    assert not step.runs, step.reason


@of_every_stage
def test_every_number_is_told_of(stage: Stage, report: dict[str, Any]) -> None:
    """A number that a stage returns has a title, a unit and a meaning, or is declared to measure nothing."""
    results = report[stage.name]
    known = named(stage, results)
    known |= {f"{name}_se" for name in known}
    untold = [
        name for name in numbers(results)
        if name not in known and not any(fnmatchcase(name, pattern) for pattern in stage.unlisted)
    ]  # fmt: skip
    assert not untold, f"{untold}: give each a Metric, or name it in `unlisted`"
    assert not [name for name in named(stage, results) if any(fnmatchcase(name, one) for one in stage.unlisted)]


@of_every_stage
def test_what_is_told_of_numbers_is_whole(stage: Stage, report: dict[str, Any]) -> None:
    assert len({metric.name for metric in stage.metrics}) == len(stage.metrics)
    for metric in stage.metrics:
        # A bare count has no unit.
        assert metric.title and metric.meaning and (metric.unit or metric.digits == 0), metric.name
    rows = [row for row in metric_rows(report) if row["key"].startswith(f"{stage.name}.")]
    measured = {name for metric in stage.metrics if metric.shown for name, _ in metric.names_in(report[stage.name])}
    assert {row["key"].removeprefix(f"{stage.name}.") for row in rows} == measured


@of_every_stage
def test_its_sections_render_with_nothing_measured_and_with_everything(
    stage: Stage, folder: Path, report: dict[str, Any]
) -> None:
    details = stage.details(folder / "run" / stage.name)
    run = report["run"]
    without = render({"run": run}, {}, CORPUS, [])
    nothing = render({"run": run, stage.name: {}}, {}, CORPUS, [])
    everything = render({"run": run, stage.name: report[stage.name]}, {stage.name: details}, CORPUS, [])
    assert nothing.count("</section>") >= without.count("</section>")
    assert not stage.sections or len(everything) > len(without)
    assert everything.count("<section") == everything.count("</section>")
    assert nothing.count("<section") == nothing.count("</section>")


@of_every_stage
def test_its_lines_at_the_end_of_a_run(stage: Stage, folder: Path, report: dict[str, Any]) -> None:
    """One line each, nothing where nothing was measured, and a headline tells its own number."""
    assert stage.closing({}, {}) == []
    closing = stage.closing(report[stage.name], stage.details(folder / "run" / stage.name))
    assert all(one.text.strip() and "\n" not in one.text and "{" not in one.text for one in closing)
    told = [metric for metric in stage.metrics if metric.headline]
    assert all(f"{{{metric.name}:" in metric.headline for metric in told)
    measured = [metric for metric in told if metric.name in report[stage.name]]
    assert len([one for one in closing if one.part == "numbers"]) >= len(measured)


@of_every_stage
@pytest.mark.skipif(not plots.available(), reason="needs matplotlib")
def test_its_pictures_are_drawn_where_there_is_something_to_draw(
    stage: Stage, folder: Path, report: dict[str, Any]
) -> None:
    assert stage.pictures({}, {}) == {}
    pictures = stage.pictures(report[stage.name], stage.details(folder / "run" / stage.name))
    assert all(picture.startswith("<svg") for picture in pictures.values())


HEADINGS = [
    *("New sentences", "Paths between sentences", "Blanks filled in", "Sentences through z and back", "Numbers"),
    *("Training", "Beside a language model", "Levels of z", "Classifier", "Latent space", "This run"),
]


@pytest.mark.skipif(not plots.available(), reason="needs matplotlib")
def test_the_page_of_a_whole_run_has_its_sections_in_order(folder: Path) -> None:
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert [found for found in re.findall("<h2>(.*?)</h2>", page) if found in HEADINGS] == HEADINGS
    titles = re.findall('<a href="#s[0-9]+">(.*?)</a>', page)
    assert [title for title in titles if title in HEADINGS] == HEADINGS
    assert page.index('class="verdict') < page.index("New sentences") < page.index("<dt>Training</dt>")
    groups = re.findall("<summary>(.*?)</summary>", page)
    assert groups[1:3] == ["Likelihood, use of z, reconstruction", "Language model beside it"]
    assert groups[-2] == "Time and memory", "before the settings of the recipe"
    assert "Measured on the test split, 20 sentences. A value after" in page


@of_every_stage
@pytest.mark.parametrize("labels", [True, False], ids=["labels", "plain"])
def test_its_table_of_a_new_recipe_is_one_it_takes(stage: Stage, labels: bool, folder: Path, tmp_path: Path) -> None:
    file = folder / "text.tsv"
    if not labels:
        file = tmp_path / "text.txt"
        rows = (folder / "text.tsv").read_text(encoding="utf-8").splitlines()[1:]
        file.write_text("\n".join(row.split("\t")[1] for row in rows), encoding="utf-8")
    found = inspect_file(file)
    tokenizer = propose_tokenizer(found.texts)
    proposal = fit_to_budget(found, tokenizer, TRIAL, 5.0, STAGES).proposal
    assert bool(proposal.labels) == labels
    table = stage.new_table(proposal)
    if table is None:
        return
    assert labels or not stage.needs_labels
    assert stage.seconds(proposal, table) > 0
    assert checked_settings(Recipe("x", "", 0, ("none", {}), {stage.name: table}), [stage])


@of_every_stage
def test_it_refuses_the_models_that_it_declares_it_cannot_use(stage: Stage) -> None:
    refused = {name for name, model in MODELS.items() if _is_refused(stage, model)}
    expected = {"language_model"} if stage.needs_code else set()
    assert refused == expected | ({"labelled", "told_more"} if not stage.takes_label else set())
    assert _is_refused(stage, STEIN) == _is_refused(stage, Noiseless()) == stage.needs_density
    table = {"model": {"kind": "language_model"}} if stage.gives_model else {}
    assert (stage.baseline_table(table, {}) is None) or not stage.needs_code


def _is_refused(stage: Stage, model: Any) -> bool:
    try:
        require_model(stage, model)
    except ConfigError as error:
        assert f"[{stage.name}]" in str(error)
        return True
    return False


class OfDensities(ImputeStage):
    """A stage that scores codes."""

    name: ClassVar[str] = "of_densities"
    needs_density: ClassVar[bool] = True


def test_a_stage_that_needs_a_density_refuses_codes_without_one() -> None:
    assert _is_refused(OfDensities(), STEIN)
    assert not _is_refused(OfDensities(), MODELS["text_vae"]) and not _is_refused(
        OfDensities(), MODELS["language_model"]
    )


@of_every_stage
def test_it_refuses_a_corpus_without_labels_where_it_needs_them(stage: Stage, folder: Path) -> None:
    (folder / "plain.toml").write_text((folder / "card.toml").read_text().replace('label_column = "label"\n', ""))
    recipe = Recipe("x", "", 0, ("plain", {}), {stage.name: {}}, folder, "recipe x")
    if stage.needs_labels:
        with pytest.raises(ConfigError, match=rf"has a \[{stage.name}\] table.*no labels"):
            require_corpus(recipe, [stage])
    else:
        require_corpus(recipe, [stage])


def test_a_note_is_left_out_where_what_it_tells_is_not_there() -> None:
    metric = Metric("nll", "NLL", "nats", "of it", note="over {tokens:,} tokens, IW-{samples}")
    (row,) = metric.rows("x", {"nll": 1.0, "tokens": 2000})
    assert row["unit"] == "nats"
    (row,) = metric.rows("x", {"nll": 1.0, "tokens": 2000, "samples": 5})
    assert row["unit"] == "nats, over 2,000 tokens, IW-5"


def test_the_registry_costs_no_torch() -> None:
    program = (
        "import sys\nfrom textvae.pipeline.reading import read_recipe\n"
        "read_recipe('demo', ['train.model.kind=language_model'])\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
