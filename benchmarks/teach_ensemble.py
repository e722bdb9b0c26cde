"""Teaching all five networks: the real sample slide, which none of them saw, in another stain.

    python benchmarks/teach_ensemble.py [--shift macenko]

Its four quarters, each under the shift, as a project of their own. The bundled ensemble is run on
them with all its views. One after another is corrected to its truth and accepted, ``hubseg teach``
is run, and the others are judged as ``hubseg evaluate`` would, before anybody drew on them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from _unseen import shifts
from teach_or_retrain import write

from hubseg.cli import main as hubseg
from hubseg.formats.rle import decode
from hubseg.mask.metrics import dice
from hubseg.project import ReviewProject
from hubseg.project.derived import masks_of
from hubseg.project.newest import newest_map
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 1500  # px of a quarter


def quarters(data: Path, shift: str, folder: Path) -> Path:
    """Write the quarters under a shift; return their table."""
    change = shifts(data / "kidney")[shift]
    table = SlideTable.open(data / "kidney_real_sample" / "train.csv")
    slide = table.slides[0]
    pixels, truth = slide.read(), decode(table.truth[slide.id], (slide.height, slide.width))
    made = {}
    for number in range(4):
        top, left = number // 2 * SIDE, number % 2 * SIDE
        window = slice(top, top + SIDE), slice(left, left + SIDE)
        own = np.ascontiguousarray(pixels[window])
        made[f"quarter_{number}"] = change(own), np.ascontiguousarray(truth[window])
    return write(folder, "quarters", made)


def accept(path: Path, name: str, truth: NDArray[np.bool_]) -> None:
    """Correct a slide to its truth, both sides, and accept it."""
    session = ReviewSession(author="benchmark")
    session.open(path)
    session.go_to(name)
    found = newest_map(session.project, session.current)
    session.show(found)
    mask = session.mask_now()
    for region, add in ((truth & ~mask, True), (mask & ~truth, False)):
        if region.any():
            session.paint(region, top=0, left=0, add=add)
    session.mask_now()
    session.accept()
    session.close()


def judged(path: Path, truths: dict[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Return the Dice of every slide's mask as it stands."""
    with ReviewProject.for_reading(path) as project:
        masks = {s.id: next(iter(masks_of(project, s).values())) for s in project.slides()}
    return {name: dice(masks[name], truth) for name, truth in truths.items()}


def main() -> None:
    """Measure, and print a row for each number of accepted quarters."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shift", default="macenko")
    root = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=os.environ.get("HUBSEG_TEST_DATA", root))
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = quarters(given.data, given.shift, folder)
        path = folder / "p.hubseg"
        opened = SlideTable.open(table)
        shape = SIDE, SIDE
        truths = {one.id: decode(opened.truth[one.id], shape) for one in opened.slides}
        hubseg(["predict", str(table), "--project", str(path), "--device", "cpu"])
        print(given.shift, {one: round(value, 4) for one, value in judged(path, truths).items()})
        left = dict(truths)
        for one in list(truths)[:-1]:
            accept(path, one, left.pop(one))
            hubseg(["teach", str(path), "--device", "cpu"])
            found = judged(path, left)
            print(f"{one} accepted:", {one: round(value, 4) for one, value in found.items()})


if __name__ == "__main__":
    main()
