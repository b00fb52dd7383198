"""The identity of a training (settings, seed, data), and the environment in which it runs (machine, software)."""

from __future__ import annotations

import platform
import warnings
import zlib
from collections.abc import Mapping
from typing import Any

import torch

from textvae import __version__
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.config import TrainConfig
from textvae.training.processes import Processes


def identity_of(
    config: TrainConfig, train_corpus: TokenizedCorpus, valid_corpus: TokenizedCorpus, seed: int
) -> dict[str, Any]:
    """Settings, seed and data of a training, without the settings that cannot change its weights (`watched_only`).

    A result or a checkpoint with another identity is refused.
    """
    return {
        "config": config.model_dump(mode="json", exclude=set(config.watched_only)),
        "seed": seed,
        "data": {"train": _fingerprint(train_corpus), "valid": _fingerprint(valid_corpus)},
    }


def environment_of(processes: Processes) -> dict[str, Any]:
    """Software and machine; the last bits of the weights depend on them."""
    device = processes.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {
        "textvae": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "device": f"{device.type} {name}",
        "threads": torch.get_num_threads(),
        "processes": processes.count,
    }


def warn_of_changes(before: Mapping[str, Any], now: Mapping[str, Any], step: int) -> None:
    """Warn if the environment of a checkpoint and the present one differ.

    Args:
        before: the environment of the checkpoint.
        now: the present environment.
        step: at which training resumes.
    """
    changed = [f"{key} {before.get(key)} -> {value}" for key, value in now.items() if before.get(key) != value]
    if changed:
        warnings.warn(
            f"resuming at step {step} on another machine or set-up ({'; '.join(changed)}): training continues, "
            "but its weights will differ in the last bits from those of an uninterrupted training.",
            stacklevel=2,
        )


def _fingerprint(corpus: TokenizedCorpus) -> dict[str, int]:
    """Number of sentences and a checksum of lengths and labels, by which another corpus is recognized."""
    checksum = zlib.crc32(corpus.lengths.tobytes())
    return {"sentences": len(corpus), "crc32": zlib.crc32(corpus.labels.tobytes(), checksum)}
