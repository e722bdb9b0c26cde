"""A small form that opens over the dock below the line it belongs to: nothing moves to make room.

Responsible for its place and for closing when a person goes on elsewhere. Does not know what is in
the form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

__all__ = ["Flyout"]


class Flyout(QFrame):
    """A form over the dock.

    Parameters
    ----------
    below
        The widget it opens below, as wide as that.
    form
        What is in it.
    """

    def __init__(self, below: QWidget, form: QWidget) -> None:
        super().__init__(below)
        self.setProperty("flyout", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # a click in it stays in it
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._below = below
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.addWidget(form)
        self.hide()

    def holds(self, widget: QWidget | None) -> bool:
        """Whether a widget is in it, or in a list that opened out of it: a window of its own."""
        while widget is not None and widget is not self:
            widget = widget.parentWidget()
        return widget is self

    def toggle(self) -> None:
        """Open, or close."""
        if self.isVisible():
            self.hide()
        else:
            self.open()

    def open(self) -> None:
        """Open below its line, over everything else in the dock."""
        dock = self._below
        while (parent := dock.parentWidget()) is not None and dock.objectName() != "HubSeg":
            dock = parent
        if self.parentWidget() is not dock:
            self.setParent(dock)
        dock.installEventFilter(self)
        self._place()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def _place(self) -> None:
        dock = self.parentWidget()
        if dock is not None:
            at = self._below.mapTo(dock, QPoint(0, self._below.height() + 2))
            width, layout = self._below.width(), self.layout()
            tall = self.sizeHint().height()
            if layout is not None and layout.hasHeightForWidth():  # words that break into lines
                tall = layout.totalHeightForWidth(width)
            if self.isVisible():  # what is under the pointer stays there until it closes
                tall = max(tall, self.height())
            self.setGeometry(at.x(), at.y(), width, tall)

    def event(self, event: QEvent | None) -> bool:
        """Stay as tall as the form asks for."""
        done = bool(super().event(event))
        if event is not None and event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self._place()
        return done

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep to its line when the dock gets another size."""
        if event is not None and event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Close with Esc."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)
