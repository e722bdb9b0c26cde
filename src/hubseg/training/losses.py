"""What training minimises: binary cross-entropy and soft Dice.

Responsible for the formulas on logits; does not know networks or data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["bce", "bce_dice", "soft_dice"]


def soft_dice(logits: Tensor, target: Tensor, *, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice of the batch as one image: 1 - (2Σpt + s) / (Σp + Σt + s).

    Parameters
    ----------
    logits, target
        (B, 1, h, w); target in 0-1.
    smooth
        Added above and below, in px: keeps empty images finite and their loss near 0.
    """
    probability = torch.sigmoid(logits.float())
    both = (probability * target).sum()
    return 1.0 - (2.0 * both + smooth) / (probability.sum() + target.sum() + smooth)


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits (B, 1, h, w) against a target in 0-1."""
    return F.binary_cross_entropy_with_logits(logits.float(), target)


def bce_dice(
    logits: Tensor, target: Tensor, *, bce_weight: float = 0.5, dice_weight: float = 1.0
) -> Tensor:
    """Weighted sum of cross-entropy and soft Dice; the published weights are the defaults."""
    return bce_weight * bce(logits, target) + dice_weight * soft_dice(logits, target)
