"""Shapes: grown, shrunk, opened, closed, smoothed, and cut at their waists.

Responsible for the geometry of masks. Discs are exact: a pixel is within `r` of another where their
distance is at most `r`. Beyond the image's border the mask goes on as it ends there, so that what
is cut by the border is not eaten away from it. Does not know which step comes when.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.cleanup.row_runs import Runs
from hubseg.cleanup.tiles import tile_by_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.cleanup.tiles import Before

__all__ = ["closed", "grown", "opened", "smoothed", "waists_cut"]

_THIN = 2.0  # px: what is nowhere wider than this to each side has no waist
_PEAKS = 64  # per object: a mask that has more of them is no tissue unit


def grown(
    mask: NDArray[np.bool_], radius: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return a mask grown by `radius` px, or shrunk where `radius` is below 0."""
    return tile_by_tile(mask, lambda piece: _grown(piece, radius), ceil(abs(radius)), before)


def opened(
    mask: NDArray[np.bool_], radius: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return a mask without what is narrower than a disc of `radius` px."""

    def step(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return _grown(_grown(piece, -radius), radius) & piece

    return tile_by_tile(mask, step, 2 * ceil(radius), before)


def closed(
    mask: NDArray[np.bool_], radius: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return a mask with the gaps filled that are narrower than a disc of `radius` px."""

    def step(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return _grown(_grown(piece, radius), -radius) | piece

    return tile_by_tile(mask, step, 2 * ceil(radius), before)


def smoothed(
    mask: NDArray[np.bool_], sigma: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return a mask whose outline is smoothed: Gaussian of `sigma` px, cut at a half."""
    return tile_by_tile(mask, lambda piece: _smoothed(piece, sigma), _tail(sigma), before)


def waists_cut(
    mask: NDArray[np.bool_], share: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return a mask whose objects are cut where they are narrow.

    Two widest places of an object part when the way between them is somewhere narrower than
    `share` percent of the smaller of the two. The cut is the line of equal power about them (for
    two discs that overlap, their common chord: where a watershed of the distance cuts them).

    Parameters
    ----------
    mask
        Bool (h, w).
    share
        Percent, 0-100; 0 cuts nothing.
    before
        What was made of an earlier mask: an object that no change touches is cut as it was.
    """
    runs, made = Runs.of(mask), mask.copy(order="C")
    for place, own in runs.crops(runs.areas > 4 * _THIN * _THIN):
        if before is not None and not before.touches(place):
            made[place] &= before.made[place] | ~own
        else:
            made[place] &= ~_cut(own, share / 100.0)
    return made


def _grown(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    if radius == 0 or not mask.any() or mask.all():
        return mask
    if radius > 0:
        return np.asarray(_distance(~mask) <= radius, np.bool_)
    return np.asarray(_distance(mask) > -radius, np.bool_)


def _tail(sigma: float) -> int:
    """Return how far from its middle OpenCV looks for a float32 Gaussian of `sigma` px, px."""
    return (round(8 * sigma + 1) | 1) // 2


def _smoothed(mask: NDArray[np.bool_], sigma: float) -> NDArray[np.bool_]:
    values = np.ascontiguousarray(mask).astype(np.float32)
    blurred = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred > 0.5, np.bool_)


def _cut(own: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return the px that part one object."""
    away = _distance(np.pad(own, 1))[1:-1, 1:-1]
    peaks = _peaks(away)
    groups = _grouped(peaks, away, share)
    if len(set(groups)) < 2:
        return np.zeros(own.shape, np.bool_)
    y, x = np.ogrid[: own.shape[0], : own.shape[1]]
    least = np.full(own.shape, np.inf)
    part = np.zeros(own.shape, np.uint8)
    for (row, column), group in zip(peaks, groups, strict=True):
        power = (y - row) ** 2 + (x - column) ** 2 - float(away[row, column]) ** 2
        nearer = power < least
        least[nearer] = power[nearer]
        part[nearer] = group
    square = np.ones((3, 3), np.uint8)
    part[~own] = 0
    other = np.where(own, part, np.uint8(255))
    lowest = cv2.erode(np.asarray(other, np.uint8), square)
    return np.asarray(own & (lowest < part), np.bool_)


def _peaks(away: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return an object's widest places, the widest first, none inside half of a wider one."""
    soft = cv2.GaussianBlur(away, (0, 0), 1.0)
    top = (soft == cv2.dilate(soft, np.ones((5, 5), np.uint8))) & (away > _THIN)
    rows, columns = np.nonzero(top)
    found: list[tuple[int, int]] = []
    for i in np.argsort(-away[rows, columns], kind="stable"):
        row, column = int(rows[i]), int(columns[i])
        near = any(np.hypot(row - r, column - c) < 0.5 * away[r, c] for r, c in found)
        if not near:
            found.append((row, column))
        if len(found) == _PEAKS:
            break
    return found


def _grouped(peaks: list[tuple[int, int]], away: NDArray[np.float32], share: float) -> list[int]:
    """Return a number from 1 for each peak; those with no waist between them share one."""
    groups = list(range(1, len(peaks) + 1))
    for i, (row, column) in enumerate(peaks):
        for j in range(i):
            other = peaks[j]
            steps = max(2, round(np.hypot(row - other[0], column - other[1])) + 1)
            way = (
                np.linspace(row, other[0], steps).round().astype(int),
                np.linspace(column, other[1], steps).round().astype(int),
            )
            if away[way].min() >= share * min(away[row, column], away[other]):
                old, new = max(groups[i], groups[j]), min(groups[i], groups[j])
                groups = [new if group == old else group for group in groups]
    return groups


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the exact distance of each True px to the nearest False one, px.

    OpenCV's square root is now and then off by a bit in the last place, and not each time alike:
    the squares are whole numbers, and theirs is taken again.
    """
    values = np.ascontiguousarray(inside).view(np.uint8)
    away = cv2.distanceTransform(values, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    np.rint(np.multiply(away, away, out=away), out=away)
    return np.asarray(np.sqrt(away, out=away), np.float32)
