"""What a run has to say, and how far it is with each slide.

Responsible for the update a run yields. Does not know workers, nor how maps are mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.probability import MemberMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Progress", "Update"]


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


class Progress:
    """One slide of a run: which members are asked for, and which are in."""

    def __init__(self, slide: Slide, digest: str, members: Sequence[Member]) -> None:
        self.slide = slide
        self.digest = digest
        self.failed = False
        self.members = tuple(members)
        self._keys: dict[tuple[int, int, int], str] = {}

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
        """Finished members with their keys, in the recipe's order."""
        return tuple((m, self._keys[m.place]) for m in self.members if m.place in self._keys)

    def put(self, member: Member, key: str) -> None:
        """Note that a member's map is in the store."""
        self._keys[member.place] = key
