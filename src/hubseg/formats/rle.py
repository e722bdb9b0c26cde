"""Run-length text of masks, as the competition writes it.

Responsible for the pairs ``start length`` counted from 1 down the columns, left to right: the only
module that knows column-major order. Does not know tables, slides or how a mask came to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "columns_together",
    "decode",
    "encode",
    "encode_published",
    "filled",
    "read_runs",
    "runs_of",
]

_AT_A_TIME = 1 << 20  # px: what a core's cache holds
_LONGEST_NUMBER = 18  # decimal digits that always fit in int64


def encode(mask: NDArray[np.bool_]) -> str:
    """Return the exact run-length text of a mask.

    Parameters
    ----------
    mask
        (h, w) bool, or integers of which every non-zero value is inside.

    Returns
    -------
    str
        Sorted, disjoint pairs ``start length``; an empty mask is the empty text.

    Raises
    ------
    ValueError
        When `mask` is not two-dimensional.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(
            f"A mask of shape {mask.shape} cannot be run-length encoded: give one of (h, w)."
        )
    if mask.size == 0:
        return ""
    runs = runs_of(mask)
    runs[:, 0] += 1
    return _written(runs.ravel())


def encode_published(mask: NDArray[np.bool_]) -> str:
    """Return the text that the published 2nd-place encoder gives.

    It forces the first and the last pixel to 0, so that an all-ones 3 x 3 mask is ``2 7`` and not
    ``1 9``. A named compatibility option: :func:`encode` keeps the corners.

    Source: cns-iu/ccf-research-kaggle-2022, models/Team_2 (MIT).
    """
    without_corners = np.array(mask, dtype=bool)
    if without_corners.ndim == 2 and without_corners.size:
        without_corners[0, 0] = without_corners[-1, -1] = False
    return encode(without_corners)


