"""The threshold panel at the desk: previews during a drag, a threshold at its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hubseg.organ import Organ
from napari_hubseg.panels.thresholds import ThresholdRow, ThresholdsPanel, ThresholdsState
from napari_hubseg.presenters.ensemble import fast_words
from napari_hubseg.presenters.presenter import Callbacks, Presenter, Wishes

if TYPE_CHECKING:
    from hubseg.organ import Vocabulary
    from hubseg.slide import Slide
    from hubseg.thresholds.table import ThresholdTable
    from napari_hubseg.canvas.comparison import Comparison
    from napari_hubseg.desk import Desk

__all__ = ["ThresholdsPresenter"]


class ThresholdsPresenter(Presenter[ThresholdsPanel, ThresholdsState]):
    """Connects the threshold panel."""

    def wishes(self) -> Wishes:
        panel, desk = self._panel, self._desk
        return (
            (panel.reset_requested, self._do("reset_threshold")),
            (panel.run_requested, self._do("run_ensemble")),
            (panel.run_all_requested, self._do("run_ensemble")),  # the other choice is made by then
            (panel.previewed, desk.layers.appearance.preview),
            (panel.threshold_requested, desk.set_threshold),
            (panel.organ_threshold_requested, desk.set_organ_threshold),
            (panel.this_slide_only_requested, lambda _: desk.this_slide_only()),
        )

    def callbacks(self) -> Callbacks:
        return {
            "lower_threshold": lambda: self._nudge(-1.0),
            "raise_threshold": lambda: self._nudge(1.0),
        }

    def state(self, step: str) -> ThresholdsState:
        desk, session, slide = self._desk, self._desk.session, self._desk.session.current
        if slide is None:
            return ThresholdsState(reading=bool(desk.opening) or desk.ensemble.mixing.reading)
        own = desk.calibration.calibration(slide.organ, slide.source)
        reading = desk.ensemble.mixing.reading
        can_run = step == "run" and not reading and session.probability is None
        return ThresholdsState(
            value=session.threshold,
            organ=slide.organ,
            label="" if slide.organ is None else session.vocabulary.label(slide.organ),
            source="" if slide.source is None else session.vocabulary.label(slide.source),
            rows=_rows(slide, session.thresholds, session.vocabulary),
            this_slide_only=session.slide_threshold is not None,
            curves=replace(
                desk.curves.curves,
                every=() if own is None else own.curve,
                px=slide.height * slide.width,
                um_per_px=slide.um_per_px,
            ),
            size=desk.derivation.figures.size(slide.um_per_px),
            figures=_compared(desk.comparison) or _figures(desk),
            enabled=True,
            reading=reading or session.probability is not None,  # until its values are counted
            imported=str(session.imported or ""),
            can_run=len(session.slides) if can_run else 0,
            coming="" if reading or session.probability is not None else _coming(desk, slide),
        )

    def _nudge(self, by: float) -> None:
        session = self._desk.session
        if session.current is not None and session.imported is None:
            slider = self._panel.main
            slider.nudge(slider.number.value() + by)


def _coming(desk: Desk, slide: Slide) -> str:
    """Return what is said of a run that will give the slide its map; "" where none is on."""
    ensemble = desk.ensemble
    if slide.id not in ensemble.coming:
        return ""
    waits = any(slide.id in order.slides for order in ensemble.waiting.all)
    return "this slide waits for its run" if waits else "this slide is being run …"


def _figures(desk: Desk) -> str:
    """Return what there is to say of map and mask: that strokes taught it or a run was fast."""
    figures = desk.derivation.figures
    taught = desk.teaching.changed_share is not None and figures.members is None
    fast = fast_words(desk.session.probability)
    return " · ".join(filter(None, (str(figures), "taught" if taught else "", fast)))


def _rows(slide: Slide, table: ThresholdTable, words: Vocabulary) -> tuple[ThresholdRow, ...]:
    """Return the thresholds of the other organs of a slide's source."""
    source = slide.source
    if source is None:
        return ()
    known = sorted((Organ(term.label), term.label) for term in words.organs)
    return tuple(
        ThresholdRow(organ, table.value(organ, source), label)
        for organ, label in known
        if organ is not slide.organ
    )


def _compared(comparison: Comparison) -> str:
    """Return how the mask differs from the reference; "" while nothing is compared."""
    if comparison.threshold is None:
        return ""
    kept = f"against {comparison.threshold:g}"
    found = comparison.difference
    if found is None:
        return f"{kept}: …"
    sides = f"+{100 * found.more:.2f} %  −{100 * found.less:.2f} %"
    return f"{kept}: {sides}  ·  Dice of both {found.dice:.3f}"
