"""The doubt panel: the objects of the mask, the least sure first; a click goes there.

Responsible for asking for the list and for a visit. Does not know how sure is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import Hint, button

__all__ = ["DoubtPanel", "DoubtState", "DoubtfulObject"]

_SHOWN = 200  # objects; who has looked at these knows the slide
_HEIGHT = 110  # px


@dataclass(frozen=True)
class DoubtfulObject:
    """One object: where it is, in px, and what is said of it."""

    row: int
    column: int
    said: str


@dataclass(frozen=True)
class DoubtState:
    """What the doubt panel shows.

    Attributes
    ----------
    objects
        The least sure first; None when they have not been listed.
    said
        One line about the slide.
    busy
        Whether objects are being judged.
    enabled
        False without a map.
    """

    objects: tuple[DoubtfulObject, ...] | None = None
    said: str = ""
    busy: bool = False
    enabled: bool = False


class DoubtPanel(QWidget):
    """Two buttons, a line about the slide, and a list."""

    list_requested = Signal()
    next_requested = Signal()
    visit_requested = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.go = button(
            "list objects",
            tip("list_doubt"),
            name="list_doubt",
        )
        self.next = button(
            "next doubtful place",
            tip("next_doubt"),
            name="next_doubt",
        )
        self.said = Hint(name="doubt")
        self.objects = QListWidget()
        self.objects.setObjectName("doubtful_objects")
        self.objects.setFixedHeight(_HEIGHT)
        self.objects.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.objects.setToolTip("Click an object to see it")
        self._shown: tuple[DoubtfulObject, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(4)
        row = QHBoxLayout()
        row.addWidget(self.go)
        row.addWidget(self.next)
        layout.addLayout(row)
        for widget in (self.said, self.objects):
            layout.addWidget(widget)
        self.go.clicked.connect(self.list_requested)
        self.next.clicked.connect(self.next_requested)
        self.objects.currentRowChanged.connect(self._visit)
        self.objects.itemClicked.connect(lambda _: self._visit(self.objects.currentRow()))
        self.show_state(DoubtState())

    def show_state(self, state: DoubtState) -> None:
        """Show `state`; emits nothing."""
        self.go.setText("judging …" if state.busy else "list objects")
        self.go.setEnabled(state.enabled and not state.busy)
        self.next.setEnabled(state.enabled)
        self.said.setText(state.said)
        self.said.setVisible(bool(state.said))
        objects = (state.objects or ())[:_SHOWN]
        self.objects.setVisible(bool(objects))
        if objects != self._shown:
            self._shown = objects
            with QSignalBlocker(self.objects):
                self.objects.clear()
                for one in objects:
                    self.objects.addItem(QListWidgetItem(one.said))

    def _visit(self, index: int) -> None:
        if 0 <= index < len(self._shown):
            self.visit_requested.emit(self._shown[index].row, self._shown[index].column)
