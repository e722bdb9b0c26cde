"""Random views of a slide: where a crop lies, how it is turned, scaled, bent and covered.

Responsible for one warp per crop, the same for image, target and weight. Does not know colours
(:mod:`hubseg.training.colour`), slides or networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.training.targets import planes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.recipe.training_plan import AugmentationPlan

__all__ = ["Cut", "Placing", "cut", "place"]

GREY = 127  # what covers a cutout: the network's middle


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a crop lies on its slide.

    Attributes
    ----------
    matrix
        float64 (2, 3): slide px to crop px, at network scale.
    scale
        Crop px per slide px.
    on_border
        Whether edges of the crop lie on the slide's.
    """

    matrix: NDArray[np.float64]
    scale: float
    on_border: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """One crop.

    Attributes
    ----------
    pixels
        uint8 (crop, crop, 3) RGB.
    target, weight
        uint8 (crop, crop), of several structures (structures, crop, crop), 0-255: share of truth
        in each pixel, and how much the pixel counts.
    """

    pixels: NDArray[np.uint8]
    target: NDArray[np.uint8]
    weight: NDArray[np.uint8]


def place(
    shape: tuple[int, int],
    tissue: NDArray[np.int64],
    plan: AugmentationPlan,
    crop: int,
    random: np.random.Generator,
    *,
    on_tissue: float = 0.5,
    scale: float = 1.0,
) -> Placing:
    """Choose where a crop lies.

    Parameters
    ----------
    shape
        Height and width of the slide at network scale, px.
    tissue
        int64 (n, 2): rows and columns of labelled pixels to lie near.
    scale
        What the size is multiplied by before chance does.
    """
    if random.random() < plan.on_border:
        return _at_border(shape, crop, random)
    height, width = shape
    centre = np.array([random.uniform(0, width), random.uniform(0, height)])
    if random.random() < on_tissue and len(tissue):
        row, column = tissue[random.integers(len(tissue))]
        centre = np.array([column, row]) + random.uniform(-0.35, 0.35, 2) * crop
    quarter = random.integers(4) * np.pi / 2
    angle = random.uniform(0, 2 * np.pi) if plan.rotate else quarter
    scale = scale * float(np.exp(np.clip(random.normal(0, plan.scale), -0.7, 0.7)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    linear = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    shift = np.full(2, (crop - 1) / 2) - linear @ centre
    return Placing(np.column_stack([linear, shift]), scale)


def _at_border(shape: tuple[int, int], crop: int, random: np.random.Generator) -> Placing:
    """Place a crop in a corner or along an edge of the slide, turned by quarters, as it is.

    At inference a network sees whole tiles, whose borders its convolutions pad with zeros; crops
    from the middle alone never show it such a border where tissue goes on.
    """
    offsets = []
    along = random.integers(3)  # 0: rows are free, 1: columns are free, 2: a corner
    for axis, size in enumerate(shape):
        room = size - crop
        free = along == axis and room > 0
        offsets.append(random.integers(room + 1) if free else random.choice([0, room]))
    middle = (crop - 1) / 2
    turn = np.eye(2)
    for _ in range(random.integers(4)):
        turn = np.array([[0.0, -1.0], [1.0, 0.0]]) @ turn
    if random.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    centre = np.array([offsets[1], offsets[0]]) + middle
    return Placing(np.column_stack([turn, middle - turn @ centre]), 1.0, on_border=True)


def cut(
    pixels: NDArray[np.uint8],
    target: NDArray[np.uint8],
    weight: NDArray[np.uint8] | None,
    placing: Placing,
    plan: AugmentationPlan,
    crop: int,
    random: np.random.Generator,
) -> Cut:
    """Cut a crop out of a slide; beyond its borders the slide goes on mirrored, and counts.

    Parameters
    ----------
    pixels, target, weight
        uint8 (h, w, 3), (h, w) and (h, w) or None for 255 everywhere; of several structures
        target and weight are (structures, h, w).
    """
    layers = [pixels, *planes_of(target), *([] if weight is None else planes_of(weight))]
    if random.random() < plan.elastic:
        columns, rows = _bent(placing.matrix, plan.bend, crop, random)
        cuts = [
            cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            for layer in layers
        ]
    else:
        cuts = [
            cv2.warpAffine(
                layer,
                placing.matrix,
                (crop, crop),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            for layer in layers
        ]
    last = 1 + len(planes_of(target))
    shares = _joined(cuts[1:last], target.ndim)
    counted = np.full(shares.shape, 255, np.uint8)
    if weight is not None:
        counted = _joined(cuts[last:], weight.ndim)
    made = Cut(np.asarray(cuts[0], np.uint8), shares, counted)
    if random.random() < plan.cutout:
        _cover(made, crop, random)
    return made


def _joined(planes: Sequence[Any], ndim: int) -> NDArray[np.uint8]:
    """Return planes as they came: one alone, or several on a first axis."""
    return np.asarray(planes[0] if ndim == 2 else np.stack(planes), np.uint8)


def _bent(
    matrix: NDArray[np.float64], spread: float, crop: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where in the slide each crop pixel comes from: columns and rows, float32."""
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    coarse = random.normal(0, spread, (5, 5, 2)).astype(np.float32)
    field = np.asarray(cv2.resize(coarse, (crop, crop), interpolation=cv2.INTER_CUBIC))
    rows, columns = np.mgrid[0:crop, 0:crop].astype(np.float32)
    x, y = columns + field[..., 0], rows + field[..., 1]
    a, b = back.astype(np.float32)
    return a[0] * x + a[1] * y + a[2], b[0] * x + b[1] * y + b[2]


def _cover(made: Cut, crop: int, random: np.random.Generator) -> None:
    """Grey out one to three patches; what cannot be seen is not judged."""
    for _ in range(random.integers(1, 4)):
        height, width = random.integers(crop // 16, crop // 4 + 1, 2)
        top, left = random.integers(0, crop - height + 1), random.integers(0, crop - width + 1)
        patch = slice(top, top + height), slice(left, left + width)
        made.pixels[patch] = GREY
        made.weight[(..., *patch)] = 0
