"""COCO's run lengths: counted down the columns, outside first, packed into a string.

Responsible for numbers alone. Source: cocodataset/cocoapi, which packs five bits a letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.formats.pixel_runs import Runs

__all__ = ["by_label", "counts_of", "pack", "unpack"]


def by_label(labels: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """Return which runs have each label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, int(labels.max()) + 1)))


def counts_of(columns: Runs, chosen: NDArray[np.intp], pixels: int) -> list[int]:
    """Return the run lengths of some runs of a mask's columns, outside first.

    Parameters
    ----------
    columns
        Of the mask on its side: its rows are the mask's columns.
    chosen
        Which of them, in their order.
    pixels
        Of the mask.
    """
    place = columns.row[chosen] * columns.width
    edges = np.stack((place + columns.start[chosen], place + columns.end[chosen]), axis=1).ravel()
    counts = np.diff(edges, prepend=0)
    # a run that ends with its column goes on at the top of the next
    gaps = np.flatnonzero(counts[2::2] == 0) * 2 + 2
    if len(gaps):
        edges = np.delete(edges, np.concatenate((gaps - 1, gaps)))
        counts = np.diff(edges, prepend=0)
    return [*counts.tolist(), pixels - int(edges[-1])]


def pack(counts: Sequence[int]) -> str:
    """Pack run lengths into COCO's string: five bits a letter, differences from the third on."""
    letters = bytearray()
    for number, count in enumerate(counts):
        rest = count - counts[number - 2] if number > 2 else count
        while True:
            low, rest = rest & 31, rest >> 5
            more = rest != (-1 if low & 16 else 0)
            letters.append(low + 32 * more + 48)
            if not more:
                break
    return letters.decode("ascii")


def unpack(text: str) -> list[int]:
    """Return the run lengths of COCO's string.

    Raises
    ------
    ValueError
        When the string holds another letter, ends within a number, or holds a negative one.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ValueError("its run lengths hold a letter that COCO does not use")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its run lengths end within a number")
    if any(count < 0 for count in counts):
        raise ValueError("a run length is below 0")
    return counts
