"""Regions: windows of a slide that are slides themselves.

Responsible for the levels that a region has of its slide's pyramid, and for where a window lies at
a level. Does not know which regions are worth a look (:mod:`hubseg.slide.regions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.slide.low_resolution import low_resolution_size

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.slide.part import Part
    from hubseg.window import Window

__all__ = ["at_level", "levels_of_part", "levels_of_region"]

Levels = tuple[tuple[int, int], ...]


def at_level(window: Window, levels: Levels, level: int) -> Window:
    """Return a window of level 0 in a level's px, its edges rounded outwards.

    Parameters
    ----------
    window
        (top, left, height, width), level-0 px.
    levels
        (height, width) of each level of the slide, level 0 first.
    """
    top, left, height, width = window
    (whole, across), (rows, columns) = levels[0], levels[level]
    first = top * rows // whole, left * columns // across
    last = -(-(top + height) * rows // whole), -(-(left + width) * columns // across)
    return (*first, last[0] - first[0], last[1] - first[1])


def levels_of_part(levels: Levels, part: Part, path: Path) -> Levels:
    """Return (height, width) of each level of a region, or of a picture at low resolution.

    Those of the slide where the part is neither.

    Raises
    ------
    ValueError
        When the region does not lie inside the slide.
    """
    if part.overview is not None:
        return (low_resolution_size(levels, part.overview),)
    return levels_of_region(levels, part.region, path)


def levels_of_region(levels: Levels, region: Window | None, path: Path) -> Levels:
    """Return (height, width) of each level of a region, its edges rounded outwards to its px.

    Those of the slide where the region is None.

    Raises
    ------
    ValueError
        When the region does not lie inside the slide.
    """
    if region is None:
        return levels
    top, left, height, width = region
    if top + height > levels[0][0] or left + width > levels[0][1]:
        raise ValueError(
            f"The region at row {top}, column {left} of {height} x {width} px lies outside {path} "
            f"of {levels[0][0]} x {levels[0][1]} px: name one inside it."
        )
    return tuple(at_level(region, levels, level)[2:] for level in range(len(levels)))
