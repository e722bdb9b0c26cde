"""The life of a dock in napari's window: the window's end, noticed in time, and a dock's return.

Responsible for telling when the window begins to close, and whether it did: a closing window must
get no new layers. And for keeping, in the window, what a closed dock had open, for the next one.
Does not know what is to be shut down or opened again.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Signal

from napari_hubseg.widgets.later import later

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["WindowWatch", "make_way"]

_KEPT = "hubseg_kept"  # property of the window: it goes with it


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
    closing
        Whether it was asked to close, and has not refused.
    """

    asked = Signal()
    stayed = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._widget = parent
        self._watched: Callable[[], Any] = lambda: None  # weak: a closed window must go
        self.closing = False

    def look(self) -> None:
        """Watch the window that the widget belongs to now, also while its dock floats."""
        window = self._widget
        while (parent := window.parentWidget()) is not None:
            window = parent
        if window is not self._widget and window is not self._watched():
            window.installEventFilter(self)
            self._watched = weakref.ref(window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice a close event; it is still to be decided on."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._watched():
            self.closing = True
            self.asked.emit()
            later(self, self._decided)
        return bool(super().eventFilter(watched, event))

    def _decided(self) -> None:
        window = self._watched()
        if window is not None and window.isVisible():
            self.closing = False
            self.stayed.emit()
        else:
            self.closed.emit()

    def keep(self, what: object) -> None:
        """Keep something in the window, for the next dock in it."""
        window = self._watched()
        if window is not None:
            window.setProperty(_KEPT, what)

    def take(self) -> Any:
        """Return what the dock before has kept, once; None where it kept nothing."""
        window = self._watched()
        kept = None if window is None else window.property(_KEPT)
        if kept is not None:
            window.setProperty(_KEPT, None)
        return kept


def make_way(viewer: Any, kind: type[QWidget]) -> None:
    """Close the docks of a kind that a viewer has, also hidden ones: the next goes on from there.

    Two would each have layers on one canvas, and the second could only read the first's project.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    for dock in tuple(window.dock_widgets.values()):
        if isinstance(dock, kind):
            window.remove_dock_widget(dock)
            dock.deleteLater()
