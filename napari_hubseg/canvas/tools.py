"""The tool in use: follows the mouse over the mask, shows what would be, does it once.

Responsible for turning presses and drags into changes that :mod:`hubseg.tools` proposes, computed
in a thread; the newest question wins, and letting go of the mouse makes one gesture. Brush, eraser
and polygon are napari's own. Does not know buttons.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg import tools
from napari_hubseg.actions import tool_named
from napari_hubseg.canvas.press import LINES, Press

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.session import ReviewSession
    from hubseg.tools import Change
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background

__all__ = ["MaskTools"]

_STILL = 4  # screen px: less is no drag
_LINE = 2.0  # screen px: how thick a line in the making is


class MaskTools:
    """Takes tools and uses them.

    Parameters
    ----------
    session
        Gets one gesture for each use.
    layers
        Where the mask is drawn.
    viewer
        Where the mouse is.
    background
        Where a change is computed.

    Attributes
    ----------
    split_by
        "distance" or "probability".
    """

    changed = Signal()  # another tool is in hand
    told = Signal(str)  # one sentence
    picked = Signal(object)  # Change that keeps the object which was clicked to be reassigned

    def __init__(
        self,
        session: ReviewSession,
        layers: LayerBinding,
        viewer: ViewerModel,
        background: Background,
    ) -> None:
        self._session, self._layers = session, layers
        self._viewer, self._background = viewer, background
        self._own = ""  # the tool of ours in hand
        self._mask: Any = None  # the layer that is listened to
        self._press: Press | None = None
        self._held = False  # the key that moves the view is
        self.split_by = "distance"
        session.slide_changed.connect(self._forget)

    @property
    def tool(self) -> str:
        """Name of the tool in hand, or "" for one of napari's that is not in the toolbox."""
        return self._own or self._layers.tool

    def take(self, name: str) -> None:
        """Put a tool into the hand."""
        tool = tool_named(name)
        if tool is None:
            raise ValueError(f"There is no tool {name!r}: take one of the toolbox.")
        self._forget()
        self._layers.take_tool(name if tool.napari else "move")
        mask = self._layers.mask_layer
        if mask is None:
            return
        if mask is not self._mask:
            self._let_go()
            self._mask = mask
            mask.mouse_drag_callbacks.append(self._follow)
            mask.events.mode.connect(self._put_down)
        self._own = "" if tool.napari else name
        mask.mouse_pan = not tool.drags
        # napari's own holds for its own tools; with ours in hand it would do nothing
        mask.bind_key("Space", self._hold if self._own else None, overwrite=True)
        self.changed.emit()

    def _put_down(self) -> None:
        """Let another tool of napari's take over."""
        if self._own:
            self._own = ""
            self._forget()
            self._mask.bind_key("Space", None)
            self.changed.emit()

    def _hold(self, mask: Any) -> Iterator[None]:
        """Move the view with any tool of ours, as long as the key is held."""
        self._forget()
        self._held = mask.mouse_pan = True
        yield
        self._held = False
        tool = tool_named(self._own)
        mask.mouse_pan = tool is None or not tool.drags

    # ---- the mouse -----------------------------------------------------------------------------

    def _follow(self, mask: Any, event: Any) -> Iterator[None]:
        """Follow the mouse from its press to its release."""
        if not self._own or self._held or event.button != 1 or self._session.mask is None:
            return
        self._forget()
        at, shown = self._place(event), self._layers.px_on_screen
        press = Press(self._own, [at], tuple(event.pos), 1 / shown, self._is_marked(at))
        if press.tool == "edge":
            press.before = self._session.threshold_at(*map(round, at))
        self._press = press
        self._ask(press)
        yield
        while event.type == "mouse_move" and press is self._press:
            self._go_on(press, event)
            self._ask(press)
            yield
        if press is not self._press:
            return  # another slide has come, or another tool
        tool = tool_named(press.tool)
        moved = press.path[-1] != self._place(event)  # napari drops moves that wait at the release
        if moved:
            self._go_on(press, event)
        if tool is not None and not tool.drags and press.far > _STILL:
            self._forget()  # the view was moved
            return
        press.ended = True
        if moved or press.tool in (*LINES, "merge"):
            self._ask(press)
        self._finish(press)

    def _is_marked(self, at: tuple[float, float]) -> bool:
        """Whether a place, px of the slide, lies in the mask."""
        mask, (row, column) = self._session.mask, (round(side) for side in at)
        if mask is None or not (0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]):
            return False
        return bool(mask[row, column])

    def _go_on(self, press: Press, event: Any) -> None:
        """Note where the mouse has come to."""
        press.path.append(self._place(event))
        press.up = press.start[1] - event.pos[1]
        press.far = max(press.far, math.dist(press.start, event.pos))

    def _place(self, event: Any) -> tuple[float, float]:
        row, column = self._mask.world_to_data(event.position)[-2:]
        return float(row), float(column)

    # ---- what would be -------------------------------------------------------------------------

    def _ask(self, press: Press) -> None:
        """Compute what letting go now would do; one answer at a time."""
        if press.tool in LINES and not press.ended:
            self._layers.sketch.draw_line(press.path, max(1, round(_LINE * press.px)))
            return
        press.asked += 1
        if press.asked - press.answered == 1:
            self._compute(press)

    def _compute(self, press: Press) -> None:
        mask, found = self._session.mask, self._session.probability
        if mask is None:
            return
        asked = press.asked
        values = None if found is None else found.values
        sketch = self._layers.sketch
        edits = None if self._session.edits is None else self._session.edits.copy()
        work = _work(press, mask, values, edits, self.split_by)

        def compute() -> tuple[Change | None, Any]:
            change = work()
            return change, None if change is None else sketch.made(change, mask, edits)

        def show(answer: tuple[Change | None, Any]) -> None:
            if press is not self._press:
                return
            press.answered, press.change = asked, answer[0]
            sketch.show(answer[1])
            if press.asked > asked:
                press.answered = press.asked - 1
                self._compute(press)
            self._finish(press)

        def failed(said: str) -> None:
            self._forget()
            self.told.emit(said)

        self._background.submit(compute, show, failed)

    def _finish(self, press: Press) -> None:
        """Do it, once the answer to the last question is there."""
        if not press.ended or press.answered != press.asked:
            return
        self._forget()
        over, goes_on = self._layers.drawing.over, False
        begun = over.begun
        if press.change is not None and press.tool == "reassign":
            self.picked.emit(press.change)
        elif press.change is not None:
            self._session.put(press.change)
            if ends := over.ends_at_frame(press.tool, press.change):
                self.told.emit(ends)
        if press.tool in LINES[:2]:
            goes_on = over.go_on(press.path, "lasso", adds=press.tool == "lasso", begun=begun)
        if press.change is None and not goes_on and not over.lies_outside(press.path):
            self.told.emit(press.nothing)

    def _forget(self, _: object = None) -> None:
        if self._press is not None:
            self._press = None
            self._layers.sketch.show(None)

    @property
    def busy(self) -> bool:
        """Whether a change is being computed."""
        return self._press is not None and self._press.answered != self._press.asked

    def _let_go(self) -> None:
        if self._mask is not None:
            self._mask.mouse_drag_callbacks.remove(self._follow)
            self._mask.events.mode.disconnect(self._put_down)
            self._mask.mouse_pan = True
            self._mask.bind_key("Space", None)
            self._mask = None

    def close(self) -> None:
        """Let go of session and layer."""
        self._press = None
        self._session.slide_changed.disconnect(self._forget)
        self._let_go()


