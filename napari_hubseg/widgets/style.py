"""How the dock looks: its few colours, one style sheet and the pieces every panel is built from.

Responsible for looks alone. Knows no session, no layer and no panel. Everything else (background,
text, sliders) is left to napari's theme, so that the dock follows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.inks import INKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

__all__ = [
    "MARK",
    "ON_CHOSEN",
    "ElidedButton",
    "Hint",
    "Section",
    "button",
    "dot",
    "make_primary",
    "refill",
    "style_sheet",
]

_PRIMARY, _PRIMARY_HOVER, _PRIMARY_DOWN = "#0b757c", "#0d7f86", "#0a666c"
MARK = "#12959d"  # a dot on a tab where something waits
_LONG_WORD = 20  # letters
_PADDING = 8  # px beside the words of a button
_CHOSEN = "#2a4a52"  # a toggle that is on must not look like the step to take next
ON_CHOSEN = "#ffffff"


def style_sheet() -> str:
    """Return the dock's style sheet: only what napari's theme does not already say."""
    verdicts = "".join(
        f"""
        QPushButton[verdict="{name}"] {{ font-weight: 600; min-height: 24px; padding: 3px 3px; }}
        QPushButton[verdict="{name}"]:checked {{
            background: {colour}; color: #10151a; border: 1px solid {colour};
        }}
        QPushButton[verdict="{name}"]:checked:disabled {{
            background: #5a626c; border-color: transparent;
        }}
        """
        for name, colour in INKS["dark"].items()
        if name in ("accepted", "flagged", "rejected")
    )
    return f"""
        QPushButton {{ min-height: 20px; padding: 3px 7px; border: 1px solid transparent; }}
        QPushButton[step="next"] {{ background: {_PRIMARY}; color: white; font-weight: 600; }}
        QPushButton[step="next"]:hover {{ background: {_PRIMARY_HOVER}; }}
        QPushButton[step="next"]:pressed {{ background: {_PRIMARY_DOWN}; }}
        QPushButton[tool="true"]:checked:enabled {{
            background: {_CHOSEN}; color: {ON_CHOSEN}; border: 1px solid {_PRIMARY_HOVER};
        }}
        QPushButton[dense="true"] {{ padding: 2px 1px; }}
        QPushButton[beside="field"] {{ min-height: 0px; padding: 0px 7px; }}
        QPushButton[left="true"] {{ text-align: left; padding: 2px 2px; }}
        QPushButton[flat="true"] {{ background: transparent; padding: 2px 3px; }}
        QPushButton[flat="true"]:hover {{ background: rgba(128, 140, 150, 60); }}
        QPushButton[choice="true"] {{ text-align: left; padding: 11px 13px; font-size: 11pt; }}
        QPushButton[recent="true"] {{
            text-align: left; background: transparent; padding: 4px 13px;
        }}
        QPushButton[recent="true"]:hover {{ background: rgba(128, 140, 150, 60); }}
        QPushButton:focus {{ border: 1px solid {_PRIMARY_HOVER}; }}
        QFrame[edge="top"] {{ border: 0; border-top: 1px solid rgba(128, 140, 150, 110); }}
        QFrame[flyout="true"] {{
            border: 1px solid rgba(128, 140, 150, 160); border-radius: 4px;
        }}
        QWidget#notices {{ background: transparent; }}
        QDialog#keys {{ border: 1px solid rgba(128, 140, 150, 160); }}
        QPushButton[section="true"], QPushButton[section="true"]:checked {{
            text-align: left; font-weight: 600; padding: 4px 3px; background: transparent;
            border-top-color: #5a626c; border-radius: 0px;
        }}
        QPushButton[section="true"]:hover {{ background: rgba(128, 140, 150, 60); }}
        QLabel[title="true"] {{ font-weight: 600; font-size: 12pt; }}
        QLabel[strong="true"] {{ font-weight: 600; }}
        QSpinBox, QDoubleSpinBox {{ min-width: 44px; }}
        QAbstractSpinBox[buttons="none"]::up-button, QAbstractSpinBox[buttons="none"]::down-button,
        QAbstractSpinBox[buttons="none"]::up-arrow, QAbstractSpinBox[buttons="none"]::down-arrow {{
            width: 0px; height: 0px; border: none; image: none;
        }}
        {verdicts}{_tabs()}{_strips()}
    """


def _tabs() -> str:
    return f"""
        QTabBar {{ background: transparent; }}
        QTabBar::tab, QTabBar::tab:selected {{
            background: transparent; border: 1px solid transparent;
            border-bottom: 2px solid transparent;
            border-radius: 0; min-width: 56px; padding: 5px 3px; margin: 0;
        }}
        QTabBar::tab:selected {{ border-bottom: 2px solid {MARK}; }}
        QTabBar::tab:hover {{ background: rgba(128, 140, 150, 60); }}
        QTabBar::tab:focus {{
            border: 1px solid {_PRIMARY_HOVER}; border-bottom: 2px solid {MARK};
        }}
        QTabWidget::pane {{ border: 0; border-top: 1px solid rgba(128, 140, 150, 110); }}
        QLabel[fixed="true"] {{ padding: 0; margin: 0; }}
    """


def _strips() -> str:
    return """
        QFrame[strip="error"] { background: #7c2d2a; border-radius: 6px; }
        QFrame[strip="info"] { background: #24505a; border-radius: 6px; }
        QFrame[strip="error"] QLabel, QFrame[strip="info"] QLabel {
            background: transparent; color: white;
        }
        QFrame#message QPushButton, QFrame#step QPushButton, QFrame#tour QPushButton {
            background: transparent; color: white;
        }
        QFrame#legend_ground { background: rgba(16, 21, 26, 190); border-radius: 5px; }
        QFrame#legend_ground QWidget { background: transparent; color: white; }
        QPushButton#more_notices { background: #24505a; color: white; }
        QFrame#tour QPushButton#tour_next,
        QFrame#message QPushButton#act, QFrame#step QPushButton#act {
            border: 1px solid white; padding: 2px 9px;
        }
    """


def _restyle(widget: QWidget) -> None:
    """Apply the style sheet again: Qt does not look at a property that has changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def make_primary(target: QPushButton, primary: bool) -> None:
    """Let `target` stand out as the step to take next, or not."""
    step = "next" if primary else ""
    if target.property("step") != step:
        target.setProperty("step", step)
        _restyle(target)


