"""A ring around the control that has the keyboard, in a dark and in a light theme.

Responsible for being seen wherever the keyboard goes in the dock, its cards and its dialogs, and
for moving nothing: napari's style draws no focus, and borders would take room. Does not know what
a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QScrollArea, QWidget

from napari_hubseg.widgets.inks import ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

__all__ = ["FocusRing"]

_PLACES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
_MADE_OF_OTHERS = (QAbstractSpinBox, QComboBox)  # whose field inside has the keyboard


class FocusRing(QObject):
    """Has a frame lie beside the control that has the keyboard, over it: so it scrolls with it.

    Parameters
    ----------
    home
        With which it ends.
    roots
        What it looks after, with the dialogs of it.

    Attributes
    ----------
    frame
        What is drawn; None before the first time, and where it went with a dialog.
    """

    def __init__(self, home: QWidget, roots: Sequence[QWidget]) -> None:
        super().__init__(home)
        self._roots = tuple(roots)
        self.frame: QWidget | None = None
        self._on: QWidget | None = None
        QApplication.instance().focusChanged.connect(self._follow)

    def _follow(self, _: QWidget | None, now: QWidget | None) -> None:
        if self._on is not None:
            self._on.removeEventFilter(self)
        while now is not None and isinstance(now.parentWidget(), _MADE_OF_OTHERS):
            now = now.parentWidget()
        self._on = now if self._is_ours(now) else None
        if self._on is not None:
            self._lie_in(self._on.parentWidget())
            self._on.installEventFilter(self)
        self._place()

    def _lie_in(self, around: QWidget | None) -> None:
        if self.frame is None:
            self.frame = _Frame(around)
            self.frame.destroyed.connect(self._forget)
        elif self.frame.parentWidget() is not around:
            self.frame.setParent(around)

    def _forget(self) -> None:
        self.frame = None

    def _is_ours(self, widget: QWidget | None) -> bool:
        """Whether a widget is inside of what it looks after, or in a dialog of that.

        A page is none: it takes a click beside its controls, and no key.
        """
        if widget is None or widget.isWindow() or isinstance(widget, QScrollArea):
            return False
        above: QWidget | None = widget.parentWidget()
        while above is not None and above not in self._roots:
            above = above.parentWidget()
        return above is not None

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow it."""
        if event is not None and event.type() in _PLACES:
            self._place()
        return False

    def _place(self) -> None:
        on, frame = self._on, self.frame
        if frame is None:
            return
        if on is not None and on.isVisibleTo(on.parentWidget()):
            frame.setGeometry(on.geometry())
            frame.raise_()
            frame.show()
        else:
            frame.hide()


class _Frame(QWidget):
    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("focus_ring")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the ring, and inside it a line of the ground's colour.

        A button that is on is as dark as the ring of a light theme: there the line is seen.
        """
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = self.palette().window().color()
        for colour, inset, width in ((ink("focus", ground), 1.0, 2), (ground, 2.5, 1)):
            painter.setPen(QPen(colour, width))
            painter.drawRoundedRect(
                QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 3, 3
            )
        painter.end()
