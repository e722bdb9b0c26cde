"""Each panel alone, without napari: it shows a state silently and asks with one signal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from hubseg.cleanup import Cleanup
from hubseg.export import FORMATS
from hubseg.organ import ORGANS, DataSource, Organ
from hubseg.thresholds.curves import Curves
from napari_hubseg.jobs.choices import MEASUREMENTS, EnsembleChoice, ExportChoice
from napari_hubseg.panels.accepted import AcceptedPanel, AcceptedState
from napari_hubseg.panels.cleanup import CleanupPanel, CleanupState
from napari_hubseg.panels.correct import CorrectPanel, CorrectState
from napari_hubseg.panels.ensemble import EnsemblePanel, EnsembleState
from napari_hubseg.panels.export import ExportPanel, ExportState
from napari_hubseg.panels.facts import FactsPanel, FactsState
from napari_hubseg.panels.message import MessageStrip
from napari_hubseg.panels.overlay import OverlayPanel, OverlayState
from napari_hubseg.panels.progress import ProgressPanel, ProgressState
from napari_hubseg.panels.queue import QueuePanel, QueueState
from napari_hubseg.panels.start import StartPanel, StartState
from napari_hubseg.panels.teach import TeachPanel, TeachState
from napari_hubseg.panels.thresholds import (
    ThresholdRow,
    ThresholdSlider,
    ThresholdsPanel,
    ThresholdsState,
)
from napari_hubseg.panels.verdict import VerdictPanel, VerdictState
from napari_hubseg.widgets.fewer_words import fewer_words
from napari_hubseg.widgets.style import style_sheet

LEFT = Qt.MouseButton.LeftButton

SCROLL_BAR = 16  # px
NARROWEST = 360  # px
LONG = "a_very_long_slide_name_from_a_scanner_2026-01-31_level_0_section_12"
FULL: list[tuple[type[QWidget], Any]] = [
    (StartPanel, StartState(has_slides=True, opening=LONG)),
    (
        QueuePanel,
        QueueState(
            ids=(LONG, "b"),
            verdicts=("corrected", "in progress"),
            current=0,
            saved="14:03",
            project="/of/mine/tiles.hubseg",
            note="read only",
        ),
    ),
    (
        FactsPanel,
        FactsState(
            Organ.LARGEINTESTINE,
            DataSource.HUBMAP,
            0.2290,
            {"organ": "person", "source": "table", "um_per_px": "TIFF tags"},
            enabled=True,
        ),
    ),
    (
        ThresholdsPanel,
        ThresholdsState(
            value=89.5,
            organ=Organ.LARGEINTESTINE,
            source="Hubmap",
            rows=tuple(ThresholdRow(organ, 100.0) for organ in ORGANS),
            this_slide_only=True,
            curves=Curves(tuple(range(256))),
            size=("12345 objects", "100.0 %", "123.4 mm²"),
            figures="3 of 5 networks · mask Dice 0.912 · disagreement 0.08",
            enabled=True,
        ),
    ),
    (
        OverlayPanel,
        OverlayState(
            view="probability",
            has_truth=True,
            truth_shown=True,
            opacity=0.5,
            comparing=True,
            enabled=True,
            can_compare=True,
        ),
    ),
    (
        CorrectPanel,
        CorrectState(
            tool="brush",
            elsewhere=True,
            size=200,
            on_screen=True,
            undo_text="threshold 90 → 127",
            redo_text="brush stroke",
            enabled=True,
        ),
    ),
    (
        VerdictPanel,
        VerdictState(
            verdict="corrected", enabled=True, accept_next=True, note="a fold at the left"
        ),
    ),
    (
        ProgressPanel,
        ProgressState("slide 123/351  ·  network 23/55  ·  1 h 02 min", 23, 55, "Stop"),
    ),
    (
        EnsemblePanel,
        EnsembleState(
            recipes=("demo", "hubmap-2022-2nd-place", "/somewhere/else/a_recipe_of_my_own.yaml"),
            recipe="hubmap-2022-2nd-place",
            weights=(Path("/a/folder/that/is/far/away/and/has/a/long/name"),),
            devices=("auto", "cpu", "cuda:0"),
            enabled=True,
            running=True,
            done=23,
            total=55,
            seconds_left=3725.0,
            message=f"{LONG}: tf_efficientnet_b7_ns_768_e34_0_best",
            run_next=True,
        ),
    ),
    (
        TeachPanel,
        TeachState(
            on=True,
            said="Taught by 123 strokes on 45 slides; 12.3 % of this slide's pixels are "
            "decided otherwise. Every correction adds: also erase what is wrong, or accept a "
            "slide.",
            enabled=True,
            taught=True,
        ),
    ),
    (AcceptedPanel, AcceptedState(123_456_789, 123_456_789, True)),
    (CleanupPanel, CleanupState(Cleanup(min_area=500, fill_holes=999), enabled=True)),
    (ExportPanel, ExportState(Path("/a/folder/that/is/far/away"), 12, 351, True, True)),
]


@pytest.mark.parametrize(("panel", "state"), FULL, ids=lambda value: getattr(value, "__name__", ""))
def test_a_panel_shows_a_state_without_asking_for_anything(
    qtbot: Any, panel: type[QWidget], state: Any
) -> None:
    widget = panel()
    qtbot.addWidget(widget)
    asked: list[str] = []
    for name in dir(panel):
        if name.endswith(("_requested", "_cleared", "previewed")):
            getattr(widget, name).connect(lambda *_, name=name: asked.append(name))
    widget.show_state(state)
    widget.show_state(state)
    widget.show_state(type(state)())
    assert asked == []


@pytest.mark.parametrize(("panel", "state"), FULL, ids=lambda value: getattr(value, "__name__", ""))
def test_a_full_panel_fits_into_the_narrowest_dock(
    qtbot: Any, panel: type[QWidget], state: Any
) -> None:
    column = QWidget()
    qtbot.addWidget(column)
    column.setStyleSheet(style_sheet())
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 8, 8, 8)
    widget = panel()
    layout.addWidget(widget)
    widget.show_state(state)
    column.show()
    assert column.minimumSizeHint().width() <= NARROWEST - SCROLL_BAR


@pytest.mark.parametrize(("panel", "state"), FULL, ids=lambda value: getattr(value, "__name__", ""))
def test_every_control_says_what_it_does(qtbot: Any, panel: type[QWidget], state: Any) -> None:
    widget = panel()
    qtbot.addWidget(widget)
    widget.show_state(state)
    silent = [b.text() for b in widget.findChildren(QAbstractButton) if not b.toolTip()]
    assert silent == []


# ---- one by one --------------------------------------------------------------------------------


def test_the_queue_goes_where_it_is_told(qtbot: Any) -> None:
    panel = QueuePanel()
    qtbot.addWidget(panel)
    panel.show_state(QueueState(("a", "b", "c"), ("unseen", "flagged", "accepted"), 1))
    assert "slide 2 / 3" in panel.place.text()
    assert "flagged" in panel.place.text()
    with qtbot.waitSignal(panel.next_requested):
        qtbot.mouseClick(panel.next, LEFT)
    with qtbot.waitSignal(panel.previous_requested):
        qtbot.mouseClick(panel.previous, LEFT)
    with qtbot.waitSignal(panel.slide_requested) as asked:
        panel.jump.activated.emit(2)
    assert asked.args == ["c"]


@pytest.mark.parametrize(("current", "back", "on"), [(0, False, True), (2, True, False)])
def test_the_queue_ends_where_the_slides_end(
    qtbot: Any, current: int, back: bool, on: bool
) -> None:
    panel = QueuePanel()
    qtbot.addWidget(panel)
    panel.show_state(QueueState(("a", "b", "c"), ("unseen",) * 3, current))
    assert (panel.previous.isEnabled(), panel.next.isEnabled()) == (back, on)


def test_while_slides_are_on_their_way_none_is_said_to_be_missing(qtbot: Any) -> None:
    panel = QueuePanel()
    qtbot.addWidget(panel)
    panel.show_state(QueueState(opening=True))
    assert panel.place.text() == "opening …"
    panel.show_state(QueueState())
    assert panel.place.text() == "no slide open"


def test_facts_name_their_origin(qtbot: Any) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    origins = {"organ": "table", "source": "person", "um_per_px": "unknown"}
    panel.show_state(FactsState(Organ.KIDNEY, DataSource.HPA, None, origins, enabled=True))
    assert (
        panel.origins.text() == "Organ: from table · source: set by you · pixel size: not known yet"
    )
    assert panel.organ.currentText() == "kidney"
    with qtbot.waitSignal(panel.organ_requested) as asked:
        panel.organ.activated.emit(panel.organ.findText("lung"))
    assert asked.args == [Organ.LUNG]
    with qtbot.waitSignal(panel.um_per_px_requested) as size:
        panel.um_per_px.setValue(0.25)
    assert size.args == [0.25]


@pytest.mark.parametrize(("typed", "um_per_px"), [("0,5", 0.5), ("0.25", 0.25), ("500", 500.0)])
def test_a_pixel_size_is_typed_with_a_point_or_a_comma_and_no_key_is_swallowed(
    qtbot: Any, typed: str, um_per_px: float
) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(enabled=True))
    panel.um_per_px.selectAll()
    with qtbot.waitSignal(panel.um_per_px_requested) as asked:
        qtbot.keyClicks(panel.um_per_px, typed)
        qtbot.keyClick(panel.um_per_px, Qt.Key.Key_Return)
    assert asked.args == [um_per_px]


@pytest.mark.parametrize("place", range(7))
def test_a_number_is_typed_wherever_the_unknown_one_was_clicked(qtbot: Any, place: int) -> None:
    """The caret stood inside the word that says that nothing is known, and no key did anything."""
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(enabled=True))
    panel.um_per_px.lineEdit().setCursorPosition(place)
    with qtbot.waitSignal(panel.um_per_px_requested) as asked:
        qtbot.keyClicks(panel.um_per_px, "0,25")
        qtbot.keyClick(panel.um_per_px, Qt.Key.Key_Return)
    assert asked.args == [0.25]


def test_what_was_chosen_in_a_slides_file_is_shown_under_its_facts(qtbot: Any) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(enabled=True))
    assert panel.notes.isHidden()
    panel.show_state(FactsState(notes=("One.", "Pixel size unknown: enter it."), enabled=True))
    assert panel.notes.text() == "One. Pixel size unknown: enter it."
    assert not panel.notes.isHidden()


def test_text_being_typed_survives_a_state_that_changes_something_else(qtbot: Any) -> None:
    panel = FactsPanel()
    qtbot.addWidget(panel)
    panel.show_state(FactsState(um_per_px=0.5, enabled=True))
    panel.um_per_px.lineEdit().setText("0.31")
    panel.show_state(FactsState(organ=Organ.LUNG, um_per_px=0.5, enabled=True))
    assert panel.um_per_px.lineEdit().text().startswith("0.31")


def thresholds(qtbot: Any, **facts: Any) -> ThresholdsPanel:
    panel = ThresholdsPanel()
    qtbot.addWidget(panel)
    panel.resize(340, 300)
    shown = {"value": 90.0, "organ": Organ.KIDNEY, "source": "Hubmap", "enabled": True, **facts}
    panel.show_state(ThresholdsState(**shown))
    panel.show()
    return panel


def test_a_moving_slider_previews_and_asks_once_when_it_rests(qtbot: Any) -> None:
    panel = thresholds(qtbot)
    seen: list[float] = []
    asked: list[float] = []
    panel.previewed.connect(seen.append)
    panel.threshold_requested.connect(asked.append)
    for value in (100, 110, 120):
        panel.main.slider.setValue(value)
    assert seen == [100.0, 110.0, 120.0]
    assert asked == []
    qtbot.waitUntil(lambda: asked == [120.0])


def test_one_drag_is_one_change_however_long_it_pauses(qtbot: Any) -> None:
    panel = thresholds(qtbot)
    asked: list[float] = []
    panel.threshold_requested.connect(asked.append)
    panel.main.findChild(QTimer).setInterval(0)  # any pause is long enough
    panel.main.slider.setSliderDown(True)
    for value in (100, 110, 120):
        panel.main.slider.setValue(value)
        QTest.qWait(1)
        assert asked == []
    panel.main.slider.setSliderDown(False)
    assert asked == [120.0]


def test_keys_that_follow_each_other_are_one_change_which_ends_with_the_focus(qtbot: Any) -> None:
    panel = thresholds(qtbot)
    asked: list[float] = []
    panel.threshold_requested.connect(asked.append)
    with qtbot.waitActive(panel):
        panel.activateWindow()
    panel.main.slider.setFocus()
    for _ in range(5):
        qtbot.keyClick(panel.main.slider, Qt.Key.Key_Right)
    assert asked == []
    panel.main.number.setFocus()
    qtbot.waitUntil(lambda: bool(asked))
    assert asked == [95.0]


def test_a_change_ends_before_the_slide_it_was_for_does(qtbot: Any) -> None:
    panel = thresholds(qtbot)
    asked: list[float] = []
    panel.threshold_requested.connect(asked.append)
    panel.main.nudge(100)
    panel.settle()
    panel.main.nudge(110)
    panel.drop()
    assert (asked, panel.busy) == ([100.0], False)


def test_nothing_moves_a_slider_that_a_hand_is_on(qtbot: Any) -> None:
    panel = thresholds(qtbot)
    panel.main.slider.setValue(120)
    panel.show_state(ThresholdsState(value=90.0, organ=Organ.KIDNEY, source="Hubmap"))
    assert panel.main.number.value() == 120.0
    qtbot.waitUntil(lambda: not panel.busy)
    panel.show_state(ThresholdsState(value=90.0, organ=Organ.KIDNEY, source="Hubmap"))
    assert panel.main.number.value() == 90.0


def test_an_empty_histogram_takes_no_click(qtbot: Any) -> None:
    """A click meant for a form that had just closed over it set the threshold of every slide."""
    panel = ThresholdsPanel()
    qtbot.addWidget(panel)
    panel.resize(400, 300)
    panel.show_state(ThresholdsState(value=90.0, organ=Organ.KIDNEY, source="Hubmap", enabled=True))
    panel.show()
    moved: list[float] = []
    panel.histogram.moved.connect(moved.append)
    qtbot.mouseClick(panel.histogram, Qt.MouseButton.LeftButton)
    assert not moved


def test_the_line_in_the_histogram_is_a_slider_too(qtbot: Any) -> None:
    panel = thresholds(qtbot, curves=Curves(tuple(range(256))))
    strip = panel.histogram
    seen: list[float] = []
    panel.previewed.connect(seen.append)
    middle = strip.height() // 2
    with qtbot.waitSignal(panel.threshold_requested) as asked:
        qtbot.mousePress(strip, LEFT, pos=QPoint(round(strip.x_of(90)), middle))
        qtbot.mouseMove(strip, QPoint(round(strip.x_of(200)), middle))
        qtbot.mouseRelease(strip, LEFT, pos=QPoint(round(strip.x_of(200)), middle))
    assert abs(asked.args[0] - 200) <= 1
    assert seen[-1] == asked.args[0], "what is asked for was seen before"
    assert panel.main.number.value() == asked.args[0]


@pytest.mark.parametrize("click", ["mouseClick", "mouseDClick"])
def test_a_click_in_the_histogram_sets_no_threshold(qtbot: Any, click: str) -> None:
    """The second click of a button that had just gone set the threshold of a whole kind."""
    panel = thresholds(qtbot, curves=Curves(tuple(range(256))))
    strip = panel.histogram
    asked: list[float] = []
    panel.previewed.connect(asked.append)
    panel.threshold_requested.connect(asked.append)
    for place in (10, strip.width() // 2, round(strip.x_of(90)), round(strip.x_of(90)) + 3):
        at = QPoint(place, strip.height() // 2)
        getattr(qtbot, click)(strip, LEFT, pos=at)
        qtbot.mouseRelease(strip, LEFT, pos=at)  # which Qt's double click leaves out
    assert asked == []
    assert not panel.busy
    assert panel.main.number.value() == 90.0


def test_a_drag_in_the_histogram_brings_the_line_and_a_short_one_moves_it_a_little(
    qtbot: Any,
) -> None:
    panel = thresholds(qtbot, curves=Curves(tuple(range(256))))
    strip = panel.histogram
    asked: list[float] = []
    panel.threshold_requested.connect(asked.append)

    def drag(begin: int, end: int) -> None:
        qtbot.mousePress(strip, LEFT, pos=QPoint(begin, 40))
        qtbot.mouseMove(strip, QPoint(end, 40))
        qtbot.mouseRelease(strip, LEFT, pos=QPoint(end, 40))

    line = round(strip.x_of(90))
    drag(line + 4, line + 6)  # beside the line: it keeps its distance to the pointer
    assert len(asked) == 1
    assert abs(asked[0] - 90 - 2 * 256 / strip.width()) <= 1
    far = round(strip.x_of(200))
    drag(far, far + 3)
    assert len(asked) == 1, "far from the line a hand that shakes is no drag"
    drag(far, far + 30)
    assert abs(strip.x_of(asked[-1]) - far - 30) <= 1


def test_objects_are_counted_once_of_the_mask_or_of_the_line_under_the_hand(qtbot: Any) -> None:
    curves = Curves(tuple(range(256)), (0.5,) * 256, tuple(range(256)), (0.8,) * 256)
    panel = thresholds(
        qtbot, curves=curves, size=("25 objects", "9.9 %", "0.11 mm²"), figures="mask Dice 1"
    )
    assert panel.histogram.said() == "25 objects · 9.9 % · 0.11 mm² · threshold Dice 0.800"
    assert "objects" not in panel.figures.text()
    panel.main.slider.setValue(120)
    assert panel.histogram.said() == "120 objects · 50.0 % · threshold Dice 0.800"


def test_a_message_can_come_with_something_to_do(qtbot: Any) -> None:
    strip = MessageStrip()
    qtbot.addWidget(strip)
    strip.say("The threshold jumped.", error=False, action="Keep 90")
    assert strip.action.isVisible()
    with qtbot.waitSignal(strip.acted):
        qtbot.mouseClick(strip.action, LEFT)
    strip.say("Something else.", error=False)
    assert not strip.action.isVisible()


def test_an_accepted_slide_says_how_far_the_rules_are_and_what_can_be_done(qtbot: Any) -> None:
    panel = AcceptedPanel()
    qtbot.addWidget(panel)
    assert not panel.isVisible()
    panel.show_state(AcceptedState(more=12, less=3456))
    assert panel.isVisible()
    assert panel.said.text() == (
        "Your accepted mask holds. Today's settings would give 12 px more, 3,456 px less. "
        "Drawing on it opens it again."
    )
    with qtbot.waitSignal(panel.again_requested):
        qtbot.mouseClick(panel.again, LEFT)
    with qtbot.waitSignal(panel.dismissed):
        qtbot.mouseClick(panel.dismiss, LEFT)
    with qtbot.waitSignal(panel.compare_requested):
        qtbot.mouseClick(panel.compare, LEFT)
    with qtbot.waitSignal(panel.anew_requested):
        qtbot.mouseClick(panel.anew, LEFT)


def test_other_organs_have_sliders_of_their_own(qtbot: Any) -> None:
    panel = thresholds(qtbot, rows=(ThresholdRow(Organ.LUNG, 15.0),))
    panel.other_organs.expand()
    assert panel.others[Organ.LUNG].isVisible()
    assert not panel.others[Organ.KIDNEY].isVisible()
    with qtbot.waitSignal(panel.organ_threshold_requested) as asked:
        panel.others[Organ.LUNG].slider.setValue(20)
    assert asked.args == [Organ.LUNG, 20.0]


@pytest.mark.parametrize(("value", "text"), [(90.0, "90"), (89.5, "89.5")])
def test_a_threshold_shows_no_decimals_it_does_not_have(
    qtbot: Any, value: float, text: str
) -> None:
    assert thresholds(qtbot, value=value).main.number.text() == text


def test_a_threshold_without_organ_is_for_this_slide_anyway(qtbot: Any) -> None:
    panel = thresholds(qtbot, organ=None, source="")
    assert not panel.only.isEnabled()
    assert panel.main.isEnabled()


def test_undo_and_redo_name_what_they_do(qtbot: Any) -> None:
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    panel.resize(340, 600)
    panel.show()
    panel.show_state(CorrectState(undo_text="brush stroke", redo_text="note", enabled=True))
    shown = [QPushButton.text(choice) for choice in (panel.undo, panel.redo)]
    assert shown == ["Undo brush stroke", "Redo note"]
    long = "threshold largeintestine/Hubmap 100 → 127"
    panel.show_state(CorrectState(undo_text=long, enabled=True))
    assert panel.undo.text() == f"Undo {long}"
    assert QPushButton.text(panel.undo) == "Undo threshold…"
    assert panel.undo.toolTip() == f"Undo {long} (Ctrl+Z)"
    assert not panel.redo.isEnabled()


# What stands on them most often, and what is left of it in a dock of its usual width
STEPS = {
    "brush stroke": "brush stroke",
    "eraser stroke": "eraser stroke",
    "remove object": "remove object",
    "new outline": "new outline",
    "threshold 127 → 90": "threshold…",
    "accepted kidney_real": "accepted…",
    "threshold of this slide 90": "threshold…",
    "threshold 127 → 90, on every slide": "threshold…",
}


@pytest.mark.parametrize(("step", "left"), STEPS.items())
def test_undo_and_redo_are_cut_between_words(qtbot: Any, step: str, left: str) -> None:
    """ "Redo thr…→ 90" had stood there: the middle is what tells steps apart."""
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    panel.setStyleSheet(style_sheet())
    panel.resize(384, 600)  # in a dock of 400 px
    panel.show()
    panel.show_state(CorrectState(undo_text=step, redo_text=step, enabled=True))
    undo, redo = (QPushButton.text(choice) for choice in (panel.undo, panel.redo))
    assert redo in (f"Redo {step}", f"Redo {left}")
    assert len(undo) >= len(redo) and undo.startswith(f"Undo {left.rstrip('…')}")
    for button in (panel.undo, panel.redo):
        assert button.fontMetrics().horizontalAdvance(QPushButton.text(button)) < button.width()


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (60, "Undo threshold 127 → 90, on every slide"),
        (38, "Undo threshold…"),
        (12, "Undo"),
        (2, "Undo"),
    ],
)
def test_nothing_ends_with_a_number_a_sign_or_a_word_that_leads_on(room: int, shown: str) -> None:
    text = "Undo threshold 127 → 90, on every slide"
    assert fewer_words(text, lambda words: len(words) <= room) == shown
    assert fewer_words("Undo brush (glomerulus)", lambda words: len(words) < 20) == "Undo brush…"
    assert fewer_words("Undo weight of what was taught 1", lambda w: len(w) < 20) == "Undo weight…"


def test_a_note_is_asked_for_once_and_what_is_typed_stays(qtbot: Any) -> None:
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    asked: list[str] = []
    panel.note_requested.connect(asked.append)
    panel.show_state(VerdictState(enabled=True, note="torn"))
    assert panel.note.text() == "torn"
    panel.note.selectAll()
    qtbot.keyClicks(panel.note, "a fold")
    panel.show_state(VerdictState(enabled=True, note="torn"))
    assert panel.note.text() == "a fold"
    qtbot.keyClick(panel.note, Qt.Key.Key_Return)
    panel.settle()
    assert asked == ["a fold"]
    qtbot.keyClicks(panel.note, " at the left")
    panel.drop()
    panel.show_state(VerdictState(enabled=True, note="of another slide"))
    assert (panel.note.text(), asked) == ("of another slide", ["a fold"])


@pytest.mark.parametrize("step", ["min_area", "smooth"])
def test_arrows_of_a_cleanup_field_are_one_change(qtbot: Any, step: str) -> None:
    panel = CleanupPanel()
    qtbot.addWidget(panel)
    asked: list[Cleanup] = []
    panel.cleanup_requested.connect(asked.append)
    panel.show_state(CleanupState(enabled=True))
    field = panel.fields[step].native
    for _ in range(3):
        field.stepUp()
        panel.show_state(CleanupState(enabled=True))
    panel.settle()
    assert [getattr(plan, step) for plan in asked] == [3.0]


@pytest.mark.parametrize("asked", ["accept", "flag", "reject", "undo", "redo"])
def test_a_button_asks_for_what_it_says(qtbot: Any, asked: str) -> None:
    undone = CorrectState(undo_text="brush", redo_text="brush", enabled=True)
    steps = asked in ("undo", "redo")
    panel = CorrectPanel() if steps else VerdictPanel()
    qtbot.addWidget(panel)
    panel.show_state(undone if steps else VerdictState(enabled=True))
    with qtbot.waitSignal(getattr(panel, f"{asked}_requested")):
        qtbot.mouseClick(getattr(panel, asked), LEFT)


def test_tools_views_and_size_are_asked_for(qtbot: Any) -> None:
    views = OverlayPanel()
    panel = CorrectPanel()
    for widget in (panel, views):
        qtbot.addWidget(widget)
    panel.show_state(CorrectState(enabled=True))
    views.show_state(OverlayState(enabled=True))
    with qtbot.waitSignal(panel.tool_requested) as tool:
        qtbot.mouseClick(panel.tools["eraser"], LEFT)
    with qtbot.waitSignal(views.view_requested) as view:
        qtbot.mouseClick(views.views["outline"], LEFT)
    with qtbot.waitSignal(panel.size_requested) as size:
        panel.size.setValue(55)
    assert (tool.args, view.args, size.args) == (["eraser"], ["outline"], [55])
    panel.under.setValue(70)
    panel.show()
    panel.show_state(CorrectState("drop", enabled=True))
    with qtbot.waitSignal(panel.drop_small_requested) as dropped:
        qtbot.mouseClick(panel.drop_small, LEFT)
    panel.show_state(CorrectState("fill", enabled=True))
    with qtbot.waitSignal(panel.fill_small_requested) as filled:
        qtbot.mouseClick(panel.fill_small, LEFT)
    with qtbot.waitSignal(panel.on_screen_requested) as on_screen:
        panel.on_screen.click()
    with qtbot.waitSignal(panel.split_requested) as split:
        panel.split_by.activated.emit(1)
    assert (dropped.args, filled.args, on_screen.args) == ([70], [70], [True])
    assert split.args == ["probability"]


def test_the_tool_in_hand_says_how_it_is_used_and_shows_what_it_is_set_with(qtbot: Any) -> None:
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    panel.show()
    for tool, sized, cut in (("brush", True, False), ("split", False, True), ("", False, False)):
        panel.show_state(CorrectState(tool, enabled=True))
        assert panel.size.isVisible() is sized
        assert panel.split_by.isVisible() is cut
        assert bool(panel.hint.text()) is bool(tool)


def test_a_toggle_shows_what_holds_not_what_was_clicked(qtbot: Any) -> None:
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    accepted = VerdictState(verdict="accepted", enabled=True)
    panel.show_state(accepted)
    qtbot.mouseClick(panel.accept, LEFT)
    panel.show_state(accepted)
    assert panel.accept.isChecked()


def ensemble(qtbot: Any, **facts: Any) -> EnsemblePanel:
    panel = EnsemblePanel()
    qtbot.addWidget(panel)
    panel.show_state(EnsembleState(enabled=True, **facts))
    panel.show()
    return panel


def test_running_asks_for_what_is_chosen(qtbot: Any) -> None:
    panel = ensemble(qtbot, weights=(Path("w"),))
    panel.folds[2].setChecked(False)
    panel.scheduler.setText(" tcp://gpu:8786 ")
    panel.scope.setCurrentIndex(1)
    with qtbot.waitSignal(panel.run_requested) as asked:
        qtbot.mouseClick(panel.run, LEFT)
    assert asked.args == [
        EnsembleChoice("demo", (Path("w"),), (0, 1, 3, 4), "auto", "tcp://gpu:8786", True)
    ]
    panel.scope.setCurrentIndex(2)
    assert (panel.choice().all_slides, panel.choice().unrun) == (True, True)


def test_all_folds_ticked_means_all_the_recipe_has(qtbot: Any) -> None:
    assert ensemble(qtbot).choice().folds is None


def test_a_run_shows_its_progress_and_can_be_cancelled(qtbot: Any) -> None:
    panel = ProgressPanel()
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.cancel.isVisible()
    idle = panel.sizeHint().height()
    panel.show_state(ProgressState("network 23/55  ·  1 min 12 s", 23, 55, "Stop now"))
    assert panel.said.text() == "network 23/55  ·  1 min 12 s"
    assert (panel.bar.value(), panel.bar.maximum()) == (23, 55)
    assert panel.sizeHint().height() == idle, "what is above it stays where it is"
    with qtbot.waitSignal(panel.cancel_requested):
        qtbot.mouseClick(panel.cancel, LEFT)
    assert not ensemble(qtbot, running=True, coming=True).run.isEnabled()


def test_a_run_that_has_not_counted_yet_counts_seconds_and_nothing_moves(qtbot: Any) -> None:
    """A bar that moves has the whole window drawn 25 times a second, canvas and all."""
    panel = ProgressPanel()
    qtbot.addWidget(panel)
    panel.show_state(ProgressState("Starting …", cancel="Stop"))
    assert panel.bar.minimum() < panel.bar.maximum(), "Qt moves the bar where they are equal"
    assert panel.said.text() == "Starting …"
    panel.clock.timeout.emit()
    assert panel.said.text() == "Starting …  0 s"
    panel.show_state(ProgressState("network 1/5", 1, 5, "Stop"))
    assert not panel.clock.isActive()
    assert panel.said.text() == "network 1/5"
    panel.show_state(ProgressState())
    assert not panel.clock.isActive()


def test_a_run_says_for_how_long_it_has_been_at_work_until_it_can_say_how_long_it_takes(
    qtbot: Any,
) -> None:
    panel, begun = ProgressPanel(), []
    qtbot.addWidget(panel)
    panel._since = SimpleNamespace(start=lambda: begun.append(1), elapsed=lambda: 80_000)
    panel.show_state(ProgressState("Starting …", cancel="Stop", waits=True))
    panel.show_state(ProgressState("tile 0/30", 0, 30, "Stop", waits=True))
    assert panel.said.text() == "tile 0/30  ·  1 min 20 s"
    panel.show_state(ProgressState("tile 0/30", 0, 30, "Stop", waits=True, then="then two"))
    assert panel.said.text() == "tile 0/30  ·  1 min 20 s  ·  then two"
    assert panel.clock.isActive()
    assert begun == [1], "since the run began"
    panel.show_state(ProgressState("tile 9/30  ·  3 min 00 s left", 9, 30, "Stop"))
    assert panel.said.text() == "tile 9/30  ·  3 min 00 s left"
    assert not panel.clock.isActive()


def test_choosing_a_file_asks_for_the_file_and_keeps_the_recipe(qtbot: Any) -> None:
    panel = ensemble(qtbot, recipes=("demo", "fast"))
    last = panel.recipe.count() - 1
    with qtbot.waitSignal(panel.recipe_file_requested):
        panel.recipe.setCurrentIndex(last)
        panel.recipe.activated.emit(last)
    assert panel.recipe.currentText() == "demo"


def test_the_folds_are_those_of_the_recipe(qtbot: Any) -> None:
    panel = ensemble(qtbot)
    panel.show_state(EnsembleState(folds=(0, 7)))
    assert tuple(panel.folds) == (0, 7)


def test_cleanup_has_a_field_for_everything_the_plan_has(qtbot: Any) -> None:
    panel = CleanupPanel()
    qtbot.addWidget(panel)
    panel.show_state(CleanupState(Cleanup(fill_holes=30), enabled=True))
    assert set(panel.fields) == set(Cleanup.model_fields)
    with qtbot.waitSignal(panel.cleanup_requested) as asked:
        panel.fields["min_area"].value = 500
    assert asked.args == [Cleanup(min_area=500, fill_holes=30)]


def test_cleanup_numbers_its_steps_and_lets_each_be_looked_at(qtbot: Any) -> None:
    panel = CleanupPanel()
    qtbot.addWidget(panel)
    plan = Cleanup(grow=-3, min_area=12.5, unit="µm")
    panel.show_state(CleanupState(plan, organ="kidney", enabled=True))
    assert tuple(panel.looks) == Cleanup.STEPS
    assert panel.fields["grow"].value == -3
    assert [name for name, look in panel.looks.items() if look.isEnabled()] == ["grow", "min_area"]
    assert "every kidney slide" in panel.hint.text()
    assert "µm²" in panel.hint.text()
    with qtbot.waitSignal(panel.look_requested) as asked:
        qtbot.mouseClick(panel.looks["grow"], LEFT)
    assert asked.args == ["grow"]
    panel.show_state(CleanupState(plan, previewed_step="grow", enabled=True))
    assert panel.looks["grow"].isChecked()
    with qtbot.waitSignal(panel.look_requested) as asked:
        qtbot.mouseClick(panel.looks["grow"], LEFT)
    assert asked.args == [""]
    with qtbot.waitSignal(panel.cleanup_requested) as asked:
        panel.fields["unit"].value = "px"
    assert asked.args == [Cleanup(grow=-3, min_area=12.5)]


def test_an_export_goes_beside_the_project_unless_a_person_says_otherwise(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    panel.show_state(ExportState(Path("data"), ready=2, total=3))
    assert panel.choice() == ExportChoice("kaggle-rle", False, Path("data/submission.csv"))
    panel.format.setCurrentIndex(1)
    panel.format.activated.emit(1)
    assert panel.choice().out == Path("data/pseudo_labels")
    panel.set_target(Path("elsewhere"))
    panel.show_state(ExportState(Path("data"), ready=3, total=3))
    with qtbot.waitSignal(panel.export_requested) as asked:
        qtbot.mouseClick(panel.go, LEFT)
    assert asked.args == [ExportChoice("pseudo-labels", False, Path("elsewhere"))]


def test_all_slides_can_be_exported(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    panel.show_state(ExportState(Path("data"), ready=2, total=3))
    panel.slides.setCurrentIndex(1)
    assert panel.choice().all_slides
    assert panel.slides.currentText() == "all slides (3)"


def test_rejected_slides_leave_only_when_they_are_chosen(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    panel.show_state(ExportState(Path("data"), ready=2, total=5, rejected=1))
    shown = [panel.slides.itemText(i) for i in range(panel.slides.count())]
    assert shown == ["accepted and corrected (2)", "all but rejected (4)", "all, also rejected (5)"]
    panel.slides.setCurrentIndex(1)
    assert (panel.choice().all_slides, panel.choice().rejected) == (True, False)
    panel.slides.setCurrentIndex(2)
    assert (panel.choice().all_slides, panel.choice().rejected) == (True, True)
    panel.show_state(ExportState(Path("data"), ready=2, total=5))
    assert panel.choice() == ExportChoice("kaggle-rle", True, Path("data/submission.csv"))


def test_the_dock_offers_every_format_of_the_command_line(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    offered = [panel.format.itemData(i) for i in range(panel.format.count())]
    assert offered == [*FORMATS, MEASUREMENTS]
    panel.show_state(ExportState(Path("data"), ready=1, total=1))
    panel.format.setCurrentIndex(len(FORMATS))
    panel.format.activated.emit(len(FORMATS))
    assert panel.choice() == ExportChoice(MEASUREMENTS, False, Path("data/measurements.csv"))


def test_what_is_there_is_replaced_only_by_a_second_press_on_the_same_choice(qtbot: Any) -> None:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    panel.show_state(ExportState(Path("data"), ready=2, total=3))
    assert not panel.choice().overwrite
    panel.ask_to_replace(Path("data/submission.csv"))
    assert panel.choice().overwrite
    assert panel.go.text() == "Replace"
    assert "exists already" in panel.outcome.text()
    panel.show_state(ExportState(Path("data"), ready=3, total=3))
    assert panel.choice().overwrite, "a refresh of the dock is no other choice"
    panel.format.activated.emit(1)
    assert not panel.choice().overwrite
    assert panel.go.text() == "Export"


def test_the_message_strip_stays_until_it_is_read(qtbot: Any) -> None:
    strip = MessageStrip()
    qtbot.addWidget(strip)
    strip.say("The file is damaged: take another.", error=True)
    assert strip.isVisible()
    assert strip.sentence.text() == "The file is damaged: take another."
    qtbot.mouseClick(strip.dismiss, LEFT)
    assert not strip.isVisible()


@pytest.mark.parametrize("way", ["folder", "file", "sample"])
def test_there_are_three_ways_to_begin(qtbot: Any, way: str) -> None:
    panel = StartPanel()
    qtbot.addWidget(panel)
    with qtbot.waitSignal(getattr(panel, f"{way}_requested")):
        qtbot.mouseClick(getattr(panel, way), LEFT)


def test_only_the_first_step_stands_out(qtbot: Any) -> None:
    panel = StartPanel()
    qtbot.addWidget(panel)
    assert panel.folder.property("step") == "next"
    panel.show_state(StartState(has_slides=True))
    assert panel.folder.property("step") == ""


def test_peeking_lasts_as_long_as_the_button_is_down(qtbot: Any) -> None:
    panel = OverlayPanel()
    qtbot.addWidget(panel)
    panel.show_state(OverlayState(enabled=True, can_compare=True))
    asked: list[Any] = []
    panel.peek_requested.connect(asked.append)
    panel.compare_requested.connect(lambda: asked.append("compare"))
    panel.opacity_requested.connect(asked.append)
    qtbot.mousePress(panel.peek, LEFT)
    assert asked == [True]
    qtbot.mouseRelease(panel.peek, LEFT)
    qtbot.mouseClick(panel.compare, LEFT)
    panel.opacity.setValue(40)
    assert asked == [True, False, "compare", 0.4]


def test_the_top_says_where_the_project_is_until_something_was_saved(qtbot: Any) -> None:
    panel = QueuePanel()
    qtbot.addWidget(panel)
    shown = QueueState(("a",), ("unseen",), 0, project="/of/mine/tiles.hubseg")
    panel.show_state(shown)
    assert panel.saved.text() == "in tiles.hubseg"
    assert "/of/mine/tiles.hubseg" in panel.saved.toolTip()
    panel.show_state(QueueState(("a",), ("unseen",), 0, saved="14:03", project=shown.project))
    assert panel.saved.text() == "saved 14:03"
    assert "/of/mine/tiles.hubseg" in panel.saved.toolTip()


def test_a_press_beside_the_handle_brings_it_there_and_it_follows(qtbot: Any) -> None:
    row = ThresholdSlider("x", "tip")
    qtbot.addWidget(row)
    row.resize(400, 30)
    row.show()
    settled: list[float] = []
    row.settled.connect(settled.append)
    row.set_value(127.0)
    slider = row.slider
    middle = slider.height() // 2
    qtbot.mousePress(slider, LEFT, pos=QPoint(round(0.2 * slider.width()), middle))
    assert row.number.value() == pytest.approx(0.2 * 255, abs=6)
    at = QPointF(round(0.8 * slider.width()), middle)
    everywhere = QPointF(slider.mapToGlobal(at.toPoint()))
    none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    move = QMouseEvent(QEvent.Type.MouseMove, at, everywhere, none, LEFT, plain)
    QApplication.sendEvent(slider, move)  # Qt 5's own test moves without a button
    assert row.number.value() == pytest.approx(0.8 * 255, abs=6)
    qtbot.mouseRelease(slider, LEFT, pos=QPoint(round(0.8 * slider.width()), middle))
    assert settled == [row.number.value()], "one change, however far"


def test_what_teaching_says_is_not_cut(qtbot: Any) -> None:
    """ "teaches more" had stood on a line that was not there."""
    panel, state = next(one for one in FULL if one[0] is TeachPanel)
    widget = panel()
    qtbot.addWidget(widget)
    widget.setStyleSheet(style_sheet())
    widget.resize(NARROWEST - SCROLL_BAR, 200)
    widget.show_state(state)
    widget.show()
    needed = QLabel.heightForWidth(widget.said, widget.said.width())
    assert needed <= widget.said.height()


def test_figures_and_the_line_of_a_run_are_not_cut(qtbot: Any) -> None:
    column = QWidget()
    qtbot.addWidget(column)
    column.setStyleSheet(style_sheet())
    layout = QVBoxLayout(column)
    figures = thresholds(qtbot, figures="3 of 5 networks · mask Dice 0.912 · disagreement 0.08")
    run = ProgressPanel()
    run.show_state(ProgressState("slide 1/7  ·  network 2/5  ·  30 min 12 s", 2, 5, "Stop"))
    for part in (figures, run):
        layout.addWidget(part)
    column.resize(400, 400)
    column.show()
    for words in (figures.figures, run.said):
        needed = words.fontMetrics().horizontalAdvance(words.text())
        assert needed <= words.width(), words.text()


def test_the_first_button_says_which_slides_are_run_and_another_runs_all(qtbot: Any) -> None:
    panel = thresholds(qtbot, can_run=3)
    assert panel.run.text() == "Run ensemble: this slide"
    panel.name_run("those not yet run")
    assert panel.run.text() == "Run ensemble: those not yet run"
    with qtbot.waitSignal(panel.run_all_requested):
        panel.run_all.click()


@pytest.mark.parametrize(("slides", "shown"), [(0, (False, False)), (1, (True, False))])
def test_what_cannot_be_run_has_no_button(qtbot: Any, slides: int, shown: Any) -> None:
    panel = thresholds(qtbot, can_run=slides)
    assert (not panel.run.isHidden(), not panel.run_all.isHidden()) == shown
