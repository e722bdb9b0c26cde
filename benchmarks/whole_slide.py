"""Slides of 60,000 and 100,000 px: seconds to open, memory, decodes, and how long the window waits.

Makes the slides tile by tile (`hubseg.synthetic`), then opens each in a process of its own in a
real napari window on a virtual screen, with napari's asynchronous slicing off and on. A scripted
camera zooms from the whole slide to single cells and pans there, again and again. Beside it, in
the same window and with the same camera, stands a picture of 1,000 px of the same extent: what the
window itself takes to draw where OpenGL is software.

    hubseg bench whole_slide [--sides 60000,100000] [--seconds 60] [--folder DIR] [--flat 30000]

`--flat` adds a slide without a pyramid: the levels that it lacks are made while the camera moves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
SCREEN = 1600, 1000
LONG_MS = 50.0  # what a person notices
PLACES = ((0.25, 0.25), (0.3, 0.72), (0.72, 0.3), (0.75, 0.7))  # of the slide, in tissue
ONE_PLACE_S = 10.0


def _watch(path: Path, kept: Path, seconds: float, *, asynchronous: bool) -> dict[str, Any]:
    """Open a slide, move the camera, and return what was measured."""
    import napari
    from napari.settings import get_settings

    from hubseg.slide import read_slide
    from hubseg.slide.pyramid import pixels
    from hubseg.slide.tile_cache import SHARED
    from hubseg.slide.tiles import SlideTiles
    from napari_hubseg.canvas.placement import Placement
    from napari_hubseg.canvas.slide_loading import SlideLoading
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.demo.screen import rest, wait_for

    get_settings().experimental.async_ = asynchronous
    viewer = napari.Viewer()
    wait_for("A window", lambda: viewer.window._qt_window.isVisible())
    stack = LayerStack(viewer, lambda layer: None)
    stack.warm_up()
    rest(1500)
    frames = _Frames(viewer)
    before = _memory_mb("VmRSS")
    fetched: set[tuple[str, int, int, int]] = set()
    tile = SlideTiles.tile

    def noted(self: SlideTiles, level: int, row: int, column: int) -> Any:
        fetched.add((str(self.slide.path), level, row, column))
        return tile(self, level, row, column)

    SlideTiles.tile = noted  # type: ignore[method-assign]
    began, spent = time.perf_counter(), time.process_time()
    slide = read_slide(path)
    stack.put("slide", pixels(slide))
    stack.reveal()
    stack.place(Placement.of(slide))
    layer = stack.get("slide")
    loading = SlideLoading(layer, kept)
    viewer.reset_view()
    opened, spent = time.perf_counter() - began, time.process_time() - spent
    frames.since = time.perf_counter()
    wait_for("A picture", lambda: layer.loaded and frames.painted > 0)
    first = frames.first - began - opened

    pyramid = layer.data[0].pyramid
    near = 1.0 / float(layer.scale[0])
    gaps = _camera(viewer, near, seconds)
    wait_for("The last tiles", lambda: layer.loaded and not loading.waiting)
    found = {
        "opened_s": opened,
        "opened_cpu_s": spent,
        "first_picture_s": first,
        "peak_mb": _memory_mb("VmHWM"),
        "before_mb": before,
        "decodes": SHARED.decodes,
        "distinct_tiles": len(fetched),
        **_of_gaps(gaps),
        "lacks_levels": pyramid.lacks_levels,
    }
    loading.close()
    picture = layer.data[-1][:, :]
    layer.visible = False
    alone = viewer.add_image(picture, rgb=True, units=layer.units)
    size = slide.height, slide.width
    scale = [step * a / b for step, a, b in zip(layer.scale, size, picture.shape, strict=False)]
    alone.scale = scale
    found["alone"] = _of_gaps(_camera(viewer, near, min(seconds, 2 * ONE_PLACE_S)))
    viewer.close()
    return found


class _Frames:
    """When the canvas was painted."""

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtWidgets import QOpenGLWidget

        self.painted, self.first, self.since = 0, 0.0, float("inf")
        for canvas in viewer.window._qt_window.findChildren(QOpenGLWidget):
            canvas.frameSwapped.connect(self._note)

    def _note(self) -> None:
        now = time.perf_counter()
        if now >= self.since:
            self.painted += 1
            self.first = self.first or now


def _camera(viewer: Any, near: float, seconds: float) -> list[float]:
    """Zoom and pan for that long; return the gaps between two beats of the window, ms.

    `near` are px of the screen for one unit of the world, where the camera is nearest.
    """
    import numpy as np
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    gaps: list[float] = []
    extent, view = viewer.layers.extent.world, viewer.scene.camera
    size = extent[1] - extent[0]
    viewer.reset_view()
    fit = view.zoom
    began = last = time.perf_counter()
    loop, timer = QEventLoop(), QTimer()

    def beat() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(1e3 * (now - last))
        elapsed = now - began
        if elapsed > seconds:
            timer.stop()
            loop.quit()
            return
        number, part = divmod(elapsed / ONE_PLACE_S, 1.0)
        place = np.array(PLACES[int(number) % len(PLACES)])
        # in for 3 parts of 10, panning for 4, out for 3
        depth = np.clip(min(part / 0.3, (1 - part) / 0.3), 0, 1)
        view.zoom = fit * (near / fit) ** depth
        drift = np.clip((part - 0.3) / 0.4, 0, 1) * np.array([0.3, 1.0]) * 6000 / near / size
        middle = extent[0] + size * (0.5 + (place + drift - 0.5) * min(1.0, 2 * depth))
        view.center = (0.0, *middle)
        last = time.perf_counter()

    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(beat)
    timer.start(15)
    loop.exec_() if hasattr(loop, "exec_") else loop.exec()
    return gaps


def _of_gaps(gaps: list[float]) -> dict[str, float]:
    import numpy as np

    return {
        "frames": len(gaps),
        "median_ms": float(np.median(gaps)),
        "p95_ms": float(np.percentile(gaps, 95)),
        "longest_ms": max(gaps),
        "beyond_50_ms": sum(gap > LONG_MS for gap in gaps),
    }


def _memory_mb(name: str) -> float:
    """Return what the system says of this process, MB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _make(folder: Path, side: int, *, flat: bool) -> Path:
    from hubseg.synthetic.whole_slide import WholeSlide, write_whole_slide

    path = folder / f"{'flat' if flat else 'slide'}_{side}.tif"
    if path.is_file():
        return path
    began = time.perf_counter()
    slide = WholeSlide(side, side)
    write_whole_slide(path, slide)
    if flat:
        _cut(path)
    print(
        f"{path.name}: {slide.tiles:,} tiles, {path.stat().st_size / 1e6:,.0f} MB, written in "
        f"{time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return path


def _cut(path: Path) -> None:
    """Leave only level 0 of a slide: its header says that nothing follows."""
    import struct

    with path.open("r+b") as stream:
        stream.seek(8)
        (first,) = struct.unpack("<Q", stream.read(8))
        stream.seek(first)
        (count,) = struct.unpack("<Q", stream.read(8))
        stream.seek(first + 8 + 20 * count)
        stream.write(struct.pack("<Q", 0))


def _in_a_process(path: Path, kept: Path, seconds: float, *, asynchronous: bool) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), "--watch", str(path), "--kept", str(kept)]
    command += ["--seconds", str(seconds), *(["--asynchronous"] if asynchronous else [])]
    environment = {
        **os.environ,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "PYTHONPATH": f"{HERE / 'src'}{os.pathsep}{HERE}",
    }
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(made.stderr[-3000:])
    found: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Make the slides, open each, print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", default="60000,100000", help="px, default: %(default)s")
    parser.add_argument("--flat", type=int, metavar="SIDE", help="also one without a pyramid")
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--folder", type=Path, help="where the slides are kept; default: nowhere")
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--asynchronous", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watch:
        from napari_hubseg.demo.screen import virtual_screen

        with virtual_screen(*SCREEN):
            found = _watch(given.watch, given.kept, given.seconds, asynchronous=given.asynchronous)
            print(json.dumps(found), flush=True)
            os._exit(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sides = [(int(side), False) for side in given.sides.split(",") if side]
        sides += [(given.flat, True)] if given.flat else []
        for side, flat in sides:
            path = _make(folder, side, flat=flat)
            for asynchronous in (False, True):
                kept = Path(temporary) / f"kept_{asynchronous}"
                found = _in_a_process(path, kept, given.seconds, asynchronous=asynchronous)
                _say(path.name, found, asynchronous=asynchronous)
    return 0


def _say(name: str, found: dict[str, Any], *, asynchronous: bool) -> None:
    alone, spent = found["alone"], f"{found['opened_cpu_s']:.2f} of a processor"
    print(
        f"{name}, slicing {'in a thread' if asynchronous else 'in the window'}: opened "
        f"{found['opened_s']:.2f} s ({spent}), first picture "
        f"{found['first_picture_s']:.2f} s after, peak "
        f"{found['peak_mb']:,.0f} MB ({found['before_mb']:,.0f} before), {found['decodes']:,} "
        f"decodes of {found['distinct_tiles']:,} tiles seen; gaps: median "
        f"{found['median_ms']:.0f}, 95 % {found['p95_ms']:.0f}, longest "
        f"{found['longest_ms']:.0f} ms, {found['beyond_50_ms']} of {found['frames']} beyond 50 "
        f"(the window alone: {alone['median_ms']:.0f}, {alone['p95_ms']:.0f}, "
        f"{alone['longest_ms']:.0f}, {alone['beyond_50_ms']} of {alone['frames']})"
        + ("; levels were still in the making" if found["lacks_levels"] else ""),
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
