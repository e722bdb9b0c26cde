"""Thresholds and cleanup, as a person sets them.

Responsible for which threshold a hand on the slider means. Does not know sliders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.desk.core import DeskCore

if TYPE_CHECKING:
    from hubseg.cleanup import Cleanup
    from hubseg.organ import Organ

__all__ = ["Rules"]


class Rules(DeskCore):
    """Set thresholds and cleanup."""

    def set_threshold(self, value: float) -> None:
        """Set the threshold of the slide on screen: its own, when it has one."""
        if self.session.current is None:
            return
        own = self.session.slide_threshold is not None
        self.session.set_threshold(value, scope="slide" if own else "table")
        self.layers.appearance.rest()
        self.changed.emit()

    def set_organ_threshold(self, organ: Organ, value: float) -> None:
        """Set the threshold of another organ of the current source."""
        if self.session.current is not None:
            self.session.set_threshold(value, organ=organ, source=self.session.current.source)
            self.changed.emit()

    def this_slide_only(self) -> None:
        """Give the slide a threshold of its own, or take that back."""
        if self.session.current is None:
            return
        if self.session.slide_threshold is None:
            self.session.set_threshold(self.session.threshold, scope="slide")
        else:
            self.session.reset_threshold()
        self.changed.emit()

    def reset_threshold(self) -> None:
        """Go back to the recipe's threshold."""
        if self.session.current is not None:
            self.session.reset_threshold()
            self.changed.emit()

    def set_cleanup(self, cleanup: Cleanup) -> None:
        """Set what is tidied up."""
        if self.session.project is not None:
            self.session.set_cleanup(cleanup)
            self.changed.emit()

    def preview_step(self, step: str) -> None:
        """Show the mask as it is after a step of the cleanup; "" shows it after all."""
        if self.session.current is not None:
            self.session.preview_step(step)
            self.derivation.derive()
            self.changed.emit()
