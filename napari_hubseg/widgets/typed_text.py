"""Letters pressed where no field is: passed on as commands, or kept from everybody as text.

Responsible for seeing every key and click of canvas and window before napari does. Does not know
which letter is what (:mod:`napari_hubseg.desk.letters`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QEvent, QObject, Qt, Signal

from napari_hubseg.keys import spelled
from napari_hubseg.widgets.later import later

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QKeyEvent
    from qtpy.QtWidgets import QWidget

__all__ = ["Typing"]

_RESTS = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_F2)
_HELD = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
_PRESSES = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)


class _Letters(Protocol):
    """What tells commands from text."""

    stray: str

    def heed(self, key: str) -> str: ...
    def rest(self) -> None: ...


class Typing(QObject):
    """Watches widgets that take letters as commands.

    Parameters
    ----------
    parent
        Whose life it shares.
    letters
        Tells what a letter is.
    here
        Whether letters are commands now: our mask is what keys act on.

    Attributes
    ----------
    strayed
        Signal: a letter was kept from everybody.
    rested
        Signal: letters are commands again.
    tool_taken
        Signal: a letter has taken one of napari's tools.
    asked
        Signal: a question mark was pressed, whichever key the layout has it on.
    """

    strayed = Signal()
    rested = Signal()
    tool_taken = Signal()
    asked = Signal()

    def __init__(self, parent: QWidget, letters: _Letters, here: Callable[[], bool]) -> None:
        super().__init__(parent)
        self._letters, self._here = letters, here

    def watch(self, widget: QWidget | None) -> None:
        """Watch a widget; once is enough, again does no harm."""
        if widget is not None:
            widget.removeEventFilter(self)
            widget.installEventFilter(self)

    def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:
        """Keep a letter that is no command; all else goes its way."""
        kind = None if event is None else event.type()
        if kind in _PRESSES:
            self.rest()
        elif kind in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            return self._key(event, again=kind == QEvent.Type.ShortcutOverride)
        return False

    def rest(self) -> None:
        """Note a gesture that is no letter."""
        was = self._letters.stray
        self._letters.rest()
        if was:
            self.rested.emit()

    def _key(self, event: Any, *, again: bool) -> bool:
        """Return whether a key is kept; of `again` a key press follows, which is the one heeded."""
        if event.key() in _RESTS:
            if not again:
                self.rest()
            return False
        if event.text() == "?" and not self._letters.stray:
            event.accept()  # then no shortcut takes it
            if not again:
                self.asked.emit()
            return True
        if not _is_letter(event) or not self._here():
            return False
        if again:
            event.setAccepted(bool(self._letters.stray))  # then no shortcut of napari's takes it
            return bool(self._letters.stray)
        found = self._letters.heed(spelled(event))
        if found == "tool":
            later(self, self.tool_taken.emit)  # once napari has taken it
        kept = found in ("stray", "text")
        if kept:
            self.strayed.emit()
        return kept


def _is_letter(event: QKeyEvent) -> bool:
    """Whether a key would write something: a letter, a digit, a sign, a blank."""
    return event.text().isprintable() and bool(event.text()) and not event.modifiers() & _HELD
