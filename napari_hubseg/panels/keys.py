"""Every key on one page, made from the table of actions.

Responsible for that page alone. Does not know what a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hubseg.actions import grouped, key_of

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

    from napari_hubseg.actions import Action

__all__ = ["KeysPage"]

_COLUMNS = 3
_NAPARIS = (
    ("[  ]", "Smaller, larger brush"),
    ("Space", "Move the view while it is held"),
    ("Esc", "Letters are commands again; leave a field"),
)


class KeysPage(QDialog):
    """A page of groups in columns; F1, ? or Esc closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle("HubSeg: every key")
        groups = [(name, _rows(actions)) for name, actions in grouped().items()]
        groups.append(("Also", list(_NAPARIS)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(28)
        for column in _shared_out(groups):
            layout.addLayout(column)

    def toggle(self) -> None:
        """Show the page, or take it away."""
        self.setVisible(not self.isVisible())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Close with the keys that opened it, too."""
        if event is not None and (event.key() == Qt.Key.Key_F1 or event.text() == "?"):
            self.hide()
        else:
            super().keyPressEvent(event)


def _rows(actions: list[Action]) -> list[tuple[str, str]]:
    return [(key_of(action.name), action.title.removeprefix("Tool: ")) for action in actions]


def _shared_out(groups: list[tuple[str, list[tuple[str, str]]]]) -> list[QVBoxLayout]:
    """Return columns of about the same height."""
    columns = [QVBoxLayout() for _ in range(_COLUMNS)]
    share = sum(len(rows) + 2 for _, rows in groups) / _COLUMNS
    filled = 0.0
    for name, rows in groups:
        middle = filled + (len(rows) + 2) / 2
        columns[min(_COLUMNS - 1, int(middle / share))].addLayout(_group(name, rows))
        filled += len(rows) + 2
    for column in columns:
        column.setSpacing(12)
        column.addStretch(1)
    return columns


def _group(name: str, rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(1)
    grid.setHorizontalSpacing(12)
    grid.setColumnStretch(1, 1)
    title = QLabel(name)
    title.setProperty("strong", "true")
    grid.addWidget(title, 0, 0, 1, 2)
    for place, (key, what) in enumerate(rows, start=1):
        grid.addWidget(QLabel(key), place, 0, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(QLabel(what[:1].upper() + what[1:]), place, 1)
    return grid
