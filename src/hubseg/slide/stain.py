"""Stains: which two dyes a slide shows, how much of each, and the slide in another slide's stains.

Light through a stain falls off exponentially (Beer-Lambert), so optical density -ln((I+1)/256) is
a sum of stain vectors. Responsible for estimating them (Macenko) and for showing pixels in other
ones. Does not know who asks for it, nor jitter (:mod:`hubseg.training.stain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.slide.low_resolution import SIDE, low_resolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.slide.readable import ReadableSlide

__all__ = [
    "Stains",
    "in_stains",
    "macenko",
    "optical_density",
    "stain_transfer",
    "stains_of",
    "stains_within",
    "tissue_density",
]

TISSUE = 0.15  # optical density below which a pixel is glass (Macenko et al., 2009)
SAMPLES = 20_000  # px that an estimate looks at
_APART = 15.0  # degrees between two dyes; of H&E and PAS they lie 18 to 43 apart
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

    @property
    def told_apart(self) -> bool:
        """Whether the two dyes differ enough for amounts of them to be known.

        Amounts of two alike grow with the smallest error: 1 / sin of the angle between them.
        """
        cosine = float(self.vectors[0] @ self.vectors[1])
        return cosine < float(np.cos(np.radians(_APART)))

    def beside(self, other: Stains) -> Stains:
        """Return them in the order in which they are most like another slide's."""
        alike = self.vectors @ other.vectors.T
        if np.trace(alike) >= alike[0, 1] + alike[1, 0]:
            return self
        return Stains(self.vectors[::-1], self.strength[::-1])


def optical_density(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return optical density -ln((I + 1) / 256), (n, 3), of RGB pixels uint8 (..., 3)."""
    return -np.log((pixels.reshape(-1, 3).astype(np.float64) + 1.0) / 256.0)


def tissue_density(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the optical density of evenly spread px of tissue, (n, 3); None where too few are.

    Parameters
    ----------
    pixels
        RGB uint8 (..., 3).
    """
    flat = pixels.reshape(-1, 3)
    density = optical_density(flat[:: max(1, len(flat) // SAMPLES)])
    density = density[(density > TISSUE).all(1)]
    return density if len(density) >= FEWEST else None


def stains_within(vectors: NDArray[np.float64], density: NDArray[np.float64]) -> Stains:
    """Return stains of two vectors (2, 3), with the strengths that densities (n, 3) show."""
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
    density = tissue_density(pixels)
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
    return stains_within(np.maximum(vectors, 1e-6), density)


def stain_transfer(own: Stains, other: Stains) -> NDArray[np.float32]:
    """Matrix float32 (3, 3) that shows a slide's optical density in another slide's stains.

    Amounts are scaled so that the strengths agree; what neither stain explains stays as it is.
    """
    back = np.linalg.pinv(own.vectors)
    scaled = (other.strength / own.strength)[:, None] * other.vectors
    moved = back @ scaled + (np.eye(3) - back @ own.vectors)
    return np.ascontiguousarray(moved.T, np.float32)


def stains_of(pixels: NDArray[np.uint8] | Slide | ReadableSlide) -> Stains | None:
    """Estimate the stains of a slide as :func:`macenko` does; None where there is no tissue.

    Parameters
    ----------
    pixels
        RGB uint8 (H, W, 3), or a slide; either is looked at at low resolution.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    return macenko(_small(pixels) if isinstance(pixels, np.ndarray) else low_resolution(pixels))


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels at low resolution, as :func:`low_resolution` shows a slide of one level."""
    height, width = pixels.shape[:2]
    factor = -(-max(height, width) // SIDE)
    size = -(-width // factor), -(-height // factor)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def in_stains(pixels: NDArray[np.uint8], transfer: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Show RGB pixels uint8 (h, w, 3) in other stains, by a matrix of :func:`stain_transfer`."""
    moved = np.asarray(cv2.transform(_DENSITY[pixels], transfer), np.float32)
    shown = np.clip(np.rint(256 * np.exp(-moved) - 1), 0, 255)
    return np.asarray(shown, np.uint8)


_DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
