"""What a person does to a slide: paint, decide, note.

Responsible for gestures, verdicts and notes. Does not know which tool made a gesture, or how they
are undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.journal.accepted import AcceptedMask, PackedMask
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.session.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture
    from hubseg.edits.override import Edits
    from hubseg.project.derived import OlderMask
    from hubseg.slide import Slide
    from hubseg.tools import Change

__all__ = ["Work"]


class Work(Steps):
    """Paint, decide, note."""

    def paint(
        self,
        region: NDArray[np.bool_],
        *,
        top: int = 0,
        left: int = 0,
        add: bool | None,
        kind: str = "brush",
    ) -> Gesture | None:
        """Add or erase a region as one gesture, committed before this returns.

        Parameters
        ----------
        region
            Bool (h, w); True where it acts. What lies outside the slide is ignored.
        top, left
            Where the region lies on the slide, px.
        add
            True adds, False erases, None gives the pixels back to the model.
        kind
            What a person calls it; the text of undo.

        Returns
        -------
        Gesture or None
            None when nothing changed, or nothing may be changed (`failed` says why).

        Raises
        ------
        ValueError
            When `region` is not a bool (h, w) array.
        """
        if self._current is None or self._edits is None or not self._may_change():
            return None
        value = KEEP if add is None else ADD if add else ERASE
        return self._touch(
            kind, lambda edits: edits.paint(region, top=top, left=left, value=value, kind=kind)
        )

    def put(self, change: Change) -> Gesture | None:
        """Do what a tool proposes as one gesture, committed before this returns.

        Parameters
        ----------
        change
            What :mod:`hubseg.tools` made of :attr:`mask` and the map.

        Returns
        -------
        Gesture or None
            None when nothing changed, or nothing may be changed (`failed` says why).
        """
        if self._current is None or self._edits is None or not self._may_change():
            return None
        return self._touch(
            change.kind,
            lambda edits: edits.put(
                change.values, top=change.top, left=change.left, kind=change.kind
            ),
        )

    def _touch(self, kind: str, change: Callable[[Edits], Gesture]) -> Gesture | None:
        """Change the edits and commit that as one gesture; an accepted slide is open again then.

        What was accepted and is not what the rules give any more becomes part of the gesture:
        nothing changes where the person did not touch it, and one undo brings the verdict back.
        """
        if self._current is None or self._edits is None:
            return None
        accepted = self._standing.mask
        apart = None if accepted is None else self._apart(accepted)
        if accepted is None or apart is None:
            gesture = change(self._edits)
        else:
            before = self._edits.copy()
            self._edits.put(np.where(apart, np.where(accepted, ADD, ERASE), KEEP).astype(np.uint8))
            if not change(self._edits).patches:
                self._edits.apply(self._edits.towards(before, kind))
                return None
            gesture = before.towards(self._edits, kind)
        if not gesture.patches:
            return None
        self._keep(Kind.GESTURE, gesture.to_bytes(), self._current.id, gesture.kind)
        self._follow(gesture)
        return gesture

    def _apart(self, accepted: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Return where the rules' mask is not the accepted one; None where they are the same."""
        rules = self.mask_by_rules
        if rules is None:  # not computed yet: a person waits for it this once
            request = self.mask_request()
            self.take_mask(request, request.compute())
            rules = self.mask_by_rules
        if rules is None:
            rules = self.mask_request().compute().mask
        apart = rules ^ accepted
        return apart if apart.any() else None

    def set_verdict(self, verdict: Verdict, *, as_empty: bool = False) -> None:
        """Decide about the current slide; stays on it.

        A verdict that accepts keeps the mask as it is now, and is not given where that cannot be
        written: `failed` says why.

        Parameters
        ----------
        verdict
            What is decided.
        as_empty
            Accept a slide that shows no map, with what is drawn on it: there is nothing else to
            mark.
        """
        here = self._current
        if here is None or not self._may_change() or verdict is self.verdict(here.id):
            return
        if not verdict.stands:
            self._give(verdict, None, f"{verdict} slide {here.id}")
        elif self.previewed_step:
            self.preview_step("")
            self.failed.emit("The mask was shown before its last steps: look at all of it first.")
        elif self._probability is None and not as_empty and (why := self._why_unseen(here)):
            self.failed.emit(why)
        else:
            empty = " as empty" if as_empty and self.nothing_to_accept else ""
            self._give(verdict, self.mask_now(), f"accepted slide {here.id}{empty}")

    def _why_unseen(self, slide: Slide) -> str:
        """Return why a slide without a map on screen is not accepted as it is; "" when it may."""
        try:
            was_run = self._was_run(slide)
        except OSError as error:
            return str(error)
        if was_run:
            return (
                f"The map of slide {slide.id} is not on screen: wait for it, or run the ensemble "
                "again."
            )
        if self._nothing_drawn:
            return (
                f"Slide {slide.id} has no map and nothing is drawn on it: run the ensemble, or "
                "accept it as empty."
            )
        return ""

    def accept_anew(self) -> None:
        """Accept what the rules give now (:attr:`mask_by_rules`) in place of the accepted mask."""
        if self.accepted is None or not self._may_change():
            return
        rules = self.mask_by_rules
        if rules is None:
            self.failed.emit("The mask that the rules give now is being computed: wait for it.")
        else:
            label = f"accepted slide {self._current.id} anew" if self._current else ""
            self._give(self._acceptance, rules, label)

    def _give(self, verdict: Verdict, mask: NDArray[np.bool_] | None, label: str) -> None:
        """Commit a verdict, together with the mask that it stands for."""
        here = self._current
        if here is None:
            return
        payload: dict[str, Any] = {"before": self.verdict(here.id), "after": verdict}
        packed = None if mask is None else PackedMask.of(mask)
        try:
            if packed is not None:
                self._record_file()
                payload["accepted"] = self._made_of(packed, here).to_facts()
            self._keep(Kind.VERDICT, payload, here.id, label, mask=packed)
        except OSError as error:
            self.failed.emit(f"The verdict on slide {here.id} was not given: {error}")
            return
        self._follow()

    def _made_of(self, packed: PackedMask, slide: Slide) -> AcceptedMask:
        found = self._probability
        return AcceptedMask(
            packed.digest,
            self._open_project().digest(slide),
            self.threshold,
            self.cleanup,
            "" if found is None else found.recipe_digest,
            (0, 0) if found is None else (found.done, found.total),
        )

    def keep_older(self, found: OlderMask | None) -> None:
        """Keep the mask of a verdict that an older version gave (:attr:`unkept`).

        Parameters
        ----------
        found
            What :func:`hubseg.project.derived.older_mask` found, in any thread; None is nothing
            to keep.
        """
        if found is None or not self._writable or found.slide_id not in self.unkept:
            return
        self.unkept = tuple(i for i in self.unkept if i != found.slide_id)
        try:
            entry = found.keep(self._open_project())
        except OSError as error:
            self.failed.emit(str(error))
            return
        if self._current is not None and self._current.id == found.slide_id:
            self._history.record(entry)
            self._follow()

    @property
    def _acceptance(self) -> Verdict:
        return Verdict.ACCEPTED if self._nothing_drawn else Verdict.CORRECTED

    @property
    def note(self) -> str:
        """What was noted about the current slide."""
        return SlideState(self._history.done).note if self._current is not None else ""

    def set_note(self, note: str, slide_id: str | None = None) -> None:
        """Note something about a slide; one row, which undo takes back where it was made.

        Parameters
        ----------
        note
            Blanks around it are left out; "" takes the note away.
        slide_id
            Which slide; None is the current one.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        note = note.strip()
        here = self._current.id if self._current is not None else None
        slide_id = slide_id or here
        if slide_id is None or note == self.note_on(slide_id) or not self._may_change():
            return
        payload = {"before": self.note_on(slide_id), "after": note}
        if slide_id == here:
            self._keep(Kind.NOTE, payload, slide_id, "note")
            self._follow()
        else:  # a row of another slide is none of what can be undone here
            self._record_file(self._slides[slide_id])
            self._open_project().append(Kind.NOTE, payload, slide_id=slide_id, label="note")
            self._set_known_note(slide_id, note)
            self._report()

    def accept(self, *, as_empty: bool = False) -> None:
        """Accept the current slide: corrected when a person edited it, accepted otherwise.

        See :meth:`set_verdict`.
        """
        self.set_verdict(self._acceptance, as_empty=as_empty)

    def flag(self) -> None:
        """Flag the current slide for a second look."""
        self.set_verdict(Verdict.FLAGGED)

    def reject(self) -> None:
        """Reject the current slide: it is not to be used."""
        self.set_verdict(Verdict.REJECTED)
