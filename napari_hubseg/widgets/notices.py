"""What is said lies over the canvas, in a corner: nothing in the dock moves to make room for it.

Responsible for the place of cards over another widget, as tall as they have to be, and for clicks
on them staying there. Does not know what a card says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hubseg.widgets.style import style_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NoticeStack"]

_WIDTH = 400  # px at most
_MARGIN = 12  # px to the edges of what it lies over


class NoticeStack(QWidget):
    """Cards one below the other, at the top right of what they lie over.

    Parameters
    ----------
    home
        Where it is while there is nothing to lie over, and where it goes back to.
    cards
        Widgets that show and hide themselves.
    """

    def __init__(self, home: QWidget, cards: Sequence[QWidget]) -> None:
        super().__init__(home)
        self.setObjectName("notices")
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # a click is no stroke
        self.setStyleSheet(style_sheet())
        self._home = home
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for card in cards:
            layout.addWidget(card)
        self._cards = tuple(cards)
        home.installEventFilter(self)
        self._place()

    def lie_over(self, widget: QWidget) -> None:
        """Lie over another widget from now on."""
        under = self.parentWidget()
        if widget is under:
            return
        if under is not None:
            under.removeEventFilter(self)
        self.setParent(widget)
        widget.installEventFilter(self)
        self._place()
        self.show()

    def go_home(self) -> None:
        """Leave what it lies over: that may go before the dock does, or stay after it."""
        self.lie_over(self._home)

    def event(self, event: QEvent | None) -> bool:
        """Take as much room as its cards ask for, each time one of them asks for another."""
        done = bool(super().event(event))
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return done

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep to the corner of what it lies over."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        under, layout = self.parentWidget(), self.layout()
        if under is None or layout is None:
            return
        width = max(0, min(_WIDTH, under.width() - 2 * _MARGIN))
        shown = [card for card in self._cards if not card.isHidden()]
        height = layout.heightForWidth(width) if shown else 0
        if height < 0:
            height = layout.sizeHint().height()
        self.setGeometry(under.width() - width - _MARGIN, _MARGIN, width, height)
        self.raise_()
