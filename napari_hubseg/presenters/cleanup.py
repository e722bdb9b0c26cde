"""The cleanup panel at the desk: what is tidied up after the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.jobs.recipe_rules import steps_on
from napari_hubseg.presenters import states
from napari_hubseg.presenters.presenter import Presenter, settle_with

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.cleanup import CleanupPanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["CleanupPresenter"]


class CleanupPresenter(Presenter):
    """Connects the cleanup panel."""

    def __init__(self, panel: CleanupPanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        panel.cleanup_requested.connect(desk.set_cleanup)
        panel.look_requested.connect(desk.preview_step)
        settle_with(panel, desk)

    def show(self, step: str) -> None:
        """Show what is tidied up, also while the section is folded."""
        session = self._desk.session
        self._panel.show_state(states.cleanup_state(session))
        here = session.current
        on = [] if here is None else steps_on(session.cleanup, here.um_per_px)
        self._section.set_badge(f"on: {len(on)} step{'s' * (len(on) > 1)}" if on else "")
        self._section.header.setToolTip(f"Cleanup: {', '.join(on) or 'nothing is tidied up'}")
