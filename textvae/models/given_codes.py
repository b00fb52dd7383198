"""Checks of codes, and of the labels beside them, that a caller gives to `TextModel.decode`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import shown
from textvae.errors import DataError
from textvae.types import Context, GivenRows


def checked_codes(codes: GivenRows, latent_dim: int, like: Tensor) -> Tensor:
    """Codes as a tensor, [N, D].

    Args:
        codes: a tensor on any device, an array, or lists of numbers.
        latent_dim: D.
        like: a tensor of the dtype and on the device that the codes get.

    Raises:
        DataError: they are not N rows of D finite numbers.

    >>> checked_codes([[1, 2], [3, 4]], 2, torch.zeros(1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    expected = f"expected N rows of {latent_dim} finite numbers"
    try:
        if isinstance(codes, list | tuple) and codes and all(isinstance(row, Tensor) for row in codes):
            codes = torch.stack(list(codes))
        given = codes if isinstance(codes, Tensor) else np.asarray(codes)
        if isinstance(given, np.ndarray):
            if given.dtype.kind not in "fiu":
                raise TypeError
            given = torch.from_numpy(np.ascontiguousarray(given, dtype=np.float64))
        if given.is_complex() or given.dtype == torch.bool:
            raise TypeError
        found = given.detach().to(like.device, like.dtype).contiguous()
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"the codes are {shown(codes)}; {expected}.") from None
    if found.shape == (0,):
        found = found.reshape(0, latent_dim)
    if found.dim() == 1 and len(found) == latent_dim:
        raise DataError(f"got one code of {len(found)} numbers; {expected}; write [z], or z[None].")
    if found.dim() != 2 or found.shape[1] != latent_dim:
        raise DataError(f"the codes have shape {tuple(found.shape)}; {expected}.")
    if not bool(found.isfinite().all()):
        raise DataError(f"the codes hold NaN, an infinity or a number too large for {found.dtype}; {expected}.")
    return found


def checked_labels(context: Context | None, count: int, labels: int, device: torch.device) -> Context | None:
    """The context of some codes, on a device.

    Args:
        context: as it was given.
        count: of the codes.
        labels: on which the decoder is conditioned; 0 for one that takes no label.
        device: the model's.

    Raises:
        DataError: the decoder needs labels, and there is not one for each code, or one that it does not know.
    """
    label_B = None if context is None else context.label_B
    if not labels:
        return context
    if context is None or label_B is None or label_B.shape != (count,):
        got = "none" if label_B is None else f"labels of shape {tuple(label_B.shape)}"
        raise DataError(
            f"this model's decoder needs a label for each code, and {count} codes came with {got}; give "
            "context=Context(label_B=...) with a label for each."
        )
    if count and not 0 <= int(label_B.min()) <= int(label_B.max()) < labels:
        raise DataError(f"the labels of codes are positions in label_names; expected 0 to {labels - 1}.")
    return context.to(device)
