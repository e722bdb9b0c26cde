"""Which regions a large slide is worked on in: a grid, where there is tissue.

Responsible for where they lie and what they are called. Does not know projects.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.slide.kinds import stem_of
from hubseg.slide.part import Part
from hubseg.slide.readable import ReadableSlide
from hubseg.slide.region import levels_of_region
from hubseg.slide.tissue import find_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.window import Window

__all__ = ["LARGE", "SIDE", "divided", "is_large", "regions_of", "slide_of", "whole_id"]

LARGE: Final = 1 << 28
"""px of a slide beyond which it is worked on in regions: masks and maps of more fill a memory."""

SIDE: Final = 4096
"""Longest side of a region, px, where nobody says another."""

_LEAST: Final = 1e-3  # of a region that is tissue: less is a speck


def is_large(slide: Slide) -> bool:
    """Whether a slide is so large that it is worked on in regions."""
    return not slide.is_overview and slide.height * slide.width > LARGE


def regions_of(
    slide: Slide,
    side: int = SIDE,
    *,
    everywhere: bool = False,
    said: Callable[[str], object] = lambda sentence: None,
) -> tuple[Slide, ...]:
    """Return the regions of a slide, row by row: equal parts of at most side × side px.

    Each is a slide of its own: the same file, with the facts that are known of the whole. They
    touch and do not overlap.

    Parameters
    ----------
    slide
        The whole, no region itself.
    side
        Longest side of a region, px.
    everywhere
        Also where there is glass alone; else only where :func:`hubseg.slide.tissue.find_tissue`
        finds tissue, or a person says that it is, and all of them where there is none at all.
    said
        Called with what a person should know where something was damaged as tissue was looked for.

    Raises
    ------
    ValueError
        When `side` is not positive, the slide is a region, or the file is damaged.
    OSError
        When the file cannot be read.
    """
    if side < 1:
        raise ValueError(f"Regions of {side} px hold nothing: give a side above 0.")
    whole = Part.parse(slide.part)
    if whole != whole.whole:
        what = "a region itself" if whole.overview is None else "a slide at low resolution"
        raise ValueError(f"{slide.id} is {what}: split its slide.")
    cells = _grid(slide, side)
    if not everywhere:
        cells = _with_tissue(cells, slide, said) or cells
    return tuple(
        replace(
            slide,
            id=f"{slide.id}_{name}",
            height=window[2],
            width=window[3],
            levels=levels_of_region(slide.levels, window, slide.path),
            part=str(whole._replace(region=window)),
        )
        for name, window in cells
    )


def _grid(slide: Slide, side: int) -> list[tuple[str, Window]]:
    """Return equal parts of at most side × side px, row by row: ``r2_c11``, and where it lies."""
    rows, columns = _edges(slide.height, side), _edges(slide.width, side)
    high, wide = len(str(len(rows) - 1)), len(str(len(columns) - 1))  # digits
    return [
        (f"r{row:0{high}}_c{column:0{wide}}", (top, left, bottom - top, right - left))
        for row, (top, bottom) in enumerate(pairwise(rows), 1)
        for column, (left, right) in enumerate(pairwise(columns), 1)
    ]


def _with_tissue(
    cells: list[tuple[str, Window]], slide: Slide, said: Callable[[str], object]
) -> list[tuple[str, Window]]:
    """Return the parts that show tissue; `said` is told what of the file is damaged."""
    seen = ReadableSlide(slide)
    tissue = find_tissue(seen)
    if seen.said:
        said(seen.said)
    return [one for one in cells if _share(tissue, one[1], slide) >= _LEAST]


def divided(slides: Iterable[Slide]) -> frozenset[str]:
    """Return the ids of the slides that have regions among others: those are worked on instead."""
    slides = tuple(slides)
    parts = [(one, Part.parse(one.part)) for one in slides if "region=" in one.part]
    wholes = {(one.path, str(part.whole)) for one, part in parts}
    return frozenset(one.id for one in slides if (one.path, one.part) in wholes)


def slide_of(region: Slide) -> Slide:
    """Return the whole slide that a region is of, with the facts that are known of the region.

    Its file's header is read. A slide that is no region is returned as it is; so is one that is a
    larger one at low resolution.

    Raises
    ------
    ValueError, OSError
        When the file cannot be read.
    """
    part = Part.parse(region.part)
    if part.region is None:
        return region
    levels = region._layout.levels
    (height, width), name = levels[0], whole_id(region)
    return replace(region, id=name, height=height, width=width, levels=levels, part=str(part.whole))


def whole_id(region: Slide) -> str:
    """Return what the slide that a region is of is called."""
    named = re.fullmatch(r"(.+)_r\d+_c\d+", region.id)
    return named[1] if named else stem_of(region.path)


def _edges(length: int, side: int) -> list[int]:
    """Return where equal parts of at most `side` px begin, and where the last one ends."""
    parts = -(-length // side)
    return [round(i * length / parts) for i in range(parts + 1)]


def _share(tissue: NDArray[np.bool_], window: Window, slide: Slide) -> float:
    """Return which share of a window is tissue, 0-1."""
    down, across = tissue.shape[0] / slide.height, tissue.shape[1] / slide.width
    top, left, height, width = window
    rows = slice(int(top * down), int(np.ceil((top + height) * down)))
    columns = slice(int(left * across), int(np.ceil((left + width) * across)))
    return float(tissue[rows, columns].mean())
