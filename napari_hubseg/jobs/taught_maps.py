"""The member maps of one slide as strokes have taught them, and what the networks had made.

Responsible for reading features, for keeping them while there is room, and for how far the two
mixes differ. Does not know who taught, or what is mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hubseg.probability import Mixer
from hubseg.probability.features import features_key
from hubseg.probability.taught import changed_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hubseg.probability import MapStore, MemberMap
    from hubseg.probability.features import FeatureMap
    from hubseg.probability.taught import Taught, TaughtHead
    from hubseg.recipe import Member, Recipe

    Place = tuple[int, int, int]

__all__ = ["TaughtMaps", "Turned"]

_ROOM = 512 << 20  # bytes of features that are kept: a fit after each stroke reads none again


@dataclass(frozen=True, eq=False)
class Turned:
    """What strokes have turned on a slide: its mix before and after, as the networks see it.

    Attributes
    ----------
    before, after
        float32 (h, w), 0-255, at the size of the finest network.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]

    def share(self, threshold: float) -> float:
        """Return the share of the slide, 0-1, that changed side of a threshold, 0-255."""
        return changed_share(self.before, self.after, threshold)


@dataclass(eq=False)
class TaughtMaps:
    """The maps of one slide's members: used by one thread at a time.

    Attributes
    ----------
    own
        As the networks made them, of one structure.
    lacking
        Members that were taught, but have no features here that fit.
    """

    own: dict[Place, MemberMap] = field(default_factory=dict)
    lacking: set[Place] = field(default_factory=set)
    _taught: dict[Place, MemberMap] = field(default_factory=dict)
    _by: dict[Place, object] = field(default_factory=dict)
    _features: dict[Place, FeatureMap] = field(default_factory=dict)

    def put(self, place: Place, made: MemberMap) -> None:
        """Hold a member's map; what was read for the one before is forgotten."""
        self.own[place] = made
        for known in (self._taught, self._by, self._features):
            known.pop(place, None)

    def teach(
        self,
        taught: Taught | None,
        wanted: Sequence[tuple[Member, str, int]],
        store: MapStore,
        put: Callable[[Member, MemberMap], object],
    ) -> None:
        """Hand over each map that is another one by what is taught now.

        Parameters
        ----------
        taught
            What counts now.
        wanted
            Members, the keys of their maps, and the layer that is the structure.
        store
            Where features are.
        put
            Takes a member's map in place of the one before.
        """
        self.lacking = set()
        for member, key, layer in wanted:
            place = member.place
            own = self.own.get(place)
            head = taught.heads.get(place) if taught is not None and taught.counts else None
            by = None if head is None or taught is None else (head, taught.weight)
            if own is None or (by is not None and self._by.get(place) == by):
                continue
            one = own
            if taught is not None and by is not None:
                features = self.features(by[0], place, features_key(key), store)
                one = taught.of(place, own, features, layer)
            if one is not own:
                self._taught[place], self._by[place] = one, by
                put(member, one)
            elif by is not None:
                self.lacking.add(place)
            if one is own and self._taught.pop(place, None) is not None:
                self._by.pop(place, None)
                put(member, own)

    def features(
        self, head: TaughtHead, place: Place, key: str, store: MapStore
    ) -> FeatureMap | None:
        """Return a member's features, from memory where those that a head is for are there.

        Parameters
        ----------
        key
            Of the features in the store.
        """
        kept = self._features.pop(place, None)
        if kept is not None and head.fits(kept):
            self._features[place] = kept
            return kept
        found = store.get_features(key)
        held = sum(one.nbytes for one in self._features.values())
        if found is not None and held + found.nbytes <= _ROOM:
            self._features[place] = found
        return found

    def let_go(self) -> None:
        """Forget the features: nobody draws on this slide yet."""
        self._features.clear()

    def turned(self, recipe: Recipe, members: Sequence[Member]) -> Turned | None:
        """Mix members with and without what was taught; None where nothing of it counts here."""
        if not self._taught:
            return None
        shapes = [self.own[one.place].values.shape for one in members]
        shape = max(shapes, key=lambda sides: sides[0] * sides[1])
        made = []
        for maps in (self.own, {**self.own, **self._taught}):
            mixer = Mixer(shape=(shape[0], shape[1]), slide_digest="")
            for member in members:
                mixer.put(member, maps[member.place])
            made.append(np.asarray(mixer.mix(recipe, members).values, np.float32))
        return Turned(*made)
