"""Two people, two copies of one project: how far they agree, and one made of both.

Responsible for comparing two projects slide by slide and for taking single slides over. What is
taken over is a few new rows of the journal, which undo takes back; who made it stays in their
labels. Does not know any view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from hubseg.journal.rows import Kind, standing
from hubseg.journal.slide_state import SlideState
from hubseg.project.derived import derive
from hubseg.project.imported import imported_mask, newest_run_id
from hubseg.project.older_masks import older_mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.journal.accepted import AcceptedMask, PackedMask
    from hubseg.journal.imported import ImportedMask
    from hubseg.journal.verdict import Verdict
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Compared", "Side", "compare", "difference", "take_over"]

_WORK = (Kind.GESTURE, Kind.VERDICT, Kind.NOTE, Kind.THRESHOLD, Kind.IMPORTED)


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
    state = SlideState.read(project, slide.id)
    own = [row for row in state.rows if row.slide_id == slide.id and row.kind in _WORK]
    authors = tuple(dict.fromkeys(row.author for row in own))
    return Side(state.verdict, state.note, authors, len(state.gestures))


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


def take_over(
    project: ReviewProject,
    other: ReviewProject,
    slide_id: str,
    *,
    conflict: Literal["ours", "theirs"] | None = None,
) -> int:
    """Take what another project says about a slide: edits, own threshold, verdict and note.

    A verdict that accepts comes with the very mask that was accepted there, and so does a mask that
    was imported there for the slide to start from, where no run has taken its place.

    Parameters
    ----------
    conflict
        What holds where a mask was accepted here and the other project, which does not go on from
        that, says something else: ``ours`` leaves the slide as it is, ``theirs`` takes it over;
        None refuses.

    Returns
    -------
    int
        Rows that were added; 0 where both say the same, or ours holds.

    Raises
    ------
    ValueError
        When one of the two has no such slide, its pixels differ, or a person must choose.
    OSError
        When `project` cannot be written.
    """
    ours, theirs = _pair(project, other, slide_id)
    before, after = _Said.of(project, ours), _Said.of(other, theirs)
    gesture = before.edits.towards(after.edits, f"edits of {after.by}"[:200])
    facts = before.told(after, drawn=bool(gesture.patches))
    if not facts and not gesture.patches:
        return 0
    if before.accepted is not None and not before.rows <= after.rows:
        if conflict == "ours" or (conflict is None and after.rows <= before.rows):
            return 0
        if conflict is None:
            raise ValueError(_question(slide_id, before, after))
    project.record_file(ours)
    if gesture.patches:
        project.append(Kind.GESTURE, gesture.to_bytes(), slide_id=slide_id, label=gesture.kind)
    for kind, payload in facts:
        label = f"{kind} of {after.by}"
        mask = {Kind.VERDICT: after.mask, Kind.IMPORTED: after.start}.get(kind)
        project.append(kind, payload, slide_id=slide_id, label=label, mask=mask)
    return len(facts) + bool(gesture.patches)


def _pair(project: ReviewProject, other: ReviewProject, slide_id: str) -> tuple[Slide, Slide]:
    """Return a slide as both projects have it, with one content that both were worked on."""
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
    return ours, theirs


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """All that one project says about a slide.

    `rows` are those of its journal, by number and time: of two copies of a project one goes on
    from the other when it has all rows of the other.
    """

    rows: frozenset[tuple[int, datetime]]
    by: str
    edits: Edits
    thresholds: Mapping[Any, float]  # its own, by structure
    note: str
    verdict: Verdict
    accepted: AcceptedMask | None
    mask: PackedMask | None
    imported: ImportedMask | None
    start: PackedMask | None
    run: str

    @classmethod
    def of(cls, project: ReviewProject, slide: Slide) -> Self:
        entries = project.entries(slide.id, pixels=False)
        state = SlideState(standing(entries))
        own = [row for row in state.rows if row.slide_id == slide.id]
        accepted, mask = _accepted(project, slide, state)
        imported = imported_mask(project, slide.id, state)
        return cls(
            rows=frozenset((row.seq, row.at) for row in entries if row.slide_id == slide.id),
            by=", ".join(dict.fromkeys(row.author for row in own if row.kind in _WORK)),
            edits=state.edits((slide.height, slide.width), project.payload),
            thresholds=state.rules.slide_thresholds,
            note=state.note,
            verdict=state.verdict,
            accepted=accepted,
            mask=mask,
            imported=imported,
            start=None if imported is None else project.mask(imported.digest),
            run=newest_run_id(project, slide.id),
        )

    def told(self, after: _Said, *, drawn: bool) -> list[tuple[Kind, dict[str, Any]]]:
        """Return the rows that bring what is said here to what is said there, edits left out."""
        rows: list[tuple[Kind, dict[str, Any]]] = []
        start, here = after.imported, self.imported
        if start is not None and (here is None or here.digest != start.digest):
            rows.append((Kind.IMPORTED, replace(start, run=self.run).to_facts()))
            drawn = True
        for one in dict.fromkeys((*self.thresholds, *after.thresholds)):
            before, now = self.thresholds.get(one), after.thresholds.get(one)
            if before != now:
                what = {} if one is None else {"structure": one}
                change = {"scope": "slide", **what, "before": before, "after": now}
                rows.append((Kind.THRESHOLD, change))
        if self.note != after.note:
            rows.append((Kind.NOTE, {"before": self.note, "after": after.note}))
        if drawn or self.verdict != after.verdict or self._mask_digest != after._mask_digest:
            verdict = {"before": self.verdict.value, "after": after.verdict.value}
            accepted = {} if after.accepted is None else {"accepted": after.accepted.to_facts()}
            rows.append((Kind.VERDICT, {**verdict, **accepted}))
        return rows

    @property
    def _mask_digest(self) -> str:
        return "" if self.accepted is None else self.accepted.digest


def _accepted(
    project: ReviewProject, slide: Slide, state: SlideState
) -> tuple[AcceptedMask | None, PackedMask | None]:
    """Return the mask that a person accepted, kept or as the journal says it stood; or None."""
    stands = state.stands
    if stands is None:
        return None, None
    if stands.accepted is not None:
        return stands.accepted, project.mask(stands.accepted.digest)
    older = older_mask(project, slide)
    return (None, None) if older is None else (older.accepted, older.packed)


def _question(slide_id: str, ours: _Said, theirs: _Said) -> str:
    if ours.mask is None or theirs.mask is None:
        differ = f"accepted here (by {ours.by}) and {theirs.verdict} there (by {theirs.by})"
    else:
        count = int(np.count_nonzero(ours.mask.unpack() ^ theirs.mask.unpack()))
        differ = (
            f"accepted here (by {ours.by}) and there (by {theirs.by}) with masks that differ in "
            f"{count} px"
        )
    return (
        f"Slide {slide_id} was {differ}, so nothing was taken over: look at both (hubseg compare), "
        "then say --conflict ours or --conflict theirs."
    )
