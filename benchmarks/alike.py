"""How well *All like this* offers: false objects of real tiles, one of them decided about.

    python benchmarks/alike.py [--threshold 20] [--seed 0]

Maps are out of fold: each tile by the one network that never saw it. At a low threshold each tile
has objects that are no glomeruli. One of them is removed, perhaps a true one is kept, and what is
offered then is compared with the truth: on the same tile, and on all other tiles. Which slider
is the usual one is chosen on one half of the tiles and judged on the other.
"""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from _out_of_fold import options, tiles

from hubseg.tools.alike import USUAL, Likeness
from hubseg.tools.looks import Looks, Seen, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _out_of_fold import Tile

    from hubseg.tools.alike import Decision

    Judge = Callable[[Likeness, Looks], np.ndarray[Any, Any]]

LEAST_PX = 100  # smaller ones go with "Remove all smaller"
FALSE, TRUE = 0.1, 0.5  # share of an object that is true tissue: below, above; others do not count
CASES = {"1 removed": (1, 0), "1 removed, 1 kept": (1, 1), "2 removed, 1 kept": (2, 1)}


@dataclass(frozen=True)
class Measured:
    """The objects of a tile, and the share of each that is true."""

    looks: Looks
    share: np.ndarray[Any, Any]

    @classmethod
    def of(cls, tile: Tile, threshold: float) -> Measured:
        """Measure the objects of a tile that are at least 100 px large."""
        found = tile.probability
        mask = found.values > threshold
        pieces = [piece for piece in pieces_of(mask) if piece.area >= LEAST_PX]
        seen = Seen(tile.slide.read(), found.values, found.disagreement, tile.slide.um_per_px)
        share = [_share(tile.truth, piece.window, piece.inside) for piece in pieces]
        return cls(Looks.of(pieces, mask, seen), np.array(share))

    @property
    def false(self) -> np.ndarray[Any, Any]:
        """Numbers of the objects that are none."""
        return np.flatnonzero(self.share < FALSE)

    @property
    def true(self) -> np.ndarray[Any, Any]:
        """Numbers of the objects that are one."""
        return np.flatnonzero(self.share > TRUE)

    def only(self, chosen: Any) -> Looks:
        """Return some of the objects."""
        picked = [int(i) for i in chosen]
        return Looks(tuple(self.looks.pieces[i] for i in picked), self.looks.values[picked])

    def without(self, *gone: Any) -> np.ndarray[Any, Any]:
        """Return the numbers of the other objects."""
        left = set(range(len(self.share))) - {int(i) for one in gone for i in one}
        return np.array(sorted(left), int)


@dataclass(frozen=True)
class Trial:
    """One decision: of each object that may be offered how alike it is, and whether it should be.

    Attributes
    ----------
    tile
        Number of the tile that it was made on.
    """

    tile: int
    alike: np.ndarray[Any, Any]
    right: np.ndarray[Any, Any]

    def gestures(self, least: float) -> int:
        """Count what is left to do by hand after taking the offer, and taking it."""
        taken = self.alike >= least
        return int(taken.any()) + int((taken != self.right).sum())


def _share(truth: Any, window: Any, inside: Any) -> float:
    top, left, height, width = window
    return float(truth[top : top + height, left : left + width][inside].mean())


def decided(
    measured: list[Measured], how: Decision, asked: tuple[int, int], seed: int
) -> Iterator[tuple[int, Any, Any]]:
    """Yield tile, and the objects decided so and otherwise, for each object that may come first."""
    rng = np.random.default_rng(seed)
    for number, one in enumerate(measured):
        so, other = (one.false, one.true) if how == "drop" else (one.true, one.false)
        if len(so) < asked[0] or len(other) < asked[1]:
            continue
        for first in so:
            more = rng.choice(so[so != first], asked[0] - 1, replace=False)
            yield number, np.append(more, first), rng.choice(other, asked[1], replace=False)


def trials(
    measured: list[Measured],
    how: Decision,
    asked: tuple[int, int],
    seed: int,
    judge: Judge,
    *,
    elsewhere: bool = False,
) -> list[Trial]:
    """Decide on a tile, and judge the rest of it, or all other tiles."""
    made = []
    for number, so, other in decided(measured, how, asked, seed):
        here = measured[number]
        rest = here.without(so, other)
        given = here.only(so), here.only(other), here.only(rest)
        likeness = Likeness.of(how, *given)
        others = [one for i, one in enumerate(measured) if i != number]
        where = [(one, one.without(())) for one in others] if elsewhere else [(here, rest)]
        parts = [
            (judge(likeness, one.only(ids))[clear], one.share[ids][clear])
            for one, ids in where
            for clear in [(one.share[ids] < FALSE) | (one.share[ids] > TRUE)]
        ]
        alike = np.concatenate([part for part, _ in parts])
        share = np.concatenate([part for _, part in parts])
        right = share < FALSE if how == "drop" else share > TRUE
        if len(alike):
            made.append(Trial(number, alike, right))
    return made


# ---- ways to judge, the one in use first -------------------------------------------------------


def nearest(likeness: Likeness, looks: Looks) -> np.ndarray[Any, Any]:
    """Judge by the nearest object of each decision instead of their mean."""

    def far(known: Any) -> Any:
        single = [replace(likeness, so=row[None], against=likeness.so[:0]) for row in known]
        return np.min([-np.log(np.maximum(one.judge(looks), 1e-12)) for one in single], axis=0)

    if not len(likeness.against):
        return np.exp(-far(likeness.so))
    near, away = far(likeness.so), far(likeness.against)
    return away / np.maximum(near + away, 1e-12)


