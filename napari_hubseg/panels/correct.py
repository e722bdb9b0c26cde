"""The correction panel: the tools that change the mask, what they are set with, undo and redo.

Responsible for asking for a tool, a brush size or an undo. Does not know how strokes reach the
mask.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledSlider

from napari_hubseg.actions import TOOLBOX, Tool, explained, key_of, tool_named
from napari_hubseg.widgets.icons import IconButton, SignedElidedButton, short_key
from napari_hubseg.widgets.number_field import give_room
from napari_hubseg.widgets.style import Hint, button

__all__ = ["CorrectPanel", "CorrectState"]

_DRAW = ("move", "brush", "eraser", "polygon", "polygon_erase", "lasso", "lasso_erase")
_COLUMNS = 4  # of tools for one object
_AROUND = 15  # px of a field above and below its words
_PLUS_MINUS = {"polygon": "+", "polygon_erase": "−", "lasso": "+", "lasso_erase": "−"}
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
    undo_text, redo_text
        What would be undone or done again; "" when nothing would.
    enabled
        False when no slide is open.
    split_by
        Where the tool split cuts: "distance" or "probability".
    several
        Whether the slide has several structures: then an object can be reassigned.
    like_this
        Whether an object was removed or kept just now: then the same is offered for like ones.
    """

    tool: str = "move"
    elsewhere: bool = False
    size: int = 20
    on_screen: bool = False
    undo_text: str = ""
    redo_text: str = ""
    enabled: bool = False
    split_by: str = "distance"
    several: bool = False
    like_this: bool = False


class CorrectPanel(QWidget):
    """Tools that draw, tools for one object, what the tool in hand does, undo and redo."""

    tool_requested = Signal(str)
    size_requested = Signal(int)
    on_screen_requested = Signal(bool)
    split_requested = Signal(str)
    drop_small_requested = Signal(int)
    fill_small_requested = Signal(int)
    undo_requested = Signal()
    redo_requested = Signal()
    alike_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tools = {tool.name: _tool_button(tool) for tool in TOOLBOX}
        self.hint = Hint(name="tool_hint", lines=2)
        self._make_settings()
        self.options = QStackedWidget()
        self.options.setObjectName("tool_options")
        self.options.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._pages = {
            "": QWidget(),
            "size": _row(QLabel("size"), self.size, self.on_screen, stretch=(0, 1, 0)),
            "split": _row(QLabel("cut"), self.split_by, stretch=(0, 1)),
            "small": _row(
                QLabel("under"), self.under, self.drop_small, self.fill_small, stretch=(0, 0, 1, 1)
            ),
        }
        for page in self._pages.values():
            self.options.addWidget(page)
        self.alike = _action_button("all_like_this", "like", "All like")
        self.undo = SignedElidedButton("undo", "Undo", name="undo")
        self.redo = SignedElidedButton("redo", "Redo", name="redo")
        for still in (self.options, self.undo, self.redo):  # whatever they show
            still.setFixedHeight(self.fontMetrics().height() + _AROUND)
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
            "Remove all smaller", "Remove every smaller object of this slide", name="drop_small"
        )
        self.fill_small = button(
            "Fill all smaller", "Fill every smaller hole of this slide", name="fill_small"
        )

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        draw = _row(*(self.tools[name] for name in _DRAW))
        layout.addWidget(draw)
        grid = QGridLayout()
        grid.setSpacing(3)
        objects = [choice for name, choice in self.tools.items() if name not in _DRAW]
        objects.insert(-1, self.alike)  # the last one is not on every slide
        for i, choice in enumerate(objects):
            grid.addWidget(choice, i // _COLUMNS, i % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        layout.addLayout(grid)
        layout.addWidget(self.hint)
        layout.addWidget(self.options)
        steps = _row(self.undo, self.redo, stretch=(4, 3))
        layout.addWidget(steps)

    def _connect(self) -> None:
        for name, choice in self.tools.items():
            choice.clicked.connect(lambda _=False, name=name: self.tool_requested.emit(name))
        self.size.valueChanged.connect(self.size_requested)
        self.on_screen.toggled.connect(self.on_screen_requested)
        self.split_by.activated.connect(
            lambda i: self.split_requested.emit(self.split_by.itemData(i))
        )
        self.drop_small.clicked.connect(lambda: self.drop_small_requested.emit(self.under.value()))
        self.fill_small.clicked.connect(lambda: self.fill_small_requested.emit(self.under.value()))
        self.alike.clicked.connect(self.alike_requested)
        self.undo.clicked.connect(self.undo_requested)
        self.redo.clicked.connect(self.redo_requested)

    def show_state(self, state: CorrectState) -> None:
        """Show `state`; emits nothing."""
        for name, choice in self.tools.items():
            choice.setChecked(state.tool == name)
        self.split_by.setCurrentIndex(self.split_by.findData(state.split_by))
        with QSignalBlocker(self.size), QSignalBlocker(self.on_screen):
            self.size.setValue(min(state.size, _LARGEST_BRUSH))
            self.on_screen.setChecked(state.on_screen)
        self._show_tool(state)
        self.tools["reassign"].setVisible(state.several)
        self.alike.setEnabled(state.like_this)
        for choice, verb, what, keys in (
            (self.undo, "Undo", state.undo_text, key_of("undo")),
            (self.redo, "Redo", state.redo_text, key_of("redo")),
        ):
            choice.setEnabled(bool(what))
            choice.setText(f"{verb} {what}".strip())
            choice.setToolTip(f"{verb} {what} ({keys})".replace("  ", " "))
        buckets = (self.under, self.drop_small, self.fill_small)
        for widget in (*self.tools.values(), self.size, *buckets):
            widget.setEnabled(state.enabled)

    def _show_tool(self, state: CorrectState) -> None:
        """Show what the tool in hand does, and what it is set with."""
        tool = tool_named(state.tool)
        self.hint.setText(_ELSEWHERE if state.elsewhere else tool.hint if tool else "")
        page = {"brush": "size", "eraser": "size", "split": "split"}.get(state.tool, "")
        page = "small" if state.tool in ("drop", "fill") else page
        self.options.setCurrentWidget(self._pages[page])
        self.drop_small.setVisible(state.tool == "drop")
        self.fill_small.setVisible(state.tool == "fill")


def _tool_button(tool: Tool) -> IconButton:
    name = f"take_{tool.name}"
    word = _PLUS_MINUS.get(tool.name, "") if tool.name in _DRAW else tool.word.capitalize()
    made = IconButton(
        "fill_holes" if tool.name == "fill" else tool.name,
        word,
        explained(name),
        name=f"tool_{tool.name}",
        key=lambda: short_key(key_of(name)),
        tool="true",
        **({"dense": "true"} if tool.name in _DRAW else {"left": "true"}),
    )
    if tool.name not in _DRAW:
        made.setIconSize(QSize(14, 14))  # beside a word and its key
    made.setCheckable(True)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    made.setAccessibleName(explained(name))
    return made


def _action_button(action: str, sign: str, word: str) -> IconButton:
    """Return a button that looks as a tool's, and is not taken into the hand."""
    made = IconButton(
        sign,
        word,
        explained(action),
        name=action,
        key=lambda: short_key(key_of(action)),
        tool="true",
        left="true",
    )
    made.setIconSize(QSize(14, 14))
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    made.setAccessibleName(explained(action))
    return made


def _row(*widgets: QWidget, stretch: tuple[int, ...] = ()) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(3)
    for i, widget in enumerate(widgets):
        row.addWidget(widget, stretch[i] if stretch else 1)
    return made
