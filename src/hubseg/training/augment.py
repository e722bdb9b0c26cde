"""Random crops: turned, scaled, mirrored and recoloured.

Responsible for one pass of one warp and one colour change per crop, drawn from a seeded generator.
Does not know slides or networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Augmentation", "draw"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far crops may be changed.

    Attributes
    ----------
    on_tissue
        Share of crops centred near labelled tissue; the others lie anywhere.
    scale
        Standard deviation of the logarithm of the size change.
    rotate
        Whether crops are turned by any angle.
    brightness, contrast, channel
        Largest change of brightness (0-1 of full scale), of contrast and of single channels.
    noise, blur
        Largest standard deviations of added noise (grey levels) and of blur (px).
    """

    on_tissue: float = 0.5
    scale: float = 0.15
    rotate: bool = True
    brightness: float = 0.12
    contrast: float = 0.25
    channel: float = 0.08
    noise: float = 6.0
    blur: float = 0.8


def draw(
    pixels: NDArray[np.uint8],
    target: NDArray[np.uint8],
    augmentation: Augmentation,
    crop: int,
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut one random crop out of an image and its target.

    Parameters
    ----------
    pixels, target
        uint8 (h, w, 3) and uint8 (h, w).
    crop
        Side of the crop, px.

    Returns
    -------
    uint8 (crop, crop, 3) and uint8 (crop, crop).
    """
    matrix = _warp(target, augmentation, crop, random)
    size = (crop, crop)
    border = cv2.BORDER_REFLECT_101
    image = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    mask = cv2.warpAffine(target, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return _recolour(np.asarray(image, np.uint8), augmentation, random), np.asarray(mask, np.uint8)


def _warp(
    target: NDArray[np.uint8], augmentation: Augmentation, crop: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Affine matrix (2, 3) from image to crop coordinates."""
    height, width = target.shape
    centre = np.array([random.uniform(0, width), random.uniform(0, height)])
    if random.random() < augmentation.on_tissue:
        inside = np.flatnonzero(target)
        if len(inside):
            row, column = divmod(int(inside[random.integers(len(inside))]), width)
            centre = np.array([column, row]) + random.uniform(-0.35, 0.35, 2) * crop
    angle = random.uniform(0, 2 * np.pi) if augmentation.rotate else 0.0
    scale = float(np.exp(np.clip(random.normal(0, augmentation.scale), -0.5, 0.5)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    linear = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    return np.column_stack([linear, np.full(2, crop / 2) - linear @ centre])


def _recolour(
    pixels: NDArray[np.uint8], augmentation: Augmentation, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Change brightness, contrast, single channels, sharpness and noise."""
    gain = 1.0 + random.uniform(-augmentation.contrast, augmentation.contrast)
    shift = random.uniform(-augmentation.brightness, augmentation.brightness)
    channels = random.uniform(-augmentation.channel, augmentation.channel, (2, 3))
    slope = gain * (1.0 + channels[0])
    offset = 255.0 * (shift + channels[1]) + 128.0 * (1.0 - slope)
    image = pixels.astype(np.float32) * slope.astype(np.float32) + offset.astype(np.float32)
    if random.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.2, augmentation.blur)))
    if random.random() < 0.3:
        noise = random.standard_normal(image.shape, dtype=np.float32)
        image = image + noise * np.float32(random.uniform(0, augmentation.noise))
    return np.asarray(np.clip(image, 0, 255).astype(np.uint8))
