"""The dock stands still, shows all of itself, and can be read in every theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from qtpy.QtGui import QColor, QIcon, QMouseEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QDockWidget, QLabel, QWidget

from napari_hubseg.actions import ACTIONS, TOOLBOX, grouped, key_of
from napari_hubseg.desk.offer import step_words
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.correct import CorrectPanel, CorrectState
from napari_hubseg.panels.start import StartPanel, StartState
from napari_hubseg.widgets import style
from napari_hubseg.widgets.icons import SIGNS, IconButton, sign
from napari_hubseg.widgets.inks import INKS, contrast
from napari_hubseg.widgets.remembered import recall, remember
from napari_hubseg.widgets.side_docks import SideDocks

Wait = Callable[[Callable[[], bool]], None]
LEFT = Qt.MouseButton.LeftButton
# napari's grounds: the window's, and that of buttons and fields
GROUNDS = {"dark": ("#262930", "#23242b", "#414851"), "light": ("#efebe9", "#ebe7e6", "#d6d0ce")}


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The measurements that `hubseg bench layout` makes in a real window."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import layout

    return layout


@pytest.fixture
def small(opened: HubSegWidget, wait: Wait) -> HubSegWidget:
    """The dock in a window as large as a small laptop's screen."""
    opened.window().setGeometry(0, 0, 1366, 768)
    wait(lambda: opened.window().size().width() == 1366)
    wait(lambda: opened.window().height() == 768)
    QApplication.processEvents()
    return opened


def settle(dock: HubSegWidget, wait: Wait) -> None:
    wait(lambda: not dock.busy)
    dock.refresh()
    QApplication.processEvents()


def drawn() -> None:
    """Let what is done later be done."""
    for _ in range(5):
        QApplication.processEvents()


class TestOnASmallScreen:
    def test_nothing_is_clipped_on_any_page(self, small: HubSegWidget, layout: ModuleType) -> None:
        for page in small.pages.all.values():
            page.expand()
            QApplication.processEvents()
            assert layout.clipped(small) == [], page.name

    def test_what_matters_is_in_sight_on_every_page(
        self, small: HubSegWidget, layout: ModuleType
    ) -> None:
        for page in small.pages.all.values():
            page.expand()
            QApplication.processEvents()
            assert layout.outside_the_screen(small) == [], page.name

    def test_review_needs_no_scrolling_and_the_canvas_has_the_room(
        self, small: HubSegWidget
    ) -> None:
        bar = small.pages.all["review"].verticalScrollBar()
        assert bar.maximum() == 0
        assert small.canvas.widget.width() >= 850

    def test_nothing_fixed_moves_through_notices_tools_steps_and_runs(
        self, small: HubSegWidget, layout: ModuleType, wait: Wait, make_map: Any, engines: Any
    ) -> None:
        settle(small, wait)
        before = layout.places(small)
        assert {"accept", "jump", "histogram", "undo", "note", "tool_options"} <= set(before)

        def still(what: str) -> None:
            QApplication.processEvents()
            assert layout.moved(before, layout.places(small)) == [], what

        small.message.say("Something went wrong. " * 9, error=True)
        small.step.say("Slide one accepted.", error=False, action="Undo")
        still("notices")
        small.do("run_ensemble")
        still("a run that begins")
        settle(small, wait)
        still("a run that has ended")
        for tool in TOOLBOX:
            small.do(f"take_{tool.name}")
            small.refresh()
            still(tool.name)
        small.session.paint(np.ones((9, 9), np.bool_), add=True)
        settle(small, wait)
        still("a step that can be undone")
        small.do("compare")
        settle(small, wait)
        still("a comparison")
        small.desk.tell(um_per_px=0.31)
        settle(small, wait)
        still("another pixel size")


