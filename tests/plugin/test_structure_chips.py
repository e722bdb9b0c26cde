"""Several structures in the dock: chips, map and mask of the chosen one, outlines beside it."""

from __future__ import annotations

import csv
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QPalette
from qtpy.QtWidgets import QApplication
from stored import TINY
from test_structures import GLOMERULUS, LINES, NAMES, TUBULE, VESSEL, made_project, masks_of, recipe
from windows import Wait, settle

from hubseg import tools
from hubseg.cli import main
from hubseg.export.importing import take_over
from hubseg.export.parts import Part
from hubseg.formats.rle import encode
from hubseg.journal.accepted import PackedMask
from hubseg.journal.slide_state import SlideState
from hubseg.organ import StructureName
from hubseg.project import ReviewProject
from hubseg.recipe import Recipe
from napari_hubseg.jobs.choices import MEASUREMENTS, ExportChoice
from napari_hubseg.jobs.export import Watch
from napari_hubseg.jobs.export import _export as write_export
from napari_hubseg.panels.structures import Chip, StructuresPanel, StructuresState

if TYPE_CHECKING:
    from napari_hubseg.dock import HubSegWidget

LEFT = Qt.MouseButton.LeftButton
CHIPS = tuple(
    Chip(name, name, colour, count, chosen=count == 2)
    for name, colour, count in (("tubule", "#00aa00", 2), ("vessel", "#0000ff", None))
)


def test_one_structure_has_no_strip(qtbot: Any) -> None:
    panel = StructuresPanel()
    qtbot.addWidget(panel)
    for chips in ((), CHIPS[:1]):
        panel.show_state(StructuresState(chips))
        assert panel.isHidden()
    panel.show_state(StructuresState(CHIPS))
    assert not panel.isHidden()
    assert [chip.text() for chip in panel.chips] == ["tubule 2", "vessel"]
    assert [chip.isChecked() for chip in panel.chips] == [True, False]
    assert [eye.isEnabled() for eye in panel.eyes] == [False, True]
    panel.show_state(StructuresState(CHIPS[:1]))
    assert panel.isHidden()


def test_a_chip_asks_and_shows_what_holds(qtbot: Any) -> None:
    panel = StructuresPanel()
    qtbot.addWidget(panel)
    panel.show_state(StructuresState(CHIPS))
    with qtbot.waitSignal(panel.structure_requested) as asked:
        qtbot.mouseClick(panel.chips[1], LEFT)
    assert asked.args == ["vessel"]
    assert not panel.chips[1].isChecked()
    with qtbot.waitSignal(panel.eye_requested) as asked:
        qtbot.mouseClick(panel.eyes[1], LEFT)
    assert asked.args == ["vessel"]


def test_an_eye_has_the_colour_of_words_open_or_closed(qtbot: Any) -> None:
    """It lies on the panel's ground: white, the colour on a chosen tool, is not seen in light."""
    panel = StructuresPanel()
    qtbot.addWidget(panel)
    panel.show_state(StructuresState(CHIPS))
    eye = panel.eyes[1]
    assert eye.isChecked()
    words = eye.palette().color(QPalette.ColorRole.ButtonText).name()
    for state in (QIcon.State.On, QIcon.State.Off):
        drawn = eye.icon().pixmap(QSize(32, 32), QIcon.Mode.Normal, state).toImage()
        seen = {
            drawn.pixelColor(x, y).name()
            for x in range(drawn.width())
            for y in range(drawn.height())
            if drawn.pixelColor(x, y).alpha() == 255
        }
        assert seen == {words}


