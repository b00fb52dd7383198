"""Shape checks on every public tensor function, and seeds, for the whole suite."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from jaxtyping import install_import_hook

# Before textvae is imported: from here on every annotated function checks its shapes with beartype. Functions of text
# have no shapes, and some are called for every sentence: of textvae.text only the batches are checked.
PACKAGE = Path(__file__).resolve().parent.parent / "textvae"
PARTS = sorted(path.stem for path in PACKAGE.iterdir() if path.stem not in ("text", "__init__", "__pycache__"))
install_import_hook([*(f"textvae.{part}" for part in PARTS), "textvae.text.batching"], "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# One thread each: the models here are tiny, and test processes run side by side.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small labelled corpus, `text.tsv`, its recipe `tiny.toml`, and the finished run `run` of every
    stage. Tests read it, and change only copies."""
    from tests.tiny_corpus import SETTINGS, write_tiny
    from textvae import cli

    folder = tmp_path_factory.mktemp("tiny")
    recipe = write_tiny(folder, SETTINGS, sentences=400)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli._run(["run", str(recipe), "--out", str(folder / "run")])
    assert code == 0, err.getvalue()
    assert out.getvalue() == ""
    return folder
