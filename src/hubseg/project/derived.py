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

from hubseg.edits.claims import Claim
from hubseg.edits.gesture import TILE
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import StructureName
from hubseg.project.exclusive import rivals_in, rivals_of, share_of
from hubseg.project.imported import imported_mask, pixels_of
from hubseg.project.newest import newest_in_pieces, refuse_partial
from hubseg.project.structures import first_of, own_of, structures_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.edits.override import Edits
    from hubseg.edits.structures import SlideEdits
    from hubseg.journal.accepted import AcceptedMask
    from hubseg.journal.rows import Entry
    from hubseg.journal.slide_state import Standing
    from hubseg.probability import MapInPieces
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Derived", "by_rules", "derive", "masks_of", "other_file"]


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
    own threshold, and to where no person and no imported mask says that another one is: no pixel
    belongs to two. What was accepted of the others is theirs.

    Parameters
    ----------
    structure
        None is the slide's first one (:func:`hubseg.project.structures.first_of`).
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
    first = first_of(project, now, state)
    accepted = None if stands is None else stands.of(structure, first)
    if stands is not None and accepted is not None:
        made = _accepted(project, now, state, stands.row, accepted, first)
    elif stands is not None and not stands.masks and structure in (None, first):
        then = _as_it_stood(project, now, stands.row, partial=partial)
        made = replace(then, verdict=state.verdict)
    else:
        made = by_rules(project, now, state, structure, partial=partial)
        if stands is not None:
            _give_way(project, state, stands, made, first)
            made = replace(made, verdict=Verdict.UNSEEN)
    name = structure or made.name or own_of(state, now)
    known = None if name is None else state.vocabulary.structure(name)
    label = made.structure if name is None else str(name)
    return replace(made, name=name, structure=label if known is None else known.label)


def masks_of(project: ReviewProject, slide: Slide) -> dict[StructureName | None, NDArray[np.bool_]]:
    """Return the mask of each structure of a slide, bool (H, W), the first one's first.

    Raises as :func:`derive` does.
    """
    names = structures_of(project, slide)
    return {name: derive(project, slide, name).mask for name in names}


def other_file(slide: Slide) -> ValueError:
    """Return what is said of a slide whose file is not the one that was worked on."""
    return ValueError(
        f"The file of slide {slide.id} is not the one that was worked on: open the "
        "project (hubseg review) and say whether it is the same tissue, or put the old file "
        "back."
    )


def by_rules(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    structure: StructureName | None = None,
    *,
    edits: SlideEdits | None = None,
    alone: bool = False,
    until: Entry | None = None,
    partial: bool = False,
) -> Derived:
    """Derive a structure's mask from map, threshold, cleanup and edits, whatever was accepted.

    Parameters
    ----------
    slide
        With what a person told of it.
    structure
        None is the slide's first one.
    edits
        Of the slide, where they are at hand.
    alone
        Whether it does not give way to what was drawn or imported of others.
    until
        A row of the journal: the maps as they were then.
    partial
        As :func:`derive` has it.

    Raises
    ------
    ValueError
        When the structure has neither a map nor edits, or maps of members are missing.
    """
    shape, first = (slide.height, slide.width), first_of(project, slide, state)
    every = edits or state.edits(shape, project.payload, first)
    drawn = every.of(structure)
    start = imported_mask(project, slide.id, state, structure, first)
    probability = None
    if start is None:
        asked = None if structure == first else structure
        probability = newest_in_pieces(project, slide, structure=asked, until=until)
        _check_map(probability, slide, asked, drawn, until=until, partial=partial)
    name = structure or _shown(probability) or own_of(state, slide)
    own = Claim(drawn, None if start is None else pixels_of(project, start, slide))
    cut = _cut(project, slide, state, name, probability, until=until, partial=partial)
    mask = drawn.resolve(cut if own.start is None else own.start.copy(), in_place=True)
    if not alone:
        rivals_in(project, slide, state, name, every).give_way(mask, own)
    return Derived(
        slide=slide,
        slide_digest=project.digest(slide),
        mask=mask,
        threshold=state.rules.threshold(slide.organ, slide.source, name),
        cleanup=state.rules.cleanup(slide.organ),
        verdict=state.verdict,
        corrected=_decided(drawn),
        recipe_digest=None if probability is None else probability.recipe_digest,
        members=None if probability is None else (probability.done, probability.total),
        read_map=lambda: probability,
        imported=str(start or ""),
        name=name,
    )


