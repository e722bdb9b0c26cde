"""What every whole threshold gives, in one pass over a map: area, Dice, IoU, precision, recall.

Responsible for two histograms, one inside the truth and one outside, and for what follows from
them exactly. Does not know slides, organs or how a threshold is chosen.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.thresholds.sizes import size_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["LEVELS", "Curves", "Tally", "above", "histogram", "levels"]

LEVELS = 256

# values per step: they stay in the processor's cache, and OpenCV's float32 counts stay exact
_CHUNK = 1 << 16
_THREADS = 4  # more only wait for memory
_TOP = int(np.float32(255.0).view(np.uint32))


def levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Round a map on 0-255 up to whole levels.

    A value is greater than a whole threshold exactly where its level is: 89.2 has level 90, so it
    is inside at 89 and outside at 90. This is what lets 256 thresholds be told from one histogram.

    Parameters
    ----------
    values
        Float or uint8 map on 0-255, any shape.

    Returns
    -------
    numpy.ndarray
        uint8, of the same shape; a uint8 map is returned itself.

    Raises
    ------
    ValueError
        When a value is not a number or lies outside 0-255.
    """
    if values.dtype == np.uint8:
        return values
    made = np.empty(values.shape, np.uint8)
    flat, out = _flat(values), made.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        _raise(flat[start : start + _CHUNK], out[start : start + _CHUNK])
    return made


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype not in (np.uint8, np.float32):
        values = values.astype(np.float32)
    return np.ascontiguousarray(values).reshape(-1)


