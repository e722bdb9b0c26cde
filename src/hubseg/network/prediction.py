"""What a network says of a batch: one answer for every family.

Responsible for the order and the meaning of its parts. Does not know how they come about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Prediction"]


class Prediction(NamedTuple):
    """What a network says of a batch of B images of h × w pixels.

    Attributes
    ----------
    logits
        (B, N, h/2, w/2) of a `timm_unet`, (B, N, h, w) of the other families: for each of its N
        outputs a logit per pixel.
    organ
        (B, 5): organ logits in the order of :data:`hubseg.organ.ORGANS`; None without that head.
    pixel_size
        (B, 1): µm/px of the resized input, divided by 10; None without that head.
    auxiliary
        (B, N, h, w): what a head on a coarser level says, in training only; else None.
    """

    logits: Tensor
    organ: Tensor | None = None
    pixel_size: Tensor | None = None
    auxiliary: Tensor | None = None
