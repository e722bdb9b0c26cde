"""The dock in a real napari window: wishes end in the session, facts end on the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QFileDialog,
    QOpenGLWidget,
    QPushButton,
)
from windows import Wait, see, settle

from hubseg.cleanup import Cleanup
from hubseg.cli import main
from hubseg.journal.rows import Kind
from hubseg.journal.verdict import Verdict
from hubseg.organ import Organ
from hubseg.recipe.bundled import weights_folder
from napari_hubseg import _commands
from napari_hubseg import dock as _widget
from napari_hubseg.actions import ACTIONS
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.choices import ExportChoice

LEFT = Qt.MouseButton.LeftButton


def test_every_number_has_room_for_its_digits(opened: HubSegWidget, qtbot: Any, wait: Wait) -> None:
    """Without buttons a field was 1 px wide with PySide6 6.11.3: a threshold that nobody saw."""
    settle(opened, wait)
    qtbot.mouseClick(opened.facts.change, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    fields = [one for one in opened.findChildren(QAbstractSpinBox) if one.isVisible()]
    assert {"number_current", "um_per_px"} <= {one.objectName() for one in fields}
    for one in fields:
        line = one.lineEdit()
        room = line.width() - line.textMargins().left() - line.textMargins().right()
        assert room >= one.fontMetrics().horizontalAdvance(one.text()), one.objectName()


@pytest.mark.own_window
def test_a_window_that_closes_while_a_step_is_said_closes_without_a_word(
    opened: HubSegWidget, wait: Wait
) -> None:
    """The strip with its Undo was gone already, and a page of traceback came into the shell."""
    opened.session.flag()
    wait(lambda: opened.step.action.text() == "Undo")
    heard: list[object] = []
    for said in (opened.desk.offered, opened.desk.told, opened.desk.unsaid):
        said.connect(heard.append)
    opened.desk.leave()
    assert (opened.session.project, heard) == (None, [])


def test_review_without_a_path_is_an_empty_dock(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("napari_hubseg.demo.start.review", lambda path: asked.append(path) or 0)
    assert main(["review"]) == 0
    assert asked == [None]


def test_first_the_dock_says_how_to_begin(dock: HubSegWidget) -> None:
    assert dock.start.welcome.isVisible()
    assert not dock.work.isVisible(), "nothing else asks for attention"
    assert dock.start.folder.property("step") == "next"
    assert not dock.ensemble.run.isEnabled()


def test_the_loop_open_run_tune_correct_accept_export(
    opened: HubSegWidget, qtbot: Any, wait: Wait, written: list[Any]
) -> None:
    dock, session = opened, opened.session
    assert dock.ensemble.run.property("step") == "next"
    qtbot.mouseClick(dock.ensemble.run, LEFT)
    settle(dock, wait)
    assert session.probability.done == 3
    assert dock.verdict.accept.property("step") == "next"
    dock.thresholds.main.slider.setValue(200)
    settle(dock, wait)
    assert session.threshold == 200
    mask = next(layer for layer in dock._viewer.layers if layer.name == "mask")
    assert np.array_equal(mask.data != 0, session.mask)
    qtbot.mouseClick(dock.correct.tools["brush"], LEFT)
    with mask.block_history():
        mask.paint((20, 20), 3)
    assert session.mask[20, 20]
    see(dock, wait)
    qtbot.mouseClick(dock.verdict.accept, LEFT)
    settle(dock, wait)
    assert session.verdict("one") is Verdict.CORRECTED
    assert session.current.id == "two"
    dock.pages.choose("export")
    qtbot.mouseClick(dock.export.go, LEFT)
    settle(dock, wait)
    project, choice, slides, _ = written[0]
    assert (project, slides) == (session.project.path, ("one",))
    out = project.parent / "submission.csv"
    assert choice == ExportChoice("kaggle-rle", False, out)
    assert "read back and compared" in dock.export.outcome.text()
    assert [record.path for record in session.project.exports()] == [str(out)]


def test_a_key_decides_wherever_the_focus_is(
    opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any
) -> None:
    opened.session.show(make_map(opened.session))
    see(opened, wait)
    opened.verdict.advance.setChecked(False)
    places = (opened.window(), opened.pages.page, opened.correct.tools["move"], opened.ensemble.run)
    keys = {"A": Verdict.ACCEPTED, "F": Verdict.FLAGGED, "R": Verdict.REJECTED}
    for place in places:
        see(opened, wait)  # a slide that is no longer accepted shows what the rules give
        for key, verdict in keys.items():
            qtbot.keyClick(place, key)
            assert opened.session.verdict("one") is verdict, f"{key} on {place}"
    settle(opened, wait)


def test_what_no_frame_has_shown_is_not_decided(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    see(opened, wait)
    for _ in range(3):  # faster than a slide is drawn
        qtbot.keyClick(opened.window(), "F")
    verdicts = [opened.session.verdict(slide_id) for slide_id in ("one", "two", "three")]
    assert verdicts == [Verdict.FLAGGED, Verdict.UNSEEN, Verdict.UNSEEN]
    assert opened.message.sentence.text() == "Wait until slide two is drawn, then decide."
    see(opened, wait)
    wait(lambda: opened.message.sentence.text() == "It is drawn now: decide.")
    assert opened.session.verdict("two") is Verdict.UNSEEN
    qtbot.keyClick(opened.window(), "F")
    assert opened.session.verdict("two") is Verdict.FLAGGED
    assert opened.message.isHidden()


def test_a_mask_that_comes_out_as_it_is_drawn_already_gets_its_frame(
    opened: HubSegWidget, wait: Wait, make_map: Any
) -> None:
    opened.session.show(make_map(opened.session))
    see(opened, wait)
    opened.desk.seen._forget(None)  # the frames until now showed it while it was being derived
    assert opened.desk.seen.why_not(mask=True)
    opened.desk.layers.mask_drawn.emit()
    wait(lambda: not opened.desk.seen.why_not(mask=True))


def test_a_new_threshold_is_told_in_the_frame_that_shows_its_mask(
    opened: HubSegWidget, wait: Wait, make_map: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a GPU is played by software each frame of the window costs a mask's time."""
    opened.session.show(make_map(opened.session))
    settle(opened, wait)
    wait(lambda: not opened._due.isActive())  # what has changed until now is shown
    seen: list[str] = []
    monkeypatch.setattr(_widget, "_ONE_FRAME", 600_000)  # ms: the wait for the mask ends it
    opened.desk.layers.mask_drawn.connect(lambda: seen.append("mask"))
    opened.desk.changed.connect(lambda: seen.append("change"))
    opened._due.timeout.connect(lambda: seen.append("dock"))
    opened.desk.set_threshold(200)
    wait(lambda: "dock" in seen)
    told = seen[: seen.index("dock")]
    assert "mask" in told
    assert "change" not in told[told.index("mask") :], "it need not wait for the figures"
    settle(opened, wait)


