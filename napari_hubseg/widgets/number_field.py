"""A field for a number: the room that it needs, and one without buttons.

Responsible for what Qt's style sheets get wrong there. Does not know what the number is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtWidgets import QAbstractSpinBox

__all__ = ["give_room", "without_buttons"]

_BESIDE = 6  # px left of a number


def give_room(field: QAbstractSpinBox, text: str, *, buttons: int = 0) -> None:
    """Make a field wide enough for `text` beside `buttons` px of its own: Qt 5 hints too little."""
    width = field.fontMetrics().horizontalAdvance(text) + buttons
    field.setStyleSheet(f"min-width: {width}px;")  # the dock's own rule outdoes setMinimumWidth


def without_buttons(field: QAbstractSpinBox) -> None:
    """Hide the buttons of a field.

    Qt's own way (``NoButtons``) leaves a style sheet's field 1 px wide from Qt 6.11.3 on.
    """
    field.setProperty("buttons", "none")
    line = field.lineEdit()
    if line is not None:
        line.setTextMargins(_BESIDE, 0, 0, 0)
