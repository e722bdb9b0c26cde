"""What a folder holds of a training: nothing, one that can go on, or one that is done.

Responsible for reading what ``hubseg train`` left there. Changes nothing, and knows no session.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from hubseg.recipe import Recipe
from hubseg.slide.cells import plain_cell

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "RECIPE",
    "Begun",
    "Learning",
    "Losses",
    "begun",
    "concluded",
    "earlier",
    "held",
    "next_folder",
]

RECIPE, _DONE, _START = "recipe.yaml", "provenance.json", "start.json"

Losses = dict[int, list[tuple[int, float]]]
"""Number of the network, from 1 → steps with their losses."""


@dataclass(frozen=True)
class Begun:
    """A training that can go on.

    Attributes
    ----------
    recipe
        Its name, its folds and its steps.
    members
        Networks.
    losses
        What it had reported.
    """

    recipe: tuple[str, int, int]
    members: int
    losses: Losses = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.losses:
            return "This folder holds a training that was stopped: it can go on."
        number, curve = max(self.losses.items())
        return (
            f"Stopped at network {number} of {self.members}, step {curve[-1][0]} of "
            f"{self.recipe[2]}."
        )


def held(folder: Path) -> str:
    """Return what a folder holds of a training: "", "unfinished" or "finished"."""
    if not (folder / RECIPE).is_file() or not (folder / "folds.csv").is_file():
        return ""
    return "finished" if (folder / _DONE).is_file() else "unfinished"


def begun(folder: Path) -> Begun:
    """Return what a folder holds that can go on.

    Raises
    ------
    OSError
        When its files cannot be read.
    ValueError
        When they are damaged.
    """
    recipe = Recipe.load(folder / RECIPE)
    few = _table(folder / _START).get("steps")  # of networks that start from others
    steps = few if isinstance(few, int) else recipe.training.steps
    asked = (recipe.name, len(recipe.folds), steps)
    return Begun(asked, len(recipe.members()), earlier(folder))


def concluded(folder: Path) -> str:
    """Say what a finished training came to, and what that was measured against."""
    measured = _table(folder / _DONE).get("measured")
    said = measured.get("sentence") if isinstance(measured, dict) else None
    return f"This folder holds a finished training. {said or ''}".strip()


def _table(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing where it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def earlier(folder: Path) -> Losses:
    """Return what a training that goes on had reported.

    Raises
    ------
    ValueError
        When the file is damaged.
    """
    curves = folder / "curves.csv"
    if not curves.is_file():
        return {}
    found: dict[str, list[tuple[int, float]]] = {}
    with curves.open(newline="", encoding="utf-8") as file:
        try:
            for row in csv.DictReader(file):
                point = (int(row["step"]), float(row["loss"]))
                found.setdefault(plain_cell(row["member"]), []).append(point)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{curves} is damaged: delete it to go on.") from error
    return dict(enumerate(found.values(), 1))


def next_folder(folder: Path) -> Path:
    """Return a folder that does not exist, beside one that does: training → training-2."""
    stem = re.sub(r"-\d+$", "", folder.name)
    names = (folder.with_name(f"{stem}-{number}") for number in count(2))
    return next(path for path in names if not path.exists())


@dataclass(frozen=True)
class Learning:
    """What has been reported of a training.

    Attributes
    ----------
    losses
        One curve per network, in the order they are trained: (step, loss) pairs.
    dice
        Mean Dice of each judged fold against true and edited masks of slides that it never saw; in
        the order of `losses`, None where a network is not judged yet.
    agreement
        Likewise with masks that networks made and a person accepted unedited.
    members, steps
        Networks, and steps of each.
    """

    losses: tuple[tuple[tuple[int, float], ...], ...] = ()
    dice: tuple[float | None, ...] = ()
    members: int = 0
    steps: int = 0
    agreement: tuple[float | None, ...] = ()

    def said(self) -> tuple[tuple[str, str], ...]:
        """Return (role, text) of what is newest; roles are "loss", "dice" and "agreement"."""
        parts = []
        begun = [curve for curve in self.losses if curve]
        if begun:
            parts.append(("loss", f"loss {begun[-1][-1][1]:.3f}"))
        for role, name, values in (
            ("dice", "Dice", self.dice),
            ("agreement", "agreement", self.agreement),
        ):
            known = [value for value in values if value is not None]
            if known:
                parts.append((role, f"{name} {sum(known) / len(known):.3f}, folds: {len(known)}"))
        return tuple(parts)
