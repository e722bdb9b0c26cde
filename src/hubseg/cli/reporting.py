"""``hubseg report``: one HTML page about a project, and figures of its slides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.cli._figures import add_figures, begin_figures, save_figure
from hubseg.cli._of_masks import add_masks, each_mask

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from hubseg.cli._said import Answer
    from hubseg.project import ReviewProject

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="one HTML page about a project, and figures")
    add_masks(report, "HTML")
    add_figures(report, "one figure per slide")
    report.set_defaults(run=_report)


def _report(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.evaluation.report import write_report

    draws = begin_figures(given)
    with each_mask(given, answer) as (project, each):
        report = write_report(project, given.out, **each)
        drawn = _draw(given, project, report.left_out) if draws else []
    content = {
        "out": str(report.out),
        "slides": report.slides,
        "figures": [str(path) for path in drawn],
    }
    lines = [f"{report.slides} slides are in {report.out}."]
    if drawn:
        lines.append(f"{len(drawn)} figures are in {given.figures}.")
    answer.say(content, lines)


def _draw(
    given: argparse.Namespace, project: ReviewProject, left_out: Mapping[str, str]
) -> list[Path]:
    from hubseg.evaluation.figures import slide_figure
    from hubseg.formats.rle import decode
    from hubseg.project.derived import derive

    drawn = []
    for slide in project.slides():
        if slide.id in left_out:
            continue
        derived = derive(project, slide, partial=given.partial)
        rle = project.truth(slide.id)
        figure = slide_figure(
            slide.read(),
            derived.mask,
            truth=None if rle is None else decode(rle, derived.mask.shape),
            disagreement=None if derived.probability is None else derived.probability.disagreement,
            title=f"{slide.id}, threshold {derived.threshold:g}",
        )
        drawn.append(save_figure(given, slide.id, figure))
    return drawn
