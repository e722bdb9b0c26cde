"""The histogram of a probability map with the threshold as a line that can be dragged.

Responsible for drawing 256 counts, what each threshold gives, and a line. Does not know where the
figures come from (:mod:`napari_hubseg.jobs.curves`) nor what a threshold does. Everything a drag
changes is painted here, so that no layout is made anew during it.
"""

from __future__ import annotations

from math import log1p

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QApplication, QSizePolicy, QWidget

from hubseg.thresholds.curves import Curves
from napari_hubseg.widgets.inks import ink

__all__ = ["Histogram"]

_BINS = 256
_NO_MAP = "no probability map yet"
_READING = "reading the probability map …"
_BASELINE = 3.0  # px under the bars, where the line's foot stands
_PLOT = 72  # px
_GRIP = 8.0  # px beside the line in which a press takes hold of it
_DOT, _APART = " · ", "    "
_ABOUT = (
    "Bars: how many pixels have which probability (0-255). Drag the line: what is right of it is "
    "inside.\n"
    "threshold Dice (amber): the map above this threshold against the truth, without strokes and "
    "cleanup; 1 is best.\n"
    "all (violet): mean of that over all slides of this kind. Dotted: objects."
)


class Histogram(QWidget):
    """256 bars, those above the threshold in the mask's colour, and the curves over them.

    Counts are drawn on a logarithmic scale: background outnumbers tissue units a hundred to one.
    Dice runs from 0 at the foot to 1 at the top.

    Attributes
    ----------
    moved
        Signal of the threshold (0-255) while the line is dragged.
    settled
        Signal of the threshold (0-255) when the line is let go.
    """

    moved = Signal(float)
    settled = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("histogram")
        self.setToolTip(_ABOUT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self._heights: tuple[float, ...] = ()
        self.nothing = _NO_MAP  # what is said where there are no counts
        self._curves = Curves()
        self._threshold = 127.0
        self._of_mask: tuple[float, tuple[str, ...]] = (-1.0, ())  # a threshold, and what it gave
        self.dragging = False
        self._pressed = 0.0  # px from the left edge
        self._beside: float | None = 0.0  # px from there to the line, where that is held
        self._moves = False  # whether this press has become a drag

    def sizeHint(self) -> QSize:
        """Return a strip: as wide as the dock, a line of text and a plot."""
        return QSize(240, _PLOT + self.fontMetrics().height() + 2)

    @property
    def curves(self) -> Curves:
        """What is drawn."""
        return self._curves

    def set_curves(self, curves: Curves, *, reading: bool = False, instead: str = "") -> None:
        """Show counts and curves; without counts, what stands instead, or that there is no map."""
        self.nothing = instead or (_READING if reading else _NO_MAP)
        if curves == self._curves:
            self.update()
            return
        logs = [log1p(count) for count in curves.counts]
        top = max(logs, default=0.0) or 1.0
        self._heights = tuple(value / top for value in logs)
        self._curves = curves
        self.setEnabled(bool(curves.counts))
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Put the line at `threshold` (0-255)."""
        if threshold != self._threshold:
            self._threshold = threshold
            self.update()

    def set_mask(self, threshold: float, figures: tuple[str, ...]) -> None:
        """Say of `threshold` (0-255) what the mask on screen amounts to, not what the map does.

        While the line is dragged, the map's figures are said: there is no mask yet.
        """
        if (threshold, figures) != self._of_mask:
            self._of_mask = threshold, figures
            self.update()

    def said(self) -> str:
        """Return the line of text over the bars."""
        return _DOT.join(text for _, text in self._said())

    def _said(self) -> tuple[tuple[str, str], ...]:
        parts = self._curves.said(self._threshold)
        threshold, figures = self._of_mask
        if self._threshold != threshold:
            return parts
        return (*(("", text) for text in figures), *(part for part in parts if part[0]))

    def _fitting(self) -> list[tuple[str, str]]:
        """Return what is drawn: objects, share and area as one; the area goes where all is long."""
        said = self._said()
        size = [text for role, text in said if not role]
        others = [part for part in said if part[0]]
        while True:
            parts = [("", _DOT.join(size)), *others] if size else others
            wide = self.fontMetrics().horizontalAdvance(_APART.join(text for _, text in parts))
            if wide <= self.width() or len(size) < 2:
                return parts
            size.pop()

    def x_of(self, threshold: float) -> float:
        """Return where the line of a threshold (0-255) stands, px from the left edge."""
        return (threshold + 0.5) / _BINS * float(self.width())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the line where it is pressed; elsewhere a drag brings it to the pointer.

        A press alone moves nothing: it may have been meant for what lay here a moment before.
        """
        left = event is not None and event.button() == Qt.MouseButton.LeftButton
        if event is not None and left and self._heights:
            self.dragging, self._moves = True, False
            self._pressed = _across(event)
            beside = self.x_of(self._threshold) - self._pressed
            self._beside = beside if abs(beside) <= _GRIP else None

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag the line."""
        if event is not None and self.dragging:
            self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let the line go, where the mouse is let go."""
        if event is not None and self.dragging:
            self._drag(event)
            self.dragging = False
            if self._moves:
                self.settled.emit(self._threshold)

    def _drag(self, event: QMouseEvent) -> None:
        x = _across(event)
        far = 1 if self._beside is not None else QApplication.startDragDistance()
        self._moves = self._moves or abs(x - self._pressed) >= far
        if self._moves:
            place = (x + (self._beside or 0.0)) / self.width() * _BINS - 0.5
            self.set_threshold(float(min(255, max(0, round(place)))))
            self.moved.emit(self._threshold)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bars, the curves over them, then the line and what it gives."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        top = self.height() - _PLOT
        base = self.height() - _BASELINE
        self._draw_bars(painter, top, base, text)
        painter.setPen(QPen(QColor(text.red(), text.green(), text.blue(), 110), 1))
        painter.drawLine(QPointF(0, base), QPointF(self.width(), base))
        if self._heights:
            most = float(max(self._curves.objects, default=0)) or 1.0
            faint = QColor(text.red(), text.green(), text.blue(), 150)
            objects = tuple(count / most for count in self._curves.objects)
            self._draw_curve(painter, objects, QPen(faint, 1, Qt.PenStyle.DotLine))
            self._draw_curve(painter, self._curves.every, QPen(self._ink("every"), 1.4))
            self._draw_curve(painter, self._curves.dice, QPen(self._ink("here"), 1.8))
            x = self.x_of(self._threshold)
            painter.setPen(QPen(text, 2))
            painter.drawLine(QPointF(x, top), QPointF(x, self.height()))
        else:
            painter.setPen(text)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignHCenter, self.nothing)
        if self._heights:
            self._draw_said(painter, text)
        painter.end()

    def _draw_said(self, painter: QPainter, text: QColor) -> None:
        colours = {"": text, "here": self._ink("here"), "every": self._ink("every")}
        x, y = 1.0, self.fontMetrics().ascent()
        for role, words in self._fitting():
            painter.setPen(colours[role])
            painter.drawText(QPointF(x, y), words)
            x += self.fontMetrics().horizontalAdvance(words + _APART)

    def _draw_curve(self, painter: QPainter, shares: tuple[float, ...], pen: QPen) -> None:
        """Draw a curve of shares 0-1, one value per threshold."""
        if not shares:
            return
        top, base = self.height() - _PLOT + 2.0, self.height() - _BASELINE
        line = QPainterPath()
        for threshold, share in enumerate(shares):
            at = QPointF(self.x_of(threshold), base - share * (base - top))
            line.lineTo(at) if threshold else line.moveTo(at)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(pen)
        painter.drawPath(line)

    def _draw_bars(self, painter: QPainter, top: float, base: float, text: QColor) -> None:
        """Fill one outline twice: left of the line in the text's colour, right in the mask's."""
        outline = QPainterPath(QPointF(0.0, base))
        step = self.width() / _BINS
        for value, height in enumerate(self._heights):
            y = base - height * (base - top - 2)
            outline.lineTo(value * step, y)
            outline.lineTo((value + 1) * step, y)
        outline.lineTo(self.width(), base)
        line = self.x_of(self._threshold)
        left = QRectF(0, 0, line, self.height())
        right = QRectF(line, 0, self.width() - line, self.height())
        faint = QColor(text.red(), text.green(), text.blue(), 100)
        shown = self._ink("mask")
        shown.setAlpha(150 if self._curves.dice or self._curves.every else 255)
        for part, colour in ((left, faint), (right, shown)):
            painter.setClipRect(part)
            painter.fillPath(outline, colour)
        painter.setClipping(False)

    def _ink(self, role: str) -> QColor:
        return ink(role, self.palette().color(QPalette.ColorRole.Window))


def _across(event: QMouseEvent) -> float:
    """Return where a mouse event is, px from the widget's left edge."""
    return float(event.position().x() if hasattr(event, "position") else event.localPos().x())
