"""What is left after kill -9 at random moments of a review, and what safety costs.

    python benchmarks/durability.py [--kills 200]

A process of its own reviews slides (strokes, tools, thresholds, undo and redo, verdicts, going from
slide to slide), says each row once it is reported saved, and is killed. Then the project must open
for writing, pass SQLite's integrity check, hold every row that had been reported, and give the same
edits as its journal. The second part times one gesture from the hand to the disk, and the opening
of a slide with 1,000 of them.
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
from hubseg.session import ReviewSession

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


def kill_often(kills: int, folder: Path) -> int:
    """Kill reviews of one and the same project, and return how many left something wrong."""
    chance, rows, failures, begun = random.Random(1), 0, 0, time.perf_counter()
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
    session.show(ProbabilityMap(values, None, digest, "made up", 1, 1))
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
    given = parser.parse_args()
    machine()
    print(f"load of the machine when it began: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="hubseg-") as place:
        timed(Path(place) / "timed")
        if kill_often(given.kills, Path(place) / "killed"):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
