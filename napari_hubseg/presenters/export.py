"""The export panel at the desk: what leaves, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from hubseg.session.next_step import ready_ids
from napari_hubseg.jobs.choices import WRITTEN
from napari_hubseg.panels.export import ExportPanel, ExportState
from napari_hubseg.presenters import dialogs, imports
from napari_hubseg.presenters.presenter import Callbacks, Do, SectionPresenter, Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from hubseg.export.proposal import Proposed
    from napari_hubseg.desk import Desk
    from napari_hubseg.widgets.pages import Page

__all__ = ["ExportPresenter"]


class ExportPresenter(SectionPresenter[ExportPanel, ExportState]):
    """Connects the export panel and its page."""

    def __init__(self, panel: ExportPanel, page: Page, desk: Desk, do: Do) -> None:
        super().__init__(panel, page, desk, do)
        desk.exports.began.connect(lambda: panel.say(""))  # what the one before wrote
        desk.exports.finished.connect(panel.say)
        desk.exports.failed.connect(lambda _: panel.say(""))  # the notice says it
        desk.exports.in_the_way.connect(panel.ask_to_replace)

    def wishes(self) -> Wishes:
        yield self._panel.export_requested, self._desk.export
        yield self._panel.target_requested, self._choose_target
        yield self._panel.import_requested, self._do("import_mask")
        yield self._panel.role_chosen, self._desk.imports.choose_role
        yield self._desk.imports.proposed, self._ask

    def callbacks(self) -> Callbacks:
        return {
            "export": lambda: self._desk.export(self._panel.choice()),
            "import_mask": dialogs.asking(
                lambda: dialogs.files(self._panel, "Import masks", dialogs.MASKS),
                self._desk.imports.look_into,
            ),
        }

    def _ask(self, found: Sequence[Proposed]) -> None:
        imports.ask(found, self._desk, self._panel, self._panel.roles)

    def state(self, step: str) -> ExportState:
        session, project = self._desk.session, self._desk.session.project
        return ExportState(
            folder=Path(project.path).parent if project is not None else None,
            ready=len(ready_ids(session)),
            total=len(session.slides),
            busy=self._desk.exports.busy,
            export_next=step == "export",
            rejected=sum(session.verdict(s.id) is Verdict.REJECTED for s in session.slides),
        )

    def summary(self, state: ExportState) -> str:
        return f"{state.ready} ready" if state.total else ""

    def lead(self, step: str) -> QWidget | None:
        return self._panel.go if step == "export" else None

    def _choose_target(self, format: str) -> None:
        if WRITTEN[format].is_folder:
            path = dialogs.folder(self._panel, "Choose a folder to write to")
        else:
            suggested = self._panel.target.text()
            kind = f"{WRITTEN[format].title} (*{Path(WRITTEN[format].name).suffix})"
            path = dialogs.new_file(self._panel, "Export to", suggested, kind)
        if path is not None:
            self._panel.set_target(path)
