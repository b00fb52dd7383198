"""Results files have the agreed form, and the pages made from them agree with them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from benchmarks import pages, results_file

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


@pytest.mark.parametrize("page", [page for page in pages.PAGES | pages.BLOCKS if (pages.DOCS / page).exists()])
def test_page_agrees_with_its_files(page: str) -> None:
    assert (pages.DOCS / page).read_text(encoding="utf-8") == pages.rendered(page)


def test_every_file_has_a_page() -> None:
    assert {path.stem for path in FILES} <= {name for names, _ in pages.PAGES.values() for name in names}