def test_a_few_rows_of_the_queue_stand_above_the_tabs_where_the_window_is_tall(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    assert not opened.strip.isVisible()
    opened.window().resize(1500, 1060)
    wait(opened.strip.isVisible)
    assert opened.desk.queue.watched
    settle(opened, wait)
    index = opened.strip.model().index(2, 1)
    place = opened.strip.visualRect(index).center()
    qtbot.mouseClick(opened.strip.viewport(), LEFT, pos=place)
    settle(opened, wait)
    assert opened.session.current.id == "three"
    opened.window().resize(1400, 800)
    wait(lambda: not opened.strip.isVisible())
    assert not opened.desk.queue.watched


# ---- napari's own panels ----------------------------------------------------------------------


def test_what_was_clicked_stays_where_it_is_when_a_section_is_unfolded(
    small: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    """*Advanced* went to the top of the page, and *Teach* out of sight."""
    settle(small, wait)
    small.pages.choose("model")
    QApplication.processEvents()
    page, header = small.pages.page, small.advanced.header
    top = header.mapTo(page, QPoint(0, 0))
    qtbot.mouseClick(header, Qt.MouseButton.LeftButton)
    wait(lambda: page.verticalScrollBar().maximum() > 0)
    drawn()
    assert header.mapTo(page, QPoint(0, 0)) == top
    assert not small.teach.visibleRegion().isEmpty()

    train, bar = small.sections["train"], page.verticalScrollBar()
    bar.setValue(bar.maximum())  # its header is the last thing on the page: the top of it is shown
    qtbot.mouseClick(train.header, Qt.MouseButton.LeftButton)
    wait(lambda: train.visibleRegion().boundingRect().height() >= 150)
    assert not train.header.visibleRegion().isEmpty()


def test_naparis_panels_are_folded_at_first_and_one_click_back(
    opened: HubSegWidget, qtbot: Any, drained: Callable[[], None]
) -> None:
    panels = [
        opened.window().findChild(QDockWidget, name) for name in ("layer list", "layer controls")
    ]
    assert not any(panel.isVisible() for panel in panels)
    qtbot.mouseClick(opened.queue.napari, LEFT)
    assert all(panel.isVisible() for panel in panels)
    assert recall("napari_docks", False), "the next window shows them, too"
    opened._viewer.window.remove_dock_widget(opened)
    assert all(panel.isVisible() for panel in panels)
    opened.deleteLater()
    drained()


def test_they_come_back_when_the_dock_leaves(
    opened: HubSegWidget, drained: Callable[[], None]
) -> None:
    window = opened.window()
    opened._viewer.window.remove_dock_widget(opened)
    assert window.findChild(QDockWidget, "layer list").isVisible()
    opened.deleteLater()
    drained()


def test_who_wants_them_keeps_them(dock: HubSegWidget) -> None:
    dock._docks.toggle()
    assert dock._docks.shown
    again = SideDocks(dock)
    again.look()
    assert again.shown


def test_what_cannot_be_remembered_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a file"
    file.write_text("no folder")
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: file)
    remember("one", 1)
    assert recall("one", 2) == 2
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path)
    (tmp_path / "window.json").write_text("[damaged")
    assert recall("one", 3) == 3
    remember("one", 1)
    assert recall("one", 3) == 1


# ---- the form of facts ------------------------------------------------------------------------


