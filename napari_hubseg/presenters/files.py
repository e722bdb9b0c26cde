"""The files panel at the desk: a changed file is decided about, moved ones are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.presenters import dialogs, states
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.files import FilesPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["FilesPresenter"]


class FilesPresenter(Presenter):
    """Connects the files panel."""

    def __init__(self, panel: FilesPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.keep_requested.connect(desk.session.keep_edits)
        panel.aside_requested.connect(desk.session.set_edits_aside)
        panel.find_requested.connect(do("find_files"))

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"find_files": self._find}

    def show(self, step: str) -> None:
        """Show what is asked."""
        self._panel.show_state(states.files_state(self._desk))

    def _find(self) -> None:
        folder = dialogs.folder(self._panel, "Search this folder, and all below, for files")
        if folder is not None:
            self._desk.files.find(folder, lost=bool(self._desk.layers.sight.trouble))
