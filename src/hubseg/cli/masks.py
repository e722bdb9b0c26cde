"""``hubseg mask`` and ``hubseg export``: masks again, and masks that leave. No GPU needed."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, add_partial, bar, table
from hubseg.cli.naming import add_new_names
from hubseg.formats.registry import FORMATS

if TYPE_CHECKING:
    import argparse

    from hubseg.cli._said import Answer
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject

__all__ = ["add_to", "set_thresholds"]


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
    add_new_names(mask)
    add_partial(mask)
    add_json(mask)
    mask.set_defaults(run=_mask)
    _add_export(commands)


def _add_export(commands: argparse._SubParsersAction[Any]) -> None:
    names = [one.name for one in FORMATS.values() if one.writes]
    lines = "\n".join(f"  {name:20} {FORMATS[name].sentence}" for name in names)
    export = commands.add_parser(
        "export",
        help="write masks for retraining or submission",
        formatter_class=RawDescriptionHelpFormatter,
        epilog=f"formats:\n{lines}",
    )
    export.add_argument("project", type=Path, help="NAME.hubseg")
    export.add_argument(
        "--format",
        required=True,
        metavar="NAME",
        choices=names,
        help="one of the formats below",
    )
    export.add_argument("--out", type=Path, required=True, help="file or folder")
    which = export.add_mutually_exclusive_group()
    which.add_argument(
        "--only-accepted", action="store_true", help="leave out what no person stands behind"
    )
    which.add_argument("--all", action="store_true", help="also slides that were rejected")
    export.add_argument(
        "--overwrite", action="store_true", help="replace what an earlier export wrote there"
    )
    add_partial(export)
    add_json(export)
    export.set_defaults(run=_export)


def set_thresholds(project: Path, assignments: list[str], *, new_names: bool = False) -> None:
    """Write threshold assignments into a project's journal.

    Parameters
    ----------
    new_names
        Take organs and sources that the project does not know as new words.

    Raises
    ------
    ValueError
        When an assignment is not understood; then nothing is written.
    OSError
        When the project cannot be written.
    """
    from hubseg.session import ReviewSession
    from hubseg.thresholds.table import parse_assignment, words_of_assignments

    session = ReviewSession()
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    session.open(project)
    try:
        words = session.vocabulary
        if new_names:
            words = words_of_assignments(assignments, words)
        parsed = [parse_assignment(text, words) for text in assignments]
        session.set_vocabulary(words, "new names")
        for organ, source, value in parsed:
            session.set_threshold(value, organ=organ, source=source, scope="table")
    finally:
        session.close()
    if trouble:
        raise PermissionError(trouble[0])


def _take_preset(project: Path, path: Path, outcome: Outcome) -> None:
    """Set a preset's thresholds; what it holds that is not understood is said."""
    from hubseg.project import ReviewProject
    from hubseg.project.runs import newest_recipe
    from hubseg.project.words import vocabulary_of
    from hubseg.thresholds.presets import Preset

    with ReviewProject.for_reading(project) as opened:
        preset = Preset.load(path, vocabulary_of(opened))
        recipes = (newest_recipe(opened, slide.id) for slide in opened.slides())
        digest = next((recipe.digest for recipe in recipes if recipe is not None), "")
    for note in filter(None, [*preset.notes, preset.warning(digest)]):
        outcome.note("preset", note)
    table = preset.table.values.items()
    set_thresholds(project, [f"{organ}/{source}={value:g}" for (organ, source), value in table])


def _mask(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.cleanup import count_objects
    from hubseg.project import ReviewProject
    from hubseg.project.derived import derive

    outcome = answer.outcome
    if given.preset is not None:
        _take_preset(given.project, given.preset, outcome)
    if given.threshold:
        set_thresholds(given.project, given.threshold, new_names=given.new_names)
    rows, masks = [], []
    with ReviewProject.for_reading(given.project) as project:
        slides = outcome.slides_of(project)
        with bar(len(slides), "slide") as shown:
            for slide in slides:
                with outcome.attempt(slide.id):
                    derived = derive(project, slide, partial=given.partial)
                    area, objects = float(derived.mask.mean()), count_objects(derived.mask)
                    row = (slide.id, derived.threshold, area, objects, derived.verdict.value)
                    masks.append(dict(zip(_HEAD, (*row, derived.members), strict=True)))
                    members = "-" if derived.members is None else "{}/{}".format(*derived.members)
                    rows.append((*row, members))
                shown.update()
    answer.say({"masks": masks}, table(_HEAD, rows) if rows else [])


_HEAD = ("slide", "threshold", "area", "objects", "verdict", "members")


def _chosen(given: argparse.Namespace, project: ReviewProject, outcome: Outcome) -> Any:
    """Return the ids that are asked for; None where it is all that are not rejected."""
    from hubseg.project.derived import verdicts

    if not (given.all or given.only_accepted):
        return None
    said = verdicts(project, outcome)
    ready = [name for name, verdict in said.items() if given.all or verdict.stands]
    if not ready:
        raise ValueError("No slide is accepted yet: accept one, or leave out --only-accepted.")
    return ready


def _export(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.export import export_project
    from hubseg.project import ReviewProject

    outcome = answer.outcome
    with ReviewProject.open(given.project) as project:
        chosen = _chosen(given, project, outcome)
        with bar(len(project.slides()), "slide") as shown:
            report = export_project(
                project,
                given.out,
                format=given.format,
                slides=chosen,
                on_progress=lambda done, total: shown.update(),
                partial=given.partial,
                overwrite=given.overwrite,
                outcome=outcome,
            )
    content = {
        "out": str(report.out),
        "format": report.format,
        "written": list(report.written),
        "digest": report.digest,
    }
    answer.say(content, [str(report)])
