"""The card of all like this at the desk."""

from __future__ import annotations

from napari_hubseg.actions import key_of
from napari_hubseg.panels.alike import AlikePanel, AlikeState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["AlikePresenter"]

_WORDS = {"drop": ("Remove", "removed"), "keep": ("Keep", "kept")}


class AlikePresenter(Presenter[AlikePanel, AlikeState]):
    """Connects the card of all like this."""

    def wishes(self) -> Wishes:
        alike = self._desk.alike
        yield self._panel.least_requested, alike.set_least
        yield self._panel.apply_requested, alike.apply
        yield self._panel.everywhere_requested, alike.apply_everywhere
        yield self._panel.end_requested, alike.end

    def state(self, step: str) -> AlikeState:
        alike = self._desk.alike
        if alike.offered is None:
            return AlikeState()
        act, done = _WORDS[alike.offered.how]
        count, all_of_them = alike.count, len(alike.offered.pieces)
        if count:
            verb = "is" if count == 1 else "are"
            said = (
                f"{count} of {all_of_them} other objects {verb} like what you {done}: in yellow. "
                f"{key_of('all_like_this')} again: {act.lower()} them. Esc: leave them."
            )
        elif all_of_them:
            said = f"None of {all_of_them} other objects is so alike: move the slider to the right."
        else:
            said = "No other object of this slide is undecided."
        return AlikeState(said, act, count, alike.least, len(alike.elsewhere))
