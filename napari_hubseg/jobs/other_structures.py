"""The masks of the structures that are not chosen, derived in a thread once a person rests.

Responsible for when they are derived, one after another and never while the chosen one's map is on
its way, for how many objects each has, and for having them packed. Does not know how they are
shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.cleanup import count_objects
from hubseg.journal.accepted import PackedMask
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.session import ReviewSession
    from hubseg.session.beside_masks import BesideMask
    from hubseg.window import Window
    from napari_hubseg.jobs.background import Background

    Name = StructureName | None

__all__ = ["OtherStructures"]

_REST = 250  # ms: another stroke may follow


class OtherStructures:
    """Keeps the masks beside the chosen one up to date.

    Attributes
    ----------
    counts
        How many objects each structure has, as far as that is known.
    gives_way
        Says whether the chosen structure's map or mask is on its way: that comes first.
    """

    changed = Signal(object)  # Window | None: where there are new pixels; None is everywhere
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._deriving = Latest(background, self.failed.emit)
        self._measuring = Latest(background, self.failed.emit)
        self._rest = background.timer(_REST, self._ask)
        self._came = False  # masks that nobody was told of
        self.counts: dict[Name, int] = {}
        self.gives_way: Callable[[], bool] = lambda: False
        background.listen(
            (session.slide_changed, self._begin),
            (session.structures_changed, self._wait),
            (session.others_changed, self._follow),
        )

    @property
    def busy(self) -> bool:
        """Whether masks are wanted or being derived."""
        return bool(self._rest.isActive() or self._deriving.busy or self._measuring.busy)

    @property
    def awaited(self) -> bool:
        """Whether masks by the rules that hold are still to come."""
        return self.busy and bool(self._session.review.beside.missing)

    def look_again(self, slide_id: str) -> None:
        """Derive them again: a run has made maps of a slide."""
        here = self._session.current
        if here is not None and here.id == slide_id and len(self._session.structures) > 1:
            self._session.review.beside.look_again()
            self._wait()

    def _begin(self, _: object) -> None:
        self._deriving.drop()
        self._measuring.drop()
        self.counts = {}
        self._wait()

    def _wait(self) -> None:
        if len(self._session.structures) > 1:
            self._rest.start()

    def _follow(self, window: Window | None) -> None:
        self._wait()
        if window is not None:
            self.changed.emit(window)

    def _ask(self) -> None:
        """Derive the next mask; once all are there, show and measure them."""
        beside = self._session.review.beside
        if self._deriving.busy or (beside.missing and self.gives_way()):
            self._rest.start()
            return
        request = beside.request(most=1)
        if request is None:
            came, self._came = self._came, False
            if came:
                self.changed.emit(None)
            self._measure()
            return

        def take(masks: dict[Name, BesideMask]) -> None:
            self._came |= beside.take(request, masks)
            self._ask()

        self._deriving.ask(request.compute, take)

    def _measure(self) -> None:
        """Count the objects of masks that changed, and pack them."""
        beside = self._session.review.beside
        masks = beside.unpacked()
        if not masks:
            return

        def work() -> dict[Name, tuple[int, int, PackedMask]]:
            return {name: (version, *_measured(mask)) for name, (version, mask) in masks.items()}

        def take(found: dict[Name, tuple[int, int, PackedMask]]) -> None:
            for name, (version, objects, packed) in found.items():
                if beside.take_packed(name, version, packed):
                    self.counts[name] = objects
            self.changed.emit((0, 0, 0, 0))
            if beside.unpacked():
                self._wait()

        self._measuring.ask(work, take)


def _measured(mask: NDArray[np.bool_]) -> tuple[int, PackedMask]:
    return count_objects(mask), PackedMask.of(mask)