def test_many_structures_are_a_list_in_one_line(qtbot: Any, wait: Wait) -> None:
    panel, colours = StructuresPanel(), [f"#0000{number:02x}" for number in range(16, 25)]
    qtbot.addWidget(panel)
    chips = tuple(
        Chip(f"s{n}", f"structure {n}", colour, n, chosen=n == 4, seen=n != 2)
        for n, colour in enumerate(colours)
    )
    panel.resize(380, 900)
    panel.show()
    panel.show_state(StructuresState(chips[:6]))
    two_lines = panel.sizeHint().height()
    assert not panel.chosen.isVisibleTo(panel)
    panel.resize(380, 700)
    wait(lambda: panel.chosen.isVisibleTo(panel))  # a low window has room for one line
    panel.resize(380, 900)
    wait(lambda: not panel.chosen.isVisibleTo(panel))
    panel.show_state(StructuresState(chips))
    assert panel.chosen.isVisibleTo(panel) and panel.chosen.text() == "structure 4 4"
    assert not any(chip.isVisibleTo(panel) for chip in panel.chips)
    assert panel.sizeHint().height() < two_lines
    asked: list[tuple[str, str]] = []
    panel.structure_requested.connect(lambda name: asked.append(("chosen", name)))
    panel.eye_requested.connect(lambda name: asked.append(("seen", name)))
    for opens, place in ((panel.chosen, 7), (panel.outlines, 2)):
        opens.menu().aboutToShow.emit()
        actions = opens.menu().actions()
        assert len(actions) == 9
        actions[place].trigger()
    assert asked == [("chosen", "s7"), ("seen", "s2")]
    assert [one.isChecked() for one in actions][:4] == [True, True, True, True], "2 was clicked"
    panel.show_state(StructuresState(chips[:3]))
    assert not panel.chosen.isVisibleTo(panel)
    assert [chip.isVisibleTo(panel) for chip in panel.chips[:4]] == [True, True, True, False]


@pytest.mark.parametrize("count", [3, 6, 8, 20])
def test_on_a_small_screen_review_needs_no_scrolling_however_many_there_are(
    opened: HubSegWidget, wait: Wait, count: int
) -> None:
    dock = opened
    dock.window().setGeometry(0, 0, 1366, 768)
    wait(lambda: (dock.window().width(), dock.window().height()) == (1366, 768))
    colours = [f"#00{number:02x}00" for number in range(40, 40 + count)]
    chips = [Chip(c, f"structure {c}", c, 12, chosen=c == colours[1]) for c in colours]
    dock.structures.show_state(StructuresState(tuple(chips)))
    QApplication.processEvents()
    bar = dock.pages.all["review"].verticalScrollBar()
    wait(lambda: bar.maximum() == 0)
    dock.structures.show_state(StructuresState())


@pytest.fixture
def several(dock: HubSegWidget, tmp_path: Path, wait: Wait) -> HubSegWidget:
    """The dock with two slides of three structures that exclude each other."""
    dock.open_path(made_project(tmp_path, recipe(LINES, exclusive=NAMES)))
    shown(dock, wait)
    return dock


def shown(dock: HubSegWidget, wait: Wait) -> None:
    wait(lambda: dock.session.probability is not None)
    settle(dock, wait)
    wait(lambda: not dock.busy and dock.session.review.beside.request() is None)
    settle(dock, wait)


def outlined(dock: HubSegWidget) -> set[int]:
    layer = next(one for one in dock._viewer.layers if one.name == "structures")
    return set(np.unique(layer.data)) if layer.visible else set()


