"""A widget that lies over another one, in a corner of it, and goes with its size.

Responsible for following it and for leaving it in time. Does not know which corner.
"""

from __future__ import annotations

from abc import abstractmethod

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

__all__ = ["MARGIN", "OverCanvas"]

MARGIN = 12  # px to the edges of what it lies over


class OverCanvas(QWidget):
    """Lies over a widget.

    Parameters
    ----------
    home
        Where it is while there is nothing to lie over, and where it goes back to.
    """

    def __init__(self, home: QWidget) -> None:
        super().__init__(home)
        self._home = home
        home.installEventFilter(self)

    def lie_over(self, widget: QWidget) -> None:
        """Lie over another widget from now on."""
        under = self.parentWidget()
        if widget is under:
            return
        hidden = self.isHidden()
        if under is not None:
            under.removeEventFilter(self)
        self.setParent(widget)
        widget.installEventFilter(self)
        self._place()
        self.setVisible(not hidden)

    def go_home(self) -> None:
        """Leave what it lies over: that may go before the dock does, or stay after it."""
        self.lie_over(self._home)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep to its corner."""
        if event is not None and event.type() == QEvent.Type.Resize:
            if watched is self.parentWidget():
                self._place()
        return False

    @abstractmethod
    def _place(self) -> None:
        """Take its place in its parent."""
