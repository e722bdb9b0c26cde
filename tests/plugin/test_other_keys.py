"""Keys that a person gives to actions: what is refused, where they show, that they are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialogButtonBox, QKeySequenceEdit, QLabel, QTableView, QWidget

from napari_hubseg.actions import ACTIONS, grouped, in_words, key, key_of, take_keys, tip
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.keys import as_napari_spells, fitting, keys_of_napari, refusal
from napari_hubseg.widgets.kept_keys import keep_keys, kept_keys
from napari_hubseg.widgets.other_keys import OtherKeysPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Wait = Callable[[Callable[[], bool]], None]

pytestmark = pytest.mark.own_window  # what is tested is how a dock begins

EVERYWHERE = "Esc, Enter, Tab and Space mean something everywhere: choose another key."
IMPOSSIBLE = [{"accept": "Y", "flag": "Y"}, {"flag": ""}, {"accept": "R"}, {"accept": 3}]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    """The keys of the table, before and after."""
    take_keys({})
    yield
    take_keys({})


@pytest.fixture
def changed(own_keys: None) -> dict[str, str]:
    """What a person chose before the dock is opened."""
    keep_keys({"accept": "Shift-F6", "undo": "Control-Alt-Z", "peek": "O"})
    return kept_keys()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Shift-F6", ""),
        ("A", ""),  # its own
        ("R", "R is the key of “Reject the slide”: give that one another key first."),
        ("L", "L is napari's own key (select all): choose another key."),
        ("Escape", EVERYWHERE),
        ("Control-Space", EVERYWHERE),
        ("", EVERYWHERE),
    ],
)
def test_a_key_that_cannot_be_had_is_refused_in_one_sentence(wanted: str, said: str) -> None:
    assert refusal("accept", wanted, {}, {"L": "select all", "A": "pan"}) == said


def test_a_key_that_was_given_away_can_be_had() -> None:
    assert refusal("accept", "R", {"reject": "Shift-F6"}) == ""


@pytest.mark.parametrize("kept", [[], {"dance": "X"}, *IMPOSSIBLE])
def test_a_file_that_says_what_cannot_be_says_nothing(kept: Any) -> None:
    assert fitting(kept) == {}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_a_key_is_spelled_the_same_after_qt_had_it(action: Any) -> None:
    shown = QKeySequence(key_of(action.name).split(" or ")[0])
    form = QKeySequence.SequenceFormat.PortableText
    assert as_napari_spells(shown.toString(form)) == action.key


def test_buttons_tooltips_and_the_page_of_keys_show_the_other_key(
    changed: dict[str, str], dock: HubSegWidget
) -> None:
    assert (key("accept"), key_of("accept")) == ("Shift-F6", "Shift+F6")
    assert dock.verdict.accept.toolTip() == tip("accept") == "Accept this mask (Shift+F6)"
    assert "Shift+F6" in dock.verdict.accept.text()
    shown = [label.text() for label in dock.keys.findChildren(QLabel)]
    assert "Shift+F6" in shown
    assert "Ctrl+Alt+Z" in shown
    assert "(hold O)" in dock.overlay.peek.toolTip()


def test_the_other_key_does_it_and_the_first_one_does_nothing(
    changed: dict[str, str], opened: HubSegWidget, make_map: Any, wait: Wait, qtbot: Any
) -> None:
    session = opened.session
    session.show(make_map(session))
    wait(lambda: not opened.busy)
    opened.canvas.focus()
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_A)
    assert session.verdict("one").is_open
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_Escape)  # letters are commands again
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    wait(lambda: not session.verdict("one").is_open)


def test_the_page_takes_a_key_says_a_conflict_and_keeps_what_was_chosen(
    dock: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    dock.do("show_keys")
    qtbot.mouseClick(dock.keys.change, LEFT)
    page = dock.keys.findChild(OtherKeysPage)
    field = page.fields["accept"]
    qtbot.keyClick(field, Qt.Key.Key_R)
    wait(lambda: page.said.text().startswith("R is the key of “Reject the slide”"))
    wait(lambda: field.keySequence().toString() == "A")
    qtbot.keyClick(field, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    wait(lambda: page.said.text() == "")
    wait(lambda: field.keySequence().toString() == "Shift+F6")
    buttons = page.findChild(QDialogButtonBox)
    buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    assert kept_keys() == {"accept": "Shift-F6"}


def test_another_key_holds_at_once_and_is_shown_wherever_keys_are(
    opened: HubSegWidget, make_map: Any, wait: Wait, qtbot: Any
) -> None:
    session, verdict = opened.session, opened.verdict
    session.show(make_map(session))
    wait(lambda: not opened.busy)
    opened.do("take_brush")
    keep_keys({"accept": "Shift-F6", "take_brush": "Control-Alt-B", "undo": "Control-Alt-Z"})
    opened.keys.keys_changed.emit()
    assert verdict.accept.toolTip() == tip("accept") == "Accept this mask (Shift+F6)"
    assert verdict.accept.text() == verdict.accept.accessibleName() == "Accept  Shift+F6"
    assert "(Ctrl+Alt+Z)" in opened.correct.undo.toolTip()
    assert verdict.note.toolTip().endswith("Ctrl+Alt+Z takes it back")
    assert "Ctrl+Alt+B" in opened.correct.tools["brush"].toolTip()
    assert "Shift+F6" in [label.text() for label in opened.keys.findChildren(QLabel)]
    stale = {"Accept this mask (A)", "Accept  A"}
    wait(lambda: len(opened.keys.findChildren(QLabel, "every_title")) == len(grouped()) + 1)
    for root in (opened, opened.notices):
        for one in root.findChildren(QWidget):
            assert not {one.toolTip(), one.accessibleName()} & stale
    opened.canvas.focus()
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_A)
    assert session.verdict("one").is_open
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_Escape)
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    wait(lambda: not session.verdict("one").is_open)


def test_a_key_of_the_mask_is_another_one_at_once(
    opened: HubSegWidget, make_map: Any, wait: Wait, qtbot: Any
) -> None:
    on_mask = next(action for action in ACTIONS if action.on_mask)
    done: list[str] = []
    opened._callbacks[on_mask.name] = lambda: done.append(on_mask.name)
    keep_keys({on_mask.name: "Control-Alt-M"})
    opened.keys.keys_changed.emit()
    held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    opened.canvas.focus()
    qtbot.keyClick(opened.canvas.widget, Qt.Key.Key_M, held)
    assert done == [on_mask.name]


def test_every_text_with_a_key_in_it_is_known(
    opened: HubSegWidget, make_map: Any, wait: Wait
) -> None:
    """Whoever writes a key into a text says so, or the text would stay when the key is changed."""
    opened.session.show(make_map(opened.session))
    wait(lambda: not opened.busy)
    opened.refresh()
    others = {action.name: f"Control-Alt-F{at}" for at, action in enumerate(ACTIONS, 1)}
    keep_keys(others)
    assert kept_keys() == others
    opened.keys.keys_changed.emit()
    words = [shown for action in ACTIONS if len(shown := in_words(action.key)) > 1]
    words += [f"({action.key})" for action in ACTIONS if action.key.isalpha()]
    own = re.compile("|".join(rf"(?<![\w+]){re.escape(word)}(?![\w+])" for word in words))
    wait(lambda: len(opened.keys.findChildren(QLabel, "every_title")) == len(grouped()) + 1)
    for root in (opened, opened.notices):
        for one in root.findChildren(QWidget):
            texts = (one.toolTip(), one.accessibleName(), getattr(one, "text", str)())
            if isinstance(one, OtherKeysPage | QKeySequenceEdit | QTableView):  # F2 is Qt's there
                continue
            assert not [text for text in texts if own.search(text)], one.objectName()


def test_at_first_again(changed: dict[str, str], dock: HubSegWidget) -> None:
    page = OtherKeysPage(dock, {})
    assert page.fields["accept"].keySequence().toString() == "Shift+F6"
    buttons = page.findChild(QDialogButtonBox).button
    buttons(QDialogButtonBox.StandardButton.RestoreDefaults).click()
    assert page.fields["accept"].keySequence().toString() == "A"
    buttons(QDialogButtonBox.StandardButton.Ok).click()
    assert kept_keys() == {}


def test_napari_says_which_keys_are_its_own(dock: HubSegWidget) -> None:
    taken = keys_of_napari()
    assert {"Control-G", "V", "Control-O"} <= set(taken)
    ours = {action.key for action in ACTIONS if not action.on_mask}
    assert not ours & set(taken)
