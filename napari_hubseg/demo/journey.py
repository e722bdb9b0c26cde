"""The whole loop in a real window: run, threshold, brush, undo, accept, export, with pictures.

Responsible for what a first-time user would do, with real mouse and key events, and for the figures
it ends with. The demo without a display and the journey test are this same function.
"""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.rle import decode
from hubseg.formats.table import read_submission
from hubseg.mask.metrics import dice
from napari_hubseg.canvas.brush import camera
from napari_hubseg.demo.screen import Hand, persist, picture, rest, wait_for
from napari_hubseg.demo.stalls import Stalls
from napari_hubseg.demo.start import open_window
from napari_hubseg.demo.summary import Summary, sentences
from napari_hubseg.demo.ways import in_an_empty_place, over_the_missed

if TYPE_CHECKING:
    import napari
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.dock import HubSegWidget
    from napari_hubseg.panels.export import ExportPanel

__all__ = ["play"]


def play(out: Path, table: Path, project: Path) -> int:
    """Play the journey; write pictures, exports and ``summary.json`` into `out`.

    Returns
    -------
    int
        0 when every step did what it should, else 1.
    """
    started = time.monotonic()
    for old in out.glob("[0-9][0-9]_*.png"):
        old.unlink()
    viewer, dock = open_window()
    try:
        summary = _Journey(viewer, dock, out).play(table, project)
    finally:
        viewer.close()
    summary.seconds = time.monotonic() - started
    summary.torch_in_window_process = "torch" in sys.modules
    summary.window_peak_bytes = _peak()
    (out / "summary.json").write_text(json.dumps(asdict(summary), indent=1) + "\n", "utf-8")
    sys.stdout.write(sentences(summary, out))
    right = summary.stroke_kept_after_threshold and summary.submission_is_the_mask_on_screen
    return 0 if right and not summary.torch_in_window_process else 1


def _peak() -> int | None:
    """Return the most memory that this process has had resident, bytes; None but on Linux."""
    try:
        # not getrusage: on Linux it also counts the process that started this one
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])


