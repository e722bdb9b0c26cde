"""``hubseg evaluate``: Dice and IoU of a project's masks against a truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, complain, say, table

if TYPE_CHECKING:
    import argparse

    from hubseg.project import ReviewProject

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    evaluate = commands.add_parser("evaluate", help="Dice and IoU of masks against a truth")
    evaluate.add_argument("project", type=Path, help="NAME.hubseg")
    evaluate.add_argument("--truth", type=Path, required=True, help="table with an rle column")
    add_json(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(given: argparse.Namespace) -> int:
    from hubseg.project import ReviewProject
    from hubseg.slide import SlideTable

    truth = SlideTable.open(given.truth).truth
    with ReviewProject.open(given.project) as project:
        rows, failed = _scores(project, dict(truth))
    if not rows:
        complain("hubseg evaluate", failed)
        raise ValueError(f"No slide of {given.project} has both a mask and a truth in the table.")
    means: dict[str, tuple[int, float, float]] = {}
    for organ in sorted({row[1] for row in rows}):
        own = [row for row in rows if row[1] == organ]
        means[organ] = (len(own), _mean(own, 3), _mean(own, 4))
    content = {
        "slides": [dict(zip(HEAD, row, strict=True)) for row in rows],
        "organs": {o: {"slides": n, "dice": d, "iou": i} for o, (n, d, i) in means.items()},
        "dice": _mean(rows, 3),
        "iou": _mean(rows, 4),
        "failed": failed,
    }
    lines = [*table(HEAD, rows), ""]
    lines += table(("organ", "slides", "dice", "iou"), [(o, *m) for o, m in means.items()])
    lines += [
        "",
        f"mean Dice {_mean(rows, 3):.4f}, mean IoU {_mean(rows, 4):.4f}, {len(rows)} slides",
    ]
    say(given, content, lines)
    complain("hubseg evaluate", failed)
    return 3 if failed else 0


HEAD = ("slide", "organ", "threshold", "dice", "iou")
Row = tuple[str, str, float, float, float]


def _mean(rows: list[Row], column: int) -> float:
    return sum(float(row[column]) for row in rows) / len(rows)


def _scores(project: ReviewProject, truth: dict[str, str]) -> tuple[list[Row], dict[str, str]]:
    from hubseg.derive import derive
    from hubseg.formats.rle import decode
    from hubseg.training.metrics import dice, iou

    rows: list[Row] = []
    failed: dict[str, str] = {}
    slides = [slide for slide in project.slides() if slide.id in truth]
    with bar(len(slides), "slide") as shown:
        for slide in slides:
            shown.update()
            try:
                derived = derive(project, slide)
                wanted = decode(truth[slide.id], (slide.height, slide.width))
            except (ValueError, OSError) as error:
                failed[slide.id] = str(error)
                continue
            scores = dice(derived.mask, wanted), iou(derived.mask, wanted)
            rows.append((slide.id, str(derived.slide.organ), derived.threshold, *scores))
    return rows, failed
