"""The training loop, its checkpoints and what it reports."""

from textvae.training.aggressive import AggressiveConfig
from textvae.training.config import TrainConfig
from textvae.training.divergence import DivergedError
from textvae.training.guard import CollapseGuard, CollapseWarning
from textvae.training.learning_rate import CosineConfig, DecayConfig, NoDecayConfig, PlateauConfig
from textvae.training.optimizers import AdamConfig, AdamWConfig, OptimizerConfig, SGDConfig
from textvae.training.result import TrainResult
from textvae.training.trainer import train

__all__ = [
    "AdamConfig",
    "AdamWConfig",
    "AggressiveConfig",
    "CollapseGuard",
    "CollapseWarning",
    "CosineConfig",
    "DecayConfig",
    "DivergedError",
    "NoDecayConfig",
    "OptimizerConfig",
    "PlateauConfig",
    "SGDConfig",
    "TrainConfig",
    "TrainResult",
    "train",
]
