"""Two people, two copies of one project: how far they agree, and one made of both.

Responsible for comparing two projects slide by slide and for taking single slides over. What is
taken over is a few new rows of the journal, which undo takes back; who made it stays in their
labels. Does not know any view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.derive import derive
from hubseg.journal import Kind, standing
from hubseg.replay import edits_from, note_from, state_from, verdict_from

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hubseg.journal import Entry
    from hubseg.project import ReviewProject, Verdict
    from hubseg.slide import Slide

__all__ = ["Compared", "Side", "compare", "difference", "take_over"]

_WORK = (Kind.GESTURE, Kind.VERDICT, Kind.NOTE, Kind.THRESHOLD)


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
        Dice of the two masks; None where one of them has no mask.
    differing
        Pixels inside one mask and not the other, or None.
    problem
        One sentence about why the masks could not be compared, or "".
    """

    id: str
    first: Side | None
    second: Side | None
    dice: float | None = None
    differing: int | None = None
    problem: str = ""


def compare(first: ReviewProject, second: ReviewProject) -> list[Compared]:
    """Compare two projects slide by slide, in the order of the first.

    Raises
    ------
    ValueError
        When a row of one of them is damaged.
    """
    ours = {slide.id: slide for slide in first.slides()}
    theirs = {slide.id: slide for slide in second.slides()}
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
        a, b = _masks(first, ours, second, theirs)
    except (ValueError, OSError) as error:
        return Compared(slide_id, *sides, problem=str(error))
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    differing = int(np.count_nonzero(a != b))
    dice = 1.0 if not total else (total - differing) / total  # |A|+|B|-|A xor B| = 2|A and B|
    return Compared(slide_id, *sides, dice=dice, differing=differing)


def _side(project: ReviewProject, slide: Slide | None) -> Side | None:
    if slide is None:
        return None
    rows = standing(project.entries(slide.id, pixels=False))
    own = [row for row in rows if row.slide_id == slide.id and row.kind in _WORK]
    authors = tuple(dict.fromkeys(row.author for row in own))
    gestures = sum(row.kind is Kind.GESTURE for row in own)
    return Side(verdict_from(rows), note_from(rows), authors, gestures)


def _masks(
    first: ReviewProject, ours: Slide, second: ReviewProject, theirs: Slide
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if first.digest(ours) != second.digest(theirs):
        raise ValueError(
            f"Slide {ours.id} has other pixels in the second project ({second.digest(theirs)[:8]} "
            f"instead of {first.digest(ours)[:8]}): compare copies of the same slides."
        )
    return derive(first, ours).mask, derive(second, theirs).mask


def difference(first: ReviewProject, second: ReviewProject, slide_id: str) -> NDArray[np.int8]:
    """Return where the masks of a slide differ, int8 (H, W): 1 first only, -1 second only.

    Raises
    ------
    ValueError, OSError
        When one has no such slide or no mask, or their pixels differ.
    """
    ours = next((slide for slide in first.slides() if slide.id == slide_id), None)
    theirs = next((slide for slide in second.slides() if slide.id == slide_id), None)
    if ours is None or theirs is None:
        raise ValueError(f"Only one of the two projects has slide {slide_id}: choose another one.")
    a, b = _masks(first, ours, second, theirs)
    return a.astype(np.int8) - b.astype(np.int8)


def take_over(project: ReviewProject, other: ReviewProject, slide_id: str) -> int:
    """Take what another project says about a slide: edits, own threshold, verdict and note.

    Returns
    -------
    int
        Rows that were added; 0 where both say the same.

    Raises
    ------
    ValueError
        When one of the two has no such slide, or its pixels differ.
    PermissionError
        When `project` cannot be written.
    """
    ours = next((slide for slide in project.slides() if slide.id == slide_id), None)
    theirs = next((slide for slide in other.slides() if slide.id == slide_id), None)
    if ours is None or theirs is None:
        raise ValueError(f"Only one of the two projects has slide {slide_id}: choose another one.")
    if project.digest(ours) != other.digest(theirs):
        raise ValueError(f"Slide {slide_id} has other pixels there: nothing was taken over.")
    if not project.check_file(ours)[1] or not other.check_file(theirs)[1]:
        raise ValueError(
            f"The file of slide {slide_id} is not the one that was worked on, so nothing was taken "
            "over: open the project (hubseg review) and say whether it is the same tissue."
        )
    before, after = _rows(project, slide_id), _rows(other, slide_id)
    shape = ours.height, ours.width
    edits, goal = (
        edits_from(before, shape, project.payload),
        edits_from(after, shape, other.payload),
    )
    by = ", ".join(dict.fromkeys(row.author for row in after if row.slide_id == slide_id))
    project.record_file(ours)
    added = 0
    gesture = edits.towards(goal, f"edits of {by}"[:200])
    if gesture.patches:
        project.append(Kind.GESTURE, gesture.to_bytes(), slide_id=slide_id, label=gesture.kind)
        added += 1
    said: tuple[tuple[Kind, object, object], ...] = (
        (Kind.THRESHOLD, state_from(before).slide_threshold, state_from(after).slide_threshold),
        (Kind.NOTE, note_from(before), note_from(after)),
        (Kind.VERDICT, verdict_from(before).value, verdict_from(after).value),
    )
    for kind, now, then in said:
        changed = now != then or (kind is Kind.VERDICT and added > 0)
        if changed:
            scope = {"scope": "slide"} if kind is Kind.THRESHOLD else {}
            payload = {**scope, "before": now, "after": then}
            project.append(kind, payload, slide_id=slide_id, label=f"{kind} of {by}")
            added += 1
    return added


def _rows(project: ReviewProject, slide_id: str) -> list[Entry]:
    entries: Iterable[Entry] = project.entries(slide_id, pixels=False)
    return standing(entries)
