"""``hubseg calibrate``: the threshold that a truth asks for, per organ and source."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._figures import add_figures, begin_figures, save_figure
from hubseg.cli._said import (
    add_json,
    add_partial,
    add_structure,
    add_unlisted_empty,
    bar,
    table,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hubseg.cli._said import Answer
    from hubseg.evaluation.against_truth import Judgement
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject
    from hubseg.thresholds.calibration import Calibration
    from hubseg.thresholds.guarantee import Guarantee, Promise
    from hubseg.thresholds.presets import Preset
    from hubseg.thresholds.table import ThresholdTable

__all__ = ["add_to", "apply_preset"]

HEAD = ("organ", "source", "slides", "best", "95 %", "dice", "95 %", "held out", "now", "dice now")


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    calibrate = commands.add_parser(
        "calibrate", help="best threshold per organ and source, with its interval"
    )
    calibrate.add_argument("project", type=Path, help="NAME.hubseg")
    calibrate.add_argument(
        "--truth", type=Path, help="table with an rle column; default: accepted and corrected masks"
    )
    add_unlisted_empty(calibrate)
    add_structure(calibrate)
    calibrate.add_argument(
        "--folds",
        type=Path,
        help="folds.csv of a training: each slide is judged by the networks that never saw it",
    )
    calibrate.add_argument(
        "--objective",
        choices=["mean", "pooled"],
        default="mean",
        help="mean per-image Dice, the competition's (default), or Dice of all pixels together",
    )
    _add_promise(calibrate)
    calibrate.add_argument("--out", type=Path, help="write the thresholds as a preset (YAML)")
    calibrate.add_argument(
        "--apply", action="store_true", help="set them in the project; can be undone there"
    )
    add_figures(calibrate, "each curve with its interval")
    add_partial(calibrate)
    add_json(calibrate)
    calibrate.set_defaults(run=_calibrate)


def _add_promise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--miss-at-most",
        type=float,
        metavar="PERCENT",
        help="also find the threshold at which that much of the tissue is missed at most",
    )
    parser.add_argument(
        "--in-slides",
        type=float,
        default=90,
        metavar="PERCENT",
        help="in how many slides like these, with --miss-at-most (90)",
    )


def _calibrate(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject
    from hubseg.slide.errors import writing
    from hubseg.thresholds.presets import Preset

    draws, outcome, promise = begin_figures(given), answer.outcome, _promise(given)
    with ReviewProject.for_reading(given.project) as project:
        judgement = _judge(given, project, outcome)
        found = _choose(judgement, given.objective, outcome)
        promised = _promised(judgement, promise, outcome)
        now, (name, digest) = _thresholds_now(project), _recipe(project, judgement)
    if not found:
        none = "it has no slide with both a map and a truth."
        first = next(iter(outcome.left_out.values()), none)
        raise ValueError(f"Nothing could be calibrated: {first}")
    preset = Preset.calibrated(tuple(found), recipe=name, recipe_digest=digest)
    if given.out is not None:
        with writing(given.out) as part:
            part.write_text(preset.to_yaml(), "utf-8")
    if given.apply:
        apply_preset(given.project, preset)
    drawn = _draw(given, found, judgement, now) if draws else []
    rows = [_row(one, now) for one in found]
    content = {
        "calibrated": [_content(one, now) for one in found],
        **({} if promise is None else {"promised": [asdict(one) for one in promised]}),
        "recipe_digest": digest,
        "out": None if given.out is None else str(given.out),
        "figures": [str(path) for path in drawn],
    }
    lines = [*table(HEAD, rows), *_promises(promised, promise)]
    lines += _remarks(judgement, given.folds is not None)
    answer.say(content, [*lines, *(f"The curve is in {path}." for path in drawn)])


def _judge(given: argparse.Namespace, project: ReviewProject, outcome: Outcome) -> Judgement:
    """Hold every slide's map against the truth that was named, or against what was accepted."""
    from hubseg.evaluation.against_truth import judge, read_folds
    from hubseg.project.structures import number_of
    from hubseg.slide.truth import read_truth

    slides = project.slides()
    folds = None if given.folds is None else read_folds(given.folds)
    truth = None
    if given.truth is not None:
        number = number_of(project, slides, given.structure)
        truth = read_truth(given.truth, *number)
    if truth is not None:
        ids, empty = [slide.id for slide in slides], given.unlisted_empty
        truth = truth.apart(slides).of(ids, unlisted_empty=empty)
        outcome.take_notes(truth.notes_on(slides))
    with bar(len(slides), "slide") as shown:
        return judge(
            project,
            None if truth is None else truth.masks,
            structure=given.structure,
            folds=folds,
            partial=given.partial,
            outcome=outcome,
            on_slide=shown.update,
        )


