"""The card of all like this at the desk."""

from __future__ import annotations

from napari_hubseg.actions import key_of
from napari_hubseg.panels.alike import AlikePanel, AlikeState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["AlikePresenter"]

_AGAIN = "The map has just changed: looking for like objects on the new one …"
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
            return AlikeState(_AGAIN if alike.waiting else "", least=alike.least)
        act, done = _WORDS[alike.offered.how]
        count, all_of_them = alike.count, len(alike.offered.pieces)
        if count:
            verb, plural = "is" if count == 1 else "are", "" if all_of_them == 1 else "s"
            said = (
                f"{count} of {all_of_them} other object{plural} {verb} like what you {done}: "
                f"in yellow. {key_of('all_like_this')} again: {act.lower()} them. Esc: leave them."
            )
        elif all_of_them:
            none = "The only other object is not"
            if all_of_them > 1:
                none = f"None of {all_of_them} other objects is"
            said = f"{none} so alike: move the slider to the right."
        else:
            act, said = "", "No other object of this slide is undecided."
        return AlikeState(said, act, count, alike.least, len(alike.elsewhere))
