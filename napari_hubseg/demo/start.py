"""The window from the command line: for review, and for the demo.

Responsible for opening napari with the dock. Does not know what is done in it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from hubseg.recipe.bundled import sample_table
from napari_hubseg.demo.screen import has_display, virtual_screen

if TYPE_CHECKING:
    from pathlib import Path

    import napari

    from napari_hubseg.dock import HubSegWidget

__all__ = ["demo", "open_window", "review"]

_OPENING = "HubSeg is opening …"
_ROUNDS = 3  # of Qt's loop: the screen says that the window is there, and Qt paints


def open_window(*, guided: bool = False) -> tuple[napari.Viewer, HubSegWidget]:
    """Open napari with the HubSeg dock at its right; `guided` offers the tour.

    The window is painted before the dock is made, which takes about half as long again.
    """
    import napari

    viewer = napari.Viewer(title="HubSeg")
    viewer.status = _OPENING
    _paint()
    from napari_hubseg.dock import HubSegWidget

    dock = HubSegWidget(viewer)
    dock.guided = guided
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    if viewer.status == _OPENING:
        viewer.status = "Ready"
    return viewer, dock


def _paint() -> None:
    """Have what was opened painted now: where a screen answers, this takes two rounds."""
    for _ in range(_ROUNDS):
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


def review(path: Path | None) -> int:
    """Open a project, folder, table or image for review; returns when the window is closed.

    Without a path the empty dock asks what to open.

    Raises
    ------
    RuntimeError
        When there is no display.
    """
    import napari

    if not has_display():
        raise RuntimeError(
            "There is no display to open a window on: set DISPLAY, or use hubseg predict and "
            "hubseg export here."
        )
    _, dock = open_window(guided=True)
    if path is not None:
        dock.open_path(path)
    napari.run()
    return 0


def demo(out: Path, *, scripted: bool = False) -> int:
    """Open the bundled sample; where nobody can see it, play the whole loop and keep pictures.

    Parameters
    ----------
    out
        Folder for the demo's project and, when the loop is played, its pictures and exports; what
        an earlier demo left there is replaced.
    scripted
        Play the loop even where there is a display.

    Raises
    ------
    RuntimeError
        When the virtual screen cannot be had.
    """
    import napari

    seen = has_display()
    out.mkdir(parents=True, exist_ok=True)
    project = out / "demo.hubseg"
    if seen and not scripted:
        _, dock = open_window(guided=True)
        dock.offer_tour()
        dock.open_path(project if project.is_dir() else sample_table(), project=project)
        napari.run()
        return 0
    shutil.rmtree(project, ignore_errors=True)
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    from napari_hubseg.demo.journey import play

    scale = float(os.environ.get("QT_SCALE_FACTOR", "1"))
    with nullcontext() if seen else virtual_screen(round(1600 * scale), round(1000 * scale)):
        return play(out, sample_table(), project)
