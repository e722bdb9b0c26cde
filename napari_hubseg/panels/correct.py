"""The correction panel: how the mask is shown, the tools that change it, and the verdict.

Responsible for asking for a tool, a brush size, an undo or a verdict. Does not know how strokes
reach the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledSlider

from napari_hubseg.actions import TOOLBOX, key_of, tip, tool_named
from napari_hubseg.widgets.style import ElidedButton, Hint, button, give_room, make_primary

__all__ = ["CorrectPanel", "CorrectState"]

_SIZED = ("brush", "eraser")
_COLUMNS = 4
_LEGEND = "Cyan: found by the model. Amber, with a white and a dark line: drawn or kept by a person"
_ELSEWHERE = "Another layer is chosen: take a tool to work on the mask."
_LARGEST_BRUSH = 200  # px; larger ones are typed into napari's own control


@dataclass(frozen=True)
class CorrectState:
    """What the correction panel shows.

    Attributes
    ----------
    tool
        Name of a tool of the toolbox, or "" when another tool of napari's is in hand.
    elsewhere
        Whether another layer than the mask is chosen: no tool acts on the mask then.
    size
        Diameter of brush or eraser, whichever is in hand, px.
    on_screen
        Whether `size` is in px of the screen.
    view
        One of ``fill``, ``outline`` and ``probability``.
    has_truth, truth_shown
        Whether there is a truth for the slide, and whether its contour is shown.
    undo_text, redo_text
        What would be undone or done again; "" when nothing would.
    verdict
        What was said about the slide, as text.
    enabled
        False when no slide is open.
    decidable
        Whether a verdict can be given: the slide is there, and it is the one that was worked on.
    accept_next
        Whether accepting is the step to take next.
    note
        What was noted about the slide.
    advances
        Whether a verdict leads to the next slide.
    split_by
        Where the tool split cuts: "distance" or "probability".
    """

    tool: str = "move"
    elsewhere: bool = False
    size: int = 20
    on_screen: bool = False
    view: str = "fill"
    has_truth: bool = False
    truth_shown: bool = False
    undo_text: str = ""
    redo_text: str = ""
    verdict: str = "unseen"
    enabled: bool = False
    decidable: bool = True
    accept_next: bool = False
    note: str = ""
    advances: bool = True
    split_by: str = "distance"


class CorrectPanel(QWidget):
    """Views, tools, brush size, undo and redo, the three verdicts and a note."""

    tool_requested = Signal(str)
    size_requested = Signal(int)
    on_screen_requested = Signal(bool)
    split_requested = Signal(str)
    drop_small_requested = Signal(int)
    fill_small_requested = Signal(int)
    view_requested = Signal(str)
    truth_requested = Signal()
    undo_requested = Signal()
    redo_requested = Signal()
    accept_requested = Signal()
    flag_requested = Signal()
    reject_requested = Signal()
    note_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        next_view = key_of("next_view")
        tips = {
            "fill": f"Show the mask as a tint ({next_view}: next view). {_LEGEND}",
            "outline": f"Show the mask's outline ({next_view}). {_LEGEND}",
            "probability": f"Show the probability above the threshold ({next_view})",
        }
        self.views = {
            view: button(
                view, tips[view], name="view_map" if view == "probability" else f"view_{view}"
            )
            for view in tips
        }
        self.truth = button("truth", tip("toggle_truth"), name="view_truth")
        self.tools = {
            tool.name: button(
                tool.word,
                tip(f"take_{tool.name}"),
                name=f"tool_{tool.name}",
                dense="true",
            )
            for tool in TOOLBOX
        }
        self.hint = Hint(name="tool_hint")
        for choice in (*self.views.values(), self.truth, *self.tools.values()):
            choice.setCheckable(True)
            choice.setProperty("tool", "true")
        self._make_settings()
        self.undo = ElidedButton("Undo", name="undo")
        self.redo = ElidedButton("Redo", name="redo")
        self._make_verdicts()
        self._lay_out()
        self._connect()
        self.show_state(CorrectState())

    def _make_settings(self) -> None:
        """Make what tools are set with."""
        self.size = QLabeledSlider(Qt.Orientation.Horizontal)
        self.size.setObjectName("brush_size")
        self.size.setToolTip("Diameter of brush and eraser, px ([ smaller, ] larger)")
        self.size.setRange(1, _LARGEST_BRUSH)
        self.on_screen = QCheckBox("on screen")
        self.on_screen.setObjectName("on_screen")
        self.on_screen.setToolTip(
            "Measure brush and eraser in px of the screen: the nearer you look, the finer they are"
        )
        self.split_by = QComboBox()
        self.split_by.setObjectName("split_by")
        self.split_by.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.split_by.addItem("where it is narrow", "distance")
        self.split_by.addItem("where the map is low", "probability")
        self.split_by.setToolTip("Where the tool split cuts an object")
        self.under = QSpinBox()
        self.under.setObjectName("under")
        self.under.setRange(1, 10_000_000)
        self.under.setValue(500)
        self.under.setSuffix(" px")
        give_room(self.under, "500 px")
        self.under.setToolTip("What counts as small, px of the slide")
        self.drop_small = button(
            "drop small", "Drop every object of this slide that is smaller", name="drop_small"
        )
        self.fill_small = button(
            "fill small", "Fill every hole of this slide that is smaller", name="fill_small"
        )

    def _make_verdicts(self) -> None:
        """Make what a slide is decided with."""
        self.accept = button("Accept  A", tip("accept"), name="accept", verdict="accepted")
        self.flag = button("Flag  F", tip("flag"), name="flag")
        self.flag.setProperty("verdict", "flagged")
        self.reject = button("Reject  R", tip("reject"), name="reject")
        self.reject.setProperty("verdict", "rejected")
        self.advance = QCheckBox("then go to the next slide that needs me")
        self.advance.setObjectName("advance")
        self.advance.setToolTip("After a verdict, go to the next slide without one")
        self.advance.setChecked(True)
        for verdict in (self.accept, self.flag, self.reject):
            verdict.setCheckable(True)
        self.note = QLineEdit()
        self.note.setObjectName("note")
        self.note.setPlaceholderText(f"note on this slide ({key_of('write_note')})")
        self.note.setToolTip(f"{tip('write_note')}: Enter keeps it, Esc does not")
        self._note = ""

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.setColumnStretch(1, 1)
        rows = (
            ("show", _row(*self.views.values(), self.truth)),
            ("tool", self._toolbox()),
            ("", _row(self.hint)),
            ("size", _row(self.size, self.on_screen, stretch=(1, 0))),
            ("split", _row(self.split_by)),
            ("all", _row(self.under, self.drop_small, self.fill_small)),
        )
        self._names = {}
        for i, (name, row) in enumerate(rows):
            self._names[name] = QLabel(name)
            grid.addWidget(self._names[name], i, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(row, i, 1)
        layout.addLayout(grid)
        layout.addLayout(_row(self.undo, self.redo, stretch=(3, 2)))
        layout.addSpacing(4)
        layout.addLayout(_row(self.accept, self.flag, self.reject, stretch=(3, 2, 2)))
        layout.addWidget(self.note)
        layout.addWidget(self.advance)

    def _toolbox(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(3)
        for i, choice in enumerate(self.tools.values()):
            grid.addWidget(choice, i // _COLUMNS, i % _COLUMNS)
        return grid

    def _connect(self) -> None:
        for name, choice in self.views.items():
            choice.clicked.connect(lambda _=False, name=name: self.view_requested.emit(name))
        self.truth.clicked.connect(self.truth_requested)
        for name, choice in self.tools.items():
            choice.clicked.connect(lambda _=False, name=name: self.tool_requested.emit(name))
        self.size.valueChanged.connect(self.size_requested)
        self.on_screen.toggled.connect(self.on_screen_requested)
        self.split_by.activated.connect(
            lambda i: self.split_requested.emit(self.split_by.itemData(i))
        )
        self.drop_small.clicked.connect(lambda: self.drop_small_requested.emit(self.under.value()))
        self.fill_small.clicked.connect(lambda: self.fill_small_requested.emit(self.under.value()))
        self.undo.clicked.connect(self.undo_requested)
        self.redo.clicked.connect(self.redo_requested)
        self.accept.clicked.connect(self.accept_requested)
        self.flag.clicked.connect(self.flag_requested)
        self.reject.clicked.connect(self.reject_requested)
        self.note.editingFinished.connect(self.settle)

    def settle(self) -> None:
        """Ask for the note that stands in the line, if it is another one."""
        if self.note.isModified():
            self.note.setModified(False)
            if self.note.text().strip() != self._note:
                self.note_requested.emit(self.note.text())

    def drop(self) -> None:
        """Forget what was typed: the slide that it was for is gone."""
        self.note.setModified(False)

    def show_state(self, state: CorrectState) -> None:
        """Show `state`; emits nothing."""
        for name, choice in self.views.items():
            choice.setChecked(state.view == name)
        self.truth.setVisible(state.has_truth)
        self.truth.setChecked(state.truth_shown)
        for name, choice in self.tools.items():
            choice.setChecked(state.tool == name)
        with QSignalBlocker(self.advance):
            self.advance.setChecked(state.advances)
        self.split_by.setCurrentIndex(self.split_by.findData(state.split_by))
        with QSignalBlocker(self.size), QSignalBlocker(self.on_screen):
            self.size.setValue(min(state.size, _LARGEST_BRUSH))
            self.on_screen.setChecked(state.on_screen)
        tool = tool_named(state.tool)
        self.hint.setText(_ELSEWHERE if state.elsewhere else tool.hint if tool else "")
        for name, widgets, there in (
            ("size", (self.size, self.on_screen), state.tool in _SIZED),
            ("split", (self.split_by,), state.tool == "split"),
        ):
            for widget in (self._names[name], *widgets):
                widget.setVisible(there)
        for choice, verb, what, keys in (
            (self.undo, "Undo", state.undo_text, key_of("undo")),
            (self.redo, "Redo", state.redo_text, key_of("redo")),
        ):
            choice.setEnabled(bool(what))
            choice.setText(f"{verb} {what}".strip())
            choice.setToolTip(f"{verb} {what} ({keys})".replace("  ", " "))
        self._note = state.note
        if not self.note.isModified() and self.note.text() != state.note:
            self.note.setText(state.note)
        self.note.setEnabled(state.enabled)
        self.accept.setChecked(state.verdict in ("accepted", "corrected"))
        self.flag.setChecked(state.verdict == "flagged")
        self.reject.setChecked(state.verdict == "rejected")
        make_primary(self.accept, state.accept_next)
        buckets = (self.under, self.drop_small, self.fill_small)
        for widget in (*self.views.values(), *self.tools.values(), self.size, *buckets):
            widget.setEnabled(state.enabled)
        for verdict in (self.accept, self.flag, self.reject):
            verdict.setEnabled(state.enabled and state.decidable)


def _row(*widgets: QWidget, stretch: tuple[int, ...] = ()) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for i, widget in enumerate(widgets):
        row.addWidget(widget, stretch[i] if stretch else 1)
    return row
