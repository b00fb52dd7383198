"""Shape checks on every public tensor function, and seeds, for the whole suite."""

from __future__ import annotations

import os

from jaxtyping import install_import_hook

# Before textvae is imported: from here on every annotated function checks its shapes with beartype.
install_import_hook("textvae", "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# One thread each: the models here are tiny, and test processes run side by side.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
