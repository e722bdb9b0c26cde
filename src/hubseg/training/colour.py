"""Random colours: one matrix, one stain matrix, blur and noise per crop.

Brightness, contrast, saturation, hue, single channels and their order are all linear in RGB, and a
change of stains is linear in optical density: so a crop's change is two small matrices, whoever
applies them. Responsible for drawing and applying them, on a CPU crop by crop or on a device batch
by batch. Does not know where a crop lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from hubseg.training.stain import hed_jitter, reinhard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hubseg.recipe.training_plan import AugmentationPlan
    from hubseg.training.stain import Reinhard

__all__ = ["Colour", "draw_colour", "recolour", "recolour_batch"]

GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma
# RGB to YIQ (FCC, NTSC 1953): a turn of the hue is a rotation of I and Q.
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True, slots=True)
class Colour:
    """How one crop's colours change, in this order: stains, RGB, blur, noise.

    Attributes
    ----------
    matrix
        float32 (3, 4): RGB' = matrix · (R, G, B, 1), grey levels 0-255.
    stain
        float32 (3, 3): optical density' = stain · optical density; None leaves it.
    style
        Reinhard's transfer to another slide's colours, or None.
    blur, noise
        Standard deviations of a Gaussian blur (px) and of added noise (grey levels); 0 is none.
    seed
        Of the noise.
    """

    matrix: NDArray[np.float32]
    stain: NDArray[np.float32] | None = None
    style: Reinhard | None = None
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0


def draw_colour(
    plan: AugmentationPlan,
    random: np.random.Generator,
    *,
    transfer: NDArray[np.float32] | None = None,
    style: Reinhard | None = None,
) -> Colour:
    """Draw one crop's colours.

    Parameters
    ----------
    transfer, style
        Stains (3, 3) or colours of another slide, applied to a share of crops.
    """

    def around(spread: float) -> float:
        return float(random.uniform(-spread, spread))

    gain, shift = 1.0 + around(plan.contrast), 255.0 * around(plan.brightness)
    grey = np.ones((3, 1)) * GREY
    saturation = grey + (1.0 + around(plan.saturation)) * (np.eye(3) - grey)
    linear = gain * (saturation @ _hue(around(plan.hue)))
    slopes = 1.0 + random.uniform(-plan.channel, plan.channel, 3)
    shifts = 255.0 * random.uniform(-plan.channel, plan.channel, 3)
    linear = slopes[:, None] * linear
    offset = shift + shifts + 128.0 * (1.0 - gain * slopes)
    matrix = np.column_stack([linear, offset])
    if random.random() < plan.reverse:
        matrix = matrix[::-1]
    stain = hed_jitter(plan.stain_jitter, random) if random.random() < plan.stain else None
    moved = random.random() < plan.transfer
    if moved and transfer is not None:
        stain = transfer if stain is None else (stain @ transfer).astype(np.float32)
    blurred, noisy = random.random() < 0.3 and plan.blur > 0.2, random.random() < 0.3
    return Colour(
        matrix=np.ascontiguousarray(matrix, np.float32),
        stain=stain,
        style=style if moved else None,
        blur=random.uniform(0.2, plan.blur) if blurred else 0.0,
        noise=random.uniform(0, plan.noise) if noisy else 0.0,
        seed=int(random.integers(2**31)),
    )


def _hue(turns: float) -> NDArray[np.float64]:
    """Matrix (3, 3) that turns the hue by a share of a whole turn."""
    cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return np.asarray(np.linalg.inv(YIQ) @ turn @ YIQ)


def recolour(pixels: NDArray[np.uint8], colour: Colour) -> NDArray[np.uint8]:
    """Apply one crop's colours to uint8 (h, w, 3)."""
    if colour.style is not None:
        pixels = reinhard(pixels, colour.style)
    image = pixels.astype(np.float32)
    if colour.stain is not None:
        density = np.log((image + 1.0) / np.float32(256.0))
        image = np.exp(cv2.transform(density, colour.stain)) * np.float32(256.0) - np.float32(1.0)
    image = np.asarray(cv2.transform(image, colour.matrix))
    if colour.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), colour.blur))
    if colour.noise:
        random = np.random.default_rng(colour.seed)
        image += random.standard_normal(image.shape, np.float32) * np.float32(colour.noise)
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, 0.0)), np.uint8)


def recolour_batch(images: Tensor, colours: Sequence[Colour]) -> Tensor:
    """Apply each crop's colours to uint8 (B, 3, h, w) on its device.

    The same as :func:`recolour` but for noise, which is the device's own, and blur, whose kernel
    reaches three standard deviations of the widest.
    """
    device, values = images.device, images.float()
    stains = [np.eye(3, dtype=np.float32) if c.stain is None else c.stain for c in colours]
    if any(c.stain is not None for c in colours):
        density = torch.log((values + 1.0) / 256.0)
        moved = torch.einsum("bij,bjhw->bihw", _on(stains, device), density)
        values = torch.exp(moved) * 256.0 - 1.0
    matrices = _on([c.matrix for c in colours], device)
    values = torch.einsum("bij,bjhw->bihw", matrices[..., :3], values)
    values = values + matrices[..., 3][..., None, None]
    if any(c.blur for c in colours):
        values = _blur(values, [c.blur for c in colours])
    if any(c.noise for c in colours):
        spread = torch.tensor([c.noise for c in colours], device=device)
        values = values + torch.randn_like(values) * spread[:, None, None, None]
    return values.clamp(0.0, 255.0).round()


def _on(matrices: Sequence[NDArray[np.float32]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(matrices)).to(device, non_blocking=True)


def _blur(values: Tensor, spreads: Sequence[float]) -> Tensor:
    """Blur each image by its own Gaussian, rows then columns."""
    reach = max(1, int(np.ceil(3 * max(spreads))))
    places = torch.arange(-reach, reach + 1, device=values.device, dtype=torch.float32)
    spread = torch.tensor(spreads, device=values.device).clamp_min(1e-3)[:, None]
    kernel = torch.exp(-0.5 * (places / spread).square())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)
    planes = values.shape[0] * 3
    grouped = F.pad(values, [reach] * 4, mode="reflect").flatten(0, 1)[None]
    rows = F.conv2d(grouped, kernel[:, None, :, None], groups=planes)
    return F.conv2d(rows, kernel[:, None, None, :], groups=planes).reshape(values.shape)
