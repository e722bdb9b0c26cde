"""The notice about other people's layers: what is said of them, and what its buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.notice import Notice
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.notice import NoticePanel

__all__ = ["OFFERS", "OthersPresenter", "notice_of"]

OFFERS = {
    "hide": ("Hide", "Hide every layer that lies over the slide and is not HubSeg's"),
    "below": ("Move below", "Move them below the slide in the layer list"),
    "mask": ("Back to the mask", "Choose the mask again: tools and keys act on it"),
}


class OthersPresenter(Presenter):
    """Connects the notice about other layers."""

    def __init__(self, panel: NoticePanel, desk: Desk) -> None:
        self._panel, self._others = panel, desk.layers.others
        others = desk.layers.others
        does = {"hide": others.hide, "below": others.move_below, "mask": others.choose_mask}
        panel.asked.connect(lambda offer: does[offer]())

    def show(self, step: str) -> None:
        """Say what lies over the slide, and what is drawn into instead of the mask."""
        names = [str(layer.name) for layer in self._others.above]
        self._panel.show_state(notice_of(names, self._others.drawn_into))


def notice_of(above: list[str], drawn_into: str) -> Notice:
    """Return what is said of other layers: those over the slide, and the one drawn into."""
    said, offers = [], []
    if len(above) == 1:
        said.append(f"Another layer lies over the slide: {above[0]}.")
    elif above:
        said.append(f"{len(above)} other layers lie over the slide.")
    if above:
        offers += ["hide", "below"]
    if drawn_into:
        said.append(f"You now draw into {drawn_into}: its strokes are no part of the mask.")
        offers.append("mask")
    return Notice(" ".join(said), tuple(offers))
