"""How well people who outline the same tissue agree: no honest network can do much better.

    python benchmarks/outline_agreement.py KIDNEY/train.csv

Tiles cut from one section often show the same tissue twice, outlined each time for itself. For each
tile, "another person's mask" is made: where other tiles show its tissue, what most of their
outlines say (in a tie the tile's own); elsewhere, where nobody else looked, its own. Its Dice with
the tile's own outlines is what somebody scores who is as good as another person where there was
one, and perfect everywhere else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.mask.boundary import boundary_distances
from hubseg.mask.metrics import dice
from hubseg.slide import SlideTable
from hubseg.slide.overlap import find_overlaps
from hubseg.slide.placement import offset_between
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.slide import Slide

HALF = 0.5


def shared(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Return the part of a tile that another one shows, `rows` below and `columns` right of it."""
    height, width = values.shape
    return values[max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)]


def placed(slides: Sequence[Slide]) -> Iterator[tuple[str, str, int, int]]:
    """Yield the pairs of tiles that show the same pixels, and where the second one lies."""
    of = {slide.id: slide for slide in slides}
    for pair in find_overlaps(slides):
        found = offset_between(of[pair.first], of[pair.second])
        if found is None:
            print(f"left out: {pair.first} and {pair.second}, not the same pixels anywhere")
            continue
        yield found.first, found.second, found.rows, found.columns


def mean_of(scores: Sequence[float]) -> str:
    """Say a mean with the interval of 95 of 100 resamplings, and the median."""
    got = np.array(scores)
    means = got[np.random.default_rng(0).integers(0, len(got), (10_000, len(got)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{got.mean():.3f} (95 % {low:.3f} to {high:.3f}), median {np.median(got):.3f}"


def distances(found: Sequence[NDArray[Any]]) -> str:
    """Say how far outlines lie from each other, px: all their pixels, and objects' medians."""
    every = np.percentile(np.concatenate(found), [25, 50, 75]).round(1)
    medians = np.percentile([np.median(one) for one in found], [25, 50, 75]).round(1)
    return (
        f"outlines apart by {every[1]} px (quartiles {every[0]} to {every[2]}); median of an "
        f"object's {medians[1]} px ({medians[0]} to {medians[2]})"
    )


def main() -> None:
    """Print how well the outlines of a table agree with each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    given = parser.parse_args()
    masks = {label.slide.id: label.mask() for label in labels_of(given.table)}
    votes = {name: np.zeros(mask.shape, np.int16) for name, mask in masks.items()}
    looked = {name: np.zeros(mask.shape, np.int16) for name, mask in masks.items()}
    pairs, apart = [], []
    for a, b, rows, columns in placed(SlideTable.open(given.table).slides):
        for own, other, y, x in ((a, b, rows, columns), (b, a, -rows, -columns)):
            shared(votes[own], y, x)[...] += shared(masks[other], -y, -x)
            shared(looked[own], y, x)[...] += 1
        first, second = shared(masks[a], rows, columns), shared(masks[b], -rows, -columns)
        if first.any() or second.any():
            pairs.append((first & second).sum() * 2 / (first.sum() + second.sum()))
            apart += boundary_distances(first, second)
    others = {
        name: np.where(looked[name] > 0, 2 * votes[name] + own > looked[name], own)
        for name, own in masks.items()
    }
    scores = {name: dice(others[name], own) for name, own in masks.items()}
    twice = {name: float((looked[name] > 0).mean()) for name in masks}
    again = [name for name in masks if twice[name] >= HALF]
    print(f"{len(pairs)} pairs of tiles: mean {mean_of(pairs)}")
    print(f"{len(apart)} pairs of objects there: {distances(apart)}")
    print(
        f"all {len(masks)} tiles, perfect where nobody else looked: {mean_of([*scores.values()])}"
    )
    print(f"{len(again)} tiles, half and more seen twice: {mean_of([scores[n] for n in again])}")
    for name in sorted(scores, key=scores.__getitem__)[:10]:
        print(f"  {name}: {scores[name]:.3f}, {twice[name]:.0%} of it seen twice")


if __name__ == "__main__":
    main()
