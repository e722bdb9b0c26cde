"""What is known of an image before a pixel is decoded, whatever its format.

Responsible for the value that every reader of headers returns, and for which levels belong
together. Does not read anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubseg.slide.colours import Values

if TYPE_CHECKING:
    from hubseg.slide.series import PageRef

__all__ = ["Layout", "is_reduction"]


class Layout(NamedTuple):
    """What a header says.

    Attributes
    ----------
    levels
        (height, width) of each, px.
    pages
        Where each level's pages begin, in a TIFF.
    samples
        Channels picked out of a page, from 0; none: its own colours.
    um_per_px
        (down, across), µm/px, where it is known and plausible.
    values
        Which stored numbers are black and white; None where only the pixels tell.
    notes
        What a person should know: keys ``image``, ``um_per_px``, ``values``, ``colours`` and
        ``levels``.
    tiles
        (height, width) of the pieces in which a scan stores each level, px; of a TIFF its pages
        say it.
    kind
        Which of :mod:`hubseg.slide.scans` reads its pixels; "" is a TIFF, which has pages, or a
        PNG or JPEG, which is decoded as a whole.
    """

    levels: tuple[tuple[int, int], ...]
    pages: tuple[tuple[PageRef, ...], ...] = ()
    samples: tuple[int, ...] = ()
    um_per_px: tuple[float, float] | None = None
    values: Values | None = Values(0, 255)
    notes: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    tiles: tuple[tuple[int, int], ...] = ()

    def spacing(self, shown: tuple[int, int]) -> tuple[float, float]:
        """Return (down, across), µm/px, of a picture of the whole of that (height, width), px.

        Raises
        ------
        ValueError
            When it is not known.
        """
        if self.um_per_px is None:
            raise ValueError("The pixel size is not known: ask for it first.")
        (height, width), (down, across) = self.levels[0], self.um_per_px
        if shown == (height, width):
            return down, across
        return down * height / shown[0], across * width / shown[1]


def is_reduction(full: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether an image of this (height, width) can be a smaller copy of the full one."""
    if min(size) < 1:
        return False
    factors = full[0] / size[0], full[1] / size[1]
    slack = 1 / size[0] + 1 / size[1]  # a level's size is a rounded one
    return min(factors) > 1 and abs(factors[0] / factors[1] - 1) <= slack
