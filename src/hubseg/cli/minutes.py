"""``hubseg minutes``: how long people worked on each slide."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hubseg.cli._said import Answer
    from hubseg.journal.active_time import WorkTime

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    minutes = commands.add_parser("minutes", help="how long people worked on each slide")
    minutes.add_argument("project", type=Path, help="NAME.hubseg")
    minutes.add_argument(
        "--out", type=Path, help="a CSV with a row for each slide, person and kind of step"
    )
    minutes.add_argument(
        "--idle",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="of a longer time between two steps of a person so much counts; default: 60",
    )
    add_json(minutes)
    minutes.set_defaults(run=_minutes)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no pause: give seconds above 0.")
    return value


def _minutes(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.evaluation.work_table import write_work_times
    from hubseg.journal.active_time import by_slide, work_times
    from hubseg.project import ReviewProject

    with ReviewProject.for_reading(given.project) as project:
        answer.outcome.take_project(project)
        times = work_times(project.entries(pixels=False), idle_s=given.idle)
    if not times:
        raise ValueError(f"Nobody has worked in {given.project} yet: there is no time to count.")
    seconds = by_slide(times)
    content = {
        "idle_s": given.idle,
        "active_s": sum(seconds.values()),
        "slides": {name: spent for name, spent in seconds.items() if name},
        "authors": {who: _of(times, who) for who in dict.fromkeys(one.author for one in times)},
    }
    lines = [*table(("slide", "people", "steps", "minutes"), _rows(times))]
    if given.out is not None:
        content["out"] = str(write_work_times(given.out, times))
        lines += ["", f"{len(times)} rows are in {given.out}."]
    answer.say(content, lines)


def _of(times: Sequence[WorkTime], author: str) -> float:
    return sum(one.seconds for one in times if one.author == author)


def _rows(times: Sequence[WorkTime]) -> Iterator[tuple[str, str, int, str]]:
    """Yield a line for each slide, and one for what concerns all of them."""
    for slide in dict.fromkeys(one.slide for one in times):
        own = [one for one in times if one.slide == slide]
        people = ", ".join(dict.fromkeys(one.author for one in own))
        minutes = sum(one.seconds for one in own) / 60
        yield slide or "all slides", people, sum(one.steps for one in own), f"{minutes:.1f}"
