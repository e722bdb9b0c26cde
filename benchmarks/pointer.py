"""How much the pointer has to do in the dock for one slide: clicks, notches of the wheel, travel.

The same review on every slide of a folder or table, in a real window on a virtual screen: move the
threshold, look at the outline, take brush, eraser and *Remove*, take the last step back, accept,
go on. What is not wholly in sight is scrolled to first, with the wheel, as a person would; the
pointer goes straight from one thing to the next. What is done on the canvas is not counted. Things
are found by their names only, so that an older version can be measured with the same script:

    PYTHONPATH=OLDER/src:OLDER python benchmarks/pointer.py [FOLDER] [--size 1366x768] [--slides 10]
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

WORK = (
    "histogram",
    "view_outline",
    "view_fill",
    "tool_brush",
    "tool_eraser",
    "tool_drop",
    "undo",
    "accept",
    "next_slide",
)
NOTCH = 120
MOST = 60  # notches after which a thing is called out of reach


@dataclass
class Effort:
    """What one slide took."""

    clicks: int = 0
    notches: int = 0
    travel: float = 0.0
    missing: int = 0


def _area(widget: QWidget) -> QScrollArea | None:
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QScrollArea):
        above = above.parentWidget()
    return above


def _in_sight(widget: QWidget) -> bool:
    seen = widget.visibleRegion().boundingRect()
    return widget.isVisible() and seen.size() == widget.size()


def _turn(area: QScrollArea, by: int) -> None:
    view = area.viewport()
    middle = view.rect().center()
    event = QWheelEvent(
        QPointF(middle),
        QPointF(view.mapToGlobal(middle)),
        QPoint(0, 0),
        QPoint(0, by),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
    QApplication.processEvents()


class Pointer:
    """The pointer, where it was left."""

    def __init__(self, dock: Any) -> None:
        self._dock = dock
        self._at = QPoint(0, 0)

    def slide(self) -> Effort:
        """Go through the work on one slide."""
        effort = Effort()
        for name in WORK:
            self._reach(name, effort)
        return effort

    def _reach(self, name: str, effort: Effort) -> None:
        found = self._dock.findChild(QWidget, name)
        if found is None:
            effort.missing += 1
            return
        area = _area(found)
        for _ in range(MOST):
            if _in_sight(found) or area is None:
                break
            place = found.mapTo(area.viewport(), found.rect().center()).y()
            _turn(area, NOTCH if place < area.viewport().height() / 2 else -NOTCH)
            effort.notches += 1
        effort.missing += not _in_sight(found)
        at = found.mapTo(self._dock.window(), found.rect().center())
        effort.travel += math.hypot(at.x() - self._at.x(), at.y() - self._at.y())
        self._at = at
        effort.clicks += 1


def _measure(path: Path, size: tuple[int, int], count: int) -> list[Effort]:
    try:
        from napari_hubseg.demo.screen import rest, wait_for
        from napari_hubseg.demo.start import open_window
    except ImportError:  # before the rooms had these names
        from napari_hubseg._screen import rest, wait_for  # type: ignore[no-redef]
        from napari_hubseg._start import open_window  # type: ignore[no-redef]

    viewer, dock = open_window()
    dock.window().setGeometry(0, 0, *size)
    efforts = []
    with tempfile.TemporaryDirectory() as folder:
        dock.open_path(path, project=Path(folder) / "pointer.hubseg")
        wait_for("The slides", lambda: dock.session.current is not None and not dock.busy)
        pointer = Pointer(dock)
        for slide in list(dock.session.slides)[:count]:
            dock.session.go_to(slide.id)
            wait_for("The slide", lambda: not dock.busy)
            rest(300)
            efforts.append(pointer.slide())
        viewer.close()
    return efforts


def main() -> int:
    """Measure one size of the window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", help="a folder or table; else the sample")
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--slides", type=int, default=10)
    options = parser.parse_args()
    if options.path is None:
        from hubseg.recipe.bundled import sample_table

        options.path = sample_table()
    width, height = (int(part) for part in options.size.split("x"))
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    try:
        from napari_hubseg.demo.screen import virtual_screen
    except ImportError:
        from napari_hubseg._screen import virtual_screen  # type: ignore[no-redef]
    with virtual_screen(width, height):
        efforts = _measure(options.path, (width, height), options.slides)
    count = len(efforts)
    print(
        f"{options.size}, {count} slides: per slide {sum(e.clicks for e in efforts) / count:.1f} "
        f"clicks, {sum(e.notches for e in efforts) / count:.1f} notches of the wheel, "
        f"{sum(e.travel for e in efforts) / count:.0f} px of travel; "
        f"{sum(e.missing for e in efforts)} things out of reach"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
