"""How long the window holds its breath: the longest gap of its thread, step by step.

A real napari window on a virtual screen, OpenGL in software, a 3000 × 3000 slide, and an ensemble
that is played back: ten member maps, one every `--pace` seconds, mixed in the window's process as
real ones are. `--ensemble` runs the bundled networks instead, beside the window as always.

    python benchmarks/window.py [--ensemble] [--pace 0.5]

"gap" is the longest time between two beats of a 5 ms timer; "own work" the most that the window's
thread itself computed in one such gap, which other programs on the machine do not lengthen.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.engine import Update
from hubseg.probability import MapStore, MemberMap
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.recipe.bundled import sample_table
from napari_hubseg.demo.screen import Hand, rest, virtual_screen, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

MEMBERS = 10
GESTURES = 1200


def played_back(number: int) -> NDArray[np.float32]:
    """Return a smooth random member map."""
    noise = np.random.default_rng(number).random((24, 24), np.float32)
    return np.clip(cv2.resize(noise, (750, 750), interpolation=cv2.INTER_CUBIC), 0, 1)


def played_back_recipe() -> Recipe:
    """Return the recipe that the maps are said to be of."""
    network = NetworkSpec(kind="timm_unet", encoder="resnet18")
    entry = Entry(network=network, checkpoint="{fold}")
    return Recipe(
        name="played back",
        resolutions=(Resolution(size=512, weight=1.0, members=(entry,)),),
        folds=tuple(range(MEMBERS)),
    )


class PlayedBack:
    """An engine without networks: smooth random member maps, at a pace."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._recipe = played_back_recipe()
        self._stopped = threading.Event()

    def get_ready(self) -> None:
        """Do nothing: there is no worker to start."""

    def run(self, slides: Any, *_: Any, **__: Any) -> PlayedBack:
        """Prepare a run of the slides."""
        self._slides = slides
        self._stopped.clear()
        return self

    def __iter__(self) -> Iterator[Update]:
        for slide in self._slides:
            keys: list[Any] = []
            for number, member in enumerate(self._recipe.members(), 1):
                if self._stopped.wait(self._pace):
                    return
                keys.append((member, f"{slide.id}{number:02d}aa"))
                yield Update(
                    run_id="played back",
                    slide_id=slide.id,
                    slide_digest=slide.digest,
                    recipe=self._recipe,
                    done=number,
                    total=MEMBERS,
                    computed=True,
                    came=(member, MemberMap(played_back(number))),
                    keys=tuple(keys),
                    asked=self._recipe.members(),
                    message=f"member {number}",
                    finished=number == MEMBERS,
                )

    def cancel(self) -> None:
        """Stop at the next member."""
        self._stopped.set()

    def unload(self) -> None:
        """Nothing is loaded."""


class Table:
    """The rows of the one table that is printed."""

    def __init__(self) -> None:
        print(f"| {'what':60s} | gap, ms | own work, ms |\n|{'-' * 62}|--------:|-------------:|")

    def row(self, what: str, gap: float, own: float | None = None) -> None:
        """Print a row."""
        work = "" if own is None else f"{own:.0f}"
        print(f"| {what:60s} | {gap:7.0f} | {work:>12s} |", flush=True)


