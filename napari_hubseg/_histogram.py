"""The histogram of a probability map with the threshold as a line that can be dragged.

Responsible for drawing 256 counts and a line. Does not know where the counts come from
(:func:`hubseg.thresholds.histogram`) nor what a threshold does.
"""

from __future__ import annotations

from math import log1p

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_hubseg._look import MASK

__all__ = ["Histogram"]

_BINS = 256
_BASELINE = 3.0  # px under the bars, where the line's foot stands


class Histogram(QWidget):
    """256 bars, those above the threshold in the mask's colour.

    Counts are drawn on a logarithmic scale: background outnumbers tissue units a hundred to one.

    Attributes
    ----------
    moved
        Signal of the threshold (0-255) under the hand while the line is dragged.
    settled
        Signal of the threshold (0-255) when the line is let go.
    """

    moved = Signal(float)
    settled = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("histogram")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self._heights: tuple[float, ...] = ()
        self._counts: tuple[int, ...] = ()
        self._threshold = 127.0
        self.dragging = False

    def sizeHint(self) -> QSize:
        """Return a strip: as wide as the dock, as tall as two rows."""
        return QSize(240, 64)

    def set_counts(self, counts: tuple[int, ...]) -> None:
        """Show `counts` (256 bins of the values 0-255), or nothing when empty."""
        if counts == self._counts:
            return
        self._counts = counts
        logs = [log1p(count) for count in counts]
        top = max(logs, default=0.0) or 1.0
        self._heights = tuple(value / top for value in logs)
        self.setEnabled(bool(counts))
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Put the line at `threshold` (0-255)."""
        if threshold != self._threshold:
            self._threshold = threshold
            self.update()

    def x_of(self, threshold: float) -> float:
        """Return where the line of a threshold (0-255) stands, px from the left edge."""
        return (threshold + 0.5) / _BINS * float(self.width())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the line, from wherever the mouse is pressed."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.dragging = True
            self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag the line."""
        if event is not None and self.dragging:
            self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let the line go, where the mouse is let go."""
        if event is not None and self.dragging:
            self._drag(event)
            self.dragging = False
            self.settled.emit(self._threshold)

    def _drag(self, event: QMouseEvent) -> None:
        x = event.position().x() if hasattr(event, "position") else event.localPos().x()
        self.set_threshold(float(min(255, max(0, round(x / self.width() * _BINS - 0.5)))))
        self.moved.emit(self._threshold)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bars, then the line over them."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        base = self.height() - _BASELINE
        self._draw_bars(painter, base, text)
        painter.setPen(QPen(QColor(text.red(), text.green(), text.blue(), 110), 1))
        painter.drawLine(QPointF(0, base), QPointF(self.width(), base))
        if self._heights:
            x = self.x_of(self._threshold)
            painter.setPen(QPen(text, 2))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        else:
            painter.setPen(text)
            painter.drawText(
                self.rect(),
                Qt.AlignmentFlag.AlignCenter,
                "no probability map yet: run the ensemble",
            )
        painter.end()

    def _draw_bars(self, painter: QPainter, base: float, text: QColor) -> None:
        """Fill one outline twice: left of the line in the text's colour, right in the mask's."""
        outline = QPainterPath(QPointF(0.0, base))
        step = self.width() / _BINS
        for value, height in enumerate(self._heights):
            top = base - height * (base - 2)
            outline.lineTo(value * step, top)
            outline.lineTo((value + 1) * step, top)
        outline.lineTo(self.width(), base)
        line = self.x_of(self._threshold)
        left = QRectF(0, 0, line, self.height())
        right = QRectF(line, 0, self.width() - line, self.height())
        faint = QColor(text.red(), text.green(), text.blue(), 100)
        for part, colour in ((left, faint), (right, QColor(MASK))):
            painter.setClipRect(part)
            painter.fillPath(outline, colour)
        painter.setClipping(False)
