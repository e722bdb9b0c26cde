"""The masks of the structures that are not chosen, derived in a thread once a person rests.

Responsible for when they are derived and for how many objects each has. Does not know how they are
shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.cleanup import count_objects
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from hubseg.organ import StructureName
    from hubseg.session import ReviewSession
    from hubseg.window import Window
    from napari_hubseg.jobs.background import Background

__all__ = ["OtherStructures"]

_REST = 250  # ms: the chosen structure's mask comes first


class OtherStructures:
    """Keeps the masks beside the chosen one up to date.

    Attributes
    ----------
    counts
        How many objects each structure has, as far as that is known.
    """

    changed = Signal(object)  # Window | None: where there are new pixels; None is everywhere
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._deriving = Latest(background, self.failed.emit)
        self._counting = Latest(background, self.failed.emit)
        self._rest = background.timer(_REST, self._ask)
        self.counts: dict[StructureName | None, int] = {}
        background.listen(
            (session.slide_changed, self._begin),
            (session.structures_changed, self._wait),
            (session.others_changed, self._follow),
        )

    @property
    def busy(self) -> bool:
        """Whether masks are wanted or being derived."""
        return bool(self._rest.isActive() or self._deriving.busy or self._counting.busy)

    def look_again(self, slide_id: str) -> None:
        """Derive them again: a run has made maps of a slide."""
        here = self._session.current
        if here is not None and here.id == slide_id and len(self._session.structures) > 1:
            self._session.review.beside.forget()
            self._wait()

    def _begin(self, _: object) -> None:
        self._deriving.drop()
        self._counting.drop()
        self.counts = {}
        self._wait()

    def _wait(self) -> None:
        if len(self._session.structures) > 1:
            self._rest.start()

    def _follow(self, window: Window | None) -> None:
        if window is None:
            self._wait()
        else:
            self.changed.emit(window)
            self._count()

    def _ask(self) -> None:
        if self._deriving.busy:
            self._rest.start()
            return
        beside = self._session.review.beside
        request = beside.request()
        if request is None:
            self.changed.emit(None)
            return

        def work() -> tuple[Any, dict[StructureName | None, int]]:
            masks = request.compute()
            return masks, {name: count_objects(one.mask) for name, one in masks.items()}

        def take(made: tuple[Any, dict[StructureName | None, int]]) -> None:
            masks, counts = made
            if beside.take(request, masks):
                self.counts |= counts
                self.changed.emit(None)
            self._ask_rest()

        self._deriving.ask(work, take)

    def _ask_rest(self) -> None:
        if self._session.review.beside.request() is not None:
            self._rest.start()

    def _count(self) -> None:
        """Count objects again after a gesture."""
        masks = {name: one.mask.copy() for name, one in self._session.review.beside.masks.items()}

        def show(counts: dict[StructureName | None, int]) -> None:
            self.counts |= counts
            self.changed.emit((0, 0, 0, 0))

        self._counting.ask(lambda: {n: count_objects(mask) for n, mask in masks.items()}, show)
