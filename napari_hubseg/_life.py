"""The end of a window, noticed in time: a closing window must get no new layers.

Responsible for telling when napari's window begins to close, and whether it did. Does not know what
is to be shut down.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["WindowWatch"]


class WindowWatch(QObject):
    """Watches the window that a widget is in.

    Attributes
    ----------
    asked
        Signal: the window was asked to close, and may still refuse.
    stayed
        Signal: it refused.
    closed
        Signal: it closed.
    """

    asked = Signal()
    stayed = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._widget = parent
        self._watched: Callable[[], Any] = lambda: None  # weak: a closed window must go

    def look(self) -> None:
        """Watch the window the widget is in now."""
        window = self._widget.window()
        if window is not self._widget and window is not self._watched():
            window.installEventFilter(self)
            self._watched = weakref.ref(window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice a close event; it is still to be decided on."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._watched():
            self.asked.emit()
            QTimer.singleShot(0, self._decided)
        return bool(super().eventFilter(watched, event))

    def _decided(self) -> None:
        window = self._watched()
        if window is not None and window.isVisible():
            self.stayed.emit()
        else:
            self.closed.emit()
