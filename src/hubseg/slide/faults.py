"""What of a slide could not be read while it was looked at: counted, and said in one sentence.

Responsible for tiles that are damaged and for a file that is out of reach. Does not decide what is
shown in their place (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.window import Window

__all__ = ["Faults"]


class Faults:
    """Tiles of an image that could not be read; for several threads.

    Parameters
    ----------
    path
        The image, for the sentence.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._grey: dict[tuple[int, int, int], None] = {}
        self._finer: dict[tuple[int, int, int], None] = {}
        self._away = ""

    def damaged(self, level: int, box: Window, *, finer: bool) -> None:
        """Note a tile that cannot be decoded, by its level and place in that level's px.

        Parameters
        ----------
        finer
            Whether the next finer level is shown in its place.
        """
        with self._lock:
            (self._finer if finer else self._grey)[level, box[0], box[1]] = None

    def out_of_reach(self, said: str) -> None:
        """Note that the file cannot be read now."""
        with self._lock:
            self._away = said

    def in_reach(self) -> None:
        """Note that it can be read again."""
        with self._lock:
            self._away = ""

    @property
    def grey(self) -> list[tuple[int, int, int]]:
        """Level, row and column (px of that level) of each tile that is grey: it is damaged."""
        with self._lock:
            return list(self._grey)

    @property
    def from_finer(self) -> list[tuple[int, int, int]]:
        """The same of each tile in whose place the next finer level is shown."""
        with self._lock:
            return list(self._finer)

    @property
    def away(self) -> str:
        """Why the file cannot be read now, in one sentence; "" while it can."""
        return self._away

    @property
    def sentence(self) -> str:
        """What a person should know; "" where everything was read."""
        grey, finer, name = self.grey, self.from_finer, self._path.name
        if self._away:
            return self._away
        said = []
        if grey:
            level, row, column = grey[0]
            of = f" of level {level}" if level else ""
            what = (
                "1 tile of {} is damaged and grey, at"
                if len(grey) == 1
                else (f"{len(grey)} tiles of {{}} are damaged and grey, the first at")
            )
            said.append(f"{what.format(name)} row {row}, column {column}{of}")
        if finer:
            level, row, column = finer[0]
            what = f"{len(finer)} tile{'s' if len(finer) > 1 else ''} of level {level}"
            whose = "" if grey else f" of {name}"
            verb = "are" if len(finer) > 1 else "is"
            said.append(f"{what}{whose} {verb} damaged, and shown from the next finer level")
        return f"{'; '.join(said)}: get the file again." if said else ""
