"""A slide that teaches: what a person says of it, and which part of what networks see it is of.

Responsible for reading corrections and accepted masks of one slide of a scope, and for why one
teaches nothing. Pure reading. Does not know what is fitted (:mod:`hubseg.project.teaching`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.edits.gesture import ADD, ERASE
from hubseg.journal.slide_state import SlideState
from hubseg.organ import StructureName
from hubseg.probability import networks_digest
from hubseg.probability.feature_window import FeatureWindow
from hubseg.project.large_maps import is_part
from hubseg.project.marking import marking
from hubseg.project.runs import newest_asked
from hubseg.project.structures import first_of
from hubseg.slide.regions import slide_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.edits.structures import SlideEdits
    from hubseg.probability import FeatureMap, TaughtScope
    from hubseg.probability.tiled_map import TiledMap
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = ["Drawn", "Pupil", "drawn_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a person says of one slide, at slide resolution.

    Attributes
    ----------
    added, erased
        bool (H, W): the edits of the structure.
    accepted
        bool (H, W): the mask of a verdict that stands; None without one.
    """

    added: NDArray[np.bool_]
    erased: NDArray[np.bool_]
    accepted: NDArray[np.bool_] | None = None

    def part(self, rows: slice, columns: slice) -> Drawn:
        """Return it of a part of the slide; a view."""
        there, accepted = (rows, columns), self.accepted
        mask = None if accepted is None else accepted[there]
        return Drawn(self.added[there], self.erased[there], mask)

    @property
    def says_something(self) -> bool:
        """Whether there is anything to learn."""
        return self.accepted is not None or bool(self.added.any() or self.erased.any())


@dataclass(frozen=True, eq=False)
class Pupil:
    """A slide of a scope, with its corrections not read yet.

    Attributes
    ----------
    whole
        Of a region whose maps are those of its slide: height and width of that slide.
    """

    project: ReviewProject
    slide: Slide
    state: SlideState
    structure: StructureName | None
    keyed: tuple[tuple[Member, str, int], ...]
    stain: str
    whole: tuple[int, int] | None = None

    @classmethod
    def of(cls, project: ReviewProject, slide: Slide, scope: TaughtScope) -> Pupil | str:
        """Return it, or why a slide with corrections teaches nothing; "" where it has none."""
        state = SlideState.read(project, slide.id)
        if not state.gestures and state.stands is None:
            return ""
        told = slide.told(**state.facts)
        if (told.organ, told.source) != (scope.organ, scope.source):
            return "It is of another organ or data source."
        newest = newest_asked(project, told)
        if newest is None:
            return "It has no map: run the ensemble on it."
        recipe, keys = newest
        if networks_digest(recipe) != scope.networks:
            return "Its map was made by another recipe: run this one on it."
        wanted = None if scope.structure is None else StructureName(scope.structure)
        layers, structure = marking(project, told, [m for m, _ in keys], wanted)
        keyed = tuple((m, key, layers[m.place]) for m, key in keys if key and m.place in layers)
        given = project, told, state, structure, keyed, recipe.teachable_stain
        if not is_part(project, told, (key for _, key, _ in keyed)):
            return cls(*given)
        whole = slide_of(told)
        return cls(*given, (whole.height, whole.width))

    def inside(
        self, features: FeatureMap, tiles: TiledMap | None
    ) -> tuple[FeatureMap, tuple[slice, slice]]:
        """Return the features that lie inside the slide, and which rows and columns they show.

        Those of a region come from the maps of its slide, and show more than the region.
        """
        region, shape = self.slide.region, features.shape
        if region is None or self.whole is None:
            return features, (slice(None), slice(None))
        if tiles is None:
            where = FeatureWindow.in_one_piece(self.whole, shape)
        else:
            where = FeatureWindow.in_tiles(tiles.layout, region, shape)
        seen, px = where.inside(region, shape)
        return features.part(*seen), px

    @property
    def stamp(self) -> tuple[object, ...]:
        """What changes as soon as the slide says something else."""
        stands = self.state.stands
        return self.state.gestures, None if stands is None else stands.row.seq

    def drawn(self) -> Drawn:
        """Read edits and accepted mask."""
        shape = self.slide.height, self.slide.width
        first = first_of(self.project, self.slide, self.state)
        edits = self.state.edits(shape, self.project.payload, first)
        return drawn_of(self.project, edits, self.state, self.structure, first)


def drawn_of(
    project: ReviewProject,
    edits: SlideEdits,
    state: SlideState,
    structure: StructureName | None,
    first: StructureName | None,
) -> Drawn:
    """Return what a person says of a structure of a slide.

    Raises
    ------
    ValueError
        When an accepted mask is damaged.
    """
    override = edits.of(structure or first).override()
    mask, stands = None, state.stands
    accepted = None if stands is None else stands.of(structure, first)
    if accepted is not None:
        mask = project.mask(accepted.digest).unpack()
    return Drawn(override == ADD, override == ERASE, mask)
