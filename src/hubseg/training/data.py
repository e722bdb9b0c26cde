"""Labelled slides at network scale, and the random crops that training sees.

Responsible for reading each slide once, resizing it as inference would, and cutting augmented
crops. Does not know networks or losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hubseg.formats.rle import decode
from hubseg.inference import normalise, resize_pixels
from hubseg.training.augment import Augmentation, draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hubseg.recipe import Recipe, Resolution
    from hubseg.slide import Slide, SlideTable

__all__ = ["LabelledSlide", "batches", "label"]


@dataclass(frozen=True, slots=True)
class LabelledSlide:
    """A slide and its truth at network scale.

    Attributes
    ----------
    slide
        Where they come from.
    pixels
        uint8 (h, w, 3) RGB.
    target
        uint8 (h, w), 0-255: share of truth in each pixel.
    truth
        bool (H, W): the truth at slide resolution.
    """

    slide: Slide
    pixels: NDArray[np.uint8]
    target: NDArray[np.uint8]
    truth: NDArray[np.bool_]


def label(table: SlideTable, resolution: Resolution) -> list[LabelledSlide]:
    """Read every slide of a table that has a truth.

    Raises
    ------
    ValueError
        When no slide has a truth, or one does not fit its slide.
    """
    labelled = []
    for slide in table.slides:
        if slide.id not in table.truth:
            continue
        truth = decode(table.truth[slide.id], (slide.height, slide.width))
        pixels = resize_pixels(slide.read(), resolution, slide.um_per_px)
        height, width = pixels.shape[:2]
        target = cv2.resize(
            truth.astype(np.uint8) * np.uint8(255), (width, height), interpolation=cv2.INTER_AREA
        )
        labelled.append(LabelledSlide(slide, pixels, np.asarray(target, np.uint8), truth))
    if not labelled:
        raise ValueError("No slide of the table has a truth: give a table with an rle column.")
    return labelled


def batches(
    slides: Sequence[LabelledSlide],
    recipe: Recipe,
    augmentation: Augmentation,
    *,
    crop: int,
    batch: int,
    count: int,
    random: np.random.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield `count` batches of augmented crops.

    Yields
    ------
    images
        float32 (batch, 3, crop, crop), normalised as the recipe says.
    targets
        float32 (batch, 1, crop/2, crop/2), 0-1: networks answer at half resolution.
    """
    for _ in range(count):
        images, targets = [], []
        for index in random.integers(len(slides), size=batch):
            chosen = slides[int(index)]
            pixels, target = draw(chosen.pixels, chosen.target, augmentation, crop, random)
            images.append(normalise(pixels, recipe.normalize, recipe.channel_order))
            small = cv2.resize(target, (crop // 2, crop // 2), interpolation=cv2.INTER_AREA)
            targets.append(torch.from_numpy(small.astype(np.float32) / np.float32(255.0))[None])
        yield torch.stack(images), torch.stack(targets)