def test_the_dock_does_not_wait_long_for_a_mask(opened: HubSegWidget, wait: Wait) -> None:
    settle(opened, wait)
    wait(lambda: not opened._due.isActive())
    seen: list[str] = []
    opened._due.timeout.connect(lambda: seen.append("dock"))
    opened.desk.derivation._deriving.busy = True
    opened.desk.set_organ_threshold(Organ.LUNG, 33)
    wait(lambda: bool(seen))
    opened.desk.derivation._deriving.busy = False


def test_a_cleanup_that_is_on_is_seen_while_its_section_is_folded(
    opened: HubSegWidget, wait: Wait
) -> None:
    section = opened.sections["cleanup"]
    assert not section.header.isChecked()
    opened.desk.set_cleanup(Cleanup(min_area=500, smooth=4))
    settle(opened, wait)
    assert section.badge == "on: 2 steps"
    opened.do("undo")
    opened.refresh()
    assert section.badge == ""


def test_the_tissue_is_bare_while_the_key_is_down(opened: HubSegWidget, qtbot: Any) -> None:
    places = (opened, opened.window())
    looks = opened.desk.layers.appearance
    for place in places:
        qtbot.keyPress(place, "0")
        assert looks.peeking, place
        qtbot.keyRelease(place, "0")
        assert not looks.peeking, place
    opened.do("peek")  # from the palette there is no key to hold
    assert looks.peeking
    opened.do("peek")
    assert not looks.peeking


