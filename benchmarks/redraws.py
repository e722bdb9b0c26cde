"""How often panels of the dock are shown anew over a scripted review of three slides.

    QT_API=pyqt6 xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/redraws.py

Every call of a panel's `show_state` counts, with the time it takes. The script opens three slides,
gives each a map, moves the threshold, paints, undoes, takes tools, looks in other ways, notes and
decides: each step waits until the window is at rest.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from hubseg.probability import ProbabilityMap

SIDE = 256


def slides(folder: Path) -> Path:
    """Write three slides and their table."""
    (folder / "train_images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["id,organ,data_source,pixel_size"]
    for name in ("one", "two", "three"):
        pixels = rng.integers(120, 230, (SIDE, SIDE, 3), np.uint8)
        path = folder / "train_images" / f"{name}.tiff"
        tifffile.imwrite(path, pixels, photometric="rgb", description=name)
        rows.append(f"{name},kidney,Hubmap,0.5")
    table = folder / "train.csv"
    table.write_text("\n".join([*rows, ""]))
    return table


def counted() -> tuple[Counter[str], Counter[str]]:
    """Count the calls of every panel's `show_state` from now on, and their seconds."""
    import napari_hubseg.panels as panels

    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()

    def count(kind: type[Any]) -> None:
        show = kind.show_state

        def show_state(self: Any, state: Any) -> None:
            began = time.perf_counter()
            show(self, state)
            calls[kind.__name__] += 1
            seconds[kind.__name__] += time.perf_counter() - began

        kind.show_state = show_state

    for found in pkgutil.iter_modules(panels.__path__, f"{panels.__name__}."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                if hasattr(kind, "show_state"):
                    count(kind)
    return calls, seconds


def main() -> None:
    """Open the window, review, print."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_hubseg.dock import HubSegWidget

    calls, seconds = counted()

    def settle() -> None:
        quiet = 0
        while quiet < 20:
            QApplication.processEvents()
            time.sleep(0.002)
            quiet = 0 if dock.busy else quiet + 1

    with tempfile.TemporaryDirectory() as name:
        viewer = napari.Viewer(show=True)
        dock = HubSegWidget(viewer)
        viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
        dock.open_path(slides(Path(name)))
        settle()
        calls.clear()
        seconds.clear()
        steps = 0
        for deed in script(dock):
            deed()
            steps += 1
            settle()
        viewer.close()
    out = sys.stdout.write
    for kind, count in calls.most_common():
        out(f"{kind:18} {count:5} {1e3 * seconds[kind]:8.1f} ms\n")
    out(f"{steps} steps, {calls.total()} redraws of panels, {1e3 * seconds.total():.0f} ms\n")


def script(dock: Any) -> Any:
    """Return what a person does, one deed after the other."""
    session = dock.session
    spot = np.ones((12, 12), np.bool_)

    def show_map() -> None:
        values = np.tile(np.linspace(0, 255, SIDE, dtype=np.float32), (SIDE, 1))
        digest = session.project.digest(session.current)
        found = ProbabilityMap(
            values,
            disagreement=None,
            slide_digest=digest,
            recipe_digest="made up",
            done=1,
            total=1,
        )
        session.show(found)

    for place, name in enumerate(("one", "two", "three")):
        yield partial(dock.desk.go_to, name)
        yield show_map
        for step in range(5):
            yield partial(dock.desk.set_threshold, 100 + 10 * place + step)
        for step in range(5):
            yield partial(session.paint, spot, top=20 * step, left=30, add=True)
        for action in ("undo", "redo", "next_view", "next_view", "next_view", "fainter"):
            yield partial(dock.do, action)
        for tool in ("brush", "eraser", "move"):
            yield dock.correct.tools[tool].click
        yield partial(session.set_note, "folded")
        for action in ("flag", "undo", "accept"):
            yield partial(dock.do, action)


if __name__ == "__main__":
    main()
