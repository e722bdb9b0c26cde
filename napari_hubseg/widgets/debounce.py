"""A value that a person is still changing: asked for once, when it rests.

Responsible for turning many small moves of one control into one step that a person can undo. Does
not know what is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QAbstractSpinBox

from napari_hubseg.widgets.later import later

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["REST_MS", "Debounce"]

REST_MS = 500  # keys and clicks on arrows that follow each other faster are one change


class Debounce(QObject):
    """Keeps the newest value until the control is let go, is left, or has not moved for a while.

    Parameters
    ----------
    controls
        What the value is changed with. Losing the keyboard ends the change, as does Enter.

    Attributes
    ----------
    rested
        Signal of the value.
    waiting
        Whether a value waits: nothing but the person may move the control now.
    """

    rested = Signal(object)

    def __init__(self, parent: QWidget, *controls: QWidget) -> None:
        super().__init__(parent)
        self._value: Any = None
        self.waiting = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.settle)
        for control in controls:
            control.installEventFilter(self)
            if isinstance(control, QAbstractSpinBox):
                control.editingFinished.connect(self.settle)

    def keep(self, value: object, *, held: bool = False) -> None:
        """Keep the newest value; while the control is `held` by the mouse no pause ends it."""
        self._value, self.waiting = value, True
        if held:
            self._timer.stop()
        else:
            self._timer.start()

    def settle(self) -> None:
        """Ask for what waits, now."""
        if self.waiting:
            self._timer.stop()
            self.waiting = False
            self.rested.emit(self._value)

    def drop(self) -> None:
        """Forget what waits: what it was for is gone."""
        self._timer.stop()
        self.waiting = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the keyboard goes elsewhere."""
        if event is not None and event.type() == QEvent.Type.FocusOut:
            later(self, self.settle)  # once the control has taken what was typed
        return False
