"""What the files of slides look like: small pictures, kept by content.

Responsible for showing a person what was worked on after the file has been changed. Does not know
which file belongs to which slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2

from hubseg.slide.thumbnails import picture_in, thumbnail

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["SIDE", "keep_sight", "sight"]

SIDE: Final = 320  # px of a picture: two of them fill the dock, sharp at 200 %
_FOLDER: Final = "sights"


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
    made = cv2.cvtColor(thumbnail(slide, SIDE), cv2.COLOR_RGB2BGR)
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(exist_ok=True)
        part.write_bytes(cv2.imencode(".jpg", made)[1].tobytes())
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def sight(project: Path, digest: str) -> NDArray[np.uint8] | None:
    """Return the picture of a file that was worked on, uint8 RGB (h, w, 3), or None."""
    return picture_in(project / _FOLDER / f"{digest}.jpg")
