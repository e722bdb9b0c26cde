"""A sentence typed where letters are commands: it ends at the first letter that means nothing."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from windows import Wait, said, see, settle

from hubseg.journal.verdict import Verdict
from napari_hubseg.actions import ACTIONS
from napari_hubseg.desk.letters import Letters
from napari_hubseg.dock import HubSegWidget

LEFT, CTRL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def mapped(opened: HubSegWidget, wait: Wait, make_map: Any) -> HubSegWidget:
    opened.session.show(make_map(opened.session))
    opened.desk.verdicts.advances = False
    see(opened, wait)
    return opened


class TestLetters:
    def test_every_action_that_is_a_letter_is_a_command(self) -> None:
        letters = Letters()
        plain = [a.key for a in ACTIONS if not a.key.startswith("Control") and a.key != "F2"]
        assert {letters.heed(key) for key in plain} == {"command"}

    @pytest.mark.parametrize("key", ["C", "X", "M", "B", "L", "5", "7", ";", "Shift-Ä", "Ä"])
    def test_from_one_that_means_nothing_on_there_are_none(self, key: str) -> None:
        letters = Letters()
        heard = [letters.heed(one) for one in ("A", key, "A", key, "Space", "F")]
        assert heard == ["command", "stray", "text", "text", "text", "text"]
        letters.rest()
        assert letters.heed("A") == "command"

    def test_a_blank_moves_the_view_or_is_text(self) -> None:
        letters = Letters()
        heard = [letters.heed(one) for one in ("Space", "Space")]  # held
        letters.rest()  # the mouse has moved the view
        heard += [letters.heed(one) for one in ("A", "Space", "A", "Space")]
        assert heard == ["command"] * 4 + ["stray", "text"]
        assert letters.stray == "a blank among letters"


def test_a_typed_sentence_ends_with_its_first_stray_letter_and_says_what_letters_did(
    mapped: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    canvas = mapped.canvas.widget
    qtbot.keyClicks(canvas, "f")
    qtbot.keyClicks(canvas, "clear")  # r would reject
    settle(mapped, wait)
    assert mapped.session.verdict("one") is Verdict.FLAGGED
    assert said(mapped) == (
        "“C” is no command, so this looks like text: letters do nothing until Esc or a click. "
        "F2 writes a note. Before, they did: flagged slide one."
    )
    qtbot.mouseClick(mapped.step.action, LEFT)
    settle(mapped, wait)
    assert mapped.session.verdict("one") is Verdict.UNSEEN


@pytest.mark.parametrize("how", ["escape", "canvas", "dock"])
def test_another_gesture_makes_letters_commands_again(
    mapped: HubSegWidget, qtbot: Any, wait: Wait, how: str
) -> None:
    canvas = mapped.canvas.widget
    qtbot.keyClicks(canvas, "cf")
    assert mapped.session.verdict("one") is Verdict.UNSEEN
    if how == "escape":
        qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    elif how == "canvas":
        qtbot.mouseClick(canvas, LEFT)
    else:
        qtbot.mouseClick(mapped.facts, LEFT)
    assert "looks like text" not in said(mapped)
    qtbot.keyClicks(canvas, "f")
    assert mapped.session.verdict("one") is Verdict.FLAGGED
    settle(mapped, wait)


def test_letters_that_are_kept_reach_nobody_wherever_the_keyboard_is(
    mapped: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    for place in (mapped.canvas.widget, mapped.window(), mapped.pages.page):
        qtbot.keyClicks(place, "xfar")
        assert mapped.session.verdict("one") is Verdict.UNSEEN
        qtbot.keyClick(place, Qt.Key.Key_Escape)


def test_what_letters_of_napari_would_do_to_the_mask_is_not_done(
    mapped: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    mask = mapped.desk.layers.mask_layer
    mapped.do("take_brush")
    before = mask.selected_label, mask.mode, mask.preserve_labels
    for letter in "xmbl57=-":
        qtbot.keyClicks(mapped.canvas.widget, letter)
        assert (mask.selected_label, mask.mode, mask.preserve_labels) == before
        qtbot.keyClick(mapped.canvas.widget, Qt.Key.Key_Escape)


def test_a_layer_of_a_persons_own_has_its_own_letters(
    mapped: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    mapped._viewer.add_points([[3, 3]], name="mine")
    qtbot.keyClicks(mapped.canvas.widget, "cx")
    assert "looks like text" not in said(mapped)
    settle(mapped, wait)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ("d", "Tool: brush. Drag to add to the mask."),
        ("e", "Tool: eraser. Drag to take from the mask."),
        ("h", "Shown: outline."),
        ("8", "Overlay: 90 %."),
    ],
)
def test_a_key_that_changes_what_is_in_hand_or_seen_says_so(
    mapped: HubSegWidget, qtbot: Any, wait: Wait, keys: str, word: str
) -> None:
    qtbot.keyClicks(mapped.canvas.widget, keys)
    wait(lambda: said(mapped) == word)
    settle(mapped, wait)


def test_a_brush_with_the_label_of_nothing_is_called_an_eraser(mapped: HubSegWidget) -> None:
    mapped.do("take_brush")
    mapped.desk.layers.mask_layer.selected_label = 0  # napari's own field
    assert mapped.desk.mask_tools.tool == "eraser"
