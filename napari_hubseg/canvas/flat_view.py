"""Whether napari shows slides flat: in its 3D view nothing can be drawn, and they look the same.

Responsible for noticing it and for the way back. Does not know tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["FlatView"]


class FlatView:
    """The number of dimensions that a viewer shows."""

    changed = Signal(bool)  # whether it is flat now

    def __init__(self, viewer: ViewerModel) -> None:
        self._dims = viewer.dims
        self._dims.events.ndisplay.connect(self._tell)

    @property
    def is_flat(self) -> bool:
        """Whether slides are shown in 2D."""
        return int(self._dims.ndisplay) == 2

    def back(self) -> None:
        """Show slides in 2D."""
        self._dims.ndisplay = 2

    def _tell(self, _: object = None) -> None:
        self.changed.emit(self.is_flat)

    def close(self) -> None:
        """Let the viewer go."""
        self._dims.events.ndisplay.disconnect(self._tell)
