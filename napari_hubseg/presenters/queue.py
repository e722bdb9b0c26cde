"""The queue strip at the desk: which slide is on screen."""

from __future__ import annotations

from napari_hubseg.panels.queue import QueuePanel, QueueState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["QueuePresenter"]


class QueuePresenter(Presenter[QueuePanel, QueueState]):
    """Connects the queue strip."""

    def wishes(self) -> Wishes:
        yield self._panel.open_requested, lambda name: self._do(name)()
        yield self._panel.help_requested, self._do("show_keys")
        yield self._panel.next_requested, self._do("next_slide")
        yield self._panel.previous_requested, self._do("previous_slide")
        yield self._panel.slide_requested, self._desk.go_to

    def state(self, step: str) -> QueueState:
        session, current = self._desk.session, self._desk.session.current
        here = current.id if current is not None else ""
        hidden = session.catalogue.hidden
        ids = tuple(i for i in session.in_order() if i == here or i not in hidden)
        saved, project = session.last_saved, session.project
        return QueueState(
            ids=ids,
            verdicts=tuple(session.verdict(slide_id).said for slide_id in ids),
            current=ids.index(here) if here else -1,
            saved=saved.astimezone().strftime("%H:%M") if saved is not None else "",
            project="" if project is None else str(project.path),
            note="read only" if project is not None and project.read_only else "",
            opening=bool(self._desk.opening),
        )
