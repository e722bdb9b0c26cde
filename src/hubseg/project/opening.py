"""From what a person points at to an open project.

Responsible for finding or making the project of a folder, table or image. Does not know where a
project is expected (:mod:`hubseg.project.place`) or what is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.project.place import beside, is_kept_clean, of_person
from hubseg.project.review import SUFFIX, ReviewProject
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_project"]


def open_project(
    path: Path,
    target: Path | None = None,
    *,
    images: Path | None = None,
    author: str | None = None,
    already: ReviewProject | None = None,
) -> tuple[ReviewProject, tuple[str, ...]]:
    """Open the project of some slides; make it when there is none.

    Parameters
    ----------
    path
        Folder, CSV, image, or a project itself.
    target
        Where the project is or shall be; default: see :mod:`hubseg.project.place`.
    images
        Folder of a table's images.
    author
        Who reviews.
    already
        A project that is open: it is used when it is the one.

    Returns
    -------
    ReviewProject
        The project; `already` itself when that is the one.
    tuple of str
        Sentences worth telling a person.

    Raises
    ------
    ValueError, OSError
        When nothing can be opened there.
    """
    path = path.absolute()
    if path.suffix == SUFFIX and (ReviewProject.exists(path) or not path.exists()):
        project = _reach(path, author, already)
        return project, _notes(project)
    table = SlideTable.open(path, images=images)
    places = [target.absolute()] if target is not None else _places(path)
    found = next((place for place in places if ReviewProject.exists(place)), None)
    if found is not None:
        project = _reach(found, author, already)
        if not project.read_only:
            project.add(table)
        return project, _notes(project, table)
    if not table.slides:
        why = next(iter(table.missing.values()), "it lists none.")
        raise ValueError(f"No slide of {path} can be opened: {why}")
    for place in places:
        try:
            project = ReviewProject.create(place, table, author=author)
        except PermissionError:
            if place == places[-1]:
                raise
            continue
        where: tuple[str, ...] = ()
        if target is None and place != beside(path):
            where = (f"{path.name} is kept as it is: the review is saved in {place}.",)
        return project, (*where, *_notes(project, table))
    raise ValueError(f"There is no place for the project of {path}: name one.")


def _places(path: Path) -> list[Path]:
    if is_kept_clean(path):
        return [of_person(path)]
    return [beside(path), of_person(path)]


def _reach(path: Path, author: str | None, already: ReviewProject | None) -> ReviewProject:
    if already is not None and already.path == path:
        return already
    return ReviewProject.open(path, author=author)


def _notes(project: ReviewProject, table: SlideTable | None = None) -> tuple[str, ...]:
    notes = [project.why_read_only] if project.read_only else []
    present = project.slides()
    absent = list(project.missing.values())
    if absent:
        of = len(present) + len(absent)
        first = "" if len(absent) == 1 else f"{len(absent)} of {of} slides cannot be shown. "
        notes.append(first + absent[0])
    if table is not None:
        notes.extend(table.notes.values())
    return tuple(notes)
