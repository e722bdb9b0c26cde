"""What a run has to say, and how far it is with each slide.

Responsible for the update a run yields and for the mix of what is finished. Does not know workers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.probability import Mixer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.probability import MapStore, MemberMap, ProbabilityMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Progress", "Update"]


@dataclass(frozen=True, slots=True)
class Update:
    """What a run has to say: a better map, a failure, or its end.

    Attributes
    ----------
    run_id, slide_id, slide_digest, recipe_digest
        What it belongs to; one that no longer fits what is on screen is not shown.
    done, total
        Members finished on this slide, and members asked for.
    probability
        The mix of all finished members; None where there is none yet, where nobody watches the
        slide, and where the next better map comes before this one could have been mixed.
    message
        What happened, for a person: the member that was finished, or found in the store.
    seconds_left
        Estimated time to the end of the run, s.
    error
        One sentence where the slide failed, else empty.
    finished
        Whether this is the slide's last update.
    keys
        Every finished member with its key in the map store.
    asked
        Every member that the run was asked for.
    warning
        One sentence worth a person's attention, else empty: a worker with other packages.
    memory
        Bytes taken on the device that computed the last member, and bytes it has.
    """

    run_id: str
    slide_id: str
    slide_digest: str
    recipe_digest: str
    done: int
    total: int
    probability: ProbabilityMap | None = None
    message: str = ""
    seconds_left: float | None = None
    error: str = ""
    finished: bool = False
    keys: tuple[tuple[Member, str], ...] = ()
    asked: tuple[Member, ...] = ()
    warning: str = ""
    memory: tuple[int, int] | None = None


class Progress:
    """One slide of a run: which members are in, and their mix when somebody watches.

    Maps of a slide that nobody watches are not held in memory; they are read from the store when
    somebody looks.
    """

    def __init__(
        self, slide: Slide, digest: str, recipe: Recipe, members: Sequence[Member]
    ) -> None:
        self.slide = slide
        self.digest = digest
        self.failed = False
        self._recipe = recipe
        self._members = members
        self._keys: dict[tuple[int, int, int], str] = {}
        self._mixer: Mixer | None = None
        self._mixed_at = self._mixing_s = 0.0

    @property
    def done(self) -> int:
        """Members that are in."""
        return len(self._keys)

    @property
    def finished(self) -> bool:
        """Whether every member is in, or the slide failed."""
        return self.failed or self.done == len(self._members)

    @property
    def keys(self) -> tuple[tuple[Member, str], ...]:
        """Finished members with their keys, in the recipe's order."""
        return tuple((m, self._keys[m.place]) for m in self._members if m.place in self._keys)

    def put(
        self, member: Member, key: str, made: MemberMap, store: MapStore, *, watched: bool
    ) -> None:
        """Note that a member is in; its map is held where somebody watches."""
        if watched:
            self._mixer = self._mixer or self._read(store)
            self._mixer.put(member, made)
        else:
            self._mixer = None
        self._keys[member.place] = key

    def mix(self) -> ProbabilityMap | None:
        """Mix what is in, for somebody who watches; None when the last mix is too recent.

        Mixing takes at most about a third of the time, so that it does not hold up fast members.
        """
        if time.monotonic() < self._mixed_at + 2 * self._mixing_s and not self.finished:
            return None
        if self._mixer is None:
            return None
        begun = time.monotonic()
        found = self._mixer.mix(self._recipe, self._members)
        self._mixed_at = time.monotonic()
        self._mixing_s = self._mixed_at - begun
        return found

    def forget(self) -> None:
        """Let go of the maps: nobody watches, or nothing more will come."""
        self._mixer = None

    def _read(self, store: MapStore) -> Mixer:
        shape = (self.slide.height, self.slide.width)
        mixer = Mixer(shape=shape, slide_digest=self.digest)
        keys = self.keys
        maps = store.get_all(key for _, key in keys)
        for (member, _), (_, made) in zip(keys, maps, strict=True):
            if made is not None:
                mixer.put(member, made)
        return mixer
