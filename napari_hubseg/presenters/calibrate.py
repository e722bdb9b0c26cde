"""The calibration panel at the desk: truths in, a threshold out, presets kept and taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from napari_hubseg.panels.calibrate import CalibrateState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hubseg.thresholds.calibration import Calibration
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.calibration import Found
    from napari_hubseg.panels.calibrate import CalibratePanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["CalibratePresenter"]

_KINDS = "Presets (*.yaml *.yml)"


class CalibratePresenter(Presenter):
    """Connects the calibration panel."""

    def __init__(self, panel: CalibratePanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        panel.calibrate_requested.connect(do("calibrate"))
        panel.use_requested.connect(desk.calibration.use)
        panel.load_requested.connect(do("open_preset"))
        panel.save_requested.connect(do("save_preset"))

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {
            "calibrate": self._desk.calibration.calibrate,
            "open_preset": self._open,
            "save_preset": self._save,
        }

    def show(self, step: str) -> None:
        """Show what was found for the slide's organ and source."""
        slide, tuning = self._desk.session.current, self._desk.calibration
        own = None if slide is None else tuning.calibration(slide.organ, slide.source)
        self._panel.show_state(
            CalibrateState(
                busy=tuning.busy,
                best=None if own is None else own.threshold,
                said="" if tuning.found is None else _sentences(own, tuning.found),
                enabled=slide is not None,
            )
        )
        self._section.set_summary("" if own is None else f"best {own.threshold}")

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._panel, "Open a preset", filter=_KINDS)
        if path:
            self._desk.calibration.load(Path(path))

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self._panel, "Save thresholds", "thresholds.yaml", _KINDS
        )
        if path:
            self._desk.calibration.save(Path(path))


def _sentences(own: Calibration | None, found: Found) -> str:
    if own is None:
        return found.refused[0] if found.refused else "No slide of this kind has a truth."
    low, high = own.threshold_interval
    below, above = own.dice_interval
    parts = [
        f"{own.organ} / {own.source}, {own.slides} slides: best {own.threshold} (95 % {low}-{high})"
        f", mean Dice {own.dice:.3f} ({below:.3f}-{above:.3f}).",
        "Networks that were trained on these slides make it look too good.",
    ]
    if found.accepted_unedited:
        parts.append(
            f"{found.accepted_unedited} masks were accepted as they were: they speak for it."
        )
    if found.refused:
        parts.append(f"Left out: {found.refused[0]}")
    return " ".join(parts)
