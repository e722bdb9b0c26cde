"""One project made of two copies: what another one says about a slide is taken over.

Responsible for what is taken over as a few new rows of the journal, which undo takes back; who made
it stays in their labels. Does not know any view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from hubseg.journal.accepted import accepted_facts
from hubseg.journal.rows import WORK, Kind, standing
from hubseg.journal.slide_state import SlideState
from hubseg.project.imported import newest_run_id
from hubseg.project.older_masks import older_mask
from hubseg.project.words import take_vocabulary, vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hubseg.edits.structures import SlideEdits
    from hubseg.journal.accepted import AcceptedMask, PackedMask
    from hubseg.journal.imported import ImportedMask
    from hubseg.journal.verdict import Verdict
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["take_over", "take_words"]


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
    label = f"edits of {after.by}"[:200]
    gesture = before.edits.towards(after.edits, label)
    facts = before.told(after, drawn=bool(gesture))
    if not facts and not gesture:
        return int(take_words(project, other))
    if before.accepted and not before.rows <= after.rows:
        if conflict == "ours" or (conflict is None and after.rows <= before.rows):
            return 0
        if conflict is None:
            raise ValueError(_question(slide_id, before, after))
    taken = take_words(project, other)
    project.record_file(ours)
    if gesture:
        project.append(Kind.GESTURE, gesture.to_bytes(), slide_id=slide_id, label=label)
    for kind, payload in facts:
        label, masks = f"{kind} of {after.by}", after.masks(kind, payload)
        project.append(kind, payload, slide_id=slide_id, label=label, masks=masks)
    return len(facts) + bool(gesture) + taken


def take_words(project: ReviewProject, other: ReviewProject) -> bool:
    """Take over organs, sources and structures that only the other project knows.

    Where both say something of a word, what is said here holds. Returns whether there were any.

    Raises
    ------
    OSError
        When `project` cannot be written.
    """
    ours, theirs = vocabulary_of(project), vocabulary_of(other)
    both = ours.over(theirs.over(ours))  # in the order of ours: numbers of classes stay
    return both != ours and take_vocabulary(project, both, "words of another copy")


def _pair(project: ReviewProject, other: ReviewProject, slide_id: str) -> tuple[Slide, Slide]:
    """Return a slide as both projects have it, with one content that both were worked on."""
    ours = next((slide for slide in project.slides(overviews=True) if slide.id == slide_id), None)
    theirs = next((slide for slide in other.slides(overviews=True) if slide.id == slide_id), None)
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
    from the other when it has all rows of the other. `packed` are the accepted and the imported
    masks, by digest.
    """

    rows: frozenset[tuple[int, datetime]]
    by: str
    edits: SlideEdits
    thresholds: Mapping[Any, float]  # its own, by structure
    note: str
    verdict: Verdict
    accepted: tuple[AcceptedMask, ...]
    imported: Mapping[Any, ImportedMask]  # by structure
    packed: Mapping[str, PackedMask]
    run: str

    @classmethod
    def of(cls, project: ReviewProject, slide: Slide) -> Self:
        entries = project.entries(slide.id, pixels=False)
        state = SlideState(standing(entries))
        own = [row for row in state.rows if row.slide_id == slide.id]
        accepted, packed = _accepted(project, slide, state)
        run = newest_run_id(project, slide.id)
        imported = {name: one for name, one in state.imported.items() if one.run == run}
        starts = {one.digest: project.mask(one.digest) for one in imported.values()}
        return cls(
            rows=frozenset((row.seq, row.at) for row in entries if row.slide_id == slide.id),
            by=", ".join(dict.fromkeys(row.author for row in own if row.kind in WORK)),
            edits=state.edits((slide.height, slide.width), project.payload),
            thresholds=state.rules.slide_thresholds,
            note=state.note,
            verdict=state.verdict,
            accepted=accepted,
            imported=imported,
            packed={**packed, **starts},
            run=run,
        )

    def masks(self, kind: Kind, facts: Mapping[str, Any]) -> tuple[PackedMask, ...]:
        """Return the masks that a row of :meth:`told` stands for."""
        if kind is Kind.IMPORTED:
            return (self.packed[facts["digest"]],)
        accepted = self.accepted if kind is Kind.VERDICT else ()
        return tuple(self.packed[one.digest] for one in accepted)

    def told(self, after: _Said, *, drawn: bool) -> list[tuple[Kind, dict[str, Any]]]:
        """Return the rows that bring what is said here to what is said there, edits left out."""
        rows: list[tuple[Kind, dict[str, Any]]] = []
        for name, start in after.imported.items():
            here = self.imported.get(name)
            if here is None or here.digest != start.digest:
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
        if drawn or self.verdict != after.verdict or self._digests != after._digests:
            verdict = {"before": self.verdict.value, "after": after.verdict.value}
            rows.append((Kind.VERDICT, {**verdict, **accepted_facts(after.accepted)}))
        return rows

    @property
    def _digests(self) -> tuple[tuple[Any, str], ...]:
        return tuple((one.structure, one.digest) for one in self.accepted)


def _accepted(
    project: ReviewProject, slide: Slide, state: SlideState
) -> tuple[tuple[AcceptedMask, ...], dict[str, PackedMask]]:
    """Return the masks that a person accepted, kept or as the journal says they stood; or ()."""
    stands = state.stands
    if stands is None:
        return (), {}
    if stands.masks:
        return stands.masks, {one.digest: project.mask(one.digest) for one in stands.masks}
    older = older_mask(project, slide)
    return ((), {}) if older is None else ((older.accepted,), {older.packed.digest: older.packed})


def _question(slide_id: str, ours: _Said, theirs: _Said) -> str:
    if not ours.accepted or not theirs.accepted:
        differ = f"accepted here (by {ours.by}) and {theirs.verdict} there (by {theirs.by})"
    else:
        differ = (
            f"accepted here (by {ours.by}) and there (by {theirs.by}) with masks that differ in "
            f"{_apart(ours, theirs)} px"
        )
    return (
        f"Slide {slide_id} was {differ}, so nothing was taken over: look at both (hubseg compare), "
        "then say --conflict ours or --conflict theirs."
    )


def _apart(ours: _Said, theirs: _Said) -> int:
    """Count the px in which accepted masks differ, of each structure."""
    masks = [
        {one.structure: said.packed[one.digest].unpack() for one in said.accepted}
        for said in (ours, theirs)
    ]
    count = 0
    for name in dict.fromkeys((*masks[0], *masks[1])):
        given = [one[name] for one in masks if name in one]
        count += int(np.count_nonzero(given[0] ^ given[1] if len(given) > 1 else given[0]))
    return count
