"""From a threshold that is let go of to its mask, with the recipe's cleanup: before and now.

    hubseg predict KIDNEY_3000/mosaic_0.tiff --project P.hubseg
    python benchmarks/release.py P.hubseg [--rounds 9] [--no-window]

"Before" is how a mask was derived and drawn until it was done where something changed: every object
of the whole slide out of a labelled image, and the whole layer drawn. Both take turns in one run,
with the same thresholds, and must give the same mask: first without a window, then in a real one
on a virtual screen, from the new threshold to the mask in its layer. "Work" is the processor time
of all threads of the process meanwhile, which other programs lengthen less than the clock's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING
from unittest import mock

import cv2
import numpy as np

from hubseg.cleanup import CleanedMask, count_objects
from hubseg.derive import derive
from hubseg.edits import Edits
from hubseg.mask import MaskRequest
from hubseg.project import ReviewProject
from napari_hubseg._derivation import _figures as figures
from napari_hubseg._overlay import drawn, edge_width, redrawn
from napari_hubseg._screen import rest, virtual_screen, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Spent = tuple[float, float]
EVERYWHERE = slice(None), slice(None)


def compute_before(request: MaskRequest) -> NDArray[np.bool_]:
    """Derive a mask whose cleanup is a minimum area, the whole slide at once."""
    mask = request.values > request.threshold
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= request.cleanup.min_area
    kept[0] = False
    cleaned = np.take(kept, labels)
    request._cleaned[:] = [CleanedMask(cleaned)]
    return request.edits.resolve(cleaned)


def redrawn_before(
    mask: NDArray[np.bool_],
    _: NDArray[np.uint8],
    width: int,
    by_hand: NDArray[np.bool_] | None = None,
) -> list[tuple[tuple[slice, slice], NDArray[np.uint8]]]:
    """Draw the whole mask."""
    return [(EVERYWHERE, drawn(mask, width, by_hand))]


def count_before(mask: NDArray[np.bool_]) -> int:
    """Count objects in a labelled image."""
    return cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)[0] - 1


def figures_before(mask: NDArray[np.bool_], found: object, known: tuple, truth: object) -> tuple:
    """Return the figures of a mask, its area and objects counted as they were."""
    area, objects = float(mask.mean()), count_before(mask)
    return replace(figures(mask, found, known, truth)[0], area=area, objects=objects), known


@contextmanager
def as_before() -> Iterator[None]:
    """Let the window derive and draw as it did."""
    with (
        mock.patch.object(MaskRequest, "compute", compute_before),
        mock.patch("napari_hubseg._drawing.redrawn", redrawn_before),
        mock.patch("napari_hubseg._derivation._figures", figures_before),
        mock.patch("napari_hubseg._derivation.count_objects", lambda _: 0),
    ):
        yield


def told(what: str, before: list[Spent], now: list[Spent]) -> None:
    """Print medians, worst of all rounds, and their ratios, by the clock and of work."""
    for number, kind in enumerate(("by the clock", "work")):
        for name, pick in (("median", statistics.median), ("worst", max)):
            old, new = pick(s[number] for s in before), pick(s[number] for s in now)
            row = f"{what}, {kind}, {name} of {len(now)}"
            print(f"| {row} | {old:.0f} | {new:.0f} | {old / new:.1f} |", flush=True)


def clocks() -> Spent:
    """Return the time now, and the processor time that was used, ms."""
    return 1e3 * time.perf_counter(), 1e3 * time.process_time()


def since(begun: Spent) -> Spent:
    """Return what was spent since then, ms."""
    now = clocks()
    return now[0] - begun[0], now[1] - begun[1]


def thresholds(start: float, rounds: int) -> list[float]:
    """Return what the hand lets go at: a few levels apart, up and down."""
    return [start + 3.0 * ((number * 7) % 11 - 5) + 1 for number in range(rounds)]


def without_window(path: Path, rounds: int) -> None:
    """Time mask, drawing and count of objects, one after the other."""
    with ReviewProject.open(path) as project:
        found = derive(project, project.slides()[0])
    values, width = found.probability.values, edge_width(found.mask.shape)
    plan, edits = found.cleanup.in_px(found.slide.um_per_px), Edits(found.mask.shape)
    print(f"cleanup {found.cleanup.model_dump(exclude_defaults=True)}, {values.shape}")
    first = MaskRequest(values, found.threshold, plan, edits)
    shown, earlier = drawn(first.compute(), width), first._cleaned[0]
    spent: dict[str, list[Spent]] = {"before": [], "now": []}
    for threshold in thresholds(found.threshold, rounds):
        request = MaskRequest(values, threshold, plan, edits, earlier=earlier)
        begun = clocks()
        mask = request.compute()
        for cut, piece in redrawn(mask, shown, width):
            shown[cut] = piece
        count = count_objects(mask)
        spent["now"].append(since(begun))
        earlier = request._cleaned[0]
        begun = clocks()
        whole = compute_before(request)
        everything = drawn(whole, width)
        same = count_before(whole) == count and np.array_equal(shown, everything)
        spent["before"].append(since(begun))
        if not (same and np.array_equal(mask, whole)):
            raise SystemExit("the two ways do not give the same mask")
    told("mask, drawing and objects, without a window", spent["before"], spent["now"])


def in_window(path: Path, rounds: int) -> None:
    """Time from a threshold that is let go of to its mask in the layer."""
    import napari

    from napari_hubseg._widget import HubSegWidget

    viewer = napari.Viewer(title="HubSeg")
    dock = HubSegWidget(viewer)
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    viewer.window._qt_window.setGeometry(0, 0, 1600, 1000)
    viewer.window._qt_window.show()
    session, desk = dock.session, dock.desk
    dock.open_path(path)
    wait_for("The map", lambda: session.probability is not None, 300)

    def settle() -> None:
        wait_for("Rest", lambda: not session.mask_is_stale and not desk.busy, 300)
        rest(300)

    drawn_at: list[Spent] = []
    desk.layers._drawing.finished.connect(lambda: drawn_at.append(clocks()))

    def release(threshold: float) -> Spent:
        settle()
        drawn_at.clear()
        begun = clocks()
        desk.set_threshold(threshold)
        wait_for("The mask", lambda: not session.mask_is_stale and bool(drawn_at), 60)
        return drawn_at[0][0] - begun[0], drawn_at[0][1] - begun[1]

    start, spent = session.threshold, {"before": [], "now": []}
    release(start + 1)
    for threshold in thresholds(start, rounds):
        spent["now"].append(release(threshold))
        release(start + 40)
        with as_before():
            spent["before"].append(release(threshold))
            settle()
        release(start + 40)
    told("from a new threshold to its mask in the layer", spent["before"], spent["now"])
    viewer.close()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path, help="NAME.hubseg with a map")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-window", action="store_true")
    asked = parser.parse_args()
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(copytree(asked.project, Path(folder) / asked.project.name))
        print("| ms | before | now | ratio |\n|---|---|---|---|")
        without_window(path, asked.rounds)
        if not asked.no_window:
            with virtual_screen():
                in_window(path, asked.rounds)


if __name__ == "__main__":
    main()
