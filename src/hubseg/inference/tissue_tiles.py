"""Which tiles of a large slide show tissue.

Responsible for leaving out tiles of glass alone. Does not know how tissue is told from glass
(:mod:`hubseg.slide.tissue`), nor computes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.slide.tissue import SIDE, find_tissue, tissue_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.inference.input_image import InputImage
    from hubseg.probability.tiling import Grid
    from hubseg.slide import Slide

__all__ = ["with_tissue"]


def with_tissue(grid: Grid, pixels: NDArray[np.uint8] | Slide, scene: InputImage) -> Grid:
    """Return the tiles that show tissue; all of them where no tissue is found at all.

    Wherever there is tissue every tile that shows it stays, so that the map there is that of all
    tiles, to the bit.

    Parameters
    ----------
    pixels
        RGB uint8 (H, W, 3), or a slide that is read by window.
    """
    tissue = _tissue_of(pixels)
    rows, columns = (n / side for n, side in zip(tissue.shape, scene.valid, strict=True))

    def shown(top: int, left: int, high: int, wide: int) -> bool:
        across = slice(int(left * columns), int(np.ceil((left + wide) * columns)))
        return bool(tissue[int(top * rows) : int(np.ceil((top + high) * rows)), across].any())

    chosen = [one for one in grid if shown(*one[:2], len(one[2][0]), len(one[2][1]))]
    return chosen or grid


def _tissue_of(pixels: NDArray[np.uint8] | Slide) -> NDArray[np.bool_]:
    if not isinstance(pixels, np.ndarray):
        return find_tissue(pixels)
    height, width = pixels.shape[:2]
    factor = max(1.0, max(height, width) / SIDE)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return tissue_in(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8))
