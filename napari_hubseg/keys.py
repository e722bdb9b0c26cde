"""The dock's keys: bound in a viewer, and read from Qt's key presses.

Responsible for the one spelling of keys that napari and the dock share. Does not know what a key
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence

from napari_hubseg.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from qtpy.QtGui import QKeyEvent

__all__ = ["Presses", "bind", "spelled", "unbind"]


def bind(
    viewer: ViewerModel, do: Callable[[str], object], hold: Callable[[str, bool], object]
) -> None:
    """Bind every action's key in the viewer, where it comes after those of the active layer.

    Parameters
    ----------
    viewer
        Where keys are pressed.
    do
        Does an action by its name.
    hold
        Does one that is held, and ends it: name, whether the key is down.
    """

    def bound(name: str) -> Callable[[object], None]:
        def press(_: object) -> None:  # napari would call what it returns when the key is let go
            do(name)

        return press

    def held(name: str) -> Callable[[object], Iterator[None]]:
        def press(_: object) -> Iterator[None]:
            hold(name, True)
            yield  # until the key is let go
            hold(name, False)

        return press

    for action in ACTIONS:
        made = held(action.name) if action.held else bound(action.name)
        viewer.bind_key(action.key, made, overwrite=True)


def unbind(viewer: ViewerModel) -> None:
    """Give the keys back."""
    for action in ACTIONS:
        viewer.bind_key(action.key, None)


class Presses:
    """Does what Qt's key presses stand for; see :func:`bind` for what it is given."""

    def __init__(self, do: Callable[[str], object], hold: Callable[[str, bool], object]) -> None:
        self._do, self._hold = do, hold
        self._named = {action.key: action.name for action in ACTIONS}
        self._held = {action.key: action.name for action in ACTIONS if action.held}

    def down(self, event: QKeyEvent | None) -> bool:
        """Do what a key that goes down stands for; False where it stands for nothing."""
        name = self._named.get(_key(event))
        if event is None or name is None:
            return False
        event.accept()
        if name in self._held.values():
            self._hold(name, True)
        else:
            self._do(name)
        return True

    def up(self, event: QKeyEvent | None) -> bool:
        """End what lasts as long as its key is down; False where nothing does."""
        name = self._held.get(_key(event))
        if event is None or name is None:
            return False
        event.accept()
        self._hold(name, False)
        return True


def _key(event: QKeyEvent | None) -> str:
    return "" if event is None or event.isAutoRepeat() else spelled(event)


def spelled(event: QKeyEvent) -> str:
    """Return a key press as napari spells it: "A", "Shift-N", "Control-Shift-H"."""
    modifiers = event.modifiers()
    held = [
        name
        for name, modifier in (
            ("Control", Qt.KeyboardModifier.ControlModifier),
            ("Shift", Qt.KeyboardModifier.ShiftModifier),
            ("Alt", Qt.KeyboardModifier.AltModifier),
        )
        if modifiers & modifier
    ]
    return "-".join((*held, QKeySequence(event.key()).toString()))
