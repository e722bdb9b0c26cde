"""A sentence on napari's canvas, where a slide should be.

Responsible for napari's text overlay, which gets back what a person had in it, and for lines that
fit the canvas as it is. Does not know why there is something to say.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["Notice", "overlay"]

_PT = 12  # size of the letters
_LETTER = 1.15  # width of one on average, times its size, px: generous, nothing may be cut
_MARGIN = 40  # px of the canvas beside the words
_SHORTEST, _LONGEST = 20, 80  # letters of a line
_PLACE = "top_left"  # napari's own messages come at the bottom right


class _Wrapper(textwrap.TextWrapper):
    """Breaks lines between words, and long paths between folders."""

    def _split(self, text: str) -> list[str]:
        return [part for part in re.split(r"(\s+|[^\s/\\]*[/\\]+)", text) if part]


def overlay(viewer: ViewerModel, name: str, *, before: str) -> Any:
    """Return an overlay: from 0.9 on, napari keeps it in the viewer's canvas, under that name."""
    canvas = getattr(viewer, "canvas", None)
    return getattr(viewer, before) if canvas is None else getattr(canvas.overlays, name)


class Notice:
    """Says something over an empty canvas, or nothing.

    Attributes
    ----------
    said
        What stands there; "" while nothing does.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlay = overlay(viewer, "text", before="text_overlay")
        self._canvas = getattr(viewer, "canvas", None)
        self._before: dict[str, Any] = {}
        self.said = ""
        if self._canvas is not None:
            self._canvas.events.size.connect(self._fit)

    def say(self, sentence: str) -> None:
        """Show a sentence; "" takes it away and shows again what was there before."""
        if sentence == self.said:
            return
        wanted = {
            "text": self._lines(sentence),
            "font_size": _PT,
            "position": _PLACE,
            "visible": True,
        }
        if not self.said:
            self._before = {name: getattr(self._overlay, name) for name in wanted}
        self.said = sentence
        for name, value in (wanted if sentence else self._before).items():
            setattr(self._overlay, name, value)

    def _fit(self) -> None:
        """Break the lines anew for a canvas of another size."""
        if self.said:
            self._overlay.text = self._lines(self.said)

    def _lines(self, sentence: str) -> str:
        width = 800 if self._canvas is None else int(self._canvas.size[-1])
        letters = int((width - _MARGIN) / (_LETTER * _PT))
        return _Wrapper(min(max(letters, _SHORTEST), _LONGEST)).fill(sentence)

    def close(self, *, leave: bool = False) -> None:
        """Say nothing, and follow the canvas no more; with `leave` what is said stays there."""
        if not leave:
            self.say("")
        if self._canvas is not None:
            self._canvas.events.size.disconnect(self._fit)
