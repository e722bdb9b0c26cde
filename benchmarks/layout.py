"""Whether the dock stands still and shows all of itself: measured in a real window, with pictures.

A real napari window on a virtual screen, the bundled sample, every tab, a dark and a light theme.
Nothing may be clipped; Accept, the slide's name and what is first on a tab must be inside the
screen; and through notices, tools and a run nothing that is fixed may move by a pixel.

    python benchmarks/layout.py [--size 1366x768] [--scale 1] [--out FOLDER] [--run]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QStackedWidget,
    QWidget,
)
from superqt import QElidingLabel

from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.style import ElidedButton, Hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_hubseg.dock import HubSegWidget

_BOX = 22  # px that a check box takes beside its words


def clipped(dock: HubSegWidget) -> list[str]:
    """Return what in the dock is cut off, or lies outside what it is in, as it is now."""
    found = [_called(widget) for widget in _seen(dock) if _needs_more(widget)]
    return found + [f"{_called(one)} sticks out" for one in _seen(dock) if _sticks_out(one)]


def outside_the_screen(dock: HubSegWidget) -> list[str]:
    """Return which of the things that must always be in sight are not wholly in their window."""
    window = dock.window()
    page = dock.pages.page
    first = page.widget().layout().itemAt(0).widget()
    if dock.pages.chosen == "review":
        first = dock.thresholds.histogram
    watched = {"Accept": dock.verdict.accept, "the slide's name": dock.queue.jump, "first": first}
    missing = []
    for name, widget in watched.items():
        place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
        seen = widget.visibleRegion().boundingRect().size()
        cut = name != "first" and seen != widget.size()
        if not widget.isVisible() or not window.rect().contains(place.topLeft()) or cut:
            missing.append(name)
    return missing


def places(dock: HubSegWidget) -> dict[str, QRect]:
    """Return where everything fixed is: the top, the foot, the tabs, and the page's tools."""
    fixed = (
        *dock.queue.findChildren(QWidget),
        *dock.facts.children(),
        *dock.verdict.findChildren(QWidget),
        dock.progress,
        dock.pages.tabBar(),
        *dock.thresholds.findChildren(QWidget),
        *dock.overlay.findChildren(QWidget),
        *dock.correct.tools.values(),
        dock.correct.hint,
        dock.correct.options,
        dock.correct.undo,
        dock.correct.redo,
    )
    named = [one for one in fixed if isinstance(one, QWidget) and one.objectName()]
    window = dock.window()
    return {
        one.objectName(): QRect(one.mapTo(window, QPoint(0, 0)), one.size())
        for one in named
        if one.isVisible() and dock.isAncestorOf(one) and not one.isWindow()
    }


def moved(before: dict[str, QRect], after: dict[str, QRect]) -> list[str]:
    """Return what is somewhere else than it was."""
    both = sorted(before.keys() & after.keys())
    return [
        f"{name} from {before[name].getRect()} to {after[name].getRect()}"
        for name in both
        if before[name] != after[name]
    ]


def _seen(dock: HubSegWidget) -> Iterator[QWidget]:
    for widget in dock.findChildren(QWidget):
        if widget.isVisible() and not widget.visibleRegion().isEmpty():
            yield widget


def _needs_more(widget: QWidget) -> bool:
    """Whether a widget has less room than its words."""
    if isinstance(widget, QElidingLabel | ElidedButton):
        return False  # it shortens them, and its tooltip says all
    advance = widget.fontMetrics().horizontalAdvance
    if isinstance(widget, Hint):
        wrap = int(getattr(Qt.TextFlag.TextWordWrap, "value", Qt.TextFlag.TextWordWrap))
        rect = QRect(0, 0, widget.width(), 10_000)
        needed = widget.fontMetrics().boundingRect(rect, wrap, QLabel.text(widget))
        return bool(widget.text()) and needed.height() > widget.height() + 2
    if isinstance(widget, QLabel):
        return bool(widget.text()) and widget.minimumSizeHint().width() > widget.width() + 1
    if isinstance(widget, IconButton):
        return widget.needed() > widget.width()
    if isinstance(widget, QAbstractSpinBox):
        line = widget.lineEdit()
        margins = line.textMargins()
        return advance(widget.text()) + margins.left() + margins.right() > line.width()
    if isinstance(widget, QCheckBox):
        return _BOX + advance(widget.text()) > widget.width()
    if isinstance(widget, QPushButton):
        return advance(QPushButton.text(widget)) > widget.width()
    return isinstance(widget, QAbstractButton) and advance(widget.text()) > widget.width()


