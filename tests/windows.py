"""What tests of the whole dock do with it: let it settle, look at it, read what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_hubseg.dock import HubSegWidget

Wait = Callable[[Callable[[], bool]], None]


def settle(dock: HubSegWidget, wait: Wait) -> None:
    wait(lambda: not dock.busy and not dock.thresholds.busy)
    dock.refresh()


def see(dock: HubSegWidget, wait: Wait) -> None:
    """Look at slide and mask, until a frame has shown them as they are."""
    settle(dock, wait)
    wait(lambda: not dock.desk.seen.why_not(mask=True))


def said(dock: HubSegWidget) -> str:
    """Return what the dock says was done last; "" where it says nothing."""
    return dock.step.sentence.text() if dock.step.isVisible() else ""
