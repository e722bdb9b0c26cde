"""How large brush and eraser are: a size each, in px of the slide or of the screen.

Responsible for the size of the brush in napari's mask layer. Does not know strokes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_hubseg.canvas.layers import LayerBinding

__all__ = ["BrushSizes", "camera"]

_LARGEST = 2000  # px of the slide


def camera(viewer: ViewerModel) -> Any:
    """Return a viewer's camera: from 0.9 on, napari keeps it in the viewer's scene."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def _without_box(viewer: ViewerModel) -> None:
    """Draw napari's circle for a brush without the box behind it.

    From 0.9 on it has one, of no size; drawn after its layer has gone it ended the process (Mesa).
    """
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", None)
    circle = None if overlays is None else overlays.get("_brush_circle")
    if circle is not None:
        circle.box = False


class BrushSizes:
    """The sizes of brush and eraser.

    Attributes
    ----------
    on_screen
        Whether sizes are px of the screen: the brush then covers less tissue the nearer one looks.
    """

    changed = Signal()

    def __init__(self, layers: LayerBinding, viewer: ViewerModel) -> None:
        self._layers, self._camera = layers, camera(viewer)
        _without_box(viewer)
        self._sizes = {"brush": 20, "eraser": 20}
        self._setting = False
        self._tool = ""
        self.on_screen = False
        self._camera.events.zoom.connect(self._fit)
        layers.tool_changed.connect(self._follow)
        layers.slide_shown.connect(self._fit)

    @property
    def tool(self) -> str:
        """The tool whose size this is: "eraser" while it is in hand, else "brush"."""
        return "eraser" if self._layers.tool == "eraser" else "brush"

    @property
    def size(self) -> int:
        """The diameter of the tool in hand, px."""
        return self._sizes[self.tool]

    def set_size(self, size: int) -> None:
        """Set the diameter of the tool in hand, px."""
        self._sizes[self.tool] = max(1, size)
        self._fit()
        self.changed.emit()

    @property
    def kept(self) -> tuple[bool, dict[str, int]]:
        """What another dock in the same window goes on with: whether on screen, and the sizes."""
        return self.on_screen, dict(self._sizes)

    def go_on(self, kept: tuple[bool, dict[str, int]]) -> None:
        """Go on with what a dock before had."""
        self.on_screen, self._sizes = kept[0], dict(kept[1])
        self._fit()
        self.changed.emit()

    def use_screen(self, on: bool) -> None:
        """Measure in px of the screen, or of the slide; the brush on screen stays as it is."""
        if on == self.on_screen:
            return
        shown = self._layers.px_on_screen
        factor = shown if on else 1.0 / shown
        self._sizes = {tool: max(1, round(size * factor)) for tool, size in self._sizes.items()}
        self.on_screen = on
        self._fit()
        self.changed.emit()

    def _fit(self, _: Any = None) -> None:
        """Give the layer the size that holds now."""
        size = self.size / (self._layers.px_on_screen if self.on_screen else 1.0)
        self._setting = True
        self._layers.set_brush_size(min(max(1, round(size)), _LARGEST))
        self._setting = False

    def _follow(self) -> None:
        """Take another tool's size, or the size that was set with napari's own keys."""
        if self._setting:
            return
        tool = self._layers.tool
        if tool != self._tool:
            self._tool = tool
            self._fit()
        elif tool in self._sizes:
            size = self._layers.brush_size * (self._layers.px_on_screen if self.on_screen else 1.0)
            self._sizes[tool] = max(1, round(size))

    def close(self) -> None:
        """Let go of viewer and layers."""
        self._camera.events.zoom.disconnect(self._fit)
        self._layers.tool_changed.disconnect(self._follow)
        self._layers.slide_shown.disconnect(self._fit)
