"""Which slides show the same tissue, found by looking at them.

Tiles cut from one section often overlap. A network that trained on one and is judged by the other
is judged by what it has seen. Responsible for finding such pairs by phase correlation of small
grey versions; does not know folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import scipy.fft

from hubseg.slide.mended import MendedSlide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["Overlap", "find_overlaps", "phase_peaks", "small_grey"]

COMPARING = "looking for tissue that slides share"
LONGEST = 400  # px: side of the small versions
TAPER = 0.05  # share of a side that fades out at each border, so that borders do not correlate
# On 100 real tiles of 1600 x 1200 px, pairs of other tissue peak below 0.019 and pairs that share
# a quarter of a tile or more above 0.10.
PEAK = 0.05
# The largest of n values of unit-power noise is about sqrt(2 ln n / n); small slides need more.
TIMES_NOISE = 3.0
CHUNK = 16  # spectra correlated at once: a few tens of MB


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two slides that show the same tissue.

    Attributes
    ----------
    first, second
        Ids, in alphabetical order.
    peak
        Height of the phase correlation's peak, 0-1.
    """

    first: str
    second: str
    peak: float


def find_overlaps(
    slides: Sequence[Slide], watch: Callable[[str, int, int], object] = lambda *_: None
) -> list[Overlap]:
    """Find the pairs of slides that show the same tissue.

    Only slides of one organ and source are compared. Shared parts of about a tenth of a slide and
    more are found; slides that were turned, mirrored or scaled against each other are not.

    Parameters
    ----------
    watch
        Told what is done, how many slides have been looked at, and how many there are.

    Raises
    ------
    ValueError, OSError
        When a slide cannot be read.
    """
    strata: dict[tuple[str, str], list[Slide]] = {}
    for slide in slides:
        strata.setdefault((str(slide.organ), str(slide.source)), []).append(slide)
    found, seen = [], 0
    for stratum in strata.values():
        ordered = sorted(stratum, key=lambda slide: slide.id)
        longest = max(max(slide.height, slide.width) for slide in ordered)
        factor = min(1.0, LONGEST / longest)
        grey = []
        for slide in ordered:
            watch(COMPARING, seen, len(slides))
            grey.append(small_grey(slide, factor))
            seen += 1
        for i, j, peak in phase_peaks(grey):
            found.append(Overlap(ordered[i].id, ordered[j].id, peak))
    watch(COMPARING, seen, len(slides))
    return found


def small_grey(slide: Slide, factor: float) -> NDArray[np.float32]:
    """Return a slide's grey version, float32 (h, w), `factor` times its size.

    A damaged tile is no tissue that two slides could share.
    """
    wanted = max(1, round(slide.height * factor)), max(1, round(slide.width * factor))
    level = max((i for i, size in enumerate(slide.levels) if size[0] >= wanted[0]), default=0)
    grey = cv2.cvtColor(MendedSlide.of(slide).read(level=level), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (wanted[1], wanted[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def phase_peaks(grey: Sequence[NDArray[np.float32]]) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of images whose phase correlation has a peak no noise has: i, j, height.

    The cross-power spectrum keeps only phases, so that its inverse is a spike at the shift between
    two images of the same scene. Source: Kuglin and Hines, 1975.
    """
    height = max((image.shape[0] for image in grey), default=1)
    width = max((image.shape[1] for image in grey), default=1)
    size = scipy.fft.next_fast_len(height, True), scipy.fft.next_fast_len(width, True)
    spectra = [_phases(image, size) for image in grey]
    count = size[0] * size[1]
    least = max(PEAK, TIMES_NOISE * float(np.sqrt(2 * np.log(count) / count)))
    for i, spectrum in enumerate(spectra):
        starts = [*range(i + 1, len(spectra), CHUNK), len(spectra)]
        for start, stop in pairwise(starts):
            others = np.conj(np.stack(spectra[start:stop]))
            correlated = scipy.fft.irfft2(spectrum * others, s=size)
            for j, peak in enumerate(correlated.max((1, 2)), start):
                if peak > least:
                    yield i, j, float(peak)


def _phases(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.complex64]:
    """Spectrum of unit power of an image whose borders fade out."""
    faded = (image - image.mean()) * _fade(image.shape[0])[:, None] * _fade(image.shape[1])
    spectrum = scipy.fft.rfft2(faded, s=size)
    return np.asarray(spectrum / (np.abs(spectrum) + 1e-6), np.complex64)


def _fade(length: int) -> NDArray[np.float32]:
    places = np.arange(length)
    near = np.minimum(places, length - 1 - places) + 0.5
    return np.minimum(1.0, near / max(1.0, TAPER * length)).astype(np.float32)
