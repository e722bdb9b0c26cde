"""Words for a place that is too narrow for all of them: whole ones, from the first on.

Responsible for where a text may end, so that what is left reads well. Does not know Qt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fewer_words"]

# Nothing ends with a number, a sign or a word that leads on to the next one
_OPEN = re.compile(
    r"[\W\d_.,]*|\(.*|a|an|and|as|by|every|for|from|in|is|of|on|that|the|this|to|under|was|what"
)


def fewer_words(text: str, fits: Callable[[str], bool]) -> str:
    """Return as many of a text's first words as fit, with an ellipsis where some are left out.

    The first word stays, whether it fits or not.

    Parameters
    ----------
    fits
        Whether there is room for a text.
    """
    words = text.split(" ")
    shown = text
    while not fits(shown) and len(words) > 1:
        words.pop()
        while len(words) > 1 and _OPEN.fullmatch(words[-1]):
            words.pop()
        shown = " ".join(words).rstrip(",:;") + "…" * (len(words) > 1)
    return shown
