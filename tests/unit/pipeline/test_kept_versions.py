"""What an older version of a stage's code wrote is used on where the stage says so, as long as it is whole and fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipeline.fakes import Cut, corpus, run_fakes
from textvae.disk import read_json
from textvae.text.corpora import LinesCorpus


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run by version 1 of the first stage, which has version 2 from now on and keeps version 1."""
    corpus(tmp_path)
    run_fakes(tmp_path)
    monkeypatch.setattr(Cut, "version", 2)
    monkeypatch.setattr(Cut, "keeps", (1,))
    return tmp_path


def version(folder: Path) -> int:
    return int(read_json(folder / "out" / "tokenize" / "manifest.json")["stage_version"])


def test_a_finished_output_is_kept_and_built_upon(folder: Path) -> None:
    assert run_fakes(folder) == [] and version(folder) == 1
    assert run_fakes(folder, {"train.epochs": 5}) == ["train", "evaluate"] and version(folder) == 1


def test_without_the_declaration_it_is_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cut, "keeps", ())
    assert run_fakes(folder) == ["tokenize", "train", "evaluate"] and version(folder) == 2


def test_a_changed_setting_makes_it_anew(folder: Path) -> None:
    assert run_fakes(folder, {"tokenize.max_tokens": 4}) == ["tokenize", "train", "evaluate"] and version(folder) == 2
    assert run_fakes(folder, {"tokenize.max_tokens": 4}) == []


@pytest.mark.parametrize("harm", ["damaged", "removed", "another corpus"])
def test_what_is_not_whole_or_does_not_fit_is_made_anew(folder: Path, harm: str) -> None:
    if harm == "damaged":
        (folder / "out" / "tokenize" / "words.txt").write_text("no longer\n")
    elif harm == "removed":
        (folder / "out" / "tokenize" / "words.txt").unlink()
    else:
        (folder / "lines.txt").write_text("".join(f"other line {i}\n" for i in range(60)))
    assert run_fakes(folder)[0] == "tokenize" and version(folder) == 2


def test_a_setting_of_a_later_version_leaves_old_fingerprints_as_they_were(tmp_path: Path) -> None:
    class WithMore(LinesCorpus):
        more: int = 0
        later = frozenset({"more"})

    (tmp_path / "x.txt").write_text("a\nb\n")
    table = {"name": "x", "root": str(tmp_path), "files": {"train": "x.txt"}}
    old = LinesCorpus.model_validate(table).fingerprint()
    assert (
        WithMore.model_validate(table).fingerprint()
        == WithMore.model_validate({**table, "more": 0}).fingerprint()
        == old
    )
    assert WithMore.model_validate({**table, "more": 1}).fingerprint() != old
