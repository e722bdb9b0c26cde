"""How far the bundled networks' outlines lie from the true ones, out-of-fold, in px of the tiles.

    python benchmarks/boundary.py

Each tile is predicted by the one network that never saw its tissue (at 127, no minimum area);
distances both ways between objects and their partners (IoU above one half).
"""

from __future__ import annotations

import csv

import numpy as np
from _out_of_fold import options, tiles
from outline_agreement import distances

from hubseg.mask.boundary import boundary_distances

THRESHOLD = 127


def main() -> None:
    """Measure and print."""
    given = options((__doc__ or "").partition("\n")[0])
    asked = given.parse_args()
    with (asked.folds or asked.weights / "folds.csv").open(newline="") as file:
        shares = {row["id"] for row in csv.DictReader(file) if row["overlaps"]}
    found = {}
    for tile in tiles(asked):
        mask = tile.probability.values > THRESHOLD
        found[tile.slide.id] = boundary_distances(mask, tile.truth)
    for named, chosen in (
        ("all", found.keys()),
        ("that share tissue", found.keys() & shares),
        ("that share none", found.keys() - shares),
    ):
        own = [found[name] for name in chosen]
        each = [np.median(np.concatenate(one)) for one in own if one]
        middle = np.percentile(each, [25, 50, 75]).round(1)
        objects = [one for tile in own for one in tile]
        print(
            f"{len(own)} tiles, {named}: {len(objects)} objects, {distances(objects)}; median of "
            f"a tile's {middle[1]} px ({middle[0]} to {middle[2]}), {len(each)} tiles"
        )


if __name__ == "__main__":
    main()
