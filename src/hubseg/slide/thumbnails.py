"""Thumbnails of slides: made once from as few pixels as that takes, and kept beside the project.

Responsible for reading a slide's smallest level, or a few of its rows where that is large too, and
for files that can be thrown away. Does not know where thumbnails are shown.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.slide.errors import writing
from hubseg.slide.outlines import shrunk
from hubseg.slide.readable import ReadableSlide

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["kept_thumbnail", "picture_in", "thumbnail"]

_WHOLE: Final = 64_000_000  # px up to which a level is simply read: 200 MB of RGB
_STRIPS: Final = 24  # rows read of a level that is larger


def thumbnail(slide: Slide, side: int) -> NDArray[np.uint8]:
    """Return a slide's thumbnail, uint8 RGB (h, w, 3), its longer side at most `side` px.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    seen, level = ReadableSlide(slide), len(slide.levels) - 1
    height, width = slide.levels[level]
    if height * width <= _WHOLE:
        return shrunk(seen.read(level=level), side)
    step = slide.height / _STRIPS
    rows = [seen.read((int((i + 0.5) * step), 0, 1, slide.width), level)[0] for i in range(_STRIPS)]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    few = np.stack([row[:: max(1, width // (4 * side))] for row in rows])
    made: NDArray[np.uint8] = cv2.resize(few, size, interpolation=cv2.INTER_LINEAR)
    return made


def kept_thumbnail(
    slide: Slide, side: int, folder: Path, *, keep: bool = True
) -> NDArray[np.uint8]:
    """Return a slide's thumbnail from a folder, where it is put if it was not there.

    A file is named after the slide's path, size and time, so that another image gets another. Where
    nothing can be written, nothing is kept.

    Parameters
    ----------
    slide, side
        As for :func:`thumbnail`.
    folder
        Where files are looked for.
    keep
        Whether one may be put there.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    stat = slide.path.stat()
    named = f"{slide.place}\0{stat.st_size}\0{stat.st_mtime_ns}\0{side}".encode()
    file = folder / f"{hashlib.blake2b(named, digest_size=16).hexdigest()}.png"
    kept = picture_in(file)
    if kept is not None:
        return kept
    made = thumbnail(slide, side)
    if not keep:
        return made
    try:
        folder.mkdir(exist_ok=True)
        packed = cv2.imencode(".png", cv2.cvtColor(made, cv2.COLOR_RGB2BGR))[1].tobytes()
        with writing(file) as part:
            part.write_bytes(packed)
    except OSError:
        pass  # a full disk or a folder for reading only: it is made again next time
    return made


def picture_in(file: Path) -> NDArray[np.uint8] | None:
    """Return the picture in a file, uint8 RGB (h, w, 3); None without one or damaged."""
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError:
        return None
    found = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    return None if found is None else np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
