"""The mask and its figures, derived in a thread whenever what they depend on has changed.

Responsible for asking the session for a request, computing it elsewhere, together with what the
layer will show of it, and handing the answer back: the newest question wins. Figures come when the
mask is on screen. Does not know how a mask is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from psygnal import Signal

from hubseg.cleanup import count_objects
from hubseg.mask.metrics import dice
from hubseg.thresholds.sizes import size_in_words
from napari_hubseg.jobs.latest import Latest
from napari_hubseg.jobs.prepared import PreparedSlides

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.mask.drawing import Drawn
    from hubseg.mask.live import MaskAnswer, MaskRequest
    from hubseg.probability import ProbabilityMap
    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.truth import Truth

__all__ = ["Derivation", "Drawing", "Figures"]


@dataclass(frozen=True)
class Figures:
    """What the mask and the map on screen amount to.

    Attributes
    ----------
    disagreement
        Mean disagreement between members, 0-1, or None.
    area
        Share of the slide inside the mask, 0-1, or None.
    objects
        Objects of the mask, connected over edges and corners, or None.
    dice
        Dice of the mask and the truth, 0-1; None where there is no truth, NaN where there is no
        mask yet: no map, and nothing is drawn.
    members
        Members mixed into the map, and members it is to have, while some are missing; or None.
    px
        Pixels of the slide.
    pending
        Whether a first map has come in and what it gives is not counted yet.
    """

    disagreement: float | None = None
    area: float | None = None
    objects: int | None = None
    dice: float | None = None
    members: tuple[int, int] | None = None
    px: int = 0
    pending: bool = False

    def size(self, um_per_px: float | None) -> tuple[str, ...]:
        """Return objects and area, as far as they are known, in words.

        Parameters
        ----------
        um_per_px
            Pixel size of the slide, µm/px, or None.
        """
        if self.pending:
            return ("counting objects …",)
        return size_in_words(self.objects, self.area, self.px, um_per_px)

    def __str__(self) -> str:
        """Return what else there is to say."""
        parts = []
        if self.members is not None:
            parts.append("{} of {} networks".format(*self.members))
        if self.dice is not None:
            parts.append("mask Dice –" if isnan(self.dice) else f"mask Dice {self.dice:.3f}")
        if self.disagreement is not None:
            parts.append(f"disagreement {self.disagreement:.2f}")
        return " · ".join(parts)


class Drawing(Protocol):
    """Where a mask is drawn: it finds, in a thread, what it has to write."""

    found: Drawn | None

    def finder(self, edits: Edits | None) -> Callable[[NDArray[np.bool_]], Drawn | None]:
        """Return what finds, for a mask, what has to be written."""


class Derivation:
    """Keeps a session's mask up to date, and the figures under the histogram.

    Attributes
    ----------
    drawing
        Where the mask is drawn; None while nothing is.
    """

    figures_changed = Signal()
    rested = Signal()  # mask and figures are there: nothing is being computed any more
    failed = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        truth: Truth,
        prepared: PreparedSlides | None = None,
    ) -> None:
        self._session = session
        self._deriving = Latest(background, self.failed.emit, self._look_whether_it_rests)
        self._counting = Latest(background, self.failed.emit, self._look_whether_it_rests)
        self._truth = truth
        self._prepared = prepared or PreparedSlides()
        self.drawing: Drawing | None = None
        self._taking = False
        self._changes = 0  # of the mask: figures of an older one are counted again
        self._map: tuple[Any, float | None] = (None, None)
        self.figures = Figures()
        background.listen(
            (session.slide_changed, self._forget),
            (session.probability_changed, self._derive_again),
            (session.facts_changed, self.derive),
            (session.thresholds_changed, self.derive),
            (session.cleanup_changed, self.derive),
            (session.mask_changed, self._count_again),
            (truth.changed, self._count_again),
        )

    @property
    def busy(self) -> bool:
        """Whether a mask or its figures are being computed."""
        return self.deriving or self._counting.busy

    @property
    def deriving(self) -> bool:
        """Whether a mask is being computed."""
        return self._deriving.busy

    def _look_whether_it_rests(self) -> None:
        if not self.busy:
            self.rested.emit()

    def derive(self) -> None:
        """Compute the mask in a thread if it is stale; a stale answer is asked for again."""
        if self.deriving or not self._session.mask_is_stale:
            return
        request = self._session.mask_request()
        ready = self._prepared.mask(request)
        if ready is not None and self._session.take_mask(request, ready):
            return
        drawing = self.drawing
        find = None if drawing is None else drawing.finder(request.edits)

        def work() -> tuple[MaskAnswer, Drawn | None]:
            answer = request.compute()
            return answer, None if find is None else find(answer.mask)

        def take(made: tuple[MaskAnswer, Drawn | None]) -> None:
            self._take(request, *made)
            self.derive()

        self._deriving.ask(work, take)

    def _take(self, request: MaskRequest, answer: MaskAnswer, found: Drawn | None) -> None:
        """Give a mask to the session, which draws it, and count it after that."""
        changes, self._taking = self._changes, True
        if self.drawing is not None:
            self.drawing.found = found
        self._session.take_mask(request, answer)
        if self.drawing is not None:
            self.drawing.found = None
        self._taking = False
        if changes != self._changes:
            self._count()

    def _forget(self, _: object) -> None:
        self._changes += 1
        self._map = (None, None)
        self.figures = Figures()
        self.figures_changed.emit()
        self.derive()

    def _derive_again(self, found: ProbabilityMap | None) -> None:
        if found is not None and self._awaits_mask():
            agreed = None if self.figures.dice is None else nan
            self.figures = Figures(dice=agreed, pending=True)
            self.figures_changed.emit()
        self.derive()

    def _awaits_mask(self) -> bool:
        """Whether what the slide's first map gives has not been counted yet."""
        return self._map[0] is None and self._session.accepted is None

    def _count_again(self, _: object = None) -> None:
        self._changes += 1
        if not self._taking:
            self._count()

    def _count(self) -> None:
        mask, found, changes = self._session.mask, self._session.probability, self._changes
        if mask is None or self._counting.busy:
            return
        if found is not None and self._awaits_mask() and self._session.mask_is_stale:
            return  # the mask of the first map is counted when it comes

        def show(answer: tuple[Figures, tuple[Any, float | None]]) -> None:
            figures, known = answer
            if known[0] is self._session.probability:
                self._map = known
            if changes != self._changes:
                self._count()
                return
            if self._session.probability is not None and self._awaits_mask():
                return  # the mask of the first map is counted when it comes
            self.figures = figures
            self.figures_changed.emit()

        known, truth = self._map, self._truth.mask
        self._counting.ask(lambda: _figures(mask, found, known, truth), show)


def _figures(
    mask: NDArray[np.bool_],
    found: ProbabilityMap | None,
    known: tuple[Any, float | None],
    truth: NDArray[np.bool_] | None,
) -> tuple[Figures, tuple[Any, float | None]]:
    """Return the figures, and what need not be counted again while the map stays the same."""
    if found is not known[0]:
        disagreement = None
        if found is not None:
            if found.disagreement is not None:
                disagreement = float(found.disagreement.mean()) / 255.0
        known = (found, disagreement)
    disagreement = known[1]
    area = np.count_nonzero(mask) / mask.size
    agreed = None if truth is None or truth.shape != mask.shape else dice(mask, truth)
    if agreed is not None and found is None and not area:
        agreed = nan
    partial = found is not None and found.is_partial
    members = (found.done, found.total) if found is not None and partial else None
    return Figures(disagreement, area, count_objects(mask), agreed, members, mask.size), known
