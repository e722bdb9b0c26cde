"""The start panel at the desk: ways to begin, and the dialogs behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.start import StartPanel, StartState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qtpy.QtWidgets import QWidget

    from napari_hubseg.presenters.presenter import Wish

__all__ = ["StartPresenter"]


class StartPresenter(Presenter[StartPanel, StartState]):
    """Connects the start panel."""

    def wishes(self) -> Iterable[Wish]:
        """Open something."""
        yield self._panel.folder_requested, self._do("open_folder")
        yield self._panel.file_requested, self._do("open_file")
        yield self._panel.sample_requested, self._do("open_sample")

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        panel, open_path = self._panel, self._desk.open_path
        folder, file = "Open a folder of images or a project", "Open a table or an image"
        return {
            "open_folder": dialogs.asking(lambda: dialogs.folder(panel, folder), open_path),
            "open_file": dialogs.asking(
                lambda: dialogs.file(panel, file, dialogs.SLIDES), open_path
            ),
        }

    def state(self, step: str) -> StartState:
        """Return what is open or being opened."""
        return StartState(has_slides=bool(self._desk.session.slides), opening=self._desk.opening)

    def lead(self, step: str) -> QWidget | None:
        """Return the button that opens a folder."""
        return self._panel.folder if step == "open" else None
