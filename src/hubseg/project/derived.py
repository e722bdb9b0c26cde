"""The mask of any slide of a project, with all it was derived from.

Responsible for putting together a slide's newest map, thresholds, cleanup and edits without a
window or a session, or the mask that a person accepted; pure reading. Does not know how masks
leave.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import TILE
from hubseg.journal.accepted import AcceptedMask, PackedMask
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.project.runs import newest_in_pieces, refuse_partial

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.edits.override import Edits
    from hubseg.journal.rows import Entry
    from hubseg.journal.verdict import Verdict
    from hubseg.outcome import Outcome
    from hubseg.probability import MapInPieces
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Derived", "OlderMask", "derive", "older_mask", "other_file", "verdicts"]


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
    structure
        What the mask marks, as the project calls it; "object" where the organ has none.
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
    structure: str = "object"

    @cached_property
    def probability(self) -> MapInPieces | None:
        """The map that the mask was cut from; None where there is none, or it is gone."""
        return self.read_map()


def derive(project: ReviewProject, slide: Slide, *, partial: bool = False) -> Derived:
    """Derive a slide's mask from a project.

    Parameters
    ----------
    partial
        Also take a map of fewer members than its run was asked for; a mask that a person accepted
        is taken whatever its map was.

    Raises
    ------
    ValueError
        When the slide has neither a map nor edits, when maps of members are missing, or its file
        is not the one worked on.
    OSError
        When the slide's file cannot be read.
    """
    now, same = project.check_file(slide)
    state = SlideState.read(project, slide.id)
    if not same and any(row.slide_id == slide.id for row in state.rows):
        raise other_file(slide)
    now, stands = now.told(**state.facts), state.stands
    if stands is None:
        made = _by_rules(project, now, state, partial=partial)
    elif stands.accepted is None:
        then = _as_it_stood(project, now, stands.row, partial=partial)
        made = replace(then, verdict=state.verdict)
    else:
        made = _accepted(project, now, state, stands.row, stands.accepted)
    occurring = state.vocabulary.structures_in(now.organ)
    return replace(made, structure=occurring[0].label) if occurring else made


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
    *,
    until: Entry | None = None,
    partial: bool,
) -> Derived:
    """Derive the mask from map, threshold, cleanup and edits, as the journal says."""
    edits = state.edits((slide.height, slide.width), project.payload)
    probability = newest_in_pieces(project, slide, until=until)
    if probability is None and edits.is_empty and until is None:
        raise ValueError(f"Slide {slide.id} has no map and no edits yet: run the ensemble on it.")
    if probability is not None and not partial:
        refuse_partial(probability, slide)
    rules = state.rules
    threshold, cleanup = rules.threshold(slide.organ, slide.source), rules.cleanup(slide.organ)
    plan = cleanup.in_px(slide.um_per_px)  # where it cannot be had, the mask is not the whole one
    if probability is None:
        mask = np.zeros(edits.shape, np.bool_)
    else:
        mask = plan.apply(probability.above(threshold))
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
    )


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
    )


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
            {"accepted": self.accepted.to_facts()},
            slide_id=self.slide_id,
            label="mask of the verdict kept",
            target=self.verdict,
            mask=self.packed,
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


def verdicts(project: ReviewProject, outcome: Outcome | None = None) -> dict[str, Verdict]:
    """Return every slide's verdict, by id; also of slides whose file is away.

    Parameters
    ----------
    outcome
        Leaves out a slide whose journal is damaged; by default that is raised.

    Raises
    ------
    ValueError
        When a row is damaged, and `outcome` is not given.
    """
    found: dict[str, Verdict] = {}
    for slide_id in (*(slide.id for slide in project.slides()), *project.missing):
        with nullcontext() if outcome is None else outcome.attempt(slide_id, last=False):
            found[slide_id] = SlideState.read(project, slide_id).verdict
    return found
