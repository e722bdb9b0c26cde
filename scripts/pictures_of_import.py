"""Play an import of another program's masks in a real window, with a picture of each step.

    python scripts/pictures_of_import.py [FOLDER] [--size 1366x768] [--scale 1] [--theme dark]

Writes outlines as QuPath does, imports them with mouse and keys, corrects one, opens the list of
formats, and leaves the pictures in FOLDER. ``docs/images/import.webp`` is made of them where the
size is that of the other pictures of the documentation.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "import.webp"
SIZE = "1280x800"


class _Play:
    """One window, and the hand that works it."""

    def __init__(self, out: Path, dock: Any, viewer: Any) -> None:
        from napari_hubseg.demo.screen import Hand

        self.out, self.dock, self.viewer = out, dock, viewer
        self.hand, self.shown = Hand(dock.window()), 0

    def look(self, name: str) -> None:
        """Take a picture."""
        from napari_hubseg.demo.screen import picture, rest

        rest(600)
        self.shown += 1
        picture(self.out / f"{self.shown:02d}_{name}.png")

    def until(self, what: str, there: Callable[[], bool]) -> None:
        """Wait until it is so, and a frame has shown it."""
        from napari_hubseg.demo.screen import rest, wait_for

        wait_for(what, lambda: there() and not self.dock.busy)
        rest(800)

    def click(self, widget: Any) -> None:
        """Click a widget of the dock, or of a form."""
        from napari_hubseg.demo.screen import rest

        if self.dock.isAncestorOf(widget):
            self.dock.reveal(widget)
        rest(200)
        self.hand.click(self.hand.place(widget))

    def choose_files(self, folder: Path) -> None:
        """Choose all files of a folder in the dialog that opens next, by their names."""
        from qtpy.QtCore import QTimer
        from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

        timer = QTimer(self.dock)  # the dialog has a loop of its own, which nothing else returns to

        def fill() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                return
            timer.stop()
            dialog.setDirectory(str(folder))
            names = " ".join(f'"{one.name}"' for one in sorted(folder.iterdir()))
            dialog.findChildren(QLineEdit)[0].setText(names)
            subprocess.Popen(["xdotool", "sleep", "0.5", "key", "Return"])

        timer.timeout.connect(fill)
        timer.start(200)


def _outlines(table: Path, folder: Path) -> None:
    """Write true masks as outlines of QuPath, one as a small PNG, and a stranger's."""
    import cv2
    import numpy as np

    from hubseg.formats.geojson import write_geojson
    from hubseg.formats.raster import write_mask_png
    from hubseg.formats.rle import decode
    from hubseg.slide.table import SlideTable

    folder.mkdir()
    found = SlideTable.open(table)
    for number, slide in enumerate(found.slides[:3]):
        truth = decode(found.truth[slide.id], (slide.height, slide.width)).astype(np.uint8)
        drawn = cv2.dilate(truth, np.ones((9, 9), np.uint8)).astype(bool)
        if number == 2:
            write_mask_png(folder / f"{slide.id}.png", drawn[::2, ::2])
        else:
            write_geojson(folder / f"{slide.id}.geojson", drawn, name="glomerulus")
    write_geojson(folder / "biopsy 17.geojson", np.ones((40, 40), np.bool_), name="glomerulus")


def _play(out: Path, size: tuple[int, int], scale: float, theme: str) -> None:
    from hubseg.recipe.bundled import sample_table
    from napari_hubseg.demo.screen import rest
    from napari_hubseg.demo.start import open_window
    from napari_hubseg.widgets.import_masks import ImportDialog

    viewer, dock = open_window()
    viewer.theme = theme
    window = dock.window()
    window.setGeometry(0, 0, round(size[0] / scale), round(size[1] / scale))
    window.show()
    rest(500)
    play = _Play(out, dock, viewer)
    with tempfile.TemporaryDirectory() as folder:
        dock.open_path(sample_table(), project=Path(folder) / "import.hubseg")
        play.until("The sample", lambda: dock.session.current is not None)
        _outlines(sample_table(), Path(folder) / "from QuPath")
        play.choose_files(Path(folder) / "from QuPath")
        play.click(dock.export.take)
        play.until("The form", lambda: dock.export.findChild(ImportDialog) is not None)
        form = dock.export.findChild(ImportDialog)
        play.look("what_matches")
        play.hand.click(play.hand.place(form.fit, 0.02))  # its box; the row is wide
        play.look("enlarged_where_a_person_says_so")
        play.click(form.go)
        play.until("The import", lambda: dock.export.findChild(ImportDialog) is None)
        play.look("imported")
        dock.pages.choose("review")
        play.look("the_mask_is_reviewed")
        _correct(play)
        play.look("corrected")
        dock.pages.choose("export")
        play.click(dock.export.format)
        play.look("every_format")
        play.hand.press("Escape")
        viewer.close()


def _correct(play: _Play) -> None:
    """Add to the mask with the brush, in the middle of what is seen."""
    play.hand.press("d")
    canvas = play.dock.canvas.widget
    ways = [(0.42 + 0.03 * step, 0.4 + 0.02 * (step % 2)) for step in range(5)]
    session = play.dock.session
    before = session.undo_text
    play.hand.drag([play.hand.place(canvas, x, y) for x, y in ways])
    play.until("The stroke", lambda: session.undo_text != before)


def main() -> int:
    """Play at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("import_pictures"))
    parser.add_argument("--size", default=SIZE)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    given.folder.mkdir(parents=True, exist_ok=True)
    os.environ["QT_SCALE_FACTOR"] = str(given.scale)
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from napari_hubseg.demo.screen import virtual_screen

    with virtual_screen(width, height):
        _play(given.folder, (width, height), given.scale, given.theme)
    if given.size == SIZE and given.scale == 1.0:
        shown = Image.open(given.folder / "01_what_matches.png").convert("RGB")
        shown.save(PICTURE, "WEBP", quality=80, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
