"""The queue's table: every slide with what is known of it, to be searched, ordered and opened.

Responsible for showing rows and for asking: for another order or filter, for a slide, for a note.
Only rows that are looked at are drawn, so that their number makes no difference. Does not know how
rows are found or measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QTableView,
    QWidget,
)

from napari_hubseg.actions import tip
from napari_hubseg.keys import names_keys
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.queue_model import COLUMNS, NOTE, PICTURE, SLIDE, VERDICT, QueueModel
from napari_hubseg.widgets.style import Hint, button

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qtpy.QtCore import QModelIndex
    from qtpy.QtGui import QKeyEvent

    from hubseg.project.queue_rows import QueueRow

__all__ = ["QueueTablePanel", "QueueTableState"]

_LINES = 5  # rows of the table that are seen at least
_ORDERS = (
    ("in table order", "table"),
    ("worst first", "worst"),
    ("by area", "area"),
    ("by objects", "objects"),
    ("by verdict", "verdict"),
)
_FILTERS = (
    ("all slides", ""),
    ("needs a person", "waiting"),
    ("unseen", "unseen"),
    ("in progress", "in work"),
    ("accepted", "accepted"),
    ("corrected", "corrected"),
    ("flagged", "flagged"),
    ("rejected", "rejected"),
)


@dataclass(frozen=True)
class QueueTableState:
    """What the table shows.

    Attributes
    ----------
    rows
        What order and filter leave, in that order.
    current
        Id of the slide on screen, or "".
    text, verdict, order
        Filter and order.
    said
        One line under the table.
    writable
        Whether notes can be written.
    large
        What is on screen of a large slide: "slide", "region", its "tissue", or "".
    """

    rows: tuple[QueueRow, ...] = ()
    current: str = ""
    text: str = ""
    verdict: str = ""
    order: str = "table"
    said: str = ""
    writable: bool = True
    large: str = ""


class QueueTablePanel(QWidget):
    """A search field, a filter, an order, a table, and what is done with a large slide."""

    search_requested = Signal(str)
    verdict_requested = Signal(str)
    order_requested = Signal(str)
    slide_requested = Signal(str)
    note_requested = Signal(str, str)
    picture_requested = Signal(str)
    leave_requested = Signal()
    tissue_requested = Signal()
    divide_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.search = _Search()
        self.verdicts = _combo("queue_filter", "Which slides are shown, and come up", _FILTERS)
        self.orders = _combo("queue_order", tip("worst_first"), _ORDERS)
        self.model = QueueModel()
        self.table = _Table()
        self.table.setModel(self.model)
        self.said = Hint(name="queue_said", lines=1)
        self.tissue = button("Find tissue", tip("find_tissue"), name="find_tissue")
        self.divide = button("Divide into regions", tip("divide_slide"), name="divide_slide")
        self._state = QueueTableState()
        self._lay_out()
        self._connect()
        self.show_state(self._state)

    def _lay_out(self) -> None:
        choice = QHBoxLayout()
        choice.addWidget(self.verdicts, 1)
        choice.addWidget(self.orders, 1)
        large = QHBoxLayout()
        large.addWidget(self.tissue)
        large.addWidget(self.divide)
        parts = self.search, choice, self.table, self.said, large
        in_column(self, *parts, margins=(4, 0, 0, 0), wide=self.table)

    def _connect(self) -> None:
        self.search.textChanged.connect(self.search_requested)
        self.search.below.connect(self._into_table)
        self.search.entered.connect(self._open)
        self.search.left.connect(self.leave_requested)
        self.verdicts.activated.connect(
            lambda index: self.verdict_requested.emit(self.verdicts.itemData(index))
        )
        self.orders.activated.connect(
            lambda index: self.order_requested.emit(self.orders.itemData(index))
        )
        self.table.entered_row.connect(self._open)
        self.table.left.connect(self.leave_requested)
        self.table.clicked.connect(self._open_at)
        self.model.note_requested.connect(self.note_requested)
        self.model.picture_requested.connect(self.picture_requested)
        self.tissue.clicked.connect(self.tissue_requested)
        self.divide.clicked.connect(self.divide_requested)

    def show_state(self, state: QueueTableState) -> None:
        """Show `state`; emits nothing."""
        before, self._state = self._state, state
        if self.search.text() != state.text:
            with QSignalBlocker(self.search):
                self.search.setText(state.text)
        for combo, value in ((self.verdicts, state.verdict), (self.orders, state.order)):
            with QSignalBlocker(combo):
                combo.setCurrentIndex(combo.findData(value))
        if state.rows is not before.rows:
            self.table.make_room(max((row.id for row in state.rows), key=len, default=""))
        self.model.show_rows(state.rows, state.current, writable=state.writable)
        if state.current != before.current or self.highlighted == "":
            self._highlight(state.current)
        self.said.setText(state.said)
        for choice in (self.tissue, self.divide):
            choice.setVisible(bool(state.large))
        self.tissue.setEnabled(state.large != "tissue")
        self.divide.setEnabled(state.writable and state.large != "region")

    def show_picture(self, slide_id: str, pixels: NDArray[np.uint8]) -> None:
        """Show a slide's thumbnail, uint8 RGB (h, w, 3)."""
        self.model.show_picture(slide_id, pixels)

    @property
    def highlighted(self) -> str:
        """Id of the row that Enter opens, or ""."""
        return self.model.id_at(self.table.currentIndex().row())

    def focus_search(self) -> None:
        """Let the next letters be what is looked for."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _highlight(self, slide_id: str) -> None:
        row = self.model.row_of(slide_id)
        if row >= 0:
            self.table.setCurrentIndex(self.model.index(row, 1))
            self.table.scrollTo(self.model.index(row, PICTURE))

    def _into_table(self) -> None:
        if self.highlighted == "" and self.model.rowCount():
            self.table.setCurrentIndex(self.model.index(0, 1))
        self.table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _open(self) -> None:
        goal = self.highlighted or self.model.id_at(0)
        if goal:
            self.slide_requested.emit(goal)

    def _open_at(self, index: QModelIndex) -> None:
        goal = self.model.id_at(index.row())
        if goal != self._state.current:  # so that what is highlighted is what a verdict is for
            self.slide_requested.emit(goal)


def _combo(name: str, tip: str, items: tuple[tuple[str, str], ...]) -> QComboBox:
    made = QComboBox()
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    for text, data in items:
        made.addItem(text, data)
    return made


@names_keys
def _texts() -> dict[str, str]:
    return {
        "search": f"{tip('search_queue')}. ↓ goes into the table, Enter opens the highlighted "
        "slide, Esc goes back to the canvas"
    }


class _Search(QLineEdit):
    """A line whose arrow down goes into the table, Enter opens and Escape leaves."""

    below = Signal()
    entered = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("queue_search")
        self.setProperty("live", True)  # what is typed counts at once: Esc takes nothing back
        self.setPlaceholderText("find: slide, organ, verdict, note")
        self.setToolTip(_texts()["search"])
        self.setClearButtonEnabled(True)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Leave the line where a key says so."""
        asked = _asked(event)
        if asked == "down":
            self.below.emit()
        elif asked == "open":
            self.entered.emit()
        elif asked == "leave":
            self.left.emit()
        else:
            super().keyPressEvent(event)


