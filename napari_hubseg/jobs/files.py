"""Slides whose files were changed or moved: their pictures, and files that are looked for.

Responsible for doing this in threads: keeping what a slide looked like while it is worked on,
showing that beside what its file shows now, and searching a folder. Does not know who is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.project.files import look_for
from hubseg.project.snapshots import SIDE, keep_sight, sight
from hubseg.slide.thumbnails import thumbnail
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from pathlib import Path

    from psygnal import SignalInstance

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background

__all__ = ["FileWatch"]


class FileWatch:
    """Watches the files of the slides.

    Attributes
    ----------
    pictures
        Of the current slide, where its file was changed: what was edited and what is there now,
        uint8 RGB (h, w, 3) each; None where there is none.
    absent
        How many slides' files are not where they were.
    """

    changed = Signal()
    told = Signal(str)  # one sentence
    failed = Signal(str)  # one sentence

    def __init__(
        self, session: ReviewSession, slide_shown: SignalInstance, background: Background
    ) -> None:
        self._session, self._background = session, background
        # what cannot be read is said where the slide should be
        self._looking = Latest(background, lambda _: None, self.changed.emit)
        self._finding = Latest(background, self.failed.emit, self.changed.emit)
        self.pictures: tuple[Any, Any] = (None, None)
        self.absent = 0
        background.listen(
            (session.slides_changed, self._count),
            (session.slide_changed, self._look),
            (slide_shown, self._keep),
        )

    @property
    def busy(self) -> bool:
        """Whether a folder is searched."""
        return self._finding.busy

    def _count(self) -> None:
        """Count the files that are not where they were; ids that never had one are not among."""
        project = self._session.project
        known = () if project is None else project.files.all()
        self.absent = sum(file.id in project.missing for file in known) if project else 0
        self.changed.emit()

    def _look(self, _: Slide | None) -> None:
        """Get the pictures of a changed file."""
        self._looking.drop()
        self.pictures = (None, None)
        found, project = self._session.changed_file, self._session.project
        self.changed.emit()
        if found is None or project is None:
            return
        path = project.path

        def show(pictures: tuple[Any, Any]) -> None:
            self.pictures = pictures

        self._looking.ask(
            lambda: (sight(path, found.before.digest), thumbnail(found.now, SIDE)), show
        )

    def _keep(self, _: str) -> None:
        """Keep what the slide on screen looks like: it may be worked on now."""
        slide, project = self._session.current, self._session.project
        if slide is None or project is None or project.read_only:
            return
        if self._session.changed_file is None:
            path = project.path
            self._background.submit(
                lambda: keep_sight(path, slide), lambda _: None, lambda _: None
            )  # what cannot be read has been told by whoever wanted to show it

    def find(self, folder: Path, *, lost: bool = False) -> None:
        """Look below a folder for every file that is not where it was, or not as it was.

        Parameters
        ----------
        lost
            Whether the file of the current slide cannot be shown: it is looked for too.
        """
        project = self._session.project
        if project is None or self.busy:
            return
        here = self._session.current
        wanted = {file.id: file for file in project.files.absent()}
        if here is not None and (lost or self._session.refused):
            wanted[here.id] = project.files.of(here.id)
        taken = project.files.present()

        def take(found: dict[str, Path]) -> None:
            if project is not self._session.project:
                return
            if not found:
                self.told.emit(f"None of the files is below {folder}: choose another folder.")
                return
            here = self._session.current
            try:
                self._session.moved(found)
            except (OSError, ValueError) as error:
                self.failed.emit(str(error))
                return
            if here is not None:
                self._session.go_to(here.id)
            left = len(wanted) - len(found)
            rest = f"; {left} still missing: search another folder" if left else ""
            count = f"{len(found)} file{'s' if len(found) > 1 else ''}"
            self.told.emit(f"{count} found by content or name{rest}.")

        files = tuple(wanted.values())
        self._finding.ask(lambda: look_for(files, folder, taken=taken), take)
