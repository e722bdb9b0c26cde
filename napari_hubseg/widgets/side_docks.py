"""napari's own panels at the left: folded while slides are reviewed, one click away.

Responsible for finding the layer list and the layer controls of a window, and for remembering
whether a person wants them. Does not know layers.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDockWidget

from napari_hubseg.widgets.remembered import recall, remember

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["SideDocks"]

_NAMES = ("layer list", "layer controls")  # napari's object names
_KEPT = "napari_docks"


class SideDocks:
    """The layer list and the layer controls of the window that a widget is in."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self._looked = False
        self._folded = False  # by us
        self._top: Callable[[], Any] = lambda: None  # weak: a closed window must go

    def _docks(self) -> list[QDockWidget]:
        top = self._top()
        found = [] if top is None else [top.findChild(QDockWidget, name) for name in _NAMES]
        return [dock for dock in found if dock is not None]

    @property
    def shown(self) -> bool:
        """Whether one of them is there to be seen."""
        return any(not dock.isHidden() for dock in self._docks())

    def look(self) -> None:
        """Fold them, the first time that the window is seen, unless a person wants them."""
        top = self._widget
        while (parent := top.parentWidget()) is not None:
            top = parent
        self._top = weakref.ref(top)
        if not self._looked and self._docks():
            self._looked = True
            if not recall(_KEPT, False):
                self._show(False)

    def toggle(self) -> None:
        """Show them, or fold them away; the next window does the same."""
        self._show(not self.shown)
        remember(_KEPT, self.shown)

    def give_back(self) -> None:
        """Show again what was folded here: the dock leaves the window."""
        if self._folded:
            self._show(True)

    def _show(self, shown: bool) -> None:
        for dock in self._docks():
            dock.setVisible(shown)
        self._folded = not shown
