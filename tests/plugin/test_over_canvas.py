"""What lies over the canvas: few notices at a time, and what the colours mean."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QApplication, QFrame, QLabel, QWidget

from hubseg.tools import Change
from napari_hubseg.canvas.colours import MEANINGS
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.widgets.inks import contrast
from napari_hubseg.widgets.notices import NoticeStack
from napari_hubseg.widgets.remembered import recall

Wait = Callable[[Callable[[], bool]], None]
LEFT = Qt.MouseButton.LeftButton


def cards(qtbot: Any, count: int) -> tuple[list[QFrame], NoticeStack]:
    """Cards that are hidden, in the corner of a widget."""
    home = QWidget()
    qtbot.addWidget(home)
    home.resize(800, 600)
    made = [QFrame() for _ in range(count)]
    for card in made:
        card.setFixedHeight(50)
        card.hide()
    stack = NoticeStack(home, made)
    home.show()
    return made, stack


def seen(made: list[QFrame]) -> list[int]:
    QApplication.processEvents()
    return [place for place, card in enumerate(made) if card.isVisible()]


def test_of_many_notices_the_two_that_came_last_are_seen(qtbot: Any) -> None:
    made, stack = cards(qtbot, 4)
    for place, wanted in ((2, [2]), (0, [0, 2]), (3, [0, 3]), (1, [1, 3])):
        made[place].show()
        assert seen(made) == wanted
    assert (stack.more.isVisible(), stack.more.text()) == (True, "2 more notices")
    made[3].hide()
    assert seen(made) == [0, 1]
    assert stack.more.text() == "1 more notice"
    made[2].hide()
    made[0].hide()
    assert seen(made) == [1]
    assert not stack.more.isVisible()


def test_those_that_wait_are_shown_when_asked_for(qtbot: Any) -> None:
    made, stack = cards(qtbot, 3)
    for card in made:
        card.show()
    assert seen(made) == [1, 2]
    before = stack.height()
    qtbot.mouseClick(stack.more, LEFT)
    assert seen(made) == [0, 1, 2]
    assert stack.height() > before
    tops = [card.mapTo(stack, QPoint(0, 0)).y() for card in made]
    assert all(above + 50 <= below for above, below in pairwise(tops))
    made[1].hide()
    made[1].show()
    assert seen(made) == [1, 2]


def test_the_legend_says_what_is_drawn_now(opened: HubSegWidget, make_map: Any, wait: Wait) -> None:
    legend = opened.legend
    assert legend.said == ()  # nothing is drawn over the tissue yet, and no corner of it covered
    opened.session.show(make_map(opened.session))
    wait(lambda: not opened.busy)
    opened.refresh()
    assert legend.said == ("found",)
    one_line = legend.height()
    drawn(opened)
    wait(lambda: not opened.busy)
    opened.refresh()
    assert legend.said == ("found", "drawn or kept by hand")
    assert legend.height() > one_line + 10, "a line that is added has room"
    opened.desk.layers.set_view("probability")
    opened.refresh()
    assert legend.said == ("just above the threshold", "certain")
    opened.do("compare")
    wait(lambda: not opened.busy)
    opened.refresh()
    assert set(legend.said) >= {"only with the threshold before", "only with this threshold"}
    opened.desk.layers.appearance.peek(True)
    opened.refresh()
    assert legend.said == ()
    opened.desk.layers.appearance.peek(False)
    opened.do("compare")
    opened.desk.layers.set_view("fill")
    opened.refresh()
    assert legend.said == ("found", "drawn or kept by hand")


def drawn(dock: HubSegWidget) -> None:
    """Draw a square, as an import does."""
    slide = dock.session.current
    assert slide is not None
    inside = np.zeros((slide.height, slide.width), np.bool_)
    inside[10:20, 10:20] = True
    assert dock.session.put(Change.whole("a square", inside))


def test_the_legend_lies_in_a_corner_takes_no_click_and_is_left_away(
    opened: HubSegWidget, wait: Wait, qtbot: Any
) -> None:
    legend, canvas = opened.legend, opened.canvas.widget
    drawn(opened)
    wait(lambda: not opened.busy)
    opened.refresh()
    wait(legend.isVisible)
    corner = legend.mapTo(canvas, QPoint(0, legend.height()))
    assert corner.x() == canvas.height() - corner.y() > 0
    assert legend.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    qtbot.mouseClick(opened.overlay.legend, LEFT)
    assert not legend.isVisible()
    assert recall("legend", True) is False
    qtbot.mouseClick(opened.overlay.legend, LEFT)
    assert legend.isVisible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_legend_is_white_on_dark_in_every_theme(
    opened: HubSegWidget, wait: Wait, theme: str
) -> None:
    opened._viewer.theme = theme
    drawn(opened)
    wait(lambda: not opened.busy)
    opened.refresh()
    wait(opened.legend.isVisible)
    picture = opened.legend.grab().toImage()
    for words in opened.legend.findChildren(QLabel):
        if words.text():
            row = words.mapTo(opened.legend, QPoint(words.width() - 1, words.height() // 2))
            assert contrast(QColor("white"), picture.pixelColor(row)) >= 4.5, words.text()


def test_the_colours_of_a_legend_are_those_of_the_layers(opened: HubSegWidget) -> None:
    from hubseg.mask.drawing import BY_HAND, EDGE
    from napari_hubseg.canvas.colours import mask_colours

    drawn = mask_colours("fill").color_dict
    for name, value in (("found", EDGE), ("by hand", BY_HAND)):
        red, green, blue, _ = QColor(MEANINGS[name][0]).getRgbF()
        np.testing.assert_allclose(drawn[value][:3], (red, green, blue), atol=1 / 200)


def test_the_ring_is_seen_around_a_button_that_is_on_in_both_themes(
    opened: HubSegWidget, wait: Wait
) -> None:
    wait(lambda: not opened.busy)
    opened.do("take_brush")
    opened.refresh()
    brush = opened.correct.tools["brush"]
    opened.window().activateWindow()
    wait(lambda: bool(opened.window().isActiveWindow()))
    for theme in ("dark", "light"):
        opened._viewer.theme = theme
        QApplication.processEvents()
        brush.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        image = opened.window().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        at = brush.mapTo(opened.window(), QPoint(0, brush.height() // 2))
        scale = image.width() / opened.window().width()
        row = [
            image.pixelColor(round(scale * (at.x() + step)), round(scale * at.y()))
            for step in range(-1, 9)
        ]
        ring, inside = row[2], row[6]
        lines = [contrast(one, inside) for one in row[1:5]]
        assert max(lines) >= 3, f"{theme}: {[one.name() for one in row]}"
        assert contrast(ring, row[0]) >= 3, f"{theme}: {[one.name() for one in row]}"
    opened._viewer.theme = "dark"
