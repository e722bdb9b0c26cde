"""The tools for the mask, by name: what they are called, how they are used, and their keys.

Responsible for the one table that buttons, keys, hints and the hand share. Does not know what a
tool does (:mod:`hubseg.tools`) or how a mouse is followed (:mod:`napari_hubseg.canvas.tools`).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TOOLBOX", "Tool", "tool_named"]


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes
    ----------
    name
        How code calls it.
    word
        What stands on its button.
    key
        The key that takes it, as napari spells keys.
    hint
        How it is used, in one sentence.
    drags
        Whether dragging belongs to the tool; with the others it moves the view.
    napari
        Whether napari draws with it.
    """

    name: str
    word: str
    key: str
    hint: str
    drags: bool = True
    napari: bool = False


TOOLBOX = (
    Tool("move", "move", "G", "Drag to move the view.", drags=False, napari=True),
    Tool("brush", "brush", "D", "Drag to add to the mask.", napari=True),
    Tool("eraser", "eraser", "S", "Drag to take from the mask.", napari=True),
    Tool("polygon", "polygon +", "Shift-P", "Click corners; a double click adds it.", napari=True),
    Tool(
        "polygon_erase",
        "polygon −",
        "Shift-C",
        "Click corners; a double click takes it away.",
        napari=True,
    ),
    Tool("lasso", "lasso +", "Shift-L", "Draw around what to add."),
    Tool("lasso_erase", "lasso −", "Shift-E", "Draw around what to take away."),
    Tool("redraw", "redraw", "Shift-O", "Draw a line along an outline: it takes its place."),
    Tool("wand", "wand", "Shift-U", "Press in its middle; drag up for more, down for less."),
    Tool("drop", "drop", "Shift-D", "Click or strike through what shall go."),
    Tool("keep", "keep", "Shift-K", "Click or strike through what shall stay."),
    Tool("fill", "fill holes", "Shift-H", "Click a hole, or an object that has some.", drags=False),
    Tool("grow", "grow", "Shift-G", "Press on an object; drag up to grow it, down to shrink it."),
    Tool("edge", "edge", "Shift-Y", "Press on an object; drag: only its own threshold moves."),
    Tool("smooth", "smooth", "Shift-S", "Press on an object; drag up for a smoother outline."),
    Tool("split", "split", "Shift-X", "Press on an object to see the cut; drag up for more parts."),
    Tool("merge", "merge", "Shift-M", "Press on one object, let go on the other."),
)


def tool_named(name: str) -> Tool | None:
    """Return a tool by its name, or None."""
    return next((tool for tool in TOOLBOX if tool.name == name), None)
