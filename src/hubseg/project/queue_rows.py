"""The queue of a review: what is known of each slide, which need a person, and the worst first.

Responsible for one row per slide, for finding and ordering rows, and for the next doubtful place
of a slide. Pure: it reads a project and changes nothing. Does not know any view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from hubseg.cleanup import count_objects
from hubseg.journal.active_time import by_slide, work_times
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.probability.uncertainty import agreement_with_mix
from hubseg.project.derived import derive
from hubseg.project.imported import imported_mask
from hubseg.project.marking import marking
from hubseg.project.newest import newest_members
from hubseg.project.structures import first_of, names_of
from hubseg.project.tissue import area_mm2
from hubseg.slide.regions import is_large

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["Order", "QueueRow", "matching", "next_doubt", "ordered", "row_of"]

Order = Literal["table", "worst", "area", "objects", "verdict"]
_LOOKS: Final = 12  # a look covers the slide's longer side divided by this, to each side


@dataclass(frozen=True, slots=True)
class QueueRow:
    """What is known of one slide.

    Attributes
    ----------
    id, organ, source, verdict, note
        As a person reads them; organ and source are "" where they are not known.
    expected
        Dice that its mask may be expected to have, from how far the members agree, 0-1; None with
        fewer than two members, or where an imported mask stands in the place of the map.
    area
        Share of the slide inside the mask, 0-1; None without map and edits.
    objects
        Objects of the mask, or None.
    tissue_mm2
        Area of the tissue, of a slide at low resolution where that is said; None of others, and
        where the pixel size is not known.
    minutes
        Active work of all people on it (:mod:`hubseg.journal.active_time`).
    """

    id: str
    organ: str = ""
    source: str = ""
    verdict: Verdict = Verdict.UNSEEN
    note: str = ""
    expected: float | None = None
    area: float | None = None
    objects: int | None = None
    minutes: float = 0.0
    tissue_mm2: float | None = None


def row_of(
    project: ReviewProject, slide: Slide, structure: StructureName | None = None
) -> QueueRow:
    """Return what is known of a slide; takes as long as deriving its mask.

    Parameters
    ----------
    structure
        Whose mask is measured; None is the slide's first one. Nothing is known of a mask where the
        slide does not have it.

    Raises
    ------
    ValueError, OSError
        When a row is damaged, or the slide's file is not the one that was worked on.
    """
    state = SlideState.read(project, slide.id)
    told = slide.told(**state.facts)
    structure = None if told.is_overview else structure  # tissue is all that it has
    first = first_of(project, told, state)
    has = structure is None or structure in names_of(project, told, state)
    imported = imported_mask(project, slide.id, state, structure, first) if has else None
    newest = None
    if has and imported is None:
        newest = newest_members(project, told, structure=structure)
    expected = area = objects = None
    if newest is not None:
        _, members, _ = newest
        what = marking(project, told, (member for member, _ in members), structure)[1]
        threshold = state.rules.threshold(told.organ, told.source, what)
        weights = [member.weight for member, _ in members]
        expected = agreement_with_mix([made.values for _, made in members], threshold, weights)
    if (
        has
        and not is_large(slide)
        and (newest is not None or imported is not None or state.gestures)
    ):
        mask = derive(project, slide, structure).mask
        area, objects = float(mask.mean()), count_objects(mask)
    seconds = by_slide(work_times(project.entries(pixels=False))).get(slide.id, 0.0)
    return QueueRow(
        id=slide.id,
        organ=told.organ.value if told.organ else "",
        source=told.source.value if told.source else "",
        verdict=state.verdict,
        note=state.note,
        expected=expected,
        area=area,
        objects=objects,
        minutes=seconds / 60,
        tissue_mm2=area_mm2(told, area) if told.is_overview and area is not None else None,
    )


def matching(
    rows: Iterable[QueueRow], text: str = "", verdicts: Sequence[Verdict] = ()
) -> list[QueueRow]:
    """Return the rows that hold every word of a text, and have one of some verdicts if given.

    A word is looked for in id, organ, source, verdict and note, whatever its case.
    """
    words = text.casefold().split()

    def holds(row: QueueRow) -> bool:
        said = " ".join((row.id, row.organ, row.source, row.verdict.value, row.note)).casefold()
        return all(word in said for word in words) and (not verdicts or row.verdict in verdicts)

    return [row for row in rows if holds(row)]


def ordered(rows: Sequence[QueueRow], by: Order) -> list[QueueRow]:
    """Return rows in another order.

    Parameters
    ----------
    rows
        In the order of the table.
    by
        "worst" brings first what waits for a person and of that the lowest expected Dice, then
        what is not known, then flagged slides, then the rest; the others are ascending, what is
        not known last.
    """
    unknown = float("inf")
    keys = {
        "worst": lambda r: (
            0 if r.verdict.is_open else 1 if r.verdict.needs_person else 2,
            unknown if r.expected is None else r.expected,
        ),
        "area": lambda r: (unknown if r.area is None else r.area,),
        "objects": lambda r: (unknown if r.objects is None else r.objects,),
        "verdict": lambda r: (list(Verdict).index(r.verdict),),
    }
    return list(rows) if by == "table" else sorted(rows, key=keys[by])


def next_doubt(
    disagreement: NDArray[np.float32],
    shape: tuple[int, int],
    visited: Sequence[tuple[float, float]] = (),
) -> tuple[float, float] | None:
    """Return the middle of the place where members disagree most and nobody has looked yet.

    Parameters
    ----------
    disagreement
        Float32 (h, w) on 0-255, at any resolution.
    shape
        (height, width) of the slide, px.
    visited
        Places (row, column) that were looked at, px of the slide.

    Returns
    -------
    tuple of float or None
        (row, column) in px of the slide; None where no disagreement is left.
    """
    height, width = disagreement.shape
    look = max(1.0, max(height, width) / _LOOKS)
    # a place is as doubtful as what is seen around it, not as its one worst pixel
    seen = cv2.GaussianBlur(disagreement, (0, 0), look / 2, borderType=cv2.BORDER_CONSTANT)
    scale = shape[0] / height, shape[1] / width
    y, x = np.ogrid[:height, :width]
    for row, column in visited:
        near = np.hypot(y - (row / scale[0] - 0.5), x - (column / scale[1] - 0.5)) <= look
        seen[near] = 0
    worst = int(seen.argmax())
    top, left = divmod(worst, width)
    if seen[top, left] < 1.0:  # less than one level of 255 is rounding
        return None
    return (top + 0.5) * scale[0], (left + 0.5) * scale[1]
