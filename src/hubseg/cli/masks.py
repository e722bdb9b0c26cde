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
    from hubseg.formats.pseudo_tiles import TileSize
    from hubseg.organ import StructureName
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide
    from hubseg.thresholds.assignment import Assignment

__all__ = ["add_to", "set_thresholds"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    mask = commands.add_parser("mask", help="derive masks again, after a change of threshold")
    mask.add_argument("project", type=Path, help="NAME.hubseg")
    mask.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="ORGAN/SOURCE[/STRUCTURE]=VALUE",
        help="such as kidney/Hubmap=90 or kidney/Hubmap/tubule=120; kept in the project, and can "
        "be undone there",
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
    _add_tiles(export)
    _add_crate(export)
    add_partial(export)
    add_json(export)
    export.set_defaults(run=_export)


def _add_tiles(export: argparse.ArgumentParser) -> None:
    export.add_argument(
        "--tile",
        type=int,
        metavar="PX",
        help="of pseudo-labels: cut slides and regions into tiles of this side, their images in "
        "the set; without tissue and mask they are left out, at the edges they are smaller",
    )
    export.add_argument(
        "--um-per-px",
        type=float,
        metavar="UM",
        help="pixel size of those tiles; without it each slide's own",
    )


def _tiles(given: argparse.Namespace) -> TileSize | None:
    from hubseg.formats.pseudo_tiles import TileSize

    if given.tile is not None:
        return TileSize(given.tile, given.um_per_px)
    if given.um_per_px is not None:
        raise ValueError("--um-per-px is of tiles: give their side too (--tile 1024).")
    return None


def _add_crate(export: argparse.ArgumentParser) -> None:
    export.add_argument(
        "--crate",
        action="store_true",
        help="describe it in ro-crate-metadata.json beside it: files, slides, thresholds, people, "
        "and a paragraph of methods",
    )
    export.add_argument(
        "--licence",
        default="",
        metavar="NAME",
        help="of the masks, named in that crate, which is written then: an identifier of "
        "spdx.org/licenses, such as CC-BY-4.0, or an address",
    )


def set_thresholds(
    project: Path, assignments: list[str | Assignment], *, new_names: bool = False
) -> None:
    """Write thresholds into a project's journal.

    Parameters
    ----------
    assignments
        As they are typed, or read already.
    new_names
        Take organs, sources and structures that the project does not know as new words.

    Raises
    ------
    ValueError
        When an assignment is not understood; then nothing is written.
    OSError
        When the project cannot be written.
    """
    from hubseg.session import ReviewSession
    from hubseg.thresholds.assignment import Assignment, words_of_assignments

    session = ReviewSession()
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    session.open(project)
    try:
        words = session.vocabulary
        if new_names:
            words = words_of_assignments(map(str, assignments), words)
        parsed = [
            one if isinstance(one, Assignment) else Assignment.parse(one, words)
            for one in assignments
        ]
        session.set_vocabulary(words, "new names")
        for one in parsed:
            session.set_threshold(
                one.value,
                organ=one.organ,
                source=one.source,
                structure=one.structure,
                scope="table",
            )
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
    set_thresholds(project, list(preset.assignments))


def _mask(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject
    from hubseg.project.newest import untaught_note
    from hubseg.project.structures import structures_of

    outcome = answer.outcome
    if given.preset is not None:
        _take_preset(given.project, given.preset, outcome)
    if given.threshold:
        set_thresholds(given.project, given.threshold, new_names=given.new_names)
    masks: list[dict[str, Any]] = []
    with ReviewProject.for_reading(given.project) as project:
        slides = outcome.slides_of(project)
        with bar(len(slides), "slide") as shown:
            for slide in slides:
                with outcome.attempt(slide.id):
                    names = structures_of(project, slide)
                    several = names if len(names) > 1 else (None,)
                    masks += [_figures(project, slide, one, given.partial) for one in several]
                    if said := untaught_note(project, slide):
                        outcome.note(slide.id, said)
                shown.update()
    named = any("structure" in row for row in masks)
    head = (*_HEAD[:1], "structure", *_HEAD[1:]) if named else _HEAD
    head = (*head, "imported") if any("imported" in row for row in masks) else head
    rows = [[_cell(row.get(column, "")) for column in head] for row in masks]
    answer.say({"masks": masks}, table(head, rows) if rows else [])


_HEAD = ("slide", "threshold", "area", "objects", "verdict", "members")


def _figures(
    project: ReviewProject, slide: Slide, structure: StructureName | None, partial: bool
) -> dict[str, Any]:
    """Return what there is to say of a mask; its structure where the slide has several."""
    from hubseg.cleanup import count_objects
    from hubseg.project.derived import derive

    derived = derive(project, slide, structure, partial=partial)
    threshold = None if derived.imported else derived.threshold
    row = (
        *(slide.id, threshold, float(derived.mask.mean()), count_objects(derived.mask)),
        *(derived.verdict.value, derived.members),
    )
    more = {} if structure is None else {"structure": derived.structure}
    more |= {"imported": derived.imported} if derived.imported else {}
    return dict(zip(_HEAD, row, strict=True)) | more


def _cell(value: Any) -> Any:
    """Return a value as the table shows it."""
    if value is None:
        return "-"
    return "{}/{}".format(*value) if isinstance(value, tuple) else value


def _chosen(given: argparse.Namespace, project: ReviewProject, outcome: Outcome) -> Any:
    """Return the ids that are asked for; None where it is all that are not rejected."""
    from hubseg.project.verdicts import verdicts

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

    outcome, tiles = answer.outcome, _tiles(given)
    with ReviewProject.open(given.project) as project:
        chosen = _chosen(given, project, outcome)
        with bar(len(project.slides()), "slide") as shown:
            report = export_project(
                project,
                given.out,
                format=given.format,
                slides=chosen,
                on_progress=lambda done, _: shown.update(done - shown.n),
                partial=given.partial,
                overwrite=given.overwrite,
                crate=given.crate or bool(given.licence),
                licence=given.licence,
                tiles=tiles,
                outcome=outcome,
            )
    content = {
        "out": str(report.out),
        "format": report.format,
        "written": list(report.written),
        "digest": report.digest,
    }
    answer.say(content, [str(report)])
