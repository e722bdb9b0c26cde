"""What is asked for while something else is at work: it waits its turn, in the order of asking.

Responsible for that order, and for taking one out before its turn comes. Does not know what waits,
or what it waits for.
"""

from __future__ import annotations

from itertools import count
from typing import Generic, TypeVar

from psygnal import Signal

__all__ = ["WaitingLine"]

_Waits = TypeVar("_Waits")


class WaitingLine(Generic[_Waits]):
    """A line, of which the first one is next."""

    changed = Signal()

    def __init__(self) -> None:
        self._numbers = count(1)
        self._all: dict[int, _Waits] = {}

    @property
    def numbered(self) -> tuple[tuple[int, _Waits], ...]:
        """What waits, the next one first, each with a number of its own."""
        return tuple(self._all.items())

    @property
    def all(self) -> tuple[_Waits, ...]:
        """What waits, the next one first."""
        return tuple(self._all.values())

    def join(self, what: _Waits) -> None:
        """Let something wait behind all others."""
        self._all[next(self._numbers)] = what
        self.changed.emit()

    def leave(self, number: int) -> None:
        """Take out what has a number; nothing where its turn has come meanwhile."""
        if self._all.pop(number, None) is not None:
            self.changed.emit()

    def next(self) -> _Waits | None:
        """Take out the one whose turn it is; None where nothing waits.

        It is not told: for whoever takes it, work goes on without a moment in which nothing is on.
        """
        number = next(iter(self._all), None)
        return None if number is None else self._all.pop(number)

    def clear(self) -> None:
        """Let nothing wait."""
        if self._all:
            self._all.clear()
            self.changed.emit()
