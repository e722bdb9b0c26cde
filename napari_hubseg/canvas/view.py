"""napari's canvas as a widget: the keyboard goes there, and it says when a frame was drawn.

Responsible for finding it by what Qt says in public: napari keeps its own way to it private. Does
not know layers.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QMainWindow, QOpenGLWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["Canvas"]


class Canvas(QObject):
    """The canvas of the window that a dock belongs to.

    Attributes
    ----------
    drawn
        Signal: what the layers hold has been drawn, and shown on the screen.
    """

    drawn = Signal()

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._found: Callable[[], Any] = lambda: None  # weak: a closed window must go

    @property
    def widget(self) -> QWidget | None:
        """The canvas, if there is one."""
        found: QWidget | None = self._found()
        return found

    @property
    def there(self) -> bool:
        """Whether there is a canvas; without one nothing is ever drawn."""
        return self._found() is not None

    def look(self) -> None:
        """Find the canvas of the window that the dock is in now, docked or floating."""
        top = self._dock
        while (parent := top.parentWidget()) is not None:
            top = parent
        middle = top.centralWidget() if isinstance(top, QMainWindow) else None
        canvas = None if middle is None else middle.findChild(QOpenGLWidget)
        if canvas is not None and canvas is not self._found():
            canvas.frameSwapped.connect(self.drawn)
            self._found = weakref.ref(canvas)

    def ask_for_frame(self) -> None:
        """Have a frame drawn: a mask that came out as it is drawn already is to be seen, too."""
        canvas = self._found()
        if canvas is not None:
            canvas.update()

    def focus(self) -> None:
        """Let the next key be the canvas's."""
        canvas = self._found()
        if canvas is not None:
            canvas.window().activateWindow()
            canvas.setFocus(Qt.FocusReason.OtherFocusReason)
