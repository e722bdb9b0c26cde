"""From what a person points at to an open project.

Responsible for finding or making the project of a folder, table or image. Does not know where a
project is expected (:mod:`hubseg.project.default_location`) or what is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.project.default_location import beside, is_kept_clean, of_person
from hubseg.project.folder import SUFFIX
from hubseg.project.review import ReviewProject
from hubseg.project.words import vocabulary_of
from hubseg.slide import SlideTable, unknown_names
from hubseg.slide.table import images_of_folder

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.project.adding import Added

__all__ = ["Prepared", "notes_on", "prepare_project"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was found where a person pointed.

    Attributes
    ----------
    project
        The project, open; None when it is the one that is open already.
    table
        Slides that the project that is open already shall add.
    notes
        Sentences worth telling a person.
    """

    project: ReviewProject | None
    table: SlideTable | None
    notes: tuple[str, ...]


def prepare_project(
    path: Path,
    target: Path | None = None,
    *,
    images: Path | None = None,
    author: str | None = None,
    already: Path | None = None,
) -> Prepared:
    """Open the project of some slides; make it when there is none. May run in any thread.

    Parameters
    ----------
    path
        Folder, CSV, image, or a project itself.
    target
        Where the project is or shall be; default: see :mod:`hubseg.project.default_location`.
    images
        Folder of a table's images.
    author
        Who reviews.
    already
        Path of the project that is open: it is not opened again.

    Raises
    ------
    ValueError, OSError
        When nothing can be opened there.
    """
    path = path.absolute()
    if path.suffix == SUFFIX and (ReviewProject.exists(path) or not path.exists()):
        return _reached(path, None, author, already)
    table = SlideTable.open(path, images=images)
    places = [target.absolute()] if target is not None else _places(path)
    found = next((place for place in places if ReviewProject.exists(place)), None)
    if found is not None:
        return _reached(found, table, author, already)
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
        return Prepared(project, None, (*where, *notes_on(project, table)))
    raise ValueError(f"There is no place for the project of {path}: name one.")


def _added_later(project: ReviewProject) -> str:
    """Return what to say of images that were put into a project's folder since; "" of none.

    Only where the project is the folder's: one of a table need not have all that lies there.
    """
    known = {file.path for file in project.files.all()}
    folders = {path.parent for path in known}
    if len(folders) != 1:
        return ""
    (folder,) = folders
    if project.path not in (beside(folder), of_person(folder)):
        return ""
    if (folder / f"{project.path.stem}.csv").is_file():
        return ""
    try:
        new = [path.name for path in images_of_folder(folder) if path not in known]
    except OSError:  # said where a slide is opened
        return ""
    if not new:
        return ""
    if len(new) == 1:
        return f"{new[0]} lies in {folder} and is not in this project: open that folder to add it."
    return (
        f"{len(new)} images in {folder} are not in this project ({new[0]}, …): open that folder to "
        "add them."
    )


def _reached(
    path: Path, table: SlideTable | None, author: str | None, already: Path | None
) -> Prepared:
    if path == already:
        return Prepared(None, table, ())
    project = ReviewProject.open(path, author=author)
    added = None
    try:
        if table is not None and not project.read_only:
            added = project.add(table)
        notes = list(notes_on(project, table, added))
        if table is None and (later := _added_later(project)):
            notes.append(later)
        return Prepared(project, None, tuple(notes))
    except (OSError, ValueError):
        project.close()
        raise


def _places(path: Path) -> list[Path]:
    if is_kept_clean(path):
        return [of_person(path)]
    return [beside(path), of_person(path)]


def notes_on(
    project: ReviewProject, table: SlideTable | None = None, added: Added | None = None
) -> tuple[str, ...]:
    """Return what a person should know of a project that was just opened.

    Parameters
    ----------
    table, added
        Slides that were to be added, and what came of it.
    """
    notes = [project.why_read_only] if project.read_only else []
    present = project.slides()
    absent = list(project.missing.values())
    if table is not None:  # one that bears the name of a slide of the project
        absent += [why for why in table.missing.values() if why not in absent]
    if absent:
        of = len(present) + len(absent)
        first = "" if len(absent) == 1 else f"{len(absent)} of {of} slides cannot be shown. "
        notes.append(first + absent[0])
    if added is not None:
        notes.extend(added.summary)
    if table is not None:
        notes.extend(table.notes.values())
    if any(slide.unread for slide in present):
        names = unknown_names(present, vocabulary_of(project))
        if names:  # in one note: a window shows one at a time
            notes.append(" ".join(name.sentence for name in names))
    return tuple(notes)
