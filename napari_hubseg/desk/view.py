"""How a person looks at slides: the mask's view, what lies over the tissue, the queue's order.

Responsible for what keys change of it, which is said. Does not know what a slide is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.actions import key_of
from napari_hubseg.canvas.appearance import VIEWS
from napari_hubseg.desk.offer import Offer

if TYPE_CHECKING:
    from napari_hubseg.canvas.contours import TruthContour
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.queue import Queue
    from napari_hubseg.jobs.truth import Truth

__all__ = ["View"]

_OPACITY_STEP = 0.1
_BACK = "Back to 2D"
_IN_3D = "napari shows the slide in 3D now (Ctrl+Y), where nothing can be drawn."


class View:
    """Look at a slide in another way."""

    def __init__(
        self,
        layers: LayerBinding,
        truth: Truth,
        contour: TruthContour,
        queue: Queue,
        offers: Offers,
        signals: DeskSignals,
    ) -> None:
        self._layers, self._truth, self._contour = layers, truth, contour
        self._queue, self._offers, self._signals = queue, offers, signals
        layers.flat.changed.connect(self._say_depth)

    def _say_depth(self, flat: bool) -> None:
        """Say that nothing can be drawn in 3D: a slide looks the same there."""
        if flat and self._offers.is_offered(_BACK):
            self._offers.drop_offer()
        elif not flat and self._layers.mask_layer is not None:
            said = f"{_IN_3D} Redo is {key_of('redo')}."
            self._offers.offer(Offer(said, _BACK, self._layers.flat.back))

    def next_view(self) -> None:
        """Show the mask in the next way: fill, outline, probability."""
        looks = self._layers.appearance
        self._layers.set_view(VIEWS[(VIEWS.index(looks.view) + 1) % len(VIEWS)])
        self._offers.say(f"Shown: {looks.view}.")

    def peek(self) -> None:
        """Show the tissue without anything over it, or all of it again."""
        self._layers.appearance.peek(not self._layers.appearance.peeking)

    def hold(self, name: str, down: bool) -> None:
        """Begin or end an action that lasts as long as its key is down."""
        if name == "peek":
            self._layers.appearance.peek(down)

    def fainter(self) -> None:
        """Lay mask and map more faintly over the tissue."""
        self._fade(-_OPACITY_STEP)

    def stronger(self) -> None:
        """Lay mask and map more strongly over the tissue."""
        self._fade(_OPACITY_STEP)

    def _fade(self, by: float) -> None:
        looks = self._layers.appearance
        looks.set_opacity(looks.opacity + by)
        self._offers.say(f"Overlay: {100 * looks.opacity:.0f} %.")

    def toggle_truth(self) -> None:
        """Show the contour of the truth, or take it away."""
        if self._truth.known:
            self._contour.toggle()
        else:
            self._signals.told.emit(
                "There is no truth for this slide: the table that it is in has none."
            )

    def worst_first(self) -> None:
        """Let the slides with the lowest expected Dice come up first; again: the table's order."""
        self._queue.order_by("table" if self._queue.order == "worst" else "worst")
        shown = "worst first" if self._queue.order == "worst" else "in table order"
        self._offers.say(f"Queue: {shown}.")
