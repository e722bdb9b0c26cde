"""Answers of coarser decoder levels while training: heads that no checkpoint holds.

Responsible for finding a network's decoder levels and for a 1 × 1 convolution on each. The network
itself stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from typing import Any

__all__ = ["DecoderLevels"]

UNET = ("conv6_2", "conv7_2", "conv8_2")  # the published decoder's levels, coarsest first


class DecoderLevels(nn.Module):
    """Heads on the decoder levels that are coarser than the answer.

    Parameters
    ----------
    network
        Whose decoder is looked into with forward hooks.
    wanted
        Without, there are no heads and no hooks.
    crop
        Side of the crops, px: an image to count the levels' channels on.
    outputs
        How many the network has.

    Raises
    ------
    ValueError
        When the network's decoder has no levels that are known.
    """

    def __init__(self, network: nn.Module, wanted: bool, *, crop: int, outputs: int = 1) -> None:
        super().__init__()
        self.heads = nn.ModuleList()
        self._seen: dict[int, Tensor] = {}
        if not wanted:
            return
        levels = _levels(network)
        for place, level in enumerate(levels):
            level.register_forward_hook(self._hook(place))
        device = next(network.parameters()).device
        was = network.training
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, crop, crop, device=device))
        network.train(was)
        channels = [self._seen[place].shape[1] for place in range(len(levels))]
        self.heads.extend(nn.Conv2d(count, outputs, 1) for count in channels)
        self._seen.clear()

    def _hook(self, place: int) -> Any:
        def remember(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._seen[place] = output

        return remember

    def logits(self) -> list[Tensor]:
        """Return each level's logits (B, N, h', w') for the last forward pass, coarsest first."""
        made = [head(self._seen[place]) for place, head in enumerate(self.heads)]
        self._seen.clear()
        return made


def _levels(network: nn.Module) -> list[nn.Module]:
    known = dict(network.named_modules())
    if all(name in known for name in UNET):
        return [known[name] for name in UNET]
    blocks = next((m for name, m in known.items() if name.endswith("decoder.blocks")), None)
    if isinstance(blocks, nn.ModuleList) and len(blocks) > 2:
        return list(blocks)[:-2]
    raise ValueError(
        "This network's decoder has no levels that deep supervision could look at: set "
        "`training.loss.deep` to 0."
    )
