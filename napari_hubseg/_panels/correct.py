"""The correction panel: how the mask is shown, the tools that change it, and the verdict.

Responsible for asking for a tool, a brush size, an undo or a verdict. Does not know how strokes
reach the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledSlider

from napari_hubseg._look import button, make_primary

__all__ = ["TOOLS", "VIEWS", "CorrectPanel", "CorrectState"]

TOOLS = ("move", "brush", "eraser")
VIEWS = ("fill", "outline", "probability")
_LARGEST_BRUSH = 200  # px; larger ones are typed into napari's own control


@dataclass(frozen=True)
class CorrectState:
    """What the correction panel shows.

    Attributes
    ----------
    tool
        One of :data:`TOOLS`, or "" when another tool of napari's is in hand.
    size
        Diameter of the brush, px.
    view
        One of :data:`VIEWS`.
    undo_text, redo_text
        What would be undone or done again; "" when nothing would.
    verdict
        What was said about the slide, as text.
    enabled
        False when no slide is open.
    accept_next
        Whether accepting is the step to take next.
    """

    tool: str = "move"
    size: int = 20
    view: str = "fill"
    undo_text: str = ""
    redo_text: str = ""
    verdict: str = "unseen"
    enabled: bool = False
    accept_next: bool = False


class CorrectPanel(QWidget):
    """Views, tools, brush size, undo and redo, and the three verdicts."""

    tool_requested = Signal(str)
    size_requested = Signal(int)
    view_requested = Signal(str)
    undo_requested = Signal()
    redo_requested = Signal()
    accept_requested = Signal()
    flag_requested = Signal()
    reject_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.views = {
            "fill": button("fill", "Show the mask as a tint (H: next view)", name="view_fill"),
            "outline": button("outline", "Show the mask's outline (H)", name="view_outline"),
            "probability": button(
                "probability", "Show the probability above the threshold (H)", name="view_map"
            ),
        }
        self.tools = {
            "move": button("move", "Move the view (G)", name="tool_move"),
            "brush": button("brush", "Add to the mask (D)", name="tool_brush"),
            "eraser": button("eraser", "Take from the mask (S)", name="tool_eraser"),
        }
        for choice in (*self.views.values(), *self.tools.values()):
            choice.setCheckable(True)
            choice.setProperty("tool", "true")
        self.size = QLabeledSlider(Qt.Orientation.Horizontal)
        self.size.setObjectName("brush_size")
        self.size.setToolTip("Diameter of brush and eraser, px ([ smaller, ] larger)")
        self.size.setRange(1, _LARGEST_BRUSH)
        self.undo = button("undo", "Undo (Ctrl+Z)", name="undo")
        self.redo = button("redo", "Redo (Ctrl+Shift+Z)", name="redo")
        self.accept = button("Accept  A", "Accept this mask (A)", name="accept", verdict="accepted")
        self.flag = button("Flag  F", "Flag this slide for later (F)", name="flag")
        self.flag.setProperty("verdict", "flagged")
        self.reject = button("Reject  R", "Reject this slide (R)", name="reject")
        self.reject.setProperty("verdict", "rejected")
        self.advance = QCheckBox("then go to the next slide that needs me")
        self.advance.setObjectName("advance")
        self.advance.setToolTip("After a verdict, go to the next slide without one")
        self.advance.setChecked(True)
        for verdict in (self.accept, self.flag, self.reject):
            verdict.setCheckable(True)
        self._lay_out()
        self._connect()
        self.show_state(CorrectState())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.setColumnStretch(1, 1)
        rows = (_row(*self.views.values()), _row(*self.tools.values()), self._size_row())
        for i, (name, row) in enumerate(zip(("show", "tool", "size"), rows, strict=True)):
            grid.addWidget(QLabel(name), i, 0)
            grid.addLayout(row, i, 1)
        layout.addLayout(grid)
        layout.addSpacing(4)
        layout.addLayout(_row(self.accept, self.flag, self.reject, stretch=(3, 2, 2)))
        layout.addWidget(self.advance)

    def _size_row(self) -> QHBoxLayout:
        return _row(self.size, self.undo, self.redo, stretch=(1, 0, 0))

    def _connect(self) -> None:
        for name, choice in self.views.items():
            choice.clicked.connect(lambda _=False, name=name: self.view_requested.emit(name))
        for name, choice in self.tools.items():
            choice.clicked.connect(lambda _=False, name=name: self.tool_requested.emit(name))
        self.size.valueChanged.connect(self.size_requested)
        self.undo.clicked.connect(self.undo_requested)
        self.redo.clicked.connect(self.redo_requested)
        self.accept.clicked.connect(self.accept_requested)
        self.flag.clicked.connect(self.flag_requested)
        self.reject.clicked.connect(self.reject_requested)

    def show_state(self, state: CorrectState) -> None:
        """Show `state`; emits nothing."""
        for name, choice in self.views.items():
            choice.setChecked(state.view == name)
        for name, choice in self.tools.items():
            choice.setChecked(state.tool == name)
        with QSignalBlocker(self.size):
            self.size.setValue(min(state.size, _LARGEST_BRUSH))
        self.undo.setEnabled(bool(state.undo_text))
        self.undo.setToolTip(f"Undo {state.undo_text} (Ctrl+Z)".replace("  ", " "))
        self.redo.setEnabled(bool(state.redo_text))
        self.redo.setToolTip(f"Redo {state.redo_text} (Ctrl+Shift+Z)".replace("  ", " "))
        self.accept.setChecked(state.verdict in ("accepted", "corrected"))
        self.flag.setChecked(state.verdict == "flagged")
        self.reject.setChecked(state.verdict == "rejected")
        make_primary(self.accept, state.accept_next)
        for widget in (*self.views.values(), *self.tools.values(), self.size):
            widget.setEnabled(state.enabled)
        for verdict in (self.accept, self.flag, self.reject):
            verdict.setEnabled(state.enabled)


def _row(*widgets: QWidget, stretch: tuple[int, ...] = ()) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for i, widget in enumerate(widgets):
        row.addWidget(widget, stretch[i] if stretch else 1)
    return row