def _choose(judgement: Judgement, objective: Any, outcome: Outcome) -> list[Calibration]:
    from hubseg.thresholds.calibration import by_kind, calibrate

    found = []
    for (organ, source), slides in by_kind(judgement.judged).items():
        try:
            found.append(calibrate(slides, objective=objective))
        except ValueError as error:
            outcome.leave_out(f"{organ}/{source}", error)
    return found


def _promise(given: argparse.Namespace) -> Promise | None:
    from hubseg.thresholds.guarantee import Promise

    if given.miss_at_most is None:
        return None
    return Promise(given.miss_at_most / 100, given.in_slides / 100)


def _promised(judgement: Judgement, promise: Promise | None, outcome: Outcome) -> list[Guarantee]:
    """Return what keeps a promise, of each kind of slides with enough of them."""
    from hubseg.thresholds.calibration import by_kind
    from hubseg.thresholds.guarantee import guarantee

    made = []
    if promise is None:
        return []
    for (organ, source), slides in by_kind(judgement.judged).items():
        try:
            made.append(guarantee(slides, promise))
        except ValueError as error:
            outcome.leave_out(f"{organ}/{source}", error)
    return made


def _promises(made: Sequence[Guarantee], promise: Promise | None) -> list[str]:
    if promise is None or not made:
        return []
    rows = [
        (one.organ, one.source, one.slides, one.threshold, one.held_out, one.recall, one.precision)
        for one in made
    ]
    head = ("organ", "source", "slides", "threshold", "held out", "recall", "precision")
    return ["", f"Up to this threshold, {promise}:", *table(head, rows)]


def _draw(
    given: argparse.Namespace,
    found: list[Calibration],
    judgement: Judgement,
    now: ThresholdTable,
) -> list[Path]:
    from hubseg.evaluation.figures import curve_figure
    from hubseg.thresholds.calibration import by_kind

    slides = by_kind(judgement.judged)
    return [
        save_figure(
            given,
            f"{one.organ}_{one.source}",
            curve_figure(
                one,
                now=now.value(one.organ, one.source, one.structure),
                slides=[slide.tally.dice().tolist() for slide in slides[one.organ, one.source]],
            ),
        )
        for one in found
    ]


def _thresholds_now(project: ReviewProject) -> ThresholdTable:
    from hubseg.journal.slide_state import SlideState

    return SlideState.read(project, "").rules.thresholds


def _recipe(project: ReviewProject, judgement: Judgement) -> tuple[str, str]:
    """Return name and digest of the recipe that most of the judged maps were made with."""
    from collections import Counter

    from hubseg.project.runs import newest_recipe

    recipes = (newest_recipe(project, one.slide_id) for one in judgement.judged)
    known = Counter((recipe.name, recipe.digest) for recipe in recipes if recipe is not None)
    return known.most_common(1)[0][0] if known else ("", "")


def _row(found: Calibration, now: ThresholdTable) -> tuple[object, ...]:
    current = now.value(found.organ, found.source, found.structure)
    return (
        found.organ,
        found.source,
        found.slides,
        found.threshold,
        "{}-{}".format(*found.threshold_interval),
        found.dice,
        "{:.4f}-{:.4f}".format(*found.dice_interval),
        "-" if found.held_out is None else found.held_out,
        f"{current:g}",
        found.curve[int(current)],  # what is whole is exact; 89.5 has the mask of about 89
    )


def _content(found: Calibration, now: ThresholdTable) -> dict[str, Any]:
    return {
        "organ": found.organ.value,
        "source": found.source.value,
        **({} if found.structure is None else {"structure": found.structure.value}),
        "objective": found.objective,
        "slides": found.slides,
        "threshold": found.threshold,
        "threshold_interval": found.threshold_interval,
        "dice": found.dice,
        "dice_interval": found.dice_interval,
        "dice_held_out": found.held_out,
        "fold_thresholds": {str(f): t for f, t in found.fold_thresholds.items()},
        "now": now.value(found.organ, found.source, found.structure),
        "curve": found.curve,
    }


def _remarks(judgement: Judgement, out_of_fold: bool) -> Sequence[str]:
    lines = []
    if not out_of_fold:
        lines.append(
            "These maps are mixed from every fold: where the networks were trained on these "
            "slides, the figures are too good. --folds judges each slide by those that were not."
        )
    if judgement.accepted_unedited:
        lines.append(
            f"{len(judgement.accepted_unedited)} of {len(judgement.judged)} masks were accepted as "
            "they were: they speak for the threshold they were made with."
        )
    return ["", *lines] if lines else lines


def apply_preset(project: Path, preset: Preset) -> None:
    """Set a preset's thresholds in a project's journal.

    Raises
    ------
    OSError
        When the project cannot be written.
    """
    from hubseg.cli.masks import set_thresholds

    set_thresholds(project, list(preset.assignments))
