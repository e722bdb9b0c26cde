"""Rolled steel with four kinds of defects: something that is no tissue, with exact masks.

Responsible for how a strip and its defects look, and for how rare each of them is: most strips have
nothing of most kinds. Shaped as the strips of the Severstal competition are (256 × 1600 px). Sizes
are px.
"""

from __future__ import annotations

from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from hubseg.organ import StructureName
from hubseg.synthetic.canvas import POINTS, UINT8, blob, draw_polygon, noise

__all__ = ["DEFECTS", "make_steel"]

DEFECTS = MappingProxyType(
    {
        StructureName("pitted"): 0.14,
        StructureName("inclusion"): 0.08,
        StructureName("scratches"): 0.38,
        StructureName("patches"): 0.18,
    }
)
"""The kinds of defects, in the order of their numbers, with the share of strips that have one."""

_SMALLEST = 64
_MARGIN = 40  # drawn around a strip and cut off


def make_steel(
    *, height: int = 256, width: int = 1600, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], dict[StructureName, npt.NDArray[np.bool_]]]:
    """Draw a strip and say where each kind of defect lies; equal seeds give equal bytes.

    Parameters
    ----------
    height, width
        Size of the strip, each at least 64.
    seed
        Any integer from 0 on.

    Returns
    -------
    image : uint8 (height, width, 3)
        RGB, all three equal.
    masks : dict of bool (height, width)
        Of each of :data:`DEFECTS`; most are empty. They may overlap.

    Raises
    ------
    ValueError
        If the strip is smaller than 64 px or `seed` is negative.
    """
    if min(height, width) < _SMALLEST or seed < 0:
        raise ValueError(
            f"A strip of {height} × {width} px and seed {seed} cannot be drawn: ask for "
            f"{_SMALLEST} px or more each way, and for a seed from 0 on."
        )
    rng = np.random.Generator(np.random.PCG64([seed, 7]))
    shape = height + 2 * _MARGIN, width + 2 * _MARGIN
    grey = _surface(rng, shape)
    draw = (_pitted, _inclusion, _scratches, _patches)
    found = {}
    for (name, share), one in zip(DEFECTS.items(), draw, strict=True):
        mask = np.zeros(shape, np.uint8)
        if rng.random() < share:
            one(rng, grey, mask)
        found[name] = mask
    inner = np.s_[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    grain = rng.integers(0, 9, (height, width), dtype=np.uint8)
    image = np.clip(grey[inner] + grain - 4, 0, 255).astype(np.uint8)
    masks = {name: np.ascontiguousarray(mask[inner] > 0) for name, mask in found.items()}
    return np.repeat(image[..., None], 3, axis=2), masks


def _surface(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return rolled steel: streaks along the strip, and unevenness."""
    across = noise(rng, (shape[0], 1), 8).astype(np.int32) + noise(rng, (shape[0], 1), 2)
    wide = noise(rng, shape, 128).astype(np.int32)
    base = int(rng.integers(70, 120))
    return np.asarray(base + (across - 256) // 16 + (wide - 128) // 6, np.int32)


def _place(rng: np.random.Generator, shape: tuple[int, int]) -> POINTS:
    return rng.uniform((_MARGIN, _MARGIN), (shape[1] - _MARGIN, shape[0] - _MARGIN))


def _add(grey: npt.NDArray[np.int32], mask: UINT8, own: UINT8, shade: int) -> None:
    """Change the grey of a defect's pixels, and mark them."""
    inside = own > 0
    grey[inside] += shade
    mask[inside] = 255


def _pitted(rng: np.random.Generator, grey: npt.NDArray[np.int32], mask: UINT8) -> None:
    """Draw fields of dark pits; the field is marked."""
    for _ in range(int(rng.integers(1, 4))):
        own, centre = np.zeros_like(mask), _place(rng, mask.shape)
        outline = blob(rng, rng.uniform(34, 60), stretch=rng.uniform(1.0, 1.4), rough=0.2)
        draw_polygon(own, outline + centre, 255, smooth=False)
        pits = (noise(rng, mask.shape, 4) > 150) & (own > 0)
        mask[own > 0] = 255
        grey[pits] -= 45


def _inclusion(rng: np.random.Generator, grey: npt.NDArray[np.int32], mask: UINT8) -> None:
    """Draw short dark streaks along the strip."""
    for _ in range(int(rng.integers(2, 5))):
        own, centre = np.zeros_like(mask), _place(rng, mask.shape)
        size = rng.uniform(60, 100), rng.uniform(14, 22)
        outline = blob(rng, 1.0, rough=0.1) * size + centre
        draw_polygon(own, outline, 255, smooth=False)
        _add(grey, mask, own, -60)


def _scratches(rng: np.random.Generator, grey: npt.NDArray[np.int32], mask: UINT8) -> None:
    """Draw long bright lines down the strip."""
    for _ in range(int(rng.integers(1, 4))):
        own, centre = np.zeros_like(mask), _place(rng, mask.shape)
        reach = rng.uniform(60, 110), rng.uniform(-50, 50)
        ends = np.array([centre - reach[::-1], centre + reach[::-1]])
        fixed = np.rint(ends * 16).astype(np.int32)
        cv2.polylines(own, [fixed], False, 255, int(rng.integers(16, 30)), cv2.LINE_8, 4)
        _add(grey, mask, own, 55)


def _patches(rng: np.random.Generator, grey: npt.NDArray[np.int32], mask: UINT8) -> None:
    """Draw large blotches, bright and uneven."""
    for _ in range(int(rng.integers(1, 3))):
        own, centre = np.zeros_like(mask), _place(rng, mask.shape)
        outline = blob(rng, rng.uniform(50, 90), stretch=rng.uniform(1.2, 1.9), rough=0.25, waves=9)
        draw_polygon(own, outline + centre, 255, smooth=False)
        blotch = noise(rng, mask.shape, 32).astype(np.int32) // 4
        inside = own > 0
        grey[inside] += 30 + blotch[inside] - 32
        mask[inside] = 255
