"""All like this in a real window: seen before it is done, one gesture, one undo, nothing jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from stored import recipe_of
from windows import said, settle

from hubseg import tools
from hubseg.mask.drawing import EDGE
from hubseg.probability import MapStore, MemberMap
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.alike import AlikePanel, AlikeState

Wait = Callable[[Callable[[], bool]], None]
LEFT = Qt.MouseButton.LeftButton
SHAPE = (96, 128)  # of the slides of the fixture `table`
RECIPE = recipe_of("stored", "test_resnet", "m_{fold}", 2, scale=0.5)
# row, column, radius, probability: two that the map is sure of, and three false ones
DISCS = (
    *((24, 24, 14, 0.97), (24, 66, 13, 0.97)),
    *((24, 104, 7, 0.62), (70, 24, 7, 0.62), (70, 70, 6, 0.62)),
)
FALSE_ONE = (24, 104)


def scene() -> Any:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    values = np.zeros(SHAPE, np.float32)
    for row, column, radius, top in DISCS:
        away = np.hypot(y - row, x - column)
        values = np.maximum(values, np.where(away <= radius, top - 0.01 * away / radius, 0.0))
    return values.astype(np.float32)


@pytest.fixture
def mapped(opened: HubSegWidget, wait: Wait) -> HubSegWidget:
    """Two slides that were run, and the first one's map on screen."""
    session = opened.session
    for name in ("one", "two"):
        slide = next(one for one in session.slides if one.id == name)
        keys = [(member, f"{name.encode().hex()}{member.fold}aa") for member in RECIPE.members()]
        for _, key in keys:
            MapStore(session.project.maps).put(key, MemberMap(scene()))
        record(session.project, name, name, RECIPE, keys, slide_digest=slide.digest)
    session.show(newest_map(session.project, session.current))
    settle(opened, wait)
    return opened


@pytest.fixture
def decided(mapped: HubSegWidget, wait: Wait) -> HubSegWidget:
    """The same, and a false object was removed just now."""
    mapped.session.put(tools.drop(mapped.session.mask, *FALSE_ONE))
    settle(mapped, wait)
    return mapped


def offer(dock: HubSegWidget, wait: Wait) -> None:
    dock.correct.alike.click()
    settle(dock, wait)
    assert dock.desk.alike.offered is not None


def in_yellow(dock: HubSegWidget) -> Any:
    layer = dock.desk.layers._stack.get("offered")
    return np.zeros(SHAPE, np.bool_) if layer is None or not layer.visible else layer.data > 0


def test_it_is_seen_before_it_is_done_and_a_slider_says_how_alike(
    mapped: HubSegWidget, wait: Wait
) -> None:
    dock, session = mapped, mapped.session
    assert not dock.correct.alike.isEnabled()
    session.put(tools.drop(session.mask, *FALSE_ONE))
    settle(dock, wait)
    assert dock.correct.alike.isEnabled()
    places = [part.geometry() for part in (dock.correct, dock.pages, dock.verdict)]
    rows, mask = len(session.project.entries()), session.mask.copy()

    offer(dock, wait)

    assert dock.alike.isVisible()
    assert dock.alike.said.text().startswith("2 of 4 other objects are like what you removed")
    assert dock.alike.apply.text() == "Remove 2"
    assert dock.alike.everywhere.text() == "Also on 1 other slide"
    assert np.array_equal(in_yellow(dock), mask & (np.arange(SHAPE[0]) > 48)[:, None])
    layer = dock.desk.layers._stack.get("offered")
    assert layer.data[70 - 7, 24] == EDGE
    assert "like what was decided" in dock.legend.said
    dock.alike.slider.setValue(100)
    settle(dock, wait)
    assert dock.alike.apply.text() == "Remove 4"
    assert np.array_equal(in_yellow(dock), mask)
    dock.alike.slider.setValue(0)
    settle(dock, wait)
    assert not dock.alike.apply.isEnabled()
    assert not dock.alike.everywhere.isEnabled()
    assert "move the slider to the right" in dock.alike.said.text()
    assert not in_yellow(dock).any()
    assert np.array_equal(session.mask, mask)
    assert len(session.project.entries()) == rows, "nothing was done"
    assert places == [part.geometry() for part in (dock.correct, dock.pages, dock.verdict)]


def test_it_is_one_gesture_and_one_undo_restores_the_very_mask(
    decided: HubSegWidget, wait: Wait
) -> None:
    dock, session = decided, decided.session
    mask, rows = session.mask.copy(), len(session.project.entries())
    offer(dock, wait)
    dock.do("all_like_this")
    settle(dock, wait)
    assert len(session.project.entries()) == rows + 1
    assert not session.mask[50:].any()
    assert session.mask[:40].sum() == mask[:40].sum()
    assert dock.desk.alike.offered is None
    assert not dock.alike.isVisible()
    assert not in_yellow(dock).any()
    assert dock.correct.undo.text() == "Undo remove 2 like this"
    dock.do("undo")
    settle(dock, wait)
    assert np.array_equal(session.mask, mask)
    assert np.array_equal(dock.desk.layers.mask_layer.data != 0, mask)


@pytest.mark.parametrize("when", ["at once", "offered"])
def test_it_is_offered_again_on_a_map_that_comes_after_it(
    decided: HubSegWidget, wait: Wait, when: str
) -> None:
    """As a taught map does, seconds after the stroke that it was taught by."""
    dock, session = decided, decided.session
    found = session.probability
    if when == "offered":
        offer(dock, wait)
        dock.alike.slider.setValue(55)
        first = dock.desk.alike.offered
    else:
        dock.do("all_like_this")
        first = None
    session.show(replace(found, values=found.values * 0.99))
    dock.refresh()
    assert "looking for like objects on the new one" in dock.alike.said.text()
    assert not dock.alike.apply.isVisible()
    settle(dock, wait)
    assert dock.desk.alike.offered not in (None, first)
    assert dock.desk.alike.least == pytest.approx(0.45 if first else 0.5)
    assert dock.alike.apply.text() == "Remove 2"
    dock.do("all_like_this")
    settle(dock, wait)
    assert session.undo_text == "drop 2 like this"


