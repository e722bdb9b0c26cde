"""``hubseg compare``, ``merge`` and ``restore``: two copies of a project, and one that broke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, complain, say, table

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the parser."""
    compare = commands.add_parser("compare", help="two copies of a project, slide by slide")
    compare.add_argument("first", type=Path, help="NAME.hubseg")
    compare.add_argument("second", type=Path, help="another copy of it")
    add_json(compare)
    compare.set_defaults(run=_compare)
    merge = commands.add_parser("merge", help="take slides over from another copy of a project")
    merge.add_argument("project", type=Path, help="NAME.hubseg; gets the slides")
    merge.add_argument("other", type=Path, help="the other copy; stays as it is")
    merge.add_argument("--take", required=True, help="ids with commas between, or 'all'")
    add_json(merge)
    merge.set_defaults(run=_merge)
    restore = commands.add_parser("restore", help="go on from the last good backup of a project")
    restore.add_argument("project", type=Path, help="NAME.hubseg")
    add_json(restore)
    restore.set_defaults(run=_restore)


def _restore(given: argparse.Namespace) -> int:
    from hubseg.project import restore_project

    copy, aside = restore_project(given.project)
    say(
        given,
        {"backup": str(copy), "damaged": str(aside)},
        [f"{given.project} goes on from {copy.name}; the damaged file is kept as {aside.name}."],
    )
    return 0


def _compare(given: argparse.Namespace) -> int:
    from hubseg.project import ReviewProject
    from hubseg.sharing import compare

    with ReviewProject.open(given.first) as first, ReviewProject.open(given.second) as second:
        found = compare(first, second)
    head = ("slide", "Dice", "differing px", "first", "by", "second", "by")
    lines = [
        (
            row.id,
            "" if row.dice is None else f"{row.dice:.4f}",
            "" if row.differing is None else str(row.differing),
            *(
                cell
                for side in (row.first, row.second)
                for cell in ((side.verdict.value, ", ".join(side.authors)) if side else ("", ""))
            ),
        )
        for row in found
    ]
    content = [
        {
            "id": row.id,
            "dice": row.dice,
            "differing": row.differing,
            "problem": row.problem,
            **{
                name: None if side is None else {"verdict": side.verdict, "authors": side.authors}
                for name, side in (("first", row.first), ("second", row.second))
            },
        }
        for row in found
    ]
    say(given, {"slides": content}, table(head, lines))
    complain("hubseg compare", {row.id: row.problem for row in found if row.problem})
    return 0 if all(row.dice is not None for row in found) else 3


def _merge(given: argparse.Namespace) -> int:
    from hubseg.project import ReviewProject
    from hubseg.sharing import take_over

    with ReviewProject.open(given.project) as project, ReviewProject.open(given.other) as other:
        if project.read_only:
            raise PermissionError(project.why_read_only)
        ids = [slide.id for slide in project.slides()]
        chosen = ids if given.take == "all" else given.take.split(",")
        taken, failed = {}, {}
        for slide_id in chosen:
            try:
                taken[slide_id] = take_over(project, other, slide_id)
            except ValueError as error:
                failed[slide_id] = str(error)
    changed = sum(count > 0 for count in taken.values())
    say(
        given,
        {"taken": taken, "failed": failed},
        [f"{changed} slides taken over from {given.other}; {len(taken) - changed} were the same."],
    )
    complain("hubseg merge", failed)
    return (3 if taken else 1) if failed else 0
