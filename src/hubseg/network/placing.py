"""Where a loaded network's tensors lie: casts that are made once, and memory of their own.

Responsible for what is done to a network that is ready, for the device it runs on. Does not know
files or recipes.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["cast_weights", "take_from"]

# What autocast casts at every pass, whatever stands around it.
_CAST = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


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
        # channels-last ones are contiguous by now in memory of their own
        flat = torch.cat([one.detach().reshape(-1) for one in alike])
        for one, part in zip(alike, flat.split([one.numel() for one in alike]), strict=True):
            one.data = part.view(one.shape)
