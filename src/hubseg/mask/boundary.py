"""How far the outlines of a mask lie from those of a truth, in px.

Responsible for pairing objects and measuring between their boundaries, in memory that their
outlines take and not their areas. Does not know slides, and knows no µm.

Objects are paired where their IoU is above one half, so that each has one partner at most (Kirillov
et al., "Panoptic segmentation", CVPR 2019); others have no outline to be measured against, and
Dice counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from hubseg.cleanup.row_runs import Runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["boundary_distances", "median_distance"]

_PAIRED = 0.5  # IoU
_BAND = 1 << 20  # px looked at at a time


def boundary_distances(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> list[NDArray[np.float64]]:
    """Measure between the outlines of every object of a mask and its partner in the truth.

    A boundary is the object's pixels that have one outside it above, below or beside; where the
    image ends there is none. From each of them to the nearest of the partner's, both ways.

    Parameters
    ----------
    mask, truth
        Bool (H, W); objects are connected through edges and corners.

    Returns
    -------
    list
        For each pair float64 (n,), px; [] where no object has a partner.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(
            f"A mask of shape {mask.shape} cannot be compared with a truth of shape "
            f"{truth.shape}: both must be of the same slide."
        )
    ours, theirs = Runs.of(mask), Runs.of(truth)
    edges = _by_object(mask, ours), _by_object(truth, theirs)
    found = []
    for first, second in _pairs(ours, theirs):
        one, two = edges[0][first], edges[1][second]
        if len(one) and len(two):
            both = [cKDTree(b).query(a)[0] for a, b in ((one, two), (two, one))]
            found.append(np.concatenate(both))
    return found


def median_distance(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """Return the median of all distances of :func:`boundary_distances`, px; None without a pair.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    found = boundary_distances(mask, truth)
    return float(np.median(np.concatenate(found))) if found else None


def _pairs(ours: Runs, theirs: Runs) -> list[tuple[int, int]]:
    """Return the numbers of objects that are each other's partners."""
    low = np.searchsorted(theirs.stops, ours.starts, "right")
    counts = np.maximum(np.searchsorted(theirs.starts, ours.stops, "left") - low, 0)
    first = np.repeat(np.arange(len(counts)), counts)
    second = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts - low, counts)
    shared = np.minimum(ours.stops[first], theirs.stops[second])
    shared -= np.maximum(ours.starts[first], theirs.starts[second])
    names = ours.owners[first].astype(np.int64) * theirs.count + theirs.owners[second]
    meeting, of = np.unique(names, return_inverse=True)
    both = np.bincount(of, shared, len(meeting))
    one, two = np.divmod(meeting, max(1, theirs.count))
    alike = both > _PAIRED * (ours.areas[one] + theirs.areas[two] - both)
    return list(zip(one[alike].tolist(), two[alike].tolist(), strict=True))


def _by_object(mask: NDArray[np.bool_], runs: Runs) -> list[NDArray[np.int64]]:
    """Return rows and columns of each object's boundary, int64 (n, 2)."""
    places = np.concatenate([np.zeros((0, 2), np.int64), *_boundary(mask)])
    flat = places[:, 0] * (mask.shape[1] + 1) + places[:, 1]
    owner = runs.owners[np.searchsorted(runs.starts, flat, "right") - 1]
    order = np.argsort(owner, kind="stable")
    return np.split(places[order], np.searchsorted(owner[order], np.arange(1, runs.count)))


def _boundary(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield rows and columns of boundaries, band by band of rows."""
    height, width = mask.shape
    rows = max(1, _BAND // max(1, width))
    for top in range(0, height, rows):
        part = mask[top : top + rows]
        open_to = np.zeros(part.shape, np.bool_)
        open_to[:, 1:] |= ~part[:, :-1]
        open_to[:, :-1] |= ~part[:, 1:]
        open_to[1:] |= ~part[:-1]
        open_to[:-1] |= ~part[1:]
        if top:
            open_to[0] |= ~mask[top - 1]
        if top + len(part) < height:
            open_to[-1] |= ~mask[top + len(part)]
        places = np.argwhere(open_to & part)
        places[:, 0] += top
        yield places
