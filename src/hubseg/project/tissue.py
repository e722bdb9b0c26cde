"""Where a project's slides show tissue: found by a method, corrected by people, like any mask.

Responsible for the slide at low resolution that stands in a project for that, and for what is said
there of its slide. Does not know how tissue is told from glass (:mod:`hubseg.slide.tissue`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from hubseg.journal.accepted import PackedMask
from hubseg.journal.imported import TISSUE, ImportedMask
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import Organ
from hubseg.project.derived import derive
from hubseg.project.words import take_vocabulary, vocabulary_of
from hubseg.slide import SlideTable
from hubseg.slide.low_resolution import overview_of
from hubseg.slide.part import Part
from hubseg.slide.regions import slide_of
from hubseg.slide.tissue import TissueMask, tissue_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.project.review import ReviewProject
    from hubseg.slide import Slide

__all__ = [
    *("STRUCTURE", "FoundTissue", "area_mm2", "keep_tissue", "look_for_tissue", "said_tissue"),
    *("tissue_slide", "whole_slide", "with_tissue"),
]

STRUCTURE: Final = "tissue"
"""What is marked, a word of the project's vocabulary."""

_ORGAN: Final = "whole slide"  # where it occurs: nothing else does there


class FoundTissue(NamedTuple):
    """What was found on a slide.

    Attributes
    ----------
    slide
        The slide at low resolution.
    mask
        bool (h, w) of that.
    """

    slide: Slide
    mask: NDArray[np.bool_]


def look_for_tissue(slide: Slide) -> FoundTissue:
    """Look for tissue on a slide, or on that of a region; may run in any thread.

    Raises
    ------
    ValueError
        When the slide is one at low resolution, or its file is damaged.
    OSError
        When its file cannot be read.
    """
    whole = slide_of(slide)
    overview = replace(overview_of(whole), id=f"{whole.id}_{STRUCTURE}", organ=Organ(_ORGAN))
    return FoundTissue(overview, tissue_in(overview.read()))


def keep_tissue(project: ReviewProject, found: FoundTissue) -> str:
    """Give a project what was found as a slide that people look at and correct; return its id.

    What a person did there before stays as it is.

    Raises
    ------
    OSError
        When the project cannot be written.
    """
    known = vocabulary_of(project)
    words = known.taking("organ", _ORGAN).with_structure(STRUCTURE, _ORGAN)
    if words != known:
        take_vocabulary(project, words, f"structure {STRUCTURE}", follows=True)
    there = tissue_slide(project, found.slide)
    if there is None:
        added = project.add(SlideTable((found.slide,)))
        slide_id = added.ids[found.slide.id]
    else:
        slide_id = there.id
    if not _is_said(SlideState.read(project, slide_id)):
        packed = PackedMask.of(found.mask)
        facts = ImportedMask(TISSUE, packed.digest, "").to_facts()
        project.append(
            Kind.IMPORTED, facts, slide_id=slide_id, label=f"find {TISSUE}", masks=(packed,)
        )
    return slide_id


def tissue_slide(project: ReviewProject, slide: Slide) -> Slide | None:
    """Return the slide at low resolution on which a slide's tissue is said; None where none is."""
    wanted = _file(slide)
    every = project.slides(overviews=True)
    return next((one for one in every if one.is_overview and _file(one) == wanted), None)


def whole_slide(project: ReviewProject, slide: Slide) -> Slide:
    """Return the project's slide that one at low resolution is of; any other is returned as it is.

    Raises
    ------
    ValueError
        When the project does not have it.
    """
    if not slide.is_overview:
        return slide
    wanted = slide.path, str(Part.parse(slide.part).whole)
    every = project.slides(divided=True)
    found = next((one for one in every if (one.path, one.part) == wanted), None)
    if found is None:
        raise ValueError(f"The project does not have the slide of {slide.id}: add it first.")
    return found.told(**SlideState.read(project, found.id).facts)


def said_tissue(project: ReviewProject, slide: Slide) -> TissueMask | None:
    """Return where a project says that a slide, or that of a region, shows tissue.

    None where nothing is said, or what was found was rejected.

    Raises
    ------
    ValueError
        When the file is another one than it was, or a row is damaged.
    OSError
        When the slide's file cannot be read.
    """
    overview = tissue_slide(project, slide)
    if overview is None:
        return None
    state = SlideState.read(project, overview.id)
    if state.verdict is Verdict.REJECTED or not _is_said(state):
        return None
    whole = slide_of(slide)
    return TissueMask.of(derive(project, overview).mask, (whole.height, whole.width))


def with_tissue(project: ReviewProject, slides: Iterable[Slide]) -> tuple[Slide, ...]:
    """Return slides with what the project says of their tissue; raises as :func:`said_tissue`."""
    known: dict[tuple[Path, Part], TissueMask | None] = {}
    made = []
    for slide in slides:
        file = _file(slide)
        if file not in known:
            known[file] = said_tissue(project, slide)
        made.append(slide if known[file] is None else replace(slide, tissue=known[file]))
    return tuple(made)


def area_mm2(slide: Slide, share: float) -> float | None:
    """Return a share of a slide in mm²; None where its pixel size is not known."""
    if slide.um_per_px is None:
        return None
    return share * slide.height * slide.width * slide.um_per_px**2 / 1e6


def _file(slide: Slide) -> tuple[Path, Part]:
    return slide.path, Part.parse(slide.part).whole


def _is_said(state: SlideState) -> bool:
    return bool(state.imported or state.gestures or state.stands is not None)
