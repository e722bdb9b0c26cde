"""The edits of a slide, read from the journal before somebody goes there.

Responsible for doing in any thread what takes long of going to a slide with many gestures, and for
telling whether the answer still holds. Does not know the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from hubseg.edits.override import Edits
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["StoredEdits"]


@dataclass(frozen=True, slots=True, eq=False)
class StoredEdits:
    """A slide's edits, and the rows they were made from.

    Attributes
    ----------
    slide_id
        Which slide.
    edits
        Its override; whoever takes it may change it.
    gestures
        Numbers of the rows that stood.
    """

    slide_id: str
    edits: Edits
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
