"""Objects of the slide on screen that a person removed or kept, and what else looks like them.

Responsible for reading decisions out of the journal, whoever made them and before which restart,
and for comparing the slide's other objects with them in any thread. Does not know how alike an
object has to be, or other slides (:mod:`hubseg.session.elsewhere`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.edits.structures import SlideGesture
from hubseg.journal.rows import Kind
from hubseg.tools.alike import Likeness, undecided
from hubseg.tools.decided import decided_objects, with_objects
from hubseg.tools.looks import Looks, Seen, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture
    from hubseg.edits.override import Edits
    from hubseg.journal.rows import Entry
    from hubseg.session.review import Review
    from hubseg.slide import Slide
    from hubseg.tools.alike import Decision
    from hubseg.tools.piece import Piece

__all__ = ["Alike", "AlikeRequest", "Decisions"]

_DECIDED: Final = re.compile(r"(drop|keep) (?:object|\d+ like this)(?: \((.+)\))?$")
_REMEMBERED: Final = 64  # decisions that count, the newest ones
_NOTHING: Final = "Remove or keep an object of this slide first: then all like it can be found."


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """The undecided objects of a slide, and how alike each is to those that were decided about.

    Attributes
    ----------
    how
        What was decided, and is offered for these.
    pieces
        The objects, the most alike first.
    alike
        float64 (objects,), 0-1, of each.
    likeness
        What objects of other slides can be compared with.
    mask
        The slide's mask that they are objects of, bool (H, W).
    """

    how: Decision
    pieces: tuple[Piece, ...]
    alike: NDArray[np.float64]
    likeness: Likeness
    mask: NDArray[np.bool_]

    def count(self, least: float) -> int:
        """Return how many objects are at least as alike."""
        return int(np.count_nonzero(self.alike >= least))


@dataclass(frozen=True, slots=True, eq=False)
class AlikeRequest:
    """All that is needed to compare the objects of a slide, frozen; for any thread.

    Attributes
    ----------
    how
        What was decided last.
    slide
        Whose pixels are read.
    mask
        bool (H, W), the request's own.
    base
        The mask without edits, bool (H, W), never written; None is nothing.
    values, disagreement
        Of the map (:class:`hubseg.tools.looks.Seen`).
    edits
        A copy of its own; None is nothing.
    decided
        What was decided, oldest first, with the gesture that did it.
    """

    how: Decision
    slide: Slide
    mask: NDArray[np.bool_]
    base: NDArray[np.bool_] | None
    values: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None
    edits: Edits | None
    decided: tuple[tuple[Decision, Gesture], ...]

    def compute(self) -> Alike:
        """Compare.

        Raises
        ------
        ValueError
            When nothing of what was decided is an object of the map now.
        OSError
            When the slide's pixels cannot be read.
        """
        seen = Seen(self.slide.read(), self.values, self.disagreement, self.slide.um_per_px)
        found: dict[str, list[Piece]] = {"drop": [], "keep": []}
        for how, gesture in self.decided:
            found[how] += decided_objects(how, gesture, self.base, self.mask)
        so, otherwise = found[self.how], found["keep" if self.how == "drop" else "drop"]
        objects = with_objects(self.mask, (*so, *otherwise))
        left = undecided(pieces_of(self.mask), self.how, self.edits)
        looks = Looks.of(left, objects, seen)
        decided = [Looks.of(pieces, objects, seen) for pieces in (so, otherwise)]
        likeness = Likeness.of(self.how, decided[0], decided[1], looks)
        alike = likeness.judge(looks)
        order = np.argsort(-alike, kind="stable")
        pieces = tuple(left[i] for i in order)
        return Alike(self.how, pieces, alike[order], likeness, self.mask)


class Decisions:
    """What was decided about objects of the slide on screen.

    Parameters
    ----------
    review
        Whose journal is read.
    """

    def __init__(self, review: Review) -> None:
        self._review = review

    @property
    def last(self) -> Decision | None:
        """What was decided about an object just now; None where the last step was another one."""
        review, step = self._review, self._review.history.last_step
        return None if step is None or review.current is None else self._decision(step)

    def request(self) -> AlikeRequest:
        """Return what compares the slide's other objects with those decided about.

        Raises
        ------
        ValueError
            When the last step here was no such decision, there is no map to compare by, or a
            gesture is damaged.
        """
        review, how = self._review, self.last
        slide, mask, found = review.current, review.mask, review.probability
        if how is None or slide is None or mask is None or review.live is None:
            raise ValueError(_NOTHING)
        if found is None:
            raise ValueError(
                f"Slide {slide.id} has no map, by which objects are compared: run the ensemble."
            )
        edits = None if review.edits is None else review.edits.copy()
        base, decided = review.live.base, tuple(self._decided())
        given = found.values, found.disagreement
        return AlikeRequest(how, slide, mask.copy(), base, *given, edits, decided)

    def _decided(self) -> Iterator[tuple[Decision, Gesture]]:
        review, structures = self._review, self._review.structures
        rows = [(row, how) for row in review.history.done if (how := self._decision(row))]
        for row, how in rows[-_REMEMBERED:]:
            made = SlideGesture.from_bytes(review.open_project().payload(row.seq))
            part = made.of(structures.chosen)
            if part is None and structures.chosen == structures.first:
                part = made.of(None)
            if part is not None and part.patches:
                yield how, part

    def _decision(self, row: Entry) -> Decision | None:
        """Return what a row decided about objects of the chosen structure, or None."""
        structures, found = self._review.structures, _DECIDED.match(row.label)
        if row.kind is not Kind.GESTURE or found is None:
            return None
        if structures.several and found[2] not in (None, structures.chosen or "object"):
            return None
        return "drop" if found[1] == "drop" else "keep"
