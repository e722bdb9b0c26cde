"""What the dock knows beside the threshold: curves, calibration, presets, doubtful objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from hubseg.cleanup import count_objects
from hubseg.formats.rle import encode
from hubseg.mask.metrics import dice
from hubseg.organ import DataSource, Organ
from hubseg.probability import MapStore, MemberMap
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.session import ReviewSession
from hubseg.thresholds.calibration import ENOUGH
from hubseg.thresholds.curves import Curves
from hubseg.thresholds.presets import Preset
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.calibration import CalibrationJob
from napari_hubseg.jobs.curves import CurveWatch
from napari_hubseg.jobs.doubt import Doubt
from napari_hubseg.jobs.truth import Truth
from napari_hubseg.panels.calibrate import CalibratePanel, CalibrateState
from napari_hubseg.panels.doubt import DoubtfulObject, DoubtPanel, DoubtState
from napari_hubseg.panels.facts import FactsPanel, FactsState
from napari_hubseg.presenters.facts import facts_state
from napari_hubseg.widgets.histogram import Histogram

SHAPE = (40, 60)
LEFT = Qt.MouseButton.LeftButton
ENTRY = Entry(network=NetworkSpec(encoder="a"), checkpoint="a_{fold}")
RECIPE = Recipe(name="two", folds=(0, 1), resolutions=(Resolution(scale=0.5, members=(ENTRY,)),))
Wait = Callable[[Callable[[], bool]], None]


def blob(number: int) -> np.ndarray:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.clip(1.3 - np.hypot(y - 18 - number, x - 30) / 13, 0, 1).astype(np.float32)


@pytest.fixture
def reviewed(tmp_path: Path) -> Iterator[ReviewSession]:
    """Slides with a truth, drawn at 140, and a run of two members in the store."""
    folder = tmp_path / "train_images"
    folder.mkdir()
    rows = ["id,organ,data_source,img_height,img_width,pixel_size,rle"]
    for number in range(ENOUGH):
        pixels = np.full((*SHAPE, 3), number, np.uint8)
        tifffile.imwrite(folder / f"s{number}.tiff", pixels, photometric="rgb")
        rows.append(f"s{number},kidney,Hubmap,40,60,0.5,{encode(blob(number) * 255 > 140)}")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    session = ReviewSession(author="test")
    session.open(tmp_path / "train.csv")
    project = session.project
    assert project is not None
    for number, slide in enumerate(session.slides):
        keys = []
        for member in RECIPE.members():
            MapStore(project.maps).put(f"{number}{member.fold}ab", MemberMap(blob(number)))
            keys.append((member, f"{number}{member.fold}ab"))
        record(project, slide.id, slide.id, RECIPE, keys, slide_digest=slide.digest)
    yield session
    session.close()


@pytest.fixture
def at_work(background: Background, wait: Wait) -> Callable[[], None]:
    return lambda: wait(lambda: not background.waiting)


def test_the_curves_are_those_of_map_and_truth(
    reviewed: ReviewSession,
    background: Background,
    make_map: Callable[..., Any],
    at_work: Callable[[], None],
) -> None:
    watch = CurveWatch(reviewed, background, Truth(reviewed, background))
    values = blob(0) * np.float32(255)
    assert reviewed.show(make_map(reviewed, values))
    at_work()
    curves = watch.curves
    truth = values > 140
    for threshold in (0, 90, 140, 200, 255):
        mask = values > threshold
        assert curves.area[threshold] == pytest.approx(mask.mean())
        assert curves.objects[threshold] == count_objects(mask)
        assert curves.dice[threshold] == dice(mask, truth)
    assert sum(curves.counts) == values.size
    reviewed.next_slide()
    assert watch.curves == Curves()


def test_while_members_come_in_objects_are_not_counted(
    session: ReviewSession,
    background: Background,
    make_map: Callable[..., Any],
    at_work: Callable[[], None],
) -> None:
    watch = CurveWatch(session, background, Truth(session, background))
    session.show(make_map(session, done=2))
    at_work()
    assert watch.curves.counts
    assert watch.curves.objects == watch.curves.dice == ()
    session.show(make_map(session))
    at_work()
    assert watch.curves.objects


def test_an_accepted_mask_is_a_truth_for_the_curve(
    session: ReviewSession,
    background: Background,
    make_map: Callable[..., Any],
    at_work: Callable[[], None],
) -> None:
    watch = CurveWatch(session, background, Truth(session, background))
    session.show(make_map(session))
    session.mask_now()
    session.accept()
    at_work()
    assert watch.curves.dice[90] == 1.0


def test_calibrating_finds_the_value_the_truths_were_drawn_with_and_uses_it(
    reviewed: ReviewSession, background: Background, at_work: Callable[[], None]
) -> None:
    tuning = CalibrationJob(reviewed, background)
    tuning.calibrate()
    assert tuning.busy
    at_work()
    assert not tuning.busy
    found = tuning.calibration(Organ.KIDNEY, DataSource.HUBMAP)
    assert found is not None
    assert found.slides == ENOUGH
    assert found.dice > 0.97
    assert tuning.calibration(Organ.LUNG, DataSource.HPA) is None
    tuning.use()
    assert reviewed.threshold == found.threshold
    reviewed.undo()
    assert reviewed.threshold == 90


def test_too_few_truths_are_said(
    session: ReviewSession, background: Background, at_work: Callable[[], None]
) -> None:
    tuning = CalibrationJob(session, background)
    said: list[str] = []
    tuning.failed.connect(said.append)
    tuning.calibrate()
    at_work()
    assert said
    assert tuning.calibration(Organ.KIDNEY, DataSource.HUBMAP) is None


def test_a_preset_is_saved_and_set_again_elsewhere(
    reviewed: ReviewSession, background: Background, at_work: Callable[[], None], tmp_path: Path
) -> None:
    tuning = CalibrationJob(reviewed, background)
    tuning.calibrate()
    at_work()
    tuning.use()
    chosen = reviewed.threshold
    path = tmp_path / "t.yaml"
    tuning.save(path)
    assert Preset.load(path).recipe_digest == RECIPE.digest
    assert [row["threshold"] for row in Preset.load(path).calibration] == [chosen]
    reviewed.set_threshold(3.0)
    said: list[str] = []
    tuning.told.connect(said.append)
    tuning.load(path)
    assert reviewed.threshold == chosen
    assert "thresholds are set from t.yaml" in said[0]
    path.write_text("thresholds: {Hubmap: {kidney: 41, liver: 2}, Moon: {kidney: 3}}")
    tuning.load(path)
    assert reviewed.threshold == 41.0
    assert all(name in said[-1] for name in ("liver", "Moon"))
    reviewed.set_threshold(chosen)
    path.write_text("thresholds: {Hubmap: {kidney: 400}}")
    tuning.failed.connect(said.append)
    tuning.load(path)
    assert "outside 0 to 255" in said[-1]
    assert reviewed.threshold == chosen


def test_objects_are_listed_by_doubt_until_the_mask_changes(
    reviewed: ReviewSession,
    background: Background,
    make_map: Callable[..., Any],
    at_work: Callable[[], None],
) -> None:
    doubt = Doubt(reviewed, background)
    values = blob(0) * np.float32(255)
    reviewed.show(make_map(reviewed, values))
    doubt.judge()
    assert not doubt.busy, "there is no mask to judge yet"
    reviewed.mask_now()
    doubt.judge()
    at_work()
    assert doubt.objects is not None
    (only,) = doubt.objects
    assert only.agreement is not None
    assert only.agreement > 0.9
    assert doubt.agreement == 1.0
    assert doubt.expected is not None
    reviewed.paint(np.ones((3, 3), np.bool_), top=1, left=1, add=True)
    assert doubt.objects is None


@pytest.mark.parametrize("moves", ["map", "threshold"])
def test_objects_of_an_accepted_mask_are_listed_until_map_or_threshold_changes(
    reviewed: ReviewSession,
    background: Background,
    make_map: Callable[..., Any],
    at_work: Callable[[], None],
    moves: str,
) -> None:
    """Its mask stays, so that nothing of the mask tells of it."""
    doubt = Doubt(reviewed, background)
    reviewed.show(make_map(reviewed, blob(0) * np.float32(255)))
    reviewed.mask_now()
    reviewed.accept()
    doubt.judge()
    at_work()
    assert doubt.objects is not None
    if moves == "map":
        reviewed.show(make_map(reviewed, blob(0) * np.float32(120)))
    else:
        reviewed.set_threshold(60)
    reviewed.mask_now()
    assert (doubt.objects, doubt.expected, doubt.agreement) == (None, None, None)


# ---- the views ---------------------------------------------------------------------------------


def test_the_line_says_what_its_threshold_gives(qtbot: Any) -> None:
    strip = Histogram()
    qtbot.addWidget(strip)
    strip.show()
    ramp = tuple(1 - t / 255 for t in range(256))
    strip.set_curves(
        Curves((1,) * 256, ramp, tuple(range(256)), tuple(t / 255 for t in range(256)), ramp)
    )
    strip.set_threshold(51.0)
    assert strip.said() == "51 objects · 80.0 % · threshold Dice 0.200 · all 0.800"
    strip.set_threshold(51.5)
    assert "51 objects" in strip.said()
    assert not strip.grab().isNull()
    strip.set_curves(Curves())
    assert strip.said() == ""


def test_the_calibration_panel_offers_the_best_value(qtbot: Any) -> None:
    panel = CalibratePanel()
    qtbot.addWidget(panel)
    assert not panel.go.isEnabled()
    panel.show_state(CalibrateState(best=104, said="best 104", enabled=True))
    assert panel.use.text() == "use 104"
    for button, signal in (
        (panel.go, panel.calibrate_requested),
        (panel.use, panel.use_requested),
        (panel.save, panel.save_requested),
        (panel.load, panel.load_requested),
    ):
        with qtbot.waitSignal(signal):
            qtbot.mouseClick(button, LEFT)
    panel.show_state(CalibrateState(busy=True, enabled=True))
    assert not panel.go.isEnabled()
    assert not panel.use.isEnabled()


def test_a_click_on_an_object_asks_to_go_there(qtbot: Any) -> None:
    panel = DoubtPanel()
    qtbot.addWidget(panel)
    objects = (DoubtfulObject(3, 4, "10 %"), DoubtfulObject(30, 40, "90 %"))
    panel.show_state(DoubtState(objects, "Expected Dice 0.9", enabled=True))
    panel.show()
    with qtbot.waitSignal(panel.visit_requested) as asked:
        item = panel.objects.visualItemRect(panel.objects.item(1))
        qtbot.mouseClick(panel.objects.viewport(), LEFT, pos=item.center())
    assert asked.args == [30, 40]
    panel.show_state(DoubtState(enabled=True))
    assert panel.objects.count() == 0


KIDNEY = (0.05, 0.05, 0.1, 0.75, 0.05)


@pytest.mark.parametrize(
    ("organ", "size", "said", "conflict"),
    [
        (None, None, "", False),
        ((0.2,) * 5, 0.5, "", False),
        (KIDNEY, None, "networks see kidney 75 %", False),
        (KIDNEY, 0.55, "networks see kidney 75 %, 0.55 µm/px", False),
        (KIDNEY, 2.0, "networks see kidney 75 %, 2.00 µm/px", True),
        (KIDNEY[::-1], 0.5, "networks see spleen 75 %, 0.50 µm/px", True),
    ],
)
def test_what_the_heads_see_is_said_and_a_contradiction_flagged_never_used(
    session: ReviewSession,
    make_map: Callable[..., Any],
    organ: tuple[float, ...] | None,
    size: float | None,
    said: str,
    conflict: bool,
) -> None:
    session.show(replace(make_map(session), organ=organ, um_per_px=size))
    state = facts_state(session)
    assert (state.seen, state.conflict) == (said, conflict)
    assert (state.organ, state.um_per_px) == (Organ.KIDNEY, 0.5)


def test_a_contradiction_stands_out(qtbot: Any) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(seen="networks see lung 90 %", conflict=True, enabled=True))
    assert panel.seen.text() == "⚠ networks see lung 90 %: check it"
    panel.show_state(FactsState(enabled=True))
    assert panel.seen.isHidden()
