"""What a person draws on a slide: a region of their own, or what a tool proposes.

Responsible for one gesture being one row of the journal, and for what it does to an accepted mask.
Does not know which tool made a gesture, or how it is undone.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.edits.structures import SlideGesture
from hubseg.journal.rows import Kind
from hubseg.journal.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture
    from hubseg.edits.override import Edits
    from hubseg.edits.structures import SlideEdits
    from hubseg.organ import StructureName
    from hubseg.session.masks import Masks
    from hubseg.session.review import Review
    from hubseg.tools import Change

__all__ = ["Gestures", "opened_again"]

_OWN = re.compile(r"local threshold (\d+)")  # the label of a gesture that gave an object its own


class Gestures:
    """Paint, and put what a tool proposes.

    Parameters
    ----------
    review
        Whose edits are changed.
    masks
        Say what the rules give, where a mask is accepted.
    may_change
        Asked before anything is written; says why when it is not.

    Attributes
    ----------
    kept_as_drawn
        Whether the slide that was opened again last has something as drawn that was accepted, and
        that its settings did not give any more.
    """

    def __init__(self, review: Review, masks: Masks, may_change: Callable[[], bool]) -> None:
        self._review, self._masks, self._may_change = review, masks, may_change
        self.kept_as_drawn = False

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
        return self._touch(
            change.kind,
            lambda edits: edits.put(
                change.values, top=change.top, left=change.left, kind=change.kind
            ),
        )

    def threshold_at(self, row: int, column: int) -> float:
        """Return the threshold that the object at a place was given last, else the slide's.

        Parameters
        ----------
        row, column
            px of the slide on screen.

        Raises
        ------
        ValueError, OSError
            When a row of the journal is damaged, or the project cannot be read.
        """
        review = self._review
        for entry in reversed(review.history.done):
            own = _OWN.match(entry.label) if entry.kind is Kind.GESTURE else None
            if own is None:
                continue
            payload = review.open_project().payload(entry.seq)
            top, left, height, width = SlideGesture.from_bytes(payload).window
            if top <= row < top + height and left <= column < left + width:
                return float(own[1])
        return review.threshold

    def reassign(
        self, region: NDArray[np.bool_], to: StructureName | None, *, top: int = 0, left: int = 0
    ) -> Gesture | None:
        """Make a region of the chosen structure another one's, as one gesture.

        Parameters
        ----------
        region
            Bool (h, w), such as an object of :attr:`mask`.
        to
            The structure that it is of.
        top, left
            Where the region lies on the slide, px.

        Returns
        -------
        Gesture or None
            What that changed of the chosen structure; None when nothing, or nothing may be changed
            (`failed` says why).

        Raises
        ------
        ValueError
            When the slide does not have the structure.
        """
        structures = self._review.structures
        if to not in structures.here:
            raise ValueError(f"The slide has no {to}: choose one of its structures.")
        if to == structures.chosen:
            return None
        kind = f"reassign to {to or 'object'}"

        def draw(value: int) -> Callable[[Edits], Gesture]:
            return lambda edits: edits.paint(region, top=top, left=left, value=value, kind=kind)

        def move(edits: SlideEdits) -> None:
            edits.draw(to, draw(ADD), named=True, rivals=structures.rivals_of(to))
            edits.draw(structures.chosen, draw(ERASE), named=True)

        return self._together(kind, move)

    def open_again(self) -> None:
        """Open an accepted slide again, its masks as they were accepted; one row of the journal.

        What the rules do not give any more is drawn, as a stroke would have it; undo brings the
        verdict back.
        """
        review, edits = self._review, self._review.structures.edits
        here = review.current
        if here is None or edits is None or not self._may_change():
            return
        verdict = review.catalogue.verdict(here.id)
        if not verdict.stands:
            return
        before, label = edits.copy(), opened_again(here.id)
        if self._masks.are_accepted:
            self._keep_accepted(edits)
        gesture = before.towards(edits, label)
        if gesture:
            review.keep(Kind.GESTURE, gesture.to_bytes(), here.id, label)
            review.follow_edits()
            review.follow(gesture)
        else:
            given = {"before": verdict, "after": Verdict.IN_WORK}
            review.keep(Kind.VERDICT, given, here.id, label)
            review.follow()

    def _touch(self, kind: str, change: Callable[[Edits], Gesture]) -> Gesture | None:
        """Change the edits and commit that as one gesture; an accepted slide is open again then."""
        review, structures = self._review, self._review.structures
        if self._masks.are_accepted:
            return self._together(kind, partial(self._draw, change))
        if review.current is None or not self._may_change() or structures.edits is None:
            return None
        gesture = self._draw(change, structures.edits)
        return self._commit(gesture, kind)

    def _draw(self, change: Callable[[Edits], Gesture], edits: SlideEdits) -> SlideGesture:
        structures = self._review.structures
        several = structures.several
        what = structures.chosen if several else None
        return edits.draw(what, change, named=several, rivals=structures.rivals)

    def _together(self, kind: str, change: Callable[[SlideEdits], object]) -> Gesture | None:
        """Change the edits of several structures as one gesture.

        What was accepted and is not what the rules give any more becomes part of it: nothing
        changes where the person did not touch it, and one undo brings the verdict back.
        """
        review, edits = self._review, self._review.structures.edits
        if review.current is None or not self._may_change() or edits is None:
            return None
        before = edits.copy()
        self._keep_accepted(edits)
        kept = edits.copy()
        change(edits)
        if not kept.towards(edits, kind):
            edits.apply(edits.towards(before, kind))
            review.follow_edits()
            return None
        return self._commit(before.towards(edits, kind), kind)

    def _keep_accepted(self, edits: SlideEdits) -> None:
        """Draw what was accepted where it is not what the rules give any more."""
        structures, masks = self._review.structures, self._masks
        self.kept_as_drawn = False
        for name, accepted in masks.accepted().items():
            region = self._rules(name) ^ accepted
            if region.any():
                self.kept_as_drawn = True
                values = np.where(region, np.where(accepted, ADD, ERASE), KEEP).astype(np.uint8)
                what = name if structures.several else None
                edits.draw(what, partial(_put, values), named=structures.several)

    def _commit(self, gesture: SlideGesture, label: str) -> Gesture | None:
        review, structures = self._review, self._review.structures
        if not gesture or review.current is None:
            return None
        if structures.several:
            label = f"{label} ({structures.chosen or 'object'})"
        review.keep(Kind.GESTURE, gesture.to_bytes(), review.current.id, label)
        review.follow(gesture)
        return gesture.of(structures.chosen) or gesture.of(None) or gesture.parts[0][1]

    def _rules(self, structure: StructureName | None) -> NDArray[np.bool_]:
        """Return what the rules give of a structure, bool (H, W)."""
        if structure != self._review.structures.chosen:
            return self._review.beside.of(structure).mask
        rules = self._review.mask_by_rules
        if rules is None:  # not computed yet: a person waits for it this once
            request = self._masks.mask_request()
            self._masks.take_mask(request, request.compute())
            rules = self._review.mask_by_rules
        return self._masks.mask_request().compute().mask if rules is None else rules


def opened_again(slide_id: str) -> str:
    """Return what the row is called that opened an accepted slide again."""
    return f"opened slide {slide_id} again"


def _put(values: NDArray[np.uint8], edits: Edits) -> Gesture:
    return edits.put(values)
