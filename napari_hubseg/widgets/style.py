"""How the dock looks: its few colours, one style sheet and the pieces every panel is built from.

Responsible for looks alone. Knows no session, no layer and no panel. Everything else (background,
text, sliders) is left to napari's theme, so that the dock follows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

__all__ = [
    "EVERY",
    "HERE",
    "MASK",
    "VERDICT_COLOURS",
    "ElidedButton",
    "Hint",
    "Section",
    "button",
    "dot",
    "give_room",
    "make_primary",
    "refill",
    "style_sheet",
]

# The mask is cyan: the one strong hue that neither PAS, H&E nor DAB paints tissue with.
MASK = "#00d5cb"
HERE, EVERY = "#ffb347", "#d08bff"  # curves of this slide, and of all of its kind
VERDICT_COLOURS = {
    "unseen": "#8a929c",
    "in work": "#4f9dde",
    "accepted": "#35b26b",
    "corrected": "#35b26b",
    "flagged": "#e0a030",
    "rejected": "#dd5a50",
}
_PRIMARY, _PRIMARY_HOVER, _PRIMARY_DOWN = "#0d7f86", "#12959d", "#0a666c"
_LONG_WORD = 20  # letters
_PADDING = 8  # px beside the words of a button
_CHOSEN = "#2a4a52"  # a toggle that is on must not look like the step to take next


def style_sheet() -> str:
    """Return the dock's style sheet: only what napari's theme does not already say."""
    verdicts = "".join(
        f"""
        QPushButton[verdict="{name}"] {{ border-bottom: 3px solid {colour}; font-weight: 600; }}
        QPushButton[verdict="{name}"][step="next"] {{ border-bottom: 3px solid {colour}; }}
        QPushButton[verdict="{name}"]:checked {{ background: {colour}; color: #10151a; }}
        QPushButton[verdict="{name}"]:disabled {{ border: 0; border-bottom: 3px solid #5a626c; }}
        """
        for name, colour in VERDICT_COLOURS.items()
    )
    return f"""
        QPushButton {{ min-height: 20px; padding: 4px 8px; }}
        QPushButton[step="next"] {{ background: {_PRIMARY}; color: white; font-weight: 600; }}
        QPushButton[step="next"]:hover {{ background: {_PRIMARY_HOVER}; }}
        QPushButton[step="next"]:pressed {{ background: {_PRIMARY_DOWN}; }}
        QPushButton[tool="true"]:checked:enabled {{
            background: {_CHOSEN}; color: white; border: 1px solid {_PRIMARY_HOVER};
        }}
        QPushButton[dense="true"] {{ padding: 3px 2px; }}
        QPushButton[section="true"], QPushButton[section="true"]:checked {{
            text-align: left; font-weight: 600; padding: 5px 4px; background: transparent;
            border-top: 1px solid #5a626c; border-radius: 0px;
        }}
        QPushButton[section="true"]:hover {{ background: rgba(128, 140, 150, 60); }}
        QLabel[title="true"] {{ font-weight: 600; font-size: 12pt; }}
        QLabel[strong="true"] {{ font-weight: 600; }}
        QSpinBox, QDoubleSpinBox {{ min-width: 44px; }}
        QFrame[strip="error"] {{ background: #7c2d2a; border-radius: 3px; }}
        QFrame[strip="info"] {{ background: #24505a; border-radius: 3px; }}
        QFrame[strip="error"] QLabel, QFrame[strip="info"] QLabel {{
            background: transparent; color: white;
        }}
        QFrame#message QPushButton, QFrame#step QPushButton {{
            background: transparent; color: white;
        }}
        QFrame#accepted {{ border-top: 1px solid #5a8a94; }}
        QFrame#message QPushButton#act, QFrame#step QPushButton#act {{
            border: 1px solid white; padding: 3px 10px;
        }}
        {verdicts}
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


def button(text: str, tip: str, *, name: str, **properties: str) -> QPushButton:
    """Return a push button with a tooltip, an object name and style properties."""
    made = QPushButton(text)
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

    def _fit(self) -> None:
        room = self.width() - 2 * _PADDING
        middle = Qt.TextElideMode.ElideMiddle
        super().setText(self.fontMetrics().elidedText(self._text, middle, room))


def give_room(field: QAbstractSpinBox, text: str, *, buttons: int = 0) -> None:
    """Make a field wide enough for `text` beside `buttons` px of its own: Qt 5 hints too little."""
    width = field.fontMetrics().horizontalAdvance(text) + buttons
    field.setStyleSheet(f"min-width: {width}px;")  # the dock's own rule outdoes setMinimumWidth


class Hint(QLabel):
    """A line of explanation or of figures that wraps, long paths and names included."""

    def __init__(self, text: str = "", *, name: str = "") -> None:
        super().__init__()
        self._text = ""
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
    """A titled part of the dock that folds away, with a summary that stays readable when folded."""

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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        layout.addWidget(content)
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
        """Unfold the section."""
        self.header.setChecked(True)

    def _fold(self, expanded: bool) -> None:
        self.header.setText(f"{'▾' if expanded else '▸'}  {self._title}")
        self.content.setVisible(expanded)
