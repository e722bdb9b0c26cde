"""What of a slide its maps were made without: windows that could not be decoded, beside the maps.

Responsible for one small file a slide, named by the slide's digest. Maps in tiles keep it in their
tiles (:mod:`hubseg.probability.tile_file`). Does not know why a window could not be decoded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hubseg.failure import about
from hubseg.probability.tile_file import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hubseg.probability.tile_file import Window

__all__ = ["file_gaps", "gaps_of"]


def file_gaps(folder: Path, slide_digest: str, windows: Iterable[Window]) -> None:
    """Note windows of a slide that were taken for grey, beside those that are noted.

    Parameters
    ----------
    folder
        Of the maps.
    windows
        (top, left, height, width) in level-0 px of the slide's file.

    Raises
    ------
    OSError
        When the disk refuses.
    """
    known = gaps_of(folder, slide_digest)
    found = sorted({*known, *windows})
    if len(found) == len(known):
        return
    path = _path(folder, slide_digest)
    with about(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(found).encode())


def gaps_of(folder: Path, slide_digest: str) -> tuple[Window, ...]:
    """Return what was noted of a slide; nothing where it cannot be read."""
    try:
        said = json.loads(_path(folder, slide_digest).read_bytes())
        return tuple((int(y), int(x), int(high), int(wide)) for y, x, high, wide in said)
    except (OSError, ValueError, TypeError):
        return ()


def _path(folder: Path, slide_digest: str) -> Path:
    return folder / slide_digest[:2] / f"{slide_digest}.gaps"
