"""One press of the mouse with a tool of ours in hand, from its beginning to its answer.

Responsible for what a press knows, and for what is said where it changes nothing. Does not compute
anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubseg.tools import Change, Hill

__all__ = ["LINES", "Press"]

LINES = ("lasso", "lasso_erase", "redraw")  # tools that draw a line first
_NOTHING = {
    **dict.fromkeys(LINES[:2], "Draw around something: press, go around it, let go."),
    "redraw": "That line replaces no outline: begin and end it at the edge of an object.",
    "wand": "All that the map shows there is in the mask: drag up for more.",
    "edge": "Drag up for more of the object, down for less: its edge follows the map.",
    "grow": "Drag up to grow the object, down to shrink it.",
    "smooth": "That outline is as smooth already: drag up for more.",
    "split": "That object has one peak only: it cannot be split there.",
    "merge": "Press on one object and let go on another one that nothing else stands between.",
    "fill": "There is no hole: click inside one, or an object that has one.",
}
_ON_OBJECT = ("drop", "keep", "reassign", "grow", "smooth", "edge", "split")
_FLAT = "The map sees nothing here: use lasso (Shift+L), and draw around it."


@dataclass
class Press:
    """One press of the mouse, until its answer is there."""

    tool: str
    path: list[tuple[float, float]]  # (row, column), px of the slide
    start: tuple[float, float]  # screen px
    px: float = 1.0  # of the slide, to one px of the screen
    on_object: bool = True
    before: float = 127.0  # threshold of the object until now
    up: float = 0.0  # screen px from the start, upwards
    far: float = 0.0  # screen px from the start
    asked: int = 0
    answered: int = 0
    ended: bool = False
    change: Change | None = None
    hill: list[Hill | None] = field(default_factory=list)  # of the wand: found once, at the press

    @property
    def nothing(self) -> str:
        """What to say where it changes nothing."""
        if self.hill == [None]:
            return _FLAT
        if not self.on_object and self.tool in _ON_OBJECT:
            return "There is no object under the pointer."
        return _NOTHING.get(self.tool, "Nothing of that object would change.")
