"""The start panel at the desk: ways to begin, and the dialogs behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hubseg.panels.start import StartPanel, StartState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Callbacks, Do, Presenter, Wishes
from napari_hubseg.widgets.remembered import recall, remember

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk

__all__ = ["StartPresenter"]


_KEPT, _OFFERED = "recent", 5


def _recent() -> tuple[str, ...]:
    """Return the projects that were open before and are still there, the newest first."""
    known = recall(_KEPT, [])
    paths = known if isinstance(known, list) else []
    return tuple(path for path in paths if isinstance(path, str) and Path(path).is_dir())


class StartPresenter(Presenter[StartPanel, StartState]):
    """Connects the start panel."""

    def __init__(self, panel: StartPanel, desk: Desk, do: Do) -> None:
        super().__init__(panel, desk, do)
        desk.session.slides_changed.connect(self._remember)

    def wishes(self) -> Wishes:
        yield self._panel.folder_requested, self._do("open_folder")
        yield self._panel.file_requested, self._do("open_file")
        yield self._panel.sample_requested, self._do("open_sample")
        yield self._panel.recent_requested, lambda path: self._desk.open_path(Path(path))

    def callbacks(self) -> Callbacks:
        panel, open_path = self._panel, self._desk.open_path
        folder, file = "Open a folder of images or a project", "Open a table or an image"
        return {
            "open_folder": dialogs.asking(lambda: dialogs.folder(panel, folder), open_path),
            "open_file": dialogs.asking(
                lambda: dialogs.file(panel, file, dialogs.SLIDES), open_path
            ),
        }

    def state(self, step: str) -> StartState:
        has_slides = bool(self._desk.session.slides)
        return StartState(
            has_slides=has_slides,
            opening=self._desk.opening,
            recent=() if has_slides else _recent(),
        )

    def _remember(self) -> None:
        """Remember the project that is open now, for an empty dock to offer."""
        project = self._desk.session.project
        if project is not None:
            here = str(Path(project.path).resolve())
            remember(_KEPT, [here, *(path for path in _recent() if path != here)][:_OFFERED])

    def lead(self, step: str) -> QWidget | None:
        return self._panel.folder if step == "open" else None
