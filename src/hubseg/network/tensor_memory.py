"""Where a loaded network's tensors lie: casts that are made once, and memory of their own.

Responsible for what is done to a network that is ready, for the device it runs on. Does not know
files or recipes.
"""

from __future__ import annotations

from itertools import accumulate, chain
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["cast_weights", "take_from"]

# What autocast casts at every pass, whatever stands around it.
_CAST = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_ALIGNED = 64  # bytes; a GPU's fast ways ask for 16, and torch.save gives 64


def cast_weights(network: nn.Module, precision: torch.dtype) -> None:
    """Cast the weights that autocast would cast at every pass, once; it then finds them cast."""
    for module in network.modules():
        if isinstance(module, _CAST):
            module.to(precision)


def take_from(network: nn.Module, held: Tensor) -> None:
    """Give tensors that are views of `held` memory of their own, together, so that it is freed."""
    where = held.untyped_storage().data_ptr()
    found = [
        one
        for one in chain(network.parameters(), network.buffers())
        if one.numel() and one.untyped_storage().data_ptr() == where
    ]
    for dtype in {one.dtype for one in found}:
        alike = [one for one in found if one.dtype == dtype]
        step = _ALIGNED // dtype.itemsize
        starts = [0, *accumulate(-(-one.numel() // step) * step for one in alike)]
        flat = torch.empty(starts[-1], dtype=dtype, device=held.device)
        parts = [
            flat[start : start + one.numel()].view(one.shape)
            for start, one in zip(starts, alike, strict=False)
        ]
        torch._foreach_copy_(parts, [one.detach() for one in alike])
        for one, part in zip(alike, parts, strict=True):
            one.data = part
