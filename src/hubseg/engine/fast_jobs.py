"""A fast run: one member looks everywhere, the others where its map leaves the mask in doubt.

Responsible for which member is the first, for which tiles the others are asked, and for recipes
that cannot be run so. Does not know workers, nor how doubt is measured
(:mod:`hubseg.probability.doubt`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hubseg.engine.job import Part
from hubseg.probability import TileLayout
from hubseg.probability.doubt import doubt_of, tiles_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.engine.job import Job
    from hubseg.engine.progress import Progress
    from hubseg.probability import MapStore, MemberMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["FastJobs"]


class FastJobs:
    """What the members of a run are asked, slide by slide.

    Members of the same outputs go together: the first of them sees the whole slide.

    Parameters
    ----------
    on
        Whether the run is a fast one; else every member is asked for all.

    Raises
    ------
    ValueError
        When a member of a fast run sees the whole slide squeezed to a size.
    """

    def __init__(self, recipe: Recipe, members: Sequence[Member], *, on: bool) -> None:
        sizes = {recipe.resolutions[member.resolution].size for member in members} - {None}
        if on and sizes:
            raise ValueError(
                f"A fast run needs a recipe by scale or um_per_px, and {recipe.name} squeezes the "
                f"whole slide to {sizes.pop()} px: run it in full."
            )
        self._recipe, self._on = recipe, on

    def notes(self, slide: Slide, jobs: Sequence[Job]) -> list[str]:
        """Return what a person must be told of a slide of which a fast run spares nothing."""
        if not self._on or all(job.layout is None for job in jobs):
            return []
        return [
            f"Slide {slide.id} has {slide.height} x {slide.width} px and is run in tiles: every "
            "member looks at all of them, also in a fast run."
        ]

    @staticmethod
    def _first_of(progress: Progress, member: Member) -> Member:
        return next(one for one in progress.members if one.channels == member.channels)

    def take(self, progress: Progress, job: Job, made: MemberMap) -> None:
        """Note the map of a member, where others wait for it."""
        if self._on and job.part is None and self._first_of(progress, job.member) == job.member:
            progress.whole[job.member.place] = job.key, made

    def asked(self, progress: Progress, job: Job) -> Job | None:
        """Return what is left to ask of a job's member; None while its first one is not in."""
        first, slide = self._first_of(progress, job.member), job.slide
        size = slide.height, slide.width, slide.um_per_px
        seen = self._recipe.resolutions[first.resolution]
        if not self._on or first == job.member or TileLayout.of(seen, *size) is not None:
            return job
        if (found := progress.whole.get(first.place)) is None:
            return None
        key, made = found
        valid = self._recipe.resolutions[job.member.resolution].input_shape(*size)
        doubt = doubt_of(made, self._recipe.thresholds_of(first, slide.organ, slide.source))
        tiles = tiles_over(doubt, valid)
        if tiles is None:
            return job
        there = job.store is not None and bool(tiles)  # a map is too much to be sent for nothing
        return replace(job, part=Part(tiles, key, None if there else made))

    @staticmethod
    def there(job: Job, store: MapStore) -> MemberMap | None:
        """Return the map of a job that nobody need compute: it is there, or nothing is in doubt."""
        if job.part is None:
            return None
        found, around = store.get(job.key), job.part.around
        if found is None and around is not None and not job.part.tiles:
            nowhere = np.zeros(around.values.shape[-2:], np.bool_)
            found = replace(around, organ=None, um_per_px=None, seen=nowhere)
            store.put(job.key, found)
        return found
