"""What every threshold gives on the slide on screen, counted in a thread.

Responsible for asking for the curves when map, truth or verdict changed, and for dropping an answer
that belongs to what is no longer on screen. Does not know how curves are drawn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.thresholds.curves import Curves, Tally, above, histogram
from hubseg.thresholds.object_counts import objects_curve
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.probability import ProbabilityMap
    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.truth import Truth

__all__ = ["CurveWatch"]


class CurveWatch:
    """Keeps the curves of the slide on screen.

    Attributes
    ----------
    gives_way
        Tells whether something is computed that a person waits for: objects are counted for each
        threshold after that, when :meth:`go_on` is called. It takes seconds of a processor.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background, truth: Truth) -> None:
        self._session = session
        self._table = truth
        self._latest = Latest(background, self.failed.emit)
        self.curves = Curves()
        self.gives_way: Callable[[], bool] = lambda: False
        self._waits: ProbabilityMap | None = None  # whose objects are to be counted
        background.listen(
            (session.slide_changed, self._forget),
            (session.probability_changed, self._ask),
            (session.verdict_changed, self._ask),
            (truth.changed, self._ask),
        )

    def _forget(self, _: object) -> None:
        self._waits = None
        self._latest.drop()
        self._set(Curves())

    def _set(self, curves: Curves) -> None:
        self.curves = curves
        self.changed.emit()

    def _truth(self) -> NDArray[np.bool_] | None:
        """Return the table's truth, or the mask a person stands behind, or None."""
        slide = self._session.current
        if slide is None or self._table.known:
            return self._table.mask
        ready = self._session.verdict(slide.id).stands
        return self._session.mask if ready and not self._session.mask_is_stale else None

    def _ask(self, _: object = None) -> None:
        """Count in a thread: first what is quick, then the objects of a map that is finished."""
        found = self._session.probability
        if found is None:
            self._forget(None)
            return
        truth, self._waits = self._truth(), None

        def show(curves: Curves) -> None:
            self._set(replace(curves, objects=()))
            if not found.is_partial:  # while members come in there is a new map soon
                self._waits = found
                self.go_on()

        self._latest.ask(lambda: _counted(found, truth), show)

    def go_on(self) -> None:
        """Count the objects of each threshold, if they are to be counted and nothing else is."""
        found = self._waits
        if found is None or self.gives_way():
            return
        self._waits = None

        def add(objects: NDArray[np.int64]) -> None:
            self._set(replace(self.curves, objects=tuple(objects.tolist())))

        self._latest.ask(lambda: objects_curve(found.values), add)


def _counted(found: ProbabilityMap, truth: NDArray[np.bool_] | None) -> Curves:
    values = found.values
    dice: tuple[float, ...] = ()
    if truth is None:
        counts = histogram(values)
    else:
        tally = Tally.of(values, truth)
        counts = tally.inside + tally.outside
        dice = tuple(tally.dice().tolist())
    area = tuple((above(counts) / max(1, values.size)).tolist())
    return Curves(counts=tuple(counts.tolist()), area=area, dice=dice)
