"""How a file is refused: one sentence with what, where and the remedy.

Responsible for turning what the system, tifffile and its codecs raise into such sentences, for
the bounds on declared sizes, and for files written whole or not at all. Does not know what a
header or a pixel means.
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BEST_COMPRESSION = 2**16
"""Decoded bytes for one stored: no codec in use packs tighter, CCITT and blank zstd included."""

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What tifffile and its codecs raise on damaged files: they check little before they compute."""

_ROWS = 1024
_MOST_PIXELS = 2**34  # a 131072 x 131072 px scan
_MOST_PIECE_BYTES = 2**30  # one tile or strip, or a PNG or JPEG, decoded


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn the system's refusal of a file or folder into a sentence with the remedy."""
    try:
        yield
    except OSError as exc:
        if exc.errno is None:  # not the system's: it is a sentence already
            raise
        raise type(exc)(
            f"{path} cannot be opened ({exc.strerror or exc}): "
            "check that it exists and may be read."
        ) from exc


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Yields the path of a sibling to write (and to read back and compare); it takes the place of
    `path` when the ``with`` ends well, and is removed when it does not.

    Raises
    ------
    OSError
        When the system refuses: the sentence says which file could not be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as exc:
        if exc.errno is None:
            raise
        raise type(exc)(
            f"{path} cannot be written ({exc.strerror or exc}): "
            "check that its folder exists, may be written and has room."
        ) from exc
    finally:
        if part.is_file():
            part.unlink()


def check_same(same: bool, path: Path) -> None:
    """Refuse a file that does not hold what was just written to it.

    Raises
    ------
    OSError
        When it was not the same.
    """
    if not same:
        raise OSError(
            f"{path} reads back different from what was written: check the disk and write again."
        )


def same_pixels(
    one: NDArray[Any],
    other: NDArray[Any],
    stored: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> bool:
    """Whether two images are equal, compared a few rows at a time: each may take 400 MB.

    `stored` makes of rows of the second what the first has in their place.
    """
    return one.shape == other.shape and all(
        np.array_equal(one[top : top + _ROWS], stored(other[top : top + _ROWS]))
        for top in range(0, len(one), _ROWS)
    )


def damaged(path: Path, exc: BaseException) -> ValueError:
    """Return the refusal of a file whose bytes cannot be decoded, with the codec's own words."""
    reason = " ".join(str(exc).split())[:100] or type(exc).__name__
    return ValueError(
        f"{path} cannot be decoded ({reason}): the file is damaged or of a rare kind; "
        "save it again as an 8-bit RGB TIFF."
    )


def out_of_reach(path: Path, exc: OSError) -> OSError:
    """Return the refusal of a file that was opened and that the system does not read any more."""
    return type(exc)(
        f"{path} cannot be read ({exc.strerror or exc}): connect its disk again, or copy it to "
        "another one."
    )


def check_size(
    path: Path, height: int, width: int, bits: int, packed: float = BEST_COMPRESSION
) -> None:
    """Refuse a declared size beyond any slide, or beyond what the file's bytes can hold.

    `packed` are decoded bytes for one stored; infinite where pixels may be left out.
    """
    if min(height, width) < 1:
        raise ValueError(f"{path} declares {height} x {width} px: it is empty or damaged.")
    if height * width > _MOST_PIXELS:
        raise ValueError(
            f"{path} declares {height} x {width} px, more than the {_MOST_PIXELS} px of the "
            "largest slide: cut it into parts, or get it again if it is damaged."
        )
    if height * ((width * bits + 7) // 8) > path.stat().st_size * packed:
        raise ValueError(
            f"{path} declares {height} x {width} px but is too short to hold them: "
            "it was cut off, get it again."
        )


def check_piece(path: Path, height: int, width: int, bits: int) -> None:
    """Refuse what can only be decoded as a whole and is too large for that."""
    if height * width * bits // 8 > _MOST_PIECE_BYTES:
        raise ValueError(
            f"{path} keeps {height} x {width} px in one piece, too much to decode: "
            "save it again as a TIFF in tiles."
        )
