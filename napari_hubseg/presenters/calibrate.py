"""The calibration panel at the desk: truths in, a threshold out, presets kept and taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.calibrate import CalibratePanel, CalibrateState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Callbacks, SectionPresenter, Wishes

if TYPE_CHECKING:
    from hubseg.thresholds.calibration import Calibration
    from napari_hubseg.jobs.calibration import Found

__all__ = ["CalibratePresenter"]


class CalibratePresenter(SectionPresenter[CalibratePanel, CalibrateState]):
    """Connects the calibration panel."""

    def wishes(self) -> Wishes:
        yield self._panel.calibrate_requested, self._do("calibrate")
        yield self._panel.use_requested, self._desk.calibration.use
        yield self._panel.load_requested, self._do("open_preset")
        yield self._panel.save_requested, self._do("save_preset")

    def callbacks(self) -> Callbacks:
        panel, tuning, kinds = self._panel, self._desk.calibration, dialogs.PRESETS
        name = "thresholds.yaml"
        return {
            "calibrate": tuning.calibrate,
            "open_preset": dialogs.asking(
                lambda: dialogs.file(panel, "Open a preset", kinds), tuning.load
            ),
            "save_preset": dialogs.asking(
                lambda: dialogs.new_file(panel, "Save thresholds", name, kinds), tuning.save
            ),
        }

    def state(self, step: str) -> CalibrateState:
        slide, tuning = self._desk.session.current, self._desk.calibration
        own = None if slide is None else tuning.calibration(slide.organ, slide.source)
        return CalibrateState(
            busy=tuning.busy,
            best=None if own is None else own.threshold,
            said="" if tuning.found is None else _sentences(own, tuning.found),
            enabled=slide is not None,
        )

    def summary(self, state: CalibrateState) -> str:
        return "" if state.best is None else f"best {state.best}"


def _sentences(own: Calibration | None, found: Found) -> str:
    if own is None:
        return found.refused[0] if found.refused else "No slide of this kind has a truth."
    low, high = own.threshold_interval
    below, above = own.dice_interval
    parts = [
        f"{own.organ} / {own.source}, {own.slides} slides: best {own.threshold} (95 % {low}-{high})"
        f", mean Dice {own.dice:.3f} ({below:.3f}-{above:.3f}).",
        found.promised.get((own.organ, own.source), ""),
        "Networks that were trained on these slides make it look too good.",
    ]
    if found.accepted_unedited:
        parts.append(
            f"{found.accepted_unedited} masks were accepted as they were: they speak for it."
        )
    if found.refused:
        parts.append(f"Left out: {found.refused[0]}")
    return " ".join(filter(None, parts))
