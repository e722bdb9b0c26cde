"""``hubseg evaluate``: Dice, IoU and distance of outlines of a project's masks against a truth."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

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
    from collections.abc import Mapping, Sequence

    from hubseg.cli._said import Answer
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    evaluate = commands.add_parser("evaluate", help="Dice and IoU of masks against a truth")
    evaluate.add_argument("project", type=Path, help="NAME.hubseg")
    evaluate.add_argument(
        "--truth",
        type=Path,
        help="table with an rle column; default: the truths kept with the project (those of its "
        "table, and what hubseg import --as truth took over)",
    )
    add_unlisted_empty(evaluate)
    add_structure(evaluate)
    add_partial(evaluate)
    add_json(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject

    outcome = answer.outcome
    with ReviewProject.for_reading(given.project) as project:
        masks = _truth(project, given, outcome)
        rows = _scores(project, masks, given.structure, outcome, partial=given.partial)
        several = {} if given.truth is None else _by_structure(project, given)
    if not rows:
        where = "in it" if given.truth is None else "in the table"
        raise ValueError(f"No slide of {given.project} has both a mask and a truth {where}.")
    means: dict[str, tuple[int, float, float]] = {}
    for organ in sorted({row[1] for row in rows}):
        own = [row for row in rows if row[1] == organ]
        means[organ] = (len(own), _mean(own, 3), _mean(own, 4))
    apart = [row[5] for row in rows if row[5] is not None]
    content = {
        "slides": [dict(zip(HEAD, row, strict=True)) for row in rows],
        "organs": {o: {"slides": n, "dice": d, "iou": i} for o, (n, d, i) in means.items()},
        "dice": _mean(rows, 3),
        "iou": _mean(rows, 4),
        "boundary_px": median(apart) if apart else None,
        **({"structures": several} if several else {}),
    }
    lines = [*table(HEAD, [["" if cell is None else cell for cell in row] for row in rows]), ""]
    lines += table(("organ", "slides", "dice", "iou"), [(o, *m) for o, m in means.items()])
    lines += [
        "",
        f"mean Dice {_mean(rows, 3):.4f}, mean IoU {_mean(rows, 4):.4f}, {len(rows)} slides",
        *([f"median distance between outlines {median(apart):.1f} px"] if apart else []),
        *_told(several),
    ]
    answer.say(content, lines)


def _truth(
    project: ReviewProject, given: argparse.Namespace, outcome: Outcome
) -> Mapping[str, str]:
    """Return the truth of each slide that is judged: of a table, or kept with the project."""
    from hubseg.project.structures import number_of
    from hubseg.slide.truth import read_truth

    slides = project.slides()
    if given.truth is None:
        return _kept(project, slides, given.structure)
    number = number_of(project, slides, given.structure)
    read = read_truth(given.truth, *number).apart(slides)
    truth = read.of([slide.id for slide in slides], unlisted_empty=given.unlisted_empty)
    outcome.take_notes(truth.notes_on(slides))
    return truth.masks


def _by_structure(project: ReviewProject, given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the figures of every structure that a table with numbers of classes is a truth of.

    {} where one was asked for, the slides have one, or the table has no such numbers.
    """
    from hubseg.outcome import Outcome
    from hubseg.project.structures import class_numbers
    from hubseg.slide import read_rows
    from hubseg.slide.truth import read_truth

    slides = project.slides()
    numbers = class_numbers(project, slides)
    table = given.truth.is_file() and read_rows(given.truth)
    if given.structure or len(numbers) < 2 or not table or "encodedpixels" not in table[0]:
        return {}
    found = {}
    for name, number in numbers.items():
        truth = read_truth(given.truth, number, len(numbers)).apart(slides)
        ids, empty = [slide.id for slide in slides], given.unlisted_empty
        masks = truth.of(ids, unlisted_empty=empty).masks
        own = _scores(project, masks, name, Outcome(), partial=given.partial)  # said of the first
        some, none = (
            [row for row in own if bool(masks[row[0]].strip()) is marked]
            for marked in (True, False)
        )
        found[str(name)] = {
            "slides": len(own),
            "dice": _mean(own, 3) if own else None,
            "iou": _mean(own, 4) if own else None,
            "dice_positives": _mean(some, 3) if some else None,
            "dice_negatives": _mean(none, 3) if none else None,
        }
    return found


def _told(several: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of the structures' figures; [] where there is none."""
    if not several:
        return []
    head = ("structure", "slides", "dice", "iou", "dice where some", "dice where none")
    cells = (("" if v is None else v for v in one.values()) for one in several.values())
    rows = [(name, *own) for name, own in zip(several, cells, strict=True)]
    return ["", *table(head, rows)]


def _kept(project: ReviewProject, slides: Sequence[Slide], structure: str | None) -> dict[str, str]:
    """Return the truths that are kept with a project, by slide; each is of its first structure."""
    if structure is not None:
        raise ValueError(
            "The truths kept with a project are of each slide's first structure: give those of "
            f"{structure} with --truth."
        )
    texts = {slide.id: project.truth(slide.id) for slide in slides}
    kept = {slide_id: text for slide_id, text in texts.items() if text}
    if not kept:
        raise ValueError(
            f"{project.path} keeps no truth: give a table with --truth, or take masks over with "
            "hubseg import --as truth."
        )
    return kept


HEAD = ("slide", "organ", "threshold", "dice", "iou", "boundary_px")
Row = tuple[str, str, float, float, float, float | None]


def _mean(rows: list[Row], column: Literal[3, 4]) -> float:
    return sum(row[column] for row in rows) / len(rows)


def _scores(
    project: ReviewProject,
    truth: Mapping[str, str],
    structure: str | None,
    outcome: Outcome,
    *,
    partial: bool,
) -> list[Row]:
    from hubseg.formats.rle import decode
    from hubseg.journal.slide_state import SlideState
    from hubseg.mask.boundary import median_distance
    from hubseg.mask.metrics import dice, iou
    from hubseg.project.derived import derive
    from hubseg.project.structures import named

    what = named(SlideState.read(project, ""), structure)
    rows: list[Row] = []
    ids = [*(slide.id for slide in project.slides()), *project.missing]
    slides = outcome.slides_of(project, [name for name in ids if name in truth])
    with bar(len(slides), "slide") as shown:
        for slide in slides:
            with outcome.attempt(slide.id):
                derived = derive(project, slide, what, partial=partial)
                wanted = decode(truth[slide.id], (slide.height, slide.width))
                scores = dice(derived.mask, wanted), iou(derived.mask, wanted)
                told = slide.id, str(derived.slide.organ), derived.threshold
                rows.append((*told, *scores, median_distance(derived.mask, wanted)))
            shown.update()
    return rows
