"""A promise about what a mask misses: kept as often as it says, refused where nobody can know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import SHAPE, stored_project

from hubseg.cli import main
from hubseg.evaluation.report import write_report
from hubseg.formats.rle import decode
from hubseg.organ import DataSource, Organ
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.slide import SlideTable
from hubseg.thresholds.calibration import Judged
from hubseg.thresholds.curves import LEVELS, Tally
from hubseg.thresholds.guarantee import Promise, guarantee, highest_that_keeps, promised

KIDNEY = (Organ.KIDNEY, DataSource.HUBMAP)
NINE = Promise()  # 10 % in 90 % of slides


def tally(highest: int) -> Tally:
    """A slide that loses 5 % of its truth below a threshold, and half of it above."""
    inside, outside = np.zeros((2, LEVELS), np.int64)
    inside[0 if highest < 0 else 1] = 5
    inside[highest + 1] += 50
    inside[255] += 45
    outside[:] = 3
    return Tally(inside, outside)


def slides(highest: list[int]) -> list[Judged]:
    return [Judged(f"s{i:03d}", *KIDNEY, tally(one)) for i, one in enumerate(highest)]


@pytest.mark.parametrize("highest", [0, 1, 90, 253])
def test_the_highest_threshold_that_keeps_a_promise_is_the_last_that_does(highest: int):
    one = tally(highest)
    assert highest_that_keeps(one, 0.1) == highest
    assert 1 - one.recall()[highest] <= 0.1 < 1 - one.recall()[highest + 1]


def test_a_slide_without_truth_misses_nothing_and_one_without_a_map_everything():
    nothing = np.zeros(LEVELS, np.int64)
    assert highest_that_keeps(Tally(nothing, nothing + 4), 0.1) == 255
    unseen = nothing.copy()
    unseen[0] = 100
    assert highest_that_keeps(Tally(unseen, nothing), 0.1) == -1


@pytest.mark.parametrize(("share", "needs"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_a_promise_needs_slides_and_says_how_many(share: float, needs: int):
    promise = Promise(0.1, share)
    assert promise.needs == needs
    assert promise.failing(needs) == 1
    assert promise.failing(needs - 1) == 0
    guarantee(slides([90] * needs), promise)
    if needs > 1:
        with pytest.raises(ValueError, match=f"needs at least {needs}: draw or accept 1 more"):
            guarantee(slides([90] * (needs - 1)), promise)


def test_nine_slides_keep_it_at_the_worst_of_them_and_nineteen_at_the_last_but_one():
    assert guarantee(slides([50, 60, 70, 80, 90, 100, 110, 120, 130]), NINE).threshold == 50
    assert guarantee(slides([50, 60, *range(70, 240, 10)]), NINE).threshold == 60


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 253), min_size=3, max_size=60),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
def test_of_slides_in_any_order_no_more_than_promised_fail_when_they_come_last(
    highest: list[int], share: float
):
    """The law behind it: each slide as the next one, at the threshold of all the others."""
    promise = Promise(0.1, share)
    if len(highest) - 1 < promise.needs:
        return
    failing = 0
    for place, one in enumerate(highest):
        others = guarantee(slides([*highest[:place], *highest[place + 1 :]]), promise)
        failing += one < others.threshold
    assert failing <= len(highest) * (1 - share) + 1e-9
    assert guarantee(slides(highest), promise).held_out == pytest.approx(1 - failing / len(highest))


@given(st.lists(st.integers(0, 253), min_size=20, max_size=40))
def test_what_is_promised_of_more_slides_costs_a_lower_threshold(highest: list[int]):
    chosen = [guarantee(slides(highest), Promise(0.1, s)).threshold for s in (0.5, 0.8, 0.9, 0.95)]
    assert chosen == sorted(chosen, reverse=True)


def test_maps_that_are_blind_are_named_and_no_promise_is_made():
    with pytest.raises(ValueError, match="2 of 10 maps miss more than 10% even at 0"):
        guarantee(slides([-1, -1, *[90] * 8]), NINE)
    assert "even at 0" in promised(slides([-1, -1, *[90] * 8]), NINE)


def test_kinds_are_not_mixed_and_nonsense_is_refused():
    other = Judged("x", Organ.LUNG, DataSource.HPA, tally(9))
    with pytest.raises(ValueError, match="give one kind"):
        guarantee([*slides([90] * 12), other], NINE)
    for wrong in ((0.0, 0.9), (0.1, 1.0), (1.2, 0.9), (0.1, float("nan"))):
        with pytest.raises(ValueError, match="more than 0 %"):
            Promise(*wrong)


def test_the_sentence_says_what_holds_and_for_how_many():
    said = promised(slides([50, 60, *range(70, 240, 10)]), NINE)
    assert said.startswith(
        "Up to 60, in 90% of slides like these at most 10% of the tissue is missed; "
    )
    assert "these 19 slides" in said


# ---- by command, in a report, in the dock --------------------------------------------------------


@pytest.fixture
def nine(tmp_path: Path) -> Path:
    return stored_project(tmp_path, [f"s{i}" for i in range(9)])


def test_the_command_finds_the_threshold_and_says_what_it_promises(
    nine: Path, capsys: pytest.CaptureFixture[str]
):
    base = ["calibrate", str(nine), "--truth", str(nine.parent / "train.csv")]
    assert main([*base, "--miss-at-most", "10", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)["promised"]
    truths = {s.id: s for s in SlideTable.open(nine.parent / "train.csv").slides}
    assert made["slides"] == len(truths) == 9
    with ReviewProject.for_reading(nine) as project:
        for slide in project.slides():
            found = derive(project, slide).probability
            truth = decode(project.truth(slide.id) or "", SHAPE)
            assert ((found.values > made["threshold"]) & truth).sum() >= 0.9 * truth.sum()
    assert main([*base, "--miss-at-most", "10"]) == 0
    said = capsys.readouterr().out
    assert "in 90% of slides like these at most 10% of the tissue is missed" in said


def test_the_command_says_how_many_slides_are_needed(
    nine: Path, capsys: pytest.CaptureFixture[str]
):
    base = ["calibrate", str(nine), "--truth", str(nine.parent / "train.csv")]
    assert main([*base, "--miss-at-most", "10", "--in-slides", "95"]) == 3
    assert "needs at least 19: draw or accept 10 more" in capsys.readouterr().err
    assert main([*base, "--miss-at-most", "0"]) == 1
    assert "more than 0 % and less than 100 %" in capsys.readouterr().err


def test_a_report_has_the_promise_beside_the_thresholds(nine: Path, tmp_path: Path):
    with ReviewProject.for_reading(nine) as project:
        write_report(project, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "in 90% of slides like these at most 10% of the tissue is missed" in page


def test_calibrating_in_the_dock_says_it_too(nine: Path):
    from napari_hubseg.jobs.calibration import _judged

    (said,) = _judged(nine).promised.values()
    assert said.startswith("Up to ")
    assert "at most 10% of the tissue is missed" in said
