"""Which slide validates which fold: stratified by organ and source, seeded, written as a table.

Responsible for the assignment only; does not read pixels.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hubseg.slide import Slide

__all__ = ["assign_folds", "write_folds"]


def assign_folds(slides: Sequence[Slide], count: int, *, seed: int = 0) -> dict[str, int]:
    """Assign each slide the fold whose network never sees it.

    Every organ × source is spread evenly over the folds; within one, the order is random but fixed
    by `seed`.

    Returns
    -------
    Slide id → fold, 0 to count - 1.

    Raises
    ------
    ValueError
        When there are fewer slides than folds.
    """
    if len(slides) < count:
        raise ValueError(
            f"{count} folds need at least {count} labelled slides, and there are {len(slides)}: "
            "label more or ask for fewer folds."
        )
    strata: dict[tuple[str, str], list[str]] = {}
    for slide in slides:
        strata.setdefault((str(slide.organ), str(slide.source)), []).append(slide.id)
    random = np.random.default_rng(seed)
    folds: dict[str, int] = {}
    dealt = 0
    for stratum in sorted(strata):
        ids = sorted(strata[stratum])
        for index in random.permutation(len(ids)):
            folds[ids[index]] = dealt % count
            dealt += 1
    return folds


def write_folds(path: Path, folds: Mapping[str, int]) -> None:
    """Write the assignment as a CSV with the columns id and fold."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "fold"])
        writer.writerows(sorted(folds.items()))
