"""One HTML page about a project: what was decided, with which thresholds, and how it looks.

Responsible for a single file that needs no server, no network and no other file, so that it can be
mailed and printed. Pure reading of a project. Does not know the window.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

import hubseg
from hubseg.cleanup import count_objects
from hubseg.evaluation.html_parts import dice_plot, figure, whole_page
from hubseg.formats.rle import decode
from hubseg.journal.active_time import IDLE_S, by_slide, work_times
from hubseg.mask.metrics import dice
from hubseg.outcome import Outcome
from hubseg.probability.uncertainty import expected_dice
from hubseg.project.derived import derive
from hubseg.project.runs import newest_recipe
from hubseg.project.structures import structures_of
from hubseg.project.verdicts import verdicts
from hubseg.slide.errors import writing
from hubseg.slide.outlines import TRUTH, heat, outlined, shrunk
from hubseg.slide.readable import ReadableSlide
from hubseg.thresholds.calibration import Calibration, Judged, by_kind, calibrate
from hubseg.thresholds.curves import Tally
from hubseg.thresholds.guarantee import Promise, promised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.journal.active_time import WorkTime
    from hubseg.probability import MapInPieces
    from hubseg.project import ReviewProject
    from hubseg.project.derived import Derived
    from hubseg.slide import Slide

__all__ = ["Report", "write_report"]

_SIDE = 420  # px of a picture
_WHOLE = 1 << 26  # px of a slide's level that is read at once: 200 MB of RGB


@dataclass(frozen=True, slots=True)
class Report:
    """What was written.

    Attributes
    ----------
    out
        The file.
    slides
        Slides with a picture of their own.
    left_out
        Why other slides have none, one sentence each, by id.
    """

    out: Path
    slides: int
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Page:
    """One slide's part of the page."""

    html: str
    judged: Judged | None


def write_report(
    project: ReviewProject,
    out: Path,
    *,
    partial: bool = False,
    outcome: Outcome | None = None,
    on_slide: Callable[[], object] = lambda: None,
) -> Report:
    """Write a project's report.

    Slides come in the project's order; each with the tissue, its truth where the table has one,
    its mask as it stands, the disagreement between members, and what every threshold gives.

    Parameters
    ----------
    out
        The HTML file; replaced when it exists.
    partial
        Also show maps of fewer members than their run was asked for, and say so.
    outcome
        Takes what is left out; by default one of its own.
    on_slide
        Called after each slide.

    Raises
    ------
    ValueError
        When no slide has a mask yet.
    OSError
        When the file cannot be written.
    """
    pages: list[_Page] = []
    outcome = Outcome() if outcome is None else outcome
    times = work_times(project.entries(pixels=False))
    spent = by_slide(times)
    for slide in outcome.slides_of(project):
        with outcome.attempt(slide.id):
            pages.append(_page(project, slide, partial, spent.get(slide.id, 0.0)))
        on_slide()
    left_out = outcome.left_out
    if not pages:
        raise ValueError(
            "No slide of the project has a mask: run the ensemble first, or do what is said of "
            "each slide."
        )
    body = [
        _head(project, times),
        _calibrations([page.judged for page in pages if page.judged is not None]),
        *(page.html for page in pages),
        _omitted(left_out),
    ]
    with writing(out) as part:
        part.write_text(whole_page(project.path.stem, "".join(body)), "utf-8")
    return Report(out, len(pages), left_out)


def _head(project: ReviewProject, times: Sequence[WorkTime]) -> str:
    said_of = verdicts(project, Outcome())  # a damaged slide is among those left out below
    count = Counter(verdict.said for verdict in said_of.values())
    said = ", ".join(f"{number} {name}" for name, number in count.most_common())
    recipes = {
        (recipe.name, recipe.digest[:12])
        for slide in project.slides()
        if (recipe := newest_recipe(project, slide.id)) is not None
    }
    made_with = ", ".join(f"{escape(name)} ({digest})" for name, digest in sorted(recipes))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"<h1>{escape(project.path.stem)}</h1>"
        f'<p class="faint">{now} · HubSeg {hubseg.__version__} · {len(said_of)} slides: '
        f"{escape(said)}</p><p>Maps made with: {made_with or 'no ensemble yet'}. A pixel is inside "
        "where its probability, 0–255, is greater than the threshold; a person's corrections come "
        f"after that and after any cleanup.</p>{_work(times)}"
    )


def _work(times: Sequence[WorkTime]) -> str:
    """Return how long people worked; "" where nobody did."""
    authors = dict.fromkeys(one.author for one in times)
    if not authors:
        return ""
    said = ", ".join(
        f"{escape(who)} {sum(one.seconds for one in times if one.author == who) / 60:.1f} min"
        for who in authors
    )
    return (
        f"<p>Active work: {said}. A step counts the time since the same person's step before it, "
        f"{IDLE_S:g} s at most.</p>"
    )


def _calibrations(judged: Sequence[Judged]) -> str:
    rows = []
    for kind in by_kind(judged).values():
        try:
            found = calibrate(kind)
        except ValueError as error:
            rows.append(f'<tr><td colspan="6">{escape(str(error))}</td></tr>')
            continue
        rows.append(_calibrated(found))
        rows.append(f'<tr><td colspan="6">{escape(promised(kind, Promise()))}</td></tr>')
    if not rows:
        return ""
    return (
        "<h2>Thresholds against the truth</h2><table><tr><th>organ</th><th>slides</th><th>best "
        "threshold (95 %)</th><th>mean Dice (95 %)</th></tr>" + "".join(rows) + "</table>"
        '<p class="faint">Of the model alone, before corrections. Where the networks were trained '
        "on these slides, the figures are too good.</p>"
    )