ENDS: dict[str, Callable[[HubSegWidget, Any], object]] = {
    "Esc over the canvas": lambda d, bot: bot.keyClick(d.canvas.widget, Qt.Key.Key_Escape),
    "Esc on the card": lambda d, bot: (
        d.alike.slider.setFocus(),
        bot.keyClick(d.alike.slider, Qt.Key.Key_Escape),
    ),
    "Cancel": lambda d, bot: bot.mouseClick(d.alike.cancel, LEFT),
    "another tool": lambda d, bot: d.do("take_brush"),
    "a stroke": lambda d, bot: d.session.paint(np.ones((3, 3), np.bool_), top=90, add=True),
    "undo": lambda d, bot: d.do("undo"),
    "another slide": lambda d, bot: d.do("next_slide"),
}


def test_it_ends_with_esc_another_tool_or_another_mask(
    decided: HubSegWidget, wait: Wait, qtbot: Any
) -> None:
    """All ways in one window; each leaves nothing behind."""
    dock = decided
    for name, end in ENDS.items():
        print(name)  # shown when it fails
        rows = len(dock.session.project.entries("two"))
        offer(dock, wait)
        end(dock, qtbot)
        settle(dock, wait)
        assert dock.desk.alike.offered is None
        assert not dock.alike.isVisible()
        assert not in_yellow(dock).any()
        assert not dock.desk.layers.appearance.outlined
        assert len(dock.session.project.entries("two")) - rows <= 1
        if name == "a stroke":
            dock.do("undo")
        elif name == "undo":
            dock.do("redo")
        elif name == "another tool":
            dock.do("take_move")
        settle(dock, wait)


def test_other_slides_get_a_row_each_and_one_undo_takes_all_back(
    decided: HubSegWidget, wait: Wait
) -> None:
    dock, session = decided, decided.session
    mask = session.mask.copy()
    offer(dock, wait)
    dock.alike.everywhere.click()
    settle(dock, wait)
    rows = [row for row in session.project.entries() if row.label.endswith("like this")]
    assert [(row.slide_id, row.label) for row in rows] == [
        ("one", "drop 2 like this"),
        ("two", "drop 3 like this"),
    ]
    assert said(dock) == "Removed 5 objects like this on 2 of 2 slides."
    dock.do("undo")
    settle(dock, wait)
    assert said(dock) == "Undid: removal of 5 objects like this."
    assert np.array_equal(session.mask, mask)
    undone = [row.target for row in session.project.entries() if row.kind.value == "undo"]
    assert sorted(undone) == [row.seq for row in rows]


def test_other_slides_can_be_stopped_and_what_was_left_out_is_said(
    decided: HubSegWidget, wait: Wait
) -> None:
    dock = decided
    offer(dock, wait)
    alike = dock.desk.alike

    def stop_at_once(_: object) -> None:
        alike.elsewhere = ()
        dock.desk.background.later(alike.stop)

    alike.elsewhere = ("two", "three")
    dock.session.recorded.connect(stop_at_once)  # the row of the slide on screen
    dock.alike.everywhere.click()
    settle(dock, wait)
    dock.session.recorded.disconnect(stop_at_once)
    assert not alike.running
    assert said(dock) == (
        "Removed 5 objects like this on 2 of 3 slides. Left out: You stopped before slide three."
    )


def test_an_accepted_slide_is_not_asked_about(decided: HubSegWidget, wait: Wait) -> None:
    dock, session = decided, decided.session
    session.go_to("two")
    session.show(newest_map(session.project, session.current))
    settle(dock, wait)
    session.accept()
    session.go_to("one")
    session.show(newest_map(session.project, session.current))
    settle(dock, wait)
    rows = session.project.entries("two")
    offer(dock, wait)
    assert not dock.alike.everywhere.isVisible()
    dock.desk.alike.apply_everywhere()
    settle(dock, wait)
    assert [row for row in session.project.entries("two") if row.slide_id == "two"] == [
        row for row in rows if row.slide_id == "two"
    ]


def test_without_a_decision_or_another_object_it_says_so(mapped: HubSegWidget, wait: Wait) -> None:
    dock, session = mapped, mapped.session
    dock.do("all_like_this")
    settle(dock, wait)
    assert dock.message.sentence.text().startswith("Remove or keep an object of this slide first")
    session.go_to("three")
    settle(dock, wait)
    session.paint(np.ones((9, 9), np.bool_), top=20, left=20, add=True)
    session.put(tools.drop(session.mask, 24, 24))
    settle(dock, wait)
    dock.do("all_like_this")
    settle(dock, wait)
    assert "Slide three has no map" in dock.message.sentence.text()
    assert dock.desk.alike.offered is None


def test_the_card_shows_a_state_and_emits_nothing(qtbot: Any) -> None:
    card = AlikePanel()
    qtbot.addWidget(card)
    heard: list[float] = []
    card.least_requested.connect(heard.append)
    card.show_state(AlikeState("7 objects", "Keep", 7, 0.25, 12))
    assert (card.slider.value(), card.apply.text()) == (75, "Keep 7")
    assert card.everywhere.text() == "Also on 12 other slides"
    assert card.everywhere.isEnabled()
    assert heard == []
    card.slider.setValue(40)
    assert heard == [pytest.approx(0.6)]
