"""How a file is refused: one sentence with what, where and the remedy.

Responsible for turning what the system, tifffile and its codecs raise into such sentences, and
for the bounds on declared sizes. Does not know what a header or a pixel means.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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

_MOST_PIXELS = 2**34  # a 131072 x 131072 px scan


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn the system's refusal of a file or folder into a sentence with the remedy."""
    try:
        yield
    except OSError as exc:
        raise type(exc)(
            f"{path} cannot be opened ({exc.strerror or exc}): "
            "check that it exists and may be read."
        ) from exc


def damaged(path: Path, exc: BaseException) -> ValueError:
    """Return the refusal of a file whose bytes cannot be decoded, with the codec's own words."""
    reason = " ".join(str(exc).split())[:100] or type(exc).__name__
    return ValueError(
        f"{path} cannot be decoded ({reason}): the file is damaged or of a rare kind; "
        "save it again as an 8-bit RGB TIFF."
    )


def check_size(
    path: Path, height: int, width: int, bits: int, packed: int = BEST_COMPRESSION
) -> None:
    """Refuse a declared size beyond any slide, or beyond what the file's bytes can hold."""
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
