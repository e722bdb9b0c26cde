"""Where on a whole slide a run is, on a small picture of it.

Responsible for drawing places over the picture, and for saying to whom cannot see it how many are
done. It is the last thing on its page: nothing moves when it comes or goes. Does not know what is
run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, QRectF, QSize
from qtpy.QtGui import QColor, QImage, QPainter, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_hubseg.widgets.inks import ink

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

__all__ = ["RunPlacesPanel", "RunPlacesState"]

Places = tuple[tuple[tuple[int, int, int, int], str], ...]

_HEIGHT = 128  # px of the picture
_INKS = {"done": "mask", "in work": "here", "to come": ""}
_ALPHA = {"done": 110, "in work": 150, "to come": 0}


@dataclass(frozen=True)
class RunPlacesState:
    """What the picture shows.

    Attributes
    ----------
    slide
        Which slide; "" shows nothing.
    shape
        (height, width) of the slide, px.
    regions, tiles
        Windows in px of the slide, and how each stands: "done", "in work" or "to come".
    picture
        uint8 RGB (h, w, 3), or None until it was read.
    """

    slide: str = ""
    shape: tuple[int, int] = (1, 1)
    regions: Places = ()
    tiles: Places = ()
    has_picture: bool = False
    picture: Any = field(default=None, compare=False)

    @property
    def said(self) -> str:
        """How many are done, in words; "" of nothing."""
        named = {"region": self.regions, "tile": self.tiles}
        parts = []
        for word, places in named.items():
            if places:
                done = sum(stands == "done" for _, stands in places)
                parts.append(f"{done} of {len(places)} {word}{'s' * (len(places) != 1)} done")
        return ", ".join(parts)

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """What each colour means, and how many of what is coloured have it: tiles where any are."""
        word, places = ("tile", self.tiles) if self.tiles else ("region", self.regions)
        counts = [(stands, sum(one == stands for _, one in places)) for stands in _INKS]
        return tuple((how, f"{count} {word}{'s' * (count != 1)} {how}") for how, count in counts)


class RunPlacesPanel(QWidget):
    """A small picture of the slide with the places of a run, or nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("run_places")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._state, self._image = RunPlacesState(), QImage()
        self.hide()

    def sizeHint(self) -> QSize:
        """Return as wide as the dock, a line of text and a picture."""
        return QSize(240, _HEIGHT + self.fontMetrics().height() + 6)

    def show_state(self, state: RunPlacesState) -> None:
        """Show `state`; emits nothing."""
        picture = state.picture
        if picture is not self._state.picture:
            self._image = QImage()
            if picture is not None:
                height, width = picture.shape[:2]
                kind = QImage.Format.Format_RGB888
                self._image = QImage(picture.tobytes(), width, height, 3 * width, kind).copy()
        self._state = state
        self.setVisible(bool(state.slide))
        self.setAccessibleName(f"Where the run is on {state.slide}: {state.said}")
        self.setToolTip(f"{state.slide}: {state.said}" if state.said else state.slide)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the slide, the places over it, and what the colours mean beside it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        high, wide = self._state.shape
        scale = min(_HEIGHT / high, self.width() * 0.6 / wide)
        box = QRectF(0, 0, wide * scale, high * scale)
        if not self._image.isNull():
            painter.drawImage(box, self._image)
        painter.setPen(QPen(self._faint, 1))
        painter.drawRect(box)
        for window, stands in self._state.tiles or self._state.regions:
            self._draw(painter, window, stands, scale)
        if self._state.tiles:  # they have the colours: of regions only where they are
            painter.setPen(QPen(self._faint, 1))
            for window, _ in self._state.regions:
                painter.drawRect(_place(window, scale, 0.5))
        self._draw_words(painter, box.right() + 12)
        painter.end()

    def _draw(
        self,
        painter: QPainter,
        window: tuple[int, int, int, int],
        stands: str,
        scale: float,
    ) -> None:
        place = _place(window, scale, 1.0 if self._state.tiles else 0.5)
        painter.fillRect(place, self._colour(stands))
        painter.setPen(QPen(self._line(stands), 1))
        painter.drawRect(place)

    def _draw_words(self, painter: QPainter, left: float) -> None:
        """Say what the colours mean, and how many places have each."""
        line, size = self.fontMetrics().height() + 4, self.fontMetrics().ascent()
        words = self.palette().color(QPalette.ColorRole.WindowText)
        for number, (stands, text) in enumerate(self._state.legend):
            box = QRectF(left, number * line + 2, size, size)
            painter.fillRect(box, self._colour(stands))
            painter.setPen(QPen(self._line(stands), 1))
            painter.drawRect(box)
            painter.setPen(words)
            painter.drawText(QPointF(left + size + 6, number * line + size), text)

    @property
    def _faint(self) -> QColor:
        words = self.palette().color(QPalette.ColorRole.WindowText)
        return QColor(words.red(), words.green(), words.blue(), 110)

    def _line(self, stands: str) -> QColor:
        ground = self.palette().color(QPalette.ColorRole.Window)
        return ink(_INKS[stands], ground) if _INKS[stands] else QColor(90, 90, 90, 200)

    def _colour(self, stands: str) -> QColor:
        made = self._line(stands)
        made.setAlpha(_ALPHA[stands])
        return made


def _place(window: tuple[int, int, int, int], scale: float, gap: float) -> QRectF:
    """Return where a window lies on the picture, with a gap around it inside."""
    top, left, height, width = (side * scale for side in window)
    return QRectF(left, top, width, height).adjusted(gap, gap, -gap, -gap)
