"""What is left after kill -9 at random moments of a review, and what safety costs.

    python benchmarks/durability.py [--kills 200] [--regions]

A process of its own reviews slides (strokes, tools, thresholds, undo and redo, verdicts, going from
slide to slide), says each row once it is reported saved, and is killed. Then the project must open
for writing, pass SQLite's integrity check, hold every row that had been reported, and give the same
edits as its journal. The second part times one gesture from the hand to the disk, and the opening
of a slide with 1,000 of them. With `--regions` both are done on a slide of 20,000 x 20,000 px that
is divided into regions: strokes at five places, a third of them over a border.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import tifffile
from _paired import machine

from hubseg import tools
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.probability import ProbabilityMap
from hubseg.project import ReviewProject
from hubseg.project.splitting import split_slide
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable
from hubseg.synthetic.whole_slide import WholeSlide, write_whole_slide

SCRIPT = Path(__file__).resolve().parent.parent / "tests" / "core" / "scripted_review.py"
SIDE = 3000


def slides(folder: Path, count: int, shape: tuple[int, int]) -> Path:
    """Write plain slides."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"slide_{number}.tiff"
        tifffile.imwrite(path, np.full((*shape, 3), 200 + number, np.uint8), photometric="rgb")
    return folder


def killed_once(folder: Path, seed: int, chance: random.Random) -> tuple[int, list[str]]:
    """Let a review run, kill it, and return how many rows it reported and what is wrong now."""
    review = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(seed)], stdout=subprocess.PIPE
    )
    if review.stdout is None:
        raise SystemExit("The review has no output to listen to.")
    first = review.stdout.readline()
    time.sleep(chance.expovariate(1 / 0.15))  # any moment, most often an early one
    review.send_signal(signal.SIGKILL)
    told = (first + review.stdout.read()).decode().split("\n")[:-1]
    review.wait()
    review.stdout.close()
    return len(told), wrong_with(folder, [line.split() for line in told])


def wrong_with(folder: Path, reported: list[list[str]]) -> list[str]:
    """Return one sentence per thing that is not as it was reported."""
    path = folder / f"{folder.name}.hubseg"
    wrong = []
    with ReviewProject.open(path) as project:
        if project.read_only:
            wrong.append(f"opened for reading only: {project.why_read_only}")
        stored = {entry.seq: entry for entry in project.entries()}
        for seq, kind in reported:
            if int(seq) not in stored or stored[int(seq)].kind != kind:
                wrong.append(f"row {seq} ({kind}) was reported saved and is not there")
        for slide in project.slides():
            state = SlideState.read(project, slide.id)
            state.edits((slide.height, slide.width), project.payload)  # raises when damaged
        for entry in stored.values():  # every mask that was ever accepted is there, and whole
            facts = entry.facts.get("accepted") if entry.kind is Kind.VERDICT else None
            if facts is not None:
                project.mask(facts["mask"]).unpack()
    with closing(sqlite3.connect(path / "review.sqlite")) as db:
        checked = [row[0] for row in db.execute("PRAGMA integrity_check")]
    if checked != ["ok"]:
        wrong.append(f"integrity check: {checked[0]}")
    return wrong


def divided(folder: Path, shape: tuple[int, int], side: int) -> Path:
    """Write one slide and a project of its regions."""
    slides(folder, 1, shape)
    path = folder / f"{folder.name}.hubseg"
    with ReviewProject.create(path, SlideTable.open(folder)) as project:
        split_slide(project, "slide_0", side, everywhere=True)
    return folder


def kill_often(kills: int, folder: Path, *, regions: bool = False) -> int:
    """Kill reviews of one and the same project, and return how many left something wrong."""
    chance, rows, failures, begun = random.Random(1), 0, 0, time.perf_counter()
    if regions:
        divided(folder, (240, 320), 80)
    else:
        slides(folder, 3, (300, 400))
    for number in range(kills):
        reported, wrong = killed_once(folder, number, chance)
        rows += reported
        failures += bool(wrong)
        for sentence in wrong:
            print(f"kill {number}: {sentence}")
    spent = time.perf_counter() - begun
    print(f"{kills} kills in {spent:.0f} s: {rows} rows reported saved, {failures} with a loss")
    return failures


