"""From a threshold that is let go of to its mask, with the recipe's cleanup: before and now.

    hubseg predict KIDNEY_3000/mosaic_0.tiff --project P.hubseg
    git worktree add --detach BEFORE b2fbf9e
    python benchmarks/release.py P.hubseg --before BEFORE [--rounds 9]

"Before" is how a mask was derived and drawn until it was done where something changed: every object
of the whole slide out of a labelled image, and the whole layer drawn. First that is done without a
window, by a copy of what it was. Then two real windows on virtual screens, one of this tree and
one of an earlier one, take turns with the same thresholds: until the mask is in its layer, and
until the frame that shows it has been painted. All must give the same mask. "Work" is the processor
time of all threads of the process meanwhile, which other programs lengthen less than the clock's.
The project must be one that both trees open.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import cv2
import numpy as np
from _release_window import Spent, clocks

from hubseg.cleanup import count_objects
from hubseg.edits.override import Edits
from hubseg.mask.drawing import drawn, edge_width, redrawn
from hubseg.mask.live import MaskRequest
from hubseg.project import ReviewProject
from hubseg.project.derived import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compute_before(request: MaskRequest) -> NDArray[np.bool_]:
    """Derive a mask whose cleanup is a minimum area, the whole slide at once."""
    mask = request.values > request.threshold
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= request.cleanup.min_area
    kept[0] = False
    cleaned = np.take(kept, labels)
    return request.edits.resolve(cleaned)


def count_before(mask: NDArray[np.bool_]) -> int:
    """Count objects in a labelled image."""
    return cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)[0] - 1


def told(what: str, before: list[Spent], now: list[Spent]) -> None:
    """Print medians, worst of all rounds, and their ratios, by the clock and of work."""
    for number, kind in enumerate(("by the clock", "work")):
        for name, pick in (("median", statistics.median), ("worst", max)):
            old, new = pick(s[number] for s in before), pick(s[number] for s in now)
            row = f"{what}, {kind}, {name} of {len(now)}"
            print(f"| {row} | {old:.0f} | {new:.0f} | {old / new:.1f} |", flush=True)


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
    answer = first.compute()
    shown, earlier = drawn(answer.mask, width), answer.cleaned
    spent: dict[str, list[Spent]] = {"before": [], "now": []}
    for threshold in thresholds(found.threshold, rounds):
        request = MaskRequest(values, threshold, plan, edits, earlier=earlier)
        begun = clocks()
        answer = request.compute()
        mask = answer.mask
        for cut, piece in redrawn(mask, shown, width):
            shown[cut] = piece
        count = count_objects(mask)
        spent["now"].append(since(begun))
        earlier = answer.cleaned
        begun = clocks()
        whole = compute_before(request)
        everything = drawn(whole, width)
        same = count_before(whole) == count and np.array_equal(shown, everything)
        spent["before"].append(since(begun))
        if not (same and np.array_equal(mask, whole)):
            raise SystemExit("the two ways do not give the same mask")
    told("mask, drawing and objects, without a window", spent["before"], spent["now"])


class Window:
    """A window of one tree of the plugin, in a process of its own."""

    def __init__(self, tree: Path, project: Path, folder: Path) -> None:
        own = Path(copytree(project, folder / project.name))
        paths = os.pathsep.join((str(tree / "src"), str(tree)))
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("_release_window.py")), str(own)],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.threshold = float(self._answer()[1])

    def _answer(self) -> list[str]:
        words = self._process.stdout.readline().split()
        if not words:
            raise SystemExit("a window has ended: see above")
        return words

    def release(self, threshold: float) -> tuple[Spent, Spent, str]:
        """Set a threshold: what was spent until it is in the layer, and on screen; and the mask."""
        print(threshold, file=self._process.stdin, flush=True)
        *spent, mask = self._answer()
        layer, layer_work, screen, screen_work = map(float, spent)
        return (layer, layer_work), (screen, screen_work), mask

    def close(self) -> None:
        """Let the window close."""
        self._process.stdin.close()
        self._process.wait()


def in_windows(project: Path, before: Path, rounds: int, folder: Path) -> None:
    """Time from a threshold that is let go of to its mask in the layer and on screen."""
    trees = {"before": before, "now": Path(__file__).resolve().parent.parent}
    for name in trees:
        (folder / name).mkdir()
    windows = {name: Window(tree, project, folder / name) for name, tree in trees.items()}
    spent: dict[str, list[tuple[Spent, Spent, str]]] = {"before": [], "now": []}
    start = windows["now"].threshold
    for number, threshold in enumerate([start + 1, *thresholds(start, rounds)]):
        for name in ("before", "now") if number % 2 else ("now", "before"):
            answer = windows[name].release(threshold)
            windows[name].release(start + 40)
            if number:  # the first one warms up
                spent[name].append(answer)
    for window in windows.values():
        window.close()
    if [answer[2] for answer in spent["before"]] != [answer[2] for answer in spent["now"]]:
        raise SystemExit("the two trees do not give the same mask")
    for place, what in enumerate(("in the layer", "on screen")):
        old, new = ([answer[place] for answer in spent[name]] for name in ("before", "now"))
        told(f"from a new threshold to its mask {what}", old, new)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path, help="NAME.hubseg with a map")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--before", type=Path, help="a tree of the plugin to compare windows with")
    asked = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = Path(copytree(asked.project, folder / asked.project.name))
        print("| ms | before | now | ratio |\n|---|---|---|---|")
        without_window(path, asked.rounds)
        if asked.before is not None:
            in_windows(asked.project, asked.before.resolve(), asked.rounds, folder)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
