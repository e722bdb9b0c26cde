"""The edits of slides: read from the journal before somebody goes there, and kept in memory.

Responsible for doing in any thread what takes long of going to a slide with many gestures, for
telling whether the answer still holds, and for how many slides' edits stay in memory. Does not know
the session.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from hubseg.edits.structures import SlideEdits
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["KeptEdits", "StoredEdits"]

_KEPT = 8  # slides whose edits stay in memory; others are rebuilt from the journal
_READ = 3  # slides whose edits were read and wait for a visit


@dataclass(frozen=True, slots=True, eq=False)
class StoredEdits:
    """A slide's edits, and the rows they were made from.

    Attributes
    ----------
    slide_id
        Which slide.
    edits
        Its overrides; whoever takes them may change them.
    gestures
        Numbers of the rows that stood.
    """

    slide_id: str
    edits: SlideEdits
    gestures: tuple[int, ...]

    @classmethod
    def read(cls, project: ReviewProject, slide: Slide) -> Self:
        """Read it; some 60-150 ms for 1,200 gestures.

        Raises
        ------
        ValueError
            When a gesture is damaged or does not fit.
        """
        state = SlideState.read(project, slide.id)
        edits = state.edits((slide.height, slide.width), project.payload)
        return cls(slide.id, edits, state.gestures)

    def fits(self, slide: Slide, state: SlideState) -> bool:
        """Whether this is what the slide's standing rows amount to now."""
        shape = (slide.height, slide.width)
        return self.edits.shape == shape and self.gestures == state.gestures


class KeptEdits:
    """The edits of the slides that somebody was at last, and of those that were read ahead."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, SlideEdits] = OrderedDict()
        self._read: OrderedDict[str, StoredEdits] = OrderedDict()

    def __contains__(self, slide_id: str) -> bool:
        return slide_id in self._kept or slide_id in self._read

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, slide: Slide, state: SlideState, project: ReviewProject) -> SlideEdits:
        """Return a slide's edits, from memory where they still hold; they may be changed.

        Raises
        ------
        ValueError
            When a gesture is damaged or does not fit.
        """
        edits = self._kept.pop(slide.id, None)
        read = self._read.pop(slide.id, None)
        if edits is None and read is not None and read.fits(slide, state):
            edits = read.edits
        if edits is None:
            edits = state.edits((slide.height, slide.width), project.payload)
        self._kept[slide.id] = edits
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return edits

    def take(self, read: StoredEdits) -> None:
        """Keep what was read ahead for the next visit."""
        self._read[read.slide_id] = read
        self._read.move_to_end(read.slide_id)
        while len(self._read) > _READ:
            self._read.popitem(last=False)

    def forget(self, slide_id: str) -> None:
        """Have a slide's edits made from the journal again."""
        self._kept.pop(slide_id, None)
        self._read.pop(slide_id, None)

    def clear(self) -> None:
        """Have all edits made from the journal again."""
        self._kept.clear()
        self._read.clear()
