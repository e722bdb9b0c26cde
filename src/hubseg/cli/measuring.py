"""``hubseg measure``: a table with every object of a project's masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, add_partial, bar, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hubseg.cli._said import Answer
    from hubseg.evaluation.measurements import Measurement

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    measure = commands.add_parser(
        "measure", help="a table with size, shape and confidence of every object"
    )
    measure.add_argument("project", type=Path, help="NAME.hubseg")
    measure.add_argument("--out", type=Path, required=True, help="the CSV file")
    add_partial(measure)
    add_json(measure)
    measure.set_defaults(run=_measure)


def _measure(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.evaluation.measurements import write_measurements
    from hubseg.project import ReviewProject

    with ReviewProject.for_reading(given.project) as project:
        with bar(len(project.slides()), "slide") as shown:
            rows = write_measurements(
                project,
                given.out,
                partial=given.partial,
                outcome=answer.outcome,
                on_slide=shown.update,
            )
    structures = dict.fromkeys(row.structure for row in rows)
    content = {
        "out": str(given.out),
        "objects": len(rows),
        "structures": {name: _summed(rows, name) for name in structures},
    }
    head = ("structure", "objects", "median area px", "edited")
    lines = [
        *table(head, [(name, *_summed(rows, name).values()) for name in structures]),
        "",
        f"{len(rows)} objects are in {given.out}.",
    ]
    answer.say(content, lines)


def _summed(rows: Sequence[Measurement], structure: str) -> dict[str, float]:
    from statistics import median

    own = [row for row in rows if row.structure == structure]
    area = median(row.area_px for row in own)
    return {"objects": len(own), "median_area_px": area, "edited": sum(row.edited for row in own)}
