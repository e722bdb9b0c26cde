"""Test-time augmentation: dihedral views as (forward, inverse) pairs.

Responsible for turning an image into the views a network sees and its answers back. Works alike on
NumPy arrays and torch tensors, on the last two axes. Does not know networks or averaging.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["VIEW_SETS", "View", "views"]


def _rot90(array: Any, k: int) -> Any:
    if isinstance(array, np.ndarray):
        return np.rot90(array, k, axes=(-2, -1))
    return array.rot90(k, (-2, -1))


def _hflip(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return np.flip(array, axis=-1)
    return array.flip(-1)


@dataclass(frozen=True, slots=True)
class View:
    """One of the eight symmetries of the square: `turns` × 90° anticlockwise, then a mirror.

    Attributes
    ----------
    turns
        Quarter turns, 0-3, applied first.
    mirrored
        Whether the result is mirrored left to right.
    """

    turns: int = 0
    mirrored: bool = False

    def forward(self, array: Any) -> Any:
        """Turn an array (..., h, w) into this view; odd turns give (..., w, h)."""
        turned = _rot90(array, self.turns) if self.turns else array
        return _hflip(turned) if self.mirrored else turned

    def inverse(self, array: Any) -> Any:
        """Undo :meth:`forward`: ``inverse(forward(x)) == x`` for every array."""
        flipped = _hflip(array) if self.mirrored else array
        return _rot90(flipped, (4 - self.turns) % 4) if self.turns else flipped

    def __str__(self) -> str:
        turned = f"rot{90 * self.turns}" if self.turns else ""
        return "+".join(part for part in (turned, "hflip" if self.mirrored else "") if part) or (
            "identity"
        )


# `flip_rot90` is the set, and the order, of the published second-place recipe.
VIEW_SETS: MappingProxyType[str, tuple[View, ...]] = MappingProxyType(
    {
        "none": (View(),),
        "flips": (View(), View(0, True), View(2, True), View(2)),
        "flip_rot90": (View(), View(0, True), View(1), View(1, True)),
        "d4": tuple(View(turns, mirrored) for turns in range(4) for mirrored in (False, True)),
    }
)


def views(name: str) -> tuple[View, ...]:
    """Return the views of the set called `name`.

    Raises
    ------
    ValueError
        When there is no such set; the message lists those that exist.
    """
    if name not in VIEW_SETS:
        raise ValueError(f"Unknown view set {name!r}: use one of {', '.join(VIEW_SETS)}.")
    return VIEW_SETS[name]
