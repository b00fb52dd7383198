"""textvae: training, evaluating and using sequence VAEs for text.

Public names are imported lazily, so that `import textvae` does not import torch.

>>> import textvae
>>> textvae.__version__
'0.1.0'
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "TextVAE": "textvae.models",
    "LanguageModel": "textvae.models",
    "SemiSupervisedTextVAE": "textvae.models",
    "fit": "textvae.pipeline",
    "map_file": "textvae.mapping",
    "run": "textvae.pipeline",
}

__all__ = ["LanguageModel", "SemiSupervisedTextVAE", "TextVAE", "__version__", "fit", "map_file", "run"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'textvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
