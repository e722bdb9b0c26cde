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

import cv2
import numpy as np

from hubseg.mask.metrics import dice
from hubseg.slide import SlideTable
from hubseg.slide.overlap import find_overlaps
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.slide import Slide

SAME = (
    0.5  # correlation of two tiles' grey values in their shared part: the same pixels, re-encoded
)
LEAST = 0.05  # share of a tile
HALF = 0.5


def shift_between(
    one: NDArray[np.float32], two: NDArray[np.float32]
) -> tuple[int, int, float] | None:
    """Return where `two` lies on `one`, rows and columns, and how alike they are there."""
    height, width = one.shape
    spectra = [np.fft.rfft2(x - x.mean(), s=(2 * height, 2 * width)) for x in (one, two)]
    cross = spectra[0] * np.conj(spectra[1])
    found = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=(2 * height, 2 * width))
    best = None
    for place in np.argsort(found, axis=None)[-5:][::-1]:
        rows, columns = (int(v) for v in np.unravel_index(place, found.shape))
        rows -= 2 * height if rows > height else 0
        columns -= 2 * width if columns > width else 0
        a, b = shared(one, rows, columns), shared(two, -rows, -columns)
        if a.size < LEAST * one.size:
            continue
        alike = float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        if best is None or alike > best[2]:
            best = rows, columns, alike
    return best


def shared(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Return the part of a tile that another one shows, `rows` below and `columns` right of it."""
    height, width = values.shape
    return values[max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)]


def placed(slides: Sequence[Slide]) -> Iterator[tuple[str, str, int, int]]:
    """Yield the pairs of tiles that show the same pixels, and where the second one lies."""
    grey = {s.id: cv2.cvtColor(s.read(), cv2.COLOR_RGB2GRAY).astype(np.float32) for s in slides}
    for pair in find_overlaps(slides):
        a, b = pair.first, pair.second
        found = shift_between(grey[a], grey[b]) if grey[a].shape == grey[b].shape else None
        if found is None or found[2] < SAME:
            print(f"left out: {a} and {b}, which are not the same pixels anywhere")
            continue
        yield a, b, found[0], found[1]


def mean_of(scores: Sequence[float]) -> str:
    """Say a mean with the interval of 95 of 100 resamplings, and the median."""
    got = np.array(scores)
    means = got[np.random.default_rng(0).integers(0, len(got), (10_000, len(got)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{got.mean():.3f} (95 % {low:.3f} to {high:.3f}), median {np.median(got):.3f}"


def main() -> None:
    """Print how well the outlines of a table agree with each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    given = parser.parse_args()
    masks = {label.slide.id: label.mask() for label in labels_of(given.table)}
    votes = {name: np.zeros(mask.shape, np.int16) for name, mask in masks.items()}
    looked = {name: np.zeros(mask.shape, np.int16) for name, mask in masks.items()}
    pairs = []
    for a, b, rows, columns in placed(SlideTable.open(given.table).slides):
        for own, other, y, x in ((a, b, rows, columns), (b, a, -rows, -columns)):
            shared(votes[own], y, x)[...] += shared(masks[other], -y, -x)
            shared(looked[own], y, x)[...] += 1
        first, second = shared(masks[a], rows, columns), shared(masks[b], -rows, -columns)
        if first.any() or second.any():
            pairs.append((first & second).sum() * 2 / (first.sum() + second.sum()))
    others = {
        name: np.where(looked[name] > 0, 2 * votes[name] + own > looked[name], own)
        for name, own in masks.items()
    }
    scores = {name: dice(others[name], own) for name, own in masks.items()}
    twice = {name: float((looked[name] > 0).mean()) for name in masks}
    again = [name for name in masks if twice[name] >= HALF]
    print(f"{len(pairs)} pairs of tiles: mean {mean_of(pairs)}")
    print(
        f"all {len(masks)} tiles, perfect where nobody else looked: {mean_of([*scores.values()])}"
    )
    print(f"{len(again)} tiles, half and more seen twice: {mean_of([scores[n] for n in again])}")
    for name in sorted(scores, key=scores.__getitem__)[:10]:
        print(f"  {name}: {scores[name]:.3f}, {twice[name]:.0%} of it seen twice")


if __name__ == "__main__":
    main()
