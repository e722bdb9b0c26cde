"""What the colours over the tissue mean, in the lower left corner of the canvas.

Responsible for a line for each colour that is drawn now, and for being left away by whoever knows
them. Takes no click. Does not know layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hubseg.widgets.over_canvas import MARGIN, OverCanvas
from napari_hubseg.widgets.remembered import recall, remember
from napari_hubseg.widgets.style import dot, style_sheet

__all__ = ["LegendPanel", "LegendState"]

_KEPT = "legend"
_DOT = 14  # px


@dataclass(frozen=True)
class LegendState:
    """What the legend shows: colour, as "#rrggbb", and what it means; no line hides it."""

    lines: tuple[tuple[str, str], ...] = ()


class LegendPanel(OverCanvas):
    """A few lines on a dark ground.

    Attributes
    ----------
    wanted
        Whether a person wants it, kept from one start to the next.
    """

    def __init__(self, home: QWidget) -> None:
        super().__init__(home)
        self.setObjectName("legend")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet(style_sheet())
        self.wanted = bool(recall(_KEPT, True))
        self._state = LegendState()
        self._ground = QFrame()
        self._ground.setObjectName("legend_ground")
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(self._ground)
        self._lines = QVBoxLayout(self._ground)
        self._lines.setContentsMargins(8, 5, 10, 5)
        self._lines.setSpacing(1)
        self.hide()

    def want(self, wanted: bool) -> None:
        """Show it where there is something to say, or never."""
        self.wanted = wanted
        remember(_KEPT, wanted)
        self._look()

    def show_state(self, state: LegendState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        while (item := self._lines.takeAt(0)) is not None:
            if (line := item.widget()) is not None:
                line.hide()
                line.deleteLater()
        for colour, meaning in state.lines:
            line = _line(colour, meaning)
            self._lines.addWidget(line)
            line.show()  # Qt does so one turn later, and gives it no room until then
        self._look()

    @property
    def said(self) -> tuple[str, ...]:
        """What is said of colours now; nothing where it is hidden."""
        return () if self.isHidden() else tuple(meaning for _, meaning in self._state.lines)

    def _look(self) -> None:
        self.setVisible(self.wanted and bool(self._state.lines))
        self._place()

    def _place(self) -> None:
        under = self.parentWidget()
        if under is not None:
            self._lines.activate()
            size = self.sizeHint()
            self.setGeometry(MARGIN, under.height() - size.height() - MARGIN, *_sides(size))
            self.raise_()


def _sides(size: QSize) -> tuple[int, int]:
    return size.width(), size.height()


def _line(colour: str, meaning: str) -> QWidget:
    made, sign, words = QWidget(), QLabel(), QLabel(meaning)
    sign.setPixmap(dot(colour).pixmap(_DOT, _DOT))
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(5)
    row.addWidget(sign)
    row.addWidget(words, 1)
    return made
