"""The start panel at the desk: ways to begin, and the dialogs behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.presenters import dialogs, states
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.start import StartPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["StartPresenter"]


class StartPresenter(Presenter):
    """Connects the start panel."""

    def __init__(self, panel: StartPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.folder_requested.connect(do("open_folder"))
        panel.file_requested.connect(do("open_file"))
        panel.sample_requested.connect(do("open_sample"))

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"open_folder": self._open_folder, "open_file": self._open_file}

    def show(self, step: str) -> None:
        """Show what is open or being opened."""
        self._panel.show_state(states.start_state(self._desk.session, self._desk.opening))

    def lead(self, step: str) -> QWidget | None:
        """Return the button that opens a folder."""
        return self._panel.folder if step == "open" else None

    def _open_folder(self) -> None:
        folder = dialogs.folder(self._panel, "Open a folder of images or a project")
        if folder is not None:
            self._desk.open_path(folder)

    def _open_file(self) -> None:
        path = dialogs.file(self._panel, "Open a table or an image", dialogs.SLIDES)
        if path is not None:
            self._desk.open_path(path)
