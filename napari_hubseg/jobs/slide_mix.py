"""One slide's map of one structure, mixed in any thread from what a run made and the store.

Responsible for which members are mixed, as strokes have taught them, and for keeping their maps
until the next mix of the same slide. Does not know who asks or what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hubseg.probability import MapStore, Mixer, Mixture, networks_digest
from hubseg.project.large_maps import is_part, large_map
from hubseg.project.marking import marking
from hubseg.project.runs import mixture_of, newest_asked
from hubseg.project.taught_region import TaughtRegion
from napari_hubseg.jobs.taught_maps import TaughtMaps, Turned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.review_state import ReviewState
    from hubseg.organ import StructureName
    from hubseg.probability import FeatureMap, MemberMap, ProbabilityMap, Taught
    from hubseg.project import ReviewProject
    from hubseg.project.large_maps import LargeMap, MapWindow
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

    _Mix = tuple[ProbabilityMap | None, "Turned | None", frozenset["Place"]]

__all__ = ["KeptMaps", "MixedSlide", "Order", "Ran"]

Place = tuple[int, int, int]

_EVERY = 4  # px of a region that are counted along each axis: about one of a network's


@dataclass(frozen=True, eq=False)
class Ran:
    """What a run that goes on has made of a slide: newer than what the project has recorded.

    Attributes
    ----------
    slide_digest, recipe
        Of which pixels, with which recipe.
    keys
        Every member that the run was asked for; "" where it is not finished.
    came
        Finished members that no mix has taken yet, with key and map.
    """

    slide_digest: str
    recipe: Recipe
    keys: tuple[tuple[Member, str], ...]
    came: tuple[tuple[Member, str, MemberMap], ...] = ()


@dataclass(eq=False)
class KeptMaps:
    """The maps of one slide's members: used by one thread at a time.

    Attributes
    ----------
    of
        Which slide, pixels, networks and structure.
    marked
        Which layer of a member's map is the structure, of each member that marks it.
    keys
        The key of each map that is held.
    """

    of: tuple[str, ...]
    mixer: Mixer
    marked: dict[Place, int]
    keys: dict[Place, str] = field(default_factory=dict)
    taught: TaughtMaps = field(default_factory=TaughtMaps)
    _own: tuple[object, NDArray[np.float32]] | None = None  # of a region, as networks made it

    def put(self, member: Member, key: str, made: MemberMap) -> None:
        """Hold a member's map of the structure; of one that does not mark it nothing is held."""
        if (layer := self.marked.get(member.place)) is not None:
            self.taught.put(member.place, made.layer(layer))
            self.mixer.put(member, made.layer(layer))
            self.keys[member.place] = key

    def read(self, members: Iterable[tuple[Member, str]], store: MapStore) -> None:
        """Hold the maps of members that are finished, by their keys, and are not held yet."""
        wanted = [(m, key) for m, key in members if key and self.keys.get(m.place) != key]
        stored = store.get_all(key for _, key in wanted)
        for (member, key), (_, one) in zip(wanted, stored, strict=True):
            if one is not None:
                self.put(member, key, one)

    def region(
        self,
        large: LargeMap,
        slide: Slide,
        keys: Iterable[tuple[Member, str]],
        taught: Taught | None,
        store: MapStore,
    ) -> _Mix:
        """Mix a region of a very large slide, out of its slide's maps; as :func:`_mixed`."""
        region, asked = slide.region or (0, 0, slide.height, slide.width), dict[Place, str]()
        asked.update({member.place: key for member, key in keys})
        if taught is None or not taught.counts:
            found = large.read(region)
            return (found.probability if found.members.any() else None), None, frozenset()

        def features(member: Member) -> FeatureMap | None:
            head, beside = taught.heads[member.place], store.beside(asked[member.place], region)
            return self.taught.features(head, member.place, beside, store)

        about = TaughtRegion(taught, region, features)
        found = replace(large, taught=about).read(region)
        if not found.members.any():
            return None, None, frozenset()
        turned, stamp = None, large.stamp
        if about.followed:
            if self._own is None or self._own[0] != stamp:
                self._own = stamp, _sampled(large.read(region))
            turned = Turned(self._own[1], _sampled(found))
        return found.probability, turned, frozenset(about.lacking)


@dataclass(frozen=True, eq=False)
class MixedSlide:
    """What was mixed of a slide.

    Attributes
    ----------
    slide_id, networks
        Of which slide, with which networks (:func:`hubseg.probability.networks_digest`).
    maps
        Places of the members that have a map.
    found
        The map; None where no member that is switched on has one.
    turned
        What strokes have turned of it; None where nothing that was taught counts.
    lacking
        Places of members that were taught, whose features are not there.
    """

    slide_id: str
    networks: str
    maps: frozenset[Place]
    found: ProbabilityMap | None
    turned: Turned | None = None
    lacking: frozenset[Place] = frozenset()


