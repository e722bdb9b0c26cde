"""The tour: three steps on first sight, left at any of them and never shown again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.tour import TourPanel, steps
from napari_hubseg.widgets.remembered import recall, remember

Wait = Callable[[Callable[[], bool]], None]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def first_time() -> None:
    """A home in which nobody has seen the tour."""
    remember("tour", False)


@pytest.fixture
def new(first_time: None, dock: HubSegWidget, wait: Wait) -> HubSegWidget:
    """The empty dock, as somebody sees it for the first time."""
    wait(lambda: dock.tour.step == 0)
    return dock


def lit(dock: HubSegWidget) -> QRect:
    """Where the frame around what is spoken of lies, in the dock."""
    return dock.findChild(QWidget, "spotlight").geometry()


def place(dock: HubSegWidget, widget: QWidget) -> QRect:
    return QRect(widget.mapTo(dock, QPoint(0, 0)), widget.size())


def test_it_is_three_steps_of_few_words(qtbot: Any) -> None:
    panel = TourPanel()
    qtbot.addWidget(panel)
    assert not panel.isVisible()
    panel.begin()
    seen = []
    while panel.step >= 0:
        seen.append(panel.said.text())
        assert len(panel.said.text().split()) <= 60
        qtbot.mouseClick(panel.next, LEFT)
    assert seen == [said for _, said in steps()]
    assert len(seen) == 3
    assert not panel.isVisible()


def test_it_begins_in_an_empty_dock_and_goes_on_with_what_a_person_does(
    new: HubSegWidget, table: Path, wait: Wait, qtbot: Any
) -> None:
    assert new.tour.isVisible()
    assert lit(new) == place(new, new.start)
    new.open_path(table)
    wait(lambda: not new.busy)
    assert new.tour.step == 1
    QApplication.processEvents()
    assert lit(new) == place(new, new.pages)
    qtbot.mouseClick(new.tour.next, LEFT)
    assert lit(new) == place(new, new.verdict)
    assert not recall("tour", False)
    qtbot.mouseClick(new.tour.next, LEFT)
    assert new.tour.isHidden()
    assert not new.findChild(QWidget, "spotlight").isVisible()
    assert recall("tour", False)


def test_what_it_speaks_of_can_be_clicked(new: HubSegWidget, wait: Wait, table: Path) -> None:
    new.open_path(table)
    wait(lambda: not new.busy)
    new.tour.go_on()
    QApplication.processEvents()
    accept = new.verdict.accept
    middle = accept.mapTo(new, accept.rect().center())
    assert new.childAt(middle) is accept


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_it_is_left_at_any_step_and_not_shown_again(
    new: HubSegWidget, steps: int, qtbot: Any
) -> None:
    for _ in range(steps):
        new.tour.go_on()
    qtbot.mouseClick(new.tour.leave, LEFT)
    assert new.tour.isHidden()
    new.offer_tour()
    assert new.tour.isHidden()


def test_a_script_is_shown_none(first_time: None, dock: HubSegWidget) -> None:
    dock.tour.end()
    remember("tour", False)
    dock.guided = False
    dock.offer_tour()
    assert dock.tour.isHidden()


def test_who_has_seen_it_sees_none(dock: HubSegWidget, wait: Wait) -> None:
    QApplication.processEvents()
    assert dock.tour.isHidden()


def test_the_page_of_keys_shows_it_again(opened: HubSegWidget, qtbot: Any) -> None:
    opened.do("show_keys")
    qtbot.mouseClick(opened.keys.tour, LEFT)
    assert not opened.keys.isVisible()
    assert opened.tour.step == 0
    QApplication.processEvents()
    assert lit(opened) == place(opened, opened.queue)


def test_it_comes_in_no_way_of_who_opens_something_at_once(
    first_time: None, dock: HubSegWidget, table: Path, wait: Wait
) -> None:
    dock.tour.end()  # it may have begun while the dock was still empty
    remember("tour", False)
    dock.open_path(table)
    dock.hide()
    dock.show()  # the dock is seen while something is being opened
    wait(lambda: not dock.busy)
    QApplication.processEvents()
    assert dock.tour.step == -1
