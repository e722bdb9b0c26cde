"""The correction panel at the desk: tools, views, undo and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.presenters import states
from napari_hubseg.presenters.presenter import Presenter, settle_with

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.correct import CorrectPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["CorrectPresenter"]


class CorrectPresenter(Presenter):
    """Connects the correction panel."""

    def __init__(self, panel: CorrectPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        for signal, name in (
            (panel.truth_requested, "toggle_truth"),
            (panel.undo_requested, "undo"),
            (panel.redo_requested, "redo"),
            (panel.accept_requested, "accept"),
            (panel.flag_requested, "flag"),
            (panel.reject_requested, "reject"),
        ):
            signal.connect(do(name))
        panel.note_requested.connect(desk.session.set_note)
        panel.tool_requested.connect(desk.take_tool)
        panel.size_requested.connect(desk.brushes.set_size)
        panel.on_screen_requested.connect(desk.brushes.use_screen)
        panel.split_requested.connect(lambda by: setattr(desk.mask_tools, "split_by", by))
        panel.drop_small_requested.connect(desk.drop_small)
        panel.fill_small_requested.connect(desk.fill_small)
        panel.view_requested.connect(desk.layers.set_view)
        panel.advance.toggled.connect(lambda on: setattr(desk.verdicts, "advances", on))
        settle_with(panel, desk)

    def show(self, step: str) -> None:
        """Show the tool in hand, the view and the verdict."""
        desk = self._desk
        self._panel.show_state(states.correct_state(desk, step))

    def lead(self, step: str) -> QWidget | None:
        """Return the button that accepts."""
        return self._panel.accept if step == "accept" else None