@dataclass(frozen=True, eq=False)
class Order:
    """A wish for a mix: of a slide, by the choice that holds.

    Attributes
    ----------
    reader
        Opens the project for reading: rows are read over a connection of its own.
    recipe, mixture
        The recipe chosen, and which of its members are mixed, with which weights; of a map that
        other networks made, what was chosen for those holds.
    kept
        Maps that an earlier mix has read, if any.
    ran
        What a run has made of the slide by now, if one is on.
    structure
        What it shall be a map of; None is the slide's first one.
    rules
        What holds by the journal: what strokes have taught is a part of it.
    """

    reader: Callable[[], ReviewProject]
    slide: Slide
    recipe: Recipe
    mixture: Mixture
    kept: KeptMaps | None = None
    ran: Ran | None = None
    structure: StructureName | None = None
    rules: ReviewState | None = None

    def _taught(self, networks: str, structure: StructureName | None) -> Taught | None:
        """Return what strokes have taught about such maps of such slides."""
        if self.rules is None:
            return None
        about = networks, self.slide.organ, self.slide.source, structure
        return self.rules.taught.get(self.rules.taught_scope(*about))

    def mix(self) -> tuple[MixedSlide | None, KeptMaps | None]:
        """Mix the slide's newest run; also return the maps, for the next mix."""
        slide, ran, mixture = self.slide, self.ran, self.mixture
        with self.reader() as project:
            digest = project.digest(slide)
            if ran is not None and ran.slide_digest != digest:
                ran = None
            newest = newest_asked(project, slide) if ran is None else (ran.recipe, ran.keys)
            if newest is None:
                return None, self.kept
            recipe, keys = newest
            networks = networks_digest(recipe)
            if networks != networks_digest(self.recipe):
                mixture = mixture_of(project, recipe)
            marked, structure = marking(project, slide, [m for m, _ in keys], self.structure)
            store, large = MapStore(project.maps), None
            if is_part(project, slide, (key for _, key in keys)):
                asked = {member.place: key for member, key in keys if member.place in marked}
                on = [m for m in mixture.members(recipe) if m.place in asked]
                keyed = [(m, asked[m.place], marked[m.place]) for m in on]
                large = large_map(project, slide, (mixture.of(recipe), keyed, structure))
        maps = frozenset(member.place for member, key in keys if key)
        kept, of = self.kept, (slide.id, digest, networks, str(structure or ""))
        if kept is None or kept.of != of:
            shape = slide.height, slide.width
            mixer = Mixer(shape=shape, slide_digest=digest, structure=structure)
            kept = KeptMaps(of, mixer, marked)
        kept.marked = marked
        taught = self._taught(networks, structure)
        if large is not None:
            mixed = kept.region(large, slide, keys, taught, store)
            return MixedSlide(slide.id, networks, maps, *mixed), kept
        for member, key, made in () if ran is None else ran.came:
            kept.put(member, key, made)
        here = [(m, key) for m, key in keys if m.place in marked]
        kept.read(here, store)
        mixed = _mixed(kept, mixture, recipe, here, taught, store)
        return MixedSlide(slide.id, networks, maps, *mixed), kept


def _sampled(made: MapWindow) -> NDArray[np.float32]:
    """Return px taken evenly from a region's map, about as many as the networks see."""
    return made.probability.values[::_EVERY, ::_EVERY].copy()


def _mixed(
    kept: KeptMaps,
    mixture: Mixture,
    recipe: Recipe,
    keys: list[tuple[Member, str]],
    taught: Taught | None,
    store: MapStore,
) -> _Mix:
    """Mix the members that are switched on, of those that mark the structure, as they are taught.

    Also returns what strokes have turned, and which members lack features for it.
    """
    asked = {member.place: key for member, key in keys}
    members = [m for m in mixture.members(recipe) if m.place in asked]
    there = [m for m in members if asked[m.place] and m in kept.mixer]
    wanted = [(m, kept.keys[m.place], kept.marked[m.place]) for m in there]
    kept.taught.teach(taught, wanted, store, kept.mixer.put)
    if not there:
        return None, None, frozenset()
    mixed = mixture.of(recipe)
    found = kept.mixer.mix(mixed, there, total=len(members))
    return found, kept.taught.turned(mixed, there), frozenset(kept.taught.lacking)