def timed(folder: Path, gestures: int = 1000) -> None:
    """Time gestures on one slide of 3000 x 3000 and what they cost afterwards."""
    slides(folder, 2, (SIDE, SIDE))
    rng = np.random.default_rng(0)
    session = ReviewSession(author="benchmark")
    session.open(folder)
    values = np.clip(rng.normal(120, 40, (SIDE // 50, SIDE // 50)), 0, 255).astype(np.float32)
    values = np.ascontiguousarray(np.kron(values, np.ones((50, 50), np.float32)))
    slide = session.current
    if slide is None or session.project is None:
        raise SystemExit("The slides could not be opened.")
    digest = session.project.digest(slide)
    found = ProbabilityMap(
        values,
        disagreement=None,
        slide_digest=digest,
        recipe_digest="made up",
        done=1,
        total=1,
    )
    session.show(found)
    session.mask_now()
    spent = []
    for _ in range(gestures):
        row, column = (int(v) for v in rng.integers(100, SIDE - 100, 2))
        bend = rng.integers(-80, 80, (2, 2))
        path = [(row, column), *((row + int(y), column + int(x)) for y, x in bend)]
        stroke = tools.painted(path, 40, (SIDE, SIDE), add=bool(rng.integers(2)))
        if stroke is None:
            continue
        begun = time.perf_counter()
        session.put(stroke)
        spent.append(1e3 * (time.perf_counter() - begun))
    middle, late = statistics.median(spent), float(np.percentile(spent, 95))
    print(f"gesture to committed, {SIDE} x {SIDE}: median {middle:.1f} ms, p95 {late:.1f} ms")
    path = session.project.path
    time_verdicts(session)
    begun = time.perf_counter()
    session.close()
    print(f"closing with its backup: {time.perf_counter() - begun:.2f} s")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    one = (path / "review.sqlite").stat().st_size
    print(f"project with {len(spent)} gestures: {size / 1e6:.1f} MB, of it {one / 1e6:.1f} in use")
    accepted_bytes(path)
    begun = time.perf_counter()
    session.open(folder)
    session.go_to(slide.id)
    print(f"opening it again at that slide: {time.perf_counter() - begun:.2f} s")
    session.close()


def timed_in_regions(folder: Path, gestures: int = 1000) -> None:
    """Time strokes at five places of a very large slide, also over borders, and undo them all."""
    folder.mkdir()
    path = folder / "slide_0.tif"
    write_whole_slide(path, WholeSlide(20_000, 20_000))
    project = folder / f"{folder.name}.hubseg"
    with ReviewProject.create(project, SlideTable.open(path)) as opened:
        split_slide(opened, "slide_0", everywhere=True)
    session, rng = ReviewSession(author="benchmark"), np.random.default_rng(0)
    session.open(project)
    places = [one.id for one in session.slides][:: len(session.slides) // 5][:5]
    disc = np.hypot(*np.mgrid[-20:21, -20:21]) <= 20
    spent, rows = [], 0
    for name in places:
        session.go_to(name)
        session.mask_now()
        for number in range(gestures // 5):
            top, left = (int(v) for v in rng.integers(0, 3900, 2))
            top = -20 if number % 3 == 0 else top
            begun = time.perf_counter()
            session.paint(disc, top=top, left=left, add=bool(number % 2), kind="brush")
            beside, _ = session.paint_beside(disc, top=top, left=left, add=bool(number % 2))
            spent.append(1e3 * (time.perf_counter() - begun))
            rows += 1 + len(beside)
    middle, late = statistics.median(spent), float(np.percentile(spent, 95))
    print(f"{rows} gestures at {len(places)} places of 20,000 x 20,000 px, to committed: median")
    print(f"{middle:.1f} ms, p95 {late:.1f} ms (aim 30)")
    for name in (one.id for one in session.slides):
        session.go_to(name)
        while session.can_undo:
            session.undo()
        if not session.edits.is_empty:
            raise SystemExit(f"Something is left of {name} after undo.")
    print("undo back through all: nothing is left")
    session.close()


def time_verdicts(session: ReviewSession, times: int = 100) -> None:
    """Time accepting a slide and flagging it in turn, and say what an accepted mask takes."""
    session.mask_now()
    accepted, flagged = [], []
    for _ in range(times):
        for spent, verdict in ((accepted, session.accept), (flagged, session.flag)):
            begun = time.perf_counter()
            verdict()
            spent.append(1e3 * (time.perf_counter() - begun))
        session.mask_now()
    for name, spent in (("accept", accepted), ("flag", flagged)):
        middle, late = statistics.median(spent), float(np.percentile(spent, 95))
        print(f"{name} to committed: median {middle:.1f} ms, p95 {late:.1f} ms")
    session.accept()


def accepted_bytes(path: Path) -> None:
    """Say how many bytes the accepted masks of a project take."""
    with closing(sqlite3.connect(path / "review.sqlite")) as db:
        known = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        if "masks" in known:
            count, size = db.execute("SELECT COUNT(*), SUM(LENGTH(data)) FROM masks").fetchone()
            print(f"accepted masks: {count}, {size / max(1, count) / 1e3:.1f} kB each")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--regions", action="store_true", help="on a divided slide")
    given = parser.parse_args()
    machine()
    print(f"load of the machine when it began: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="hubseg-") as place:
        (timed_in_regions if given.regions else timed)(Path(place) / "timed")
        if kill_often(given.kills, Path(place) / "killed", regions=given.regions):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
