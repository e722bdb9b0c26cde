"""From the command to a painted window, a slide on screen and a first mask: seconds, each anew.

A process of its own opens the bundled sample in a real window on a virtual screen and runs the
bundled ensemble at once. Told are wall seconds since the process was started, and the processor
seconds that the window's process had taken by then. Beside it stands what is napari's own: an empty
napari window. Other trees, measured in turn with this one:

    python benchmarks/start.py [--times 3] [--tree OLDER] [--no-mask]

One round before the others is not counted: it writes Python's bytecode, as an installation does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent.parent
STEPS = ("imported", "window painted", "dock painted", "slide on screen", "first mask")
EMPTY = "an empty napari window"


def _watch(began: float, mask: bool) -> None:
    """Open the sample, and print when what happened."""
    seen: dict[str, tuple[float, float]] = {}

    def note(step: str) -> None:
        seen.setdefault(step, (time.time() - began, time.process_time()))

    try:
        from napari_hubseg.demo.screen import virtual_screen, wait_for
        from napari_hubseg.demo.start import open_window, sample_table
    except ImportError:  # before the rooms had these names
        from napari_hubseg._screen import virtual_screen, wait_for  # type: ignore[no-redef]
        from napari_hubseg._start import open_window, sample_table  # type: ignore[no-redef]
    import napari

    note("imported")
    _watch_first_frame(napari, lambda: note("window painted"))
    with virtual_screen(1366, 768), tempfile.TemporaryDirectory() as folder:
        viewer, dock = open_window()
        dock.open_path(sample_table(), project=Path(folder) / "start.hubseg")
        canvas = dock.window().centralWidget().findChild(_opengl())
        canvas.frameSwapped.connect(lambda: note("dock painted"))
        dock.desk.layers.slide_shown.connect(lambda _: note("slide"))
        canvas.frameSwapped.connect(lambda: "slide" in seen and note("slide on screen"))
        wait_for("The slide", lambda: "slide on screen" in seen)
        if mask:
            dock.session.probability_changed.connect(lambda found: found and note("map"))
            dock.desk.layers.mask_drawn.connect(lambda *_: "map" in seen and note("first mask"))
            wait_for("A calm dock", lambda: not dock.busy)
            dock.do("run_ensemble")
            wait_for("A mask", lambda: "first mask" in seen, 600.0)
            dock.do("cancel_run")
        viewer.close()
        print(json.dumps({step: seen[step] for step in STEPS if step in seen}), flush=True)
        os._exit(0)


def _watch_empty(began: float) -> None:
    """Open a napari window with nothing in it, and print when it was painted."""
    import napari

    from napari_hubseg.demo.screen import virtual_screen, wait_for

    seen: list[tuple[float, float]] = []
    _watch_first_frame(napari, lambda: seen.append((time.time() - began, time.process_time())))
    with virtual_screen(1366, 768):
        viewer = napari.Viewer()
        wait_for("A window", lambda: bool(seen))
        viewer.close()
        print(json.dumps({"window painted": seen[0]}), flush=True)
        os._exit(0)


def _watch_first_frame(napari: Any, painted: Callable[[], object]) -> None:
    """Call back when the canvas of the next viewer is painted, whenever that is."""
    plain = napari.Viewer

    def viewer(*asked: Any, **options: Any) -> Any:
        made = plain(*asked, **options)
        for window in QApplication.topLevelWidgets():
            for canvas in window.findChildren(_opengl()):
                canvas.frameSwapped.connect(painted)
        return made

    from qtpy.QtWidgets import QApplication

    napari.Viewer = viewer


def _opengl() -> Any:
    from qtpy.QtWidgets import QOpenGLWidget

    return QOpenGLWidget


def _once(tree: Path, mask: bool, *, empty: bool = False) -> dict[str, tuple[float, float]]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {
        **kept,
        "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    asked = [sys.executable, str(Path(__file__)), "--watch", repr(time.time())]
    made = subprocess.run(
        [*asked, *([] if mask else ["--no-mask"]), *(["--empty"] if empty else [])],
        env=environment,
        cwd=tree,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(made.stdout.splitlines()[-1]))


def main() -> int:
    """Measure each tree in turn, several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--tree", type=Path, action="append", default=[], help="another checkout")
    parser.add_argument("--no-mask", action="store_true", help="up to the slide only")
    parser.add_argument("--watch", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--empty", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        _watch_empty(options.watch) if options.empty else _watch(options.watch, not options.no_mask)
        return 0
    trees = [*options.tree, HERE]
    found: dict[Path | str, list[dict[str, tuple[float, float]]]] = {EMPTY: []}
    for turn in range(-1, options.times):
        rounds = {EMPTY: _once(HERE, mask=False, empty=True)}
        rounds |= {tree: _once(tree, not options.no_mask and turn >= 0) for tree in trees}
        for name, seen in rounds.items():
            found.setdefault(name, []).extend([seen] if turn >= 0 else [])
    for tree, runs in found.items():
        print(f"{tree}, {options.times} times, load {os.getloadavg()[0]:.1f}")
        for step in STEPS:
            took = [run[step] for run in runs if step in run]
            if took:
                wall, own = (statistics.median(one) for one in zip(*took, strict=True))
                print(f"  {step:<16} {wall:6.1f} s, {own:5.1f} s of the processor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
