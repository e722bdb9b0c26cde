"""How soon the map follows what a stroke has taught, in a real window.

    python benchmarks/teach_window.py [--strokes 12] [--region]

The bundled ensemble (five networks, eight views) is run on the sample slide, or on a region of
4,096 px of a slide of 17,000 px that is put together of real mosaics; *Teach* is switched on, and
strokes are made on it, one after another, each once all is at rest. Timed from the moment
a stroke is committed: until the taught map is mixed, and until the mask of that map is in the
layer. 0.25 s of both is the rest that the hand is given.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from region import write_slide
from window import Window

from hubseg.project import ReviewProject
from hubseg.project.splitting import split_slide
from hubseg.slide import SlideTable
from napari_hubseg.demo.screen import rest, virtual_screen, wait_for

SIDE = 17_000  # px of the slide: it is worked on in regions


def taught(window: Window, strokes: int) -> list[tuple[float, float]]:
    """Return seconds from each stroke to its map, and to its mask in the layer."""
    session, desk, teaching = window.session, window.desk, window.desk.teaching
    mixed: list[float] = []
    drawn: list[float] = []
    desk.ensemble.mixing.mixed.connect(lambda _: mixed.append(time.perf_counter()))
    desk.layers.mask_drawn.connect(lambda: drawn.append(time.perf_counter()))
    disc = np.hypot(*np.mgrid[-30:31, -30:31]) <= 30
    places = np.random.default_rng(0).integers(200, 2700, (strokes, 2))
    found = []
    for number, (top, left) in enumerate(places.tolist()):
        before = teaching.taught
        mixed.clear()
        begun = time.perf_counter()
        session.paint(disc, top=top, left=left, add=bool(number % 2), kind="brush")
        drawn.clear()
        wait_for("The taught map", lambda at=before: teaching.taught != at and bool(mixed), 120)
        at_map = mixed[-1]
        wait_for(
            "Its mask",
            lambda at=at_map: not session.mask_is_stale and bool(drawn) and drawn[-1] >= at,
            120,
        )
        found.append((at_map - begun, drawn[-1] - begun))
        window.settle()
        wait_for("The end of learning", lambda: not teaching.busy, 120)
        rest(400)
    return found


def open_region(window: Window) -> None:
    """Open the first region of a very large slide, and wait until it is on screen."""
    slide, path = window.folder / "slide.tif", window.folder / "regions.hubseg"
    write_slide(slide, SIDE)
    ReviewProject.create(path, SlideTable.open(slide)).close()
    with ReviewProject.open(path) as project:
        split_slide(project, slide.stem)
    window.dock.open_path(path)
    wait_for("The first region", lambda: bool(window.shown), 120)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strokes", type=int, default=12)
    parser.add_argument("--region", action="store_true")
    asked = parser.parse_args()
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    with tempfile.TemporaryDirectory() as folder, virtual_screen():
        window = Window(Path(folder), 0.0, networks=True)
        open_region(window) if asked.region else window.open()
        window.run()
        window.settle()
        teaching = window.desk.teaching
        teaching.switch(True)
        window.session.paint(np.ones((60, 60), np.bool_), top=900, left=900, add=True)
        begun = time.perf_counter()
        wait_for("What the networks see", lambda: bool(teaching.taught.heads), 300)
        wait_for("The end of learning", lambda: not teaching.busy, 300)
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"the first time, with what the networks see: {time.perf_counter() - begun:.1f} s")
        found = np.array(taught(window, asked.strokes))
        for what, times in zip(("map", "mask in the layer"), found.T, strict=True):
            print(f"{what}: median {np.median(times):.2f} s, at most {times.max():.2f} s")
        print(teaching.said)
        window.viewer.close()


if __name__ == "__main__":
    main()