def test_facts_are_one_line_and_their_form_closes_when_a_person_goes_on(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    assert opened.facts.line.text() == "kidney  ·  Hubmap  ·  0.5 µm/px"
    assert not opened.facts.attention.isVisible()
    for closing in (
        lambda: qtbot.mouseClick(opened.verdict.note, LEFT),
        lambda: qtbot.mouseClick(opened.facts.done, LEFT),
        lambda: qtbot.keyClick(opened.facts.form, Qt.Key.Key_Escape),
        lambda: qtbot.keyClick(opened.facts.um_per_px, Qt.Key.Key_Escape),
    ):
        qtbot.mouseClick(opened.facts.change, LEFT)
        assert opened.facts.form.isVisible()
        qtbot.mouseClick(opened.facts.um_per_px, LEFT)
        assert opened.facts.form.isVisible()
        closing()
        QApplication.processEvents()
        assert not opened.facts.form.isVisible()
    opened.session.go_to("three")
    settle(opened, wait)
    assert opened.facts.line.text() == "organ?  ·  source?  ·  µm/px?"
    assert opened.facts.attention.isVisible()


def test_a_choice_in_a_list_of_the_form_is_taken_and_the_form_stays(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    opened.session.go_to("three")
    settle(opened, wait)
    qtbot.mouseClick(opened.facts.change, LEFT)
    for field, word in ((opened.facts.organ, "kidney"), (opened.facts.source, "HPA")):
        field.showPopup()
        items = field.view()
        wait(items.isVisible)
        click(items, items.model().index(field.findText(word), 0))
        settle(opened, wait)
        assert field.currentText() == word
        assert opened.facts.form.isVisible()
    assert opened.facts.line.text() == "kidney  ·  HPA  ·  µm/px?"


def click(items: Any, row: Any) -> None:
    """Click a row of a list, with nothing in between that the pointer of the screen could say."""
    there = QPointF(items.visualRect(row).center())
    screen = QPointF(items.viewport().mapToGlobal(there.toPoint()))
    none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    for kind, button, held in (
        (QEvent.Type.MouseMove, none, none),
        (QEvent.Type.MouseButtonPress, LEFT, LEFT),
        (QEvent.Type.MouseButtonRelease, LEFT, none),
    ):
        event = QMouseEvent(kind, there, screen, button, held, plain)
        QApplication.sendEvent(items.viewport(), event)


def test_the_form_is_as_tall_as_its_words(
    small: HubSegWidget, layout: ModuleType, qtbot: Any, wait: Wait
) -> None:
    small.session.go_to("three")
    small.desk.tell(organ="kidney")
    settle(small, wait)
    qtbot.mouseClick(small.facts.change, LEFT)
    QApplication.processEvents()
    words = small.facts.origins
    assert words.text() == "Organ: set by you · source, pixel size: not known yet"
    assert words.height() >= words.heightForWidth(words.width())
    assert layout.clipped(small) == []


def test_facts_can_be_told_of_all_slides_like_this_at_once(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    opened.session.go_to("three")
    settle(opened, wait)
    qtbot.mouseClick(opened.facts.change, LEFT)
    assert opened.facts.all.isHidden(), "nothing was told yet"
    opened.desk.tell(um_per_px=0.4)
    settle(opened, wait)
    assert opened.facts.all.isHidden(), "of the others it is known"
    assert opened.facts.line.text() == "organ?  ·  source?  ·  0.4 µm/px"


def test_what_is_under_the_pointer_stays_when_all_like_this_were_told(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    """*Done* jumped up, and the click meant for it went through to the threshold."""
    opened.desk.tell(um_per_px=0.4)
    settle(opened, wait)
    qtbot.mouseClick(opened.facts.change, LEFT)
    QApplication.processEvents()
    everyone, done = opened.facts.all, opened.facts.done
    assert everyone.isVisible() and everyone.isEnabled()
    before = done.mapTo(opened, QPoint(0, 0)), opened.facts.form.size()
    qtbot.mouseClick(everyone, LEFT)
    settle(opened, wait)
    assert everyone.isVisible() and not everyone.isEnabled(), "nobody is like this any more"
    assert (done.mapTo(opened, QPoint(0, 0)), opened.facts.form.size()) == before
    qtbot.mouseClick(done, LEFT)
    qtbot.mouseClick(opened.facts.change, LEFT)
    assert everyone.isHidden()


def test_ctrl_z_takes_back_what_all_like_this_were_told(
    opened: HubSegWidget, qtbot: Any, wait: Wait, table: Path
) -> None:
    """It took back the facts of one of them, and went to its slide."""
    table.unlink()  # of a plain folder nothing is known
    opened.open_path(table.parent / "train_images")
    wait(lambda: len(opened.session.slides) == 3 and not opened.busy)
    opened.desk.tell(organ="spleen", um_per_px=0.3)
    settle(opened, wait)

    def facts() -> list[tuple[object, object]]:
        return [(one.organ, one.um_per_px) for one in opened.session.slides]

    before = facts()
    opened.desk.tell_alike()
    settle(opened, wait)
    assert facts() == 3 * before[:1] != before
    assert opened.correct.undo.text() == "Undo facts of 2 slides"
    here = opened.session.current.id
    qtbot.keyClick(opened.window(), "Z", Qt.KeyboardModifier.ControlModifier)
    settle(opened, wait)
    assert facts() == before
    assert opened.session.current.id == here


# ---- the beginning ----------------------------------------------------------------------------


def test_projects_that_were_open_are_offered_by_an_empty_dock(
    opened: HubSegWidget, wait: Wait, drained: Callable[[], None], new_engine: Any
) -> None:
    project, viewer = Path(opened.session.project.path), opened._viewer
    viewer.window.remove_dock_widget(opened)
    opened.deleteLater()
    drained()
    again = HubSegWidget(viewer, parts={"new_engine": new_engine})
    again._watch.take = lambda: None  # as in another window
    viewer.window.add_dock_widget(again, name="HubSeg", area="right")
    recent = again.start.findChild(type(again.correct.undo).__mro__[2], "recent")
    assert recent.toolTip() == str(project.resolve())
    recent.click()
    wait(lambda: again.session.current is not None)
    settle(again, wait)
    assert Path(again.session.project.path).resolve() == project.resolve()
    viewer.window.remove_dock_widget(again)
    again.deleteLater()
    drained()


def test_a_project_that_is_gone_is_not_offered(qtbot: Any) -> None:
    panel = StartPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.show_state(StartState(recent=("/some/where/a.hubseg",)))
    assert panel.recent_title.isVisible()
    panel.show_state(StartState())
    assert not panel.recent_title.isVisible()


# ---- words, signs and colours -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("brush", "brush stroke"),
        ("drop object", "remove object"),
        ("drop objects under 500 px", "remove objects under 500 px"),
        ("wand", "add object"),
        ("redraw outline", "new outline"),
        ("threshold 90 → 127", "threshold 90 → 127"),
    ],
)
def test_undo_calls_a_step_as_its_button_is_called(label: str, words: str) -> None:
    assert step_words(label) == words


def test_every_key_stands_on_one_page(opened: HubSegWidget, qtbot: Any) -> None:
    assert [a for group in grouped().values() for a in group] == list(ACTIONS)
    qtbot.keyClick(opened.window(), Qt.Key.Key_F1)
    assert opened.keys.isVisible()
    shown = {label.text() for label in opened.keys.findChildren(QLabel)}
    assert {key_of(action.name) for action in ACTIONS} <= shown
    assert opened.keys.height() <= 700
    assert opened.keys.width() <= 1366
    qtbot.keyClick(opened.keys, Qt.Key.Key_F1)
    assert not opened.keys.isVisible()


@pytest.mark.parametrize("of", ["window", "canvas", "dock"])
def test_a_question_mark_opens_the_page_of_keys_too(
    opened: HubSegWidget, qtbot: Any, of: str
) -> None:
    pressed = {"window": opened.window(), "canvas": opened.canvas.widget, "dock": opened}[of]
    qtbot.keyClicks(pressed, "?")
    assert opened.keys.isVisible()
    qtbot.keyClicks(opened.keys, "?")
    assert not opened.keys.isVisible()


def test_a_question_mark_in_a_text_is_text(opened: HubSegWidget, qtbot: Any) -> None:
    qtbot.keyClicks(opened.verdict.note, "sure?")
    assert opened.verdict.note.text() == "sure?"
    qtbot.keyClicks(opened.canvas.widget, "#?")
    assert not opened.keys.isVisible()


def test_no_key_stands_over_the_word_of_its_button(small: HubSegWidget) -> None:
    buttons = small.correct.findChildren(IconButton)
    assert len(buttons) == len(TOOLBOX) + 1, "each tool, and all like this"
    tight = [one.text() for one in buttons if one.width() < one.needed()]
    assert tight == []


def test_another_theme_moves_nothing(small: HubSegWidget, layout: ModuleType, wait: Wait) -> None:
    settle(small, wait)
    for theme in ("dark", "light", "dark"):
        before = layout.places(small)
        small._viewer.theme = theme
        settle(small, wait)
        assert layout.moved(before, layout.places(small)) == [], theme


def test_the_focus_moves_nothing(small: HubSegWidget, layout: ModuleType, wait: Wait) -> None:
    settle(small, wait)
    before = layout.places(small)
    bar = small.pages.tabBar()
    tabs = [bar.tabRect(place) for place in range(bar.count())]
    for control in (small.queue.open, small.facts.change, small.verdict.accept, bar):
        control.setFocus()
        QApplication.processEvents()
        assert layout.moved(before, layout.places(small)) == [], control.objectName()
        assert [bar.tabRect(place) for place in range(bar.count())] == tabs


def test_the_hint_of_every_tool_fits_its_two_lines(qtbot: Any) -> None:
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    panel.resize(360 - 32, 400)
    panel.show()
    for tool in TOOLBOX:
        panel.show_state(CorrectState(tool.name, enabled=True))
        wrap = int(getattr(Qt.TextFlag.TextWordWrap, "value", Qt.TextFlag.TextWordWrap))
        needed = panel.hint.fontMetrics().boundingRect(
            QRect(0, 0, panel.hint.width(), 999), wrap, tool.hint
        )
        assert needed.height() <= panel.hint.height(), tool.name


def test_every_tool_has_a_sign_of_one_size_a_key_and_a_name_for_screen_readers(qtbot: Any) -> None:
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    for name, choice in panel.tools.items():
        assert not choice.icon().isNull()
        assert choice.accessibleName()
        assert key_of(f"take_{name}") in choice.toolTip()
        assert choice._key


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_a_sign_is_drawn_and_fainter_where_it_cannot_be_pressed(qtbot: Any, name: str) -> None:
    def strongest(mode: Any) -> int:
        image = sign(name, "#ffffff").pixmap(32, 32, mode).toImage()
        return max(image.pixelColor(x, y).alpha() for x in range(32) for y in range(32))

    assert strongest(QIcon.Mode.Normal) > 200
    assert 0 < strongest(QIcon.Mode.Disabled) < 120


def test_a_sign_follows_the_theme(opened: HubSegWidget, wait: Wait) -> None:
    def brightest(choice: IconButton) -> int:
        image = choice.icon().pixmap(32, 32).toImage()
        seen = (image.pixelColor(x, y) for x in range(32) for y in range(32))
        return max((c.lightness() for c in seen if c.alpha() > 200), default=-1)

    choice = opened.queue.open
    opened._viewer.theme = "dark"
    wait(lambda: brightest(choice) > 200)
    opened._viewer.theme = "light"
    wait(lambda: 0 <= brightest(choice) < 60)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_colour_can_be_read(theme: str) -> None:
    for role, colour in INKS[theme].items():
        for ground in GROUNDS[theme][:2]:
            assert contrast(QColor(colour), QColor(ground)) >= 4.5, role
    assert contrast(QColor("white"), QColor(style._PRIMARY)) >= 4.5
    assert contrast(QColor(style.ON_CHOSEN), QColor(style._CHOSEN)) >= 4.5
    for verdict in ("accepted", "flagged", "rejected"):
        assert contrast(QColor("#10151a"), QColor(INKS["dark"][verdict])) >= 4.5


# Machado, Oliveira & Fernandes 2009, severity 1.0: linear RGB as it is seen
SEEN_AS = {
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
}


@pytest.mark.parametrize("eyes", SEEN_AS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_verdicts_differ_for_who_sees_no_red_or_no_green(theme: str, eyes: str) -> None:
    def seen(name: str) -> Any:
        rgb = np.array(QColor(INKS[theme][name]).getRgbF()[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        mixed = np.clip(np.array(SEEN_AS[eyes]) @ linear, 0, 1)
        return np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)

    names = ("in progress", "accepted", "flagged", "rejected")
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert np.abs(seen(one) - seen(other)).max() > 0.1, (one, other)


def test_every_control_of_the_dock_has_a_name_for_screen_readers(dock: HubSegWidget) -> None:
    for control in dock.findChildren(QWidget):
        worded = isinstance(control, QAbstractButton) and control.text()
        named = worded or control.accessibleName() or not control.objectName()
        inside = control.objectName().startswith("qt_")
        takes_keys = control.focusPolicy() != Qt.FocusPolicy.NoFocus
        assert named or inside or not takes_keys, control.objectName()


def test_a_notice_keeps_to_its_corner(opened: HubSegWidget, wait: Wait) -> None:
    opened.message.say("A word.", error=False)
    canvas = opened.canvas.widget
    for width in (1500, 1300):
        opened.window().resize(width, 850)
        wait(lambda width=width: opened.window().width() == width)
        QApplication.processEvents()
        corner = opened.notices.mapTo(canvas, QPoint(opened.notices.width(), 0))
        assert canvas.width() - corner.x() == corner.y()
