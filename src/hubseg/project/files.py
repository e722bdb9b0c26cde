"""The files that the work on slides belongs to: which they are, and finding them again.

Responsible for recognising a slide's file by its content, wherever it lies now. Does not know the
journal, or what the files look like (:mod:`hubseg.project.snapshots`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from hubseg.slide import read_slide
from hubseg.slide.content import digest_of, file_stamp
from hubseg.slide.ids import same_text
from hubseg.slide.kinds import images_below, is_there

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hubseg.project.database import Database

__all__ = ["Recorded", "SlideFiles", "look_for", "stored"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The file that the work on a slide belongs to.

    Attributes
    ----------
    id
        Of the slide.
    path
        Where it was.
    shape
        Its height and width, px.
    size
        Its bytes; None when nothing was done with it yet.
    digest
        Of its bytes and `part`, as :attr:`hubseg.slide.Slide.digest`; "" likewise.
    part
        Which picture of the file it is, where one was asked for.
    """

    id: str
    path: Path
    shape: tuple[int, int]
    size: int | None
    digest: str
    part: str = ""

    @property
    def name(self) -> str:
        """The file's name, also where its place was written down on another kind of system."""
        return PureWindowsPath(self.path.name).name


class SlideFiles:
    """The files of one project's slides."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._root = database.folder.parent

    def all(self) -> tuple[Recorded, ...]:
        """Return the file of every slide, in the table's order."""
        query = "SELECT id, path, height, width, size, digest, origins FROM slides ORDER BY number"
        return tuple(
            Recorded(id, self._root / path, (height, width), size, digest or "", part_in(origins))
            for id, path, height, width, size, digest, origins in self._database.query(query)
        )

    def of(self, slide_id: str) -> Recorded:
        """Return the file of a slide.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        found = next((file for file in self.all() if file.id == slide_id), None)
        if found is None:
            raise ValueError(f"The project has no slide {slide_id!r}: choose one of its table.")
        return found

    def present(self) -> tuple[Recorded, ...]:
        """Return the files that are where they were."""
        return tuple(file for file in self.all() if is_there(file.path))

    def absent(self) -> tuple[Recorded, ...]:
        """Return the files that are not where they were."""
        return tuple(file for file in self.all() if not is_there(file.path))

    def move(self, files: Mapping[str, Path]) -> None:
        """Take slides' files from where they are now, id → path.

        Raises
        ------
        OSError
            When the project cannot be written.
        """
        rows = [(stored(path, self._root), slide_id) for slide_id, path in files.items()]
        with self._database.transaction() as db:
            db.executemany("UPDATE slides SET path=? WHERE id=?", rows)


def stored(path: Path, root: Path) -> str:
    """Return an image path as it is stored: relative below the project's parent folder `root`."""
    path = path.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def look_for(
    wanted: Iterable[Recorded], folder: Path, *, taken: Iterable[Recorded] = ()
) -> dict[str, Path]:
    """Look for slides' files below a folder; may take long, and may run in any thread.

    A file that was worked on is known by its content, also under another name; one that was not,
    by its name and size in px, where only one below the folder answers to both. Names are the same
    in every Unicode form and with a suffix in capitals or not.

    Parameters
    ----------
    taken
        Files that other slides have, as they are recorded: they are no candidates by name.

    Returns
    -------
    dict
        id → path, of those that were found.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: choose the one where the files are.")
    by_name: dict[str, list[Path]] = {}
    by_size: dict[int, list[Path]] = {}
    for path in sorted(images_below(folder)):
        by_name.setdefault(_name_key(path.name), []).append(path)
        by_size.setdefault(file_stamp(path)[0], []).append(path)
    found: dict[str, Path] = {}
    others = {(one.path, one.part) for one in taken}
    for one in wanted:
        if one.digest and one.size is not None:
            same = (
                path for path in by_size.get(one.size, []) if _digest(path, one.part) == one.digest
            )
            place = next(same, None)
        else:
            named = by_name.get(_name_key(one.name), [])
            named = [path for path in named if (path, one.part) not in others]
            exact = [path for path in named if path.name == one.name]
            fitting = [path for path in exact or named if _shape(path, one.part) == one.shape]
            place = fitting[0] if len(fitting) == 1 else None  # of two, nobody knows which
        if place is not None:
            found[one.id] = place
            others.add((place, one.part))
    return found


def part_in(origins: str) -> str:
    """Return which picture of its file a slide is, by its column ``origins``."""
    known = json.loads(origins)
    about = known.get("about", {}) if isinstance(known, dict) else {}
    return str(about.get("part", "")) if isinstance(about, dict) else ""


def _name_key(name: str) -> str:
    """Return a file's name as it is compared: in one Unicode form, its suffix in small letters."""
    stem, dot, suffix = same_text(name).rpartition(".")
    if stem.lower().endswith(".ome"):
        stem = stem[:-4] + ".ome"
    return f"{stem}{dot}{suffix.lower()}"


def _shape(path: Path, part: str) -> tuple[int, int] | None:
    """Return the size of an image, px; None where it cannot be opened as one."""
    try:
        slide = read_slide(path, part=part)
    except (ValueError, OSError):
        return None
    return slide.height, slide.width


def _digest(path: Path, part: str) -> str:
    try:
        return digest_of(path, part)
    except OSError:  # it may not be read: it is not the one
        return ""
