"""Objects by confidence at the desk: the least sure first, listed when a person asks.

It also knows the next doubtful place: where members disagree most and nobody has looked yet.

Responsible for judging the objects of the mask on screen in a thread, with the members that the
project keeps, and for forgetting the list when mask, map or threshold change. Does not know how it
is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.probability.uncertainty import (
    ObjectConfidence,
    agreement_with_mix,
    confidences,
    expected_dice,
)
from hubseg.project.newest import newest_members
from hubseg.project.queue_rows import next_doubt
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background

__all__ = ["Doubt"]


class Doubt:
    """The objects of the mask on screen, the least sure first."""

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    found = Signal(float, float)
    """Row and column of the next doubtful place, px of the slide."""

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._judging = Latest(background, self.failed.emit, self.changed.emit)
        self._searching = Latest(background, self.failed.emit)
        self._places: dict[str, list[tuple[float, float]]] = {}  # looked at, by slide
        self.objects: tuple[ObjectConfidence, ...] | None = None
        self.expected: float | None = None
        self.agreement: float | None = None
        background.listen(
            (session.slides_changed, self._forget_places),
            (session.slide_changed, self._forget),
            (session.mask_changed, self._forget),
            (session.probability_changed, self._forget),  # an accepted mask stays under both
            (session.thresholds_changed, self._forget),
        )

    @property
    def busy(self) -> bool:
        """Whether objects are being judged."""
        return self._judging.busy

    def _forget(self, _: object = None) -> None:
        shown = self.objects is not None or self.busy
        self._judging.drop()
        self.objects = self.expected = self.agreement = None
        if shown:
            self.changed.emit()

    def _forget_places(self) -> None:
        self._places = {}

    def next_place(self) -> None:
        """Look, in a thread, for where members disagree most and nobody has looked yet."""
        found, slide = self._session.probability, self._session.current
        if slide is None or self._searching.busy:
            return
        if found is None:
            self.told.emit("This slide has no map yet: run the ensemble, then doubt can be found.")
            return
        if found.disagreement is None:
            self.told.emit("One network cannot disagree: run two or more to find doubtful places.")
            return
        doubt, shape = found.disagreement, (slide.height, slide.width)
        known = self._places
        visited = known.setdefault(slide.id, [])

        def go(place: tuple[float, float] | None) -> None:
            current = self._session.current
            if known is not self._places or current is None or current.id != slide.id:
                return
            if place is not None:
                visited.append(place)
                self.found.emit(*place)
                return
            count = len(visited)
            seen = f"you have seen {count} place{'' if count == 1 else 's'}" if count else ""
            self.told.emit(f"Nothing doubtful is left in this slide{seen and f': {seen}'}.")

        self._searching.ask(lambda: next_doubt(doubt, shape, tuple(visited)), go)

    def judge(self) -> None:
        """Judge the objects of the mask on screen, in a thread."""
        session = self._session
        mask, found, slide = session.mask, session.probability, session.current
        if mask is None or found is None or slide is None or session.project is None or self.busy:
            return
        reader, threshold = session.project.reader(), session.threshold
        what = session.review.structures.asked

        def show(answer: tuple[tuple[ObjectConfidence, ...], float | None]) -> None:
            self.objects, self.agreement = answer
            self.expected = expected_dice(found.values, threshold)

        self._judging.ask(lambda: _judged(reader, slide, what, mask, found.values, threshold), show)


def _judged(
    reader: Callable[[], ReviewProject],
    slide: Slide,
    structure: StructureName | None,
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    threshold: float,
) -> tuple[tuple[ObjectConfidence, ...], float | None]:
    with reader() as project:
        newest = newest_members(project, slide, structure=structure)
    found = [] if newest is None else newest[1]
    maps = [made.values for _, made in found]
    weights = [member.weight for member, _ in found]
    agreement = agreement_with_mix(maps, threshold, weights)
    return confidences(mask, values, threshold, maps), agreement
