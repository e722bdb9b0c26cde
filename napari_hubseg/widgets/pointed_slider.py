"""A slider whose handle goes where it is pressed.

Responsible for that press alone. Does not know what the value means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSlider, QStyle, QStyleOptionSlider

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent

__all__ = ["PointedSlider"]


class PointedSlider(QSlider):
    """A slider that comes to the pointer wherever it is pressed, and follows it from there."""

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Put the handle under the pointer; Qt would turn a page at a time towards it."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            style, kind = self.style(), QStyle.ComplexControl.CC_Slider
            handle = style.subControlRect(kind, option, QStyle.SubControl.SC_SliderHandle, self)
            at = event.position() if hasattr(event, "position") else event.localPos()
            if not handle.contains(at.toPoint()):
                place = round(at.x() - handle.width() / 2)
                room = self.width() - handle.width()
                low, high = self.minimum(), self.maximum()
                self.setValue(QStyle.sliderValueFromPosition(low, high, place, room))
        super().mousePressEvent(event)
