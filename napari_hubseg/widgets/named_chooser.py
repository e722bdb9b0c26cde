"""A list to choose a name from: one that is too long for it is cut in its middle.

Responsible for what the closed list shows. Names of regions differ at their end, and those of a
batch often do. Does not know what is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

__all__ = ["NamedChooser"]

_GAP = 10  # px that a style leaves around icon and words


class NamedChooser(QComboBox):
    """A combo box whose words keep their end."""

    @property
    def shown_text(self) -> str:
        """The words as there is room for them."""
        text: str = self._option().currentText
        return text

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        if style is not None:
            complex_control = QStyle.ComplexControl.CC_ComboBox
            field = QStyle.SubControl.SC_ComboBoxEditField
            box = style.subControlRect(complex_control, option, field, self)
            icon = 0 if option.currentIcon.isNull() else option.iconSize.width() + 4
            room = box.width() - icon - _GAP
            middle = Qt.TextElideMode.ElideMiddle
            option.currentText = self.fontMetrics().elidedText(option.currentText, middle, room)
        return option

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw it as the style does, with words that fit."""
        painter, option = QStylePainter(self), self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