def _sticks_out(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    if parent is None or widget.isWindow() or parent.objectName() == "qt_scrollarea_viewport":
        return False
    own = QScrollArea | QStackedWidget | QAbstractSpinBox  # they place what is in them
    if isinstance(parent, own) or isinstance(widget, QScrollBar):
        return False
    return not parent.rect().contains(widget.geometry())


def _called(widget: QWidget) -> str:
    said = widget.text() if hasattr(widget, "text") else ""
    return f"{type(widget).__name__} {widget.objectName()!r} {said!r}"


# ---- in a real window -------------------------------------------------------------------------


class _Tour:
    """Every tab of one window, and what must not move anything."""

    def __init__(self, dock: HubSegWidget, out: Path) -> None:
        self.dock, self.out = dock, out
        self.wrong: list[str] = []

    def look(self, name: str) -> None:
        """Take a picture, and note what is clipped or out of sight."""
        from napari_hubseg.demo.screen import picture, rest

        rest(400)
        picture(self.out / f"{name}.png")
        self.wrong += [f"{name}: {one}" for one in clipped(self.dock)]
        self.wrong += [f"{name}: {one} is not in sight" for one in outside_the_screen(self.dock)]

    def pages(self, name: str) -> None:
        """Look at every tab."""
        for page in self.dock.pages.all:
            self.dock.pages.choose(page)
            self.look(f"{name}_{page}")
        self.dock.pages.choose("review")

    def stands_still(self, what: str, do: Callable[[], object]) -> None:
        """Do something, and note what has moved."""
        from napari_hubseg.demo.screen import rest

        before = places(self.dock)
        do()
        rest(300)
        self.wrong += [f"{what} moves {one}" for one in moved(before, places(self.dock))]


def _tour(size: tuple[int, int], scale: float, out: Path, *, run: bool) -> list[str]:
    from hubseg.recipe.bundled import sample_table
    from napari_hubseg.actions import TOOLBOX
    from napari_hubseg.demo.screen import rest, wait_for
    from napari_hubseg.demo.start import open_window

    viewer, dock = open_window()  # without the tour, which no picture of a page shall show
    window = dock.window()
    window.setGeometry(0, 0, round(size[0] / scale), round(size[1] / scale))
    window.show()
    rest(500)
    tour = _Tour(dock, out)
    with tempfile.TemporaryDirectory() as folder:
        dock.open_path(sample_table(), project=Path(folder) / "layout.hubseg")
        wait_for("The sample", lambda: dock.session.current is not None and not dock.busy)
        rest(1000)
        if run:
            tour.stands_still("a run that begins", lambda: dock.do("run_ensemble"))
            wait_for("A first map", lambda: dock.session.probability is not None)
            tour.stands_still("a map that comes", lambda: wait_for("It", lambda: not dock.busy))
        for tool in TOOLBOX:
            tour.stands_still(f"tool {tool.name}", lambda name=tool.name: dock.do(f"take_{name}"))
        said = "The recipe demo brings its own rules: the threshold 90 → 127. " * 3
        tour.stands_still("a notice", lambda: dock.message.say(said, error=True))
        tour.stands_still("its end", lambda: dock.message.say("", error=False))
        for theme in ("dark", "light"):
            tour.stands_still(f"theme {theme}", lambda theme=theme: setattr(viewer, "theme", theme))
            tour.pages(theme)
        canvas = dock.canvas.widget
        print(f"canvas {canvas.width()} × {canvas.height()} px, dock {dock.width()} px")
        viewer.close()
    return tour.wrong


def main() -> int:
    """Measure one size of the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("layout"))
    parser.add_argument("--run", action="store_true", help="run the bundled ensemble, too")
    options = parser.parse_args()
    width, height = (int(part) for part in options.size.split("x"))
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["QT_SCALE_FACTOR"] = str(options.scale)
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    from napari_hubseg.demo.screen import virtual_screen

    with virtual_screen(width, height):
        wrong = _tour((width, height), options.scale, options.out, run=options.run)
    print(f"{len(wrong)} things clipped, out of sight or moved; pictures in {options.out}")
    for one in dict.fromkeys(wrong):
        print(f"  {one}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
