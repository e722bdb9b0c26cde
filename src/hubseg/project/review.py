"""The project as the rest of the program sees it.

Responsible for making, opening and closing the folder, and for the one surface over its slides,
journal and records. Does not know SQL itself, nor what a row does to a mask.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from hubseg.project.backup_schedule import BackupSchedule
from hubseg.project.database import FILE, Database
from hubseg.project.files import SlideFiles
from hubseg.project.folder import make_folder, project_path, user_name, why_absent
from hubseg.project.records import ExportRecord, RecordRows, RunRecord
from hubseg.project.rows import JournalRows
from hubseg.project.slides import SlideRows, check_ids
from hubseg.project.words import slides_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hubseg.journal.accepted import PackedMask
    from hubseg.journal.rows import Entry, Kind
    from hubseg.project.adding import Added
    from hubseg.slide import Slide, SlideTable

__all__ = ["ReviewProject"]


class ReviewProject:
    """A folder ``NAME.hubseg``: :meth:`create`, :meth:`open`, :meth:`for_reading`.

    It may be handed from one thread to another, but is used by one at a time.

    Attributes
    ----------
    path
        The folder, absolute.
    author
        Who writes; noted in every row.
    files
        Those that the work belongs to.
    """

    def __init__(
        self, path: Path, author: str, *, reading: bool = False, check: bool = True
    ) -> None:
        self.path, self.author = path, author
        self._database = Database(path, author, reading=reading, check=check)
        try:
            self._slides = SlideRows(self._database)
            self.files = SlideFiles(self._database)
            self._journal = JournalRows(self._database, author)
            self._records = RecordRows(self._database, author)
            self._keeper = BackupSchedule(self._database)
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def create(
        cls, path: Path | str, table: SlideTable, *, author: str | None = None
    ) -> ReviewProject:
        """Make a project of the table's slides and open it; its folder appears complete.

        Raises
        ------
        ValueError
            When `path` does not end in ``.hubseg``, or an id of the table cannot name a file.
        OSError
            When `path` exists already or cannot be written.
        """
        path = project_path(path)
        check_ids(table)
        make_folder(path)
        project = cls(path, author or user_name())
        try:
            project.add(table)
        except BaseException:
            project.close()
            shutil.rmtree(path, ignore_errors=True)
            raise
        return project

    @classmethod
    def open(cls, path: Path | str, *, author: str | None = None) -> ReviewProject:
        """Open a project; for reading only when another opener writes in it.

        Raises
        ------
        ValueError
            When `path` is no project, is damaged, or was made by a newer version.
        OSError
            When it does not exist or cannot be read.
        """
        return cls(_existing(path), author or user_name())

    @classmethod
    def for_reading(cls, path: Path | str, *, check: bool = True) -> ReviewProject:
        """Open a project for reading only: nobody is kept from writing in it, now or later.

        Raises as :meth:`open` does. Without `check` the file is taken to be whole.
        """
        return cls(_existing(path), user_name(), reading=True, check=check)

    def reader(self) -> Callable[[], ReviewProject]:
        """Return what opens this project once more for reading only, in any thread."""
        return partial(self.for_reading, self.path, check=bool(self._database.damage))

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether a project is at `path`."""
        return (path / FILE).is_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *, discard: bool = False) -> None:
        """Write what waits and close; `discard` gives up rows that cannot be written.

        Raises
        ------
        OSError
            When rows still wait for the disk; the project stays open then.
        """
        if not discard:
            self._journal.flush()
        self._keeper.close()
        self._database.close()

    @property
    def read_only(self) -> bool:
        """True when it was opened so, another opener writes, or the folder cannot be written."""
        return self._database.read_only

    @property
    def writer(self) -> str:
        """Who else holds the right to write, in words; "" when nobody does."""
        return self._database.writer

    @property
    def why_read_only(self) -> str:
        """One sentence that tells a person why nothing can be changed; "" when it can."""
        return self._database.why_read_only

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that whoever reads this project must be told: what is damaged and missing."""
        return (self._database.damage,) if self._database.damage else ()

    @property
    def maps(self) -> Path:
        """Folder of the member maps (:class:`hubseg.probability.MapStore`)."""
        return self.path / "maps"

    # -------------------------------------------------------------------------------- slides

    @property
    def missing(self) -> Mapping[str, str]:
        """One sentence for each id that cannot be shown: why, and what helps."""
        return self._slides.missing

    def add(self, table: SlideTable) -> Added:
        """Add the table's slides; of known ones (:mod:`hubseg.project.adding`), renew the facts.

        What the table does not say stays, and so does what a person told: rows of the journal.

        Raises
        ------
        ValueError
            When an id cannot name a file: path separators and the like.
        OSError
            When the project cannot be written.
        """
        return self._slides.add(table)

    def slides(self, *, divided: bool = False, overviews: bool = False) -> tuple[Slide, ...]:
        """Return the slides in order (:meth:`hubseg.project.slides.SlideRows.slides`)."""
        return slides_in_words(self, self._slides.slides(divided=divided, overviews=overviews))

    def truth(self, slide_id: str) -> str | None:
        """Return the run-length text of the true mask; None when it is not known."""
        return self._slides.truth(slide_id)

    def record_truth(self, slide_id: str, text: str | None) -> None:
        """Keep a true mask, or None, in place of what was known; OSError when refused."""
        self._slides.record_truth(slide_id, text)

    def digest(self, slide: Slide) -> str:
        """Return the content digest of a slide's file, from the record while that holds."""
        return self._slides.digest(slide)

    def check_file(self, slide: Slide) -> tuple[Slide, bool]:
        """Compare a slide's file with the one that was worked on.

        Returns the slide as its file is now, and whether it is still the same image.

        Raises
        ------
        ValueError, OSError
            When the file cannot be opened any more.
        """
        return self._slides.check_file(slide)

    def is_as_opened(self, slide: Slide) -> bool:
        """Whether a slide's file is the one that :meth:`check_file` saw last, or of its content."""
        return self._slides.is_as_opened(slide)

    def record_file(self, slide: Slide) -> None:
        """Record that the work on `slide` belongs to its file as it is now.

        Raises
        ------
        OSError
            When the file cannot be read or the project cannot be written.
        """
        self._slides.record_file(slide)

    # ------------------------------------------------------------------------------- journal

    def append(
        self,
        kind: Kind,
        payload: bytes | Mapping[str, Any],
        *,
        slide_id: str | None = None,
        label: str = "",
        target: int | None = None,
        masks: Sequence[PackedMask] = (),
    ) -> Entry:
        """Add a row, together with rows that still wait, in one transaction.

        When the disk refuses, the row waits in memory (`unsaved`) and `trouble` says why; the
        next call, :meth:`flush` and :meth:`close` try again. A row with masks does not wait: it
        is on the disk together with them, or it was not added.

        Parameters
        ----------
        kind, payload, label
            What happened: a gesture's bytes or facts to be kept as JSON, and a person's words.
        slide_id
            The slide it concerns; None is the whole project.
        target
            The row that an undo or redo acts on, or that a mask belongs to.
        masks
            What a verdict stands for.

        Raises
        ------
        OSError
            When the project is read-only, or the disk refuses a row with masks.
        ValueError
            When the project has no such slide.
        """
        entry = self._journal.append(
            kind, payload, slide_id=slide_id, label=label, target=target, masks=masks
        )
        if not self._journal.unsaved:
            self._keeper.count()
        return entry

    @property
    def unsaved(self) -> int:
        """Rows that wait for the disk."""
        return self._journal.unsaved

    @property
    def trouble(self) -> str:
        """One sentence about why rows wait for the disk; "" when none do."""
        return self._journal.trouble

    def flush(self) -> None:
        """Write the rows that wait.

        Raises
        ------
        OSError
            When the disk refuses; the rows go on waiting.
        """
        self._journal.flush()

    def entries(self, slide_id: str | None = None, *, pixels: bool = True) -> tuple[Entry, ...]:
        """Return rows in order: those of a slide and of the whole project, or every row.

        Without `pixels` the bytes of gestures are not loaded: their payload is empty.
        """
        return self._journal.entries(slide_id, pixels=pixels)

    def payload(self, seq: int) -> bytes:
        """Return the payload of one row; ValueError where there is none."""
        return self._journal.payload(seq)

    def mask(self, digest: str) -> PackedMask:
        """Return a mask that a verdict was given on; ValueError where there is none."""
        return self._journal.mask(digest)

    # ------------------------------------------------------------------------------- records

    def record_run(
        self,
        run_id: str,
        slide_id: str,
        *,
        recipe_digest: str,
        recipe: str,
        members: Sequence[str],
        slide_digest: str = "",
    ) -> None:
        """Record what a run left; again for the same run and slide replaces it.

        :class:`hubseg.project.records.RunRecord` says what each value is.

        Raises
        ------
        OSError
            When the project cannot be written.
        """
        self._records.record_run(run_id, slide_id, slide_digest, recipe_digest, recipe, members)

    def runs(self, slide_id: str | None = None) -> tuple[RunRecord, ...]:
        """Return the runs of a slide, or of all, oldest first."""
        return self._records.runs(slide_id)

    def record_export(self, path: Path | str, *, format: str, digest: str) -> None:
        """Record what was written from this project, where to, and its content digest.

        Raises
        ------
        OSError
            When the project cannot be written.
        """
        self._records.record_export(path, format, digest)

    def exports(self) -> tuple[ExportRecord, ...]:
        """Return every export, oldest first."""
        return self._records.exports()


def _existing(path: Path | str) -> Path:
    path = project_path(path)
    if not ReviewProject.exists(path):
        raise FileNotFoundError(why_absent(path))
    return path
