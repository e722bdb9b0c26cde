"""Folds as a table on disk.

Responsible for one CSV. Does not decide who is in which fold (:mod:`hubseg.slide.folds`).
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from hubseg.slide.cells import plain_row, safe_row
from hubseg.slide.folds import Folds

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_folds", "write_folds"]

HELD_OUT = "held out"
NONE = "none"  # a slide that trains, and that no fold can judge


def write_folds(path: Path, folds: Folds) -> None:
    """Write the plan as a CSV: id, fold, group, folds it does not train, slides it overlaps.

    Ids are separated by ``/``, which no id holds.
    """
    count = max(folds.of.values(), default=-1) + 1
    never = {fold: folds.left_out(fold) for fold in range(count)}
    beside: dict[str, list[str]] = {}
    for a, b in sorted(folds.overlaps):
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "fold", "group", "does_not_train", "overlaps"])
        for name in sorted({*folds.known, *beside}):
            skips = [str(fold) for fold in range(count) if name in never[fold]]
            fold = folds.of.get(name, "")
            fold = HELD_OUT if name in folds.held_out else fold
            fold = NONE if name in folds.unjudged else fold
            group = folds.group.get(name, "")
            others = "/".join(beside.get(name, []))
            writer.writerow(safe_row([name, fold, group, " ".join(skips), others]))


def read_folds(path: Path) -> Folds:
    """Read what :func:`write_folds` wrote.

    Raises
    ------
    ValueError
        When it is no such table.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(map(plain_row, csv.DictReader(file)))
    try:
        return Folds(
            of={r["id"]: int(r["fold"]) for r in rows if r["fold"] not in {HELD_OUT, NONE, ""}},
            group={r["id"]: int(r["group"]) for r in rows if r["group"]},
            held_out=frozenset(r["id"] for r in rows if r["fold"] == HELD_OUT),
            overlaps=frozenset(
                (min(r["id"], o), max(r["id"], o))
                for r in rows
                for o in filter(None, r["overlaps"].split("/"))
            ),
            unjudged=frozenset(r["id"] for r in rows if r["fold"] == NONE),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is not the fold table of a training ({error}): train into another folder."
        ) from error
