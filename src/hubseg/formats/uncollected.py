"""Many objects made at once, without Python looking through all of them again and again.

Responsible for pausing its search for cycles, of which outlines and JSON have none: with a hundred
thousand objects the search takes longer than reading them. Does not know what is made.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the search for cycles for the length of a ``with``; memory is freed as ever."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
