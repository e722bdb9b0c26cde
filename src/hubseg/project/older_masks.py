"""The mask of a verdict that an older version gave without keeping it.

Responsible for deriving it as the journal says it stood, and for writing it into the journal. Does
not know when that is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal.accepted import AcceptedMask, PackedMask, accepted_facts
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.project.derived import derive

if TYPE_CHECKING:
    from hubseg.journal.rows import Entry
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["OlderMask", "older_mask"]


@dataclass(frozen=True, slots=True)
class OlderMask:
    """The mask of a verdict that an older version gave without keeping it.

    Attributes
    ----------
    slide_id, verdict
        Whose, and the number of the verdict's row.
    accepted, packed
        What it was made of, and the mask.
    """

    slide_id: str
    verdict: int
    accepted: AcceptedMask
    packed: PackedMask

    def keep(self, project: ReviewProject) -> Entry:
        """Write it into the journal, and return its row.

        Raises
        ------
        OSError
            When the project cannot be written.
        """
        return project.append(
            Kind.MASK,
            accepted_facts([self.accepted]),
            slide_id=self.slide_id,
            label="mask of the verdict kept",
            target=self.verdict,
            masks=(self.packed,),
        )


def older_mask(project: ReviewProject, slide: Slide) -> OlderMask | None:
    """Return the mask of a verdict that an older version gave, as the journal says it stood.

    None where no verdict stands, or its mask is kept already.

    Raises
    ------
    ValueError
        When it cannot be derived any more: maps are gone, or the file is another one.
    OSError
        When the slide's file cannot be read.
    """
    stands = SlideState.read(project, slide.id).stands
    if stands is None or stands.accepted is not None:
        return None
    derived = derive(project, slide)
    packed = PackedMask.of(derived.mask)
    accepted = AcceptedMask(
        packed.digest,
        derived.slide_digest,
        derived.threshold,
        derived.cleanup,
        derived.recipe_digest or "",
        derived.members or (0, 0),
    )
    return OlderMask(slide.id, stands.row.seq, accepted, packed)