def button(
    text: str, tip: str, *, name: str, made: QPushButton | None = None, **properties: str
) -> QPushButton:
    """Return a push button, or `made`, with a tooltip, an object name and style properties."""
    made = QPushButton() if made is None else made
    made.setText(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    # a click leaves the focus where it was: a button that is disabled while it has the focus
    # would hand it to a combo box, which would take the next letter
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    for key, value in properties.items():
        made.setProperty(key, value)
    return made


class ElidedButton(QPushButton):
    """A button whose words are shortened in the middle where it is too narrow for them."""

    def __init__(self, text: str, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMinimumWidth(60)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._text = ""
        self.setText(text)

    def text(self) -> str:
        """Return all of its words."""
        return self._text

    def setText(self, text: str | None) -> None:
        """Say `text`, as much of it as there is room for."""
        if text != self._text:
            self._text = text or ""
            self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the words into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _room(self) -> int:
        return int(self.width()) - 2 * _PADDING

    def _fit(self) -> None:
        super().setText(self._shown(self._room()))

    def _shown(self, room: int) -> str:
        """Return what of its words there is room for, px."""
        middle = Qt.TextElideMode.ElideMiddle
        return str(self.fontMetrics().elidedText(self._text, middle, room))


class Hint(QLabel):
    """A line of explanation or of figures that wraps, long paths and names included.

    Parameters
    ----------
    lines
        Lines that it has room for, whatever it says: nothing below it moves. 0: as many as it
        needs.
    """

    def __init__(self, text: str = "", *, name: str = "", lines: int = 0) -> None:
        super().__init__()
        self._text, self._lines = "", lines
        if lines:
            self.setProperty("fixed", "true")
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setText(text)

    def text(self) -> str:
        """Return what is said."""
        return self._text

    def setText(self, text: str | None) -> None:
        """Say `text`; Qt breaks a line at blanks only, so long words get places to break at."""
        self._text = text or ""
        words = (
            re.sub(r"([/\\_.,:-])", "\\1\u200b", word) if len(word) > _LONG_WORD else word
            for word in self._text.split(" ")
        )
        super().setText(" ".join(words))

    def hasHeightForWidth(self) -> bool:
        """Return whether its height is up to its words."""
        return not self._lines and bool(super().hasHeightForWidth())

    def sizeHint(self) -> QSize:
        """Return the room it asks for."""
        hint = super().sizeHint()
        return QSize(hint.width(), self._lines * self._line()) if self._lines else hint

    def minimumSizeHint(self) -> QSize:
        """Return the least room it can do with."""
        hint = super().minimumSizeHint()
        return QSize(hint.width(), self._lines * self._line()) if self._lines else hint

    def _line(self) -> int:
        return int(self.fontMetrics().lineSpacing()) + 1


def dot(colour: str) -> QIcon:
    """Return a round icon of one colour, sharp at any scaling."""
    side = 64
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(10, 10, side - 20, side - 20)
    painter.end()
    return QIcon(pixmap)


def refill(combo: QComboBox, items: Sequence[tuple[str, object]], current: object) -> None:
    """Show `items` (text, data) in `combo` and choose `current`, without emitting a signal."""
    with QSignalBlocker(combo):
        shown = [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]
        if shown != list(items):
            combo.clear()
            for text, data in items:
                combo.addItem(text, data)
        values = [data for _, data in items]
        combo.setCurrentIndex(values.index(current) if current in values else -1)


class Section(QWidget):
    """A titled part of the dock that folds away, with a summary that stays readable when folded.

    Attributes
    ----------
    wanted
        Signal: it shall be seen.
    """

    wanted = Signal()

    def __init__(self, title: str, content: QWidget, *, expanded: bool = False) -> None:
        super().__init__()
        self._title = title
        self.content = content
        self.header = button("", f"Show or hide: {title}", name=f"section_{title}", section="true")
        self.header.setCheckable(True)
        self.header.setIconSize(QSize(8, 8))
        self._summary = QLabel()
        self._summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._summary.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._summary.setStyleSheet("background: transparent")
        row = QHBoxLayout(self.header)
        row.setContentsMargins(90, 0, 6, 0)
        row.addStretch(1)
        row.addWidget(self._summary)
        in_column(self, self.header, content)
        self.header.toggled.connect(self._fold)
        self.header.setChecked(expanded)
        self._fold(expanded)

    def set_summary(self, text: str) -> None:
        """Show `text` at the right of the header."""
        self._summary.setText(text)

    @property
    def badge(self) -> str:
        """What stands at the right of the header."""
        return str(self._summary.text())

    def set_badge(self, text: str) -> None:
        """Show `text` at the right of the header as what is on, in colour; "" shows nothing."""
        self._summary.setText(text)
        colour = f"background: {_PRIMARY}; color: white; border-radius: 3px; padding: 1px 6px"
        self._summary.setStyleSheet(colour if text else "background: transparent")

    def expand(self) -> None:
        """Unfold the section, for somebody to see what is in it."""
        self.header.setChecked(True)
        self.wanted.emit()

    def _fold(self, expanded: bool) -> None:
        self.header.setText(f"{'▾' if expanded else '▸'}  {self._title}")
        self.content.setVisible(expanded)
