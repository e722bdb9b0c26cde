"""What was done last is said, and one Ctrl+Z or one click takes it back, wherever it led."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from windows import Wait, said, see, settle

from hubseg.journal.verdict import Verdict
from napari_hubseg.desk.offer import Offer
from napari_hubseg.dock import HubSegWidget

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def decided(opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any) -> HubSegWidget:
    """The first slide was accepted with its key, and the next one is on screen."""
    opened.session.show(make_map(opened.session))
    see(opened, wait)
    qtbot.keyClick(opened.window(), "A")
    see(opened, wait)
    assert opened.session.current.id == "two"
    return opened


class TestAVerdictThatMovedOn:
    def test_it_is_said_and_ctrl_z_takes_it_back_and_shows_its_slide(
        self, decided: HubSegWidget, qtbot: Any, wait: Wait
    ) -> None:
        assert said(decided) == "Slide one accepted."
        assert decided.correct.undo.text() == "Undo accepted one"
        qtbot.keyClick(decided.window(), "Z", Qt.KeyboardModifier.ControlModifier)
        settle(decided, wait)
        assert decided.session.verdict("one") is Verdict.UNSEEN
        assert decided.session.current.id == "one"
        assert said(decided) == "Undid: accepted slide one."

    def test_so_does_the_mouse(self, decided: HubSegWidget, qtbot: Any, wait: Wait) -> None:
        assert decided.step.action.text() == "Undo"
        qtbot.mouseClick(decided.step.action, LEFT)
        settle(decided, wait)
        assert decided.session.verdict("one") is Verdict.UNSEEN
        assert decided.session.current.id == "one"

    def test_it_is_kept_when_it_was_taken_back_and_opened_again(
        self, decided: HubSegWidget, wait: Wait
    ) -> None:
        decided.do("undo")
        settle(decided, wait)
        decided.session.redo()
        assert decided.session.verdict("one") is Verdict.ACCEPTED
        assert said(decided) == "Did again: accepted slide one."

    @pytest.mark.parametrize("how", ["next", "stroke", "threshold", "dismissed"])
    def test_once_something_else_was_done_undo_is_this_slides_again(
        self, decided: HubSegWidget, qtbot: Any, wait: Wait, how: str
    ) -> None:
        if how == "next":
            decided.do("next_slide")
        elif how == "stroke":
            decided.session.paint(np.ones((9, 9), np.bool_), add=True)
        elif how == "threshold":
            decided.desk.set_threshold(200)
        else:
            qtbot.mouseClick(decided.step.dismiss, LEFT)
        settle(decided, wait)
        assert "slide one" not in said(decided)
        decided.do("undo")
        settle(decided, wait)
        assert decided.session.verdict("one") is Verdict.ACCEPTED

    @pytest.mark.parametrize("how", ["tool", "recipe", "text", "nothing here"])
    def test_it_is_what_undo_takes_back_whatever_is_said_since(
        self, decided: HubSegWidget, qtbot: Any, wait: Wait, how: str
    ) -> None:
        """A tool in hand, or a notice over it, made Ctrl+Z take back an older threshold of all."""
        if how == "tool":
            qtbot.keyClick(decided.window(), "E")
        elif how == "recipe":
            decided.desk.offers.offer(Offer("A recipe brings rules.", "Keep", lambda: None))
        elif how == "text":
            qtbot.keyClicks(decided.canvas.widget, "c")
            qtbot.mouseClick(decided.facts, LEFT)
        else:
            qtbot.keyClick(decided.window(), "A")
        settle(decided, wait)
        assert decided.correct.undo.text() == "Undo accepted one"
        qtbot.keyClick(decided.window(), "Z", Qt.KeyboardModifier.ControlModifier)
        settle(decided, wait)
        assert decided.session.verdict("one") is Verdict.UNSEEN
        assert decided.session.current.id == "one"

    def test_typed_on_the_canvas_it_is_said_with_the_way_back(
        self, decided: HubSegWidget, qtbot: Any, wait: Wait
    ) -> None:
        """The eraser that a later letter took was said instead, a turn after the text was told."""
        qtbot.keyClicks(decided.canvas.widget, "e")
        wait(lambda: "Tool: eraser" in decided.message.sentence.text())
        assert said(decided) == "Slide one accepted."
        assert decided.step.action.text() == "Undo"
        qtbot.keyClicks(decided.canvas.widget, "fe c")
        settle(decided, wait)
        assert "looks like text" in said(decided)
        assert "flagged slide two" in said(decided)

    @pytest.mark.parametrize(("key", "word"), [("F", "flagged"), ("R", "rejected")])
    def test_every_verdict_is_said(
        self, opened: HubSegWidget, qtbot: Any, wait: Wait, key: str, word: str
    ) -> None:
        see(opened, wait)
        qtbot.keyClick(opened.window(), key)
        settle(opened, wait)
        assert said(opened) == f"Slide one {word}."
        opened.do("undo")
        assert opened.session.verdict("one") is Verdict.UNSEEN


def test_a_threshold_that_keys_moved_is_said_with_the_way_back(
    opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any
) -> None:
    opened.session.show(make_map(opened.session))
    see(opened, wait)
    before = opened.session.threshold
    qtbot.keyClick(opened.window(), "W")
    settle(opened, wait)
    moved = f"Threshold kidney/Hubmap {before:g} → {before + 1:g}, for every slide of this kind."
    assert said(opened) == moved
    qtbot.mouseClick(opened.step.action, LEFT)
    settle(opened, wait)
    assert opened.session.threshold == before
    assert said(opened).startswith("Undid: threshold kidney/Hubmap")


def test_what_holds_for_every_slide_is_not_undone_from_another_one_unasked(
    opened: HubSegWidget, wait: Wait
) -> None:
    """On a slide with nothing to undo Ctrl+Z took back a member switched off before a restart."""
    before = opened.session.threshold
    opened.desk.set_threshold(200)
    opened.do("next_slide")
    opened.session.paint(np.ones((9, 9), np.bool_), add=True)
    settle(opened, wait)
    opened.do("undo")
    settle(opened, wait)
    assert not opened.session.mask.any(), "what was done here is undone at once"
    opened.do("undo")
    settle(opened, wait)
    assert opened.session.threshold == 200
    assert said(opened) == (
        "The last step was made before you came to this slide and holds for every slide: "
        f"threshold kidney/Hubmap {before:g} → 200. Ctrl+Z again undoes it."
    )
    opened.do("undo")
    settle(opened, wait)
    assert opened.session.threshold == before
    opened.session.redo()
    opened.do("undo")
    settle(opened, wait)
    assert opened.session.threshold == 200, "asked for again, as it was done before"


def test_what_holds_for_every_slide_is_not_done_again_from_another_one_unasked(
    opened: HubSegWidget, wait: Wait
) -> None:
    """Ctrl+Shift+Z did again, for a whole kind, what had been undone on the slide before."""
    before = opened.session.threshold
    opened.desk.set_threshold(200)
    opened.do("undo")
    settle(opened, wait)
    assert opened.correct.redo.toolTip() == f"Redo threshold {before:g} → 200 (Ctrl+Shift+Z)"
    opened.do("redo")
    assert opened.session.threshold == 200, "what was undone here is done again at once"
    opened.do("undo")
    opened.do("next_slide")
    settle(opened, wait)
    assert "on every slide" in opened.correct.redo.toolTip()
    opened.do("redo")
    settle(opened, wait)
    assert opened.session.threshold == before
    assert said(opened) == (
        "The last undo was made before you came to this slide and holds for every slide: "
        f"threshold kidney/Hubmap {before:g} → 200. Ctrl+Shift+Z again does that step again."
    )
    opened.do("redo")
    settle(opened, wait)
    assert opened.session.threshold == 200


def test_what_is_accepted_anew_is_called_that(
    opened: HubSegWidget, wait: Wait, make_map: Any
) -> None:
    opened.session.show(make_map(opened.session))
    opened.desk.verdicts.advances = False
    see(opened, wait)
    opened.do("accept")
    opened.desk.set_threshold(200)
    see(opened, wait)
    first = opened.session.mask.copy()
    opened.desk.accept_anew()
    settle(opened, wait)
    assert said(opened) == "Slide one accepted anew."
    assert opened.correct.undo.text() == "Undo accepted one anew"
    opened.do("undo")
    assert opened.session.verdict("one") is Verdict.ACCEPTED
    assert np.array_equal(opened.session.mask, first)


def test_nothing_in_the_dock_moves_when_something_is_said(opened: HubSegWidget, wait: Wait) -> None:
    settle(opened, wait)
    watched = (opened.verdict.accept, opened.queue.jump, opened.thresholds.histogram)
    before = [one.mapToGlobal(QPoint(0, 0)) for one in watched]
    opened.message.say("A word.", error=False)
    opened.step.say("Slide one accepted.", error=False, action="Undo")
    wait(lambda: opened.step.isVisible() and opened.notices.height() > 0)
    assert [one.mapToGlobal(QPoint(0, 0)) for one in watched] == before


@pytest.mark.parametrize("how", ["stroke", "key"])
def test_what_opens_an_accepted_slide_again_says_so(
    opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any, how: str
) -> None:
    opened.session.show(make_map(opened.session))
    opened.desk.verdicts.advances = False
    see(opened, wait)
    opened.do("accept")
    if how == "stroke":
        opened.session.paint(np.ones((9, 9), np.bool_), add=True)
        begin = "Brush stroke."
    else:
        qtbot.keyClick(opened.window(), "I")
        begin = "Threshold of this slide 90."
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.IN_WORK
    assert said(opened) == f"{begin} Slide one was accepted and is open again."
    qtbot.mouseClick(opened.step.action, LEFT)
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.ACCEPTED


def accepted(dock: HubSegWidget, wait: Wait, make_map: Any, slide_id: str) -> None:
    """Accept a slide and stay there."""
    dock.desk.go_to(slide_id)
    dock.session.show(make_map(dock.session))
    dock.desk.verdicts.advances = False
    see(dock, wait)
    dock.do("accept")
    settle(dock, wait)
    assert dock.session.verdict(slide_id).stands


def test_an_accepted_slide_can_be_opened_again_where_it_was_accepted(
    opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any
) -> None:
    """Nothing in the window said how."""
    assert not opened.verdict.again.isVisible()
    opened.do("open_again")
    assert opened.message.sentence.text() == "Slide one is open: draw on it as it is."
    places = (opened.verdict.accept, opened.verdict.note)
    before = [one.mapToGlobal(QPoint(0, 0)) for one in places]
    accepted(opened, wait, make_map, "one")
    wait(lambda: opened.verdict.again.isVisible() and opened.verdict.again.width() > 20)
    assert [one.mapToGlobal(QPoint(0, 0)) for one in places] == before, "nothing moves"
    assert opened.verdict.again.height() >= opened.fontMetrics().height()
    assert "strokes open it too" in opened.verdict.again.toolTip()
    mask = opened.session.mask.copy()
    see(opened, wait)
    qtbot.mouseClick(opened.verdict.again, LEFT)
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.IN_WORK
    assert np.array_equal(opened.session.mask, mask)
    assert said(opened) == "Slide one is open again, its mask as you accepted it."
    assert not opened.verdict.again.isVisible()
    opened.do("undo")
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.ACCEPTED

    opened.desk.set_threshold(200)
    see(opened, wait)
    wait(lambda: opened.accepted.isVisible())
    see(opened, wait)
    qtbot.mouseClick(opened.accepted.again, LEFT)
    settle(opened, wait)
    assert opened.session.verdict("one") is Verdict.IN_WORK
    assert np.array_equal(opened.session.mask, mask), "what was accepted, not what 200 gives"
    assert said(opened).startswith("Slide one is open again, its mask as you accepted it. Where ")
    assert said(opened).endswith("that is kept as if drawn: the slider does not move it.")
    assert not opened.accepted.isVisible()


def test_what_is_said_of_an_accepted_mask_is_put_away_until_it_is_something_else(
    opened: HubSegWidget, qtbot: Any, wait: Wait, make_map: Any
) -> None:
    for slide_id in ("two", "one"):
        accepted(opened, wait, make_map, slide_id)
    opened.desk.set_threshold(200)
    wait(lambda: opened.accepted.isVisible())
    opened.desk.rules.toggle()
    qtbot.mouseClick(opened.accepted.dismiss, LEFT)
    settle(opened, wait)
    assert not opened.accepted.isVisible()
    assert not opened.desk.rules.shown, "nothing would end it"
    opened.desk.go_to("two")
    opened.session.show(make_map(opened.session))
    wait(lambda: opened.accepted.isVisible())
    qtbot.mouseClick(opened.accepted.dismiss, LEFT)
    opened.desk.go_to("one")
    opened.session.show(make_map(opened.session))
    settle(opened, wait)
    assert opened.session.departure
    assert not opened.accepted.isVisible()
    opened.desk.set_threshold(210)
    wait(lambda: opened.accepted.isVisible())


def test_that_all_is_done_is_said_until_it_is_not(opened: HubSegWidget, wait: Wait) -> None:
    for _ in opened.session.slides:
        see(opened, wait)
        opened.do("flag")
    settle(opened, wait)
    opened.desk.verdicts.advances = True
    for _ in opened.session.slides:
        see(opened, wait)
        opened.do("reject")
    settle(opened, wait)
    assert opened.message.sentence.text() == "All slides are done."
    assert opened.message.isVisible()
    opened.do("undo")
    settle(opened, wait)
    assert not opened.message.isVisible()


def test_what_a_tool_found_is_said_until_something_else_is_done(
    opened: HubSegWidget, wait: Wait
) -> None:
    settle(opened, wait)
    opened.desk.mask_tools.told.emit("There is no object under the pointer.")
    assert opened.message.isVisible()
    opened.do("next_slide")
    settle(opened, wait)
    assert not opened.message.isVisible()