def decode(text: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask that a run-length text describes.

    Parameters
    ----------
    text
        Pairs ``start length``, sorted and disjoint; runs that touch are accepted.
    shape
        (height, width) of the mask, px.

    Returns
    -------
    ndarray
        (h, w) bool, C-contiguous.

    Raises
    ------
    ValueError
        When the text is no such list, or a run ends beyond the mask: an RLE belongs to exactly
        one image size.
    """
    height, width = shape
    if height < 0 or width < 0:
        raise ValueError(f"A mask of {height} x {width} px cannot exist: give the slide's size.")
    runs = read_runs(text)
    _check_end(runs, height, width)
    return _between(np.column_stack((runs[:, 0], runs.sum(axis=1))).ravel(), height, width)


def read_runs(text: str) -> NDArray[np.int64]:
    """Return the runs of a text, int64 (n, 2): first pixel, from 0, and length.

    Raises
    ------
    ValueError
        When the text is no list of pairs, sorted and disjoint.
    """
    starts, lengths = _pairs(text)
    _check(starts, lengths)
    return np.stack((starts, lengths), axis=1)


def runs_of(mask: NDArray[Any]) -> NDArray[np.int64]:
    """Return the runs of a mask (h, w), int64 (n, 2): first pixel, from 0 down the columns, length.

    Of a mask of integers every non-zero value is inside.
    """
    changes = _changes(mask) if mask.size else np.zeros(0, np.int64)
    changes[1::2] -= changes[::2]
    return changes.reshape(-1, 2)


def filled(runs: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask, bool `shape`, of runs as :func:`runs_of` gives them.

    They may overlap and need no order.

    Raises
    ------
    ValueError
        When one ends beyond the mask.
    """
    _check_end(runs, *shape)
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    starts, ends = runs[:, 0], np.maximum.accumulate(runs.sum(axis=1))
    first = np.append(True, starts[1:] > ends[:-1])[: len(runs)]  # those that touch no earlier one
    last = np.append(first[1:], True)[: len(runs)]
    return _between(np.column_stack((starts[first], ends[last])).ravel(), *shape)


def _between(edges: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask whose runs start and end, in turns, at `edges`."""
    mask = np.empty((height, width), np.bool_)
    for left, columns in columns_together(height, width):
        first, last = left * height, (left + columns) * height
        place = slice(*np.searchsorted(edges, (first, last), "right"))
        # Alternating counts, outside and inside: repeat() then writes every pixel once.
        bounds = np.concatenate(([first], edges[place], [last]))
        inside = (np.arange(bounds.size - 1) + place.start) % 2 == 1
        mask[:, left : left + columns] = _turned(
            np.repeat(inside, np.diff(bounds)).reshape(columns, height)
        )
    return mask


def _changes(mask: NDArray[Any]) -> NDArray[np.int64]:
    """Return where runs start and end, in turns, counted from 0 down the columns."""
    height, width = mask.shape
    found, before = [], False
    for left, columns in columns_together(height, width):
        part = mask[:, left : left + columns]
        inside = _turned(part if part.dtype == bool else part != 0).ravel()
        start = left * height
        if inside[0] != before:
            found.append(np.array([start]))
        found.append(_places(inside[1:] ^ inside[:-1]) + (start + 1))
        before = bool(inside[-1])
    if before:
        found.append(np.array([height * width]))
    return np.concatenate(found)


def _turned(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return an array of bool (h, w) as (w, h), C-contiguous: six times as fast as NumPy's copy."""
    if not part.size:
        return np.zeros(part.shape[::-1], np.bool_)
    return np.asarray(cv2.transpose(part.view(np.uint8))).view(np.bool_)


def _places(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return where a long row of bool is True: eight are looked at together, most are False."""
    whole = flags.size // 8 * 8
    words = np.flatnonzero(flags[:whole].view(np.uint64))
    inner = np.flatnonzero(flags[:whole].reshape(-1, 8)[words])
    rest = np.flatnonzero(flags[whole:]) + whole
    return np.concatenate((words[inner >> 3] * 8 + (inner & 7), rest))


def _written(numbers: NDArray[np.int64]) -> str:
    """Return whole numbers from 0 on as text, with one blank between them."""
    if not numbers.size:
        return ""
    signs = len(str(int(numbers.max())))
    table = np.full((numbers.size, signs + 1), ord(" "), np.uint8)
    kept = np.ones(table.shape, np.bool_)
    rest: NDArray[Any] = numbers.astype(np.uint32 if signs < 10 else np.uint64)
    for column in range(signs - 1, -1, -1):
        kept[:, column] = rest > 0
        rest, digit = np.divmod(rest, rest.dtype.type(10))
        table[:, column] = digit + ord("0")
    kept[:, signs - 1] = True  # a nought is a digit too
    return table[kept].tobytes().decode("ascii")[:-1]


def _read(text: str) -> NDArray[np.int64] | None:
    """Return the numbers of a text of digits and blanks; None where it holds anything else."""
    if not text.isascii():
        return None
    signs = np.frombuffer(text.encode("ascii"), np.uint8)
    blank = signs == ord(" ")
    digits = signs - np.uint8(ord("0"))  # below "0" it turns over, beyond 9
    if np.count_nonzero(digits < 10) + np.count_nonzero(blank) < signs.size:
        return None
    ends = np.append(np.flatnonzero(blank), signs.size)
    lengths = np.diff(ends, prepend=-1) - 1
    ends, lengths = ends[lengths > 0], lengths[lengths > 0]
    longest = int(lengths.max(initial=0))
    if longest > _LONGEST_NUMBER:
        return None
    numbers, power = np.zeros(ends.size, np.int64), 1
    for place in range(1, longest + 1):
        digit = digits[np.maximum(ends - place, 0)].astype(np.int64)
        numbers += np.where(lengths >= place, digit, 0) * power
        power *= 10
    return numbers


def columns_together(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the first of a few columns, and how many they are: what is looked at at a time."""
    few = max(1, _AT_A_TIME // max(1, height))
    return ((left, min(few, width - left)) for left in range(0, width, few))


def _pairs(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return 0-based starts and lengths as they stand in the text, the numbers' form checked."""
    numbers = _read(text)
    if numbers is not None and not len(numbers) % 2:
        return numbers[::2] - 1, numbers[1::2]
    words = text.split()
    joined = "".join(words)
    if joined and not (joined.isascii() and joined.isdigit()):
        wrong = next(word for word in words if not (word.isascii() and word.isdigit()))
        raise ValueError(
            f"RLE holds {wrong[:20]!r}, which is no whole number from 1 on: "
            "give pairs 'start length'."
        )
    if len(words) % 2:
        raise ValueError(
            f"RLE has {len(words)} numbers, an odd count: give pairs 'start length'; "
            "the text may have been cut off."
        )
    longest = max(words, key=len, default="")
    if len(longest) > _LONGEST_NUMBER:
        raise ValueError(f"RLE number {longest[:20]}… is beyond any image: check the text.")
    numbers = np.array(words, dtype=np.int64)
    return numbers[::2] - 1, numbers[1::2]


def _check_end(runs: NDArray[np.int64], height: int, width: int) -> None:
    """Refuse runs beyond height x width pixels."""
    if not len(runs) or (ends := runs.sum(axis=1)).max() <= height * width:
        return
    start, length = runs[int(ends.argmax())]
    raise ValueError(
        f"RLE run '{start + 1} {length}' ends beyond the {height * width} pixels of "
        f"{height} x {width}: give the size of the image that the text was made for."
    )


def _check(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
    """Refuse pairs that are not sorted, disjoint runs."""
    if starts.size == 0:
        return
    if starts.min() < 0 or lengths.min() < 1:
        raise ValueError("RLE has a start or a length below 1: starts count from 1, not from 0.")
    wrong = np.flatnonzero(starts[1:] < (starts + lengths)[:-1])
    if wrong.size:
        at = int(wrong[0])
        raise ValueError(
            f"RLE runs '{starts[at] + 1} {lengths[at]}' and '{starts[at + 1] + 1} "
            f"{lengths[at + 1]}' overlap or are not sorted: sort them and join those that overlap."
        )