class _Journey:
    """One play-through: a viewer, its dock, and the hand that works them."""

    def __init__(self, viewer: napari.Viewer, dock: HubSegWidget, out: Path) -> None:
        self.viewer, self.dock, self.out = viewer, dock, out
        self.session = dock.session
        self.summary = Summary()
        self._on_screen = ""
        self._said: list[str] = []
        dock.desk.failed.connect(self._said.append)
        dock.desk.layers.slide_shown.connect(self._note_shown)
        window = dock.window()
        room = window.screen().size()
        window.setGeometry(0, 0, min(1600, room.width()), min(1000, room.height()))
        window.show()
        rest(500)
        self.hand = Hand(window)

    def play(self, table: Path, project: Path) -> Summary:
        self._show("the_empty_dock")
        self.dock.open_path(table, project=project)
        wait_for("The first slide", self._pixels_shown)
        rest(2000)  # the first frame: without a GPU, shaders are compiled for most of a second
        self._show("the_sample_is_open")
        self._facts()
        self._run()
        self._threshold()
        self._stroke()
        self._accept_and_go_on()
        self._export()
        self._training()
        return self.summary

    # ---- the steps -----------------------------------------------------------------------------

    def _facts(self) -> None:
        facts = self.dock.facts
        persist(lambda: self._click(facts.change), "The form", facts.done.isVisible)
        self._show("where_the_facts_come_from")
        form = facts.done
        persist(lambda: self._click(form), "The form's end", lambda: not form.isVisible())

    def _run(self) -> None:
        ensemble = self.dock.desk.ensemble
        slide = self._here()
        stalls = Stalls()
        stalls.start()
        begun = time.monotonic()
        persist(
            lambda: self._click(self.dock.ensemble.run),
            "The start of the run",
            lambda: ensemble.running or ensemble.last is not None,
        )
        wait_for(
            "A first map",
            # a run that has ended without one says why
            lambda: self.session.probability is not None or not self.dock.busy,
        )
        if self.session.probability is None:
            raise RuntimeError(
                f"The run ended without a map: {self._said[-1:] or 'nobody said why'}."
            )
        seen = self.dock.desk.seen
        wait_for("A frame with its mask", lambda: not seen.why_not(mask=True))
        with stalls.paused():
            self._show("the_map_sharpens")
        wait_for("The end of the run", lambda: not ensemble.running)
        self.summary.ensemble_s[slide] = time.monotonic() - begun
        self._settled()
        self.summary.longest_stall_ms = max(self.summary.longest_stall_ms, stalls.stop())
        self.summary.dice[slide] = self._dice()
        self._show("the_ensemble_has_run")

    def _threshold(self) -> None:
        before = self.session.threshold
        persist(self._drag_slider, "Another threshold", lambda: self.session.threshold != before)
        self._settled()
        self._show("the_threshold_was_dragged")
        self.hand.press("t")  # reset
        wait_for("The threshold of the recipe", lambda: self.session.threshold == before)
        self._settled()

    def _drag_slider(self) -> None:
        slider = self.dock.thresholds.main.slider
        at = self.session.threshold / 255
        self._reach(slider)
        shares = 0.02 + 0.96 * (at + np.linspace(0, 0.2, 6))  # the handle has a width
        self.hand.drag([self.hand.place(slider, share) for share in shares])

    def _stroke(self) -> None:
        self.hand.press("d")
        mask = self.session.mask_now()
        way = over_the_missed(mask, self._truth()) or in_an_empty_place(mask)
        before = int(self.session.mask_now().sum())
        persist(
            lambda: self.hand.drag([self._on_canvas(*point) for point in way]),
            "The stroke",
            lambda: self.session.can_undo,
        )
        rest(300)
        override = self._override()
        self.summary.stroke_px = int(np.count_nonzero(override))
        self._show("a_stroke_was_painted")
        self.hand.press("w", "w", "w")
        rest(600)
        self._settled()
        kept = np.array_equal(self._override(), override)
        inside = bool(self.session.mask_now()[override == 1].all())
        self.summary.stroke_kept_after_threshold = bool(kept and inside and override.any())
        self._show("the_threshold_moved_and_the_stroke_stayed")
        self.hand.press("t")
        self._settled()
        self.hand.press("ctrl+z", "ctrl+z", "ctrl+z")
        self._settled()
        self._show("undone")
        self.hand.press("ctrl+shift+z", "ctrl+shift+z", "ctrl+shift+z")
        self._settled()
        wait_for("The stroke again", lambda: bool(self._override().any()))
        self.summary.stroke_px = max(0, int(self.session.mask_now().sum()) - before)

    def _accept_and_go_on(self) -> None:
        first = self._here()
        self.hand.press("a")
        wait_for("The next slide", lambda: self._here() != first)
        wait_for("Its pixels", self._pixels_shown)
        self._show("accepted_and_on_the_next_slide")
        self._run()
        self._doubtful_place()
        second = self._here()
        self.hand.press("a")
        wait_for("The slide after", lambda: self._here() != second)
        self._settled()
        self._find_in_queue(first)
        wait_for("The first slide again", self._pixels_shown)
        wait_for("Its map", lambda: self.session.probability is not None)
        self._settled()

    def _doubtful_place(self) -> None:
        view = camera(self.viewer)
        whole = view.zoom
        self.hand.press("k")
        wait_for("The next doubtful place", lambda: view.zoom > whole)
        self._show("the_next_doubtful_place")

    def _find_in_queue(self, slide_id: str) -> None:
        """Go to a slide by its name, with keys alone."""
        rows = self.dock.queue_table
        self.hand.press("shift+f")
        wait_for("The search field", rows.search.hasFocus)
        self.hand.press(*("underscore" if letter == "_" else letter for letter in slide_id))
        wait_for("The row", lambda: rows.model.rowCount() == 1)
        rest(300)
        self._show("found_in_the_queue")
        self.hand.press("Return")
        wait_for("The slide that was found", lambda: self._here() == slide_id)
        self.hand.press("shift+f", "ctrl+a", "BackSpace", "Escape")
        wait_for("All rows", lambda: rows.model.rowCount() > 1)
        self.dock.pages.choose("review")

    def _export(self) -> None:
        panel = self.dock.export
        self.dock.pages.choose("export")
        rest(600)  # it unfolds
        self._write(panel, "kaggle-rle", self.out / "submission.csv")
        self._write(panel, "pseudo-labels", self.out / "pseudo_labels")
        rest(300)
        self._show("exported")
        rows = read_submission(self.out / "submission.csv")
        mask = self.session.mask_now()
        self.summary.submission_is_the_mask_on_screen = bool(
            np.array_equal(decode(rows[self._here()], mask.shape), mask)
        )

    def _training(self) -> None:
        self._reach(self.dock.train.go)
        rest(600)  # it unfolds
        self._reach(self.dock.train.go)
        self._show("training_is_offered")

    def _write(self, panel: ExportPanel, format: str, target: Path) -> None:
        exports = self.dock.desk.exports
        panel.format.setCurrentIndex(panel.format.findData(format))
        panel.set_target(target)
        before = panel.outcome.text()
        self._click(panel.go)
        wait_for("The export", lambda: not exports.busy and panel.outcome.text() != before)
        if panel.choice().overwrite:  # a journey before left it
            before = panel.outcome.text()
            self._click(panel.go)
            wait_for("The export", lambda: not exports.busy and panel.outcome.text() != before)

    def _note_shown(self, slide_id: str) -> None:
        self._on_screen = slide_id

    # ---- looking -------------------------------------------------------------------------------

    def _here(self) -> str:
        current = self.session.current
        return "" if current is None else current.id

    def _pixels_shown(self) -> bool:
        return self._on_screen == self._here() != ""

    def _settled(self) -> None:
        """Wait until the mask on screen is the newest."""
        rest(250)
        background = self.dock.desk.background
        wait_for("The mask", lambda: not self.session.mask_is_stale and background.waiting == 0)
        seen = self.dock.desk.seen
        wait_for("A frame with it", lambda: not seen.why_not(mask=True))
        rest(150)

    def _override(self) -> Any:
        edits = self.session.edits
        return np.zeros(0) if edits is None else edits.override()

    def _truth(self) -> Any:
        """Return the true mask of the slide on screen: nothing where nobody knows it."""
        project, current = self.session.project, self.session.current
        if project is None or current is None:
            raise RuntimeError("No slide is open: the journey lost its way.")
        return decode(project.truth(current.id) or "", (current.height, current.width))

    def _dice(self) -> float:
        return dice(self.session.mask_now(), self._truth())

    def _on_canvas(self, row: float, column: float) -> tuple[int, int]:
        """Return the screen px of a px of the slide."""
        layer = self.viewer.layers.selection.active  # the tool in hand works on the mask
        world = layer.data_to_world((row, column))
        camera = self.viewer.camera
        canvas = self.dock.canvas.widget
        if canvas is None:
            raise RuntimeError("The window has no canvas: open the dock in a viewer with one.")
        y = (world[-2] - camera.center[-2]) * camera.zoom + canvas.height() / 2
        x = (world[-1] - camera.center[-1]) * camera.zoom + canvas.width() / 2
        return self.hand.place(canvas, x / canvas.width(), y / canvas.height())

    def _reach(self, widget: QWidget) -> None:
        """Turn the dock's pages and scroll until a widget can be pointed at."""
        self.dock.reveal(widget)
        rest(80)

    def _click(self, widget: QWidget) -> None:
        self._reach(widget)
        self.hand.click(self.hand.place(widget))

    def _show(self, name: str) -> None:
        rest(200)
        path = self.out / f"{len(self.summary.pictures) + 1:02d}_{name}.png"
        picture(path)
        self.summary.pictures.append(path.name)
