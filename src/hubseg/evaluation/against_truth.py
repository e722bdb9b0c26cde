"""A project's maps counted against truths: from a table, or from what a person stands behind.

Responsible for finding each slide's map and truth and for saying, slide by slide, why one cannot
be judged. Pure reading. Does not know what the counts are used for.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubseg.formats.rle import decode
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.outcome import Outcome
from hubseg.project.derived import derive
from hubseg.project.newest import newest_in_pieces, refuse_partial
from hubseg.project.structures import named
from hubseg.project.verdicts import verdicts
from hubseg.slide.cells import plain_cell
from hubseg.thresholds.calibration import Judged
from hubseg.thresholds.curves import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Judgement", "judge", "read_folds"]

_NO_FOLD = {"", "held out", "none"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The slides that could be judged, and why others could not.

    Attributes
    ----------
    judged
        Slides with their tallies.
    failed
        One sentence per slide that has a truth but could not be judged.
    accepted_unedited
        Ids of slides whose truth is a mask that was accepted without a correction: it was made by
        a threshold and speaks for it.
    """

    judged: list[Judged] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    accepted_unedited: list[str] = field(default_factory=list)


def judge(
    project: ReviewProject,
    truth: Mapping[str, str] | None = None,
    *,
    structure: str | None = None,
    folds: Mapping[str, int] | None = None,
    partial: bool = False,
    outcome: Outcome | None = None,
    on_slide: Callable[[], object] = lambda: None,
) -> Judgement:
    """Count every slide's map against its truth.

    Parameters
    ----------
    truth
        Slide id → RLE; None takes the masks of accepted and corrected slides.
    structure
        What the truth marks, by any of its names; None is each slide's first structure.
    folds
        Slide id → the fold whose networks never saw it: only their members are mixed, which makes
        an out-of-fold map. Slides it does not name are left out.
    partial
        Also take maps of fewer members than their run was asked for.
    outcome
        Takes what could not be judged; by default one of its own.
    on_slide
        Called after each slide.
    """
    outcome = Outcome() if outcome is None else outcome
    found = Judgement(failed=outcome.left_out)
    ready = _ready(project, outcome) if truth is None else {}
    ids = [*(slide.id for slide in project.slides()), *project.missing]
    named = [name for name in ids if name in (ready if truth is None else truth)]
    chosen = [name for name in named if folds is None or name in folds]
    for slide in outcome.slides_of(project, chosen):
        fold = None if folds is None else folds[slide.id]
        with outcome.attempt(slide.id):
            state = SlideState.read(project, slide.id)
            told = slide.told(**state.facts)
            given = None if truth is None else truth[slide.id]
            found.judged.append(_judged(project, told, state, given, structure, fold, partial))
            if ready.get(slide.id) is Verdict.ACCEPTED:
                found.accepted_unedited.append(slide.id)
        on_slide()
    return found


def _ready(project: ReviewProject, outcome: Outcome) -> dict[str, Verdict]:
    """Return the verdicts of the slides that a person stands behind, by id."""
    said = verdicts(project, outcome)
    return {name: v for name, v in said.items() if v.stands}


def _judged(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    truth: str | None,
    structure: str | None,
    fold: int | None,
    partial: bool,
) -> Judged:
    if slide.organ is None or slide.source is None:
        raise ValueError("Its organ or source is not known: say both in the dock or the table.")
    folds = None if fold is None else (fold,)
    map_ = newest_in_pieces(project, slide, structure=named(state, structure), folds=folds)
    if map_ is None:
        which = "" if fold is None else f" of fold {fold}"
        raise ValueError(f"It has no map{which} yet: run the ensemble on it.")
    if not partial:
        refuse_partial(map_, slide)
    what = named(state, map_.structure)
    if truth is None:
        derived = derive(project, slide, what, partial=partial)
        if not derived.verdict.stands:
            raise ValueError(f"Nobody has accepted a mask of {derived.structure} on it.")
        wanted = derived.mask
    else:
        wanted = decode(truth, (slide.height, slide.width))
    tally = Tally.pooled(Tally.of(values, wanted[cut]) for cut, values in map_.pieces())
    of = state.rules.thresholds.beside_own(slide.organ, what)
    return Judged(slide.id, slide.organ, slide.source, tally, fold, of)


def read_folds(path: Path) -> dict[str, int]:
    """Read a table with the columns id and fold, as ``hubseg train`` writes it.

    Raises
    ------
    ValueError
        When a column is missing or a fold is no whole number.
    OSError
        When the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not {"id", "fold"} <= set(rows.fieldnames or ()):
            raise ValueError(
                f"{path} has no columns id and fold: give the folds.csv of a training."
            )
        try:
            # slides that are held out of all folds, or only overlap others, have none
            judged = (row for row in rows if row["fold"] not in _NO_FOLD)
            return {plain_cell(row["id"]): int(row["fold"]) for row in judged}
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: line {rows.line_num} has no whole number for its fold: correct it there."
            ) from error
