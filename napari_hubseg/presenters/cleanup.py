"""The cleanup panel at the desk: what is tidied up after the threshold."""

from __future__ import annotations

from napari_hubseg.jobs.recipe_rules import steps_on
from napari_hubseg.panels.cleanup import CleanupPanel, CleanupState
from napari_hubseg.presenters.presenter import SectionPresenter, Wishes

__all__ = ["CleanupPresenter"]


class CleanupPresenter(SectionPresenter[CleanupPanel, CleanupState]):
    """Connects the cleanup panel."""

    def wishes(self) -> Wishes:
        yield self._panel.cleanup_requested, self._desk.set_cleanup
        yield self._panel.look_requested, self._desk.preview_step

    def state(self, step: str) -> CleanupState:
        session, slide = self._desk.session, self._desk.session.current
        organ = None if slide is None else slide.organ
        return CleanupState(
            cleanup=session.cleanup,
            organ="" if organ is None else session.vocabulary.label(organ),
            previewed_step=session.previewed_step,
            enabled=session.project is not None,
        )

    def show(self, step: str) -> None:
        """Show what is tidied up; the header says it also while the section is folded."""
        super().show(step)
        here = self._desk.session.current
        on = [] if here is None else steps_on(self._desk.session.cleanup, here.um_per_px)
        self._section.set_badge(f"on: {len(on)} step{'s' * (len(on) > 1)}" if on else "")
        self._section.header.setToolTip(f"Cleanup: {', '.join(on) or 'nothing is tidied up'}")
