"""Regions of a project's slides: a large slide is worked on in parts that are slides themselves.

Responsible for giving a project the regions of a slide, and for which slides have regions. Does not
know where regions lie (:mod:`hubseg.slide.regions`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.project.tissue import with_tissue
from hubseg.slide import SlideTable
from hubseg.slide.regions import SIDE, regions_of

if TYPE_CHECKING:
    from hubseg.project.adding import Added
    from hubseg.project.review import ReviewProject

__all__ = ["split_slide"]


def split_slide(
    project: ReviewProject, slide_id: str, side: int = SIDE, *, everywhere: bool = False
) -> Added:
    """Add the regions of a slide to its project; those that it has already stay as they are.

    Parameters
    ----------
    slide_id
        Of the whole slide; what a person told of it is told of its regions.
    side, everywhere
        As of :func:`hubseg.slide.regions.regions_of`; where the project says where tissue is
        (:mod:`hubseg.project.tissue`), that holds.

    Returns
    -------
    Added
        `new` are the ids of the regions that the project did not have; `notes` has under the
        slide's own id what was damaged.

    Raises
    ------
    ValueError
        When there is no such slide, it is a region itself, or its file is damaged.
    OSError
        When its file cannot be read or the project cannot be written.
    """
    whole = next((one for one in project.slides(divided=True) if one.id == slide_id), None)
    if whole is None:
        raise ValueError(f"The project has no slide {slide_id!r}: name one that it lists.")
    (told,) = with_tissue(project, [whole.told(**SlideState.read(project, slide_id).facts)])
    notes: list[str] = []
    regions = regions_of(told, side, everywhere=everywhere, said=notes.append)
    added = project.add(SlideTable(regions))
    return replace(added, notes={**added.notes, slide_id: " ".join(notes)}) if notes else added
