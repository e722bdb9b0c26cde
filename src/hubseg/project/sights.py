"""What the files of slides look like: small pictures, kept by content.

Responsible for showing a person what was worked on after the file has been changed. Does not know
which file belongs to which slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.pictures import shrunk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["keep_sight", "sight", "small_picture"]

_SIDE: Final = 320  # px of a picture: two of them fill the dock, sharp at 200 %
_WHOLE: Final = 64_000_000  # px up to which the smallest level is simply read
_FOLDER: Final = "sights"


def small_picture(slide: Slide) -> NDArray[np.uint8] | None:
    """Return what a slide looks like, uint8 RGB (h, w, 3); None where that would take too long.

    Raises
    ------
    OSError, ValueError
        When its file cannot be read.
    """
    level = len(slide.levels) - 1
    height, width = slide.levels[level]
    return shrunk(slide.read(level=level), _SIDE) if height * width <= _WHOLE else None


def keep_sight(project: Path, slide: Slide) -> None:
    """Keep a picture of a slide's file as it is now in a project's folder, once.

    It can be made again as long as the file is there, so that a full disk only leaves it out.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    file = project / _FOLDER / f"{slide.digest}.jpg"
    if file.is_file():
        return
    made = small_picture(slide)
    if made is None:
        return
    content = cv2.imencode(".jpg", cv2.cvtColor(made, cv2.COLOR_RGB2BGR))[1].tobytes()
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(exist_ok=True)
        part.write_bytes(content)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def sight(project: Path, digest: str) -> NDArray[np.uint8] | None:
    """Return the picture of a file that was worked on, uint8 RGB (h, w, 3), or None."""
    try:
        content = np.frombuffer((project / _FOLDER / f"{digest}.jpg").read_bytes(), np.uint8)
    except OSError:
        return None
    found = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    return None if found is None else np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
