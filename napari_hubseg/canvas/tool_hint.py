"""What napari's status bar says while a tool of ours is in hand: how that tool is used.

napari lists the keys of its other modes there ("use <2> for …"), which say nothing of our tools.
With a mode of napari's own in hand, or another layer chosen, the line is napari's. Does not know
what a tool does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hubseg.actions import tool_named

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_hubseg.actions import Tool
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.canvas.tools import MaskTools

__all__ = ["ToolHint", "in_hand"]


def in_hand(tool: Tool) -> str:
    """Return which tool is in hand, and how it is used."""
    return f"Tool: {tool.word}. {tool.hint}"


class ToolHint:
    """Has the mask layer's help tell of the tool in hand.

    Parameters
    ----------
    viewer
        Whose status bar shows the help of the layer that is chosen.
    layers, tools
        Where the mask is, and which tool is in hand.
    """

    def __init__(self, viewer: ViewerModel, layers: LayerBinding, tools: MaskTools) -> None:
        self._viewer, self._layers, self._tools = viewer, layers, tools
        self._mask: Any = None  # the layer that is listened to
        layers.slide_shown.connect(self._say)
        layers.tool_changed.connect(self._say)
        tools.changed.connect(self._say)

    def _say(self, _: object = None) -> None:
        """Say how the tool in hand is used; again wherever napari has said something else."""
        mask = self._layers.mask_layer
        if mask is not self._mask:
            self.close()
            self._mask = mask
            if mask is not None:
                mask.events.help.connect(self._say)
        tool = tool_named(self._tools.tool)
        if mask is None or tool is None:
            return
        mask.help = in_hand(tool)
        if self._layers.at_hand:
            self._viewer.help = mask.help

    def close(self) -> None:
        """Leave the line to napari."""
        if self._mask is not None:
            self._mask.events.help.disconnect(self._say)
            self._mask = None
