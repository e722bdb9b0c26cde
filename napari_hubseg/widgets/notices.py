"""What is said lies over the canvas, in a corner: nothing in the dock moves to make room for it.

Responsible for the place of cards over another widget, as tall as they have to be, for how many are
seen at once, and for clicks on them staying there. Does not know what a card says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hubseg.widgets.over_canvas import MARGIN, OverCanvas
from napari_hubseg.widgets.style import button, style_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NoticeStack"]

_WIDTH = 400  # px at most
_MOST = 2  # cards that are seen at once: more would hide the picture
_COMES_AND_GOES = (QEvent.Type.ShowToParent, QEvent.Type.HideToParent)


class _Place(QWidget):
    """Where a card is, seen or not: whether the card is to be seen is the card's own."""

    def __init__(self, card: QWidget) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(card)
        self.setVisible(False)


class NoticeStack(OverCanvas):
    """Cards one below the other, at the top right of what they lie over.

    Parameters
    ----------
    home
        Where it is while there is nothing to lie over, and where it goes back to.
    cards
        Widgets that show and hide themselves. Of more than two that are to be seen the two that
        came last are, and the others wait until one of these has gone, or a person asks for them.

    Attributes
    ----------
    more
        The button that says how many wait, and shows them.
    """

    def __init__(self, home: QWidget, cards: Sequence[QWidget]) -> None:
        super().__init__(home)
        self.setObjectName("notices")
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # a click is no stroke
        self.setStyleSheet(style_sheet())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._cards = tuple(cards)
        self._places = tuple(map(_Place, cards))
        for place in self._places:
            layout.addWidget(place)
        self.more = button("", "Show the notices that wait", name="more_notices")
        self.more.clicked.connect(self._show_all)
        layout.addWidget(self.more, 0, Qt.AlignmentFlag.AlignRight)
        self._came: list[QWidget] = []  # cards that are to be seen, the last one last
        self._all = False
        for card in cards:
            card.installEventFilter(self)
        self._place()

    def event(self, event: QEvent | None) -> bool:
        """Take as much room as its cards ask for, each time one of them asks for another."""
        done = bool(super().event(event))
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return done

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep to the corner of what it lies over, and see cards come and go."""
        if event is not None and event.type() in _COMES_AND_GOES and watched in self._cards:
            self._turn(watched)
        return super().eventFilter(watched, event)

    def _turn(self, card: QObject | None) -> None:
        """Note that a card has come or gone."""
        self._came = [one for one in self._came if one is not card]
        if isinstance(card, QWidget) and not card.isHidden():
            self._came.append(card)
        self._all = self._all and len(self._came) > _MOST
        self._choose()

    def _show_all(self) -> None:
        self._all = True
        self._choose()

    def _choose(self) -> None:
        """Show the cards that came last, or all."""
        seen = self._came if self._all else self._came[-_MOST:]
        for card, place in zip(self._cards, self._places, strict=True):
            place.setVisible(card in seen)
        waiting = len(self._came) - len(seen)
        self.more.setText(f"{waiting} more notice{'s' if waiting > 1 else ''}")
        self.more.setVisible(waiting > 0)

    def _place(self) -> None:
        under, layout = self.parentWidget(), self.layout()
        if under is None or layout is None:
            return
        width = max(0, min(_WIDTH, under.width() - 2 * MARGIN))
        height = layout.heightForWidth(width) if self._came else 0
        if height < 0:
            height = layout.sizeHint().height()
        self.setGeometry(under.width() - width - MARGIN, MARGIN, width, height)
        self.raise_()
