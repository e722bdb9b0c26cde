"""Where a person looks on a large slide: a region beside the one on screen, once the view rests.

Responsible for telling which place is in the middle of the view when that lies outside the region.
Does not know which regions there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psygnal import Signal

from napari_hubseg.canvas.brush import camera

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from hubseg.slide import Slide
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background

__all__ = ["Wandering"]

_REST: Final = 150  # ms without a move after which a person looks at what is there
_NEAR: Final = 400  # px of the screen that a region takes at least: else all of the slide is seen


class Wandering:
    """Follows the camera over a slide that is worked on in regions.

    Attributes
    ----------
    slide
        What is on screen; nothing is followed where it is no region.
    """

    moved = Signal()  # the view, of whatever slide
    beyond = Signal(int, int)  # row and column of the whole slide in the middle of the view

    def __init__(self, viewer: ViewerModel, stack: LayerStack, background: Background) -> None:
        self._camera, self._stack = camera(viewer), stack
        self.slide: Slide | None = None
        self._rest = background.timer(_REST, self._look)
        self._camera.events.center.connect(self._wait)

    def _wait(self, _: object = None) -> None:
        self.moved.emit()
        if self.slide is not None and self.slide.region is not None:
            self._rest.start()

    def shows(self, slide: Slide) -> bool:
        """Whether the middle of the view lies in a region, near enough to work on it."""
        at, region = self._middle(), slide.region
        same = self.slide is not None and self.slide.path == slide.path
        if at is None or region is None or not same:
            return False
        top, left, height, width = region
        inside = top <= at[0] < top + height and left <= at[1] < left + width
        return inside and self._is_near(slide)

    def look_at(self, row: int, column: int) -> None:
        """Bring a place of the whole slide, px, into the middle of the view."""
        place = (at * step for at, step in zip((row, column), self._stack.steps, strict=True))
        self._camera.center = (0.0, *map(float, place))

    def _look(self) -> None:
        slide, at = self.slide, self._middle()
        if slide is not None and at is not None and self._is_near(slide) and not self.shows(slide):
            self.beyond.emit(*at)

    def _is_near(self, slide: Slide) -> bool:
        step = float(self._stack.steps[1])
        return max(slide.height, slide.width) * step * float(self._camera.zoom) >= _NEAR

    def _middle(self) -> tuple[int, int] | None:
        """Return the row and column of the whole slide in the middle of the view."""
        if self.slide is None or self.slide.region is None:
            return None
        centre = tuple(self._camera.center)[-2:]
        row, column = (at / step for at, step in zip(centre, self._stack.steps, strict=True))
        return round(row), round(column)

    def close(self) -> None:
        """Let the camera go."""
        self.slide = None
        self._camera.events.center.disconnect(self._wait)
