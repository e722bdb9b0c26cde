"""Where slides that show the same tissue lie on each other, to the pixel.

Responsible for the offset of one slide on another, and for sets of slides with one place each.
Reads pixels; does not know outlines or folds (:mod:`hubseg.slide.overlap` finds the pairs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import scipy.fft

from hubseg.slide.overlap import LONGEST, small_grey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.window import Window

__all__ = ["Offset", "Placed", "offset_between", "place"]

# Correlation of two slides' grey values in the part that both show. The 188 pairs of the real
# tiles, which were cut from one scan, have 0.99999 and more; the bounds leave room for tiles that
# were compressed or stained anew.
SAME = 0.5
SURE = 0.9  # no other place is looked at then
LEAST = 0.05  # share of a slide
LOOKED_AT = 1024  # px: side of the window that decides the offset
CANDIDATES = 5  # peaks of the coarse correlation that are looked at
APART = 2  # px: how far two ways to one slide's place may end from each other


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a slide lies on another one.

    Attributes
    ----------
    first, second
        Ids.
    rows, columns
        Row and column of the first slide, level 0, at which the second one begins.
    alike
        Correlation of their grey values there, 0-1.
    """

    first: str
    second: str
    rows: int
    columns: int
    alike: float


@dataclass(frozen=True, slots=True)
class Placed:
    """Slides that show one piece of tissue.

    Attributes
    ----------
    at
        Id → row and column of its first pixel, level 0; the smallest ones are 0.
    """

    at: Mapping[str, tuple[int, int]]


def offset_between(first: Slide, second: Slide) -> Offset | None:
    """Find where a slide lies on another one; None where they are not the same pixels anywhere.

    Both must be of one scale and neither turned nor mirrored. Small versions say about where; the
    middle of what both show then, at most 1024 px of it, says it to the pixel and whether it is
    the same tissue at all. Source: Kuglin and Hines, 1975 (phase correlation).

    Raises
    ------
    ValueError, OSError
        When a slide cannot be read.
    """
    longest = max(first.height, first.width, second.height, second.width)
    factor = min(1.0, LONGEST / longest)
    small = small_grey(first, factor), small_grey(second, factor)
    best: Offset | None = None
    for rows, columns in _peaks(*small):
        near = round(rows / factor), round(columns / factor)
        found = _exactly(first, second, near, reach=round(2 / factor) + 2)
        if found is not None and (best is None or found.alike > best.alike):
            best = found
            if best.alike >= SURE:
                break
    return best if best is not None and best.alike >= SAME else None


def _peaks(
    one: NDArray[np.float32], two: NDArray[np.float32], count: int = CANDIDATES
) -> Iterator[tuple[int, int]]:
    """Yield the likeliest offsets of `two` on `one`; both are padded, so that none is ambiguous."""
    height, width = one.shape[0] + two.shape[0], one.shape[1] + two.shape[1]
    size = scipy.fft.next_fast_len(height, True), scipy.fft.next_fast_len(width, True)
    spectra = [scipy.fft.rfft2(x - x.mean(), s=size) for x in (one, two)]
    cross = spectra[0] * np.conj(spectra[1])
    found = scipy.fft.irfft2(cross / (np.abs(cross) + 1e-6), s=size)
    order = np.argpartition(found, -count, axis=None)[-count:]
    for flat in order[np.argsort(found.ravel()[order])[::-1]]:
        rows, columns = divmod(int(flat), size[1])
        yield (
            rows - size[0] if rows >= one.shape[0] else rows,
            columns - size[1] if columns >= one.shape[1] else columns,
        )


def _exactly(first: Slide, second: Slide, near: tuple[int, int], reach: int) -> Offset | None:
    """Return the offset to the pixel near a coarse one, by the middle of what both show."""
    rows, columns = near
    y, height = _middle(first.height, second.height, rows)
    x, width = _middle(first.width, second.width, columns)
    if height * width < LEAST * min(first.height * first.width, LOOKED_AT**2):
        return None
    one = _grey(first, (y, x, height, width))
    two = _grey(second, (y - rows, x - columns, height, width))
    best: tuple[float, int, int] | None = None
    reach = min(reach, min(one.shape) // 2)
    for down, across in _peaks(one, two):
        if max(abs(down), abs(across)) > reach:
            continue
        alike = _alike(_shared(one, down, across), _shared(two, -down, -across))
        if best is None or alike > best[0]:
            best = alike, down, across
            if alike >= SURE:
                break
    if best is None:
        return None
    return Offset(first.id, second.id, rows + best[1], columns + best[2], best[0])


def _middle(first: int, second: int, offset: int) -> tuple[int, int]:
    """Return start and length of the middle of what two lengths share, at most `LOOKED_AT`."""
    start, stop = max(0, offset), min(first, offset + second)
    length = max(0, min(LOOKED_AT, stop - start))
    return (start + stop - length) // 2, length


def _grey(slide: Slide, window: Window) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(slide.read(window), cv2.COLOR_RGB2GRAY), np.float32)


def _shared(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Return the part of an image that another of its size shows, `rows` below it and so on."""
    height, width = values.shape
    return values[max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)]


def _alike(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """Return the correlation of two images' values; 0 where one of them is flat."""
    a, b = one - one.mean(), two - two.mean()
    norm = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def place(offsets: Iterable[Offset]) -> tuple[list[Placed], list[Offset]]:
    """Put slides that overlap into sets, each slide at one place in its set.

    The surest offsets go first. One that says another place than those before it, by more than 2
    px, is left out: where slides lie in a ring, a wrong one shows.

    Returns
    -------
    sets
        In the order of their slides' ids, and so in any order of `offsets` the same.
    left_out
        Offsets that contradict surer ones.
    """
    of: dict[str, dict[str, tuple[int, int]]] = {}
    left_out = []
    for one in sorted(offsets, key=lambda o: (-o.alike, o.first, o.second)):
        ours = of.setdefault(one.first, {one.first: (0, 0)})
        theirs = of.setdefault(one.second, {one.second: (0, 0)})
        y, x = (own + by for own, by in zip(ours[one.first], (one.rows, one.columns), strict=True))
        down, across = y - theirs[one.second][0], x - theirs[one.second][1]
        if ours is theirs:
            if max(abs(down), abs(across)) > APART:
                left_out.append(one)
            continue
        for name, (row, column) in theirs.items():
            ours[name] = row + down, column + across
            of[name] = ours
    unique = {id(at): at for at in of.values() if len(at) > 1}
    sets = sorted((_from_zero(at) for at in unique.values()), key=lambda one: min(one.at))
    return sets, left_out


def _from_zero(at: Mapping[str, tuple[int, int]]) -> Placed:
    top, left = (min(place[axis] for place in at.values()) for axis in (0, 1))
    return Placed({name: (at[name][0] - top, at[name][1] - left) for name in sorted(at)})
