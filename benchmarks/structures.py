"""One structure and eight on one slide, in turns: what a threshold and a stroke cost the window.

    QT_API=pyqt6 xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/structures.py
    python benchmarks/structures.py --session

The slide has 3000 × 3000 px. Prints, for a slide of one structure and for one of eight, overlapping
and excluding each other, the work of a step of the slider, the time from its release to the mask on
screen, and that of a stroke to its committed row and drawn mask; then eight against one. With
`--session` there is no window: what the session's threads do, in processor time, which another load
on the machine changes least.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from slider import SIDE, _rest, tissue

from hubseg.journal.accepted import PackedMask
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

NAMES = ("glomerulus", "tubule", "vessel", "cast", "cyst", "capsule", "fibrosis", "infiltrate")
STEPS = 60
STROKES = 30
ROUNDS = 5
TURNS = 2


def recipe_of(count: int, *, exclusive: bool) -> Recipe:
    """Return a recipe whose networks mark so many structures."""
    names = ", ".join(NAMES[:count])
    words = ", ".join(f"{name}: {{organs: [kidney]}}" for name in NAMES[1:count])
    groups = f", exclusive: [[{names}]]" if exclusive else ""
    vocabulary = f"vocabulary: {{structures: {{{words}}}{groups}}}" if count > 1 else ""
    return Recipe.from_yaml(
        "name: several\nfolds: [0]\ntta: none\nresolutions:\n  - scale: 0.25\n    members:\n"
        "      - {network: {encoder: test_resnet}, checkpoint: 'm_{fold}', "
        f"classes: [{names}]}}\n{vocabulary}\n"
    )


def project_of(folder: Path, count: int, *, exclusive: bool) -> Path:
    """Write a project of one slide with a map of each structure."""
    folder.mkdir()
    recipe, path = recipe_of(count, exclusive=exclusive), folder / "p.hubseg"
    random = np.random.default_rng(1)
    small = random.random((count, 75, 75), np.float32)
    side = SIDE // 4
    maps = [cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in small]
    values = np.clip(np.stack(maps), 0, 1).astype(np.float32)
    with ReviewProject.create(path, SlideTable.open(tissue(folder))) as project:
        (slide,) = project.slides()
        (member,) = recipe.members()
        MapStore(project.maps).put("aa00", MemberMap(values if count > 1 else values[0]))
        digest = project.digest(slide)
        given = {"slide_digest": digest, "asked": recipe.members()}
        record(project, "run", slide.id, recipe, [(member, "aa00")], **given)
    session = ReviewSession(author="bench")
    session.open(path)
    session.adopt(recipe)
    session.close()
    return path


def measured(path: Path) -> dict[str, list[float]]:
    """Open a window on a project, work in it, and return ms of each kind of work."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_hubseg.dock import HubSegWidget

    def settle(holds, seconds: float = 900.0) -> None:
        until = time.perf_counter() + seconds
        while not holds():
            if time.perf_counter() > until:
                raise SystemExit("the window did not come to rest")
            QApplication.processEvents()
            time.sleep(0.002)

    viewer = napari.Viewer(show=True)
    dock = HubSegWidget(viewer)
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.open_path(path)
    settle(lambda: dock.session.probability is not None and not dock.busy)
    moved = dock.thresholds.histogram.moved.emit
    moved(100.0)
    settle(lambda: not dock.busy)
    steps = []
    for step in range(STEPS):
        spent = time.thread_time()
        moved(40.0 + step)
        steps.append((time.thread_time() - spent) * 1e3)
        QApplication.processEvents()
    rests = [_rest(dock, 60.0 + 10 * i, settle, QApplication) for i in range(ROUNDS)]
    settle(lambda: not dock.busy)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (61, 61)).astype(bool)
    strokes, random = [], np.random.default_rng(2)
    for _ in range(STROKES):
        top, left = (int(one) for one in random.integers(0, SIDE - 61, 2))
        spent = time.thread_time()
        dock.session.paint(disc, top=top, left=left, add=True)
        strokes.append((time.thread_time() - spent) * 1e3)
        settle(lambda: not dock.busy)
    viewer.close()
    for _ in range(20):
        QApplication.processEvents()
    return {"step of the slider": steps, "release to mask": rests, "stroke": strokes}


def in_session(path: Path) -> dict[str, list[float]]:
    """Open a project without a window, work in it, and return ms of each kind of work."""
    session = ReviewSession(author="bench")
    session.open(path)
    session.go_to("a")
    beside = session.review.beside
    found = newest_map(session.project, session.current, structure=session.structures[0])
    session.show(found)
    session.mask_now()
    times: dict[str, list[float]] = {"the masks of the others, first": []}

    def others(what: str) -> None:
        spent = time.process_time()
        while (request := beside.request(most=1)) is not None:
            beside.take(request, request.compute())
        times.setdefault(what, []).append((time.process_time() - spent) * 1e3)

    others("the masks of the others, first")
    for turn in range(ROUNDS + 1):
        session.set_threshold(60.0 + 10 * turn, structure=session.structure)
        request = session.mask_request()
        spent = time.thread_time()
        answer = request.compute()
        if turn:  # the first compares maps
            own = (time.thread_time() - spent) * 1e3
            times.setdefault("mask after another threshold", []).append(own)
        session.take_mask(request, answer)
        others("the masks of the others, after it")
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (61, 61)).astype(bool)
    random = np.random.default_rng(2)
    for _ in range(STROKES):
        top, left = (int(one) for one in random.integers(0, SIDE - 61, 2))
        spent = time.thread_time()
        session.paint(disc, top=top, left=left, add=True)
        times.setdefault("stroke", []).append((time.thread_time() - spent) * 1e3)
    for name, (version, mask) in beside.unpacked().items():
        beside.take_packed(name, version, PackedMask.of(mask))
    spent = time.thread_time()
    session.accept()
    times["accept"] = [(time.thread_time() - spent) * 1e3]
    session.close()
    return times


def main() -> None:
    """Measure each kind of slide in turns, and print."""
    measure = in_session if "--session" in sys.argv[1:] else measured
    kinds = {"one": (1, False), "eight": (8, False), "eight, exclusive": (8, True)}
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
    for turn in range(TURNS):
        for kind, (count, exclusive) in kinds.items():
            with tempfile.TemporaryDirectory() as name:
                path = project_of(Path(name) / str(turn), count, exclusive=exclusive)
                for what, times in measure(path).items():
                    found[kind].setdefault(what, []).extend(times)
    one = {what: statistics.median(times) for what, times in found["one"].items()}
    for kind, times_of in found.items():
        for what, times in times_of.items():
            middle = statistics.median(times)
            ratio = f", {middle / one[what]:.2f} × one" if one[what] > 0.5 else ""
            print(f"{kind}: {what}: median {middle:.2f} ms{ratio}")


if __name__ == "__main__":
    sys.exit(main())