def alone(likeness: Likeness, looks: Looks) -> np.ndarray[Any, Any]:
    """Judge by the distance to what was decided so, and nothing else."""
    return replace(likeness, against=likeness.so[:0]).judge(looks)


def ridge(likeness: Likeness, looks: Looks) -> np.ndarray[Any, Any]:
    """Judge by a ridge regression on both kinds of decisions, from 0 to 1 between them."""
    if not len(likeness.against):
        return alone(likeness, looks)
    scale = np.sqrt(likeness.weights) / likeness.spread
    known = np.concatenate([likeness.so, likeness.against]) * scale
    said = np.r_[np.ones(len(likeness.so)), np.zeros(len(likeness.against))]
    middle, mean = known.mean(axis=0), said.mean()
    kernel = (known - middle) @ (known - middle).T + np.eye(len(known))
    slope = (known - middle).T @ np.linalg.solve(kernel, said - mean)
    fitted, got = (known - middle) @ slope, (looks.values * scale - middle) @ slope
    low, high = fitted[said == 0].max(), fitted[said == 1].min()
    return np.asarray(np.clip((got - low) / max(high - low, 1e-12), 0.0, 1.0))


WAYS: dict[str, Judge] = {
    "means (in use)": lambda likeness, looks: likeness.judge(looks),
    "nearest": nearest,
    "ridge": ridge,
    "what was decided so, alone": alone,
}


# ---- what comes of it --------------------------------------------------------------------------


def counts(some: list[Trial], least: float) -> tuple[int, int, int]:
    """Return how many were offered rightly, offered, and should have been."""
    taken = [one.alike >= least for one in some]
    right = sum(int((t & one.right).sum()) for t, one in zip(taken, some, strict=True))
    return right, sum(int(t.sum()) for t in taken), sum(int(one.right.sum()) for one in some)


def chosen(some: list[Trial]) -> float:
    """Return the slider with the best F0.5: a wrong offer costs more than a missed one."""

    def score(least: float) -> float:
        right, offered, wanted = counts(some, least)
        return 1.25 * right / max(offered + 0.25 * wanted, 1e-9)

    return max(np.round(np.arange(0.05, 1.0, 0.01), 2), key=score)


def held_out(some: list[Trial]) -> tuple[float, float, tuple[float, float]]:
    """Return precision and recall of each half at the slider that the other half chose."""
    halves = [[one for one in some if one.tile % 2 == side] for side in (0, 1)]
    sliders = chosen(halves[1]), chosen(halves[0])
    sums = np.sum([counts(half, at) for half, at in zip(halves, sliders, strict=True)], axis=0)
    return sums[0] / max(sums[1], 1), sums[0] / max(sums[2], 1), sliders


def told(name: str, some: list[Trial]) -> dict[str, Any]:
    """Print one line about trials, and return it."""
    right, offered, wanted = counts(some, USUAL)
    precision, recall, sliders = held_out(some)
    one_by_one = sum(int(one.right.sum()) for one in some)
    with_offer = sum(one.gestures(USUAL) for one in some)
    best = sum(min(one.gestures(at) for at in np.arange(0, 1.02, 0.02)) for one in some)
    line = {
        "decisions": len(some),
        "precision": round(right / max(offered, 1), 3),
        "recall": round(right / max(wanted, 1), 3),
        "held_out_precision": round(precision, 3),
        "held_out_recall": round(recall, 3),
        "sliders": [round(float(at), 2) for at in sliders],
        "by_hand": one_by_one,
        "with_offer": with_offer,
        "best_slider": best,
    }
    print(
        f"{name:44s} {len(some):4d}  P {line['precision']:.2f} R {line['recall']:.2f}  "
        f"held out P {precision:.2f} R {recall:.2f} at {sliders[0]:.2f}/{sliders[1]:.2f}  "
        f"gestures {one_by_one} -> {with_offer} (best slider {best})"
    )
    return line


def per_decision(some: list[Trial]) -> dict[str, float]:
    """Say how precision spreads over decisions; those that offer nothing are counted apart."""
    found = [counts([one], USUAL) for one in some]
    shares = [right / offered for right, offered, _ in found if offered]
    good = sum(share >= 0.9 for share in shares) / max(len(shares), 1)
    print(
        f"  per decision: median precision {statistics.median(shares):.2f}, at least 0.9 for "
        f"{100 * good:.0f} %; {len(found) - len(shares)} of {len(found)} offer nothing"
    )
    return {"median": statistics.median(shares), "good": good}


def main() -> None:
    """Measure."""
    parser = options(__doc__ or "")
    parser.add_argument("--threshold", type=float, default=20.0, help="0-255; low has false ones")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    measured = [Measured.of(tile, given.threshold) for tile in tiles(given)]
    false, true = (sum(len(getattr(one, name)) for one in measured) for name in ("false", "true"))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{len(measured)} tiles, threshold {given.threshold:.0f}: {false} false, {true} true")
    print(f"slider {USUAL}, load {load:.1f}")
    said: dict[str, Any] = {"false": false, "true": true, "load": load}
    usual = WAYS["means (in use)"]
    for name, asked in CASES.items():
        for way, judge in WAYS.items():
            made = trials(measured, "drop", asked, given.seed, judge)
            said[f"here, {name}, {way}"] = told(f"here, {name}: {way}", made)
    for name, asked in CASES.items():
        made = trials(measured, "drop", asked, given.seed, usual, elsewhere=True)
        said[f"elsewhere, {name}"] = told(f"elsewhere, {name}", made)
        said[f"elsewhere, {name}, each"] = per_decision(made)
    for name, asked in {"1 kept": (1, 0), "1 kept, 1 removed": (1, 1)}.items():
        made = trials(measured, "keep", asked, given.seed, usual)
        said[f"keep, {name}"] = told(f"keep here, {name}", made)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
