"""Facts by file name in the window: a preview first, one button, one way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from hubseg.organ import DataSource, Organ
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.widgets.by_name import ByNameDialog

Wait = Callable[[Callable[[], bool]], None]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def asked(opened: HubSegWidget, qtbot: Any) -> ByNameDialog:
    qtbot.mouseClick(opened.facts.change, LEFT)
    qtbot.mouseClick(opened.facts.names, LEFT)
    found = opened.facts.findChild(ByNameDialog)
    assert found.isVisible()
    assert not opened.facts.form.isVisible()
    return found


def choose(combo: Any, value: object) -> None:
    combo.setCurrentIndex(combo.findData(value))
    combo.activated.emit(combo.currentIndex())


def lines(form: ByNameDialog) -> list[str]:
    return [form.fits.item(i).text() for i in range(form.fits.count())]


def test_what_would_be_told_is_shown_while_it_is_typed_and_nothing_is_told(
    opened: HubSegWidget, asked: ByNameDialog, qtbot: Any
) -> None:
    assert not asked.tell.isEnabled()
    choose(asked.organ, Organ.LUNG)
    qtbot.keyClicks(asked.pattern, "t*")
    assert sorted(lines(asked)) == ["three:  lung", "two:  lung"]
    assert asked.tell.text() == "Tell 2 slides"
    assert asked.said.text() == "2 of 3 names fit."
    qtbot.keyClicks(asked.pattern, "{stain}")
    assert "no field" in asked.said.text()
    assert not asked.tell.isEnabled()
    qtbot.mouseClick(asked.cancel, LEFT)
    assert not opened.session.can_undo
    assert opened.session.slides[2].organ is None


def test_it_is_told_at_once_and_taken_back_at_once(
    opened: HubSegWidget, asked: ByNameDialog, qtbot: Any, wait: Wait
) -> None:
    before = {slide.id: (slide.organ, slide.source) for slide in opened.session.slides}
    choose(asked.organ, Organ.LUNG)
    choose(asked.source, DataSource.HPA)
    qtbot.keyClicks(asked.pattern, "*")
    assert asked.tell.text() == "Tell 3 slides"
    qtbot.mouseClick(asked.tell, LEFT)
    wait(lambda: not opened.busy)
    told = {slide.id: (slide.organ, slide.source) for slide in opened.session.slides}
    assert set(told.values()) == {(Organ.LUNG, DataSource.HPA)}
    QApplication.processEvents()
    assert opened.facts.line.text().startswith("lung  ·  HPA")
    assert opened.step.sentence.text() == "Set for 3 slides: facts by file name."
    qtbot.mouseClick(opened.step.action, LEFT)
    wait(lambda: not opened.busy)
    assert {s.id: (s.organ, s.source) for s in opened.session.slides} == before


def test_a_persons_word_stays_and_that_is_said(
    opened: HubSegWidget, qtbot: Any, wait: Wait
) -> None:
    opened.desk.tell(organ=Organ.SPLEEN)
    wait(lambda: not opened.busy)
    qtbot.mouseClick(opened.facts.change, LEFT)
    qtbot.mouseClick(opened.facts.names, LEFT)
    form = opened.facts.findChild(ByNameDialog)
    choose(form.organ, Organ.LUNG)
    qtbot.keyClicks(form.pattern, "one")
    assert lines(form) == ["one:  nothing new  (organ stays)"]
    assert form.said.text() == "1 of 3 names fit. What you told before stays, on 1 of them."
    assert not form.tell.isEnabled()
    form.reject()


def test_escape_closes_it_from_a_field_too(asked: ByNameDialog, qtbot: Any) -> None:
    qtbot.keyClicks(asked.pattern, "kid")
    qtbot.keyClick(asked.pattern, Qt.Key.Key_Escape)
    assert not asked.isVisible()
