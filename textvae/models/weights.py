"""Writing and reading weights, for checkpoints and model folders alike, in the safetensors format.

Every tensor is copied before it is written, so that the file does not depend on the memory layout of the device: cuDNN
keeps all weights of a recurrent layer in one storage. A tied tensor is written once; on reading, the model provides its
other names. The same weights give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from textvae.disk import machine_errors, problem_of_file
from textvae.errors import ModelError
from textvae.priors import Prior


def write_weights(module: nn.Module, path: Path) -> None:
    """Write all parameters and persistent buffers of a module.

    Raises:
        MachineError: the disk is full or broken.
        ModelError: a weight is not a finite number.
    """
    names = module.state_dict()
    kept: dict[tuple[Any, ...], str] = {}
    tensors: dict[str, Tensor] = {}
    for name, value in names.items():
        first = kept.setdefault(_place(name, value), name)
        if first != name:
            continue
        if not _finite(value):
            raise ModelError(f"weight '{name}' holds numbers that are not finite; they are not written to {path}.")
        # From a GPU, `to` makes a copy. On a CPU, clone a tensor that shares its storage with others.
        copied = value.detach().to("cpu").contiguous()
        tensors[name] = copied.clone() if copied.untyped_storage().nbytes() != copied.nbytes else copied
    with machine_errors(path):
        path.write_bytes(save(tensors, metadata={"format": "pt"}))


def read_weights(module: nn.Module, path: Path) -> None:
    """Read weights into a module that was built with the same settings.

    Raises:
        ModelError: the file is missing, not a regular file, damaged, or of another model. The message is without a cure
            and a full stop; the caller adds them. A part of the module may refuse what it gets by a whole sentence.
        PermissionError: the file may not be read.
    """
    require_regular_file(path)
    wanted = module.state_dict()
    aliases = _aliases(wanted)
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            # Early versions wrote by `safetensors.torch.save_model`, which puts the other names of tied tensors there.
            tied = {name: first for name, first in (file.metadata() or {}).items() if name != "format"}
            given = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} is truncated or no safetensors file ({_first_line(error)})") from None
    for name, first in tied.items():
        if first in given and name not in given:
            given[name] = given[first]
    # A tied tensor may be in the file under any of its names.
    for group in aliases:
        found = next((given[name] for name in group if name in given), None)
        if found is not None:
            different = [name for name in group if name in given and not _same(given[name], found)]
            if different:
                raise ModelError(f"{path} has two tensors, '{group[0]}' and '{different[0]}', for one of the model's")
            given |= {name: found for name in group if name not in given}
    if missing := sorted(set(wanted) - set(given)):
        raise ModelError(f"{path} lacks '{missing[0]}'{_more(missing)}")
    if unknown := sorted(set(given) - set(wanted)):
        raise ModelError(f"{path} has '{unknown[0]}'{_more(unknown)}, for which the model has no place")
    for name, value in given.items():
        expected = wanted[name]
        if value.dtype != expected.dtype:
            raise ModelError(f"{path} has '{name}' as {value.dtype}, expected {expected.dtype}")
        if value.shape != expected.shape and not _grows(module, name, value):
            raise ModelError(f"{path} has '{name}' of shape {list(value.shape)}, expected {list(expected.shape)}")
        if not _finite(value):
            raise ModelError(f"{path} has numbers in '{name}' that are not finite")
    module.load_state_dict(given)


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors in a weights file, without reading the tensors.

    Raises:
        ModelError: the file is missing or damaged.
        PermissionError: the file may not be read.
    """
    require_regular_file(path)
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} is truncated or no safetensors file ({_first_line(error)})") from None


def require_regular_file(path: Path) -> None:
    """Refuse a path that is not a regular file (or a link to one), such as a pipe, on which reading could hang.

    Raises:
        ModelError: the path does not exist or is not a regular file.
        PermissionError: the file may not be read.
    """
    problem = problem_of_file(path)
    if problem is not None:
        raise ModelError(f"{path} {problem}")
    if not os.access(path, os.R_OK):
        raise PermissionError(13, "Permission denied", str(path))


def _place(name: str, value: Tensor) -> tuple[Any, ...]:
    """The identity of a tensor's memory, which is the same only for tied tensors."""
    if value.numel() == 0:
        return (name,)
    return (value.device, value.dtype, value.data_ptr(), tuple(value.shape), tuple(value.stride()))


def _aliases(state: Mapping[str, Tensor]) -> list[list[str]]:
    """The groups of names of tied tensors."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, value in state.items():
        groups.setdefault(_place(name, value), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _grows(module: nn.Module, name: str, value: Tensor) -> bool:
    """Whether a buffer may have another length than in a new module, such as a memory with a code for each sentence."""
    owner, _, own = name.rpartition(".")
    part = module.get_submodule(owner)
    if not isinstance(part, Prior) or own not in part.memory_names:
        return False
    return value.shape[1:] == part.get_buffer(own).shape[1:]


def _same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


def _finite(value: Tensor) -> bool:
    if not (value.is_floating_point() or value.is_complex()):
        return True
    return bool(torch.isfinite(value).all())


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
