"""A region of a very large slide: memory of the worker, seams, and going on after kill -9.

    python benchmarks/region.py [--side 16000] [--window 3000,3000,10000,10000]
                                [--seed 0] [--folds 0,1]

The slide is put together of the real 3000 × 3000 mosaics of HUBSEG_TEST_DATA, turned and repeated;
without them synthetic tissue is drawn. ``hubseg predict --window`` runs the bundled ensemble on it
in a process of its own, on the CPU. Peaks are the largest resident sizes of its processes (Linux).
One piece is the region with some 1000 px around it, seen by each network in one pass; it begins
where a tile might, at a multiple of 32 px of the networks' input, since an encoder's strides make
another map of an image that is moved by less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import tifffile

from hubseg.organ import Organ
from hubseg.probability import TileLayout, Tiling
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_large_map
from hubseg.recipe import Recipe, find_checkpoints
from hubseg.recipe.bundled import weights_for
from hubseg.slide import Slide, read_slide
from hubseg.synthetic.tissue import make_slide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hubseg.project.large_maps import MapWindow
    from hubseg.recipe import Member

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("HUBSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
RECIPE = Recipe.load("demo")
TILE = 512
AROUND = 1000  # px of the slide: what one piece sees around the region
LOOK_S = 0.05

Window = tuple[int, int, int, int]


def mosaics() -> list[NDArray[np.uint8]]:
    """Return tissue to put together: real where it is there."""
    real = sorted((DATA / "kidney_3000" / "train_images").glob("*.tiff"))
    if real:
        return [read_slide(path).read() for path in real]
    print(f"no mosaics in {DATA}: synthetic tissue is drawn in their place")
    return [make_slide(Organ.KIDNEY, seed=seed)[0] for seed in range(2)]


def write_slide(path: Path, side: int) -> None:
    """Write a tiled JPEG TIFF of mosaics, each turned in its own way."""
    parts, rng = mosaics(), np.random.default_rng(0)
    size = min(min(part.shape[:2]) for part in parts) // TILE * TILE
    count = -(-side // size)
    turns = rng.integers(0, 4, (count, count)), rng.integers(0, len(parts), (count, count))

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for top in range(0, side, TILE):
            for left in range(0, side, TILE):
                row, column = top // size, left // size
                part = np.rot90(parts[turns[1][row, column]][:size, :size], turns[0][row, column])
                y, x = top % size, left % size
                yield np.ascontiguousarray(part[y : y + TILE, x : x + TILE])

    tifffile.imwrite(
        path,
        tiles(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": 90},
    )


def command(slide: Path, project: Path, window: Window, folds: str) -> list[str]:
    """Return ``hubseg predict`` of a region."""
    said = ",".join(map(str, window))
    words = ["predict", str(slide), "--project", str(project), "--window", said]
    words += ["--folds", folds] if folds else []
    return [sys.executable, "-m", "hubseg.cli", *words, "--device", "cpu", "--json"]


def filed(project: Path) -> dict[Path, int]:
    """Return the tiles that are in a project's store, each with the time it was written."""
    return {path: path.stat().st_mtime_ns for path in project.rglob("*.tile")}


