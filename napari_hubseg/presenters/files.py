"""The files panel at the desk: a changed file is decided about, moved ones are looked for."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from napari_hubseg.panels.files import FilesPanel, FilesState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Callbacks, Presenter, Wishes

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.session import ChangedFile
    from napari_hubseg.desk import Desk

__all__ = ["FilesPresenter", "files_state"]


class FilesPresenter(Presenter[FilesPanel, FilesState]):
    """Connects the files panel."""

    def wishes(self) -> Wishes:
        yield self._panel.keep_requested, self._desk.session.keep_edits
        yield self._panel.aside_requested, self._desk.session.set_edits_aside
        yield self._panel.find_requested, self._do("find_files")

    def callbacks(self) -> Callbacks:
        title = "Search this folder, and all below, for files"
        return {
            "find_files": dialogs.asking(lambda: dialogs.folder(self._panel, title), self._find)
        }

    def _find(self, folder: Path) -> None:
        self._desk.files.find(folder, lost=bool(self._desk.layers.sight.trouble))

    def state(self, step: str) -> FilesState:
        return files_state(self._desk)

    def same(self, shown: FilesState, state: FilesState) -> bool:
        """Whether two states look the same: of pictures, the very same ones do."""
        return _look(shown) == _look(state) and all(
            before is now for before, now in zip(shown.pictures, state.pictures, strict=True)
        )


def _look(state: FilesState) -> list[object]:
    return [getattr(state, one.name) for one in fields(state) if one.name != "pictures"]


def files_state(desk: Desk) -> FilesState:
    """Return what the files panel asks, or nothing."""
    found = desk.session.changed_file
    absent, here, busy = desk.files.absent, desk.session.current, desk.files.busy
    if here is not None and desk.layers.sight.trouble:
        stands = desk.session.verdict(here.id)
        kept = "" if stands is Verdict.UNSEEN else f" What was done on it ({stands.said}) is kept."
        said = f"Slide {here.id} cannot be shown, so nothing can be decided on it.{kept}"
        return FilesState(said=said, lost=True, absent=absent, busy=busy)
    if found is None:
        lost = f"{absent} slides are not shown: their files are not where they were."
        if absent == 1:
            lost = "One slide is not shown: its file is not where it was."
        return FilesState(said=lost, absent=absent, busy=busy)
    height, width = found.before.shape
    size = "" if found.fits else ": another size, so that the edits cannot be kept"
    return FilesState(
        changed=True,
        said=f"The file of slide {found.now.id} is not the one that was worked on. Is it the "
        "same tissue? Nothing can be painted here until you say, and no edit is lost.",
        before=f"before: {width} × {height} px, {_work_on(found)}",
        now=f"now: {found.now.width} × {found.now.height} px{size}",
        pictures=desk.files.pictures,
        fits=found.fits,
        absent=absent,
        busy=busy,
    )


def _work_on(found: ChangedFile) -> str:
    """Return what was done on the file before, by whom and when."""
    done = [f"{found.gestures} edit{'s' if found.gestures > 1 else ''}"] if found.gestures else []
    if not found.verdict.is_open:
        done.insert(0, found.verdict.said)
    when = "" if found.at is None else f", {found.at.astimezone():%d %b %Y}"
    return f"{', '.join(done) or 'something noted'} by {found.author}{when}"
