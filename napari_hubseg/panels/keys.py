"""Every key on one page, made from the table of actions.

Responsible for that page alone. Does not know what a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hubseg.actions import grouped, key, key_of
from napari_hubseg.keys import keys_of_napari, spelled
from napari_hubseg.widgets import preferences
from napari_hubseg.widgets.other_keys import OtherKeysPage
from napari_hubseg.widgets.style import button

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

    from napari_hubseg.actions import Action

__all__ = ["KeysPage"]

_COLUMNS = 3
_NAPARIS = (
    ("[  ]", "Smaller, larger brush"),
    ("1–6, E, P, Z", "napari's own tools: E erases"),
    ("Space", "Move the view while it is held"),
    ("Esc", "Letters are commands again; leave a field"),
)


class KeysPage(QDialog):
    """A page of groups in columns; F1, ? or Esc closes it.

    Attributes
    ----------
    tour_requested
        Signal: the tour shall be shown again.
    keys_changed
        Signal: a person has given actions other keys, which are kept.
    """

    tour_requested = Signal()
    keys_changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle("HubSeg: every key")
        self.tour = button("Show the tour", "Three steps: open, mend, decide", name="show_tour")
        self.tour.clicked.connect(self._ask_for_tour)
        self.prefer = button(
            "Preferences…", "Device, room for maps, recipe and name", name="show_preferences"
        )
        self.prefer.clicked.connect(self._ask_for_preferences)
        self.prefer.setVisible(
            preferences.kept_by_napari() is None
        )  # else they are among napari's own
        self.change = button("Change keys…", "Give an action another key", name="change_keys")
        self.change.clicked.connect(self._ask_for_other_keys)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.change)
        foot.addWidget(self.prefer)
        foot.addWidget(self.tour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.addLayout(foot)
        self._layout, self._rows = layout, QWidget(self)
        self.fill()

    def fill(self) -> None:
        """Show every key as it is now."""
        self._rows.hide()
        self._rows.deleteLater()
        self._rows = QWidget()
        groups = [(name, _rows(actions)) for name, actions in grouped().items()]
        groups.append(("Also", list(_NAPARIS)))
        columns = QHBoxLayout(self._rows)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(28)
        for column in _shared_out(groups):
            columns.addLayout(column)
        self._layout.insertWidget(0, self._rows)

    def _ask_for_preferences(self) -> None:
        self.hide()
        page = preferences.PreferencesPage(self)
        page.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        page.open()

    def _ask_for_other_keys(self) -> None:
        self.hide()
        page = OtherKeysPage(self, keys_of_napari())
        page.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        page.accepted.connect(self.keys_changed)
        page.open()

    def _ask_for_tour(self) -> None:
        self.hide()
        self.tour_requested.emit()

    def toggle(self) -> None:
        """Show the page, or take it away."""
        self.setVisible(not self.isVisible())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Close with the keys that opened it, too."""
        if event is not None and (spelled(event) == key("show_keys") or event.text() == "?"):
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
    title.setObjectName("every_title")
    title.setProperty("strong", "true")
    grid.addWidget(title, 0, 0, 1, 2)
    for place, (shown, what) in enumerate(rows, start=1):
        grid.addWidget(QLabel(shown), place, 0, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(QLabel(what[:1].upper() + what[1:]), place, 1)
    return grid