def _raise(part: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Round a few values up to whole levels; refuses what is none."""
    # seen as integers, NaN and all negative numbers are greater than 255.0: one comparison for all
    if int(part.view(np.uint32).max()) > _TOP and not (part.min() >= 0 and part.max() <= 255):
        raise ValueError(
            f"The map has values from {part.min():g} to {part.max():g}: a probability map holds "
            "numbers from 0 to 255 only, so make it again."
        )
    out[...] = np.ceil(part)


def histogram(values: NDArray[Any]) -> NDArray[np.int64]:
    """Count the pixels of each level.

    Parameters
    ----------
    values
        Map on 0-255, any shape; bin `n` counts ``n - 1 < value <= n``, bin 0 what is 0.

    Returns
    -------
    numpy.ndarray
        256 counts, int64, px.

    Raises
    ------
    ValueError
        When a value is not a number or lies outside 0-255.
    """
    return _counted(_flat(values), None)[0]


def above(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many pixels are greater than each whole threshold 0-255.

    Parameters
    ----------
    counts
        256 counts of :func:`histogram`.
    """
    return np.asarray(counts.sum() - np.cumsum(counts), np.int64)


def _counted(
    flat: NDArray[Any], truth: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count levels everywhere and inside a truth, in as many threads as help."""
    threads = max(1, min(_THREADS, os.cpu_count() or 1, flat.size // _CHUNK))
    step = -(-flat.size // threads)
    parts = [slice(at, at + step) for at in range(0, flat.size, step)] if flat.size else []
    count = partial(_count, flat, truth)
    if len(parts) < 2:
        counts = [count(part) for part in parts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            counts = list(pool.map(count, parts))
    nothing = np.zeros((2, LEVELS), np.int64)
    both = sum(counts, nothing)
    return both[0], both[1]


def _count(flat: NDArray[Any], truth: NDArray[np.bool_] | None, where: slice) -> NDArray[np.int64]:
    """Count one stretch of a map: (2, 256), everywhere and inside the truth."""
    counts = np.zeros((LEVELS, 2), np.int64)  # outside the truth, inside it
    room = np.empty(_CHUNK, np.uint8)
    for start in range(where.start, min(where.stop, flat.size), _CHUNK):
        cut = slice(start, min(start + _CHUNK, where.stop, flat.size))
        found = flat[cut]
        if found.dtype != np.uint8:
            _raise(found, room[: found.size])
            found = room[: found.size]
        true = None if truth is None else truth[cut]
        if true is None or not true.any():
            new = cv2.calcHist([found], [0], None, [LEVELS], [0, LEVELS])
            counts[:, 0] += new.ravel().astype(np.int64)
        else:
            both = [found, true.view(np.uint8)]
            new = cv2.calcHist(both, [0, 1], None, [LEVELS, 2], [0, LEVELS, 0, 2])
            counts += new.astype(np.int64)
    return np.stack([counts.sum(axis=1), counts[:, 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """How many pixels have which level, inside and outside a truth.

    Tallies add up: the sum of those of many slides is what pooled figures are made from.

    Attributes
    ----------
    inside, outside
        256 counts each, int64, px (:func:`histogram`).
    """

    inside: NDArray[np.int64]
    outside: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any], truth: NDArray[np.bool_]) -> Tally:
        """Count a map against a truth.

        Parameters
        ----------
        values
            Map on 0-255, float32 or uint8, (H, W).
        truth
            Bool (H, W).

        Raises
        ------
        ValueError
            When the shapes differ, or a value is not a number on 0-255.
        """
        if values.shape != truth.shape:
            raise ValueError(
                f"The map is {_size(values)} and the truth {_size(truth)}: both must be of the "
                "same slide."
            )
        everywhere, inside = _counted(_flat(values), np.ascontiguousarray(truth).reshape(-1))
        return cls(inside, everywhere - inside)

    @classmethod
    def pooled(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the sum of tallies: all their pixels in one."""
        nothing = cls(np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64))
        return reduce(cls.__add__, tallies, nothing)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.inside + other.inside, self.outside + other.outside)

    @property
    def truth(self) -> int:
        """Pixels of the truth."""
        return int(self.inside.sum())

    @property
    def area(self) -> NDArray[np.int64]:
        """Pixels inside the mask at each threshold, int64 (256,)."""
        return above(self.inside + self.outside)

    @property
    def both(self) -> NDArray[np.int64]:
        """Pixels inside mask and truth at each threshold, int64 (256,)."""
        return above(self.inside)

    def dice(self) -> NDArray[np.float64]:
        """Return Dice 2|A∩B| / (|A|+|B|) at each threshold 0-255; 1 where both are empty."""
        return _share(2 * self.both, self.area + self.truth)

    def iou(self) -> NDArray[np.float64]:
        """Return |A∩B| / |A∪B| at each threshold 0-255; 1 where both are empty."""
        return _share(self.both, self.area + self.truth - self.both)

    def precision(self) -> NDArray[np.float64]:
        """Return the share of the mask that is true at each threshold; 1 where it is empty."""
        return _share(self.both, self.area)

    def recall(self) -> NDArray[np.float64]:
        """Return the share of the truth that is found at each threshold; 1 where it is empty."""
        return _share(self.both, np.full(LEVELS, self.truth, np.int64))


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.ones(LEVELS, np.float64)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _size(array: NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape)) + " px"


@dataclass(frozen=True)
class Curves:
    """What each whole threshold 0-255 gives; a curve that is not known is empty.

    Attributes
    ----------
    counts
        Pixels of each level of the map.
    area
        Share of the slide inside, 0-1.
    objects
        Objects of the thresholded map, before any cleanup.
    dice
        Dice on this slide.
    every
        Dice on all slides of this organ and source, as last calibrated.
    px
        Pixels of the slide; 0 where that is not known.
    um_per_px
        Its pixel size, µm/px, or None.
    """

    counts: tuple[int, ...] = ()
    area: tuple[float, ...] = ()
    objects: tuple[int, ...] = ()
    dice: tuple[float, ...] = ()
    every: tuple[float, ...] = ()
    px: int = 0
    um_per_px: float | None = None

    def said(self, threshold: float) -> tuple[tuple[str, str], ...]:
        """Return (role, text) of what a threshold gives; roles are "", "here" and "every"."""
        at = int(threshold)  # a map's levels are whole: 89.5 leaves about what 89 does
        objects = self.objects[at] if self.objects else None
        share = self.area[at] if self.area else None
        parts = [("", text) for text in size_in_words(objects, share, self.px, self.um_per_px)]
        if self.dice:
            parts.append(("here", f"threshold Dice {self.dice[at]:.3f}"))
        if self.every:
            parts.append(("every", f"all {self.every[at]:.3f}"))
        return tuple(parts)
