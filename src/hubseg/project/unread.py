"""What of a slide could not be decoded when it was run as a whole.

Responsible for saying it of the slide's newest map. Tiles of very large slides say it themselves
(:func:`hubseg.project.newest.said_of_gaps`). Pure reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.probability import MapStore
from hubseg.probability.gaps import gaps_of
from hubseg.project.newest import said_of_gaps
from hubseg.project.runs import newest_run
from hubseg.slide.readable import said_of_damage

if TYPE_CHECKING:
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["said_of_unread"]


def said_of_unread(project: ReviewProject, slide: Slide) -> str:
    """Return what of a slide its newest map was made without, in a sentence; "" of nothing.

    Places are in level-0 px of the whole slide, of a region too.

    Raises
    ------
    ValueError, OSError
        When the project cannot be read.
    """
    if said := said_of_gaps(project, slide):
        return said
    newest, store = newest_run(project, slide), MapStore(project.maps)
    if newest is None or not any(store.in_one_piece(key) for _, key in newest[1]):
        return ""
    said = said_of_damage(slide.path.name, gaps_of(project.maps, project.digest(slide)), ())
    return said and f"Its map was made without all of the slide. {said}"
