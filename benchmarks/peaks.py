"""What a worker, a window and a published network take in memory: the peak of each one's process.

Peak is the largest resident size (VmHWM) of that process itself (Linux), without its children and
without the disk's cache; the load of the machine does not matter to it.

    python benchmarks/peaks.py [worker] [window] [network] [--side 20000] [--members 1]

worker: Dask's worker of the default engine on the CPU, recipe `demo`, on a 3000 × 3000 slide and on
a tiled one of `side` × `side` px, of which the first `members` networks run everywhere and all five
on 4096 × 4096 px; HUBSEG_CPU_ENGINE chooses torch or openvino. window: a real napari window on a
virtual screen, OpenGL in software, so that what a GPU would hold counts too. network: the published
recipe's largest networks, one view, float32, beside what `hubseg recipe info` estimates.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from _peaks_child import peak
from _peaks_slide import SMALL, write_slide

from hubseg.engine import Engine
from hubseg.recipe import Recipe
from hubseg.recipe.bundled import sample_folder, weights_folder
from hubseg.slide import read_slide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.engine.job import Window
    from hubseg.recipe import Member

PARTS = ("worker", "window", "network")
REGION = 4096  # px: side of a region that a large slide is divided into
NETWORKS = (
    ("tf_efficientnetv2_l_in21ft1k", 1472),  # the most parameters at the largest size
    ("tf_efficientnet_b7_ns", 1472),  # the most memory at the largest size
    ("convnext_large_384_in22ft1k", 1024),  # the most memory of all
)


def row(what: str, said: str, *more: str) -> None:
    """Print a row of the table."""
    print(f"| {' | '.join((what, said, *more))} |", flush=True)


def gigabytes(count: float) -> str:
    """Return bytes as GB."""
    return f"{count / 1e9:.2f}"


# ---- the worker ---------------------------------------------------------------------------------


def peak_of_worker(
    path: Path, folder: Path, members: Sequence[Member], window: Window | None = None
) -> tuple[int, int, int]:
    """Run networks on a slide in a worker of its own.

    Returns its peak, its peak before the run, and the peaks of nanny and scheduler together.
    """
    engine = Engine(folder, device="cpu")
    slide = replace(read_slide(path), um_per_px=0.5)
    try:
        engine.client().wait_for_workers(1)
        engine.get_ready()
        (process,) = engine.client().run(os.getpid).values()
        before = peak(process)
        given = [slide], Recipe.load("demo"), [weights_folder()]
        for update in engine.run(*given, members=members, window=window):
            last = update
        if not last.finished:
            raise RuntimeError(f"The run on {path} did not end: {last.message}")
        (nanny,) = engine.client().run(os.getpid, nanny=True).values()
        scheduler = engine.client().run_on_scheduler(os.getpid)
        return peak(process), before, peak(nanny) + peak(scheduler)
    finally:
        engine.unload()


def workers(folder: Path, large: Path, side: int, count: int) -> None:
    """Print the peaks of workers."""
    members = Recipe.load("demo").members()
    window = (side // 4, side // 4, REGION, REGION)
    cases = {
        "3000 x 3000, 5 networks": (SMALL, members, None),
        f"{side} x {side}, {count} of 5 networks": (large, members[:count], None),
        f"{side} x {side}, a region of {REGION} px, 5 networks": (large, members, window),
    }
    print(f"engine: {os.environ.get('HUBSEG_CPU_ENGINE') or 'auto'}")
    print("| worker | peak, GB | before the run | nanny and scheduler |\n|---|---|---|---|")
    for number, (what, (path, chosen, part)) in enumerate(cases.items()):
        row(what, *map(gigabytes, peak_of_worker(path, folder / f"maps{number}", chosen, part)))


# ---- processes of their own ---------------------------------------------------------------------


def child(*words: str) -> list[str]:
    """Run a measurement in a process of its own; return the lines that it printed."""
    script = Path(__file__).with_name("_peaks_child.py")
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"| {' '.join(words)[:60]} | failed: {done.stderr[-400:]} |", flush=True)
    return done.stdout.splitlines()


def windows(folder: Path, flat: Path, pyramid: Path, side: int) -> None:
    """Print the peak of a window's process up to each step."""
    print("| window | peak up to here, GB | resident after it |\n|---|---|---|")
    cases = {
        "3000 x 3000": ("small", str(sample_folder() / "train.csv")),
        f"{side} x {side}, a pyramid": ("large", str(pyramid)),
        f"{side} x {side}, one level": ("large", str(flat)),
    }
    for number, (what, words) in enumerate(cases.items()):
        for line in child("window", *words, str(folder / f"window{number}.hubseg")):
            step, most, now = line.split("\t")
            row(f"{what}: {step}", gigabytes(int(most)), gigabytes(int(now)))


def networks(folder: Path) -> None:
    """Print what published networks take, beside the estimate."""
    print("| network, px | peak, GB | run alone | estimate | run alone |\n|---|---|---|---|---|")
    for encoder, size in NETWORKS:
        file = folder / "checkpoint"
        child("checkpoint", encoder, str(size), str(file))
        for line in child("network", encoder, str(size), str(file), str(SMALL)):
            numbers = map(float, line.split("\t"))
            row(f"{encoder}, {size}", *map(gigabytes, numbers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--side", type=int, default=20_000, help="px of the large slide")
    parser.add_argument("--members", type=int, default=1, help="networks run on all of it")
    asked = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    parts = asked.parts or PARTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flat, pyramid = folder / "flat.tif", folder / "pyramid.tif"
        if "network" in parts:
            networks(folder)
        if {"worker", "window"} & set(parts):
            write_slide(flat, asked.side)
        if "window" in parts:
            write_slide(pyramid, asked.side, levels=3)
            windows(folder, flat, pyramid, asked.side)
        if "worker" in parts:
            workers(folder, flat, asked.side, asked.members)


if __name__ == "__main__":
    main()
