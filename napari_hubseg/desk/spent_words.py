"""What was said is taken back once its cause has gone.

Responsible for which fact ends which words: a sentence about the slide on screen ends with that
slide, one about a run or an export when the next one begins. Does not know where anything is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SpentWords"]


class SpentWords:
    """Remembers who said what, until a fact makes it untrue.

    Parameters
    ----------
    unsay
        Takes a sentence back, where it still stands.
    """

    def __init__(self, unsay: Callable[[str], object]) -> None:
        self._unsay = unsay

    def end(self, fact: Any, *words: Any) -> None:
        """Take back what the signals `words` said each time that the signal `fact` comes."""
        said: list[str] = []

        def spent(*_: object) -> None:
            spoken = tuple(said)
            said.clear()
            for sentence in spoken:
                self._unsay(sentence)

        for one in words:
            one.connect(said.append)
        fact.connect(spent)
