"""Does doubt without a truth tell which slides are bad? Rank correlations on out-of-fold maps.

    python benchmarks/uncertainty.py [--maps FOLDER] [--weights DIR --folds folds.csv]

Every real tile is predicted only by its own fold's network, at every size and view of the recipe.
Each estimator sees those maps and no truth; its rank correlation with the true Dice is printed with
a 95 % bootstrap interval over tiles. All of them are listed, also those that are of no use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from _out_of_fold import Tile, options, tiles

from hubseg.mask.metrics import dice
from hubseg.probability.uncertainty import (
    agreement_with_mix,
    confidences,
    entropy,
    expected_dice,
    pairwise_agreement,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks; equal values share their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[where]


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def interval(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval over tiles."""
    random = np.random.default_rng(0)
    drawn = (random.integers(0, one.size, one.size) for _ in range(2000))
    low, high = np.percentile([rank_correlation(one[i], other[i]) for i in drawn], (2.5, 97.5))
    return float(low), float(high)


def spread(maps: Sequence[NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the standard deviation between maps (0-1) at each pixel of a slide, 0-255."""
    sides = (shape[1], shape[0])
    whole = np.stack([cv2.resize(one, sides, interpolation=cv2.INTER_LINEAR) for one in maps])
    return np.asarray(255 * whole.std(axis=0), np.float32)


def mean(values: NDArray[np.float32]) -> float:
    """Return the mean; 0 of nothing."""
    return float(values.mean()) if values.size else 0.0


def estimates(tile: Tile, threshold: float) -> dict[str, float | None]:
    """Return what each estimator says of a tile, without its truth; None where it cannot."""
    values = tile.probability.values
    mask = values > threshold
    sizes = [views.mean(axis=0) for views in tile.views]
    every = [view for views in tile.views for view in views]
    found = confidences(mask, values, threshold, sizes)
    areas = np.array([one.area for one in found], np.float64)
    of_sizes, of_views = (spread(maps, values.shape) for maps in (sizes, every))
    area = max(1, int(np.count_nonzero(mask)))
    near = np.abs(values - threshold) < 64
    sure = np.array([one.confidence for one in found])
    return {
        "expected Dice of the mix": expected_dice(values, threshold),
        "agreement with the mix of the others, sizes": agreement_with_mix(sizes, threshold),
        "agreement with the mix of the others, sizes and views": agreement_with_mix(
            every, threshold
        ),
        "pairwise agreement, sizes and views": pairwise_agreement(every, threshold),
        "minus disagreement of sizes": -mean(of_sizes),
        "minus disagreement of sizes in the mask": -mean(of_sizes[mask]),
        "minus disagreement of views": -mean(of_views),
        "minus disagreement of views in the mask": -mean(of_views[mask]),
        "minus disagreement of views per mask pixel": -float(of_views.sum()) / area,
        "minus entropy, all pixels": -float(entropy(values).mean()),
        "minus entropy per mask pixel": -float(entropy(values).sum()) / area,
        "minus undecided pixels per mask pixel": -float(np.count_nonzero(near)) / area,
        "objects' confidence, by area": float(np.average(sure, weights=areas)) if found else 1.0,
        "objects' confidence, the least": float(sure.min()) if found else 1.0,
        "control: area of the mask": float(mask.mean()),
        "control: number of objects": float(len(found)),
    }


def main() -> None:
    """Print the table."""
    given = options("doubt without a truth against the true Dice").parse_args()
    threshold, true = 127.0, []
    told: dict[str, list[float | None]] = {}
    for tile in tiles(given):
        true.append(dice(tile.probability.values > threshold, tile.truth))
        for name, value in estimates(tile, threshold).items():
            told.setdefault(name, []).append(value)
    scores = np.array(true)
    print(f"{scores.size} tiles, out-of-fold, threshold {threshold:g}: Dice {scores.mean():.4f}")
    print(f"{'rank correlation with the true Dice':56} {'rho':>6}  95 % interval")
    for name, values in told.items():
        if None in values or np.ptp(values) == 0:
            print(f"{name:56} says nothing here: one size, or the same of every tile")
            continue
        one = np.array(values)
        low, high = interval(one, scores)
        print(f"{name:56} {rank_correlation(one, scores):6.3f}  {low:.3f} to {high:.3f}")
    first = np.array(told["expected Dice of the mix"])
    print(f"expected Dice of the mix: mean {first.mean():.4f}, true mean {scores.mean():.4f}")
    worst = np.argsort(first)[: scores.size // 5]
    print(
        f"the fifth of the tiles with the lowest expected Dice has a true Dice of "
        f"{scores[worst].mean():.4f}, the others {np.delete(scores, worst).mean():.4f}"
    )


if __name__ == "__main__":
    main()
