"""The layers of the slide on screen: shows in them what the session holds, and takes strokes.

Responsible for everything that happens to napari layers, together with the stack that makes them
(:mod:`napari_hubseg.canvas.stack`) and with their looks (:mod:`napari_hubseg.canvas.appearance`).
Full-size work runs in threads. Does not know panels, what a threshold means, or the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_hubseg.canvas.appearance import Appearance
from napari_hubseg.canvas.around import Around
from napari_hubseg.canvas.brush import camera
from napari_hubseg.canvas.colours import STROKE
from napari_hubseg.canvas.flat_view import FlatView
from napari_hubseg.canvas.foreign_layers import OtherLayers
from napari_hubseg.canvas.map_layer import MapDrawing
from napari_hubseg.canvas.mask_keys import MaskKeys
from napari_hubseg.canvas.mask_layer import MaskDrawing
from napari_hubseg.canvas.modes import MODES, tool_of
from napari_hubseg.canvas.notice import Notice
from napari_hubseg.canvas.placement import Placement
from napari_hubseg.canvas.sketch import Sketch
from napari_hubseg.canvas.slide_loading import LoadedSlide
from napari_hubseg.canvas.slide_seen import Sight
from napari_hubseg.canvas.stack import LayerStack
from napari_hubseg.canvas.viewpoint import ScaleBar, WholeView
from napari_hubseg.canvas.wandering import Wandering
from napari_hubseg.jobs.latest import Latest, listening
from napari_hubseg.jobs.prepared import PreparedSlides, seen_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from hubseg.probability import ProbabilityMap
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background

__all__ = ["LayerBinding"]


class LayerBinding:
    """Keeps a viewer's layers in step with a session.

    A layer that a person has deleted comes back as it was, with the tool that was in hand.

    Parameters
    ----------
    session
        What is shown.
    viewer
        Where it is shown.
    background
        Where pixels are read and overlays computed.
    keys
        napari key → function, bound on the mask layer before napari's own.
    prepared
        Where pixels and drawn masks may lie before somebody goes there.
    """

    tool_changed = Signal()
    slide_shown = Signal(str)  # id, once its pixels are on screen
    blank = Signal(str)  # why nothing is: it stands on the canvas
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    _blank: Any = None  # the slide's layer, while a sentence stands in its place

    def __init__(
        self,
        session: ReviewSession,
        viewer: ViewerModel,
        background: Background,
        keys: Mapping[str, Callable[[], object]],
        prepared: PreparedSlides | None = None,
    ) -> None:
        self._session = session
        self._viewer, self._background = viewer, background
        self._keys = MaskKeys(keys)
        self._prepared = prepared or PreparedSlides()
        self._stack = LayerStack(viewer, self._equip)
        self._stack.lost.connect(self._ask_back)
        self._stack.shifted.connect(self.told.emit)
        self._asked_back = False
        self.others = OtherLayers(viewer, self._stack, background)
        self.appearance = Appearance(session, self._stack)
        self.drawing = drawing = MaskDrawing(session, self._stack, background, self._prepared)
        self.sketch, self.mask_drawn = Sketch(self._stack, drawing.draw), drawing.finished
        drawing.finished.connect(self.appearance.end_preview)
        drawing.failed.connect(self.failed.emit)
        drawing.told.connect(self.told.emit)
        self._map = MapDrawing(session, self._stack, background)
        self._map.finished.connect(self._map_is_there)
        self._map.failed.connect(self.failed.emit)
        self._reading = Latest(background, self._show_nothing)
        self._whole = WholeView(viewer)
        self._hidden: list[Any] = []
        self._notice, self._scale_bar = Notice(viewer), ScaleBar(viewer)
        self.wandering, self.flat = Wandering(viewer, self._stack, background), FlatView(viewer)
        self._loaded = LoadedSlide(session, background, self.told.emit)
        self.around = Around(session, self._stack, self.appearance, background, drawing)
        self.sight = Sight(self._stack, self.drawing, self._notice, self.others, self.appearance)
        self._stop = listening(
            (session.slide_changed, self._ask_pixels),
            (session.facts_changed, self._place),
            (session.probability_changed, self._ask_overlay),
        )
        self.warm_up = self._stack.warm_up

    # ---- tools and views -----------------------------------------------------------------------

    @property
    def mask_layer(self) -> Any:
        """The layer that tools work on; None while there is none."""
        return self._stack.get("mask")

    @property
    def at_hand(self) -> bool:
        """Whether the mask is the layer that tools and keys act on, as far as there is one."""
        mask = self._stack.get("mask")
        return mask is None or bool(self._viewer.layers.selection.active == mask)

    @property
    def tool(self) -> str:
        """The tool in hand: one of napari's that the dock has a button for, or ""."""
        if (mask := self._stack.get("mask")) is None:
            return "move"
        return tool_of(str(mask.mode), erases=mask.selected_label == 0)

    @property
    def brush_size(self) -> int:
        """Diameter of brush and eraser, px."""
        mask = self._stack.get("mask")
        return int(mask.brush_size) if mask is not None else 20

    @property
    def px_on_screen(self) -> float:
        """How many px of the screen one px of the slide takes, as it is shown now."""
        return max(float(camera(self._viewer).zoom) * self._stack.steps[1], 1e-6)

    def take_tool(self, tool: str) -> None:
        """Put a tool into the person's hand and select the mask, where it works."""
        self._put_back()
        if (mask := self._stack.get("mask")) is None:
            return
        self.flat.back()
        self._stack.select_mask()
        if not mask.visible:  # napari takes back the mode with it
            mask.visible = True
        if tool in ("brush", "polygon", "polygon_erase"):
            mask.selected_label = 0 if tool == "polygon_erase" else STROKE
        mask.mode = MODES[tool]

    def set_brush_size(self, size: int) -> None:
        """Set the diameter of brush and eraser, px."""
        if (mask := self._stack.get("mask")) is not None:
            mask.brush_size = size

    def set_view(self, view: str) -> None:
        """Show the mask as "fill" or "outline", or the "probability" above the threshold."""
        self._put_back()
        self.appearance.set_view(view)

    def visit(self, row: int, column: int) -> None:
        """Bring a place of the slide, in px, into the middle of the view."""
        if (mask := self._stack.get("mask")) is not None:
            camera(self._viewer).center = (0.0, *map(float, mask.data_to_world((row, column))))

    def show_contour(self, name: str, contour: NDArray[np.uint8]) -> Any:
        """Show a contour over the slide, "truth" or "reference": uint8 (H, W), 1 along it."""
        self._stack.put(name, contour)
        self._place()
        self.reveal_contour(name)
        return self._stack.get(name)

    def reveal_contour(self, name: str) -> bool:
        """Show the contour that was drawn last; False where its layer is gone."""
        layer = self._stack.get(name)
        if layer is not None:
            layer.visible = True
            self.appearance.apply()
        return layer is not None

    def hide_contour(self, name: str) -> None:
        """Take a contour away."""
        if (layer := self._stack.get(name)) is not None:
            layer.visible = False

    def look_at(self, row: float, column: float) -> None:
        """Bring a place into the middle, near enough that a quarter of the slide fills it."""
        if self.appearance.shown:
            self._whole.come_near(4)
            self.visit(round(row), round(column))

    # ---- the slide -----------------------------------------------------------------------------

    def _ask_pixels(self, slide: Slide | None) -> None:
        self._reading.drop()
        self.around.leave()
        if self.drawing.drop_polygon():
            self.told.emit("The polygon that was not finished went with its slide.")
        self.appearance.forget()
        self._notice.say("")
        self.drawing.slide = self._map.slide = ""
        ready = None if slide is None else self._prepared.pixels(slide)
        if slide is not None and ready is not None and not self._session.unopened:
            self._reading.later(lambda: self._show_pixels(slide, ready))  # in one frame
            return
        self._hide_drawn()
        if slide is not None:
            self.warm_up()
        if slide is not None and self._session.unopened:
            self._show_nothing(self._session.unopened)
        elif slide is not None:
            self._reading.ask(lambda: seen_of(slide), lambda seen: self._show_pixels(slide, seen))

    def _hide_drawn(self) -> None:
        """Hide what is drawn of the slide before, until this one's is."""
        for name in ("probability", "disagreement", "mask"):
            layer = self._stack.get(name)
            if layer is not None and layer.visible and not self._stack.empty:
                layer.visible = False
                if name != "probability":  # that one is shown where the view asks for it
                    self._hidden.append(layer)

    def _show_nothing(self, said: str) -> None:
        """Say over an empty canvas why a slide cannot be shown: no other one's pixels stay."""
        layer = self._stack.get("slide")
        if layer is not None and layer.visible:
            layer.visible, self._blank = False, layer
        self._notice.say(said)
        self.blank.emit(said)

    def _show_pixels(self, slide: Slide, read: Any) -> None:
        """Show the slide, and what is drawn over it when that has been seen: one at a time."""
        self._stack.put("slide", read)  # first: PyQt5 crashes where all are hidden before
        self._hide_drawn()
        self._hidden += self._stack.reveal()  # an opacity that it sets is no person's
        self.appearance.shown = True
        if self._blank is not None:  # the slide before could not be shown
            self._blank.visible, self._blank = True, None
        shape = (slide.height, slide.width)
        drawn = (3, 3) if self._session.too_large else shape
        for name, size in (("probability", drawn), ("disagreement", (3, 3)), ("mask", drawn)):
            kind = np.uint8 if name == "mask" else np.float32
            self._stack.put(name, np.zeros(size, kind))
        self._stack.empty_contours(shape)
        self._place()
        if not self.wandering.shows(slide):  # whoever looks at it already stays
            self._whole.show(self._stack.get("mask"))
        self.wandering.slide = slide
        self._loaded.show(self._stack.get("slide"), slide)
        self.around.show(slide)
        self._scale_bar.show()
        self.appearance.apply()
        self._reading.later(lambda: self._show_mask(slide))

    def _show_mask(self, slide: Slide) -> None:
        for layer in self._hidden:
            layer.visible = True
        self._hidden.clear()
        self._stack.select_mask()
        self.drawing.slide = self._map.slide = slide.id
        self.drawing.draw_all()
        self._map.draw()
        self.slide_shown.emit(slide.id)

    def _ask_back(self) -> None:
        """Put a layer back once napari has done with deleting: it may delete all, one by one."""
        if not self._asked_back:
            self._asked_back = True
            self._background.later(self._put_back)

    def _put_back(self) -> None:
        """Put back what a person has deleted, and say so."""
        self._asked_back = False
        if not (back := self._stack.put_back()):
            return
        self._stack.select_mask()
        self._place()
        which = f"The layer {back[0]} belongs" if len(back) == 1 else "Those layers belong"
        what = "it is back. Hide it" if len(back) == 1 else "they are back. Hide them"
        self.told.emit(
            f"{which} to HubSeg: {what} with the eye in the layer list, or close the dock."
        )

    def _place(self) -> None:
        """Give all layers the slide's pixel size."""
        slide = self._session.current
        if slide is not None and self.appearance.shown:
            with self._whole.same_tissue(self._stack.get("mask")):
                self._stack.place(Placement.of(slide))

    def _equip(self, mask: Any) -> None:
        """Listen to a new mask layer, and bind its keys."""
        self.drawing.equip(mask)
        self.appearance.follow(mask)
        for fact in (mask.events.mode, mask.events.brush_size, mask.events.selected_label):
            fact.connect(self._tell_tool)
        self._keys.bind(mask)

    def take_keys(self, keys: Mapping[str, Callable[[], object]]) -> None:
        """Have other keys of the mask from now on."""
        self._keys.take(keys, self._stack.get("mask"))

    # ---- what the ensemble found ---------------------------------------------------------------

    def _ask_overlay(self, found: ProbabilityMap | None) -> None:
        if found is not None:
            self._map.draw()
        elif self.appearance.shown:
            self.appearance.apply()

    def _map_is_there(self) -> None:
        self._place()
        self.appearance.apply()

    def _tell_tool(self) -> None:
        self.tool_changed.emit()

    def close(self, *, leave: bool = False) -> None:
        """Let go of session and viewer, and take the layers with it.

        Without a dock a stroke in them would reach nobody. `leave` lets them stay: for a window
        that closes itself.
        """
        self._reading.drop()
        self.appearance.shown = False
        self._stop()
        for part in (self.wandering, self.flat, self._loaded, self.around, self.others):
            part.close()
        self._whole.close()
        self._notice.close(leave=leave)
        for part in (self.drawing, self._map, *(() if leave else (self._scale_bar,))):
            part.close()
        mask = self._stack.get("mask")
        if mask is not None:
            self.appearance.let_go(mask)
            for fact in (mask.events.mode, mask.events.brush_size, mask.events.selected_label):
                fact.disconnect(self._tell_tool)
            self._keys.unbind(mask)
            mask.mode = "pan_zoom"  # napari's circle for a brush outlives the layer
        self._stack.clear(leave=leave)
