"""Where tissue is on a slide, at low resolution.

Responsible for telling tissue from glass by colour, and for what a person says of it instead. Does
not know what the tissue is, nor what is computed there.

Otsu's threshold (IEEE Trans. SMC 9, 1979) on how far a pixel is from glass: its saturation, as
CLAM (Lu et al., Nature Biomedical Engineering 5, 2021) and HistoQC have it, or its darkness where
that is more, for stains without colour. A slide that is all tissue has no glass to be told from, so
that the threshold has bounds.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import cv2
import numpy as np

from hubseg.slide.low_resolution import SIDE, low_resolution
from hubseg.slide.readable import ReadableSlide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.window import Window

__all__ = ["SIDE", "TissueMask", "find_tissue", "tissue_in"]

_LEAST, _MOST = 12, 40  # of 255: glass has less, tissue has more
_SPECK: Final = 16  # px of that image: less is dust
_ROUND: Final = 5  # px around tissue that count as tissue
_HOLE: Final = 2500  # px: a smaller hole in tissue is tissue, such as the lumen of a vessel


class TissueMask(NamedTuple):
    """Where a person says that a slide shows tissue, packed: it travels with the slide.

    Attributes
    ----------
    shape
        (height, width) of the mask, px, at any resolution.
    slide
        (height, width) of the whole slide, level-0 px.
    packed
        Its bits, compressed.
    """

    shape: tuple[int, int]
    slide: tuple[int, int]
    packed: bytes

    @classmethod
    def of(cls, mask: NDArray[np.bool_], slide: tuple[int, int]) -> Self:
        """Pack a mask, bool (h, w), of a slide of that (height, width)."""
        height, width = mask.shape
        return cls((height, width), slide, zlib.compress(np.packbits(mask).tobytes()))

    @property
    def digest(self) -> str:
        """Hex digest of what it says (BLAKE2b, 16 bytes)."""
        said = f"{self.shape}{self.slide}".encode() + zlib.decompress(self.packed)
        return hashlib.blake2b(said, digest_size=16).hexdigest()

    def within(self, window: Window | None = None) -> NDArray[np.bool_]:
        """Return the mask, or what it says of a window of level 0: bool (h, w).

        That has twice its resolution, and a px of it is inside where any that it touches is.
        """
        height, width = self.shape
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        mask = np.unpackbits(bits, count=height * width).reshape(self.shape).view(np.bool_)
        if window is None:
            return mask
        (top, bottom), (left, right) = (
            _touched(*window[axis::2], own=self.shape[axis], whole=self.slide[axis])
            for axis in (0, 1)
        )
        rows = mask[top] | mask[bottom]
        return np.asarray(rows[:, left] | rows[:, right])


def _touched(
    start: int, length: int, *, own: int, whole: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last px of a mask that each of the parts of a length touches."""
    count = max(1, 2 * -(-length * own // whole))
    edges = (start + np.arange(count + 1) * (length / count)) * (own / whole)
    first, last = np.floor(edges[:-1]), np.ceil(edges[1:]) - 1
    return first.astype(np.intp), np.clip(last, first, own - 1).astype(np.intp)


def find_tissue(slide: Slide | ReadableSlide) -> NDArray[np.bool_]:
    """Return where a slide shows tissue, bool (h, w), its longer side at most 1024 px.

    Where a person has said it (:attr:`hubseg.slide.Slide.tissue`), that is returned, at the
    resolution it was said in.
    Of a level that is damaged the next finer one serves, and what cannot be decoded at all is
    grey; a :class:`hubseg.slide.readable.ReadableSlide` tells it afterwards.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    if slide.tissue is not None:
        return slide.tissue.within(slide.region)
    seen = slide if isinstance(slide, ReadableSlide) else ReadableSlide(slide)
    return tissue_in(low_resolution(seen, SIDE))


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
