"""The rows of the queue as Qt's tables want them: what stands in each cell, and what changed.

Responsible for cells and for telling a view no more than has changed, so that several hundred rows
stay smooth, a selection stays on its slide and an open editor stays open. Does not know the view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QFont, QIcon, QImage, QPixmap

from napari_hubseg.widgets.inks import INKS, theme_of
from napari_hubseg.widgets.style import dot

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.project.queue_rows import QueueRow

__all__ = ["COLUMNS", "NOTE", "PICTURE", "SLIDE", "VERDICT", "QueueModel"]

# heading, what it means, the widest word to make room for
COLUMNS = (
    ("", "The slide", ""),
    ("slide", "The slide's name", "00000"),
    ("verdict", "What was decided", "corrected"),
    ("agree", "Expected agreement (Dice) of the mask, from how far the networks agree", "agree "),
    ("note", "A note of yours: F2 or a double click writes it", "cut off at"),
    (
        "area",
        "Share of the slide inside the mask, of the chosen structure; tissue in mm²",
        "100.0 %",
    ),
    ("objects", "Objects of the mask, of the chosen structure", "objects "),
    ("organ", "The organ", "largeintestine"),
    ("source", "Where the slide comes from", "Hubmap "),
    ("min", "Minutes that people worked on it; of a pause one counts", "000.0"),
)
PICTURE, SLIDE, VERDICT, _DOUBT, NOTE, _AREA, _OBJECTS, _ORGAN, _SOURCE, _LAST = range(len(COLUMNS))
_UNKNOWN = "–"


def _said(row: QueueRow, column: int) -> str:
    match column:
        case 1:
            return row.id
        case 2:
            return row.verdict.said
        case 3:
            return _UNKNOWN if row.expected is None else f"{row.expected:.3f}"
        case 4:
            return row.note
        case 5 if row.tissue_mm2 is not None:
            return (
                f"{row.tissue_mm2:.1f} mm²" if row.tissue_mm2 >= 1 else f"{row.tissue_mm2:.2g} mm²"
            )
        case 5:
            return _UNKNOWN if row.area is None else f"{100 * row.area:.1f} %"
        case 6:
            return _UNKNOWN if row.objects is None else str(row.objects)
        case 7:
            return row.organ or _UNKNOWN
        case 8:
            return row.source or _UNKNOWN
        case 9:
            return f"{row.minutes:.1f}" if row.minutes else ""
    return ""


class QueueModel(QAbstractTableModel):
    """One row per slide."""

    note_requested = Signal(str, str)
    picture_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[QueueRow, ...] = ()
        self._places: dict[str, int] = {}
        self._current = ""
        self._writable = True
        self._pictures: dict[str, QIcon] = {}
        self._asked: set[str] = set()
        self._theme = ""
        self._dots: dict[str, QIcon] = {}
        self.suit(QColor("black"))
        self._bold = QFont()
        self._bold.setBold(True)

    # ---- what changes --------------------------------------------------------------------------

    def show_rows(self, rows: Sequence[QueueRow], current: str, *, writable: bool = True) -> None:
        """Show rows; `current` is the id of the slide on screen."""
        before, was = self._rows, self._current
        self._writable = writable
        rows = tuple(rows)
        if rows is before and current == was:
            return
        ids = [row.id for row in rows]
        if ids == [row.id for row in before]:
            self._rows, self._current = rows, current
            for place, (old, new) in enumerate(zip(before, rows, strict=True)):
                if old != new or new.id in (was, current):
                    self.dataChanged.emit(self.index(place, 0), self.index(place, _LAST))
        elif sorted(ids) == sorted(self._places):
            self._reorder(rows, current)
        else:
            self.beginResetModel()
            self._take(rows, current)
            self.endResetModel()

    def suit(self, ground: QColor) -> None:
        """Show verdicts in colours for a ground."""
        if theme_of(ground) != self._theme:
            self._theme = theme_of(ground)
            self._dots = {name: _as_it_is(dot(c)) for name, c in INKS[self._theme].items()}
            if self._rows:
                last = self.index(len(self._rows) - 1, VERDICT)
                self.dataChanged.emit(self.index(0, VERDICT), last)

    def _reorder(self, rows: tuple[QueueRow, ...], current: str) -> None:
        """Put the same slides into another order: what is selected moves along."""
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        ids = [self.id_at(index.row()) for index in held]
        self._take(rows, current)
        moved = [
            self.index(self._places[slide_id], index.column())
            for slide_id, index in zip(ids, held, strict=True)
        ]
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()

    def _take(self, rows: tuple[QueueRow, ...], current: str) -> None:
        self._rows, self._current = rows, current
        self._places = {row.id: place for place, row in enumerate(rows)}

    def show_picture(self, slide_id: str, pixels: NDArray[np.uint8]) -> None:
        """Show a slide's thumbnail, uint8 RGB (h, w, 3)."""
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._pictures[slide_id] = _as_it_is(QIcon(QPixmap.fromImage(image)))
        self._asked.discard(slide_id)
        place = self._places.get(slide_id, -1)
        if place >= 0:
            self.dataChanged.emit(self.index(place, PICTURE), self.index(place, PICTURE))

    @property
    def current(self) -> str:
        """Id of the slide on screen, or ""."""
        return self._current

    def id_at(self, place: int) -> str:
        """Return the id of a row; "" where there is none."""
        return self._rows[place].id if 0 <= place < len(self._rows) else ""

    def row_of(self, slide_id: str) -> int:
        """Return the row of a slide, or -1."""
        return self._places.get(slide_id, -1)

    # ---- what Qt asks --------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of slides."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return a column's heading, or what it means."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[section][1]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what stands in a cell."""
        row, column = self._rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return _said(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.note if column == NOTE and row.note else f"{row.id}: {COLUMNS[column][1]}"
        if role == Qt.ItemDataRole.DecorationRole:
            if column == VERDICT:
                return self._dots[row.verdict.said]
            return self._picture(row.id) if column == PICTURE else None
        if role == Qt.ItemDataRole.FontRole and row.id == self._current:
            return self._bold
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (_DOUBT, _AREA, _OBJECTS, _LAST):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _picture(self, slide_id: str) -> QIcon | None:
        """Return a thumbnail; one that is not there is asked for, once: somebody looks at it."""
        found = self._pictures.get(slide_id)
        if found is None and slide_id not in self._asked:
            self._asked.add(slide_id)
            self.picture_requested.emit(slide_id)
        return found

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return what can be done with a cell: notes can be written."""
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        writable = index.column() == NOTE and self._writable
        return plain | Qt.ItemFlag.ItemIsEditable if writable else plain

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Ask for a note; it is shown once it is kept."""
        if role != Qt.ItemDataRole.EditRole or index.column() != NOTE:
            return False
        row = self._rows[index.row()]
        if str(value).strip() != row.note:
            self.note_requested.emit(row.id, str(value).strip())
        return True


def _as_it_is(icon: QIcon) -> QIcon:
    """Return an icon that keeps its colours in a selected row."""
    for size in icon.availableSizes():
        icon.addPixmap(icon.pixmap(size), QIcon.Mode.Selected)
    return icon