def test_everything_works_on_the_structure_that_is_stepped_to(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, path = several, several.session, tmp_path / "p.hubseg"
    strip, masks = dock.structures, masks_of(path)
    assert [chip.isChecked() for chip in strip.chips] == [True, False, False]
    assert outlined(dock) == {0, 2, 3}
    for index, name in ((1, TUBULE), (2, VESSEL), (0, GLOMERULUS)):
        dock.do("next_structure")
        shown(dock, wait)
        assert session.structure == name
        assert session.probability.structure == name
        np.testing.assert_array_equal(session.mask, masks[name])
        np.testing.assert_array_equal(dock.desk.layers.mask_layer.data != 0, masks[name])
        assert [chip.isChecked() for chip in strip.chips] == [n == index for n in range(3)]
        assert outlined(dock) == {0, 1, 2, 3} - {index + 1}
        assert dock.thresholds.main.number.value() == session.threshold
    dock.do("previous_structure")
    shown(dock, wait)
    assert session.structure == VESSEL
    dock.desk.set_threshold(200)
    shown(dock, wait)
    now = masks_of(path)
    assert now[VESSEL].sum() < masks[VESSEL].sum()
    np.testing.assert_array_equal(session.mask, now[VESSEL])
    np.testing.assert_array_equal(session.review.beside.masks[TUBULE].mask, now[TUBULE])
    dock.do("next_slide")
    shown(dock, wait)
    assert (session.current.id, session.structure) == ("b", VESSEL)


def test_a_stroke_takes_from_the_outlines_and_undo_gives_back(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, path = several, several.session, tmp_path / "p.hubseg"
    before = masks_of(path)
    region = before[TUBULE].copy()
    session.paint(region, add=True)
    wait(lambda: outlined(dock) == {0, 3})  # no tubule is left
    settle(dock, wait)
    assert dock.structures.chips[1].text().endswith(" 0")
    assert session.undo_text == "brush (glomerulus)"
    session.undo()
    wait(lambda: outlined(dock) == {0, 2, 3})
    settle(dock, wait)
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, before[name])


def test_a_truth_is_of_the_first_structure_and_no_other_is_compared_with_it(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, desk = several, several.session, several.desk
    session.keep_truth("a", encode(masks_of(tmp_path / "p.hubseg")[GLOMERULUS]))
    shown(dock, wait)
    dock.do("toggle_truth")
    wait(lambda: desk.contour.shown and not dock.busy)
    line = next(one for one in dock._viewer.layers if one.name == "truth")
    wait(lambda: line.visible)
    assert desk.derivation.figures.dice == 1.0
    assert desk.curves.curves.dice
    session.choose(TUBULE)
    shown(dock, wait)
    assert desk.derivation.figures.dice is None
    assert desk.curves.curves.dice == ()
    assert not line.visible
    session.choose(GLOMERULUS)
    shown(dock, wait)
    wait(lambda: desk.derivation.figures.dice == 1.0)
    wait(lambda: line.visible)
    desk.contour.toggle()
    with pytest.raises(ValueError, match="kept of glomerulus alone: compare tubule by"):
        part = Part("tubule", np.ones_like(session.mask_now()))
        take_over(session, "a", [part], "tubules.geojson", "truth")


def test_eyes_hide_outlines_and_a_verdict_is_of_all(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session = several, several.session
    dock.structures.eyes[1].click()
    wait(lambda: outlined(dock) == {0, 3})
    dock.structures.eyes[1].click()
    wait(lambda: outlined(dock) == {0, 2, 3})
    session.accept()
    accepted = next(row for row in session.project.entries("a") if row.kind == "verdict")
    assert [one["structure"] for one in accepted.facts["others"]] == ["tubule", "vessel"]


def test_others_are_derived_after_the_chosen_one_and_accept_waits_for_them(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, others = several, several.session, several.desk.others
    came: list[object] = []
    others.changed.connect(came.append)
    looked, on_its_way = [0], [True]

    def gives_way() -> bool:
        looked[0] += 1
        return on_its_way[0]

    others.gives_way = gives_way
    dock.desk.set_threshold(100)
    wait(lambda: not dock.desk.derivation.busy and looked[0] > 1)
    assert session.review.beside.missing and not came
    dock.do("accept")
    assert dock.message.sentence.text().startswith("Wait until the other structures are drawn")
    assert not session.verdict("a").stands
    on_its_way[0] = False
    shown(dock, wait)
    assert None in came
    packing: list[str] = []
    pack = PackedMask.of

    def packed(mask: Any) -> PackedMask:
        packing.append(threading.current_thread().name)
        return pack(mask)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PackedMask, "of", packed)
        dock.do("accept")
    assert session.verdict("a").stands
    assert len(packing) == 1, "the chosen one: the others lay packed"
    with ReviewProject.for_reading(tmp_path / "p.hubseg") as project:
        state = SlideState.read(project, "a")
        assert state.stands is not None and len(state.stands.masks) == 3


def test_choosing_a_structure_shows_its_mask_at_once(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, masks = several, several.session, masks_of(tmp_path / "p.hubseg")
    seen: list[int] = []
    drawing = dock.desk.layers.drawing
    drawing.finished.connect(lambda: seen.append(int(dock.desk.layers.mask_layer.data.sum() > 0)))
    for name in (TUBULE, VESSEL, GLOMERULUS):
        dock.do("next_structure")
        np.testing.assert_array_equal(session.mask, masks[name])
        shown(dock, wait)
    assert seen and all(seen), "a layer without the mask was drawn"


def test_the_queue_measures_the_masks_of_the_chosen_structure(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    masks, queue = masks_of(tmp_path / "p.hubseg"), several.desk.queue
    queue.watch(True)

    def measured(name: StructureName) -> bool:
        area = {row.id: row.area for row in queue.rows}["a"]
        return area == masks[name].mean()

    wait(lambda: measured(GLOMERULUS))
    several.session.choose(TUBULE)
    assert not measured(GLOMERULUS)  # nothing is said of another structure meanwhile
    wait(lambda: measured(TUBULE))


def test_an_object_is_reassigned_by_a_click_and_a_choice(
    several: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, session, path = several, several.session, tmp_path / "p.hubseg"
    assert dock.correct.tools["reassign"].isVisibleTo(dock.correct)
    mask = session.mask.copy()
    dock.desk.take_tool("reassign")
    row, column = (int(side[0]) for side in np.nonzero(mask))
    dock.desk.mask_tools.picked.emit(tools.keep(mask, row, column))
    menu = dock.structures.menu
    assert [action.text() for action in menu.actions()] == ["tubule", "vessel"]
    menu.actions()[1].trigger()
    menu.hide()
    now = masks_of(path)
    assert now[VESSEL][mask].all() and not now[GLOMERULUS].any()
    settle(dock, wait)


def test_the_export_tab_writes_what_hubseg_measure_writes(tmp_path: Path) -> None:
    path, out = made_project(tmp_path, recipe(LINES, exclusive=NAMES)), tmp_path / "dock.csv"
    for slides, ids in ((("a",), {"a"}), (None, {"a", "b"})):
        choice = ExportChoice(MEASUREMENTS, True, out, overwrite=slides is None)
        report = write_export(path, choice, slides, Watch(lambda *_: None))
        assert set(report.written) == ids
        found = list(csv.DictReader(out.read_text().splitlines()))
        assert {row["slide"] for row in found} == ids
        assert {row["structure"] for row in found} == {*NAMES}
        again = ExportChoice(MEASUREMENTS, True, out)
        assert write_export(path, again, slides, Watch(lambda *_: None)) == out, "in the way"
    assert main(["measure", str(path), "--out", str(tmp_path / "command.csv")]) == 0
    assert (tmp_path / "command.csv").read_bytes() == out.read_bytes()


def test_with_one_structure_nothing_of_it_is_there(
    dock: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock.open_path(made_project(tmp_path, Recipe.from_yaml(TINY)))
    wait(lambda: dock.session.probability is not None)
    settle(dock, wait)
    assert dock.structures.isHidden()
    assert dock.correct.tools["reassign"].isHidden()
    assert "structures" not in [layer.name for layer in dock._viewer.layers]
    assert dock.desk.layers.mask_layer.colormap.name == "hubseg-fill"
    assert dock.session.review.beside.request() is None
    dock.do("next_structure")
    assert "one structure" in dock.message.sentence.text() + dock.step.sentence.text()
