"""Five rows of the queue above the tabs, where there is room: the slide and its neighbours.

Responsible for that view of the queue's rows and for asking for a slide that is clicked. Does not
know how rows are found or measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_hubseg.widgets.queue_model import NOTE, PICTURE, SLIDE, VERDICT

if TYPE_CHECKING:
    from napari_hubseg.widgets.queue_model import QueueModel

__all__ = ["QueueStrip"]

_LINES = 5


class QueueStrip(QTableView):
    """The rows around the slide on screen.

    Attributes
    ----------
    slide_requested
        Signal of the id of a row that was clicked.
    seen
        Signal: it has come into view, or has left it.
    """

    slide_requested = Signal(str)
    seen = Signal(bool)

    def __init__(self, model: QueueModel) -> None:
        super().__init__()
        self.setObjectName("queue_strip")
        self.setToolTip("Click a slide to go to it")
        self._rows = model
        self.setModel(model)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # regions differ at their end
        line = max(24, round(1.5 * self.fontMetrics().height()))
        self.setIconSize(QSize(line - 4, line - 4))
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None and columns is not None:
            rows.setVisible(False)
            rows.setMinimumSectionSize(line)
            rows.setDefaultSectionSize(line)
            columns.setVisible(False)
            columns.setMinimumSectionSize(20)
            columns.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Stretch)
        for column in range(model.columnCount()):
            self.setColumnHidden(column, column not in (PICTURE, SLIDE, VERDICT, NOTE))
        for column, width in ((PICTURE, line + 4), (SLIDE, 130), (VERDICT, 110)):
            self.setColumnWidth(column, width)
        self.setFixedHeight(_LINES * line + 2)
        self.clicked.connect(self._open)
        model.modelReset.connect(self.follow)
        model.dataChanged.connect(lambda *_: self.follow())

    def follow(self) -> None:
        """Keep the slide on screen in the middle."""
        place = self._rows.row_of(self._rows.current)
        if place >= 0:
            middle = QAbstractItemView.ScrollHint.PositionAtCenter
            self.scrollTo(self._rows.index(place, SLIDE), middle)

    def _open(self, index: QModelIndex) -> None:
        self.slide_requested.emit(self._rows.id_at(index.row()))

    def showEvent(self, event: Any) -> None:
        """Say that somebody looks at the rows now."""
        super().showEvent(event)
        self.seen.emit(True)
        self.follow()

    def hideEvent(self, event: Any) -> None:
        """Say that nobody does any more."""
        super().hideEvent(event)
        self.seen.emit(False)