def peaks(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """Return the largest resident size so far of a process and each below it, bytes."""
    found = {}
    try:
        family = [process.pid, *(p.pid for p in psutil.Process(process.pid).children(True))]
    except psutil.NoSuchProcess:
        return {}
    for pid in family:
        try:
            said = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        if held := re.search(r"VmHWM:\s+(\d+)", said):
            found[pid] = 1024 * int(held[1])
    return found


def run(words: list[str], project: Path, kill_at: int = 0) -> tuple[int, dict[int, int]]:
    """Run to the end, or until so many tiles are there; return tiles computed and the peaks."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    most: dict[int, int] = {}
    while process.poll() is None:
        most |= peaks(process)
        if kill_at and len(filed(project)) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(LOOK_S)
    out, _ = process.communicate()
    if kill_at:
        return len(filed(project)), most
    return int(json.loads(out)["tiles"]), most


def read(project: Path, window: Window) -> MapWindow:
    """Return the map of the region."""
    with ReviewProject.for_reading(project) as opened:
        found = newest_large_map(opened, opened.slides()[0])
        if found is None:
            raise SystemExit("nothing was computed")
        return found.read(window)


def in_one_piece(
    slide: Slide, window: Window, folder: Path, members: tuple[Member, ...], unit: int
) -> NDArray[np.float32]:
    """Return the region's map, each network having seen it and what lies around in one pass.

    It begins at a multiple of `unit` px.
    """
    import torch

    from hubseg.inference import load_member, predict_member
    from hubseg.probability import Mixer

    top, left, height, width = window
    first, begin = ((start - AROUND) // unit * unit for start in (top, left))
    outer = first, begin, top - first + height + AROUND, left - begin + width + AROUND
    cut = folder / "piece.tiff"
    tifffile.imwrite(cut, slide.read(outer), photometric="rgb", tile=(TILE, TILE))
    piece = read_slide(cut)
    files = find_checkpoints(members, weights_for(RECIPE, ()))
    mixer = Mixer(shape=outer[2:], slide_digest=piece.digest)
    whole = Tiling(side=1 << 14)
    for member in members:
        network = load_member(RECIPE, member, files[member.checkpoint], torch.device("cpu"))
        given = network, piece, RECIPE, member
        mixer.put(member, predict_member(*given, precision="float32", tiling=whole))
    made = mixer.mix(RECIPE, members).values
    return made[top - first : top - first + height, left - begin : left - begin + width]


def strides(layout: TileLayout) -> int:
    """Return the fewest px of the slide that are a multiple of 32 px of the networks' input."""
    return Fraction(32 * layout.scale[0]).limit_denominator(1000).numerator


def seams(layout: TileLayout, window: Window) -> NDArray[np.bool_]:
    """Return where answers of several tiles are blended, bool (height, width)."""
    lines = []
    for axis in (0, 1):
        length = layout.padded[axis]
        shares = np.zeros(length)
        tiling = layout.tiling
        for start, weight in zip(tiling.starts(length), tiling.weights(length), strict=True):
            shares[start : start + len(weight)] += weight > 0
        at = (np.arange(window[axis], window[axis] + window[axis + 2]) + 0.5) / layout.scale[axis]
        lines.append(shares[at.astype(int)] > 1)
    return np.asarray(lines[0][:, None] | lines[1][None])


def within(difference: NDArray[np.float32], where: NDArray[np.bool_]) -> str:
    """Return which share of px differs by at most 2 levels, and the largest difference."""
    seen = difference[where]
    return f"{100 * (seen <= 2).mean():.3f} % within 2 levels, at most {seen.max():.2f}"


def measure(folder: Path, side: int, window: Window, seed: int, folds: str) -> None:
    """Run the three comparisons and print a row for each figure."""
    path = folder / "slides" / "scan.tiff"
    path.parent.mkdir()
    write_slide(path, side)
    slide = read_slide(path)
    layout = TileLayout.of(RECIPE.resolutions[0], side, side)
    if layout is None:
        raise SystemExit(f"A slide of {side} px is not very large: give a larger --side.")
    members = RECIPE.members(tuple(map(int, folds.split(",")))) if folds else RECIPE.members()
    asked = len(layout.touching(window)) * len(members)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"slide {side} x {side} px, {path.stat().st_size / 1e6:.0f} MB; window {window}")
    begun = time.perf_counter()
    first = folder / "first.hubseg"
    count, most = run(command(path, first, window, folds), first)
    print(f"tiles: {count} computed of {asked} asked for, {time.perf_counter() - begun:.0f} s")
    print("peaks, GB:", ", ".join(f"{one / 1e9:.2f}" for one in sorted(most.values())[::-1]))
    made = read(first, window)
    print(f"covered: {100 * made.covered.mean():.1f} %", flush=True)

    second = folder / "second.hubseg"
    stop = random.Random(seed).randrange(1, asked)
    run(command(path, second, window, folds), second, kill_at=stop)
    time.sleep(2)  # whatever was not ours to kill ends by itself
    before = filed(second)
    count, _ = run(command(path, second, window, folds), second)
    after = filed(second)
    again = [one for one, written in before.items() if after[one] != written]
    other = read(second, window)
    equal = np.array_equal(made.probability.values, other.probability.values)
    print(
        f"killed with {len(before)} tiles there, {count} computed after, {len(after)} in all, "
        f"{len(again)} twice; map equal to the bit: {equal}",
        flush=True,
    )

    piece = in_one_piece(slide, window, folder, members, strides(layout))
    difference = np.abs(made.probability.values - piece)
    print("at seams:", within(difference, seams(layout, window)))
    print("everywhere:", within(difference, np.ones(difference.shape, np.bool_)))
    mixed = made.probability.values > 127
    print(f"px on the other side of threshold 127: {(mixed != (piece > 127)).mean():.2e}")
    stored = sum(one.stat().st_size for one in after)
    print(f"store: {stored / 1e6:.0f} MB for {len(after)} tiles")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=16_000, help="px of the slide")
    parser.add_argument("--window", default="3000,3000,10000,10000", help="of the region")
    parser.add_argument("--seed", type=int, default=0, help="of the tile at which it is killed")
    parser.add_argument("--folds", default="", help="of the ensemble; all by default")
    given = parser.parse_args()
    top, left, height, width = map(int, given.window.split(","))
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), given.side, (top, left, height, width), given.seed, given.folds)


if __name__ == "__main__":
    main()
