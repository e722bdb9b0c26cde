"""Tooltips of several lines: Qt breaks lines of rich text alone, and shows any other as one line.

Responsible for showing what a widget, a row or a heading says of itself, broken into lines where
that is long. Texts stay as they are: what reads them elsewhere knows nothing of it. Does not know
what they say.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import QRect, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QToolTip, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QHelpEvent

__all__ = ["broken", "show_broken"]

_ONE_LINE = 60  # letters


def broken(text: str) -> str:
    """Return a tooltip that Qt breaks into lines, where a line of it is long; else as it is."""
    long = max(map(len, text.split("\n"))) > _ONE_LINE
    if not long or Qt.mightBeRichText(text):
        return text
    return f"<qt>{escape(text).replace(chr(10), '<br>')}</qt>"


def show_broken(widget: QWidget, event: QHelpEvent) -> bool:
    """Show a long tooltip in lines; False where there is none, and Qt shows what there is."""
    text, place = _said(widget, event)
    shown = broken(text)
    if shown == text:
        return False
    QToolTip.showText(event.globalPos(), shown, widget, place)
    return True


def _said(widget: QWidget, event: QHelpEvent) -> tuple[str, QRect]:
    """Return what is said at the pointer, and where that holds: all of the widget is no place."""
    view, role = widget.parentWidget(), Qt.ItemDataRole.ToolTipRole
    if isinstance(view, QHeaderView):
        section = view.logicalIndexAt(event.pos())
        model = view.model()
        said = None if model is None else model.headerData(section, view.orientation(), role)
        left = view.sectionViewportPosition(section)
        place = QRect(left, 0, view.sectionSize(section), widget.height())
        return str(said or view.toolTip()), place if said else QRect()
    if isinstance(view, QAbstractItemView) and widget is view.viewport():
        index = view.indexAt(event.pos())
        said = index.data(role) if index.isValid() else None
        return str(said or view.toolTip()), view.visualRect(index) if said else QRect()
    return str(widget.toolTip()), QRect()
