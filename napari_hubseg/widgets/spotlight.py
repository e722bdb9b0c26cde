"""A frame around a part of the dock that is spoken of.

Responsible for lying around it, wherever it goes, and for letting every click through. Does not
know what is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QWidget

from napari_hubseg.widgets.style import MARK

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

__all__ = ["Spotlight"]

_PLACES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class Spotlight(QWidget):
    """Lies over its parent, around one of the widgets in it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("spotlight")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._on: QWidget | None = None
        self.hide()

    def point_at(self, widget: QWidget | None) -> None:
        """Lie around a widget; None goes away."""
        if self._on is not None:
            self._on.removeEventFilter(self)
        self._on = widget
        if widget is not None:
            widget.installEventFilter(self)
        self._place()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow it."""
        if event is not None and event.type() in _PLACES:
            self._place()
        return False

    def _place(self) -> None:
        on, parent = self._on, self.parentWidget()
        shown = on is not None and parent is not None and on.isVisibleTo(parent)
        if shown and on is not None and parent is not None:
            at = on.mapTo(parent, QPoint(0, 0))
            self.setGeometry(at.x(), at.y(), on.width(), on.height())
            self.raise_()
        self.setVisible(shown)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(MARK), 2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.end()
