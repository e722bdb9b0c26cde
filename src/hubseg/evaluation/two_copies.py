"""Two people, two copies of one project: how far they agree.

Responsible for comparing two projects slide by slide. Does not know any view, or how one is made of
both (:mod:`hubseg.evaluation.merging`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.journal.rows import WORK
from hubseg.journal.slide_state import SlideState
from hubseg.project.derived import derive, masks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.journal.verdict import Verdict
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

    Pair = tuple[NDArray[np.bool_], NDArray[np.bool_]]

__all__ = ["Compared", "Side", "compare", "difference"]


@dataclass(frozen=True, slots=True)
class Side:
    """What one project says about a slide.

    Attributes
    ----------
    verdict, note
        What was decided and noted.
    authors
        Who worked on the slide, in order of their first row.
    gestures
        How many stand.
    """

    verdict: Verdict
    note: str
    authors: tuple[str, ...]
    gestures: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One slide in two projects.

    Attributes
    ----------
    id
        The slide.
    first, second
        What each says; None where it does not have the slide.
    dice
        Dice of the two masks, of all structures together; None where one of them has no mask.
    differing
        Pixels inside one mask and not the other, counted for each structure, or None.
    problem
        One sentence about why the masks could not be compared, or "".
    """

    id: str
    first: Side | None
    second: Side | None
    dice: float | None = None
    differing: int | None = None
    problem: str = ""

    @property
    def both_accepted(self) -> bool:
        """Whether people stand behind two masks of it that differ."""
        sides = (self.first, self.second)
        return bool(self.differing) and all(side and side.verdict.stands for side in sides)


def compare(first: ReviewProject, second: ReviewProject) -> list[Compared]:
    """Compare two projects slide by slide, in the order of the first.

    Raises
    ------
    ValueError
        When a row of one of them is damaged.
    """
    ours = {slide.id: slide for slide in first.slides(overviews=True)}
    theirs = {slide.id: slide for slide in second.slides(overviews=True)}
    return [
        _compared(slide_id, first, ours.get(slide_id), second, theirs.get(slide_id))
        for slide_id in dict.fromkeys((*ours, *theirs))
    ]


def _compared(
    slide_id: str,
    first: ReviewProject,
    ours: Slide | None,
    second: ReviewProject,
    theirs: Slide | None,
) -> Compared:
    sides = (_side(first, ours), _side(second, theirs))
    if ours is None or theirs is None:
        return Compared(slide_id, *sides, problem="only one of the two has this slide")
    try:
        pairs = _pairs(first, ours, second, theirs)
    except (ValueError, OSError) as error:
        return Compared(slide_id, *sides, problem=str(error))
    total = sum(int(np.count_nonzero(one)) for pair in pairs for one in pair)
    differing = sum(int(np.count_nonzero(a != b)) for a, b in pairs)
    dice = 1.0 if not total else (total - differing) / total  # |A|+|B|-|A xor B| = 2|A and B|
    return Compared(slide_id, *sides, dice=dice, differing=differing)


def _side(project: ReviewProject, slide: Slide | None) -> Side | None:
    if slide is None:
        return None
    state = SlideState.read(project, slide.id)
    own = [row for row in state.rows if row.slide_id == slide.id and row.kind in WORK]
    authors = tuple(dict.fromkeys(row.author for row in own))
    return Side(state.verdict, state.note, authors, len(state.gestures))


def _check_pixels(first: ReviewProject, ours: Slide, second: ReviewProject, theirs: Slide) -> None:
    if first.digest(ours) != second.digest(theirs):
        raise ValueError(
            f"Slide {ours.id} has other pixels in the second project ({second.digest(theirs)[:8]} "
            f"instead of {first.digest(ours)[:8]}): compare copies of the same slides."
        )


def _pairs(first: ReviewProject, ours: Slide, second: ReviewProject, theirs: Slide) -> list[Pair]:
    """Return the two masks of each structure; one that only one of the two has is empty there."""
    _check_pixels(first, ours, second, theirs)
    here, there = masks_of(first, ours), masks_of(second, theirs)
    if len(here) == len(there) == 1:  # whatever it is called
        return list(zip(here.values(), there.values(), strict=True))
    nothing = np.zeros((ours.height, ours.width), np.bool_)
    names = dict.fromkeys((*here, *there))
    return [(here.get(name, nothing), there.get(name, nothing)) for name in names]


def difference(first: ReviewProject, second: ReviewProject, slide_id: str) -> NDArray[np.int8]:
    """Return where the masks of a slide differ, int8 (H, W): 1 first only, -1 second only.

    Raises
    ------
    ValueError, OSError
        When one has no such slide or no mask, or their pixels differ.
    """
    ours = next((slide for slide in first.slides(overviews=True) if slide.id == slide_id), None)
    theirs = next((slide for slide in second.slides(overviews=True) if slide.id == slide_id), None)
    if ours is None or theirs is None:
        raise ValueError(f"Only one of the two projects has slide {slide_id}: choose another one.")
    _check_pixels(first, ours, second, theirs)
    a, b = derive(first, ours).mask, derive(second, theirs).mask
    return a.astype(np.int8) - b.astype(np.int8)
