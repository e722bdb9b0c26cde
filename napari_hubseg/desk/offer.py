"""Something that is said with a button: what a person may do about it.

Responsible for the words and for what the button does. Does not know where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.journal.rows import Entry

__all__ = ["Offer", "step_words"]

# How a journal's label begins → how the tools are called in the dock
_WORDS = {"drop ": "remove ", "wand": "add object", "redraw outline": "new outline"}


def step_words(label: str) -> str:
    """Return a journal's label in a person's words."""
    if label in ("brush", "eraser"):
        return f"{label} stroke"
    begin = next((old for old in _WORDS if label.startswith(old)), "")
    return _WORDS.get(begin, "") + label.removeprefix(begin)


@dataclass(frozen=True, slots=True)
class Offer:
    """A sentence and a button.

    Attributes
    ----------
    sentence
        What is said.
    label
        What stands on the button.
    take
        Called when it is pressed.
    slide_id
        The slide that it is about: with another one on screen it is gone; "" is none.
    step
        What a person did that is taken back, until the next thing is done; None is nothing.
    stays
        Whether it stays while the slide is worked on.
    """

    sentence: str
    label: str
    take: Callable[[], object]
    slide_id: str = ""
    step: Entry | None = None
    stays: bool = False
