"""``hubseg measure``: a table with every object of a project's masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.cli._of_masks import add_masks, each_mask
from hubseg.cli._said import table

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
    add_masks(measure, "CSV")
    measure.set_defaults(run=_measure)


def _measure(given: argparse.Namespace, answer: Answer) -> None:
    from hubseg.evaluation.measurements import write_measurements

    with each_mask(given, answer) as (project, each):
        rows = write_measurements(project, given.out, **each)
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
