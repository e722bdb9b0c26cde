"""The mask of any slide of a project, with all it was derived from.

Responsible for putting together a slide's newest map, thresholds, cleanup and edits without a
window or a session, or the mask that a person accepted; pure reading. Does not know how masks
leave.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, TILE
from hubseg.edits.override import Edits
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import StructureName
from hubseg.project.exclusive import rivals_of, share_of
from hubseg.project.imported import imported_mask, pixels_of
from hubseg.project.runs import mapped_structures, newest_in_pieces, refuse_partial
from hubseg.project.structures import names_of, own_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.journal.accepted import AcceptedMask
    from hubseg.journal.rows import Entry
    from hubseg.probability import MapInPieces
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Derived", "derive", "other_file"]


@dataclass(frozen=True, eq=False)
class Derived:
    """A slide's mask and where it comes from.

    Attributes
    ----------
    slide
        With the facts a person told.
    slide_digest
        Content of the slide's file that the mask belongs to.
    mask
        bool (H, W): override(edits, cleanup(probability > threshold)); of an accepted slide the
        mask that was accepted.
    threshold
        On 0-255.
    cleanup, verdict
        What held when it was derived, or accepted.
    corrected
        Pixels where a person's edits decide.
    recipe_digest
        Of the recipe of its map; None when there is only what a person drew.
    members
        Members mixed into that map, and members it was to have; None likewise.
    read_map
        What gives `probability`.
    imported
        The mask that it starts from, in a person's words; "" where it starts from a map.
    structure
        What the mask marks, as the project calls it; "object" where the organ has none.
    name
        Its word; None where it has none.
    """

    slide: Slide
    slide_digest: str
    mask: NDArray[np.bool_]
    threshold: float
    cleanup: Cleanup
    verdict: Verdict
    corrected: int
    recipe_digest: str | None
    members: tuple[int, int] | None
    read_map: Callable[[], MapInPieces | None]
    imported: str = ""
    structure: str = "object"
    name: StructureName | None = None

    @cached_property
    def probability(self) -> MapInPieces | None:
        """The map that the mask was cut from; None where there is none, or it is gone."""
        return self.read_map()


def derive(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName | None = None,
    *,
    partial: bool = False,
) -> Derived:
    """Derive a slide's mask of one structure from a project.

    Of structures that exclude each other, each is kept to where it has the largest margin over its
    own threshold, so that no pixel belongs to two.

    Parameters
    ----------
    structure
        None is the slide's first one (:func:`hubseg.project.structures.structures_of`): edits and
        verdicts are about that.
    partial
        Also take a map of fewer members than its run was asked for; a mask that a person accepted
        is taken whatever its map was.

    Raises
    ------
    ValueError
        When the slide has neither a map of it nor edits, when maps of members are missing, or its
        file is not the one worked on.
    OSError
        When the slide's file cannot be read.
    """
    now, same = project.check_file(slide)
    state = SlideState.read(project, slide.id)
    if not same and any(row.slide_id == slide.id for row in state.rows):
        raise other_file(slide)
    now, stands = now.told(**state.facts), state.stands
    first = structure is None or structure == names_of(project, now, state)[0]
    if structure is not None and not first:
        made = _beside(project, now, state, structure, partial=partial)
    elif stands is None:
        made = _by_rules(project, now, state, partial=partial)
    elif stands.accepted is None:
        then = _as_it_stood(project, now, stands.row, partial=partial)
        made = replace(then, verdict=state.verdict)
    else:
        made = _accepted(project, now, state, stands.row, stands.accepted)
    name = structure or made.name or own_of(state, now)
    known = None if name is None else state.vocabulary.structure(name)
    return replace(made, name=name, structure=made.structure if known is None else known.label)


def other_file(slide: Slide) -> ValueError:
    """Return what is said of a slide whose file is not the one that was worked on."""
    return ValueError(
        f"The file of slide {slide.id} is not the one that was worked on: open the "
        "project (hubseg review) and say whether it is the same tissue, or put the old file "
        "back."
    )


def _by_rules(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    structure: StructureName | None = None,
    *,
    until: Entry | None = None,
    partial: bool,
) -> Derived:
    """Derive the mask from map, threshold, cleanup and edits, as the journal says.

    A structure beside the first has no edits.
    """
    shape = slide.height, slide.width
    edits = Edits(shape) if structure else state.edits(shape, project.payload)
    start = None if structure else imported_mask(project, slide.id, state)
    probability = None
    if start is None:
        needed = edits.is_empty and until is None
        probability = _map_of(project, slide, structure, until, needed=needed, partial=partial)
    rules, name = state.rules, structure or _shown(probability) or own_of(state, slide)
    threshold = rules.threshold(slide.organ, slide.source, name)
    cleanup = rules.cleanup(slide.organ)
    plan = cleanup.in_px(slide.um_per_px)  # where it cannot be had, the mask is not the whole one
    mask = pixels_of(project, start, slide) if start is not None else np.zeros(shape, np.bool_)
    if probability is not None:
        share = share_of(project, slide, state, name, until=until, partial=partial)
        mask = _tidied(probability.above(threshold), plan, share)
    return Derived(
        slide=slide,
        slide_digest=project.digest(slide),
        mask=edits.resolve(mask, in_place=True),
        threshold=threshold,
        cleanup=cleanup,
        verdict=state.verdict,
        corrected=_decided(edits),
        recipe_digest=None if probability is None else probability.recipe_digest,
        members=None if probability is None else (probability.done, probability.total),
        read_map=lambda: probability,
        imported=str(start or ""),
        name=name,
    )


def _map_of(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName | None,
    until: Entry | None,
    *,
    needed: bool,
    partial: bool,
) -> MapInPieces | None:
    """Return the map that a mask is cut from, or None where it is not needed."""
    probability = newest_in_pieces(project, slide, structure=structure, until=until)
    if probability is None and needed:
        what = f"no map of {structure}" if structure else "no map and no edits"
        raise ValueError(f"Slide {slide.id} has {what} yet: run the ensemble on it.")
    if probability is not None and not partial:
        refuse_partial(probability, slide)
    return probability


def _tidied(
    mask: NDArray[np.bool_], plan: Cleanup, share: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Clean a mask up; one that shares the slide with others stays within its share."""
    return plan.apply(mask) if share is None else plan.apply(mask & share) & share


