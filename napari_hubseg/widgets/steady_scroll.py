"""A scrolled column that stays where it is when something appears or goes above it.

Responsible for that alone: what is under the pointer must not become another button between two
clicks. Does not know what is in the column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QScrollArea

if TYPE_CHECKING:
    from qtpy.QtGui import QMoveEvent, QResizeEvent

__all__ = ["SteadyScroll"]


class SteadyScroll(QScrollArea):
    """Scrolls by as much as it was moved, so that its content keeps its place on the screen."""

    _moved = 0  # px that it was moved and has not scrolled yet

    def moveEvent(self, event: QMoveEvent | None) -> None:
        """Note by how much it was moved; its size, and so how far it scrolls, changes next."""
        super().moveEvent(event)
        if event is not None and self.isVisible():
            self._moved += event.pos().y() - event.oldPos().y()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Scroll by as much."""
        bar, by = self.verticalScrollBar(), self._moved
        self._moved = 0
        goal = 0 if bar is None else bar.value() + by  # before Qt fits it into the new range
        super().resizeEvent(event)
        if by and bar is not None:
            bar.setValue(goal)
