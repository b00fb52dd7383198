"""What the tests of pretrained encoders share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from textvae.encoders.frozen import FrozenBackbone


@pytest.fixture(name="seen")
def _seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call of the backbone was given."""
    seen: list[int] = []
    encode = FrozenBackbone.encode

    def counting(self: FrozenBackbone, texts: list[str], *rest: Any) -> np.ndarray:
        seen.append(len(texts))
        return encode(self, texts, *rest)

    monkeypatch.setattr(FrozenBackbone, "encode", counting)
    return seen
