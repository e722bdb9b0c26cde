"""The keyboard alone: where it is can be seen, it reaches every control, and it is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QAbstractButton, QApplication, QScrollArea, QWidget

from hubseg.journal.verdict import Verdict
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.presenters import dialogs
from napari_hubseg.widgets.other_keys import OtherKeysPage
from napari_hubseg.widgets.preferences import PreferencesPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Wait = Callable[[Callable[[], bool]], None]

PAGES = ("review", "queue", "model", "export")
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
_DIFFERS = 24  # levels of one colour, of 255
_SEEN = 40  # px of a ring at least


def seen(control: QWidget) -> NDArray[np.int16]:
    """Return a control as it stands in its window, int16 (h, w, 4)."""
    window = control.window()
    at = control.mapTo(window, QPoint(0, 0))
    whole = QRect(at, control.size())
    image = window.grab(whole).toImage().convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.height() * image.bytesPerLine())
    return np.frombuffer(bits, np.uint8).reshape(image.height(), -1, 4).astype(np.int16)


def takes_keys(root: QWidget) -> Iterator[QWidget]:
    """Yield what a person can come to with the keyboard."""
    for one in root.findChildren(QWidget):
        reached = one.focusPolicy() != Qt.FocusPolicy.NoFocus and one.focusProxy() is None
        inside = one.objectName().startswith("qt_")
        if reached and one.isVisible() and one.isEnabled() and not inside:
            yield one


@pytest.fixture
def mapped(opened: HubSegWidget, make_map: Any, wait: Wait) -> HubSegWidget:
    """The dock with a map on the slide, so that everything is switched on."""
    opened.session.show(make_map(opened.session))
    wait(lambda: not opened.busy)
    for section in (*opened.sections.values(), opened.advanced):
        section.expand()
    opened.refresh()
    opened.window().activateWindow()
    wait(lambda: bool(opened.window().isActiveWindow()))
    return opened


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("page", PAGES)
def test_the_control_that_has_the_keyboard_looks_different(
    mapped: HubSegWidget, theme: str, page: str
) -> None:
    mapped._viewer.theme = theme
    mapped.pages.choose(page)
    QApplication.processEvents()
    looked_at = 0
    for control in list(takes_keys(mapped)):
        if isinstance(control, QScrollArea):
            continue
        mapped.pages.page.ensureWidgetVisible(control)
        mapped.canvas.focus()
        QApplication.processEvents()
        before = seen(control)
        control.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        if before.shape != (after := seen(control)).shape or not before.size:
            continue
        differs = (np.abs(after - before).max(axis=2) > _DIFFERS).sum()
        assert differs >= _SEEN, f"{control.objectName()}: {differs} px"
        looked_at += 1
    assert looked_at > 8


def test_the_ring_is_gone_with_the_keyboard(mapped: HubSegWidget) -> None:
    mapped.queue.jump.setFocus()
    assert mapped.ring.frame.isVisible()
    assert mapped.ring.frame.geometry() == mapped.queue.jump.geometry()
    mapped.canvas.focus()
    assert mapped.ring.frame.isHidden()


@pytest.mark.parametrize("page", PAGES)
def test_tab_comes_to_every_control_of_a_page(mapped: HubSegWidget, page: str, qtbot: Any) -> None:
    mapped.pages.choose(page)
    QApplication.processEvents()
    wanted = {one for one in takes_keys(mapped) if one.focusPolicy() & Qt.FocusPolicy.TabFocus}
    mapped.queue.jump.setFocus()
    come_to: set[QWidget] = set()
    for _ in range(3 * len(wanted) + 60):
        now = QApplication.focusWidget()
        while now is not None and now not in come_to:
            come_to.add(now)
            now = now.parentWidget()
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert not {one.objectName() for one in wanted - come_to}


def test_a_slide_is_reviewed_with_the_keyboard_alone(
    dock: HubSegWidget,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: list[Any],
    qtbot: Any,
    wait: Wait,
) -> None:
    """Open, run, threshold, tool, accept, next, export: keys that the window gets, and no mouse."""
    monkeypatch.setattr(dialogs, "file", lambda *_: table)
    session, canvas = dock.session, dock.canvas

    def press(key: Any, held: Any = Qt.KeyboardModifier.NoModifier) -> None:
        qtbot.keyClick(canvas.widget, key, held)

    wait(lambda: canvas.there)
    canvas.focus()
    press(Qt.Key.Key_J, CONTROL | SHIFT)
    wait(lambda: session.current is not None and not dock.busy)
    press(Qt.Key.Key_G, CONTROL | SHIFT)
    wait(lambda: session.probability is not None and not dock.busy)
    before = session.threshold
    press(Qt.Key.Key_W)
    wait(lambda: session.threshold > before and not dock.busy)
    press(Qt.Key.Key_D)
    assert dock.desk.layers.tool == "brush"
    press(Qt.Key.Key_A)
    wait(lambda: session.verdict("one") is Verdict.ACCEPTED and not dock.busy)
    wait(lambda: session.current.id == "two")
    press(Qt.Key.Key_N)
    wait(lambda: session.current.id == "three" and not dock.busy)
    press(Qt.Key.Key_Y, CONTROL | SHIFT)
    wait(lambda: bool(written))


def test_every_dialog_names_its_controls_for_screen_readers(opened: HubSegWidget) -> None:
    asked = opened.facts.ask_by_name()
    pages = (opened.keys, OtherKeysPage(opened, {}), PreferencesPage(opened), asked)
    for page in pages:
        for control in page.findChildren(QWidget):
            if control.focusPolicy() == Qt.FocusPolicy.NoFocus or control.window() is not page:
                continue
            worded = isinstance(control, QAbstractButton) and control.text()
            inside = control.objectName().startswith("qt_")
            area = isinstance(control, QScrollArea)
            assert worded or control.accessibleName() or inside or area, (page, control)
    asked.reject()