class _Table(QTableView):
    """Rows; arrows move the highlight, and letters stay the keys of the dock."""

    entered_row = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("queue_table")
        self.setToolTip(
            "A click or Enter opens a slide, F2 or a double click writes its note, "
            "Esc goes back to the canvas"
        )
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # regions differ at their end
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setTabKeyNavigation(False)  # or Tab would go round among the cells for ever
        line = max(26, round(1.7 * self.fontMetrics().height()))
        self.setIconSize(QSize(line - 4, line - 4))
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None and columns is not None:
            rows.setVisible(False)
            rows.setMinimumSectionSize(line)
            rows.setDefaultSectionSize(line)  # one height for all: nothing is measured
            columns.setHighlightSections(False)
            columns.setMinimumSectionSize(20)
            columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self.setMinimumHeight(columns.sizeHint().height() + _LINES * line + 18)

    def setModel(self, model: Any) -> None:
        """Show a model, its columns as wide as their longest words."""
        super().setModel(model)
        for column, (_, _, widest) in enumerate(COLUMNS):
            icon = self.iconSize().width() if column in (PICTURE, VERDICT) else 6
            width = icon + self.fontMetrics().horizontalAdvance(widest)
            self.setColumnWidth(column, width + {PICTURE: 4, VERDICT: 24}.get(column, 10))

    def make_room(self, longest: str) -> None:
        """Make the names' column as wide as the longest one, up to a third of the table."""
        width = self.fontMetrics().horizontalAdvance(longest) + 16
        self.setColumnWidth(SLIDE, max(44, min(width, self.width() // 3)))
        self._fill()

    def resizeEvent(self, event: Any) -> None:
        """Let the note take what room is left, so that what follows begins beyond the edge."""
        super().resizeEvent(event)
        self._fill()

    def changeEvent(self, event: Any) -> None:
        """Show verdicts in the colours of another theme."""
        super().changeEvent(event)
        model = self.model()
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            if isinstance(model, QueueModel):
                model.suit(self.palette().color(QPalette.ColorRole.Window))

    def _fill(self) -> None:
        view = self.viewport()
        if view is not None:
            taken = sum(self.columnWidth(column) for column in range(NOTE))
            self.setColumnWidth(NOTE, max(60, view.width() - taken))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move, open, write or leave; everything else is the dock's."""
        asked = _asked(event)
        if event is not None and self.state() == QAbstractItemView.State.EditingState:
            event.accept()  # a line edit passes on the Enter that ends it
        elif asked == "open":
            self.entered_row.emit()
        elif asked == "leave":
            self.left.emit()
        elif asked == "note":
            self.edit(self.currentIndex().siblingAtColumn(NOTE))
        elif event is not None and event.text().isprintable() and event.text():
            event.ignore()  # Qt would look for a row that begins with the letter
        else:
            super().keyPressEvent(event)


def _asked(event: QKeyEvent | None) -> str:
    if event is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return ""
    return {
        Qt.Key.Key_Down: "down",
        Qt.Key.Key_Return: "open",
        Qt.Key.Key_Enter: "open",
        Qt.Key.Key_Escape: "leave",
        Qt.Key.Key_F2: "note",
    }.get(Qt.Key(event.key()), "")
