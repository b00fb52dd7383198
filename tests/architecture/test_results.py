"""Results files have the agreed form, and the pages made from them agree with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import pages, results_file, tables
from textvae.pipeline.recipe import read_recipe
from textvae.pipeline.stages import STAGES

FILES = sorted(results_file.RESULTS.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_form(path: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["command", "commit", "date", "hardware", "torch", "rows"]
    assert content["rows"]
    for row in content["rows"]:
        assert {"name", "seed"} <= row.keys()
        for name, value in row.items():
            assert isinstance(value, str | int | float | bool), f"{name} is {value!r}; a row is flat and has no nulls"
            assert not isinstance(value, float) or math.isfinite(value), name


@pytest.mark.parametrize("page", [page for page in [*pages.PAGES, *pages.BLOCKS] if (pages.DOCS / page).exists()])
def test_page_agrees_with_its_files(page: str) -> None:
    assert (pages.DOCS / page).read_text(encoding="utf-8") == pages.rendered(page)


def test_every_file_has_a_page() -> None:
    assert {path.stem for path in FILES} <= {name for names, _ in pages.PAGES.values() for name in names}


@pytest.mark.parametrize(("table", "budget"), tables.BUDGETS)
def test_rows_of_a_budget_are_recipes_that_can_be_trained(table: str, budget: str, tmp_path: Path) -> None:
    """Another seed is another folder, and a run is known by its settings wherever it lies."""
    for row in tables.BUDGETS[table, budget]:
        place, other = (tables.Place(table, budget, seed, tmp_path) for seed in (0, 1))
        recipe = read_recipe(place.recipe(row), place.overlay(row))
        recipe.configs(STAGES)
        assert place.folder(row) != other.folder(row) and f"--rows {row}" in place.command(row)
        run = place.folder(row)
        run.mkdir()
        (run / "recipe.json").write_text(json.dumps(recipe.as_tables()))
        moved = tables.Place(table, budget, 0, tmp_path / "elsewhere")
        assert results_file.same_settings(run, read_recipe(moved.recipe(row), moved.overlay(row)).as_tables())
        assert not results_file.same_settings(run, read_recipe(other.recipe(row), other.overlay(row)).as_tables())


def test_a_run_of_other_settings_begins_anew_and_so_does_its_note(tmp_path: Path) -> None:
    run = tmp_path / "run"
    results_file.note_start(run, {"train": {"epochs": 1}})
    note = tmp_path / "run.started.json"
    old = {**json.loads(note.read_text()), "commit": "earlier"}
    note.write_text(json.dumps(old))
    results_file.note_start(run, {"train": {"epochs": 1}})
    assert results_file.noted_start(run) == old
    results_file.note_start(run, {"train": {"epochs": 2}})
    assert results_file.noted_start(run)["commit"] != "earlier"
