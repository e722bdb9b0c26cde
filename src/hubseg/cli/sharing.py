"""``hubseg compare``, ``merge`` and ``restore``: two copies of a project, and one that broke."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, table

if TYPE_CHECKING:
    from hubseg.cli._said import Answer
    from hubseg.evaluation.two_copies import Compared
    from hubseg.project.restoring import Restoring

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
    merge.add_argument(
        "--conflict",
        choices=["ours", "theirs"],
        help="what holds where both copies decided about a slide; default: it is left out and said",
    )
    add_json(merge)
    merge.set_defaults(run=_merge)
    restore = commands.add_parser("restore", help="go on from the last good backup of a project")
    restore.add_argument("project", type=Path, help="NAME.hubseg")
    restore.add_argument(
        "--to",
        type=moment,
        metavar="TIME",
        help="go back although nothing is damaged, to the newest backup of this time or before: "
        "2026-11-26T14:30, or 14:30 of today; lists what would be lost",
    )
    restore.add_argument("--yes", action="store_true", help="with --to: do it, not only list it")
    add_json(restore)
    restore.set_defaults(run=_restore)


def moment(text: str) -> datetime:
    """Read a time: ISO, in local time where it names no zone, or the hour of today.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    today = f"{datetime.now():%Y-%m-%d}T"
    for form in (text, today + text):
        with suppress(ValueError):
            return datetime.fromisoformat(form).astimezone()
    raise argparse.ArgumentTypeError(f"{text!r} is no time: write 2026-11-26T14:30, or 14:30.")


def _restore(given: argparse.Namespace, answer: Answer) -> int:
    from hubseg.project.restoring import plan_restore, restore_project

    if given.to is None or given.yes:
        plan, aside = restore_project(given.project, to=given.to)
        kept = f"{'the damaged file' if plan.damage else 'what was there'} is kept as {aside.name}"
        lines = [f"{given.project} goes on from {plan.backup.name}; {kept}.", *_lost(plan, "is")]
    else:
        plan, aside = plan_restore(given.project, to=given.to), None
        lines = [f"{given.project} would go on from {plan.backup.name}.", *_lost(plan, "would be")]
    content = {
        "restored": aside is not None,
        "backup": str(plan.backup),
        "aside": None if aside is None else str(aside),
        "damage": plan.damage,
        "lost": asdict(plan.lost),
    }
    answer.say(content, lines)
    if aside is None:
        answer.outcome.note("nothing was changed", "go back with --yes.")
    return 0 if aside is not None else 1


def _lost(plan: Restoring, is_or_would_be: str) -> list[str]:
    lost = plan.lost
    if not lost.rows and not lost.added:
        return [f"Nothing that can still be read {is_or_would_be} lost."]
    kinds = ", ".join(f"{count} {kind}" for kind, count in lost.kinds.items())
    return [
        f"{lost.rows} rows of the journal ({kinds}) {is_or_would_be} lost:",
        *(f"  {slide or 'all slides'}: {done}" for slide, done in lost.slides.items()),
        *(f"  {slide}: the slide itself" for slide in lost.added),
    ]


def _compare(given: argparse.Namespace, answer: Answer) -> int:
    from hubseg.evaluation.two_copies import compare
    from hubseg.project import ReviewProject

    reading = ReviewProject.for_reading
    with reading(given.first) as first, reading(given.second) as second:
        answer.outcome.take_project(first, second)
        found = compare(first, second)
    head = ("slide", "Dice", "differing px", "first", "by", "second", "by", "")
    answer.say({"slides": list(map(_content, found))}, table(head, map(_cells, found)))
    for row in found:
        if row.problem:
            answer.outcome.leave_out(row.id, row.problem)
    return 0 if all(row.dice is not None for row in found) else 3


def _cells(row: Compared) -> tuple[str, ...]:
    sides = [
        (side.verdict.value, ", ".join(side.authors)) if side else ("", "")
        for side in (row.first, row.second)
    ]
    return (
        row.id,
        "" if row.dice is None else f"{row.dice:.4f}",
        "" if row.differing is None else str(row.differing),
        *sides[0],
        *sides[1],
        "both accepted" if row.both_accepted else "",
    )


def _content(row: Compared) -> dict[str, Any]:
    sides = {
        name: None if side is None else {"verdict": side.verdict, "authors": side.authors}
        for name, side in (("first", row.first), ("second", row.second))
    }
    return {
        "id": row.id,
        "dice": row.dice,
        "differing": row.differing,
        "both_accepted": row.both_accepted,
        "problem": row.problem,
        **sides,
    }


def _merge(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.evaluation.merging import take_over
    from hubseg.project import ReviewProject

    reading = ReviewProject.for_reading
    with ReviewProject.open(given.project) as project, reading(given.other) as other:
        answer.outcome.take_project(other)
        if project.read_only:
            raise PermissionError(project.why_read_only)
        ids = [slide.id for slide in project.slides()]
        chosen = ids if given.take == "all" else given.take.split(",")
        taken = {}
        for slide_id in chosen:
            with answer.outcome.attempt(slide_id):
                taken[slide_id] = take_over(project, other, slide_id, conflict=given.conflict)
    changed = sum(count > 0 for count in taken.values())
    answer.say(
        {"taken": taken},
        [f"{changed} slides taken over from {given.other}; {len(taken) - changed} were the same."],
    )
