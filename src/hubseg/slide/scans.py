"""Images that a library of their own reads by window: one protocol, whatever the format.

Responsible for the readers by their kind, and for keeping a few of them open. Does not know
formats, or which reader a path has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from hubseg.slide import dicom_image, openslide_image, zarr_image
from hubseg.slide.content import file_stamp
from hubseg.slide.errors import DAMAGE, damaged, opening, out_of_reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.slide.colours import Values
    from hubseg.slide.layout import Layout
    from hubseg.slide.part import Part
    from hubseg.window import Window

__all__ = ["Scan", "layout_of", "read_window", "values_of"]

_OPEN: Final = 4  # readers kept


class Scan(Protocol):
    """An open image: what is known of it, and its pixels by window."""

    layout: Layout
    """Levels, µm/px per axis, scale of its numbers, and what a person should know."""

    bits: int
    """Of a stored number."""

    floating: bool
    """Whether stored numbers are floating-point ones."""

    def read(self, window: Window, level: int, values: Values) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3).

        Parameters
        ----------
        values
            Which stored numbers are black and white.
        """

    def found_values(self) -> Values:
        """Return black and white by the pixels' range, where the layout does not say."""


_READERS: Final[dict[str, Callable[[Path, Part], Scan]]] = {
    "dicom": dicom_image.DicomImage,
    "openslide": openslide_image.OpenSlideImage,
    "zarr": zarr_image.ZarrImage,
}


def layout_of(kind: str, path: Path, part: Part) -> Layout:
    """Return what an image says of itself.

    Parameters
    ----------
    kind
        Its reader: ``zarr``, ``dicom`` or ``openslide``.

    Raises
    ------
    ValueError
        When it cannot be shown, or the library that reads it is not installed: one sentence.
    OSError
        When it cannot be opened.
    """
    return _open(kind, path, part).layout


def read_window(
    kind: str, path: Path, part: Part, window: Window, level: int, values: Values
) -> NDArray[np.uint8]:
    """Return a window of a level, in that level's px, as RGB (h, w, 3).

    ValueError where it is damaged, OSError where the file is out of reach.
    """
    scan = _open(kind, path, part)
    try:
        return scan.read(window, level, values)
    except DAMAGE as exc:
        _opened.cache_clear()  # what failed once may not be asked again
        with opening(path):
            path.stat()
        if isinstance(exc, OSError) and exc.errno is not None:  # the system's: no damage
            raise out_of_reach(path, exc) from exc
        raise damaged(path, exc) from exc


def values_of(kind: str, path: Path, part: Part) -> tuple[Values, int, bool]:
    """Return black and white by the pixels' range, bits of a number, and whether it is floating."""
    scan = _open(kind, path, part)
    return scan.found_values(), scan.bits, scan.floating


def _open(kind: str, path: Path, part: Part) -> Scan:
    with opening(path):
        stat = path.stat()
    stamp = (stat.st_mtime_ns, stat.st_ctime_ns) if kind == "zarr" else file_stamp(path)
    return _opened(kind, path, part, stamp)


@lru_cache(_OPEN)
def _opened(kind: str, path: Path, part: Part, stamp: tuple[int, int]) -> Scan:
    return _READERS[kind](path, part)
