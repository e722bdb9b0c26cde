"""The members of the ensemble: which are mixed, with what weight, and which files are there.

Responsible for a tree of sizes, networks and folds with check boxes and weights, and for one line
about the files. Knows no recipe and no map: only names and places.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint

__all__ = ["Branch", "MembersPanel", "MembersState"]

_NAME, _WEIGHT, _STATE = range(3)
_ROWS = 9  # shown at once; more can be scrolled to
_PLACE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Branch:
    """One row of the tree.

    Attributes
    ----------
    place
        (resolution,), (resolution, network) or (resolution, network, fold).
    name, state, tip
        What is shown, and what the pointer learns.
    weight
        Number to show, or None where the row has none of its own.
    on
        True, False, or None where some of its members are on.
    missing
        Whether something of it is not there.
    rows
        Rows below it.
    """

    place: tuple[int, ...]
    name: str
    state: str = ""
    tip: str = ""
    weight: float | None = None
    on: bool | None = True
    missing: bool = False
    rows: tuple[Branch, ...] = ()


@dataclass(frozen=True)
class MembersState:
    """What the panel shows: the tree's rows, and one sentence about checkpoints."""

    rows: tuple[Branch, ...] = ()
    files: str = ""
    complete: bool = True


class MembersPanel(QWidget):
    """A tree of sizes, networks and folds; every row can be switched off."""

    switched = Signal(object, bool)  # place, on
    weight_requested = Signal(object, float)  # place, weight

    def __init__(self) -> None:
        super().__init__()
        self.files = Hint(name="members_files")
        self.tree = QTreeWidget()
        self.tree.setObjectName("members")
        self.tree.setAccessibleName("Members of the ensemble")
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["member", "weight", "state"])
        self.tree.setRootIsDecorated(True)
        self.tree.setIndentation(14)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setToolTip(
            "Switch a size, a network or a fold off, or double-click a weight: the map follows "
            "without another run"
        )
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        for column in (_WEIGHT, _STATE):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.itemChanged.connect(self._ask)
        self.tree.itemDoubleClicked.connect(self._edit)
        in_column(self, self.files, self.tree)
        self._state = MembersState()
        self._items: dict[tuple[int, ...], QTreeWidgetItem] = {}
        self.show_state(MembersState())

    def show_state(self, state: MembersState) -> None:
        """Show `state`; emits nothing, and folds nothing that was unfolded."""
        with QSignalBlocker(self.tree):
            if _shape(state.rows) != _shape(self._state.rows):
                self._build(state.rows)
            for row in state.rows:
                self._show(row)
        self._state = state
        self.files.setText(state.files)
        self.files.setVisible(bool(state.files))
        self.files.setProperty("kind", "" if state.complete else "warning")
        self.setVisible(bool(state.rows))

    def _build(self, rows: tuple[Branch, ...]) -> None:
        self.tree.clear()
        self._items = {}
        for row in rows:
            self._add(row, self.tree)
            self._items[row.place].setExpanded(True)
        shown = min(_ROWS, sum(1 + len(row.rows) for row in rows))
        height = max(self.tree.sizeHintForRow(0), self.tree.fontMetrics().height() + 6)
        self.tree.setFixedHeight(height * (shown + 1) + self.tree.header().sizeHint().height())

    def _add(self, row: Branch, parent: QTreeWidget | QTreeWidgetItem) -> None:
        item = QTreeWidgetItem(parent)
        item.setFlags(
            Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
        )
        item.setData(_NAME, _PLACE, row.place)
        item.setTextAlignment(_WEIGHT, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._items[row.place] = item
        for below in row.rows:
            self._add(below, item)

    def _show(self, row: Branch) -> None:
        item = self._items[row.place]
        check = Qt.CheckState.PartiallyChecked
        if row.on is not None:
            check = Qt.CheckState.Checked if row.on else Qt.CheckState.Unchecked
        if (
            item.checkState(_NAME) != check
            or item.data(_NAME, Qt.ItemDataRole.CheckStateRole) is None
        ):
            item.setCheckState(_NAME, check)
        item.setText(_NAME, row.name)
        item.setText(_WEIGHT, "" if row.weight is None else f"{row.weight:g}")
        item.setText(_STATE, row.state)
        for column in range(3):
            item.setToolTip(column, row.tip)
        font = item.font(_STATE)
        font.setBold(row.missing)
        item.setFont(_STATE, font)
        for below in row.rows:
            self._show(below)

    def _row(self, place: tuple[int, ...]) -> Branch | None:
        rows = self._state.rows
        for depth in range(1, len(place) + 1):
            found = next((row for row in rows if row.place == place[:depth]), None)
            if found is None or depth == len(place):
                return found
            rows = found.rows
        return None

    def _ask(self, item: QTreeWidgetItem, column: int) -> None:
        """Ask for what a person did to a row; the row itself goes back to what holds."""
        place = tuple(item.data(_NAME, _PLACE))
        row = self._row(place)
        if row is None:
            return
        on, text = item.checkState(_NAME) == Qt.CheckState.Checked, item.text(_WEIGHT)
        with QSignalBlocker(self.tree):
            self._show(row)
        if column == _NAME:
            self.switched.emit(place, on)
        elif column == _WEIGHT and row.weight is not None:
            try:
                weight = float(text.replace(",", "."))
            except ValueError:
                return
            self.weight_requested.emit(place, weight)

    def _edit(self, item: QTreeWidgetItem, column: int) -> None:
        row = self._row(tuple(item.data(_NAME, _PLACE)))
        if column == _WEIGHT and row is not None and row.weight is not None:
            self.tree.editItem(item, _WEIGHT)


def _shape(rows: tuple[Branch, ...]) -> tuple[object, ...]:
    return tuple((row.place, _shape(row.rows)) for row in rows)