class Window:
    """The window that is measured, and the hand that works it."""

    def __init__(self, folder: Path, pace: float, networks: bool) -> None:
        import napari

        from napari_hubseg.demo.stalls import Stalls
        from napari_hubseg.dock import HubSegWidget

        self.table, self.stalls, self.folder = Table(), Stalls(), folder
        self.viewer = napari.Viewer(title="HubSeg")
        parts = {} if networks else {"new_engine": lambda *_: PlayedBack(pace)}
        self.dock = HubSegWidget(self.viewer, parts=parts)
        self.viewer.window.add_dock_widget(self.dock, name="HubSeg", area="right")
        self.session, self.desk = self.dock.session, self.dock.desk
        self.shown: list[str] = []
        self.desk.layers.slide_shown.connect(self.shown.append)
        window = self.dock.window()
        window.setGeometry(0, 0, 1600, 1000)
        window.show()
        rest(1500)
        self.hand = Hand(window)

    def measured(self, what: str, work: Callable[[], Any], after_ms: int = 1500) -> None:
        """Measure the longest gap from the begin of `work` until the window has settled."""
        self.stalls.start()
        work()
        self.settle()
        rest(after_ms)
        longest = self.stalls.stop()
        self.table.row(what, longest, self.stalls.busiest_ms)

    def settle(self) -> None:
        """Wait until the newest mask is on screen."""
        wait_for(
            "The newest mask",
            lambda: not self.session.mask_is_stale and not self.desk.busy,
            600,
        )

    def go_to(self, slide_id: str) -> None:
        """Show a slide and wait for it."""
        self.shown.clear()
        self.desk.go_to(slide_id)
        wait_for("The slide", lambda: slide_id in self.shown, 60)

    def open(self) -> None:
        """Open the sample and wait for its first slide."""
        self.dock.open_path(sample_table(), project=self.folder / "window.hubseg")
        wait_for("The first slide", lambda: bool(self.shown), 60)

    def run(self) -> None:
        """Run the ensemble on the slide on screen."""
        self.dock.ensemble.run.click()
        wait_for("A map", lambda: self.session.probability is not None, 300)
        wait_for("The end of the run", lambda: not self.desk.ensemble.running, 600)

    def drag(self) -> None:
        """Drag the threshold slowly across a fifth of its range, then let go."""
        slider = self.dock.thresholds.main.slider
        at = self.session.threshold / 255
        shares = 0.02 + 0.96 * (at + np.linspace(0, 0.2, 12))
        self.hand.drag([self.hand.place(slider, share) for share in shares])

    def handlers(self) -> None:
        """Time what a slider's tick and a brush stroke do before they return."""
        ticks, strokes = [], []
        layers, mask = self.desk.layers, self.viewer.layers[-1]
        for value in np.linspace(90, 160, 60):
            begun = time.perf_counter()
            layers.appearance.preview(float(value))
            ticks.append(1e3 * (time.perf_counter() - begun))
            rest(15)
        layers.appearance.rest()
        layers.take_tool("brush")
        for number in range(40):
            begun = time.perf_counter()
            with mask.block_history():
                mask.paint((200 + 60 * number, 700 + 9 * number), mask.selected_label)
            strokes.append(1e3 * (time.perf_counter() - begun))
            rest(15)
        for what, times in (("tick of the slider", ticks), ("brush stroke, committed", strokes)):
            p95 = statistics.quantiles(times, n=20)[-1]
            self.table.row(
                f"{what}: p95 of the handler (median {statistics.median(times):.1f})", p95
            )

    def release(self) -> None:
        """Time from a threshold that is let go of to its mask on screen."""
        drawn: list[float] = []
        self.desk.layers.mask_drawn.connect(lambda: drawn.append(time.perf_counter()))
        begun = time.perf_counter()
        self.desk.set_threshold(self.session.threshold + 3.0)
        wait_for("The mask", lambda: not self.session.mask_is_stale and bool(drawn), 60)
        self.table.row("from a new threshold to its mask in the layer", 1e3 * (drawn[-1] - begun))

    def store_maps(self) -> None:
        """Put ten member maps of every slide into the project, as earlier runs have."""
        project, recipe = self.session.project, played_back_recipe()
        store = MapStore(project.maps)
        for place, slide in enumerate(self.session.slides):
            keys = []
            for number, member in enumerate(recipe.members()):
                key = f"{place:016x}{number:016x}"
                store.put(key, MemberMap(played_back(100 * place + number)))
                keys.append((member, key))
            record(project, "stored", slide.id, recipe, keys, slide_digest=slide.digest)
            self.desk.prefetch.drop(slide.id)

    def next_prepared(self) -> None:
        """Time from the wish for the next slide, which has been prepared, to its mask on screen."""
        goal = self.session.neighbour(1)
        wait_for("The next slide", lambda: goal in self.desk.prefetch.ready, 120)
        self.settle()
        rest(500)
        drawn: list[float] = []
        frames: list[float] = []
        self.desk.layers.mask_drawn.connect(lambda: drawn.append(time.perf_counter()))
        canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        canvas.events.draw.connect(lambda _: frames.append(time.perf_counter()), position="last")
        self.stalls.start()
        begun, used = time.perf_counter(), time.process_time()
        self.desk.next_slide()
        wait_for("The mask", lambda: bool(drawn) and frames[-1:] > drawn[:1], 60)
        ended = frames[[frame > drawn[0] for frame in frames].index(True)]
        used = time.process_time() - used
        longest = self.stalls.stop()
        what = "to the next, prepared slide, until its mask is drawn"
        layer, work = 1e3 * (drawn[0] - begun), 1e3 * used
        self.table.row(
            f"{what} ({layer:.0f} in the layer; {work:.0f} of work)", 1e3 * (ended - begun)
        )
        self.table.row("  longest gap on the way", longest, self.stalls.busiest_ms)

    def forget(self, slide_id: str) -> None:
        """Have a slide's edits no longer in memory, as after eight other edited slides."""
        rest(1500)  # what is prepared is prepared
        self.desk.prepared.drop(slide_id)
        self.session.review.kept_edits.forget(slide_id)

    def paint_much(self) -> None:
        """Make the gestures of a long day on the slide on screen."""
        rng = np.random.default_rng(0)
        disc = np.hypot(*np.mgrid[-20:21, -20:21]) <= 20
        for number in range(GESTURES):
            top, left = (int(v) for v in rng.integers(0, 2900, 2))
            self.session.paint(disc, top=top, left=left, add=bool(number % 3), kind="brush")
            if number % 20 == 0:
                rest(1)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ensemble", action="store_true", help="run the bundled networks")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds between played maps")
    asked = parser.parse_args()
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    with tempfile.TemporaryDirectory() as folder, virtual_screen():
        window = Window(Path(folder), asked.pace, asked.ensemble)
        window.measured("opening the sample, its first frame included", window.open, 2500)
        window.measured("a run", window.run)
        window.measured("dragging the threshold", window.drag)
        window.handlers()
        window.release()
        window.settle()
        first = window.session.current.id
        other = next(slide.id for slide in window.session.slides if slide.id != first)
        window.measured("to another slide, for the first time", lambda: window.go_to(other))
        window.measured("back to a slide with a map", lambda: window.go_to(first))
        window.store_maps()
        window.next_prepared()
        window.go_to(first)
        window.settle()
        window.paint_much()
        window.settle()
        window.go_to(other)
        window.settle()
        window.measured(f"back to a slide with {GESTURES} gestures", lambda: window.go_to(first))
        window.go_to(other)
        window.settle()
        window.forget(first)
        window.measured("the same, its edits read from the disk", lambda: window.go_to(first))
        window.viewer.close()


if __name__ == "__main__":
    main()
