"""The strip of structures: which one tools work on, how many objects each has, and which are seen.

Responsible for asking for another structure, and for what a clicked object is. It is not there
where a slide has one structure; many of them are a list, which takes one line. Does not know masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtGui import QCursor, QShowEvent
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from napari_hubseg.actions import key_of
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.style import ElidedButton, dot

__all__ = ["Chip", "StructuresPanel", "StructuresState"]

_COLUMNS = 3
_MOST, _TALL = 2 * _COLUMNS, 800  # chips in two lines, for which a window of that many px has room
_BESIDE = 26  # px of a chip that its dot and its edges take


@dataclass(frozen=True)
class Chip:
    """One structure.

    Attributes
    ----------
    name
        Its word; "" is one without a name.
    label, colour
        As a person reads it, and as it is drawn, "#rrggbb".
    objects
        How many its mask has; None while that is not known.
    chosen, seen
        Whether tools work on it, and whether its outline is shown.
    """

    name: str
    label: str
    colour: str
    objects: int | None = None
    chosen: bool = False
    seen: bool = True


@dataclass(frozen=True)
class StructuresState:
    """What the strip shows; nothing where there are fewer than two chips."""

    chips: tuple[Chip, ...] = ()


class _ChipButton(ElidedButton):
    """A structure's name and count behind a dot of its colour."""

    def __init__(self) -> None:
        super().__init__("", name="structure")
        self.setCheckable(True)
        self.setProperty("tool", "true")
        self.setProperty("left", "true")
        self.setIconSize(QSize(12, 12))
        self._colour = self._count = ""

    def show_chip(self, chip: Chip) -> None:
        """Show a structure."""
        self._count = "" if chip.objects is None else f" {chip.objects}"
        self.setText(f"{chip.label}{self._count}")
        self.setChecked(chip.chosen)
        counted = "" if chip.objects is None else f", {chip.objects} objects"
        keys = f"{key_of('next_structure')} next, {key_of('previous_structure')} previous"
        self.setToolTip(f"Draw on {chip.label}{counted} ({keys})")
        self.setAccessibleName(f"{chip.label}{counted}")
        if chip.colour != self._colour:
            self._colour = chip.colour
            self.setIcon(dot(chip.colour))

    def _fit(self) -> None:
        """Shorten the name at its end: the count is seen whole."""
        metrics, count = self.fontMetrics(), getattr(self, "_count", "")
        room = int(self.width()) - _BESIDE - metrics.horizontalAdvance(count)
        name = self.text().removesuffix(count) if count else self.text()
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
        QPushButton.setText(self, f"{shown}{count}")


