"""What a person and imported masks say of structures that exclude each other: who gives way.

Responsible for one rule: what a person drew goes before what another program marked, and that
before what a map says, so that no pixel belongs to two. Which of several maps has a pixel is
:mod:`hubseg.probability.winners`. Does not know maps, slides or a vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, KEEP, TILE
from hubseg.window import slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.window import Window

__all__ = ["Claim", "Rivals", "owners", "redo", "rivals_among"]

_BY_MAP, _BY_FILE, _BY_HAND = 0, 1, 2  # what says that a structure is there: the later is stronger


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """What a person and another program say of one structure.

    Attributes
    ----------
    edits
        Its override; read only.
    start
        The imported mask that it starts from, bool (H, W), never written; None without one.
    """

    edits: Edits
    start: NDArray[np.bool_] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return self.start is None and self.edits.is_empty

    def strength(self, window: Window) -> NDArray[np.uint8]:
        """Return how strongly each px of a window is claimed, uint8 (h, w)."""
        override = self.edits.override(window)
        strength = np.where(override == ADD, np.uint8(_BY_HAND), np.uint8(_BY_MAP))
        if self.start is not None:
            strength[self.start[slices(window)] & (override == KEEP)] = _BY_FILE
        return strength

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Claim):
            return NotImplemented
        same = self.start is other.start or np.array_equal(self.start, other.start)  # type: ignore[arg-type]
        return same and self.edits == other.edits

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Rivals:
    """What is said of the structures that exclude one.

    Attributes
    ----------
    before, after
        Those that come before it and after it: of equal claims the first has the pixel.
    """

    before: tuple[Claim, ...] = ()
    after: tuple[Claim, ...] = ()

    def frozen(self) -> Rivals:
        """Return it with copies of the overrides, to be read in another thread."""
        before, after = (
            tuple(replace(one, edits=one.edits.copy()) for one in several)
            for several in (self.before, self.after)
        )
        return Rivals(before, after)

    def give_way(self, mask: NDArray[np.bool_], own: Claim, window: Window | None = None) -> None:
        """Take from a structure's mask what belongs to another one; in place.

        Parameters
        ----------
        mask
            bool (h, w), its override put over it already.
        own
            What is said of the structure itself.
        window
            Where `mask` lies; None is the whole slide.
        """
        before, after = (
            [one for one in several if not one.is_empty] for several in (self.before, self.after)
        )
        if not before and not after:
            return
        if window is None:
            height, width = own.edits.shape
            for top in range(0, height, TILE):
                band = (top, 0, min(TILE, height - top), width)
                self.give_way(mask[top : top + TILE], own, band)
            return
        mine = own.strength(window)
        for claim in before:
            theirs = claim.strength(window)
            mask[(theirs >= mine) & (theirs > _BY_MAP)] = False
        for claim in after:
            mask[claim.strength(window) > mine] = False


def rivals_among(group: Sequence[str], claims: Mapping[str, Claim], structure: str) -> Rivals:
    """Return what is said of the other structures of a group.

    Parameters
    ----------
    group
        Structures of which a pixel belongs to one at most, `structure` among them, in order.
    claims
        What is said of each; of one that is not there nothing is.
    structure
        The one that gives way.
    """
    at = group.index(structure)
    before, after = (
        tuple(claims[name] for name in part if name in claims)
        for part in (group[:at], group[at + 1 :])
    )
    return Rivals(before, after)


def owners(claims: Sequence[Claim], window: Window) -> NDArray[np.uint8] | None:
    """Return whose each px of a window is by what is said of structures that exclude each other.

    Parameters
    ----------
    claims
        Of all of them, in order: of equal claims the first has the pixel.
    window
        Where.

    Returns
    -------
    numpy.ndarray or None
        Uint8 (h, w): 1 is the first one's, 0 is nobody's, so that maps decide; None where nothing
        is said of any.
    """
    said = [(place, one) for place, one in enumerate(claims, 1) if not one.is_empty]
    if not said:
        return None
    owner, best = np.zeros(window[2:], np.uint8), np.full(window[2:], _BY_MAP, np.uint8)
    for place, one in said:
        strength = one.strength(window)
        owner[strength > best] = place
        np.maximum(best, strength, out=best)
    return owner


def redo(
    mask: NDArray[np.bool_],
    base: NDArray[np.bool_],
    edits: Edits,
    window: Window,
    owner: NDArray[np.uint8] | None = None,
    place: int = 0,
) -> bool:
    """Derive a window of a structure's mask again, in place; whether it is another one now.

    Parameters
    ----------
    mask
        bool (H, W).
    base
        What its map or import give, bool (H, W).
    edits
        Its override.
    window
        Where.
    owner, place
        Whose each px is (:func:`owners`), and which of them the structure is.
    """
    cut = slices(window)
    part = edits.resolve(base[cut], window)
    if owner is not None:
        part &= (owner == 0) | (owner == place)
    changed = not np.array_equal(part, mask[cut])
    if changed:
        mask[cut] = part
    return changed
