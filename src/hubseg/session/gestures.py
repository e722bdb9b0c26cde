"""What a person draws on a slide: a region of their own, or what a tool proposes.

Responsible for one gesture being one row of the journal, and for what it does to an accepted mask.
Does not know which tool made a gesture, or how it is undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.journal.rows import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture
    from hubseg.edits.override import Edits
    from hubseg.session.masks import Masks
    from hubseg.session.review import Review
    from hubseg.tools import Change

__all__ = ["Gestures"]


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
    """

    def __init__(self, review: Review, masks: Masks, may_change: Callable[[], bool]) -> None:
        self._review, self._masks, self._may_change = review, masks, may_change

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

    def _touch(self, kind: str, change: Callable[[Edits], Gesture]) -> Gesture | None:
        """Change the edits and commit that as one gesture; an accepted slide is open again then.

        What was accepted and is not what the rules give any more becomes part of the gesture:
        nothing changes where the person did not touch it, and one undo brings the verdict back.
        """
        review, here = self._review, self._review.current
        if here is None or not self._may_change():
            return None
        edits, accepted = review.edits, review.standing.mask
        if edits is None:
            return None
        apart = None if accepted is None else self._apart(accepted)
        if accepted is None or apart is None:
            gesture = change(edits)
        else:
            before = edits.copy()
            edits.put(np.where(apart, np.where(accepted, ADD, ERASE), KEEP).astype(np.uint8))
            if not change(edits).patches:
                edits.apply(edits.towards(before, kind))
                return None
            gesture = before.towards(edits, kind)
        if not gesture.patches:
            return None
        review.keep(Kind.GESTURE, gesture.to_bytes(), here.id, gesture.kind)
        review.follow(gesture)
        return gesture

    def _apart(self, accepted: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Return where the rules' mask is not the accepted one; None where they are the same."""
        rules = self._review.mask_by_rules
        if rules is None:  # not computed yet: a person waits for it this once
            request = self._masks.mask_request()
            self._masks.take_mask(request, request.compute())
            rules = self._review.mask_by_rules
        if rules is None:
            rules = self._masks.mask_request().compute().mask
        apart = rules ^ accepted
        return apart if apart.any() else None
