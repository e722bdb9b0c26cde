"""The export panel at the desk: what leaves, and where to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.export import FORMATS
from napari_hubseg.presenters import dialogs, states
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.export import ExportPanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["ExportPresenter"]


class ExportPresenter(Presenter):
    """Connects the export panel and its section."""

    def __init__(self, panel: ExportPanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        panel.export_requested.connect(desk.export)
        panel.target_requested.connect(self._choose_target)
        desk.exports.finished.connect(panel.say)
        desk.exports.in_the_way.connect(panel.ask_to_replace)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"export": lambda: self._desk.export(self._panel.choice())}

    def show(self, step: str) -> None:
        """Show what is ready to leave."""
        busy = self._desk.exports.busy
        state = states.export_state(self._desk.session, busy=busy, step=step)
        self._panel.show_state(state)
        self._section.set_summary(f"{state.ready} ready" if state.total else "")

    def lead(self, step: str) -> QWidget | None:
        """Return the button that exports."""
        if step != "export":
            return None
        self._section.expand()
        return self._panel.go

    def _choose_target(self, format: str) -> None:
        if FORMATS[format].is_folder:
            path = dialogs.folder(self._panel, "Choose a folder to write to")
        else:
            suggested = self._panel.target.text()
            path = dialogs.new_file(self._panel, "Export to", suggested, "Submission (*.csv)")
        if path is not None:
            self._panel.set_target(path)
