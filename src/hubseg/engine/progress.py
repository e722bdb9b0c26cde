"""What a run has to say, and how far it is with each slide.

Responsible for the update a run yields. Does not know workers, nor how maps are mixed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hubseg.engine.job import Window
    from hubseg.probability import MemberMap
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Estimate", "Progress", "Update"]


@dataclass(frozen=True, slots=True)
class Update:
    """What a run has to say: one member more, a failure, or its end.

    Attributes
    ----------
    run_id, slide_id, slide_digest
        What it belongs to; one that no longer fits what is on screen is not shown.
    recipe
        What is run, with the weights that its checkpoints ask for.
    done, total
        Members finished on this slide, and members asked for.
    came
        The member that was finished, or found in the store, and its map; None where none was.
    computed
        Whether that one was computed now.
    message
        What happened, for a person: the member that was finished, or found in the store.
    seconds_left
        Estimated time to the end of the run, s.
    error
        One sentence where the slide failed, else empty.
    finished
        Whether this is the slide's last update.
    keys
        Every finished member with its key in the map store; of a very large slide every member,
        since its map can be read while tiles are added to it.
    asked
        Every member that the run was asked for.
    warning
        One sentence worth a person's attention, else empty: a worker with other packages.
    note
        One sentence that a person should know, and nothing is wrong, else empty.
    memory
        Bytes taken on the device that computed the last member, and bytes it has.
    tiles
        Of a very large slide, tiles of members that are there, and tiles asked for; else None.
    """

    run_id: str
    slide_id: str
    slide_digest: str
    recipe: Recipe
    done: int
    total: int
    came: tuple[Member, MemberMap] | None = None
    computed: bool = False
    message: str = ""
    seconds_left: float | None = None
    error: str = ""
    finished: bool = False
    keys: tuple[tuple[Member, str], ...] = ()
    asked: tuple[Member, ...] = ()
    warning: str = ""
    memory: tuple[int, int] | None = None
    tiles: tuple[int, int] | None = None
    note: str = ""


class Progress:
    """One slide of a run: which members are asked for, and which are in."""

    def __init__(self, slide: Slide, digest: str, members: Sequence[Member]) -> None:
        self.slide = slide
        self.digest = digest
        self.failed = False
        self.members = tuple(members)
        self.unread: dict[Window, None] = {}  # of its file, that could not be decoded
        self.finer: set[int] = set()  # levels in whose place the next finer one served
        self.whole: dict[tuple[int, int, int], tuple[str, MemberMap]] = {}  # that others wait for
        self._keys: dict[tuple[int, int, int], str] = {}
        self._begun: dict[tuple[int, int, int], str] = {}  # in tiles
        self._left: dict[tuple[int, int, int], set[Place]] = {}
        self._early: dict[tuple[int, int, int], set[Place]] = {}  # of those left, seen already
        self._tiles = 0

    @property
    def done(self) -> int:
        """Members that are in."""
        return len(self._keys)

    @property
    def finished(self) -> bool:
        """Whether every member is in, or the slide failed."""
        return self.failed or self.done == len(self.members)

    @property
    def keys(self) -> tuple[tuple[Member, str], ...]:
        """Finished members, and those in tiles, with their keys, in the recipe's order."""
        keys = self._begun | self._keys
        return tuple((m, keys[m.place]) for m in self.members if m.place in keys)

    @property
    def tiles(self) -> tuple[int, int] | None:
        """Tiles that are there, and tiles asked for; None of a slide without."""
        left = sum(len(left - self._early[place]) for place, left in self._left.items())
        return (self._tiles - left, self._tiles) if self._begun else None

    def update(
        self, run_id: str, recipe: Recipe, seconds_left: float | None, **facts: Any
    ) -> Update:
        """Return what a run has to say of the slide."""
        return Update(
            run_id=run_id,
            slide_id=self.slide.id,
            slide_digest=self.digest,
            recipe=recipe,
            done=self.done,
            total=len(self.members),
            keys=self.keys,
            asked=self.members,
            seconds_left=seconds_left,
            tiles=self.tiles,
            **facts,
        )

    def ask(
        self, member: Member, key: str, asked: Collection[Place], left: Iterable[Place]
    ) -> None:
        """Note which tiles of a member are asked for, and which of them are not there yet."""
        self._begun[member.place] = key
        self._left[member.place], self._early[member.place] = set(left), set()
        self._tiles += len(asked)

    def take(self, member: Member, places: Iterable[Place]) -> bool:
        """Note that tiles of a member are there; tells whether all that are asked for are."""
        self._left[member.place].difference_update(places)
        if not self._left[member.place]:
            self.put(member, self._begun[member.place])
        return not self._left[member.place]

    def see(self, member: Member, places: Collection[Place]) -> bool:
        """Note tiles that are there while their task goes on; tells whether some are new."""
        known = self._early[member.place]
        new = self._left[member.place].intersection(places) - known
        known |= new
        return bool(new)

    def take_damage(self, unread: Iterable[Window], finer: Iterable[int] = ()) -> None:
        """Note what could not be decoded, and levels in whose place the next finer one served."""
        self.unread.update(dict.fromkeys(unread))
        self.finer.update(finer)

    def put(self, member: Member, key: str) -> None:
        """Note that a member's map is in the store."""
        self._keys[member.place] = key


@dataclass(slots=True)
class Estimate:
    """How long a run takes yet.

    Attributes
    ----------
    passes
        What is asked for: a member of a slide is one, and each of its tiles where it has some.
    found, done
        Passes that the store had, and those that were computed.
    """

    passes: int
    found: int = 0
    done: int = 0
    _begun: float = 0.0

    def begin(self) -> None:
        """Note that the first pass is computed now."""
        self._begun = time.monotonic()

    @property
    def seconds_left(self) -> float | None:
        """By what was computed; None before there is something."""
        left = self.passes - self.found - self.done
        if not self.done:
            return None if left else 0.0
        return (time.monotonic() - self._begun) / self.done * left
