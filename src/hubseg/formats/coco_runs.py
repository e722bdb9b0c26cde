"""COCO's run lengths: counted down the columns, outside first, packed into a string.

Responsible for numbers alone. Source: cocodataset/cocoapi, which packs five bits a letter.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["counts_of", "pack", "unpack"]


def counts_of(labels: NDArray[np.int32]) -> dict[int, list[int]]:
    """Return run lengths, outside first, down the columns, of each label above 0."""
    flat = np.pad(labels.T.ravel(), 1)
    at = np.flatnonzero(flat[1:] != flat[:-1])  # where another label begins, in px
    run_label, start, end = flat[at + 1][:-1], at[:-1], at[1:]
    order = np.argsort(run_label, kind="stable")
    run_label, start, end = run_label[order], start[order], end[order]
    first = np.searchsorted(run_label, np.arange(1, int(labels.max()) + 2))
    counts = {}
    for label, (low, high) in enumerate(pairwise(first), 1):
        edges = np.stack((start[low:high], end[low:high]), axis=1).ravel()
        counts[label] = [*np.diff(edges, prepend=0).tolist(), labels.size - int(edges[-1])]
    return counts


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