def _work(
    press: Press,
    mask: NDArray[np.bool_],
    values: NDArray[np.float32] | None,
    edits: Edits | None,
    split_by: str,
) -> Callable[[], Change | None]:
    """Return what computes the change of a press as it is now; runs in another thread."""
    path, up = list(press.path), press.up
    row, column = (round(v) for v in path[0])
    last = tuple(round(v) for v in path[-1])
    parts = 2 + int(abs(up) // 40)

    def along_the_map() -> Change | None:
        return _along_the_map(press, mask, values, edits, up)

    def split() -> Change | None:
        if split_by == "probability":
            return tools.split(mask, values, row, column, by="probability", parts=parts)
        return tools.split(mask, values, row, column, by="distance", parts=parts)

    callbacks: dict[str, Callable[[], Change | None]] = {
        "lasso": lambda: tools.outlined(path, mask.shape, add=True, kind="lasso"),
        "lasso_erase": lambda: tools.outlined(path, mask.shape, add=False, kind="lasso, erasing"),
        "redraw": lambda: tools.redraw(mask, path),
        "wand": along_the_map,
        "edge": along_the_map,
        "drop": lambda: tools.along(tools.drop, mask, path),
        "keep": lambda: tools.along(tools.keep, mask, path),
        "reassign": lambda: tools.keep(mask, row, column),
        "fill": lambda: tools.fill_holes(mask, row, column),
        "grow": lambda: tools.grow(mask, row, column, up / 3),
        "smooth": lambda: tools.smooth(mask, row, column, max(1.0, 4.0 + up / 10)),
        "split": split,
        "merge": lambda: tools.merge(mask, (row, column), (last[0], last[1])),
    }
    return callbacks[press.tool]


def _along_the_map(
    press: Press,
    mask: NDArray[np.bool_],
    values: NDArray[np.float32] | None,
    edits: Edits | None,
    up: float,
) -> Change | None:
    """Return what the tools that follow the map change: the edge at a level, or a whole hill."""
    if values is None:
        raise ValueError("There is no map to follow: run the ensemble first.")
    row, column = (round(v) for v in press.path[0])
    if press.tool == "edge":
        level = min(255.0, max(0.0, press.before - up))
        return tools.local_threshold(mask, values, row, column, level, edits, press.before)
    if not press.hill:
        press.hill.append(tools.hill_at(mask, values, row, column))
    hill = press.hill[0]
    return None if hill is None else hill.change(up, step=press.px)
