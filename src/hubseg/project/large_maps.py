"""The newest map of a slide, read by window: what a very large slide is looked at through.

Responsible for mixing the members of a window, also while their tiles are being written, and for
an overview of the whole slide. ``read(window)`` of a :class:`LargeMap` gives what the whole map has
there, and holds no more of it than that. Needs no torch. Does not know how a map is made, or which
is the newest (:mod:`hubseg.project.runs`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hubseg.probability import MapStore, MemberMap, Mixer, ProbabilityMap
from hubseg.probability.assembled_map import AssembledMap
from hubseg.probability.enlarging import WindowParts
from hubseg.probability.tiled_map import TiledMap
from hubseg.project.map_overview import LONGEST, MapOverview, Source, overview_of
from hubseg.slide.regions import slide_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.probability.values import MapPart
    from hubseg.project import ReviewProject
    from hubseg.project.taught_region import TaughtRegion
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

    Keyed = tuple[Member, str, int]  # a member, the key of its map, and a layer of it
    _Groups = list[tuple[list[Member], NDArray[np.bool_] | None]]
    """Px that the same members say; None are all of a window."""

__all__ = ["LargeMap", "MapWindow", "is_part", "large_map"]

Window = tuple[int, int, int, int]
"""(top, left, height, width) in level-0 px of the slide."""


@dataclass(frozen=True, slots=True, eq=False)
class MapWindow:
    """The map of a window of a slide.

    Attributes
    ----------
    window
        (top, left, height, width) in level-0 px.
    probability
        Its values, float32 (height, width) on 0-255, and the disagreement between members at the
        same size. Each px is mixed of the members that are there; 0 where none is.
    members
        uint8 (height, width): how many members each px is mixed of; one that did not look there
        in a fast run is not counted.
    """

    window: Window
    probability: ProbabilityMap
    members: NDArray[np.uint8]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where every member is there, bool (height, width)."""
        return np.asarray(self.members == self.probability.total)


@dataclass(frozen=True, slots=True, eq=False)
class LargeMap:
    """A slide's map of one structure, of which any window can be had.

    It may be read from several threads, and while a run writes: each reading sees what is there.

    Attributes
    ----------
    recipe
        With the weights that a person set.
    shape
        Height and width of the slide, px.
    slide_digest
        Content of the slide.
    structure
        Which it is; None where it has no name.
    members
        Every member that is mixed, and the layer of its map.
    taught
        What strokes have taught about a region: that window's map follows, no other one; None
        where nothing was taught.
    """

    recipe: Recipe
    shape: tuple[int, int]
    slide_digest: str
    structure: StructureName | None
    members: tuple[tuple[Member, int], ...]
    _sources: Mapping[tuple[int, int, int], Source]
    taught: TaughtRegion | None = None

    def read(self, window: Window) -> MapWindow:
        """Return the map of a window: to the bit what the whole map has there.

        To the bit with OpenCV 5 on x86, within 0.01 of 255 elsewhere; see
        :func:`hubseg.probability.enlarging.enlarged`.

        Raises
        ------
        ValueError
            When the window does not lie inside the slide.
        """
        top, left, height, width = window
        inside = min(top, left) >= 0 and top + height <= self.shape[0]
        if not inside or left + width > self.shape[1] or min(height, width) < 1:
            raise ValueError(
                f"Window {window} lies outside a slide of {self.shape[0]} x {self.shape[1]} px: "
                "clip it first."
            )
        parts, read = self._parts(window)
        mixer = Mixer(
            shape=(height, width), slide_digest=self.slide_digest, structure=self.structure
        )
        groups: _Groups = [([], None)]
        for member, part, layer in read:
            mixer.put(member, self._map_of(member, part, layer, parts))
            every = bool(part.covered.all())
            covered = None if every else parts.covered(member.resolution, part.covered)
            groups = _split(groups, member, covered)
        made = self._put_together(window, mixer, parts, groups)
        for member, part, _ in read:
            if part.seen is not None:
                made.members[~parts.covered(member.resolution, part.seen)] -= 1
        return made

    def members_in(self, window: Window) -> list[tuple[Member, MemberMap]]:
        """Return the maps of the members that say something of a window, at their own size.

        They may reach a few px beyond it.
        """
        parts, read = self._parts(window)
        return [(m, self._map_of(m, part, layer, parts)) for m, part, layer in read]

    def overview(self, longest: int = LONGEST) -> MapOverview:
        """Return the map of the whole slide, its longer side at most `longest` px.

        Of a map in tiles the front of each tile's file is read alone.
        """
        return overview_of(self.recipe, self.shape, self.members, self._sources, longest)

    def _map_of(self, member: Member, part: MapPart, layer: int, parts: WindowParts) -> MemberMap:
        """Return what a member says of a window, as it is taught about it."""
        made = _member_map(part, layer)
        if self.taught is None or parts.window != self.taught.region:
            return made
        source = self._sources[member.place]
        layout = source.layout if isinstance(source, TiledMap) else None
        return self.taught.of(member, made, layer, parts.extent(member.resolution), layout)

    @property
    def stamp(self) -> object:
        """What is another one as soon as more of the map is there, or it is mixed otherwise."""
        places = {
            place: source.places() if isinstance(source, TiledMap) else source
            for place, source in self._sources.items()
        }
        return self.recipe.digest, self.members, places

    @property
    def _there(self) -> list[tuple[Member, int, Source]]:
        """Members that have something in the store."""
        of = self._sources
        return [(m, layer, of[m.place]) for m, layer in self.members if m.place in of]

    def _parts(self, window: Window) -> tuple[WindowParts, list[tuple[Member, MapPart, int]]]:
        """Return which parts of the maps a window shows, and those of each member that has some."""
        shapes = {m.resolution: source.shape for m, _, source in self._there}
        parts = WindowParts(window, self.shape, shapes)
        read = []
        for member, layer, source in self._there:
            if source.shape != shapes[member.resolution]:
                continue  # nothing but glass yet, and so its size is not known
            part = source.part(*parts.extent(member.resolution))
            if part.covered.any():
                read.append((member, part, layer))
        return parts, read

    def _put_together(
        self,
        window: Window,
        mixer: Mixer,
        parts: WindowParts,
        groups: _Groups,
    ) -> MapWindow:
        """Mix each px of the members that are there."""
        if (everywhere := _everywhere(groups)) is not None:
            made = mixer.in_window(self.recipe, everywhere, parts, total=len(self.members))
            return MapWindow(window, made, np.full(window[2:], len(everywhere), np.uint8))
        values, spread = (np.zeros(window[2:], np.float32) for _ in "ab")
        count = np.zeros(window[2:], np.uint8)
        best, several = None, False
        for members, inside in groups:
            if not members or inside is None:
                continue
            made = mixer.in_window(self.recipe, members, parts, total=len(self.members))
            np.copyto(values, made.values, where=inside)
            if made.disagreement is not None:
                several = True
                np.copyto(spread, made.disagreement, where=inside)
            count[inside] = len(members)
            best = made if best is None or made.done > best.done else best
        facts = best or ProbabilityMap(
            values,
            disagreement=None,
            slide_digest=self.slide_digest,
            recipe_digest=self.recipe.digest,
            done=0,
            total=len(self.members),
            structure=self.structure,
        )
        made = replace(
            facts,
            values=values,
            disagreement=spread if several else None,
            done=min(len(members) for members, _ in groups),
        )
        return MapWindow(window, made, count)


