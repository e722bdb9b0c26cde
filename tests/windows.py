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


def as_at_first(dock: HubSegWidget) -> None:
    """Take back what a test did to the window, and what it left in the layer list."""
    viewer, desk = dock._viewer, dock.desk
    for layer in [one for one in viewer.layers if not desk.layers._stack.owns(one)]:
        viewer.layers.remove(layer)
    viewer.theme = "dark"
    viewer.window.resize(1400, 900)
    desk.verdicts.advances = True
    desk.layers.set_view("fill")
    desk.layers.appearance.set_opacity(1.0)
    desk.queue.order_by("table")
    dock.do("take_move")
    for notice in (dock.message, dock.step):
        notice.dismiss.click()
    for section in (*dock.sections.values(), dock.advanced):
        section.header.setChecked(False)
    dock.export.role.setCurrentIndex(dock.export.role.findData("edits"))
    if dock.facts.form.isVisible():
        dock.facts.done.click()
    dock.keys.hide()
    dock.pages.choose("review")
    dock.canvas.focus()
