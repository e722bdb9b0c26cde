"""A sentence on napari's canvas, where a slide should be.

Responsible for napari's text overlay, which gets back what a person had in it. Does not know why
there is something to say.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["Notice"]

_LINE = 60  # letters
_PT = 14  # size of the letters


def _overlay(viewer: ViewerModel) -> Any:
    """Return a viewer's text overlay: from 0.9 on, napari keeps it in the viewer's canvas."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text


class Notice:
    """Says something over an empty canvas, or nothing.

    Attributes
    ----------
    said
        What stands there; "" while nothing does.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlay = _overlay(viewer)
        self._before: dict[str, Any] = {}
        self.said = ""

    def say(self, sentence: str) -> None:
        """Show a sentence; "" takes it away and shows again what was there before."""
        if sentence == self.said:
            return
        wanted = {"text": textwrap.fill(sentence, _LINE), "font_size": _PT, "visible": True}
        if not self.said:
            self._before = {name: getattr(self._overlay, name) for name in wanted}
        self.said = sentence
        for name, value in (wanted if sentence else self._before).items():
            setattr(self._overlay, name, value)
