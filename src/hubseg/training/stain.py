"""Stains: how much of each dye a pixel holds, jittered or exchanged for another slide's.

Light through a stain falls off exponentially (Beer-Lambert), so optical density -ln((I+1)/256) is
a sum of stain vectors. Responsible for estimating a slide's vectors (Macenko, Vahadane), for the
matrices that change them, and for Reinhard's transfer of colour statistics. No permissive library
has all of these; haematoxylin-eosin-DAB vectors are scikit-image's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Reinhard",
    "Stains",
    "hed_jitter",
    "macenko",
    "optical_density",
    "reinhard",
    "stain_transfer",
    "statistics",
    "vahadane",
]

TISSUE = 0.15  # optical density below which a pixel is glass (Macenko et al., 2009)
SAMPLES = 20_000  # px that an estimate looks at
FEWEST = 100  # px of tissue that an estimate needs


@dataclass(frozen=True, slots=True)
class Stains:
    """Two stains of a slide.

    Attributes
    ----------
    vectors
        float64 (2, 3): each stain's optical density in R, G, B, of length 1; the bluer one, which
        absorbs most red, first.
    strength
        float64 (2,): 99th percentile of each stain's concentration.
    """

    vectors: NDArray[np.float64]
    strength: NDArray[np.float64]


def optical_density(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return optical density -ln((I + 1) / 256), (n, 3), of RGB pixels uint8 (..., 3)."""
    return -np.log((pixels.reshape(-1, 3).astype(np.float64) + 1.0) / 256.0)


def _tissue(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Optical density of evenly spread pixels that hold tissue; None where there are too few."""
    flat = pixels.reshape(-1, 3)
    density = optical_density(flat[:: max(1, len(flat) // SAMPLES)])
    density = density[(density > TISSUE).all(1)]
    return density if len(density) >= FEWEST else None


def _stains(vectors: NDArray[np.float64], density: NDArray[np.float64]) -> Stains:
    vectors = np.abs(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors[np.argsort(-vectors[:, 0])]
    amounts = np.maximum(density @ np.linalg.pinv(vectors), 0.0)
    return Stains(vectors, np.maximum(np.percentile(amounts, 99, axis=0), 1e-3))


def macenko(pixels: NDArray[np.uint8], *, outer: float = 1.0) -> Stains | None:
    """Estimate a slide's stains from the outermost directions of its optical densities.

    Parameters
    ----------
    pixels
        uint8 (h, w, 3) RGB.
    outer
        Percentile of angles taken for the outermost.

    Returns
    -------
    The stains, or None where there is too little tissue. Source: Macenko et al., 2009.
    """
    density = _tissue(pixels)
    if density is None:
        return None
    _, axes = np.linalg.eigh(np.cov(density.T))
    plane = axes[:, [2, 1]]
    if plane[:, 0].sum() < 0:
        plane[:, 0] = -plane[:, 0]
    on_plane = density @ plane
    angles = np.arctan2(on_plane[:, 1], on_plane[:, 0])
    ends = np.percentile(angles, [outer, 100.0 - outer])
    vectors = np.stack([plane @ (np.cos(end), np.sin(end)) for end in ends])
    return _stains(np.maximum(vectors, 1e-6), density)


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
    density, start = _tissue(pixels), macenko(pixels)
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
    return _stains(vectors, density)


def stain_transfer(own: Stains, other: Stains) -> NDArray[np.float32]:
    """Matrix float32 (3, 3) that shows a slide's optical density in another slide's stains.

    Amounts are scaled so that the strengths agree; what neither stain explains stays as it is.
    """
    back = np.linalg.pinv(own.vectors)
    scaled = (other.strength / own.strength)[:, None] * other.vectors
    moved = back @ scaled + (np.eye(3) - back @ own.vectors)
    return np.ascontiguousarray(moved.T, np.float32)


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
