"""The dock's foot at the desk: verdicts and the note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from napari_hubseg.panels.verdict import VerdictPanel, VerdictState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk

__all__ = ["VerdictPresenter", "verdict_state"]


class VerdictPresenter(Presenter[VerdictPanel, VerdictState]):
    """Connects the dock's foot."""

    def wishes(self) -> Wishes:
        panel, desk, do = self._panel, self._desk, self._do
        return (
            (panel.accept_requested, do("accept")),
            (panel.again_requested, do("open_again")),
            (panel.flag_requested, do("flag")),
            (panel.reject_requested, do("reject")),
            (panel.note_requested, desk.session.set_note),
            (panel.advance_requested, lambda on: setattr(desk.verdicts, "advances", on)),
        )

    def state(self, step: str) -> VerdictState:
        return verdict_state(self._desk, step)

    def lead(self, step: str) -> QWidget | None:
        return self._panel.accept if step == "accept" else None


def verdict_state(desk: Desk, step: str) -> VerdictState:
    """Return what the foot shows."""
    session, slide = desk.session, desk.session.current
    open_ = slide is not None and not (session.refused or session.too_large)
    open_ = open_ and not desk.layers.sight.trouble
    return VerdictState(
        verdict=session.verdict(slide.id).value if slide and open_ else Verdict.UNSEEN.value,
        note=session.note_on(slide.id) if slide is not None else "",
        enabled=slide is not None,
        decidable=open_,
        advances=desk.verdicts.advances,
        accept_next=step == "accept" and open_,
    )
