"""Widgets below each other: how every panel is laid out.

Responsible for that one layout. Does not know what is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLayout, QVBoxLayout

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["in_column"]


def in_column(
    home: QWidget,
    *parts: QWidget | QLayout,
    spacing: int = 4,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    wide: QWidget | None = None,
) -> QVBoxLayout:
    """Lay parts below each other inside a widget, and return the layout.

    Parameters
    ----------
    home
        What they are in.
    parts
        Widgets and rows, from the top down.
    spacing
        px between two of them.
    margins
        px to the left, top, right and bottom of the widget.
    wide
        The part that takes the room that is left.
    """
    layout = QVBoxLayout(home)
    layout.setContentsMargins(*margins)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part, 1 if part is wide else 0)
    return layout
