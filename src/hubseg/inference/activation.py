"""From a network's logits to the probability of each structure.

Responsible for one formula per activation, and for leaving out what is no structure. Does not know
views, tiles or how a map is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from hubseg.recipe import Channels

__all__ = ["probabilities"]


def probabilities(logits: Tensor, channels: Channels) -> Tensor:
    """Return the probability of each structure.

    Parameters
    ----------
    logits
        (B, N, h, w), one for each output, in any precision.
    channels
        What the outputs are.

    Returns
    -------
    Tensor
        float32, 0-1: (B, h, w) of one structure, (B, structures, h, w) of several, in their order.

    Raises
    ------
    ValueError
        When there are not as many logits as outputs.
    """
    if logits.shape[1] != channels.outputs:
        raise ValueError(
            f"The network has {logits.shape[1]} outputs and the recipe's classes are "
            f"{channels.outputs}: name what each output is under `classes`."
        )
    values = logits.float()
    shares = torch.softmax(values, 1) if channels.activation == "softmax" else None
    kept = channels.kept
    if len(kept) == 1:
        return torch.sigmoid(values[:, kept[0]]) if shares is None else shares[:, kept[0]]
    made = torch.sigmoid(values) if shares is None else shares
    return made if len(kept) == channels.outputs else made[:, list(kept)]
