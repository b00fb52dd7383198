"""The README's Python section is a doctest: it runs on a small run in place of the demo's."""

from __future__ import annotations

import doctest
import io
import re
import shutil
from pathlib import Path

import pytest

from tests.tiny_corpus import SETTINGS, write_tiny
from tests.trial import TRIAL

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "fixtures" / "format_1"
MINUTES = "minutes=10"
"""What the README gives a training; here it gets a few seconds."""


def section() -> str:
    """The code of the section, between its fences."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S | re.M)
    return code


def test_the_section_is_short() -> None:
    assert section().count("\n") < 40
    assert "+SKIP" not in section()


def test_the_section_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("textvae.pipeline.trial.measure", lambda *given, **settings: TRIAL)
    shutil.copytree(KEPT / "run", "runs/demo")
    rows = (KEPT / "verses.tsv").read_text(encoding="utf-8").splitlines()[1:]
    Path("texts.txt").write_text("".join(row.split("\t")[1] + "\n" for row in rows), encoding="utf-8")
    stages = {name: SETTINGS[name] for name in ("corpus", "tokenize", "train", "evaluate")}
    write_tiny(tmp_path, {"name": "reviews", **stages}, sentences=200).rename("reviews.toml")

    code = section()
    assert MINUTES in code
    examples = doctest.DocTestParser().get_doctest(
        code.replace(MINUTES, "minutes=0.05"), {}, "README.md", str(ROOT / "README.md"), 0
    )
    said = io.StringIO()
    assert len(examples.examples) > 10
    failed = doctest.DocTestRunner().run(examples, out=said.write).failed
    assert not failed, said.getvalue()
    assert {path.name for path in Path("runs").iterdir()} == {"demo", "fit", "reviews"}