def _shown(probability: MapInPieces | None) -> StructureName | None:
    """Return what a map is of; None where it has no name."""
    name = None if probability is None else probability.structure
    return None if name is None else StructureName(name)


def _beside(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    structure: StructureName,
    *,
    partial: bool,
) -> Derived:
    """Derive the mask of a structure that is not the slide's first.

    Nobody has decided about it: a verdict that stands is about the first one's mask. What a person
    drew or accepted there is no part of a structure that excludes it.
    """
    made = _by_rules(project, slide, state, structure, partial=partial)
    names = mapped_structures(project, slide)
    if names[0] in rivals_of(state, structure, names):
        stands = state.stands
        if stands is not None and stands.accepted is not None:
            made.mask[project.mask(stands.accepted.digest).unpack()] = False
        else:
            start = imported_mask(project, slide.id, state)
            drawn = state.edits(made.mask.shape, project.payload)
            if start is not None:
                made.mask[drawn.resolve(pixels_of(project, start, slide), in_place=True)] = False
            elif not drawn.is_empty:
                made.mask[drawn.override() == ADD] = False
    return replace(made, verdict=Verdict.UNSEEN if state.verdict.stands else state.verdict)


def _decided(edits: Edits) -> int:
    """Count the px that a person decided, a few rows at a time."""
    height, width = edits.shape
    tops = () if edits.is_empty else range(0, height, TILE)
    bands = ((top, 0, min(TILE, height - top), width) for top in tops)
    return sum(int(np.count_nonzero(edits.override(band))) for band in bands)


def _as_it_stood(project: ReviewProject, slide: Slide, row: Entry, *, partial: bool) -> Derived:
    """Derive the mask of a verdict that an older version gave, from what held when it was given.

    Where there was neither a map nor an edit, nothing was marked.
    """
    state = SlideState.read(project, slide.id, until=row)
    then = _by_rules(project, slide.told(**state.facts), state, until=row, partial=partial)
    return replace(then, slide=slide)


def _accepted(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    row: Entry,
    accepted: AcceptedMask,
) -> Derived:
    if accepted.slide_digest != project.digest(slide):
        raise other_file(slide)
    mask = project.mask(accepted.digest).unpack()
    if mask.shape != (slide.height, slide.width):
        raise other_file(slide)

    def read_map() -> MapInPieces | None:
        found = newest_in_pieces(project, slide, until=row) if accepted.recipe_digest else None
        made = (accepted.recipe_digest, accepted.members)
        same = found is not None and (found.recipe_digest, (found.done, found.total)) == made
        return found if same else None

    return Derived(
        slide=slide,
        slide_digest=accepted.slide_digest,
        mask=mask,
        threshold=accepted.threshold,
        cleanup=accepted.cleanup,
        verdict=state.verdict,
        corrected=_decided(state.edits(mask.shape, project.payload)),
        recipe_digest=accepted.recipe_digest or None,
        members=accepted.members if accepted.recipe_digest else None,
        read_map=read_map,
        imported="" if accepted.recipe_digest else str(state.imported or ""),
    )
