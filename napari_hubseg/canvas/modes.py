"""napari's modes of its labels layer, and which tool of ours each of them is.

Responsible for the two names of a tool that napari draws with. Does not know what a tool does.
"""

from __future__ import annotations

__all__ = ["MODES", "tool_of"]

_TOOLS = {"pan_zoom": "move", "paint": "brush", "erase": "eraser", "polygon": "polygon"}
_ERASING = {"polygon": "polygon_erase", "brush": "eraser"}  # what draws with the label 0
MODES = {**{tool: mode for mode, tool in _TOOLS.items()}, "polygon_erase": "polygon"}
"""Tools that napari draws with → its name of the mode."""


def tool_of(mode: str, *, erases: bool) -> str:
    """Return the tool that a mode of napari's is, or "".

    Parameters
    ----------
    mode
        napari's name.
    erases
        Whether it draws with the label of nothing.
    """
    tool = _TOOLS.get(mode, "")
    return _ERASING.get(tool, tool) if erases else tool
