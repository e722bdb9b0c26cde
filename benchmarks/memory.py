"""The memory that masks of a large slide take: each command in a process of its own, its peak.

    python benchmarks/memory.py [--side 20000]

A synthetic tiled TIFF of `side` × `side` px, and the maps of two members, put into the project's
store by hand: no network runs. Peak is the largest resident size of the command's process (Linux),
with Python, NumPy and OpenCV (about 0.1 GB) in it.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import tifffile

from hubseg.export import FORMATS
from hubseg.formats.rle import encode
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SCALE = 0.24  # of the bundled ensemble
TILE = 512
RECIPE = Recipe(
    name="by hand",
    folds=(0, 1),
    resolutions=(
        Resolution(
            scale=SCALE,
            members=(Entry(network=NetworkSpec(encoder="resnet18"), checkpoint="m_{fold}"),),
        ),
    ),
    cleanup={"kidney": {"fill_holes": 500, "min_area": 4000}},
)

CHILD = r"""
import re, sys
from hubseg.cli import main
code = main(sys.argv[1:])
# not getrusage: on Linux it also counts the process that started this one
peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
print("peak", peak, "code", code, file=sys.stderr)
"""


def hills(side: int, seed: int) -> NDArray[np.float32]:
    """Return a member's map, 0-1: round things of about 300 slide px, as glomeruli are."""
    rng = np.random.default_rng(seed)
    small = round(side * SCALE)
    cells = np.clip(rng.normal(-0.2, 0.7, (small // 40 + 2, small // 40 + 2)), -1, 2)
    made = cv2.resize(cells.astype(np.float32), (small, small), interpolation=cv2.INTER_CUBIC)
    return np.clip(made, 0, 1)


def tiles(side: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a stained noise, one after the other."""
    rng = np.random.default_rng(0)
    tile = rng.integers(120, 230, (TILE, TILE, 3), np.uint8)
    for _ in range((-(-side // TILE)) ** 2):
        yield tile


def project_of(folder: Path, side: int) -> tuple[Path, Path]:
    """Write the slide, its table with a truth, and a project with its maps."""
    (folder / "train_images").mkdir()
    tifffile.imwrite(
        folder / "train_images" / "large.tiff",
        tiles(side),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
    )
    truth = encode(cv2.resize(hills(side, 0), (side, side)) > 0.5)
    table = folder / "train.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "rle")
        )
        rows.writerow(("large", "kidney", "Hubmap", side, side, 0.5, truth))
    with ReviewProject.create(folder / "p.hubseg", SlideTable.open(table)) as project:
        slide, keys = project.slides()[0], []
        for member in RECIPE.members():
            key = f"{member.fold:016x}"
            MapStore(project.maps).put(key, MemberMap(hills(side, member.fold)))
            keys.append((member, key))
        record(project, "run", slide.id, RECIPE, keys, slide_digest=project.digest(slide))
    return folder / "p.hubseg", table


def measured(name: str, arguments: list[str]) -> None:
    """Run a command and print its peak."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=False
    )
    spent, said = time.perf_counter() - begun, done.stderr.splitlines()
    words = said[-1].split() if said else []
    if words[:1] != ["peak"] or words[-1] not in ("0", "None"):
        print(f"| {name} | failed: {' '.join(said[-3:])[:200]} | {spent:.0f} |", flush=True)
    else:
        print(f"| {name} | {int(words[1]) / 1e9:.2f} | {spent:.0f} |", flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=20_000, help="px")
    asked = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project, table = map(str, project_of(folder, asked.side))
        print(f"| {asked.side} x {asked.side} px | peak, GB | s |\n|---|---|---|")
        measured("mask", ["mask", project])
        for form in FORMATS:
            out = str(folder / form)
            measured(f"export {form}", ["export", project, "--format", form, "--out", out])
        measured("report", ["report", project, "--out", str(folder / "report.html")])
        measured("evaluate", ["evaluate", project, "--truth", table])


if __name__ == "__main__":
    main()
