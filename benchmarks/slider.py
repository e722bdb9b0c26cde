"""A threshold dragged over a 3000 × 3000 map in a real window: what each step costs.

    QT_API=pyqt6 xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/slider.py

Prints the handler's time per step, the largest allocation while dragging, and how long after the
hand lets go the mask layer is up to date.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import tifffile

from hubseg.probability import ProbabilityMap

SIDE = 3000
STEPS = 150
ROUNDS = 9


def tissue(folder: Path) -> Path:
    """Write one slide and its table."""
    (folder / "train_images").mkdir()
    noise = np.random.default_rng(0).integers(120, 230, (60, 60, 3), np.uint8)
    pixels = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    tifffile.imwrite(folder / "train_images" / "a.tiff", pixels, photometric="rgb")
    table = folder / "train.csv"
    table.write_text("id,organ,data_source,pixel_size\na,kidney,Hubmap,0.5\n")
    return table


def main() -> None:
    """Open the window, drag, let go, print."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_hubseg.dock import HubSegWidget

    def settle(holds, seconds: float = 60.0) -> None:
        until = time.perf_counter() + seconds
        while not holds():
            if time.perf_counter() > until:
                raise SystemExit("the window did not come to rest")
            QApplication.processEvents()
            time.sleep(0.002)

    with tempfile.TemporaryDirectory() as name:
        table = tissue(Path(name))
        viewer = napari.Viewer(show=True)
        dock = HubSegWidget(viewer)
        viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
        dock.open_path(table)
        settle(lambda: dock.session.current is not None and not dock.busy)
        small = np.random.default_rng(1).random((75, 75), np.float32)
        values = np.clip(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 1) * 255
        found = ProbabilityMap(
            values,
            disagreement=None,
            slide_digest=dock.session.current.digest,
            recipe_digest="made up",
            done=1,
            total=1,
        )
        dock.session.show(found)
        settle(lambda: not dock.busy)
        line = dock.thresholds.histogram
        moved = line.moved.emit
        moved(100.0)  # the first step of a drag changes layers; it is measured by itself
        settle(lambda: not dock.busy)
        handler, own, frame = [], [], []
        tracemalloc.start()
        for step in range(STEPS):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            moved(20.0 + step)
            peak = tracemalloc.get_traced_memory()[1] - before
            frame.append(peak)
            QApplication.processEvents()
        tracemalloc.stop()
        for step in range(STEPS):
            begun, spent = time.perf_counter(), time.thread_time()
            moved(20.0 + step)
            own.append((time.thread_time() - spent) * 1e3)
            handler.append((time.perf_counter() - begun) * 1e3)
            QApplication.processEvents()
        rests = [_rest(dock, 60.0 + 10 * i, settle, QApplication) for i in range(ROUNDS)]
        print(f"handler per step, {STEPS} steps at {SIDE} x {SIDE}:")
        for clock, times in (("by the clock", handler), ("work of its thread", own)):
            ordered = sorted(times)
            print(
                f"  {clock}: median {statistics.median(times):.2f} ms, "
                f"p95 {ordered[int(0.95 * STEPS)]:.2f} ms, worst {ordered[-1]:.2f} ms"
            )
        print(
            f"largest allocation in a step: {max(frame) / 1024:.0f} KiB "
            f"(a full-size mask is {SIDE * SIDE / 1024:.0f} KiB)"
        )
        print(
            f"mask layer up to date after release: median {statistics.median(rests):.0f} ms, "
            f"best {min(rests):.0f} ms, worst {max(rests):.0f} ms"
        )
        viewer.close()


def _rest(dock, threshold: float, settle, application) -> float:
    """Drag to a threshold, let go, and return the ms until the mask layer shows it."""
    dock.thresholds.histogram.moved.emit(threshold + 0.0)
    for _ in range(5):
        application.processEvents()
    settle(lambda: not dock.busy)
    done: list[float] = []
    drawing = dock.desk.layers.drawing
    drawing.finished.connect(lambda: done.append(time.perf_counter()))
    begun = time.perf_counter()
    dock.thresholds.histogram.settled.emit(threshold)
    until = begun + 60
    while not done and time.perf_counter() < until:
        application.processEvents()
    if not done:
        raise SystemExit("the mask was not drawn")
    settle(lambda: not dock.busy)
    return (done[0] - begun) * 1e3


if __name__ == "__main__":
    sys.exit(main())
