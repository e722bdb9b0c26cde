"""What a tool proposes: where the override shall be ADD and where ERASE.

Responsible for that value alone. Does not know what stands there now, or whether it will be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, ERASE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["Change"]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One proposed change of the override.

    Attributes
    ----------
    kind
        What a person calls it; the text of undo.
    top, left
        Where `values` lie on the slide, px; may lie partly outside of it.
    values
        uint8 (h, w): ADD, ERASE, or KEEP where nothing is proposed.
    """

    kind: str
    top: int
    left: int
    values: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        kind: str,
        place: tuple[int, int],
        *,
        add: NDArray[np.bool_] | None = None,
        erase: NDArray[np.bool_] | None = None,
    ) -> Change:
        """Return the change that adds one region and erases another, bool (h, w) each.

        Where both are True, it adds.
        """
        given = [region for region in (add, erase) if region is not None]
        values = np.zeros(given[0].shape, np.uint8)
        if erase is not None:
            values[erase] = ERASE
        if add is not None:
            values[add] = ADD
        return cls(kind, place[0], place[1], values)

    @classmethod
    def whole(cls, kind: str, inside: NDArray[np.bool_]) -> Change:
        """Return the change that makes every pixel of a slide what a mask, bool (h, w), says."""
        return cls(kind, 0, 0, np.where(inside, np.uint8(ADD), np.uint8(ERASE)))

    @classmethod
    def together(cls, changes: Sequence[Change]) -> Change:
        """Return several changes as one, called as the first is; the later ones win.

        Raises
        ------
        ValueError
            When there is none.
        """
        if not changes:
            raise ValueError("No change is no change: give at least one.")
        if len(changes) == 1:
            return changes[0]
        windows = np.array([change.window for change in changes])
        top, left = (int(v) for v in windows[:, :2].min(axis=0))
        bottom, right = (int(v) for v in (windows[:, :2] + windows[:, 2:]).max(axis=0))
        values = np.zeros((bottom - top, right - left), np.uint8)
        for change in changes:
            y, x, height, width = change.top - top, change.left - left, *change.values.shape
            np.copyto(
                values[y : y + height, x : x + width], change.values, where=change.values != 0
            )
        return cls(changes[0].kind, top, left, values)

    @property
    def window(self) -> Window:
        """Where the change may act: top, left, height, width in px."""
        height, width = self.values.shape
        return self.top, self.left, height, width

    def over(self, mask: NDArray[np.bool_], *, top: int = 0, left: int = 0) -> NDArray[np.bool_]:
        """Return a copy of a mask, bool (h, w), as it would be after the change.

        Parameters
        ----------
        mask
            A whole mask, or a part of one.
        top, left
            Where `mask` lies on the slide, px.
        """
        after = mask.copy()
        y, x = self.top - top, self.left - left
        height, width = self.values.shape
        rows = slice(max(y, 0), min(y + height, mask.shape[0]))
        columns = slice(max(x, 0), min(x + width, mask.shape[1]))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return after
        values = self.values[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
        part = after[rows, columns]
        part[values == ADD] = True
        part[values == ERASE] = False
        return after
