"""Thresholds and cleanup, as a person sets them.

Responsible for which threshold is set: the slide's own or that of its kind. Does not know sliders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hubseg.failure import one_sentence
from hubseg.slide import UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubseg.cleanup import Cleanup
    from hubseg.journal.rows import Entry
    from hubseg.organ import Organ
    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.appearance import Appearance
    from napari_hubseg.desk.batches import Batches
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.mask import Derivation

__all__ = ["Rules"]


class Rules:
    """Tell facts, set thresholds and cleanup."""

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        appearance: Appearance,
        derivation: Derivation,
        batches: Batches,
    ) -> None:
        self._session, self._signals, self._batches = session, signals, batches
        self._appearance, self._derivation = appearance, derivation
        self.asked_name: UnknownName | None = None
        session.slide_changed.connect(self._forget_name)

    def tell(
        self,
        *,
        organ: str | None = None,
        source: str | None = None,
        um_per_px: float | None = None,
    ) -> None:
        """Note what a person says about the slide; nothing known stays as it is."""
        session, before = self._session, self._session.threshold
        try:
            session.tell(organ=organ, source=source, um_per_px=um_per_px or None)
        except ValueError as error:
            self._signals.failed.emit(one_sentence(error))
        if session.threshold != before and session.probability is not None:
            jumps = f"Threshold {before:g} → {session.threshold:g}"
            self._signals.told.emit(f"{jumps}: that of slides of this organ and source.")
        self._signals.changed.emit()

    def tell_name(self, kind: Literal["organ", "source"], name: str) -> None:
        """Tell the slide a name that was typed; one that nobody knows is asked about first."""
        words = self._session.vocabulary
        if words.word(kind, name) is None:
            self.asked_name = UnknownName(kind, name, 0, words.nearest(kind, name))
            self._signals.changed.emit()
        else:
            self._tell_word(kind, name)

    def take_name(self, kind: Literal["organ", "source"], name: str, meant: str) -> None:
        """Know a name from now on, as a word of its own or as another name of a known one."""
        typed, self.asked_name = self.asked_name, None
        try:
            self._session.take_name(kind, name, meant)
        except ValueError as error:
            self._signals.failed.emit(one_sentence(error))
        if typed is not None and typed.text == name:
            self._tell_word(kind, name)
        self._signals.changed.emit()

    def _tell_word(self, kind: str, name: str) -> None:
        if kind == "organ":
            self.tell(organ=name)
        else:
            self.tell(source=name)

    def _forget_name(self, *_: object) -> None:
        self.asked_name = None

    def tell_alike(self) -> None:
        """Tell all slides like this one what was told of it, with the way back."""
        self._say_told(self._session.tell_alike())

    def tell_by_name(self, pattern: str, facts: Mapping[str, Any]) -> None:
        """Tell the slides whose names fit a pattern what it says, with the way back."""
        try:
            named = self._session.by_name(pattern, facts)
        except ValueError as error:
            self._signals.failed.emit(one_sentence(error))
            return
        self._say_told(self._session.tell_by_name(named))

    def _say_told(self, rows: tuple[Entry, ...]) -> None:
        count = len(rows)
        if count:
            which = f"{count} slide{'' if count == 1 else 's'}"
            self._batches.say(f"Set for {which}: {rows[0].label}.", f"facts of {which}", rows)
        self._signals.changed.emit()

    def set_threshold(self, value: float) -> None:
        """Set the threshold of the slide on screen: its own, when it has one."""
        if self._session.current is None:
            return
        own = self._session.slide_threshold is not None
        self._session.set_threshold(value, scope="slide" if own else "table")
        self._appearance.rest()
        self._signals.changed.emit()

    def set_organ_threshold(self, organ: Organ, value: float) -> None:
        """Set the threshold of another organ of the current source."""
        if self._session.current is not None:
            self._session.set_threshold(value, organ=organ, source=self._session.current.source)
            self._signals.changed.emit()

    def this_slide_only(self) -> None:
        """Give the slide a threshold of its own, or take that back."""
        if self._session.current is None:
            return
        if self._session.slide_threshold is None:
            self._session.set_threshold(self._session.threshold, scope="slide")
        else:
            self._session.reset_threshold()
        self._signals.changed.emit()

    def reset_threshold(self) -> None:
        """Go back to the recipe's threshold."""
        self._session.reset_threshold()
        self._signals.changed.emit()

    def set_cleanup(self, cleanup: Cleanup) -> None:
        """Set what is tidied up."""
        if self._session.project is not None:
            self._session.set_cleanup(cleanup)
            self._signals.changed.emit()

    def preview_step(self, step: str) -> None:
        """Show the mask as it is after a step of the cleanup; "" shows it after all."""
        if self._session.current is not None:
            self._session.preview_step(step)
            self._derivation.derive()
            self._signals.changed.emit()
