"""The correction panel at the desk: tools and undo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_hubseg.desk.offer import step_words
from napari_hubseg.panels.correct import CorrectPanel, CorrectState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from hubseg.session import ReviewSession

__all__ = ["CorrectPresenter"]


class CorrectPresenter(Presenter[CorrectPanel, CorrectState]):
    """Connects the correction panel."""

    def wishes(self) -> Wishes:
        panel, desk, do = self._panel, self._desk, self._do
        return (
            (panel.undo_requested, do("undo")),
            (panel.redo_requested, do("redo")),
            (panel.alike_requested, do("all_like_this")),
            (panel.tool_requested, desk.take_tool),
            (panel.size_requested, desk.brushes.set_size),
            (panel.on_screen_requested, desk.brushes.use_screen),
            (panel.split_requested, lambda by: setattr(desk.mask_tools, "split_by", by)),
            (panel.drop_small_requested, desk.drop_small),
            (panel.fill_small_requested, desk.fill_small),
        )

    def state(self, step: str) -> CorrectState:
        desk, session = self._desk, self._desk.session
        many, elsewhere = desk.batches, desk.offers.step_elsewhere
        undone = _undone(session) if elsewhere is None else _step(elsewhere.label)
        redone = _step(session.redo_text) if session.can_redo else ""
        return CorrectState(
            tool=desk.mask_tools.tool if desk.layers.at_hand else "",
            elsewhere=not desk.layers.at_hand,
            size=desk.brushes.size,
            on_screen=desk.brushes.on_screen,
            undo_text=many.done or undone,
            redo_text=many.undone or _told(redone, session.steps.redoes_for_all),
            enabled=session.current is not None,
            split_by=desk.mask_tools.split_by,
            several=len(session.structures) > 1,
            like_this=desk.alike.possible,
        )


def _undone(session: ReviewSession) -> str:
    words = _step(session.undo_text) if session.can_undo else ""
    return _told(words, session.steps.undoes_for_all)


def _told(words: str, for_all: str) -> str:
    """Return what a button says of a step; one of another time, on every slide, says so."""
    return f"{words}, on every slide" if words and for_all else words


def _step(label: str) -> str:
    """Return a journal's label in words that a button has room for."""
    words = re.sub(r"^threshold \S+/\S+ ", "threshold ", step_words(label))
    return re.sub(r"^(accepted|flagged|rejected) slide ", r"\1 ", words)
