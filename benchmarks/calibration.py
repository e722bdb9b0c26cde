"""The calibrated threshold of the real kidney tiles, out-of-fold, against 127 and 90.

    python benchmarks/calibration.py [--maps DIR] [--weights DIR --folds folds.csv] [--figure PNG]

Held out: each tile is judged at the value that the other folds chose, on a map of a network that
never saw it. That is what calibrating promises for the next slide of the same kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
from _out_of_fold import options, tiles

from hubseg.organ import DataSource, Organ
from hubseg.thresholds.calibration import Judged, Objective, calibrate
from hubseg.thresholds.curves import Tally

PUBLISHED, MIDDLE = 90, 127


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """Return a mean difference with its 95 % bootstrap interval over tiles, paired."""
    gap = one - other
    drawn = np.random.default_rng(0).integers(0, gap.size, (4000, gap.size))
    low, high = np.percentile(gap[drawn].mean(axis=1), (2.5, 97.5))
    return f"{gap.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def main() -> None:
    """Print the figures, and draw the curve where asked for."""
    parser = options("calibrated threshold of the real tiles, out-of-fold")
    parser.add_argument("--figure", type=Path, help="draw the curve into this PNG or PDF")
    given = parser.parse_args()
    kind = Organ.KIDNEY, DataSource.HUBMAP
    judged = [
        Judged(tile.slide.id, *kind, Tally.of(tile.probability.values, tile.truth), tile.fold)
        for tile in tiles(given)
    ]
    curves = np.array([one.tally.dice() for one in judged])
    for objective in get_args(Objective):
        found = calibrate(judged, objective=objective)
        print(
            f"{objective} Dice, {found.slides} tiles: best {found.threshold} (95 % "
            f"{found.threshold_interval[0]}-{found.threshold_interval[1]}), Dice {found.dice:.4f} "
            f"(95 % {found.dice_interval[0]:.4f}-{found.dice_interval[1]:.4f}); held out "
            f"{found.held_out:.4f}; at {MIDDLE} {found.curve[MIDDLE]:.4f}, at {PUBLISHED} "
            f"{found.curve[PUBLISHED]:.4f}; chosen by the other folds: "
            f"{', '.join(map(str, found.fold_thresholds.values()))}"
        )
        if objective == "mean":
            own = np.array([found.fold_thresholds[one.fold or 0] for one in judged])
            held_out = curves[np.arange(len(judged)), own]
            for fixed in (MIDDLE, PUBLISHED):
                print(f"held out against {fixed}: {difference(held_out, curves[:, fixed])}")
            if given.figure is not None:
                from hubseg.evaluation.figures import curve_figure

                curve_figure(found, now=MIDDLE).savefig(given.figure, dpi=150)


if __name__ == "__main__":
    main()
