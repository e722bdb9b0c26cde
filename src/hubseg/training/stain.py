"""Colours in training: stains estimated another way and jittered, and Reinhard's statistics.

Responsible for Vahadane's estimate of a slide's stains, for jitter of how much of each dye a pixel
holds, and for Reinhard's transfer of colour statistics. Stains themselves are
:mod:`hubseg.slide.stain`'s. No permissive library has all of these; haematoxylin-eosin-DAB vectors
are scikit-image's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.slide.stain import Stains, macenko, stains_within, tissue_density

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reinhard", "hed_jitter", "reinhard", "statistics", "vahadane"]


def vahadane(
    pixels: NDArray[np.uint8], *, sparsity: float = 0.02, rounds: int = 60
) -> Stains | None:
    """Estimate a slide's stains by sparse non-negative factorisation of its optical densities.

    Minimises ½|V - CW|² + λ|C|₁ over non-negative amounts C and unit vectors W, alternating exact
    coordinate steps; starts from :func:`macenko`. Source: Vahadane et al., 2016, whose λ of 0.1
    turns vectors that are known by some 6°; ours turns them by 2°.

    Returns
    -------
    The stains, or None where there is too little tissue.
    """
    density, start = tissue_density(pixels), macenko(pixels)
    if density is None or start is None:
        return None
    vectors = start.vectors.copy()
    amounts = np.maximum(density @ np.linalg.pinv(vectors), 0.0)
    for _ in range(rounds):
        for k in (0, 1):
            rest = density - np.outer(amounts[:, 1 - k], vectors[1 - k])
            amounts[:, k] = np.maximum(rest @ vectors[k] - sparsity, 0.0)
            if not amounts[:, k].any():
                return start
            vector = np.maximum(amounts[:, k] @ rest, 1e-9)
            vectors[k] = vector / np.linalg.norm(vector)
    return stains_within(vectors, density)


@lru_cache(maxsize=1)
def _hed() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from skimage.color import hed_from_rgb, rgb_from_hed

    return np.asarray(hed_from_rgb), np.asarray(rgb_from_hed)


def hed_jitter(spread: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Matrix float32 (3, 3) that changes haematoxylin, eosin and DAB by up to `spread` each.

    Source: Tellez et al., 2018; vectors of Ruifrok and Johnston, 2001, as scikit-image has them.
    """
    there, back = _hed()
    amounts = 1.0 + random.uniform(-spread, spread, 3)
    return np.ascontiguousarray((there * amounts @ back).T, np.float32)


@dataclass(frozen=True, slots=True)
class Reinhard:
    """Two slides' colours: mean and spread of L, a, b in OpenCV's 8-bit scale, own and other's."""

    own: tuple[NDArray[np.float64], NDArray[np.float64]]
    other: tuple[NDArray[np.float64], NDArray[np.float64]]


def statistics(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation, each (3,), of L, a, b over a slide's pixels."""
    lab = cv2.cvtColor(np.ascontiguousarray(pixels.reshape(1, -1, 3)), cv2.COLOR_RGB2LAB)
    flat = lab.reshape(-1, 3).astype(np.float64)
    return flat.mean(0), np.maximum(flat.std(0), 1e-3)


def reinhard(pixels: NDArray[np.uint8], style: Reinhard) -> NDArray[np.uint8]:
    """Give pixels uint8 (h, w, 3) another slide's mean and spread of L, a and b.

    Source: Reinhard et al., 2001, in CIE Lab.
    """
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float64)
    mean, spread = style.own
    moved = (lab - mean) * (style.other[1] / spread) + style.other[0]
    back = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_LAB2RGB), np.uint8)
