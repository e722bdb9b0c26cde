"""Play a piece of work in a real window, with a picture of each step.

    python scripts/window_plays.py import|structures [FOLDER]
        [--size 1366x768] [--scale 1] [--theme dark]

*import*: outlines as QuPath writes them are imported with mouse and keys, one is corrected, the
list of formats opened. *structures*: glomeruli, tubules and vessels of a drawn kidney are tuned,
corrected, accepted, exported in every format that holds them, and taken in again. Ends with status
1 where a mask is not what it was. ``docs/images/import.webp`` is made of the first where the size
is that of the other pictures of the documentation.
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
SIDE = 1600  # px of the drawn kidney
KIDNEY = """
name: kidney
folds: [0]
tta: none
resolutions:
  - scale: 0.25
    members:
      - network: {encoder: test_resnet}
        checkpoint: "kidney_{fold}"
        classes: [glomerulus, tubule, vessel]
thresholds: {Hubmap: {kidney: {default: 110, tubule: 110, vessel: 110}}}
vocabulary:
  structures: {tubule: {organs: [kidney]}, vessel: {organs: [kidney]}}
  exclusive: [[glomerulus, tubule, vessel]]
"""


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
        self.hand.move(self.hand.place(widget, 0.3))  # a window that has just come sees it enter
        self.hand.click(self.hand.place(widget))

    def form(self) -> Any:
        """Return the form of an import that is open and takes clicks, or None."""
        from napari_hubseg.widgets.import_masks import ImportDialog

        forms = [one for one in self.dock.export.findChildren(ImportDialog) if one.isVisible()]
        return next((one for one in forms if one.windowHandle().isExposed()), None)

    def take(self, form: Any) -> None:
        """Click the form's button, again where a window that has just come did not see it."""
        from napari_hubseg.demo.screen import persist

        taken: list[object] = []
        form.taken.connect(taken.append)
        persist(lambda: taken or self.click(form.go), "The click", lambda: bool(taken))
        self.until("The import", lambda: self.form() is None)

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


def _import(play: _Play, folder: Path) -> None:
    """Import outlines of several slides, correct one, and look at the formats."""
    from hubseg.recipe.bundled import sample_table
    from napari_hubseg.demo.screen import persist

    dock = play.dock
    dock.open_path(sample_table(), project=folder / "import.hubseg")
    play.until("The sample", lambda: dock.session.current is not None)
    _outlines(sample_table(), folder / "from QuPath")
    play.choose_files(folder / "from QuPath")
    play.click(dock.export.take)
    play.until("The form", lambda: play.form() is not None)
    form = play.form()
    play.look("what_matches")
    play.hand.click(play.hand.place(form.fit, 0.02))  # its box; the row is wide
    play.look("enlarged_where_a_person_says_so")
    play.take(form)
    play.look("imported")
    dock.pages.choose("review")
    play.look("the_mask_is_reviewed")
    _correct(play)
    play.look("corrected")
    dock.pages.choose("export")
    formats = dock.export.format
    persist(lambda: play.click(formats), "The list", lambda: formats.view().isVisible())
    play.look("every_format")
    play.hand.press("Escape")


def _correct(play: _Play) -> None:
    """Add to the mask with the brush, in the middle of what is seen."""
    play.hand.press("d")
    canvas = play.dock.canvas.widget
    ways = [(0.42 + 0.03 * step, 0.4 + 0.02 * (step % 2)) for step in range(5)]
    session = play.dock.session
    before = session.undo_text
    play.hand.drag([play.hand.place(canvas, x, y) for x, y in ways])
    play.until("The stroke", lambda: session.undo_text != before)


# ---- several structures ------------------------------------------------------------------------


def _kidney(folder: Path) -> Path:
    """Write a drawn kidney with maps of its three structures, and return the project.

    The maps are the truth, blurred, with noise: what tools and exports do is looked at, no network.
    """
    import cv2
    import numpy as np

    from hubseg.probability import MapStore, MemberMap
    from hubseg.project import ReviewProject
    from hubseg.project.runs import record
    from hubseg.recipe import Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import SlideTable
    from hubseg.synthetic import make_structures
    from hubseg.synthetic.samples import kidneys, write_structures

    samples = kidneys(1, first_seed=15)
    write_structures(folder, samples, height=SIDE, width=SIDE)
    _, masks = make_structures(
        samples[0].organ, height=SIDE, width=SIDE, seed=15, source=samples[0].source
    )
    random = np.random.default_rng(3)
    blurred = [cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 5) for mask in masks.values()]
    noise = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), 20)
    maps = np.stack([np.clip(one + noise, 0, 1)[::4, ::4] for one in blurred])
    path, recipe = folder / "kidney.hubseg", Recipe.from_yaml(KIDNEY)
    with ReviewProject.create(path, SlideTable.open(folder / "train.csv")) as project:
        (slide,), (member,) = project.slides(), recipe.members()
        MapStore(project.maps).put("aa00", MemberMap(maps / maps.sum(0).clip(1)))
        given = {"slide_digest": project.digest(slide), "asked": recipe.members()}
        record(project, "run", slide.id, recipe, [(member, "aa00")], **given)
    session = ReviewSession(author="play")
    session.open(path)
    session.adopt(recipe)
    session.close()
    return path


