"""How long the queue takes with two thousand regions: another order, a filter, and the next one.

Work of the thread itself (`time.thread_time`), so that a busy machine says nothing of our code; by
the clock beside it. The regions are of one slide of noise, each with a map of its own; nothing of
them is measured in the background meanwhile.

    python benchmarks/many_regions.py [--regions 2000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from qtpy.QtWidgets import QApplication

from hubseg.project import ReviewProject
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.regions import regions_of
from napari_hubseg.jobs.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 64
ROUNDS = 9


def made(folder: Path, count: int) -> Path:
    """Write a slide and a project of its regions."""
    across = int(np.ceil(np.sqrt(count)))
    pixels = np.random.default_rng(0).integers(0, 200, (across * SIDE, across * SIDE, 3), np.uint8)
    path = folder / "slide.tif"
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    regions = regions_of(read_slide(path), SIDE, everywhere=True)[:count]
    project = folder / "slide.hubseg"
    ReviewProject.create(project, SlideTable(regions)).close()
    return project


def measured(what: str, work: Callable[[int], object]) -> None:
    own, clock = [], []
    for number in range(ROUNDS):
        begun, used = time.perf_counter(), time.thread_time()
        work(number)
        own.append(1e3 * (time.thread_time() - used))
        clock.append(1e3 * (time.perf_counter() - begun))
    print(
        f"{what}: median {statistics.median(own):.1f} ms of work, worst {max(own):.1f}; by the "
        f"clock {statistics.median(clock):.1f} and {max(clock):.1f}",
        flush=True,
    )


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=int, default=2000)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        session = ReviewSession(author="benchmark")
        project = made(Path(folder), options.regions)
        begun = time.perf_counter()
        session.open(project)
        print(f"{len(session.slides)} regions, opened in {time.perf_counter() - begun:.2f} s")
        queue = Queue(session)
        rng = np.random.default_rng(1)
        queue._known = {
            slide_id: replace(row, expected=float(rng.random()), area=float(rng.random()))
            for slide_id, row in queue._known.items()
        }
        queue._stale.clear()
        orders = ("worst", "table", "area", "objects")
        measured("another order", lambda n: queue.order_by(orders[n % len(orders)]))
        measured("a filter by words", lambda n: queue.search(f"r{n + 10}"))
        queue.search("")
        measured("a filter by verdict", lambda n: queue.show_only(("waiting", "")[n % 2]))
        queue.show_only("")
        queue.order_by("worst")
        measured("the next in doubt", lambda _: session.advance())
        measured("the next slide", lambda _: session.next_slide())
        queue.close()
        session.close()
        app.processEvents()


if __name__ == "__main__":
    main()
