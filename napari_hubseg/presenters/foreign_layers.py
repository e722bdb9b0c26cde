"""The notice about other people's layers: what is said of them, and what its buttons do."""

from __future__ import annotations

from napari_hubseg.panels.notice import Notice, NoticePanel
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["OFFERS", "OthersPresenter", "notice_of"]

OFFERS = {
    "hide": ("Hide", "Hide every layer that lies over the slide and is not HubSeg's"),
    "below": ("Move below", "Move them below the slide in the layer list"),
    "mask": ("Back to the mask", "Choose the mask again: tools and keys act on it"),
}


class OthersPresenter(Presenter[NoticePanel, Notice]):
    """Connects the notice about other layers."""

    def wishes(self) -> Wishes:
        others = self._desk.layers.others
        does = {"hide": others.hide, "below": others.move_below, "mask": others.choose_mask}
        yield self._panel.asked, lambda offer: does[offer]()

    def state(self, step: str) -> Notice:
        others = self._desk.layers.others
        return notice_of([str(layer.name) for layer in others.above], others.drawn_into)


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
