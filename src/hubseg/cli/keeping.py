"""``hubseg maps``, ``find``, ``split`` and ``tissue``: kept maps, moved slides, large ones."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, table

if TYPE_CHECKING:
    from hubseg.cli._said import Answer
    from hubseg.project import ReviewProject

__all__ = ["add_to"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    maps = commands.add_parser("maps", help="show or limit the room that kept maps take")
    maps.add_argument("project", type=Path, help="NAME.hubseg")
    maps.add_argument(
        "--limit", type=size, help="such as 20GB; the least recently used maps go beyond it"
    )
    add_json(maps)
    maps.set_defaults(run=_maps)
    find = commands.add_parser("find", help="find slides whose files were moved, by their content")
    find.add_argument("project", type=Path, help="NAME.hubseg")
    find.add_argument("folder", type=Path, help="where the files are now; searched with all below")
    add_json(find)
    find.set_defaults(run=_find)
    split = commands.add_parser("split", help="divide large slides into regions to work on")
    split.add_argument("project", type=Path, help="NAME.hubseg")
    split.add_argument("slides", nargs="+", metavar="SLIDE", help="ids of slides")
    split.add_argument(
        "--side", type=int, default=4096, help="longest side of a region, px; default: 4096"
    )
    split.add_argument(
        "--everywhere", action="store_true", help="also regions that show glass alone"
    )
    add_json(split)
    split.set_defaults(run=_split)
    tissue = commands.add_parser(
        "tissue", help="find where slides show tissue, to be looked at and corrected"
    )
    tissue.add_argument("project", type=Path, help="NAME.hubseg")
    tissue.add_argument(
        "slides", nargs="*", metavar="SLIDE", help="ids of slides; default: those that have it"
    )
    add_json(tissue)
    tissue.set_defaults(run=_tissue)


def size(text: str) -> int:
    """Read a number of bytes: 20GB, 500 MB, 1.5T.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write 20GB or 500MB.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _maps(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.probability import MapStore
    from hubseg.project import ReviewProject

    with ReviewProject.for_reading(given.project) as project:
        answer.outcome.take_project(project)
        room = MapStore(project.maps).room
    before = room.usage()
    if given.limit is not None:
        room.limit = given.limit
    count, taken = room.usage()
    answer.say(
        {"maps": count, "bytes": taken, "limit": room.limit, "removed": before[0] - count},
        [
            f"{count} maps take {taken / 1e9:.2f} GB of {room.limit / 1e9:.2f} GB.",
            *([f"{before[0] - count} maps were removed."] if before[0] > count else []),
        ],
    )


def _find(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject
    from hubseg.project.files import look_for

    with ReviewProject.open(given.project) as project:
        answer.outcome.take_project(project)
        absent = project.files.absent()
        found = look_for(absent, given.folder, taken=project.files.present())
        if found:
            project.files.move(found)
    answer.outcome.done.extend(found)
    for file in absent:
        if file.id not in found:
            answer.outcome.leave_out(
                file.id,
                f"No file below {given.folder} is that of slide {file.id}: search elsewhere, or "
                f"put {file.name} back.",
            )
    lines = [f"{slide_id}: {path}" for slide_id, path in found.items()]
    content = {"found": {i: str(path) for i, path in found.items()}}
    answer.say(content, lines if absent else ["Every slide's file is where it was."])


def _split(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.project import ReviewProject
    from hubseg.project.splitting import split_slide

    made: dict[str, list[str]] = {}
    with ReviewProject.open(given.project) as project:
        answer.outcome.take_project(project)
        for slide_id in dict.fromkeys(given.slides):
            with answer.outcome.attempt(slide_id):
                added = split_slide(project, slide_id, given.side, everywhere=given.everywhere)
                made[slide_id] = list(added.ids.values())
                if note := added.notes.get(slide_id):
                    answer.outcome.note(slide_id, note)
    answer.say(
        {"regions": made},
        [
            f"Slide {slide_id} has {len(ids)} region{'s' if len(ids) > 1 else ''}: {ids[0]}"
            + (f" to {ids[-1]}." if len(ids) > 1 else ".")
            for slide_id, ids in made.items()
        ],
    )


def _tissue(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.journal.slide_state import SlideState
    from hubseg.project import ReviewProject
    from hubseg.project.tissue import keep_tissue, look_for_tissue, tissue_slide

    reading = ReviewProject.open if given.slides else ReviewProject.for_reading
    with reading(given.project) as project:
        answer.outcome.take_project(project)
        there = {slide.id: slide for slide in project.slides(divided=True)}
        for slide_id in dict.fromkeys(given.slides):
            with answer.outcome.attempt(slide_id):
                if slide_id not in there:
                    raise ValueError(f"The project has no slide {slide_id!r}: name one of it.")
                slide = there[slide_id].told(**SlideState.read(project, slide_id).facts)
                if tissue_slide(project, slide) is None:
                    keep_tissue(project, look_for_tissue(slide))
        rows = _tissue_rows(project, answer, given.slides)
    head = ("slide", "tissue mm²", "share", "verdict", "corrected px")
    content = {"tissue": [dict(zip(_TISSUE, row, strict=True)) for row in rows]}
    cells = [["-" if cell is None else cell for cell in row] for row in rows]
    answer.say(content, table(head, cells) if rows else ["No slide has its tissue found."])


_TISSUE = ("slide", "mm2", "share", "verdict", "corrected_px")


def _tissue_rows(
    project: ReviewProject, answer: Answer, chosen: list[str]
) -> list[tuple[str, float | None, float, str, int]]:
    from hubseg.project.derived import derive
    from hubseg.project.tissue import area_mm2, tissue_slide

    every = project.slides(overviews=True)
    if chosen:
        named = [one for one in project.slides(divided=True) if one.id in chosen]
        wanted = {found.id for one in named if (found := tissue_slide(project, one))}
        every = tuple(one for one in every if one.id in wanted)
    rows = []
    for slide in every:
        if slide.is_overview:
            with answer.outcome.attempt(slide.id):
                made = derive(project, slide)
                share = float(made.mask.mean())
                area = area_mm2(made.slide, share)
                rounded = None if area is None else round(area, 3)
                verdict, corrected = made.verdict.value, made.corrected
                rows.append((slide.id, rounded, share, verdict, corrected))
    return rows
