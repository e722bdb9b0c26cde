"""Every object of a project in numbers: size, shape, how sure the map is, and who drew it.

Responsible for one row an object, in px and, where the size of a pixel is known, in µm; and for the
table they make. Pure reading of a project. Does not know the window.
"""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from hubseg.cleanup.row_runs import Runs
from hubseg.edits.gesture import ADD, ERASE
from hubseg.journal.slide_state import SlideState
from hubseg.outcome import Outcome
from hubseg.probability.uncertainty import ObjectConfidence, confidences
from hubseg.project.derived import derive
from hubseg.project.newest import newest_members
from hubseg.project.structures import first_of, structures_of
from hubseg.slide.cells import plain_row, safe_cell
from hubseg.slide.errors import check_same, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.project import ReviewProject
    from hubseg.project.derived import Derived
    from hubseg.slide import Slide

__all__ = ["Measurement", "measured", "perimeter", "write_measurements"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One object.

    Attributes
    ----------
    slide, organ, data_source, structure
        Where it is and what; "" where not known.
    object
        Its number among those of its structure in the slide, from 1, rows first.
    row, column
        Of the middle of its box, px.
    area_px, area_um2
        In px, and in µm² where the size of a pixel is known.
    diameter_px, diameter_um
        Of the circle of the same area.
    perimeter_px, perimeter_um
        Length of its outline, holes included (:func:`perimeter`).
    circularity
        4π area / perimeter²: 1 of a circle, less of everything else; of a few pixels it may be a
        little more.
    mean_probability
        Of its pixels, 0-1; None where there is no map.
    confidence
        How sure the map is of it, 0-1, as the dock lists it
        (:class:`hubseg.probability.uncertainty.ObjectConfidence`); None without a map.
    touches_border
        Whether it goes on beyond the slide, for all we know.
    edited
        Whether a person added pixels of it, or erased some at its edge.
    verdict
        What a person said of the mask it is in.
    """

    slide: str
    organ: str
    data_source: str
    structure: str
    object: int
    row: float
    column: float
    area_px: int
    area_um2: float | None
    diameter_px: float
    diameter_um: float | None
    perimeter_px: float
    perimeter_um: float | None
    circularity: float
    mean_probability: float | None
    confidence: float | None
    touches_border: bool
    edited: bool
    verdict: str


def perimeter(inside: NDArray[np.bool_]) -> float:
    """Return the length of an object's outline in px, bool (h, w).

    Crofton's formula with lines in four directions: right on average for smooth outlines of any
    direction, where counting the edges of pixels is 27 % too long. Source: Legland, Kiêu and
    Devaux, 2007.
    """
    padded = np.pad(inside, 1).astype(np.int8)
    along = [np.diff(padded, axis=0), np.diff(padded, axis=1)]
    across = [padded[1:, 1:] - padded[:-1, :-1], padded[1:, :-1] - padded[:-1, 1:]]
    straight = sum(int(np.count_nonzero(one)) for one in along)
    oblique = sum(int(np.count_nonzero(one)) for one in across)
    return math.pi / 8 * (straight + oblique / math.sqrt(2))


def measured(
    project: ReviewProject, slide: Slide, *, partial: bool = False
) -> Iterator[Measurement]:
    """Measure every object of every structure of a slide.

    Raises
    ------
    ValueError, OSError
        As :func:`hubseg.project.derived.derive`.
    """
    for name in structures_of(project, slide):
        derived = derive(project, slide, name, partial=partial)
        yield from _of_structure(project, derived)


def _of_structure(project: ReviewProject, derived: Derived) -> Iterator[Measurement]:
    runs = Runs.of(derived.mask)
    values = None if derived.probability is None else derived.probability.values
    sure = _confidences(project, derived, runs, values)
    drawn = _drawn(project, derived)
    every = runs.crops(np.ones(runs.count, np.bool_))
    border, spacing = runs.at_border, derived.slide.spacing
    for number, (box, own) in enumerate(every):
        area, around = int(own.sum()), perimeter(own)
        per_px = None if spacing is None else math.sqrt(spacing[0] * spacing[1])
        diameter = 2 * math.sqrt(area / math.pi)
        yield Measurement(
            derived.slide.id,
            str(derived.slide.organ or ""),
            str(derived.slide.source or ""),
            derived.structure,
            number + 1,
            (box[0].start + box[0].stop - 1) / 2,
            (box[1].start + box[1].stop - 1) / 2,
            area,
            None if per_px is None else area * per_px**2,
            diameter,
            None if per_px is None else diameter * per_px,
            around,
            None if per_px is None else around * per_px,
            4 * math.pi * area / around**2,
            None if values is None else float(values[box][own].mean()) / 255,
            sure.get(number),
            bool(border[number]),
            drawn is not None and _is_edited(drawn, box, own),
            derived.verdict.value,
        )


def _confidences(
    project: ReviewProject,
    derived: Derived,
    runs: Runs,
    values: NDArray[np.float32] | None,
) -> dict[int, float]:
    """Return how sure the map is of each object, by its number."""
    if values is None:
        return {}
    newest = newest_members(project, derived.slide, structure=derived.name)
    members = [] if newest is None else [made.values for _, made in newest[1]]
    found = confidences(derived.mask, values, derived.threshold, members)
    return {_object_at(runs, one): one.confidence for one in found}


def _object_at(runs: Runs, one: ObjectConfidence) -> int:
    place = one.row * (runs.shape[1] + 1) + one.column
    return int(runs.owners[int(np.searchsorted(runs.starts, place, "right")) - 1])


def _drawn(project: ReviewProject, derived: Derived) -> NDArray[np.uint8] | None:
    """Return what a person drew of a structure, uint8 (H, W); None where nothing."""
    state = SlideState.read(project, derived.slide.id)
    first = first_of(project, derived.slide, state)
    edits = state.edits(derived.mask.shape, project.payload, first).of(derived.name)
    return None if edits.is_empty else edits.override()


def _is_edited(drawn: NDArray[np.uint8], box: tuple[slice, slice], own: NDArray[np.bool_]) -> bool:
    if bool((drawn[box][own] == ADD).any()):
        return True
    top, left = max(0, box[0].start - 1), max(0, box[1].start - 1)
    around = drawn[top : box[0].stop + 1, left : box[1].stop + 1] == ERASE
    if not around.any():
        return False
    wide = np.zeros(around.shape, np.bool_)
    place = box[0].start - top, box[1].start - left
    wide[place[0] : place[0] + own.shape[0], place[1] : place[1] + own.shape[1]] = own
    grown = np.pad(wide, 1)
    rows, columns = wide.shape
    for down in range(3):
        for right in range(3):
            wide |= grown[down : down + rows, right : right + columns]
    return bool((wide & around).any())


def write_measurements(
    project: ReviewProject,
    out: Path,
    *,
    slides: Sequence[str] | None = None,
    partial: bool = False,
    outcome: Outcome | None = None,
    on_slide: Callable[[], object] = lambda: None,
) -> list[Measurement]:
    """Write a CSV with a row for each object, read it back and compare; return the rows.

    Parameters
    ----------
    out
        Replaced when it exists.
    slides
        Ids; default: every slide.
    partial
        Also measure masks of maps of fewer members than their run was asked for.
    outcome
        Takes what is left out; by default one of its own.
    on_slide
        Called after each slide.

    Raises
    ------
    ValueError
        When no slide has a mask.
    OSError
        When the file cannot be written, or reads back different.
    """
    outcome, rows = Outcome() if outcome is None else outcome, list[Measurement]()
    for slide in outcome.slides_of(project, slides):
        with outcome.attempt(slide.id):
            rows.extend(list(measured(project, slide, partial=partial)))
        on_slide()
    if not outcome.done:
        why = next(iter(outcome.left_out.values()), "there is no slide.")
        raise ValueError(f"There is nothing to measure: {why}")
    names = [field.name for field in fields(Measurement)]
    cells = [[_cell(value) for value in asdict(row).values()] for row in rows]
    with writing(out) as part:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([names, *(map(safe_cell, row) for row in cells)])
        check_same(_read(part, names) == cells, out)
    return rows


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _read(path: Path, names: Sequence[str]) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [[row[name] for name in names] for row in map(plain_row, csv.DictReader(file))]
