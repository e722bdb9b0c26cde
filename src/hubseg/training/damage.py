"""Slides of a training of which parts cannot be decoded: nothing is learnt there, and it is said.

Responsible for reading slides on over such parts, and for saying of each slide once what it lacks.
Which pixels count is :mod:`hubseg.training.data`'s. Does not know how a part is replaced
(:mod:`hubseg.slide.mended`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hubseg.slide.mended import MendedSlide
from hubseg.slide.readable import said_of_damage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubseg.slide import Slide
    from hubseg.training.label import Label

__all__ = ["Damage", "Gaps", "mended"]

Gaps = tuple[tuple[int, int, int, int], ...]
"""Windows, (top, left, height, width) in level-0 px of a slide's file, that cannot be decoded."""

_LEFT_OUT = "nothing is learnt there"


def mended(labels: Iterable[Label]) -> list[Label]:
    """Return labels whose slides are read on where a tile of their file is damaged."""
    return [label.with_slide(MendedSlide.of(label.slide)) for label in labels]


class Damage:
    """Keeps what slides lack, from any thread, until it is said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, str] = {}
        self._new: dict[str, str] = {}

    def take(self, slide: Slide, unread: Gaps) -> None:
        """Note what of a slide cannot be decoded."""
        sentence = said_of_damage(slide.path.name, unread, (), becomes=_LEFT_OUT)
        with self._lock:
            if self._said.get(slide.id) != sentence:
                self._said[slide.id] = self._new[slide.id] = sentence

    def news(self) -> dict[str, str]:
        """Return a sentence for each slide that was noted since the last time, by its id."""
        with self._lock:
            new, self._new = self._new, {}
        return new
