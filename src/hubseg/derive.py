"""The mask of any slide of a project, with all it was derived from.

Responsible for putting together a slide's newest map, thresholds, cleanup and edits without a
window or a session; pure reading. Does not know how masks leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal import standing
from hubseg.maps import newest_map, refuse_partial
from hubseg.mask import MaskRequest
from hubseg.replay import edits_from, facts_from, state_from, verdict_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.probability import ProbabilityMap
    from hubseg.project import ReviewProject, Verdict
    from hubseg.slide import Slide

__all__ = ["Derived", "derive", "verdicts"]


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A slide's mask and where it comes from.

    Attributes
    ----------
    slide
        With the facts a person told.
    mask
        bool (H, W): override(edits, cleanup(probability > threshold)).
    probability
        The map it was cut from; None when there is only what a person drew.
    threshold
        On 0-255.
    cleanup, verdict
        What held when it was derived.
    corrected
        Pixels where a person's edits decide.
    """

    slide: Slide
    mask: NDArray[np.bool_]
    probability: ProbabilityMap | None
    threshold: float
    cleanup: Cleanup
    verdict: Verdict
    corrected: int


def derive(project: ReviewProject, slide: Slide, *, partial: bool = False) -> Derived:
    """Derive a slide's mask from a project.

    Parameters
    ----------
    partial
        Also take a map of fewer members than its run was asked for.

    Raises
    ------
    ValueError
        When the slide has neither a map nor edits, when maps of members are missing, or its file
        is not the one worked on.
    OSError
        When the slide's file cannot be read.
    """
    now, same = project.check_file(slide)
    rows = standing(project.entries(slide.id, pixels=False))
    edits = edits_from(rows, (slide.height, slide.width), project.payload)
    if not same and not edits.is_empty:
        raise ValueError(
            f"The file of slide {slide.id} is not the one that was worked on: open the "
            "project (hubseg review) and say whether it is the same tissue, or put the old file "
            "back."
        )
    probability = newest_map(project, now)
    if probability is None and edits.is_empty:
        raise ValueError(f"Slide {slide.id} has no map and no edits yet: run the ensemble on it.")
    if probability is not None and not partial:
        refuse_partial(probability, slide)
    state = state_from(rows)
    told = now.told(**facts_from(rows))
    threshold = state.threshold(told.organ, told.source)
    values = None if probability is None else probability.values
    cleanup = state.cleanup(told.organ)
    request = MaskRequest(values, threshold, cleanup.in_px(told.um_per_px), edits)
    return Derived(
        slide=told,
        mask=request.compute(),
        probability=probability,
        threshold=threshold,
        cleanup=cleanup,
        verdict=verdict_from(rows),
        corrected=int((edits.override() != 0).sum()) if not edits.is_empty else 0,
    )


def verdicts(project: ReviewProject) -> dict[str, Verdict]:
    """Return every slide's verdict, by id."""
    return {
        slide.id: verdict_from(standing(project.entries(slide.id, pixels=False)))
        for slide in project.slides()
    }