def _structures(play: _Play, folder: Path) -> None:
    """Tune, correct, accept, export and take in again the three structures of a kidney."""
    dock, session = play.dock, play.dock.session
    dock.open_path(_kidney(folder))
    play.until("The map", lambda: session.probability is not None)
    play.look("three_structures")
    play.click(dock.structures.chips[1])
    play.until("The tubules", lambda: str(session.structure) == "tubule")
    play.look("tubules_are_chosen")
    before = session.threshold
    slider = dock.thresholds.main.slider
    shares = (before / 255, before / 255 + 0.1, before / 255 + 0.2)
    play.hand.drag([play.hand.place(slider, share) for share in shares])
    play.until("Another threshold", lambda: session.threshold != before)
    play.look("another_threshold_of_tubules")
    _correct(play)
    play.look("a_stroke_took_from_the_others")
    play.hand.press("shift+z")
    canvas = dock.canvas.widget
    play.hand.click(play.hand.place(canvas, 0.5, 0.55))
    play.until("The question", lambda: True)
    play.look("assign_an_object")
    play.hand.press("Escape")
    play.hand.press("a")
    play.until("The verdict", lambda: session.verdict(session.slides[0].id).value == "corrected")
    play.look("accepted")
    _export_and_take_in(play, folder)


def _export_and_take_in(play: _Play, folder: Path) -> None:
    """Write every format that holds several structures; take GeoJSON in again, class by class."""
    import numpy as np

    from hubseg.formats.registry import FORMATS

    dock, session = play.dock, play.dock.session
    panel, slide = dock.export, session.slides[0].id
    every = [name for name, form in FORMATS.items() if form.structures and form.writes]
    for name in every:
        panel.format.setCurrentIndex(panel.format.findData(name))
        panel.set_target(folder / "out" / name / (FORMATS[name].target or "masks"))
        said = panel.outcome.text()
        play.click(panel.go)
        play.until(name, lambda said=said: panel.outcome.text() not in {said, ""})
        print(panel.outcome.text())
    play.look("exported")
    for name in map(str, session.structures):
        dock.desk.structures.choose(name)
        play.until(name, lambda name=name: str(session.structure) == name)
        wanted = session.mask_now().copy()
        session.undo()
        dock.desk.imports.look_into([next((folder / "out" / "geojson").rglob("*.geojson"))])
        play.until("The form", lambda: play.form() is not None)
        form = play.form()
        form.only.setCurrentIndex(form.only.findData(name))
        form.only.activated.emit(form.only.currentIndex())
        play.look(f"{name}_comes_in_again")
        play.take(form)
        if not np.array_equal(session.mask_now(), wanted):
            raise SystemExit(f"{name} of {slide} is not what it was.")


# ---- the window --------------------------------------------------------------------------------

PLAYS = {"import": _import, "structures": _structures}


def _play(what: str, out: Path, size: tuple[int, int], scale: float, theme: str) -> None:
    from napari_hubseg.demo.screen import rest
    from napari_hubseg.demo.start import open_window

    viewer, dock = open_window()
    viewer.theme = theme
    window = dock.window()
    window.setGeometry(0, 0, round(size[0] / scale), round(size[1] / scale))
    window.show()
    rest(500)
    try:
        with tempfile.TemporaryDirectory() as folder:
            PLAYS[what](_Play(out, dock, viewer), Path(folder))
    finally:
        viewer.close()


def main() -> int:
    """Play at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("play", choices=tuple(PLAYS))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("pictures"))
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
        _play(given.play, given.folder, (width, height), given.scale, given.theme)
    if given.play == "import" and (given.size, given.scale, given.theme) == (SIZE, 1.0, "dark"):
        shown = Image.open(given.folder / "01_what_matches.png").convert("RGB")
        shown.save(PICTURE, "WEBP", quality=80, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
