"""What the map of a whole slide shows around the region on screen, in coarse.

Responsible for reading it in a thread and for the layer that it is in; threshold and colours are
:mod:`napari_hubseg.canvas.appearance`'s. Does not know how a map is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.project.newest import newest_large_map
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.canvas.appearance import Appearance
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background

    _Found = tuple[NDArray[np.float32], tuple[float, float]]

__all__ = ["Around"]

_REST = 400  # ms without another map after which the surroundings are read again
_BELOW = -1.0  # every threshold: in the region itself its own mask is seen


class Around:
    """Shows a slide's map around its region.

    Parameters
    ----------
    session
        Whose slide is on screen.
    stack
        Where the layer is.
    appearance
        Gives it threshold and colours.
    background
        Where it is read.
    """

    def __init__(
        self,
        session: ReviewSession,
        stack: LayerStack,
        appearance: Appearance,
        background: Background,
    ) -> None:
        self._session, self._stack, self._appearance = session, stack, appearance
        self._reading = Latest(background, lambda _: self._hide())  # an older map is no map of it
        self._rest = background.timer(_REST, self._read)
        self._slide: Slide | None = None
        background.listen(
            (session.probability_changed, lambda _: self._wait()),
            (session.thresholds_changed, self._follow),
        )

    def show(self, slide: Slide) -> None:
        """Show what is around a region that is on screen now; of no region there is nothing."""
        self._slide = slide
        self._reading.drop()
        if slide.region is None:
            self._hide()
        else:
            self._wait()

    def _follow(self) -> None:
        """Show a threshold that holds now: the mask of the region may have none to be drawn by."""
        if self._stack.get("around") is not None:
            self._appearance.apply()

    def _wait(self) -> None:
        if self._slide is not None and self._slide.region is not None:
            self._rest.start()

    def _read(self) -> None:
        slide, project = self._slide, self._session.project
        if slide is None or project is None or slide.region is None:
            return
        reader, structure = project.reader(), self._session.review.structures.asked
        top, left, height, width = slide.region

        def read() -> _Found | None:
            with reader() as opened:
                large = newest_large_map(opened, slide, structure=structure, own=False)
            if large is None:
                return None
            found = large.overview()
            down, across = found.step
            rows = slice(round(top / down), round((top + height) / down))
            found.values[rows, round(left / across) : round((left + width) / across)] = _BELOW
            return found.values, found.step

        self._reading.ask(read, self._show)

    def _show(self, found: _Found | None) -> None:
        if found is None:
            self._hide()
            return
        self._stack.put_around(*found)
        self._appearance.apply()

    def _hide(self) -> None:
        layer = self._stack.get("around")
        if layer is not None:
            layer.visible = False
            self._stack.drop_around()

    def close(self) -> None:
        """Read nothing any more."""
        self._slide = None
        self._reading.drop()
