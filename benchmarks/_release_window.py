"""One window with a project, whose threshold is set as asked: for `benchmarks/release.py`.

Reads thresholds from its input, one a line, and answers each with four numbers and the mask's
digest: ms from the new threshold to its mask in the layer, by the clock and of work, and the same
to the end of the frame that shows it. It runs with this and with earlier trees of the plugin, so
it uses only what both have.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

Spent = tuple[float, float]


def either(now: str, before: str) -> Any:
    """Import a module by its name, or by the one that it had in earlier trees."""
    try:
        return import_module(now)
    except ModuleNotFoundError:
        return import_module(before)


screen = either("napari_hubseg.demo.screen", "napari_hubseg._screen")


def clocks() -> Spent:
    """Return the time now, and the processor time that was used, ms."""
    return 1e3 * time.perf_counter(), 1e3 * time.process_time()


def serve(path: Path) -> None:
    """Open a project, say that its map is there, and answer thresholds until there are no more."""
    import napari

    viewer = napari.Viewer(title="HubSeg")
    dock = either("napari_hubseg.dock", "napari_hubseg._widget").HubSegWidget(viewer)
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.window().setGeometry(0, 0, 1600, 1000)
    dock.window().show()
    session, desk = dock.session, dock.desk
    dock.open_path(path)
    screen.wait_for("The map", lambda: session.probability is not None, 300)
    in_layer: list[Spent] = []
    on_screen: list[Spent] = []

    def painted(_: object) -> None:
        if in_layer and not on_screen:  # the window is put together after this event
            QTimer.singleShot(0, lambda: on_screen.append(clocks()))

    desk.layers.mask_drawn.connect(lambda: in_layer.append(clocks()))
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.events.draw.connect(painted, position="last")
    print("ready", session.threshold, flush=True)
    for line in sys.stdin:
        screen.wait_for("Rest", lambda: not session.mask_is_stale and not desk.busy, 300)
        screen.rest(300)
        in_layer.clear()
        on_screen.clear()
        begun = clocks()
        desk.set_threshold(float(line))
        screen.wait_for("The mask", lambda: not session.mask_is_stale and bool(on_screen), 60)
        ends = in_layer[0], on_screen[0]
        spent = [end[kind] - begun[kind] for end in ends for kind in (0, 1)]
        print(
            *spent, hashlib.blake2b(session.mask.tobytes(), digest_size=8).hexdigest(), flush=True
        )
    viewer.close()


if __name__ == "__main__":
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    with screen.virtual_screen():
        serve(Path(sys.argv[1]))
