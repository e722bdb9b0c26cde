"""Tools in a real window, with the real mouse: a preview while held, one gesture, one Ctrl+Z."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from stored import map_of
from windows import as_at_first

from hubseg.journal.verdict import Verdict
from napari_hubseg.actions import TOOLBOX, key_of
from napari_hubseg.canvas.brush import camera
from napari_hubseg.demo.screen import Hand, rest, wait_for
from napari_hubseg.dock import HubSegWidget

SHAPE = (300, 400)
LEFT_BUTTON, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
PRESS, RELEASE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease
MOVE = QEvent.Type.MouseMove
LEFT, RIGHT, SPECK = (150.0, 110.0), (150.0, 250.0), (40.0, 340.0)


def away(place: tuple[float, float]) -> Any:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(y - place[0], x - place[1])


def two_objects() -> Any:
    """A map of two discs and a speck; at 127 of radius 40, 40 and 4, with a hole in the first."""
    values = np.maximum.reduce(
        [
            np.clip(127 + 3 * (40 - away(LEFT)), 0, 250),
            np.clip(127 + 3 * (40 - away(RIGHT)), 0, 250),
            np.clip(127 + 20 * (4 - away(SPECK)), 0, 250),
        ]
    )
    values[away((160, 120)) < 8] = 20
    return values.astype(np.float32)


class Bench:
    """A dock on one slide with a map, and a hand on its canvas."""

    def __init__(self, viewer: Any, dock: HubSegWidget) -> None:
        self.dock, self.session = dock, dock.session
        self.viewer = viewer
        self.camera = camera(self.viewer)
        self.mouse = Hand(dock.window())

    def settle(self) -> None:
        rest(30)
        wait_for("The dock", lambda: not self.dock.busy)
        self.dock.refresh()

    def at(self, place: tuple[float, float], up: int = 0) -> tuple[int, int]:
        """Return the screen px of a px of the slide, or some px above it."""
        layer = self.dock.desk.layers.mask_layer
        world = layer.data_to_world(place)
        canvas = self.dock.canvas.widget
        y = (world[-2] - self.camera.center[-2]) * self.camera.zoom + canvas.height() / 2
        x = (world[-1] - self.camera.center[-1]) * self.camera.zoom + canvas.width() / 2
        left, top = self.mouse.place(canvas, x / canvas.width(), y / canvas.height())
        return left, top - up

    def take(self, name: str) -> None:
        self.mouse.click(self.mouse.place(self.dock.correct.tools[name]))
        self.settle()
        assert self.dock.desk.mask_tools.tool == name

    def drag(self, *places: tuple[int, int]) -> None:
        self.mouse.drag(places)
        self.settle()

    def drag_at_once(self, *places: tuple[float, float]) -> None:
        """Drag from px to px of the slide; the window finds moves and release all at once."""
        self.event(PRESS, places[0])
        for place in places[1:]:
            self.event(MOVE, place)
        self.event(RELEASE, places[-1])
        self.settle()

    def event(self, kind: QEvent.Type, place: tuple[float, float]) -> None:
        """Let the canvas have one event of the mouse, at a px of the slide."""
        canvas = self.dock.canvas.widget
        ratio = canvas.devicePixelRatioF()
        x, y = (round(screen / ratio) for screen in self.at(place))
        there = QPointF(canvas.mapFromGlobal(QPoint(x, y)))
        button = Qt.MouseButton.NoButton if kind == MOVE else LEFT_BUTTON
        QApplication.sendEvent(
            canvas, QMouseEvent(kind, there, QPointF(x, y), button, LEFT_BUTTON, NO_KEYS)
        )

    @property
    def count(self) -> int:
        mask = self.session.mask.astype(np.uint8)
        return int(cv2.connectedComponents(mask, connectivity=8)[0]) - 1


@pytest.fixture
def bench(dock_of_the_file: HubSegWidget, tmp_path: Any) -> Iterator[Bench]:
    for name, shape in (("a.tiff", SHAPE), ("b.tiff", (200, 260))):
        tifffile.imwrite(tmp_path / name, np.full((*shape, 3), 190, np.uint8), photometric="rgb")
    dock, viewer = dock_of_the_file, dock_of_the_file._viewer
    as_at_first(dock)
    viewer.window.resize(1400, 950)
    dock.open_path(tmp_path)
    wait_for("The slide", lambda: not dock.busy)
    session = dock.session
    session.show(map_of(two_objects(), session.current.digest, members=5))
    session.set_threshold(127, scope="slide")
    bench = Bench(viewer, dock)
    bench.settle()
    bench.mouse.move(bench.at((290, 390)))  # off the button that the test before clicked
    dock.reveal(dock.correct.tools["merge"])
    bench.settle()
    assert bench.count == 3
    yield bench
    vars(bench).clear()  # the viewer must be free to go


# tool, where the mouse goes (a place, or a place and how far above it), what must hold after it
USES: dict[str, tuple[list[Any], Callable[[Any, Any], bool]]] = {
    "drop": ([LEFT], lambda b, n: not n[150, 85] and bool(n[150, 230])),
    "drop several": (
        [LEFT, (150, 180), RIGHT],
        lambda b, n: bool(b[150, 85] and b[150, 230]) and not (n[150, 85] or n[150, 230]),
    ),
    "keep": ([LEFT], lambda b, n: bool((b == n).all())),
    "fill": ([(160, 120)], lambda b, n: bool(n[160, 120]) and not b[160, 120]),
    "grow": ([(RIGHT), (RIGHT, 30)], lambda b, n: bool(n[150, 250 + 44]) and not b[150, 250 + 44]),
    "edge": ([RIGHT, (RIGHT, -40)], lambda b, n: bool(b[150, 250 + 36]) and not n[150, 250 + 36]),
    "wand": ([RIGHT, (RIGHT, 130)], lambda b, n: bool(n[150, 250 + 45])),
    "smooth": ([LEFT, (LEFT, 90)], lambda b, n: bool((b != n).any())),
    "merge": ([(150, 90), RIGHT], lambda b, n: bool(n[150, 180]) and not b[150, 180]),
    "lasso": (
        [(240, 40), (240, 160), (280, 160), (280, 40), (240, 40)],
        lambda b, n: bool(n[250:270, 60:140].all()),
    ),
    "lasso_erase": (
        [(100, 200), (100, 300), (140, 300), (140, 200), (100, 200)],
        lambda b, n: not n[115:135, 230:270].any() and bool(n[160, 250]),
    ),
    "redraw": (
        [(148, 295), (120, 290), (100, 270), (100, 240), (125, 205), (148, 205)],
        lambda b, n: bool(n[104:110, 245:265].all()) and not b[104:109, 262].any(),
    ),
}


def test_one_use_of_a_tool_is_one_gesture_and_one_undo(bench: Bench) -> None:
    """All tools in one window: each leaves everything as it found it, which is what is tested."""
    for tool, (places, holds) in USES.items():
        print(tool)  # shown when it fails
        use(bench, tool, places, holds)


def use(bench: Bench, tool: str, places: list[Any], holds: Callable[[Any, Any], bool]) -> None:
    before, rows = bench.session.mask.copy(), len(bench.session.project.entries())
    bench.take(tool.partition(" ")[0])
    path = [bench.at(p[0], p[1]) if isinstance(p[0], tuple) else bench.at(p) for p in places]
    if len(path) == 1:
        bench.mouse.click(path[0])
        bench.settle()
    else:
        bench.drag(*path)
    after = bench.session.mask.copy()
    assert holds(before, after)
    assert len(bench.session.project.entries()) == rows + 1, "one use is one row"
    layer = bench.dock.desk.layers.mask_layer
    assert np.array_equal(layer.data != 0, after), "what is on screen is the mask"
    bench.mouse.press("ctrl+z")
    bench.settle()
    assert np.array_equal(bench.session.mask, before)
    assert np.array_equal(layer.data != 0, before)
    assert bench.camera.center[-2:] == pytest.approx([(s - 1) / 2 for s in SHAPE], abs=2.0), (
        "the tool was used, the view not moved"
    )


@pytest.mark.parametrize("tool", ["brush", "eraser", "lasso", "merge", "grow"])
def test_what_is_drawn_ends_where_the_mouse_was_let_go_also_in_a_busy_window(
    bench: Bench, tool: str
) -> None:
    """napari drops the moves that wait when the mouse is let go: a stroke lost its end."""
    ways = {
        "brush": [(40, 40), (40, 60), (40, 200)],
        "eraser": [(150, 60), (150, 100), (150, 300)],
        "lasso": [(240, 40), (280, 160), (240, 160)],
        "merge": [(150, 90), (150, 180), (150, 250)],
        "grow": [(150, 250), (149, 250), (110, 250)],
    }
    bench.take(tool)
    before, rows = bench.session.mask.copy(), len(bench.session.project.entries())
    bench.drag_at_once(*ways[tool])
    after = bench.session.mask
    assert len(bench.session.project.entries()) == rows + 1, "one gesture"
    if tool == "brush":
        assert after[40, 40:201].all()
    elif tool == "eraser":
        assert before[150, 75:200].any()
        assert not after[150, 60:301].any()
    elif tool == "lasso":
        assert after[250, 100:155].all()
    elif tool == "merge":
        assert bench.count == 2
    else:
        assert after[150, 250 + 44]
    assert np.array_equal(bench.dock.desk.layers.mask_layer.data != 0, after)


@pytest.mark.parametrize("command", ["next_slide", "accept", "undo", "take_eraser"])
def test_a_command_ends_the_stroke_in_hand_on_its_own_slide(bench: Bench, command: str) -> None:
    """The whole stroke went to the next slide, or to none, and every later one was lost."""
    bench.take("brush")
    before = bench.session.mask.copy()
    bench.event(PRESS, (40, 40))
    bench.event(MOVE, (40, 100))
    bench.dock.do(command)
    bench.settle()
    if command == "next_slide":
        assert bench.session.current.id == "b"
    bench.event(MOVE, (40, 200))
    bench.event(RELEASE, (40, 200))
    bench.settle()
    if command == "next_slide":
        assert not bench.session.project.entries("b"), "nothing was drawn there"
        bench.drag_at_once((20, 20), (20, 40), (20, 100))
        assert bench.session.mask[20, 20:101].all(), "and the brush draws on"
        bench.dock.do("previous_slide")
        bench.settle()
    rows = [row for row in bench.session.project.entries("a") if row.slide_id == "a"]
    assert bench.session.verdict("a") is Verdict.IN_WORK
    if command == "undo":
        assert np.array_equal(bench.session.mask, before)
        return
    assert [row.label for row in rows][-1] == "brush"
    assert bench.session.mask[40, 40:101].all()
    assert not bench.session.mask[30:50, 115:220].any(), "no more was drawn"
    assert np.array_equal(bench.dock.desk.layers.mask_layer.data != 0, bench.session.mask)


def test_a_polygon_that_is_not_finished_does_not_go_to_the_next_slide(bench: Bench) -> None:
    bench.take("polygon")
    for corner in ((20, 20), (20, 120), (120, 120)):
        bench.event(PRESS, corner)
        bench.event(RELEASE, corner)
    bench.dock.do("next_slide")
    bench.settle()
    assert "polygon that was not finished" in bench.dock.message.sentence.text()
    bench.mouse.click(bench.at((100, 200)))
    bench.mouse._do("click", "--repeat", "2", "--delay", "10", "1")
    bench.settle()
    assert not bench.session.mask[40:90, 60:110].any()
    assert bench.dock.desk.mask_tools.tool == "polygon"


@pytest.mark.parametrize("another", ["brush", "lasso", "move"])
def test_a_polygon_that_is_not_finished_goes_with_its_tool(bench: Bench, another: str) -> None:
    """It would lie on the tissue in the colour of a mask, and nobody could finish it."""
    bench.take("polygon")
    for corner in ((20, 20), (20, 120), (120, 120)):
        bench.event(PRESS, corner)
        bench.event(RELEASE, corner)
    making = bench.dock.desk.layers.mask_layer._overlays["polygon"]
    assert making.points

    bench.take(another)

    assert not making.points
    assert "polygon was not finished and is gone" in bench.dock.message.sentence.text()


def test_a_polygon_that_was_given_up_is_not_spoken_of_again(bench: Bench) -> None:
    bench.take("polygon")
    bench.event(PRESS, (20, 20))
    bench.event(RELEASE, (20, 20))
    bench.mouse.press("Escape")
    bench.settle()
    bench.dock.do("next_slide")
    bench.settle()
    assert "polygon" not in bench.dock.message.sentence.text()


def test_in_3d_nothing_can_be_drawn_which_is_said_and_a_tool_brings_back_2d(bench: Bench) -> None:
    bench.viewer.dims.ndisplay = 3  # Ctrl+Y, which is redo elsewhere
    bench.settle()
    assert bench.dock.desk.offers.is_offered("Back to 2D")
    bench.dock.desk.take_offer()
    assert bench.viewer.dims.ndisplay == 2
    assert not bench.dock.desk.offers.is_offered("Back to 2D")

    bench.viewer.dims.ndisplay = 3
    bench.take("brush")
    assert bench.viewer.dims.ndisplay == 2
    assert not bench.dock.desk.offers.is_offered("Back to 2D")
    bench.drag(bench.at((20, 20)), bench.at((20, 60)))
    assert bench.session.undo_text == "brush"


def test_an_outline_in_hand_goes_with_its_slide(bench: Bench) -> None:
    bench.take("lasso")
    bench.event(PRESS, (20, 20))
    bench.event(MOVE, (20, 120))
    bench.dock.do("next_slide")
    bench.settle()
    for place in ((60, 120), (60, 20)):
        bench.event(MOVE, place)
    bench.event(RELEASE, (60, 20))
    bench.settle()
    assert not bench.session.project.entries("b")
    assert not bench.dock.desk.layers.mask_layer.data.any(), "no line of it stays"


def test_a_split_is_previewed_while_held_and_done_when_let_go(bench: Bench) -> None:
    bench.take("merge")
    bench.drag(bench.at((150, 90)), bench.at(RIGHT))
    bench.mouse.press("ctrl+z")
    bench.settle()
    bench.take("lasso")
    bench.drag(*(bench.at(p) for p in [(130, 130), (130, 230), (165, 230), (165, 130), (130, 130)]))
    assert bench.count == 2
    bench.take("split")
    assert bench.dock.correct.split_by.isVisible()
    layer, mask = bench.dock.desk.layers.mask_layer, bench.session.mask.copy()
    bench.mouse.move(bench.at((150, 180)))
    bench.mouse._do("mousedown", "1")
    bench.settle()
    assert np.array_equal(bench.session.mask, mask), "nothing is done yet"
    shown = (layer.data != 0).astype(np.uint8)
    assert cv2.connectedComponents(shown, connectivity=8)[0] - 1 == 3, "but it is shown"
    bench.mouse._do("mouseup", "1")
    bench.settle()
    assert bench.count == 3


def test_where_nothing_is_a_split_does_not_speak_of_an_object(bench: Bench) -> None:
    bench.take("split")
    bench.mouse.click(bench.at((10, 10)))
    bench.settle()
    assert bench.dock.message.sentence.text() == "There is no object under the pointer."


def test_dragging_with_a_click_tool_moves_the_view_and_changes_nothing(bench: Bench) -> None:
    bench.take("fill")
    before, centre = bench.session.mask.copy(), bench.camera.center[-1]
    bench.drag(bench.at(LEFT), bench.at((150, 180)), bench.at((150, 200)))
    assert np.array_equal(bench.session.mask, before)
    assert abs(bench.camera.center[-1] - centre) > 20


def test_space_moves_the_view_while_a_tool_is_in_hand(bench: Bench) -> None:
    bench.take("lasso")
    rows, centre = len(bench.session.project.entries()), bench.camera.center[-1]
    canvas = bench.dock.canvas.widget
    canvas.setFocus()
    bench.mouse._do("keydown", "space")
    bench.drag(bench.at(LEFT), bench.at((150, 180)), bench.at((150, 200)))
    bench.mouse._do("keyup", "space")
    bench.settle()
    assert len(bench.session.project.entries()) == rows, "no lasso was drawn"
    assert abs(bench.camera.center[-1] - centre) > 20
    assert bench.dock.desk.mask_tools.tool == "lasso", "it is still in hand"
    corners = [(130, 130), (130, 230), (165, 230), (165, 130), (130, 130)]
    bench.drag(*(bench.at(p) for p in corners))
    assert len(bench.session.project.entries()) == rows + 1, "and draws again"
    bench.take("brush")
    assert "Space" not in {str(key) for key in bench.dock.desk.layers.mask_layer.keymap}


def test_beside_everything_a_tool_says_what_to_do(bench: Bench) -> None:
    bench.take("drop")
    bench.mouse.click(bench.at((280, 200)))
    bench.settle()
    assert "no object under the pointer" in bench.dock.message.sentence.text()
    rows = len(bench.session.project.entries())
    bench.take("redraw")
    bench.drag(bench.at((280, 30)), bench.at((280, 60)))
    assert "replaces no outline" in bench.dock.message.sentence.text()
    assert len(bench.session.project.entries()) == rows


def test_the_wand_takes_no_neighbour_and_nothing_where_the_map_is_flat(bench: Bench) -> None:
    bench.take("drop")
    bench.mouse.click(bench.at(LEFT))
    bench.settle()
    before, rows = bench.session.mask.copy(), len(bench.session.project.entries())
    bench.take("wand")
    bench.drag(bench.at((290, 20)), bench.at((290, 20), 4), bench.at((290, 20), 8))
    assert "sees nothing here: use lasso" in bench.dock.message.sentence.text()
    assert np.array_equal(bench.session.mask, before)
    assert len(bench.session.project.entries()) == rows
    bench.drag(bench.at(LEFT), bench.at(LEFT, 60), bench.at(LEFT, 160))
    assert bench.count == 3, "the neighbour that is in the mask stays an object of its own"
    after = bench.session.mask
    assert after[150, 110 - 38]
    assert np.array_equal(after[:, 205:], before[:, 205:])


def test_a_bucket_is_one_gesture_over_the_whole_slide(bench: Bench) -> None:
    panel = bench.dock.correct
    panel.under.setValue(400)
    bench.take("drop")  # what it is set with stands under the tools
    bench.mouse.click(bench.mouse.place(panel.drop_small))
    bench.settle()
    assert bench.count == 2
    bench.take("fill")
    bench.mouse.click(bench.mouse.place(panel.fill_small))
    bench.settle()
    assert bench.session.mask[160, 120]
    bench.take("drop")
    bench.mouse.click(bench.mouse.place(panel.drop_small))
    bench.settle()
    assert "no object under 400 px" in bench.dock.message.sentence.text()
    bench.mouse.press("ctrl+z", "ctrl+z")
    bench.settle()
    assert bench.count == 3


def test_every_tool_has_a_button_a_key_and_a_sentence(bench: Bench) -> None:
    for tool in TOOLBOX:
        bench.mouse.press(key_of(f"take_{tool.name}").lower())
        bench.settle()
        assert bench.dock.desk.mask_tools.tool == tool.name
        assert bench.dock.correct.tools[tool.name].isChecked()
        assert bench.dock.correct.hint.text() == tool.hint


def test_brush_and_eraser_have_sizes_of_their_own_on_slide_or_screen(bench: Bench) -> None:
    sizes, panel = bench.dock.desk.brushes, bench.dock.correct
    layer = bench.dock.desk.layers.mask_layer
    bench.take("brush")
    panel.size.setValue(30)
    bench.take("eraser")
    panel.size.setValue(12)
    assert layer.brush_size == 12
    bench.take("brush")
    assert (layer.brush_size, panel.size.value()) == (30, 30)
    panel.on_screen.click()
    bench.settle()
    zoom = bench.camera.zoom
    assert layer.brush_size == pytest.approx(30, abs=1), "the brush in hand stays as it is"
    assert sizes.size == pytest.approx(30 * zoom, abs=1)
    bench.camera.zoom = 4 * zoom
    assert layer.brush_size == pytest.approx(30 / 4, abs=1)
    panel.on_screen.click()
    bench.settle()
    assert layer.brush_size == pytest.approx(30 / 4, abs=1)