def test_a_letter_that_is_typed_decides_nothing(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    opened.export.target.clear()
    qtbot.keyClicks(opened.export.target, "farad")
    qtbot.keyClick(opened.facts.organ, "r")
    qtbot.keyClick(opened.thresholds.main.number, "a")
    assert opened.export.target.text() == "farad"
    assert opened.session.verdict("one") is Verdict.UNSEEN
    settle(opened, wait)


def test_letters_of_a_note_are_text_wherever_the_keyboard_was(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    canvas = opened.window().centralWidget().findChild(QOpenGLWidget)
    opened.window().activateWindow()
    mask = opened.desk.layers.mask_layer
    before = str(mask.mode)
    for place, end, kept in (
        (canvas, Qt.Key.Key_Return, "a fold, dark red"),
        (opened.thresholds.main.slider, Qt.Key.Key_Escape, "far away"),
    ):
        place.setFocus()
        qtbot.keyClick(place, Qt.Key.Key_F2)
        wait(opened.verdict.note.hasFocus)
        opened.verdict.note.selectAll()
        qtbot.keyClicks(opened.verdict.note, kept)
        qtbot.keyClick(opened.verdict.note, end)
        wait(lambda: QApplication.focusWidget() is canvas)
        settle(opened, wait)
        assert opened.session.note_on("one") == opened.verdict.note.text() == kept
    assert opened.session.verdict("one") is Verdict.UNSEEN
    assert str(mask.mode) == before
    assert opened.correct.undo.text() == "Undo note"


def test_what_a_hand_began_is_done_on_its_own_slide_before_anything_else(
    opened: HubSegWidget, wait: Wait
) -> None:
    opened.do("raise_threshold")
    opened.do("raise_threshold")
    opened.verdict.note.setText("torn")
    opened.verdict.note.setModified(True)
    opened.do("next_slide")
    settle(opened, wait)
    assert opened.session.current.id == "two"
    assert opened.session.note_on("one") == "torn"
    assert opened.session.threshold == 92
    assert opened.verdict.note.text() == ""
    thresholds = [row for row in opened.session.project.entries() if row.kind is Kind.THRESHOLD]
    assert len(thresholds) == 1


def test_training_starts_from_the_ensembles_own_networks_with_few_steps_and_says_how_long(
    opened: HubSegWidget, wait: Wait
) -> None:
    opened.sections["train"].expand()
    settle(opened, wait)
    choice = opened.train.choice()
    assert (choice.start, choice.steps) == (weights_folder(), 300)
    assert opened.train.estimate.text().startswith("5 networks of 300 steps: ")


def test_every_action_can_be_done_with_and_without_slides(
    dock: HubSegWidget, table: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    for ask in ("getOpenFileName", "getOpenFileNames", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, ask, lambda *_, **__: ("", ""))
    names = [action.name for action in ACTIONS if action.name != "open_sample"]
    for name in names:
        dock.do(name)
    dock.open_path(table)
    settle(dock, wait)
    for name in names:
        dock.do(name)
        settle(dock, wait)


def test_what_cannot_be_opened_is_one_sentence_and_the_window_stays(
    opened: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    opened.open_path(tmp_path / "nothing.csv")
    settle(opened, wait)
    assert opened.message.isVisible()
    assert "nothing.csv" in opened.message.sentence.text()
    assert opened.session.current.id == "one"


def test_a_message_lies_over_the_canvas_and_is_all_there(opened: HubSegWidget, wait: Wait) -> None:
    canvas = opened.canvas.widget
    opened.message.say("Something went wrong: look at it. " * 5, error=True)
    wait(lambda: opened.message.sentence.height() > 40)
    assert opened.message.isVisible()
    for corner in (opened.message.rect().topLeft(), opened.message.rect().bottomRight()):
        assert canvas.rect().contains(opened.message.mapTo(canvas, corner))


def test_a_button_that_opens_under_a_stroke_ignores_the_next_press(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    """It lies over the canvas now, and the press was for the canvas."""
    acted: list[int] = []
    opened.step.acted.connect(lambda: acted.append(1))
    opened.step.say("Slide one accepted.", error=False, action="Undo")
    wait(lambda: opened.step.action.width() > 0 and opened.notices.height() > 0)
    canvas, button = opened.canvas.widget, opened.step.action
    place = button.mapTo(canvas, button.rect().center())
    opened.notices.hide()
    QCursor.setPos(canvas.mapToGlobal(place))
    qtbot.mouseClick(canvas, LEFT, pos=place)
    opened.notices.show()
    qtbot.mouseClick(button, LEFT)
    assert acted == []
    qtbot.mouseClick(button, LEFT)
    assert acted == [1]


@pytest.mark.parametrize(("after_s", "taken"), [(0.2, []), (1.1, [1])])
def test_a_button_of_a_window_that_opens_under_the_pointer_ignores_a_press_only_at_first(
    opened: HubSegWidget,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    after_s: float,
    taken: list[int],
) -> None:
    """The form of a second import opened where the first one's button had been pressed."""
    now, acted = [0.0], []
    monkeypatch.setattr("napari_hubseg.widgets.controls.now_s", lambda: now[0])
    form = QDialog(opened.export)
    button = QPushButton("Import", form)
    button.clicked.connect(lambda: acted.append(1))
    form.move(400, 400)
    form.open()
    place = button.mapToGlobal(button.rect().center())
    form.hide()
    canvas = opened.canvas.widget
    QCursor.setPos(place)
    qtbot.mouseClick(canvas, LEFT, pos=canvas.mapFromGlobal(place))
    form.open()
    now[0] = after_s
    qtbot.mouseClick(button, LEFT)
    assert acted == taken
    form.deleteLater()


def test_a_click_on_a_message_is_no_stroke(opened: HubSegWidget, qtbot: Any, wait: Wait) -> None:
    opened.do("take_brush")
    opened.message.say("A word.", error=False)
    wait(lambda: opened.message.height() > 0)
    qtbot.mouseClick(opened.message.sentence, LEFT)
    assert not opened.session.can_undo
    assert opened.message.isVisible()
    qtbot.mouseClick(opened.message.dismiss, LEFT)
    assert not opened.message.isVisible()


def test_a_pixel_size_that_no_microscope_has_is_answered(opened: HubSegWidget, wait: Wait) -> None:
    opened.session.go_to("three")
    settle(opened, wait)
    before = opened.session.current.um_per_px
    opened.facts.um_per_px.setValue(500.0)
    opened.facts.settle()
    assert "500 µm/px is outside 0.01-20" in opened.message.sentence.text()
    assert opened.session.current.um_per_px == before
    wait(lambda: opened.facts.um_per_px.value() == (before or 0.0))


def test_facts_are_told_and_shown(opened: HubSegWidget, wait: Wait) -> None:
    opened.session.go_to("three")
    settle(opened, wait)
    opened.facts.organ.activated.emit(opened.facts.organ.findText("lung"))
    opened.facts.source.activated.emit(opened.facts.source.findText("HPA"))
    opened.facts.um_per_px.setValue(0.4)
    opened.facts.settle()
    settle(opened, wait)
    slide = opened.session.current
    assert (slide.organ, slide.um_per_px) == (Organ.LUNG, 0.4)
    assert opened.thresholds.main.number.value() == 25.0
    assert opened.facts.origins.text() == "All three: set by you"


def test_a_threshold_can_be_for_this_slide_only(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    settle(opened, wait)
    qtbot.mouseClick(opened.thresholds.only, LEFT)
    opened.thresholds.main.slider.setValue(33)
    settle(opened, wait)
    assert opened.session.slide_threshold == 33
    assert opened.session.thresholds.value(Organ.KIDNEY, opened.session.current.source) == 90
    opened.do("reset_threshold")
    settle(opened, wait)
    assert opened.thresholds.main.number.value() == 90


def test_no_change_follows_a_verdict_where_a_person_wants_to_stay(
    opened: HubSegWidget, wait: Wait, make_map: Any
) -> None:
    opened.session.show(make_map(opened.session))
    see(opened, wait)
    opened.verdict.advance.setChecked(False)
    opened.do("accept")
    settle(opened, wait)
    assert opened.session.current.id == "one"
    assert opened.session.verdict("one") is Verdict.ACCEPTED
    opened.do("undo")
    assert opened.session.verdict("one") is Verdict.UNSEEN


def test_an_export_of_nothing_says_what_to_do(
    opened: HubSegWidget, wait: Wait, written: list[Any]
) -> None:
    opened.export.say("3 slides written elsewhere.")
    opened.do("export")
    settle(opened, wait)
    assert written == []
    assert "accept one" in opened.message.sentence.text()
    assert opened.export.outcome.isHidden(), "what an earlier export gave stands beside it"


def test_a_command_of_the_palette_finds_the_dock(opened: HubSegWidget, wait: Wait) -> None:
    viewer = opened._viewer
    assert _commands.dock(viewer) is opened
    see(opened, wait)
    _commands.flag(viewer)
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.FLAGGED


def test_taking_the_dock_out_saves_and_lets_go(
    opened: HubSegWidget, drained: Callable[[], None]
) -> None:
    viewer, project = opened._viewer, opened.session.project
    opened.do("accept")
    viewer.window.remove_dock_widget(opened)
    assert opened.session.project is None
    assert project is not None
    assert not viewer.keymap
    opened.deleteLater()
    drained()


def test_a_dock_that_is_closed_and_opened_again_goes_on_where_it_was(
    opened: HubSegWidget, wait: Wait, new_engine: Any, drained: Callable[[], None]
) -> None:
    viewer, project = opened._viewer, opened.session.project.path
    opened.session.go_to("three")
    settle(opened, wait)
    opened.do("take_brush")
    layer = opened.desk.layers.mask_layer
    layer.paint((20, 20), 3)
    opened.desk.layers.set_view("outline")
    opened.do("fainter")
    opened.desk.brushes.set_size(33)
    opened.verdict.advance.setChecked(False)
    before = opened.desk.view
    opened.parent().destroyOnClose()  # the x of its title
    assert not viewer.layers, "no layer that looks like ours and takes strokes"
    opened.deleteLater()
    drained()
    again = HubSegWidget(viewer, parts={"new_engine": new_engine})
    viewer.window.add_dock_widget(again, name="HubSeg", area="right")
    wait(lambda: again.session.current is not None)
    settle(again, wait)
    assert again.session.project.path == project
    assert again.session.current.id == "three"
    assert again.session.mask[20, 20]
    assert again.desk.view == before, "and is looked at as it was"
    assert (again.desk.layers.appearance.view, again.desk.verdicts.advances) == ("outline", False)
    assert again.desk.layers.mask_layer.opacity == pytest.approx(0.9)
    assert not again.verdict.advance.isChecked()
    assert [each.name for each in viewer.layers] == ["slide", "probability", "disagreement", "mask"]
    viewer.window.remove_dock_widget(again)
    again.session.close()
    again.deleteLater()
    drained()


def test_a_second_dock_goes_on_in_place_of_one_that_is_hidden(
    opened: HubSegWidget, wait: Wait, new_engine: Any, drained: Callable[[], None]
) -> None:
    """napari's menu made another one where the first came with `napari -w` and was hidden."""
    viewer, project = opened._viewer, opened.session.project.path
    opened.session.go_to("two")
    settle(opened, wait)
    opened.parent().hide()  # the eye of its title
    again = HubSegWidget(viewer, parts={"new_engine": new_engine})
    viewer.window.add_dock_widget(again, name="HubSeg again", area="right")
    wait(lambda: again.session.current is not None)
    settle(again, wait)
    assert (again.session.project.path, again.session.current.id) == (project, "two")
    assert not again.session.project.read_only
    assert [each.name for each in viewer.layers] == ["slide", "probability", "disagreement", "mask"]
    docks = viewer.window.dock_widgets.values()
    assert [dock for dock in docks if isinstance(dock, HubSegWidget)] == [again]
    viewer.window.remove_dock_widget(again)
    again.session.close()
    again.deleteLater()
    drained()


def test_the_circle_of_a_brush_has_no_box_that_is_drawn_after_its_layer(
    opened: HubSegWidget,
) -> None:
    canvas = getattr(opened._viewer, "canvas", None)
    circle = None if canvas is None else canvas.overlays.get("_brush_circle")
    if circle is None:
        pytest.skip("this napari draws its brush in another way")
    assert not circle.box


@pytest.mark.own_window
def test_a_window_closes_quietly_while_an_error_stands_on_its_canvas(
    opened: HubSegWidget, table: Path, wait: Wait
) -> None:
    file = table.parent / "train_images" / "two.tiff"
    file.write_bytes(file.read_bytes()[:10])
    opened.do("next_slide")
    settle(opened, wait)
    assert opened.desk.layers.sight.trouble
    opened._viewer.close()
    assert opened.session.project is None


def test_all_slides_are_run_from_the_review_tab_and_the_end_is_said(
    dock: HubSegWidget, table: Path, wait: Wait, engines: list[Any]
) -> None:
    said: list[str] = []
    dock.desk.told.connect(said.append)
    dock.open_path(table)
    wait(lambda: dock.session.current is not None and not dock.busy)
    dock.refresh()
    dock.thresholds.run_all.click()
    wait(lambda: bool(engines) and bool(engines[-1].asked) and not dock.desk.ensemble.running)
    assert engines[-1].asked[-1]["ids"] == ["one", "two", "three"]
    assert "The ensemble has run on 3 slides." in said


def test_closing_the_window_while_everything_runs_leaves_nothing(
    dock: HubSegWidget, table: Path, wait: Wait, engines: list[Any]
) -> None:
    dock.open_path(table)
    wait(lambda: dock.session.current is not None)
    dock.do("run_ensemble")
    engines[0].go.clear()
    dock.session.go_to("two")
    dock._viewer.close()


def test_the_status_bar_says_how_the_tool_in_hand_is_used(opened: HubSegWidget) -> None:
    """napari's line names the keys of its other modes: "use <2> for activate paint mode"."""
    viewer, layers = opened._viewer, opened.desk.layers
    mask = layers.mask_layer
    for name, said in (
        ("take_brush", "Tool: brush. Drag to add to the mask."),
        ("take_drop", "Tool: remove. Click or strike through what shall go."),
        ("take_move", "Tool: move. Drag to move the view."),
    ):
        opened.do(name)
        assert (viewer.help, mask.help) == (said, said)
        viewer.update_status_from_cursor()
        assert viewer.help == said
    mask.mode = "pick"  # a mode of napari's own
    assert viewer.help.startswith("use <")
    opened.do("take_eraser")
    assert viewer.help == "Tool: eraser. Drag to take from the mask."
    other = next(layer for layer in viewer.layers if layer is not mask)
    viewer.layers.selection.active = other
    assert viewer.help == other.help and not viewer.help.startswith("Tool")
