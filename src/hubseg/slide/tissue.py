"""Where tissue is on a slide, at low resolution.

Responsible for telling tissue from glass by colour. Does not know what the tissue is, nor what is
computed there.

Otsu's threshold (IEEE Trans. SMC 9, 1979) on how far a pixel is from glass: its saturation, as
CLAM (Lu et al., Nature Biomedical Engineering 5, 2021) and HistoQC have it, or its darkness where
that is more, for stains without colour. A slide that is all tissue has no glass to be told from, so
that the threshold has bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.slide.readable import ReadableSlide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.slide.image import Slide

__all__ = ["SIDE", "find_tissue", "tissue_in"]

SIDE: Final = 1024  # px of the longer side of the image that is looked at
_BAND: Final = 1 << 25  # px that are read at a time
_LEAST, _MOST = 12, 40  # of 255: glass has less, tissue has more
_SPECK: Final = 16  # px of that image: less is dust
_ROUND: Final = 5  # px around tissue that count as tissue
_HOLE: Final = 2500  # px: a smaller hole in tissue is tissue, such as the lumen of a vessel


def find_tissue(slide: Slide | ReadableSlide) -> NDArray[np.bool_]:
    """Return where a slide shows tissue, bool (h, w), its longer side at most 1024 px.

    Reads the smallest pyramid level that is large enough, in bands; of a slide without a pyramid
    all of it. Of a level that is damaged the next finer one serves, and what cannot be decoded at
    all is grey; a :class:`hubseg.slide.readable.ReadableSlide` tells it afterwards.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    seen = slide if isinstance(slide, ReadableSlide) else ReadableSlide(slide)
    enough = [i for i, shape in enumerate(slide.levels) if max(shape) >= SIDE]
    level = enough[-1] if enough else 0
    height, width = slide.levels[level]
    factor = max(1, -(-max(height, width) // SIDE))
    down = slide.height / height
    rows = max(factor, _BAND // max(1, width) // factor * factor)
    bands = []
    for top in range(0, height, rows):
        first, last = round(top * down), round(min(top + rows, height) * down)
        band = seen.read((first, 0, last - first, slide.width), level)
        size = -(-width // factor), -(-min(rows, height - top) // factor)
        bands.append(cv2.resize(band, size, interpolation=cv2.INTER_AREA))
    return tissue_in(np.concatenate(bands))


def tissue_in(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where an image of low resolution shows tissue, bool (h, w), and a few px around it.

    Parameters
    ----------
    pixels
        RGB uint8 (h, w, 3).
    """
    saturation, value = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))[1:]
    glass = int(np.percentile(value, 99))
    darkness = cv2.subtract(np.full_like(value, glass), value)
    # in the dark saturation is noise, and on glass darkness is shadow: half of it counts
    signal = cv2.medianBlur(cv2.max(saturation, darkness // 2), 5)
    found = cv2.threshold(signal, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    inside = (signal > min(max(found, _LEAST), _MOST)).astype(np.uint8)
    kept = _without(inside, _SPECK)
    side = 2 * _ROUND + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    holes = 1 - cv2.dilate(kept, around)
    return np.asarray(_without(holes, _HOLE) == 0)


def _without(mask: NDArray[np.uint8], area: int) -> NDArray[np.uint8]:
    """Return a mask of 0 and 1 without its pieces of less than `area` px."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    large = np.zeros(count, np.uint8)
    large[1:] = facts[1:, cv2.CC_STAT_AREA] >= area
    return np.asarray(large[labels], np.uint8)
