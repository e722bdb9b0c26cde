"""Calibration at the desk: the best threshold from truths, and presets that are kept and shared.

Responsible for judging the project's slides in a thread, with a reader of its own, and for setting
what came out when a person asks for it. Does not know buttons or file dialogs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.evaluation.against_truth import judge
from hubseg.failure import one_sentence
from hubseg.project import ReviewProject
from hubseg.project.newest import OR_ALONE
from hubseg.project.runs import newest_recipe
from hubseg.thresholds.calibration import Calibration, by_kind, calibrate
from hubseg.thresholds.guarantee import Promise, promised
from hubseg.thresholds.presets import Preset
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hubseg.organ import DataSource, Organ
    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.background import Background

__all__ = ["CalibrationJob", "Found"]


@dataclass(frozen=True)
class Found:
    """What a project's truths say.

    Attributes
    ----------
    calibrations
        One per organ and source with enough slides.
    refused
        One sentence per kind that has not, and per slide that could not be judged.
    accepted_unedited
        How many truths are masks that were accepted without a correction.
    recipe, recipe_digest
        What most of the maps were made with.
    promised
        Of each organ and source with enough slides, up to which threshold little is missed, or why
        nobody can say: one sentence.
    """

    calibrations: tuple[Calibration, ...]
    refused: tuple[str, ...]
    accepted_unedited: int
    recipe: str
    recipe_digest: str
    promised: Mapping[tuple[Organ, DataSource], str] = field(default_factory=dict)


class CalibrationJob:
    """Calibrates, sets what was found, and reads and writes presets."""

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._judging = Latest(background, self.failed.emit, self.changed.emit)
        self.found: Found | None = None
        background.listen((session.slides_changed, self._forget))

    @property
    def busy(self) -> bool:
        """Whether slides are being judged."""
        return self._judging.busy

    def _forget(self) -> None:
        self.found = None
        self.changed.emit()

    def calibration(self, organ: Organ | None, source: DataSource | None) -> Calibration | None:
        """Return what was found for an organ and source, or None."""
        found = self.found.calibrations if self.found is not None else ()
        return next((one for one in found if (one.organ, one.source) == (organ, source)), None)

    def calibrate(self) -> None:
        """Judge every slide that has a truth, in a thread."""
        project = self._session.project
        if project is None or self.busy:
            return
        path = project.path

        def take(found: Found) -> None:
            here = self._session.project
            if here is not None and here.path == path:
                self.found = found
                if not found.calibrations:
                    why = found.refused or ("No slide has both a map and a truth: draw one first.",)
                    self.failed.emit(why[0])

        self._judging.ask(lambda: _judged(path), take)

    def use(self) -> None:
        """Set the calibrated threshold of the current slide's organ and source."""
        slide = self._session.current
        if slide is None:
            return
        one = self.calibration(slide.organ, slide.source)
        if one is not None:
            self._session.set_threshold(
                float(one.threshold), organ=one.organ, source=one.source, scope="table"
            )

    def save(self, path: Path) -> None:
        """Write the project's thresholds as a preset: calibrated ones with how they were found."""
        found = self.found
        calibrated = Preset.calibrated(
            found.calibrations if found is not None else (),
            recipe=found.recipe if found is not None else "",
            recipe_digest=found.recipe_digest if found is not None else self._digest(),
        )
        table = self._session.thresholds
        kept = tuple(
            row
            for one, row in zip(
                found.calibrations if found is not None else (),
                calibrated.calibration,
                strict=True,
            )
            if table.value(one.organ, one.source) == one.threshold
        )
        preset = Preset(table, calibrated.recipe, calibrated.recipe_digest, kept)
        try:
            path.write_text(preset.to_yaml(), "utf-8")
        except OSError as error:
            self.failed.emit(one_sentence(error))
        else:
            self.told.emit(f"The thresholds are in {path.name}.")

    def load(self, path: Path) -> None:
        """Set the thresholds of a preset; what in it is not understood is said."""
        try:
            preset = Preset.load(path, self._session.vocabulary)
        except (OSError, ValueError) as error:
            self.failed.emit(one_sentence(error))
            return
        for one in preset.assignments:
            self._session.set_threshold(
                one.value,
                organ=one.organ,
                source=one.source,
                structure=one.structure,
                scope="table",
            )
        notes = [*preset.notes, preset.warning(self._digest())]
        said = " ".join(filter(None, notes))
        self.told.emit(said or f"{len(preset.assignments)} thresholds are set from {path.name}.")

    def _digest(self) -> str:
        probability = self._session.probability
        return "" if probability is None else probability.recipe_digest


def _judged(path: Path) -> Found:
    calibrations, name, digest = [], "", ""
    promises = {}
    with ReviewProject.for_reading(path) as project:
        told = {slide.id: project.truth(slide.id) for slide in project.slides()}
        truth = {slide_id: rle for slide_id, rle in told.items() if rle}
        judgement = judge(project, truth or None)
        for one in judgement.judged:
            recipe = newest_recipe(project, one.slide_id)
            if recipe is not None:
                name, digest = recipe.name, recipe.digest
    failed = judgement.failed.items()
    refused = [f"{slide_id}: {why.replace(OR_ALONE, '')}" for slide_id, why in failed]
    for key, kind in by_kind(judgement.judged).items():
        try:
            calibrations.append(calibrate(kind))
        except ValueError as error:
            refused.append(str(error))
        else:
            promises[key] = promised(kind, Promise())
    unedited = len(judgement.accepted_unedited)
    return Found(tuple(calibrations), tuple(refused), unedited, name, digest, promises)
