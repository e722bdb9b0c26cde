"""Is a promise kept? Real kidney tiles, split at random to choose and to count.

Out-of-fold maps of the bundled ensemble. Of each number of slides that may choose: the threshold,
how far it lies below the calibrated one, how often the promise held on the slides left over (the
mean over splits), and what it cost.

    python benchmarks/guarantee.py [--splits N] [--missed PERCENT] [--in-slides PERCENT]

Real tiles are looked for in HUBSEG_TEST_DATA.
"""

from __future__ import annotations

import numpy as np
from _out_of_fold import options, tiles
from scipy.stats import binom

from hubseg.thresholds.calibration import Judged, calibrate
from hubseg.thresholds.curves import Tally
from hubseg.thresholds.guarantee import Promise, guarantee, highest_that_keeps


def main() -> None:
    """Split, choose, count and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--missed", type=float, default=10)
    parser.add_argument("--in-slides", type=float, default=90)
    given = parser.parse_args()
    promise = Promise(given.missed / 100, given.in_slides / 100)
    judged = []
    for tile in tiles(given):
        organ, source = tile.slide.organ, tile.slide.source
        if organ is None or source is None:
            raise SystemExit(f"{tile.slide.id} has no organ or source in its table.")
        tally = Tally.of(tile.probability.values, tile.truth)
        judged.append(Judged(tile.slide.id, organ, source, tally, tile.fold))
    best = calibrate(judged).threshold
    print(f"{len(judged)} tiles, best threshold {best}; {promise}")
    whole = guarantee(judged, promise)
    print(
        f"all of them: {whole.threshold}, held out {whole.held_out:.3f}, recall "
        f"{whole.recall:.3f}, precision {whole.precision:.3f}"
    )
    print("slides | threshold (range) | margin | kept, mean | splits below | precision, recall")
    random = np.random.default_rng(0)
    for count in (9, 15, 19, 29, 50, 75):
        _row(
            judged,
            promise,
            count,
            best,
            [random.permutation(len(judged)) for _ in range(given.splits)],
        )


def _row(
    judged: list[Judged], promise: Promise, count: int, best: int, orders: list[np.ndarray]
) -> None:
    """Print what a number of slides that choose gives."""
    chosen, kept, short, precision, recall = [], [], 0, [], []
    for order in orders:
        try:
            found = guarantee([judged[i] for i in order[:count]], promise)
        except ValueError:  # too many blind maps among them: no promise was made
            continue
        rest = [judged[i].tally for i in order[count:]]
        held = [highest_that_keeps(one, promise.missed) >= found.threshold for one in rest]
        chosen.append(found.threshold)
        kept.append(float(np.mean(held)))
        short += sum(held) < binom.ppf(0.025, len(rest), promise.slides)
        precision.append(np.mean([one.precision()[found.threshold] for one in rest]))
        recall.append(np.mean([one.recall()[found.threshold] for one in rest]))
    low, middle, high = np.percentile(chosen, (2.5, 50, 97.5))
    print(
        f"{count} | {middle:.0f} ({low:.0f}-{high:.0f}) | {best - middle:.0f} | "
        f"{np.mean(kept):.3f} | {short} of {len(kept)} | {np.mean(precision):.3f}, "
        f"{np.mean(recall):.3f}"
    )


if __name__ == "__main__":
    main()
