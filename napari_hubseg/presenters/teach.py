"""The teach panel at the desk: the switch, and what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hubseg.panels.teach import TeachPanel, TeachState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Callbacks, Presenter, Wishes

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk

__all__ = ["TeachPresenter", "teach_state"]


class TeachPresenter(Presenter[TeachPanel, TeachState]):
    """Connects the teach panel."""

    def wishes(self) -> Wishes:
        yield self._panel.switched, self._do("teach")
        yield self._panel.export_requested, self._do("export_taught")

    def callbacks(self) -> Callbacks:
        return {"export_taught": dialogs.asking(self._ask, self._desk.teaching.export)}

    def _ask(self) -> Path | None:
        """Ask for a new folder, beside the project."""
        project = self._desk.session.project
        beside = Path.home() if project is None else Path(project.path).parent
        title = "Write the taught networks to a new folder"
        return dialogs.new_folder(self._panel, title, beside / "taught_networks")

    def state(self, step: str) -> TeachState:
        return teach_state(self._desk)


def teach_state(desk: Desk) -> TeachState:
    """Return what the panel shows."""
    session, teaching = desk.session, desk.teaching
    return TeachState(
        on=teaching.on,
        said=teaching.said,
        enabled=session.current is not None and session.review.writable,
        taught=bool(teaching.taught.heads),
    )