def _cut(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    name: StructureName | None,
    probability: MapInPieces | None,
    *,
    until: Entry | None,
    partial: bool,
) -> NDArray[np.bool_]:
    """Return what threshold and cleanup make of a map; nothing without one."""
    rules = state.rules
    plan = rules.cleanup(slide.organ).in_px(slide.um_per_px)  # refused where it cannot be had
    if probability is None:
        return np.zeros((slide.height, slide.width), np.bool_)
    threshold = rules.threshold(slide.organ, slide.source, name)
    share = share_of(project, slide, state, name, until=until, partial=partial)
    above = probability.above(threshold)
    return plan.apply(above) if share is None else plan.apply(above & share) & share


def _check_map(
    probability: MapInPieces | None,
    slide: Slide,
    structure: StructureName | None,
    drawn: Edits,
    *,
    until: Entry | None,
    partial: bool,
) -> None:
    """Raise ValueError where nothing makes a mask, or where members of its map are missing."""
    if probability is None and drawn.is_empty and until is None:
        what = f"no map of {structure}" if structure else "no map and no edits"
        raise ValueError(f"Slide {slide.id} has {what} yet: run the ensemble on it.")
    if probability is not None and not partial:
        refuse_partial(probability, slide)


def _shown(probability: MapInPieces | None) -> StructureName | None:
    """Return what a map is of; None where it has no name."""
    name = None if probability is None else probability.structure
    return None if name is None else StructureName(name)


def _give_way(
    project: ReviewProject,
    state: SlideState,
    stands: Standing,
    made: Derived,
    first: StructureName | None,
) -> None:
    """Take from a structure that nobody has decided about what was accepted of its rivals."""
    kept = [one.structure or first for one in stands.masks]
    names = (*kept, made.name)
    for rival in rivals_of(state, made.name, names):
        accepted = stands.of(rival, first)
        if accepted is not None:
            made.mask[project.mask(accepted.digest).unpack()] = False


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
    then = by_rules(project, slide.told(**state.facts), state, until=row, partial=partial)
    return replace(then, slide=slide)


def _accepted(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    row: Entry,
    accepted: AcceptedMask,
    first: StructureName | None,
) -> Derived:
    if accepted.slide_digest != project.digest(slide):
        raise other_file(slide)
    mask = project.mask(accepted.digest).unpack()
    if mask.shape != (slide.height, slide.width):
        raise other_file(slide)

    def read_map() -> MapInPieces | None:
        if not accepted.recipe_digest:
            return None
        found = newest_in_pieces(project, slide, structure=accepted.structure, until=row)
        made = (accepted.recipe_digest, accepted.members)
        same = found is not None and (found.recipe_digest, (found.done, found.total)) == made
        return found if same else None

    start = state.imported.get(accepted.structure)
    edits = state.edits(mask.shape, project.payload, first)
    return Derived(
        slide=slide,
        slide_digest=accepted.slide_digest,
        mask=mask,
        threshold=accepted.threshold,
        cleanup=accepted.cleanup,
        verdict=state.verdict,
        corrected=_decided(edits.of(accepted.structure)),
        recipe_digest=accepted.recipe_digest or None,
        members=accepted.members if accepted.recipe_digest else None,
        read_map=read_map,
        imported="" if accepted.recipe_digest else str(start or ""),
        name=accepted.structure,
    )