def _calibrated(found: Calibration) -> str:
    low, high = found.threshold_interval
    below, above = found.dice_interval
    return (
        f'<tr><td>{found.organ} / {found.source}</td><td class="n">{found.slides}</td>'
        f'<td class="n">{found.threshold} ({low}–{high})</td>'
        f'<td class="n">{found.dice:.4f} ({below:.4f}–{above:.4f})</td></tr>'
    )


def _facts(derived: Derived, seconds: float) -> list[tuple[str, str]]:
    """Return what is known of every slide: name and value."""
    mask = derived.mask
    return [
        ("verdict", derived.verdict.said),
        ("threshold", f"{derived.threshold:g}"),
        ("area", f"{100 * float(mask.mean()):.2f} %"),
        ("objects", str(count_objects(mask))),
        ("px by hand", str(derived.corrected)),
        ("active work", f"{seconds / 60:.1f} min"),
    ]


def _page(project: ReviewProject, slide: Slide, partial: bool, seconds: float) -> _Page:
    derived = derive(project, slide, partial=partial)
    told, mask, found = derived.slide, derived.mask, derived.probability
    picture = shrunk(_pixels(told), _SIDE)
    rle = project.truth(slide.id)
    truth = None if rle is None else decode(rle, (told.height, told.width))
    shown = [("slide", picture)]
    facts = _facts(derived, seconds)
    judged = None
    if truth is not None:
        shown.append(("truth", outlined(picture, truth, TRUTH)))
        facts.append(("Dice of the mask", f"{dice(mask, truth):.4f}"))
    shown.append(("mask", outlined(picture, mask)))
    plots = ""
    if found is not None:
        facts.append(("members", f"{found.done} of {found.total}"))
        facts.append(("expected Dice", f"{_expected(found, derived.threshold):.4f}"))
        if found.disagreement is not None:
            shown.append(("disagreement of members", heat(found.disagreement, _SIDE)))
        if truth is not None:
            tally = Tally.pooled(Tally.of(values, truth[cut]) for cut, values in found.pieces())
            plots = dice_plot(tally.dice(), derived.threshold)
            if told.organ is not None and told.source is not None:
                judged = Judged(slide.id, told.organ, told.source, tally)
    beside = _beside(project, slide, partial)
    shown += [(f"mask: {one.structure}", outlined(picture, one.mask)) for one in beside]
    kind = f"{told.organ or 'organ unknown'} / {told.source or 'source unknown'}"
    figures = "".join(figure(name, one) for name, one in shown) + plots
    rows = " · ".join(f"{name} <b>{escape(value)}</b>" for name, value in facts)
    return _Page(
        f'<section><h2>{escape(slide.id)} <span class="faint">{escape(kind)}</span></h2>'
        f'<p>{rows}</p>{_others(beside)}<div class="row">{figures}</div></section>',
        judged,
    )


def _beside(project: ReviewProject, slide: Slide, partial: bool) -> list[Derived]:
    """Return the masks of the structures that a slide has beside its first one."""
    names = structures_of(project, slide)[1:]
    return [derive(project, slide, name, partial=partial) for name in names]


def _others(beside: Sequence[Derived]) -> str:
    """Return a table of the further structures; "" where there is none."""
    if not beside:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one.structure)}</td><td>{escape(one.verdict.said)}</td>"
        f'<td class="n">{one.threshold:g}</td><td class="n">{100 * float(one.mask.mean()):.2f} %'
        f'</td><td class="n">{count_objects(one.mask)}</td><td class="n">{one.corrected}</td></tr>'
        for one in beside
    )
    head = "".join(
        f"<th>{name}</th>"
        for name in ("structure", "verdict", "threshold", "area", "objects", "px by hand")
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _pixels(slide: Slide) -> NDArray[np.uint8]:
    """Return a slide's pixels from the smallest level that is large enough for a picture."""
    large = [i for i, size in enumerate(slide.levels) if max(size) >= _SIDE]
    level, seen = large[-1] if large else 0, ReadableSlide(slide)
    height, width = slide.levels[level]
    if height * width <= _WHOLE:
        return seen.read(None, level)
    high, across = (max(1, round(size * _SIDE / max(height, width))) for size in (height, width))
    few = max(1, _WHOLE * high // (height * width))
    rows = []
    for first in range(0, high, few):
        last = min(first + few, high)
        top, bottom = first * slide.height // high, last * slide.height // high
        band = seen.read((top, 0, bottom - top, slide.width), level)
        rows.append(cv2.resize(band, (across, last - first), interpolation=cv2.INTER_AREA))
    return np.vstack(rows)


def _expected(found: MapInPieces, threshold: float) -> float:
    return expected_dice((values for _, values in found.pieces()), threshold)


def _omitted(left_out: dict[str, str]) -> str:
    if not left_out:
        return ""
    rows = "".join(
        f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in left_out.items()
    )
    return f"<section><h2>Without a picture</h2><ul>{rows}</ul></section>"
