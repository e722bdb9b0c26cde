"""Which tiles of a large slide show tissue.

Responsible for leaving out tiles of glass alone. Does not know how tissue is told from glass
(:mod:`hubseg.slide.tissue`), nor computes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from hubseg.slide.tissue import SIDE, find_tissue, tissue_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.inference.input_image import InputImage
    from hubseg.probability.tiling import Grid
    from hubseg.slide import Slide
    from hubseg.slide.readable import ReadableSlide

__all__ = ["Tissue", "said_of", "with_tissue"]


def said_of(slide: Slide) -> NDArray[np.bool_] | None:
    """Return where a person says that a slide shows tissue, bool (h, w); None where nobody did."""
    return None if slide.tissue is None else slide.tissue.within(slide.region)


def with_tissue(
    grid: Grid,
    pixels: NDArray[np.uint8] | Slide,
    scene: InputImage,
    said: NDArray[np.bool_] | None = None,
) -> Grid:
    """Return the tiles that show tissue; all of them where no tissue is found at all.

    Wherever there is tissue every tile that shows it stays, so that the map there is that of all
    tiles, to the bit.

    Parameters
    ----------
    pixels
        RGB uint8 (H, W, 3), or a slide that is read by window.
    said
        Where a person says that tissue is, bool (h, w) at any resolution; None looks for it.
    """
    tissue = Tissue.of(pixels) if said is None else Tissue(said)
    sized = ((one, (*one[:2], len(one[2][0]), len(one[2][1]))) for one in grid)
    return [one for one, tile in sized if tissue.is_in(tile, scene.valid)]


class Tissue:
    """Where a slide shows tissue.

    Parameters
    ----------
    mask
        bool (h, w), at any resolution; all False is a slide whose tissue was not found, and then
        it is taken to be everywhere.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._mask = mask if mask.any() else np.ones_like(mask)

    @classmethod
    def of(cls, pixels: NDArray[np.uint8] | Slide | ReadableSlide) -> Self:
        """Look for tissue in RGB uint8 (H, W, 3), or in a slide that is read by window.

        Raises
        ------
        OSError, ValueError
            When the slide's file cannot be read.
        """
        if not isinstance(pixels, np.ndarray):
            return cls(find_tissue(pixels))
        height, width = pixels.shape[:2]
        factor = max(1.0, max(height, width) / SIDE)
        size = max(1, round(width / factor)), max(1, round(height / factor))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return cls(tissue_in(np.asarray(small, np.uint8)))

    def is_in(self, tile: tuple[int, int, int, int], valid: tuple[int, int]) -> bool:
        """Tell whether a tile shows tissue.

        Parameters
        ----------
        tile
            Top, left, height and width, px of the network's input.
        valid
            Height and width of the slide in the same.
        """
        rows, columns = (n / side for n, side in zip(self._mask.shape, valid, strict=True))
        top, left, high, wide = tile
        across = slice(int(left * columns), int(np.ceil((left + wide) * columns)))
        return bool(self._mask[int(top * rows) : int(np.ceil((top + high) * rows)), across].any())
