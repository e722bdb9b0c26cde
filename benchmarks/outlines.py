"""Masks as GeoJSON and back, beside a plain loop over objects, on equal results.

    python benchmarks/outlines.py [--objects 100000] [--holes 50000] [--formats]

Three masks of 3000 × 3000 px: the sample's real kidney, many small objects, one object with many
holes. The plain loop labels the objects, unites each one's runs of pixels with shapely, and dumps
the shapes with the json module; back, it asks shapely which centres of pixels lie in each shape.
Both ways end in the same mask, which is checked; ours also reads back what it wrote before it names
the file. Processor seconds of one run each, ours and plain in turns, and the largest memory of each
in a process of its own (Linux). With ``--formats`` every format of the registry follows the plain
loop and, for label images, a plain loop that looks for each label in turn; one that cannot hold a
mask's holes is left out for it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import shapely
import tifffile
from scipy.ndimage import find_objects

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.finding import images_in
from hubseg.formats.geojson import read_geojson, write_geojson
from hubseg.formats.registry import FORMATS
from hubseg.formats.rle import decode
from hubseg.recipe.bundled import sample_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 3000  # px


def kidney(_: int) -> NDArray[np.bool_]:
    csv.field_size_limit(sys.maxsize)
    with sample_table().open(newline="", encoding="utf-8") as stream:
        return decode(next(csv.DictReader(stream))["rle"], (SIDE, SIDE))


def objects(count: int) -> NDArray[np.bool_]:
    """Return a mask of about `count` L-shaped objects."""
    step = round(SIDE / count**0.5)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for row, column in ((0, 0), (1, 0), (2, 0), (2, 1), (2, 2)):
        mask[row::step, column::step] = True
    return mask


def holes(count: int) -> NDArray[np.bool_]:
    """Return a mask of one object with about `count` holes."""
    step = round(SIDE / count**0.5)
    mask = np.ones((SIDE, SIDE), np.bool_)
    mask[1:-1:step, 1:-1:step] = False
    return mask


def plain_write(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write each object as the union of its runs."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    features = []
    for label in range(1, count):
        left, top, width, height = stats[label, :4]
        inside = labels[top : top + height, left : left + width] == label
        steps = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        (rows, starts), (_, ends) = np.nonzero(steps == 1), np.nonzero(steps == -1)
        runs = shapely.box(left + starts, top + rows, left + ends, top + rows + 1)
        shape = json.loads(shapely.to_geojson(shapely.union_all(runs)))
        features.append({"type": "Feature", "geometry": shape, "properties": {}})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def plain_read(path: Path) -> NDArray[np.bool_]:
    """Ask of each shape which centres it holds."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for feature in json.loads(path.read_text())["features"]:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        left, top, right, bottom = (int(v) for v in shape.bounds)
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        mask[top:bottom, left:right] |= shapely.contains_xy(shape, x, y)
    return mask


def plain_labels_write(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write object numbers, each label looked for in its box."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    drawn = np.zeros(mask.shape, np.int32)
    for label in range(1, count):
        left, top, width, height = stats[label, :4]
        box = slice(top, top + height), slice(left, left + width)
        drawn[box][labels[box] == label] = label
    tifffile.imwrite(path, drawn, compression="zlib", tile=(512, 512))


def plain_labels_read(path: Path) -> NDArray[np.bool_]:
    """Look for each label in its box."""
    labels = tifffile.imread(path)
    mask = np.zeros(labels.shape, np.bool_)
    for number, box in enumerate(find_objects(labels), 1):
        mask[box] |= labels[box] == number
    return mask


def ours_write(path: Path, mask: NDArray[np.bool_]) -> None:
    write_geojson(path, mask, name="glomerulus")


def ours_read(path: Path) -> NDArray[np.bool_]:
    return read_geojson(path).mask(SIDE, SIDE)


MASKS = {"real kidney": kidney, "many objects": objects, "many holes": holes}
WAYS = {"ours": (ours_write, ours_read), "plain": (plain_write, plain_read)}
LABELS = {"plain labels": (plain_labels_write, plain_labels_read)}


def format_ways(name: str) -> tuple[Any, Any]:
    """Return what writes and reads a mask in a format."""
    form = FORMATS[name]

    def write(path: Path, mask: NDArray[np.bool_]) -> None:
        image = MaskedImage(mask, "a", "a.tiff", name="glomerulus")
        form.write(path, [image] if form.writes == "all" else image)

    def read(path: Path) -> NDArray[np.bool_]:
        return images_in(path)[1][0].mask(SIDE, SIDE)

    return write, read


def one(way: str, what: str, count: int) -> None:
    """Write and read one mask; print seconds and peak memory."""
    write, read = {**WAYS, **LABELS}.get(way) or format_ways(way)
    mask = MASKS[what](count)
    with tempfile.TemporaryDirectory() as folder:
        suffix = ".tif" if way in LABELS else ".geojson"
        path = Path(folder) / f"a{FORMATS[way].suffixes[0] if way in FORMATS else suffix}"
        start = time.process_time()
        write(path, mask)
        written = time.process_time()
        same = bool(np.array_equal(read(path), mask))
        done = time.process_time()
        files = path.rglob("*") if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files if file.is_file())
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    print(json.dumps([written - start, done - written, peak, size, same]))


def main() -> None:
    """Measure each mask each way, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--holes", type=int, default=50_000)
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0], given.one[1], int(given.one[2]))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    print("mask           way                  written  read back  peak MB  file MB  same")
    names = [one.name for one in FORMATS.values() if one.writes in ("slide", "all")]
    for what, count in (
        ("real kidney", 0),
        ("many objects", given.objects),
        ("many holes", given.holes),
    ):
        for way in ("plain", *LABELS, *names) if given.formats else WAYS:
            if way in FORMATS and what != "many objects" and not FORMATS[way].holes:
                continue
            command = [sys.executable, __file__, "--one", way, what, str(count)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            write, read, peak, size, same = json.loads(told)
            print(
                f"{what:14} {way:20} {write:8.2f} s {read:8.2f} s {peak / 1e6:8.0f} "
                f"{size / 1e6:8.1f}  {same}",
                flush=True,
            )


if __name__ == "__main__":
    main()
