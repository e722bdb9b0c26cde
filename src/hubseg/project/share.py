"""The part of a slide that the structure on screen may have, for one threshold after another.

Responsible for keeping what the others of its group leave, so that the next threshold of it reads
no map again: neither for its own mask nor for theirs. Does not know masks or cleanup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.probability.pieces import together
from hubseg.project.exclusive import keep_newest, maps_of, maps_state, thresholds_of
from hubseg.project.review import ReviewProject

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.journal.review_state import ReviewState
    from hubseg.organ import StructureName
    from hubseg.slide import Slide

__all__ = ["Rest", "Share"]

_BAND: Final = 32  # rows
_RESTS: Final[dict[tuple[Hashable, ...], Rest | None]] = {}  # the newest one


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """What the others of a group leave to a structure, by their maps and thresholds.

    Attributes
    ----------
    limit
        What its margin must exceed to have a pixel, float32 (H, W).
    best
        Which of `names`, from 1, has the pixel otherwise, uint8 (H, W).
    above
        Whether that one is above its threshold there, bool (H, W).
    names
        The others that have a map, in the group's order.
    """

    limit: NDArray[np.float32]
    best: NDArray[np.uint8]
    above: NDArray[np.bool_]
    names: tuple[StructureName, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """What gives the part of a slide that a structure may have, in any thread.

    Attributes
    ----------
    project
        The project's folder, opened for reading each time.
    slide
        With what a person told of it.
    structure
        Whose part it is.
    thresholds
        Of each structure of its group, on 0-255, in the group's order.
    """

    project: Path
    slide: Slide
    structure: StructureName
    thresholds: tuple[tuple[StructureName, float], ...]

    @classmethod
    def within(
        cls,
        project: Path,
        slide: Slide,
        structure: StructureName | None,
        rules: ReviewState,
    ) -> Share | None:
        """Return it by the rules that hold; None where nothing excludes the structure."""
        thresholds = thresholds_of(slide, structure, rules)
        if structure is None or not thresholds:
            return None
        return cls(project, slide, structure, thresholds)

    def __call__(
        self, values: NDArray[np.float32], *, inside: bool = False
    ) -> NDArray[np.bool_] | None:
        """Return it, bool (H, W); None is everywhere.

        Maps of fewer members than their run was asked for are compared too. What the others leave
        is kept for the next threshold of this one.

        Parameters
        ----------
        values
            The structure's own map, float32 (H, W) on 0-255.
        inside
            Only where the map is above its threshold too.

        Raises
        ------
        ValueError, OSError
            When the project or the slide's file cannot be read.
        """
        rest = self.rest()
        if rest is None:
            return None
        return _beyond(values, np.float32(self._own), rest.limit, inside=inside)

    @property
    def _own(self) -> float:
        return dict(self.thresholds)[self.structure]

    def of_others(
        self, values: NDArray[np.float32]
    ) -> dict[StructureName, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Return what each of the others may have beside it: no map but its own is looked at again.

        Parameters
        ----------
        values
            The structure's own map, float32 (H, W) on 0-255.

        Returns
        -------
        dict
            Where each that has a map is above its threshold and has the pixel, and where it has
            the pixel, bool (H, W) both.

        Raises
        ------
        ValueError, OSError
            When the project or the slide's file cannot be read.
        """
        rest = self.rest()
        if rest is None:
            return {}
        left = ~_beyond(values, np.float32(self._own), rest.limit)
        found = {}
        for place, name in enumerate(rest.names, 1):
            share = (rest.best == place) & left
            found[name] = share & rest.above, share
        return found

    def rest(self) -> Rest | None:
        """Return what the others leave; None is everything.

        Raises
        ------
        ValueError, OSError
            When the project or the slide's file cannot be read.
        """
        others = tuple(one for one in self.thresholds if one[0] != self.structure)
        at = [name for name, _ in self.thresholds].index(self.structure)
        with ReviewProject.for_reading(self.project) as opened:
            key = (*maps_state(opened, self.slide), self.structure, at, others)
            if key not in _RESTS:
                keep_newest(_RESTS, key, _rest(opened, self.slide, others, at))
            return _RESTS[key]


def _rest(
    project: ReviewProject,
    slide: Slide,
    others: Sequence[tuple[StructureName, float]],
    at: int,
) -> Rest | None:
    """Return what others leave to a structure that comes after `at` of them.

    Those before it have a pixel of equal margins, those after it do not.
    """
    maps = maps_of(project, slide, (name for name, _ in others))
    levels = [np.float32(level) for name, level in others if name in maps]
    before, shape = sum(name in maps for name, _ in others[:at]), (slide.height, slide.width)
    if not maps:
        return None
    limit, best = np.full(shape, -np.inf, np.float32), np.zeros(shape, np.uint8)
    above = np.zeros(shape, np.bool_)
    for cut, values in together(list(maps.values())):
        part, place_of = limit[cut], best[cut]
        largest = np.full(part.shape, -np.inf, np.float32)
        for place, (one, level) in enumerate(zip(values, levels, strict=True), 1):
            margin = one - level
            place_of[margin > largest] = place
            np.maximum(largest, margin, out=largest)
            if place > before:
                np.nextafter(margin, np.float32(-np.inf), out=margin)
            np.maximum(part, margin, out=part)
        np.greater(largest, 0, out=above[cut])
    return Rest(limit, best, above, tuple(maps))


def _beyond(
    values: NDArray[np.float32],
    threshold: np.float32,
    limit: NDArray[np.float32],
    *,
    inside: bool = False,
) -> NDArray[np.bool_]:
    """Return where a margin exceeds its limit, bool (H, W): a few rows at a time, in the cache."""
    beyond = np.empty(values.shape, np.bool_)
    margin = np.empty((min(_BAND, len(values)), values.shape[1]), np.float32)
    for top in range(0, len(values), _BAND):
        band = slice(top, top + _BAND)
        part = margin[: len(values[band])]
        np.subtract(values[band], threshold, out=part)
        np.greater(part, limit[band], out=beyond[band])
        if inside:
            beyond[band] &= part > 0
    return beyond
