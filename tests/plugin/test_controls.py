"""No control of the dock changes by accident: every one is walked, and new ones with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QCursor, QHelpEvent, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QOpenGLWidget,
    QPushButton,
    QScrollBar,
    QSlider,
    QSpinBox,
    QToolTip,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleSlider, QLabeledSlider

from napari_hubseg.dock import HubSegWidget
from napari_hubseg.widgets.controls import ControlRules
from napari_hubseg.widgets.pages import Page
from napari_hubseg.widgets.pointed_slider import PointedSlider
from napari_hubseg.widgets.tooltips import broken

Wait = Callable[[Callable[[], bool]], None]


def values(dock: HubSegWidget) -> Iterator[QWidget]:
    """Every control that has a value, as a person can point at it."""
    for control in dock.findChildren(QWidget):
        if isinstance(control, QComboBox | QAbstractSpinBox | QAbstractSlider):
            inside = control.findChildren(QAbstractSlider)
            composed = [one for one in inside if not isinstance(one, QScrollBar)]
            combo = isinstance(control, QComboBox)
            if not isinstance(control, QScrollBar) and (combo or not composed):
                if control.isVisible():
                    yield control


def fields(dock: HubSegWidget) -> Iterator[QWidget]:
    """Every control that takes keys."""
    yield from values(dock)
    for line in dock.findChildren(QLineEdit):
        if line.isVisible() and not isinstance(line.parent(), QAbstractSpinBox | QComboBox):
            yield line


def held(control: QWidget) -> Any:
    return control.currentIndex() if isinstance(control, QComboBox) else control.value()


def all_held(dock: HubSegWidget) -> dict[QWidget, Any]:
    return {control: held(control) for control in values(dock)}


def has_focus(canvas: QWidget | None) -> bool:
    return canvas is not None and QApplication.focusWidget() is canvas


def pages(dock: HubSegWidget) -> Iterator[Page]:
    """Every page, one after the other in view, as it is when somebody has turned to it."""
    for page in dock.pages.all.values():
        page.expand()
        QApplication.processEvents()
        yield page
    dock.facts.form.open()  # it covers what is below it
    QApplication.processEvents()
    yield dock.pages.page
    dock.facts.form.hide()


def point_at(dock: HubSegWidget, control: QWidget) -> None:
    """Scroll a control into view, in its middle."""
    page = dock.pages.page_of(control)
    if page is not None:
        page.ensureWidgetVisible(control, 0, 100)
    QApplication.processEvents()


def turn(control: QWidget, by: int) -> None:
    """Turn the wheel over the middle of a control.

    As Qt hands on a wheel of the mouse: from what is under the pointer outwards, until it is taken.
    """
    window = control.window()
    at = control.mapTo(window, control.rect().center())
    under = window.childAt(at)
    while under is not None:
        event = QWheelEvent(
            QPointF(under.mapFrom(window, at)),
            QPointF(window.mapToGlobal(at)),
            QPoint(0, 0),
            QPoint(0, by),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        event.ignore()
        QApplication.sendEvent(under, event)
        under = None if event.isAccepted() else under.parentWidget()


def click(control: QWidget) -> None:
    """Press and let go of the mouse over the middle of a control, through its window."""
    window = control.window()
    at = QPointF(control.mapTo(window, control.rect().center()))
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        left = Qt.MouseButton.LeftButton
        down = left if kind == QEvent.Type.MouseButtonPress else Qt.MouseButton.NoButton
        everywhere = QPointF(window.mapToGlobal(at.toPoint()))
        event = QMouseEvent(kind, at, everywhere, left, down, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(window.windowHandle(), event)
    if isinstance(control, QComboBox):
        control.hidePopup()
    QApplication.processEvents()


@pytest.fixture
def unfolded(opened: HubSegWidget) -> HubSegWidget:
    """The dock with every section unfolded and every control to be seen."""
    for section in opened.sections.values():
        section.expand()
    opened.thresholds.other_organs.expand()
    opened.pages.choose("review")
    opened.do("take_brush")
    opened.window().activateWindow()
    QApplication.processEvents()
    return opened


class TestTheDock:
    def test_the_wheel_over_any_control_scrolls_and_changes_nothing(
        self, unfolded: HubSegWidget
    ) -> None:
        before: dict[QWidget, Any] = {}
        for _ in pages(unfolded):
            before |= all_held(unfolded)
        walked: set[QWidget] = set()
        for page in pages(unfolded):
            bar = page.verticalScrollBar()
            for control in values(unfolded):
                fixed = not page.isAncestorOf(control)  # what cannot scroll has nothing to scroll
                for by in (-120, 120):
                    point_at(unfolded, control)
                    scrolled = bar.value()
                    turn(control, by)
                    at_end = bar.maximum() if by < 0 else bar.minimum()
                    assert fixed or bar.value() != scrolled or scrolled == at_end, control
                    now = all_held(unfolded)
                    assert now == {one: before[one] for one in now}, control.objectName()
                walked.add(control)
        assert any(page.verticalScrollBar().maximum() for page in pages(unfolded))
        assert len(walked) > 30
        assert not unfolded.session.can_undo

    def test_a_clicked_control_takes_the_wheel_until_two_seconds_after_the_last_turn(
        self, unfolded: HubSegWidget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0.0]
        monkeypatch.setattr("napari_hubseg.widgets.controls.now_s", lambda: now[0])
        slider = unfolded.overlay.opacity
        point_at(unfolded, slider)
        click(slider)
        seen = [slider.value()]
        for now[0] in (1.5, 3.0, 5.1, 5.2):
            turn(slider, -120)
            seen.append(slider.value())
        assert seen[2] < seen[1] < seen[0], "each turn keeps it"
        assert seen[4] == seen[3] == seen[2], "after a rest the wheel scrolls the dock again"
        click(slider)
        clicked = slider.value()
        turn(slider, 120)
        assert slider.value() > clicked, "a click takes it up again"

    def test_the_wheel_over_a_tab_turns_no_page(self, unfolded: HubSegWidget) -> None:
        bar = unfolded.pages.tabBar()
        for by in (-120, 120, -120):
            turn(bar, by)
            assert unfolded.pages.chosen == "review"

    def test_enter_and_escape_give_the_keyboard_back_to_the_canvas_from_every_field(
        self, unfolded: HubSegWidget, qtbot: Any, wait: Wait
    ) -> None:
        walked: set[QWidget] = set()
        canvas = unfolded.window().centralWidget().findChild(QOpenGLWidget)
        for _ in pages(unfolded):
            before = all_held(unfolded)
            for field in fields(unfolded):
                if not field.isEnabled() or field.focusPolicy() == Qt.FocusPolicy.NoFocus:
                    continue
                for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
                    field.setFocus()
                    assert unfolded.isAncestorOf(QApplication.focusWidget()), field.objectName()
                    qtbot.keyClick(QApplication.focusWidget(), key)
                    wait(lambda: has_focus(canvas))
                if unfolded.facts.form.isAncestorOf(field):  # Esc closes it
                    wait(unfolded.facts.form.isHidden)
                    unfolded.facts.form.open()
                walked.add(field)
            assert all_held(unfolded) == before
        assert len(walked) > 20
        unfolded.pages.choose("queue")
        table = unfolded.queue_table.table
        table.setFocus()
        qtbot.keyClick(table, Qt.Key.Key_F2)
        editor = table.viewport().findChild(QLineEdit)
        qtbot.keyClicks(editor, "torn")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        wait(lambda: unfolded.session.note_on("one") == "torn")
        wait(lambda: has_focus(canvas))


@pytest.fixture
def box(qtbot: Any) -> QWidget:
    """A small window whose controls obey the rules."""
    box = QWidget()
    qtbot.addWidget(box)
    box.setLayout(QVBoxLayout())
    box.rules = ControlRules(box)
    box.left = []
    box.rules.left.connect(lambda: box.left.append(1))
    return box


def put(box: QWidget, control: QWidget) -> QWidget:
    box.layout().addWidget(control)
    box.show()
    QApplication.processEvents()
    return control


def choice() -> QComboBox:
    made = QComboBox()
    made.addItems(["a", "b", "c"])
    return made


class TestAControl:
    @pytest.mark.parametrize("make", [QSpinBox, QDoubleSpinBox, QSlider, QDoubleSlider])
    def test_it_reacts_to_the_wheel_once_it_was_clicked_until_the_pointer_leaves(
        self, box: QWidget, make: Callable[[], QWidget]
    ) -> None:
        put(box, QSpinBox())
        control = put(box, make())
        at = []
        for happens in (
            lambda: None,
            lambda: click(control),
            lambda: QApplication.sendEvent(control, QEvent(QEvent.Type.Leave)),
        ):
            happens()
            before = held(control)
            turned = False
            for by in (-120, 120):
                turn(control, by)
                turned = turned or held(control) != before
            at.append(turned)
        assert at == [False, True, False]

    def test_a_closed_list_never_does_not_even_where_something_was_just_chosen(
        self, box: QWidget
    ) -> None:
        control = put(box, choice())
        click(control)
        control.setCurrentIndex(1)
        for by in (-120, 120):
            turn(control, by)
            assert held(control) == 1

    def test_the_wheel_gives_it_no_focus(self, box: QWidget) -> None:
        assert put(box, QSpinBox()).focusPolicy() == Qt.FocusPolicy.StrongFocus

    def test_a_new_one_is_heeded_although_python_takes_the_event_for_an_older_one(
        self, box: QWidget
    ) -> None:
        control = QSpinBox(box)
        box.rules.eventFilter(box, QEvent(QEvent.Type.ChildPolished))
        assert control.focusPolicy() == Qt.FocusPolicy.StrongFocus

    def test_one_of_several_parts_turns_by_the_part_that_has_the_value(self, box: QWidget) -> None:
        size = put(box, QLabeledSlider(Qt.Orientation.Horizontal))
        asked: list[int] = []
        size.valueChanged.connect(asked.append)
        label, slider = size.findChild(QLineEdit), size.findChild(QSlider)
        click(label)
        turn(label, 120)
        assert asked == []
        turn(slider, 120)
        assert asked == [size.value()]

    def test_escape_takes_back_what_was_typed_and_enter_keeps_it(
        self, box: QWidget, qtbot: Any
    ) -> None:
        for control, read in ((QSpinBox(), QSpinBox.value), (QLineEdit("1"), QLineEdit.text)):
            field = put(box, control)
            with qtbot.waitActive(box):
                box.activateWindow()
            field.setFocus()
            before = read(field)
            for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):
                field.selectAll()
                qtbot.keyClicks(field, "7")
                qtbot.keyClick(field, key)
                assert (read(field) == before) is (key == Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: len(box.left) == 4)


class TestAButtonThatCoversWhatWasPressed:
    """A notice that opens at the pointer must not take the next press: it was for the slider."""

    @pytest.fixture
    def pressed(self, box: QWidget) -> list[int]:
        """What the button was pressed for: it opened over a slider that has just been clicked."""
        box.layout().setContentsMargins(0, 0, 0, 0)
        slider = put(box, QSlider(Qt.Orientation.Horizontal))
        slider.setMinimumSize(200, 60)
        put(box, slider)
        cover = QPushButton("Accept anew", box)
        cover.setGeometry(slider.geometry())
        cover.hide()
        presses: list[int] = []
        cover.clicked.connect(lambda: presses.append(1))
        QCursor.setPos(slider.mapToGlobal(slider.rect().center()))
        click(slider)
        cover.show()
        cover.raise_()
        QApplication.processEvents()
        return presses

    def test_the_next_press_there_does_nothing_and_the_one_after_counts(
        self, box: QWidget, pressed: list[int]
    ) -> None:
        cover = box.findChild(QPushButton)
        click(cover)
        assert pressed == []
        click(cover)
        assert pressed == [1]
        click(cover)
        assert pressed == [1, 1]

    def test_it_counts_once_the_pointer_has_been_elsewhere(
        self, box: QWidget, pressed: list[int]
    ) -> None:
        cover = box.findChild(QPushButton)
        QCursor.setPos(cover.mapToGlobal(QPoint(1, 1)))
        QApplication.sendEvent(cover, QEvent(QEvent.Type.Leave))
        click(cover)
        assert pressed == [1]


def test_a_slider_that_lies_where_a_button_had_been_is_not_moved_by_its_second_click(
    box: QWidget,
) -> None:
    """*Done* of a form over the dock, clicked twice, moved the threshold of a whole kind."""
    box.layout().setContentsMargins(0, 0, 0, 0)
    slider = put(box, PointedSlider(Qt.Orientation.Horizontal))
    slider.setMinimumSize(200, 60)
    put(box, slider)
    done = QPushButton("Done", box)
    done.setGeometry(slider.geometry())
    done.clicked.connect(done.hide)
    done.show()
    done.raise_()
    QApplication.processEvents()
    QCursor.setPos(done.mapToGlobal(done.rect().center()))
    before = slider.value()
    click(done)
    assert done.isHidden()
    click(slider)
    assert slider.value() == before
    click(slider)
    assert slider.value() != before


def test_the_button_of_a_new_step_is_not_brought_under_the_pointer(opened: HubSegWidget) -> None:
    opened.pages.choose("model")
    opened.advanced.expand()
    for section in opened.sections.values():
        section.expand()
    opened.pages.choose("model")
    QApplication.processEvents()
    page = opened.pages.page
    bar = page.verticalScrollBar()
    opened._target = opened.ensemble.run
    bar.setValue(bar.maximum())
    assert bar.maximum() > 0
    page.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    opened._reveal()
    assert bar.value() == bar.maximum()
    page.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    opened._reveal()
    assert bar.value() < bar.maximum()


def test_no_page_is_turned_for_a_person_and_its_tab_says_where_to_go_on(
    opened: HubSegWidget, make_map: Any, wait: Wait
) -> None:
    assert opened.pages.chosen == "review"
    assert "the next step" in opened.pages.tabToolTip(2), "run the ensemble"
    for slide in opened.session.slides:
        opened.session.go_to(slide.id)
        opened.session.accept(as_empty=True)
    wait(lambda: not opened.busy)
    opened.refresh()
    QApplication.processEvents()
    assert opened.pages.chosen == "review"
    assert "the next step" in opened.pages.tabToolTip(3), "export"


# ---- what a pointer is told --------------------------------------------------------------------

WIDEST_TIP = 560  # px: less than a third of a large screen, and half of a small one


def tip_at(widget: QWidget, at: QPoint) -> tuple[str, int]:
    """Return what is said where a pointer rests on a widget, and how wide that is, px."""
    event = QHelpEvent(QEvent.Type.ToolTip, at, widget.mapToGlobal(at))
    QApplication.sendEvent(widget, event)
    labels = [one for one in QApplication.topLevelWidgets() if one.inherits("QTipLabel")]
    said, width = QToolTip.text(), max((one.width() for one in labels), default=0)
    for one in labels:
        one.close()
        one.deleteLater()
    return said, width


def test_no_tooltip_is_one_long_line(opened: HubSegWidget) -> None:
    """That of the histogram went over the whole screen: Qt breaks rich text alone."""
    wide, long = {}, 0
    for widget in opened.findChildren(QWidget):
        if widget.isVisible() and len(widget.toolTip()) > 60:
            said, width = tip_at(widget, widget.rect().center())
            long += 1
            if not said or width > WIDEST_TIP:
                wide[widget.objectName()] = width, said
    assert long > 3 and not wide
    said, _ = tip_at(opened.thresholds.histogram, QPoint(5, 5))
    assert said.count("<br>") == 2 and "1 is best" in said


def test_headings_and_rows_say_theirs_in_lines_too(opened: HubSegWidget, wait: Wait) -> None:
    opened.pages.choose("queue")
    opened.refresh()
    table = opened.queue_table.table
    wait(lambda: table.model().rowCount() == 3)
    heading = max(range(table.model().columnCount()), key=lambda one: len(_heading(table, one)))
    assert len(_heading(table, heading)) > 60
    header = table.horizontalHeader()
    table.scrollTo(table.model().index(0, heading))
    at = QPoint(header.sectionViewportPosition(heading) + 3, 3)
    said, width = tip_at(header.viewport(), at)
    assert said == f"<qt>{_heading(table, heading)}</qt>" and width <= WIDEST_TIP
    place = table.visualRect(table.model().index(0, heading)).center()
    said, width = tip_at(table.viewport(), place)
    assert said == f"<qt>one: {_heading(table, heading)}</qt>" and width <= WIDEST_TIP


def _heading(table: Any, column: int) -> str:
    role = Qt.ItemDataRole.ToolTipRole
    return str(table.model().headerData(column, Qt.Orientation.Horizontal, role))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A few words", "A few words"),
        ("a line\nand another", "a line\nand another"),
        ("x < y " * 20, f"<qt>{'x &lt; y ' * 20}</qt>"),
        ("word " * 20 + "\nend", f"<qt>{'word ' * 20}<br>end</qt>"),
        ("<b>rich</b> " * 20, "<b>rich</b> " * 20),
    ],
)
def test_long_lines_alone_are_broken(text: str, shown: str) -> None:
    assert broken(text) == shown
