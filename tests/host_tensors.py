"""Finds forgotten devices on a machine that has only one: tensors made on the host that meet those of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter

_FACTORIES = {
    getattr(torch, name)
    for name in (
        *("arange", "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randint", "randn", "randperm"),
        *("scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
    )
}
"""They make tensors on the host where no device is named. (`as_tensor` keeps the device of a tensor.)"""

_MAY_MIX = {Tensor.__getitem__, Tensor.__setitem__, Tensor.copy_, Tensor.set_, Tensor.index_put, Tensor.index_put_}
"""On an accelerator too these take tensors of the host: as an index, or to copy from."""

_MOVES = {Tensor.to, Tensor.cuda, Tensor.type_as}


class HostTensors(TorchFunctionMode):
    """Inside, what is made without a device is a tensor of the host, and everything else is as if on an accelerator.

    Host tensors that meet others, or others that are read as a NumPy array, raise as they would there. A host tensor
    of no dimensions may meet anything, and so may an index. What never passes through Python is not seen: backward
    passes, and the insides of an operation.

    >>> with HostTensors():
    ...     torch.arange(3) + torch.ones(3, device=torch.device("cpu"))
    Traceback (most recent call last):
    RuntimeError: add: a tensor of the host meets one of the device
    """

    def __enter__(self) -> Any:
        # The one factory that a mode is not told of.
        self._from_numpy = torch.from_numpy
        torch.from_numpy = lambda array: _marked(self._from_numpy(array), True)  # type: ignore[assignment]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        torch.from_numpy = self._from_numpy
        super().__exit__(*error)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        if name in ("__get__", "__set__", "__delete__", "__repr__"):
            # Views such as `.T` and `.data` stay where their tensor is.
            result = func(*args, **kwargs)
            return _marked(result, True) if name == "__get__" and _is_host(args[0]) else result
        given = [part for part in tree_iter((args, kwargs)) if isinstance(part, Tensor)]
        host = [_is_host(part) for part in given]
        if func in _FACTORIES:
            return _marked(func(*args, **kwargs), kwargs.get("device") is None)
        if func is torch.as_tensor:
            return _marked(func(*args, **kwargs), kwargs.get("device") is None and (not given or all(host)))
        if func is Tensor.cpu:
            return _marked(args[0].view_as(args[0]), True)
        if func in (Tensor.numpy, Tensor.__array__) and not all(host):
            raise RuntimeError(f"{name}: a tensor of the device is read as an array of the host")
        if func in _MOVES:
            target = _target(args[1:], kwargs)
            if target is not None:
                moved = func(*args, **kwargs)
                return _marked(moved.view_as(moved) if moved is args[0] else moved, target)
        if func not in _MAY_MIX and any(host) and not all(host):
            meeting = [part for part, is_host in zip(given, host, strict=True) if is_host and part.dim()]
            if meeting:
                raise RuntimeError(f"{name}: a tensor of the host meets one of the device")
        result = func(*args, **kwargs)
        if given and all(host) and not name.endswith("_"):
            for part in tree_iter(result):
                _marked(part, True)
        return result


def _is_host(x: Any) -> bool:
    return getattr(x, "_of_the_host", False)


def _marked(x: Any, host: bool) -> Any:
    if isinstance(x, Tensor):
        x._of_the_host = host  # type: ignore[attr-defined]
    return x


def _target(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | None:
    """Whether `Tensor.to` goes to the host, as another tensor or a device says; None where it changes the dtype."""
    asked = kwargs.get("device", kwargs.get("other", args[0] if args else None))
    if isinstance(asked, Tensor):
        return _is_host(asked)
    # The word alone means the host; a device that was handed on means where the model is.
    return asked == "cpu" if isinstance(asked, str) else False if isinstance(asked, torch.device) else None