class StructuresPanel(QWidget):
    """A chip for each structure, with an eye beside it."""

    structure_requested = Signal(str)
    eye_requested = Signal(str)
    reassign_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("structures")
        self.chips: list[_ChipButton] = []
        self.eyes: list[IconButton] = []
        self._cells: list[QWidget] = []
        self._state = StructuresState()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self.menu = QMenu(self)
        self._add_list()
        self.show_state(self._state)

    def show_state(self, state: StructuresState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        several, many = len(state.chips) > 1, len(state.chips) > self._most
        while several and not many and len(self._cells) < len(state.chips):
            self._add_cell()
        self._list.setVisible(many)
        for chip in (one for one in state.chips if many and one.chosen):
            self.chosen.show_chip(chip)
            self.chosen.setChecked(False)  # it opens a list
            self.chosen.setToolTip(f"{self.chosen.toolTip()}: one of {len(state.chips)}")
        for index, cell in enumerate(self._cells):
            there = several and not many and index < len(state.chips)
            cell.setVisible(there)
            if there:
                chip = state.chips[index]
                self.chips[index].show_chip(chip)
                eye = self.eyes[index]
                eye.setEnabled(not chip.chosen)
                eye.setChecked(chip.seen or chip.chosen)
                eye.show_sign("eye" if chip.seen or chip.chosen else "peek")
                shown = "Hide" if chip.seen else "Show"
                eye.setToolTip(f"{shown} the outline of {chip.label}")
                eye.setAccessibleName(eye.toolTip())
        self.setVisible(several)

    @property
    def _most(self) -> int:
        """How many chips are seen at once, so that nothing has to be scrolled; more are a list."""
        return _MOST if self.window().height() >= _TALL else _COLUMNS

    def showEvent(self, event: QShowEvent | None) -> None:
        """Watch how high the window is."""
        super().showEvent(event)
        self.window().removeEventFilter(self)
        self.window().installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Have as many chips as there is room for."""
        if event is not None and event.type() == QEvent.Type.Resize and watched is self.window():
            self.show_state(self._state)
        return bool(super().eventFilter(watched, event))

    def _add_list(self) -> None:
        """Add what stands in the place of many chips: one, with a list, and a list of outlines."""
        self._list, self.chosen = QWidget(), _ChipButton()
        self.outlines = IconButton("eye", "", "Which outlines are shown", name="eye", flat="true")
        for opens, fill in ((self.chosen, self._list_chips), (self.outlines, self._list_outlines)):
            menu = QMenu(self)
            menu.aboutToShow.connect(partial(fill, menu))
            opens.setMenu(menu)
        row = QHBoxLayout(self._list)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        row.addWidget(self.chosen, 1)
        row.addWidget(self.outlines)
        self._grid.addWidget(self._list, 0, 0, 1, _COLUMNS)

    def _list_chips(self, menu: QMenu) -> None:
        menu.clear()
        for index, chip in enumerate(self._state.chips):
            counted = "" if chip.objects is None else f"  {chip.objects}"
            action = menu.addAction(dot(chip.colour), f"{chip.label}{counted}")
            if action is not None:
                action.triggered.connect(partial(self._choose, self.structure_requested, index))
                if chip.chosen:
                    menu.setDefaultAction(action)

    def _list_outlines(self, menu: QMenu) -> None:
        menu.clear()
        for index, chip in enumerate(self._state.chips):
            action = menu.addAction(chip.label)
            if action is not None:
                action.setCheckable(True)
                action.setChecked(chip.seen or chip.chosen)
                action.setEnabled(not chip.chosen)
                action.triggered.connect(partial(self._choose, self.eye_requested, index))

    def _choose(self, wish: object, index: int, _: bool = False) -> None:
        wish.emit(self._state.chips[index].name)  # type: ignore[attr-defined]

    def _add_cell(self) -> None:
        index, cell = len(self._cells), QWidget()
        chip, eye = _ChipButton(), IconButton("eye", "", "eye", name="eye", flat="true")
        eye.setCheckable(True)
        eye.setFixedWidth(22)
        eye.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        chip.clicked.connect(lambda: self._ask(self.structure_requested, index))
        eye.clicked.connect(lambda: self._ask(self.eye_requested, index))
        row = QHBoxLayout(cell)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(chip, 1)
        row.addWidget(eye)
        self._grid.addWidget(cell, index // _COLUMNS, index % _COLUMNS)
        self.chips.append(chip)
        self.eyes.append(eye)
        self._cells.append(cell)

    def _ask(self, wish: object, index: int) -> None:
        chip = self._state.chips[index]
        self.chips[index].setChecked(chip.chosen)  # until it is another one
        wish.emit(chip.name)  # type: ignore[attr-defined]

    def ask_what_it_is(self) -> None:
        """Ask under the pointer which structure a clicked object is."""
        self.menu.clear()
        for chip in self._state.chips:
            if not chip.chosen:
                action = self.menu.addAction(dot(chip.colour), chip.label)
                if action is not None:
                    action.triggered.connect(partial(self._reassign, chip.name))
        self.menu.popup(QCursor.pos())

    def _reassign(self, name: str, _: bool = False) -> None:
        self.reassign_requested.emit(name)