def large_map(
    project: ReviewProject,
    slide: Slide,
    newest: tuple[Recipe, Sequence[Keyed], StructureName | None],
    taught: TaughtRegion | None = None,
) -> LargeMap:
    """Return the map of a slide, or of the slide that a region is of, that some keys make.

    Maps of any size are taken; those that are in one piece are held in memory.

    Parameters
    ----------
    newest
        Recipe, members with the key of their map and the layer that is the structure, and which
        that is, as of :func:`hubseg.project.runs.newest_keys`.
    taught
        What was taught about a region of it; None leaves the map as the networks made it.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    recipe, members, what = newest
    store, whole = MapStore(project.maps), slide_of(slide)
    sources: dict[tuple[int, int, int], Source] = {}
    for member, key, _ in members:
        made: Source | None = None
        if key and not store.in_one_piece(key):
            made = store.tiled(key)
        elif key and (found := store.get(key)) is not None:
            made = AssembledMap(found)
        if made is not None:
            sources[member.place] = made
    return LargeMap(
        recipe,
        (whole.height, whole.width),
        project.digest(slide),
        what,
        tuple((member, layer) for member, _, layer in members),
        sources,
        taught,
    )


def is_part(project: ReviewProject, slide: Slide, keys: Iterable[str]) -> bool:
    """Whether maps are those of the slide that a region is of, and not the region's own."""
    store = MapStore(project.maps)
    return slide.region is not None and any(key and store.tiled(key) is not None for key in keys)


def _member_map(part: MapPart, layer: int) -> MemberMap:
    organ = tuple(np.mean(part.organ, axis=0).tolist()) if part.organ else None
    return MemberMap(part.values, organ).layer(layer)


def _everywhere(groups: _Groups) -> list[Member] | None:
    """Return the members that say all of a window, where no other ones say a part of it."""
    members, inside = groups[0]
    return members if inside is None and members else None


def _split(groups: _Groups, member: Member, covered: NDArray[np.bool_] | None) -> _Groups:
    """Part each group of px by whether a member is there; None: it is everywhere."""
    if covered is None:
        return [([*members, member], inside) for members, inside in groups]
    made: _Groups = []
    for members, inside in groups:
        here = covered if inside is None else inside & covered
        elsewhere = ~covered if inside is None else inside & ~covered
        if here.any():
            made.append(([*members, member], here))
        if elsewhere.any():
            made.append((members, elsewhere))
    return made
