"""A network that answers a batch with its loss, and the arithmetic it does so in.

Responsible for one forward pass as training makes it, so that whatever spreads a step over devices
sees one module. Does not know optimisers or data.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubseg.inference import choose_precision
from hubseg.recipe.channels import ONE_OUTPUT
from hubseg.training.losses import total_loss

if TYPE_CHECKING:
    from torch import Tensor

    from hubseg.recipe import Channels
    from hubseg.recipe.training_plan import LossPlan, TrainingPlan
    from hubseg.training.crops import Batch
    from hubseg.training.deep_supervision import DecoderLevels

__all__ = ["Learner", "arithmetic", "autocast", "silence_heads"]


class Learner(nn.Module):
    """A network and its heads on decoder levels, whose forward pass is the loss of a batch."""

    def __init__(
        self,
        network: nn.Module,
        levels: DecoderLevels,
        plan: LossPlan,
        precision: torch.dtype,
        channels: Channels = ONE_OUTPUT,
    ) -> None:
        super().__init__()
        self.network, self.levels, self._channels = network, levels, channels
        self._plan, self._precision = plan, precision

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss, one number."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with autocast(images.device, self._precision):
            answer = self.network(images)
            levels = self.levels.logits()
        return total_loss(
            self._plan,
            answer,
            batch.target,
            batch.weight,
            organ=batch.organ,
            pixel_size=batch.pixel_size,
            levels=levels,
            channels=self._channels,
        )


def arithmetic(plan: TrainingPlan, device: torch.device) -> tuple[torch.dtype, str]:
    """Return the arithmetic of forward passes, and one sentence where it is not the plan's.

    A GPU trains in float16. A CPU trains in the plan's precision, and in float32 where it has no
    such arithmetic.
    """
    if device.type == "cuda":
        return torch.float16, ""
    try:
        return choose_precision(plan.precision, device), ""
    except ValueError as error:
        return torch.float32, f"Trained in float32 instead of {plan.precision}: {error}"


def autocast(device: torch.device, dtype: torch.dtype) -> Any:
    """Return the context of a forward pass in some arithmetic."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def silence_heads(network: nn.Module, plan: LossPlan) -> None:
    """Zero the heads for organ and pixel size that no loss will train.

    They then say nothing (equal shares, 0 µm/px) where random weights would say anything.
    """
    for name, weight in (("cls", plan.organ), ("pix_sz", plan.pixel_size)):
        head = getattr(network, name, None)
        if isinstance(head, nn.Linear) and not weight:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
