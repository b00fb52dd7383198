"""Results files have the agreed form, and the pages made from them agree with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import families, pages, results_file, tables
from benchmarks.rows import RowRun
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.reading import read_recipe
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
    made = [*pages.PAGES.values(), *(block for blocks in pages.BLOCKS.values() for block in blocks.values())]
    assert {path.stem for path in FILES} <= {name for names, _ in made for name in names}


@pytest.mark.parametrize(("table", "budget"), tables.BUDGETS)
def test_rows_of_a_budget_are_recipes_that_can_be_trained(table: str, budget: str, tmp_path: Path) -> None:
    """Another seed is another folder, and a run is known by its settings wherever it lies."""
    for row in tables.BUDGETS[table, budget]:
        mine, other = (tables.Place(table, budget, seed, tmp_path).run(row) for seed in (0, 1))
        moved = tables.Place(table, budget, 0, tmp_path / "elsewhere").run(row)
        checked_settings(read_recipe(mine.recipe, mine.overlay), STAGES)
        assert mine.folder != other.folder
        assert f"--rows {row}" in mine.command
        assert _known_by_its_settings(mine, moved)
        assert not results_file.same_settings(mine.folder, other.tables())


@pytest.mark.parametrize("decoder", families.DECODERS)
def test_rows_of_families_are_recipes_that_can_be_trained(decoder: str, tmp_path: Path) -> None:
    for row in families.ROWS:
        mine, moved = (families.run_of(row, decoder, out) for out in (tmp_path, tmp_path / "elsewhere"))
        checked_settings(read_recipe(mine.recipe, mine.overlay), STAGES)
        assert mine.command.endswith(f"--rows {row} --decoders {decoder} --out RUNS")
        assert _known_by_its_settings(mine, moved)


def _known_by_its_settings(mine: RowRun, moved: RowRun) -> bool:
    """Also where the runs, and with them the one it starts from, lie elsewhere."""
    mine.folder.mkdir()
    (mine.folder / "recipe.json").write_text(json.dumps(mine.tables()))
    return results_file.same_settings(mine.folder, moved.tables())


def test_a_run_of_other_settings_begins_anew_and_so_does_its_note(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first, moved = ({"train": {"epochs": 1, "start_from": {"run": place}}} for place in ("here", "there"))
    results_file.note_start(run, first)
    note = tmp_path / "run.started.json"
    old = {**json.loads(note.read_text()), "commit": "earlier"}
    note.write_text(json.dumps(old))
    results_file.note_start(run, moved)
    assert results_file.noted_start(run) == old
    results_file.note_start(run, {"train": {"epochs": 2}})
    assert results_file.noted_start(run)["commit"] != "earlier"
