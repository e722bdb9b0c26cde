"""What something takes, counted and not timed: the same on every machine, busy or not."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Effort:
    """Calls of functions, Python's and C's, in this thread; most bytes allocated at a time."""

    calls: int = 0
    peak: int = 0


@contextmanager
def taking(effort: Effort) -> Iterator[None]:
    """Count what is done meanwhile, whatever it raises."""
    before = sys.getprofile()

    def count(*_: object) -> None:
        effort.calls += 1

    tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
        effort.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
