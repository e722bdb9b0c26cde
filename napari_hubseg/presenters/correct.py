"""The correction panel at the desk: tools, views, undo and verdicts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from napari_hubseg.desk.offer import step_words
from napari_hubseg.panels.correct import CorrectPanel, CorrectState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QWidget

    from hubseg.session import ReviewSession
    from napari_hubseg.desk import Desk
    from napari_hubseg.presenters.presenter import Wish

__all__ = ["CorrectPresenter", "correct_state"]


class CorrectPresenter(Presenter[CorrectPanel, CorrectState]):
    """Connects the correction panel."""

    def wishes(self) -> Iterable[Wish]:
        """Take tools, look, undo, decide and note."""
        panel, desk, do = self._panel, self._desk, self._do
        return (
            (panel.truth_requested, do("toggle_truth")),
            (panel.undo_requested, do("undo")),
            (panel.redo_requested, do("redo")),
            (panel.accept_requested, do("accept")),
            (panel.flag_requested, do("flag")),
            (panel.reject_requested, do("reject")),
            (panel.note_requested, desk.session.set_note),
            (panel.tool_requested, desk.take_tool),
            (panel.size_requested, desk.brushes.set_size),
            (panel.on_screen_requested, desk.brushes.use_screen),
            (panel.split_requested, lambda by: setattr(desk.mask_tools, "split_by", by)),
            (panel.drop_small_requested, desk.drop_small),
            (panel.fill_small_requested, desk.fill_small),
            (panel.view_requested, desk.layers.set_view),
            (panel.advance.toggled, lambda on: setattr(desk.verdicts, "advances", on)),
        )

    def state(self, step: str) -> CorrectState:
        """Return the tool in hand, the view and the verdict."""
        return correct_state(self._desk, step)

    def lead(self, step: str) -> QWidget | None:
        """Return the button that accepts."""
        return self._panel.accept if step == "accept" else None


def correct_state(desk: Desk, step: str) -> CorrectState:
    """Return what the correction panel shows."""
    session, slide = desk.session, desk.session.current
    elsewhere = desk.offers.step_elsewhere
    open_ = slide is not None and not session.refused and not desk.layers.sight.trouble
    return CorrectState(
        tool=desk.mask_tools.tool if desk.layers.at_hand else "",
        elsewhere=not desk.layers.at_hand,
        size=desk.brushes.size,
        on_screen=desk.brushes.on_screen,
        view=desk.layers.appearance.view,
        has_truth=desk.truth.known,
        truth_shown=desk.contour.shown,
        undo_text=_undone(session) if elsewhere is None else elsewhere.label,
        redo_text=_step(session.redo_text) if session.can_redo else "",
        verdict=session.verdict(slide.id).value if slide and open_ else Verdict.UNSEEN.value,
        note=session.note_on(slide.id) if slide is not None else "",
        enabled=slide is not None,
        decidable=open_,
        advances=desk.verdicts.advances,
        split_by=desk.mask_tools.split_by,
        accept_next=step == "accept" and open_,
    )


def _undone(session: ReviewSession) -> str:
    return _step(session.undo_text) if session.can_undo else ""


def _step(label: str) -> str:
    """Return a journal's label in words that a button has room for."""
    return re.sub(r"^threshold \S+/\S+ ", "threshold ", step_words(label))
