"""What an import would do, mask by mask, and one button that does it.

Responsible for showing it as a table, for how it is to be done, and for the way while it is done.
Does not know masks or formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button, make_primary, refill, style_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ImportChoice", "ImportDialog", "ImportRow", "ImportState"]

_HEADS = ("mask", "slide", "holds", "what becomes of it")
_AS_ONE = "all classes, as one mask"
_MOST = (200, 160, 200)  # px that the first columns take


@dataclass(frozen=True)
class ImportRow:
    """One mask: its file, its slide, what it holds, and what becomes of it; in words."""

    mask: str
    slide: str
    holds: str
    said: str
    is_taken: bool


@dataclass(frozen=True)
class ImportState:
    """What the form shows.

    Attributes
    ----------
    rows
        One a mask.
    said
        What pressing the button means.
    all_classes
        What taking all classes means.
    """

    rows: tuple[ImportRow, ...] = ()
    said: str = ""
    all_classes: str = _AS_ONE

    @property
    def count(self) -> int:
        """How many masks are taken over."""
        return sum(row.is_taken for row in self.rows)


@dataclass(frozen=True)
class ImportChoice:
    """How masks are taken over.

    Attributes
    ----------
    role
        As what.
    fit
        Whether those of another size are enlarged or shrunk.
    only
        The class that is taken; "" is all, as one mask.
    """

    role: object
    fit: bool
    only: str


class ImportDialog(QDialog):
    """Nothing is done before its button is pressed.

    Parameters
    ----------
    parent
        What it opens over.
    roles
        Words and what they stand for; `role` is chosen at first.
    classes
        Of the masks; with fewer than two there is nothing to choose.
    sizes
        Whether some masks are of another size than their slide.
    """

    changed = Signal(object)  # ImportChoice
    taken = Signal(object)  # ImportChoice
    stopped = Signal()

    def __init__(
        self,
        parent: QWidget,
        roles: Sequence[tuple[str, object]],
        role: object,
        classes: Sequence[str],
        *,
        sizes: bool,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("import_masks")
        self.setWindowTitle("HubSeg: import masks")
        self.setStyleSheet(style_sheet())
        self.rows = _table()
        self.role, self.only = QComboBox(), QComboBox()
        self.role.setAccessibleName("What the masks become")
        refill(self.role, roles, role)
        self.only.setAccessibleName("Class that is taken over")
        refill(self.only, [(_AS_ONE, ""), *((n, n) for n in classes)], "")
        self._named = (QLabel("Take"), self.only), (QLabel("Take over as"), self.role)
        for widget in self._named[0]:
            widget.setVisible(len(classes) > 1)
        self.fit = QCheckBox("Enlarge or shrink masks of another size")
        self.fit.setVisible(sizes)
        self.said = Hint(name="import_said", lines=3)
        self.go = button("", "", name="take_masks")
        self.cancel = button("Cancel", "Import nothing (Esc)", name="cancel_import")
        self.go.setDefault(True)
        self.cancel.setAutoDefault(False)
        self._running = False
        self._lay_out()
        for changed in (self.role.activated, self.only.activated, self.fit.toggled):
            changed.connect(lambda _: self.changed.emit(self.choice()))
        self.go.clicked.connect(self._take)
        self.cancel.clicked.connect(self.reject)

    def _lay_out(self) -> None:
        how, end = QHBoxLayout(), QHBoxLayout()
        for said, widget in self._named:
            said.setBuddy(widget)
            how.addWidget(said)
            how.addWidget(widget, 1)
        end.addStretch(1)
        end.addWidget(self.cancel)
        end.addWidget(self.go)
        in_column(
            self,
            self.rows,
            how,
            self.fit,
            self.said,
            end,
            spacing=8,
            margins=(16, 14, 16, 12),
            wide=self.rows,
        )
        self.resize(860, 420)

    def choice(self) -> ImportChoice:
        """Return how masks are to be taken over."""
        return ImportChoice(
            self.role.currentData(), self.fit.isChecked(), str(self.only.currentData() or "")
        )

    def show_state(self, state: ImportState) -> None:
        """Show what would be done; emits nothing."""
        self.rows.setRowCount(len(state.rows))
        for place, row in enumerate(state.rows):
            for column, text in enumerate((row.mask, row.slide, row.holds, row.said)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                if not row.is_taken:
                    item.setFont(_slanted(self.font()))
                self.rows.setItem(place, column, item)
        for column, most in enumerate(_MOST):
            self.rows.setColumnWidth(column, min(most, self.rows.sizeHintForColumn(column) + 12))
        self.said.setText(state.said)
        self.only.setItemText(0, state.all_classes)
        count = state.count
        self.go.setText(f"Import {count} mask{'' if count == 1 else 's'}" if count else "Import")
        self.go.setToolTip("Take them over")
        self.go.setEnabled(count > 0)
        make_primary(self.go, count > 0)

    def show_progress(self, done: int, total: int) -> None:
        """Show how far it is."""
        if self._running:
            self.said.setText(f"{done} of {total} masks are taken over.")

    def end(self) -> None:
        """Close, once all is done."""
        self.accept()

    def reject(self) -> None:
        """Stop where it is being done, else close."""
        if self._running:
            self.cancel.setEnabled(False)
            self.stopped.emit()
        else:
            super().reject()

    def _take(self) -> None:
        self._running = True
        make_primary(self.go, False)
        for widget in (self.go, self.role, self.only, self.fit):
            widget.setEnabled(False)
        self.cancel.setText("Stop")
        self.cancel.setToolTip("Import no more; what was taken over stays (Esc)")
        self.taken.emit(self.choice())


def _slanted(font: QFont) -> QFont:
    """Return a font for what is left out: as dark as the rest, since its reason is read."""
    slanted = QFont(font)
    slanted.setItalic(True)
    return slanted


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_HEADS))
    table.setObjectName("import_rows")
    table.setAccessibleName("What would be imported")
    table.setHorizontalHeaderLabels(list(_HEADS))
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    table.setShowGrid(False)
    table.setWordWrap(True)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setStretchLastSection(True)
    return table
