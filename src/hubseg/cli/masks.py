"""``hubseg mask`` and ``hubseg export``: masks again, and masks that leave. No GPU needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, complain, say, table

if TYPE_CHECKING:
    import argparse

    from hubseg.project import ReviewProject

__all__ = ["add_to"]

READY = ("accepted", "corrected")


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    mask = commands.add_parser("mask", help="derive masks again, after a change of threshold")
    mask.add_argument("project", type=Path, help="NAME.hubseg")
    mask.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="ORGAN/SOURCE=VALUE",
        help="such as kidney/Hubmap=90; kept in the project, and can be undone there",
    )
    mask.add_argument(
        "--preset", type=Path, help="set the thresholds of a preset, as hubseg calibrate writes it"
    )
    add_json(mask)
    mask.set_defaults(run=_mask)
    export = commands.add_parser("export", help="write masks for retraining or submission")
    export.add_argument("project", type=Path, help="NAME.hubseg")
    export.add_argument(
        "--format", required=True, choices=["kaggle-rle", "pseudo-labels", "png", "label-tiff"]
    )
    export.add_argument("--out", type=Path, required=True, help="file or folder")
    export.add_argument(
        "--only-accepted", action="store_true", help="leave out what no person stands behind"
    )
    add_json(export)
    export.set_defaults(run=_export)


def set_thresholds(project: Path, assignments: list[str]) -> None:
    """Write threshold assignments into a project's journal.

    Raises
    ------
    ValueError
        When an assignment is not understood.
    OSError
        When the project cannot be written.
    """
    from hubseg.session import ReviewSession
    from hubseg.thresholds import parse_assignment

    parsed = [parse_assignment(text) for text in assignments]
    session = ReviewSession()
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    session.open(project)
    try:
        for organ, source, value in parsed:
            session.set_threshold(value, organ=organ, source=source, scope="table")
    finally:
        session.close()
    if trouble:
        raise PermissionError(trouble[0])


def _take_preset(project: Path, path: Path) -> None:
    """Set a preset's thresholds; what it holds that is not understood is said."""
    from hubseg.maps import newest_recipe
    from hubseg.presets import Preset
    from hubseg.project import ReviewProject

    preset = Preset.load(path)
    with ReviewProject.open(project) as opened:
        recipes = (newest_recipe(opened, slide.id) for slide in opened.slides())
        digest = next((recipe.digest for recipe in recipes if recipe is not None), "")
    notes = [*preset.notes, preset.warning(digest)]
    for note in filter(None, notes):
        sys.stderr.write(f"hubseg mask: {note}\n")
    table = preset.table.values.items()
    set_thresholds(project, [f"{organ}/{source}={value:g}" for (organ, source), value in table])


def _mask(given: argparse.Namespace) -> int:
    from hubseg.cleanup import count_objects
    from hubseg.derive import derive
    from hubseg.project import ReviewProject

    if given.preset is not None:
        _take_preset(given.project, given.preset)
    if given.threshold:
        set_thresholds(given.project, given.threshold)
    rows, failed = [], {}
    with ReviewProject.open(given.project) as project:
        slides = project.slides()
        with bar(len(slides), "slide") as shown:
            for slide in slides:
                shown.update()
                try:
                    derived = derive(project, slide)
                except (ValueError, OSError) as error:
                    failed[slide.id] = str(error)
                    continue
                area, objects = float(derived.mask.mean()), count_objects(derived.mask)
                rows.append((slide.id, derived.threshold, area, objects, derived.verdict.value))
    head = ("slide", "threshold", "area", "objects", "verdict")
    content = {"masks": [dict(zip(head, row, strict=True)) for row in rows], "failed": failed}
    say(given, content, table(head, rows))
    complain("hubseg mask", failed)
    return (3 if rows else 1) if failed else 0


def _ready(project: ReviewProject) -> list[str]:
    from hubseg.derive import verdicts

    ready = [name for name, verdict in verdicts(project).items() if verdict.value in READY]
    if not ready:
        raise ValueError("No slide is accepted yet: accept one, or leave out --only-accepted.")
    return ready


def _export(given: argparse.Namespace) -> int:
    from hubseg.export import export_project
    from hubseg.project import ReviewProject

    with ReviewProject.open(given.project) as project:
        chosen = _ready(project) if given.only_accepted else None
        with bar(len(project.slides()), "slide") as shown:
            report = export_project(
                project,
                given.out,
                format=given.format,
                slides=chosen,
                on_progress=lambda done, total: shown.update(),
            )
    content = {
        "out": str(report.out),
        "format": report.format,
        "written": list(report.written),
        "skipped": dict(report.skipped),
        "digest": report.digest,
    }
    say(given, content, [str(report)])
    complain("hubseg export", dict(report.skipped))
    return 3 if report.skipped else 0
