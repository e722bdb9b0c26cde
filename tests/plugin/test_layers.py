"""The layers of the slide on screen: a real session, napari's viewer model, and no window."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from hubseg.cleanup import Cleanup
from hubseg.edits.gesture import ADD, ERASE
from hubseg.mask.drawing import (
    ABOVE_ALL,
    BELOW_ALL,
    BY_HAND,
    EDGE,
    HAND_EDGE,
    HAND_RIM,
    drawn,
    edge_width,
    hand_of,
)
from hubseg.mask.live import Difference, MaskAnswer, MaskRequest
from hubseg.session import ReviewSession
from hubseg.tools import Change
from napari_hubseg.canvas import mask_layer as _drawing
from napari_hubseg.canvas.brush import camera as camera_of
from napari_hubseg.canvas.colours import LINE, LINE_RIM, STROKE
from napari_hubseg.canvas.comparison import Comparison
from napari_hubseg.canvas.layers import LayerBinding
from napari_hubseg.canvas.notice import overlay
from napari_hubseg.canvas.placement import Placement
from napari_hubseg.canvas.stack import LayerStack
from napari_hubseg.canvas.strokes import stroke
from napari_hubseg.canvas.viewpoint import ScaleBar
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.mask import Derivation
from napari_hubseg.jobs.truth import Truth

Wait = Callable[[Callable[[], bool]], None]
SHAPE = (96, 128)


class Scene:
    """A session, its layers and the means to wait for both."""

    def __init__(self, session: ReviewSession, background: Background, wait: Wait) -> None:
        self.session, self.background, self._wait = session, background, wait
        self.viewer = ViewerModel()
        self.pressed: list[str] = []
        self.said: list[str] = []
        self.told: list[str] = []
        self.truth = Truth(session, background)
        self.derivation = Derivation(session, background, self.truth)
        keys = {"F": lambda: self.pressed.append("F"), "Control-Z": session.undo}
        self.layers = LayerBinding(session, self.viewer, background, keys)
        self.derivation.drawing = self.layers.drawing
        self.layers.failed.connect(self.said.append)
        self.layers.told.connect(self.told.append)
        session.failed.connect(self.said.append)

    def settle(self) -> None:
        self._wait(lambda: not self.background.waiting and not self.derivation.busy)

    def go_to(self, slide_id: str) -> None:
        self.session.go_to(slide_id)
        self.settle()

    def layer(self, name: str) -> Any:
        found = [layer for layer in self.viewer.layers if layer.name == name]
        assert len(found) == 1, f"{len(found)} layers are called {name}"
        return found[0]

    @property
    def mask(self) -> Any:
        return self.layer("mask")

    def stroke(self, tool: str, *points: tuple[int, int], size: int = 9) -> None:
        """What napari does between the press and the release of the mouse."""
        self.layers.take_tool(tool)
        self.layers.set_brush_size(size)
        label = 0 if tool == "eraser" else self.mask.selected_label
        with self.mask.block_history():
            for point in points:
                self.mask.paint(point, label)


def borders(layer: Any) -> Any:
    """Outer borders of a layer's pixels in the world: napari's extent ends at their centres."""
    return layer.extent.world[:, -2:] + np.array([[-0.5], [0.5]]) * layer.scale


@pytest.fixture
def scene(session: ReviewSession, background: Background, wait: Wait) -> Iterator[Scene]:
    scene = Scene(session, background, wait)
    session.go_to("two")
    session.go_to("one")
    scene.settle()
    yield scene
    background.close()
    scene.layers.close()


@pytest.fixture
def mapped(scene: Scene, make_map: Callable[..., Any]) -> Scene:
    """A scene with a probability that grows from left to right, cut at 90."""
    scene.session.show(make_map(scene.session))
    scene.settle()
    return scene


def test_looking_at_a_place_comes_near_and_never_goes_away_from_it(scene: Scene) -> None:
    camera = camera_of(scene.viewer)
    scene.viewer.reset_view()
    whole = camera.zoom
    scene.layers.look_at(24.0, 96.0)
    assert camera.zoom == pytest.approx(4 * whole)
    assert camera.center[-2:] == pytest.approx(scene.mask.data_to_world((24, 96)))
    camera.zoom = 9 * whole
    scene.layers.look_at(80.0, 8.0)
    assert camera.zoom == pytest.approx(9 * whole)
    assert camera.center[-2:] == pytest.approx(scene.mask.data_to_world((80, 8)))


def test_telling_the_pixel_size_keeps_the_tissue_where_it_is_as_large(scene: Scene) -> None:
    camera = camera_of(scene.viewer)
    scene.layers.look_at(24.0, 96.0)

    def seen() -> tuple[float, ...]:
        middle = scene.mask.world_to_data(camera.center[-2:])
        return (*map(float, middle), scene.layers.px_on_screen)

    before = seen()
    for size in (0.25, 2.0):
        scene.session.tell(um_per_px=size)
        scene.settle()
        assert seen() == pytest.approx(before)
        assert scene.mask.scale[-1] == size
    scene.session.undo()
    scene.settle()
    assert seen() == pytest.approx(before)
    scene.layers.look_at(24.0, 96.0)
    assert seen() == pytest.approx(before), "near means as near as before"


def test_a_slide_is_fitted_into_the_view_whatever_other_layers_there_are(scene: Scene) -> None:
    alone = scene.layers.px_on_screen
    scene.viewer.add_labels(np.ones((3000, 3000), np.uint8), name="of mine", scale=(7, 7))
    scene.go_to("two")
    scene.go_to("one")
    assert scene.layers.px_on_screen == pytest.approx(alone)
    middle = scene.mask.world_to_data(camera_of(scene.viewer).center[-2:])
    assert middle == pytest.approx(np.array(SHAPE) / 2, abs=1)


def test_a_slide_seen_whole_stays_so_in_a_window_of_another_size(scene: Scene) -> None:
    """Where the window was maximised, a slide stayed as small as it had been."""
    viewer, camera = scene.viewer, camera_of(scene.viewer)
    viewer.canvas.size = (400, 600)
    scene.go_to("two")
    whole = camera.zoom
    viewer.canvas.size = (800, 1200)
    assert camera.zoom == pytest.approx(2 * whole)
    scene.session.tell(um_per_px=2.0)  # which is nobody's look closer
    scene.settle()
    viewer.canvas.size = (400, 600)
    assert scene.layers.px_on_screen == pytest.approx(whole * 0.5), "of a px, not of a µm"
    scene.layers.look_at(24.0, 96.0)
    assert scene.layers.px_on_screen == pytest.approx(4 * whole * 0.5)
    near = camera.zoom, camera.center
    viewer.canvas.size = (800, 1200)
    assert (camera.zoom, camera.center) == near, "whoever looks closer stays there"


def test_a_slide_is_shown_whole_beside_a_layer_of_several_planes(scene: Scene) -> None:
    """napari cannot fit a picture where another layer has planes: it raised an IndexError."""
    viewer = scene.viewer
    viewer.canvas.size = (400, 600)
    scene.go_to("two")
    whole, middle = camera_of(viewer).zoom, camera_of(viewer).center[-2:]
    viewer.add_image(np.zeros((3, 9, 9), np.uint8), name="of mine")
    scene.go_to("one")
    assert camera_of(viewer).zoom == pytest.approx(whole)
    assert camera_of(viewer).center[-2:] == pytest.approx(middle)
    viewer.canvas.size = (800, 1200)
    assert camera_of(viewer).zoom == pytest.approx(2 * whole)


def test_the_scale_bar_is_on_until_a_person_switches_it_off(scene: Scene) -> None:
    bar = overlay(scene.viewer, "scale_bar", before="scale_bar")
    assert bar.visible
    bar.visible = False
    scene.go_to("two")
    assert not bar.visible


@pytest.mark.parametrize("before", [False, True])
def test_a_dock_that_leaves_leaves_the_scale_bar_as_it_was(
    session: ReviewSession, background: Background, before: bool
) -> None:
    viewer = ViewerModel()
    shown = overlay(viewer, "scale_bar", before="scale_bar")
    shown.visible = before
    bar = ScaleBar(viewer)
    bar.show()
    assert shown.visible
    bar.close()
    assert shown.visible is before


# ---- what is where -----------------------------------------------------------------------------


def test_four_layers_lie_over_the_tissue_in_order(scene: Scene) -> None:
    names = [layer.name for layer in scene.viewer.layers]
    assert names == ["slide", "probability", "disagreement", "mask"]
    assert scene.layer("slide").data.shape == (*SHAPE, 3)
    assert np.array_equal(scene.layer("slide").data, scene.session.current.read())
    assert (scene.mask.dtype, scene.mask.data.shape) == (np.uint8, SHAPE)
    assert scene.layer("probability").dtype == np.float32


def test_all_layers_have_the_slides_pixel_size_and_units(mapped: Scene) -> None:
    for layer in mapped.viewer.layers:
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert np.allclose(borders(layer), borders(mapped.mask))
    assert np.allclose(mapped.mask.scale, (0.5, 0.5))
    assert np.allclose(mapped.layer("disagreement").scale, (2.0, 2.0))


def test_a_slide_of_unknown_pixel_size_is_shown_in_pixels(scene: Scene) -> None:
    scene.go_to("three")
    for layer in scene.viewer.layers:
        assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]
        assert np.allclose(borders(layer), borders(scene.mask))


def test_a_persons_word_about_the_pixel_size_moves_all_layers_together(mapped: Scene) -> None:
    mapped.session.tell(um_per_px=0.25)
    assert np.allclose(mapped.mask.scale, (0.25, 0.25))
    for layer in mapped.viewer.layers:
        assert np.allclose(borders(layer), borders(mapped.mask))


def test_other_slides_are_shown_in_the_same_layers(scene: Scene) -> None:
    before = list(scene.viewer.layers)
    scene.go_to("two")
    assert list(scene.viewer.layers) == before
    assert np.array_equal(scene.layer("slide").data, scene.session.current.read())


def test_layers_are_known_by_identity_not_by_name(mapped: Scene) -> None:
    mapped.mask.name = "my favourite"
    mapped.layer("slide").name = "mask"
    mapped.session.set_threshold(200)
    mapped.settle()
    inside = next(layer for layer in mapped.viewer.layers if layer.name == "my favourite")
    assert np.array_equal(inside.data != 0, mapped.session.mask)


def test_the_slide_asked_for_last_is_the_one_that_is_shown(scene: Scene) -> None:
    shown: list[str] = []
    scene.layers.slide_shown.connect(shown.append)
    for slide_id in ("two", "three", "one", "two"):
        scene.session.go_to(slide_id)
    scene.settle()
    assert shown == ["two"]
    assert np.array_equal(scene.layer("slide").data, scene.session.current.read())


def test_a_file_that_has_gone_is_one_sentence(scene: Scene) -> None:
    gone = next(slide for slide in scene.session.slides if slide.id == "two")
    Path(gone.path).unlink()
    scene.go_to("two")
    assert len(scene.said) == 1
    assert "two" in scene.said[0]


@pytest.mark.parametrize("name", ["slide", "probability", "disagreement", "mask"])
def test_a_deleted_layer_comes_back_as_it_was_and_that_is_said(mapped: Scene, name: str) -> None:
    mapped.layers.take_tool("eraser")
    camera = camera_of(mapped.viewer)
    camera.zoom, before = 3.0, list(mapped.viewer.layers)
    mapped.viewer.layers.remove(mapped.layer(name))
    mapped.session.set_threshold(10)  # nothing of this fails without the layer
    mapped.settle()
    assert list(mapped.viewer.layers) == before
    assert mapped.told == [
        f"The layer {name} belongs to HubSeg: it is back. Hide it with the eye in the layer list, "
        "or close the dock."
    ]
    assert mapped.layers.tool == "eraser", "the tool that was chosen is in hand"
    assert mapped.viewer.layers.selection.active is mapped.mask
    assert camera.zoom == 3.0
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    mapped.stroke("eraser", (50, 100))
    assert not mapped.session.mask[50, 100]


def test_who_deletes_all_layers_gets_ours_back_and_hears_one_sentence(mapped: Scene) -> None:
    mapped.viewer.add_points([(1, 1)])
    ours = [layer for layer in mapped.viewer.layers if layer.name != "Points"]
    mapped.viewer.layers.clear()
    mapped.settle()
    assert list(mapped.viewer.layers) == ours
    assert len(mapped.told) == 1


def test_a_deleted_mask_comes_back_at_once_with_the_brush(mapped: Scene) -> None:
    mapped.viewer.layers.remove(mapped.mask)
    mapped.layers.take_tool("brush")
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    mapped.stroke("brush", (50, 3))
    assert not mapped.session.edits.is_empty


def test_our_layers_are_locked_against_deletion_and_name_their_axes(mapped: Scene) -> None:
    for layer in mapped.viewer.layers:
        assert layer.axis_labels == ("y", "x")
        assert getattr(layer, "locked", True)


def test_other_peoples_layers_are_left_alone(scene: Scene) -> None:
    own = scene.viewer.add_points([(1, 1)], name="mask")
    scene.go_to("two")
    assert own in scene.viewer.layers


# ---- before the first slide --------------------------------------------------------------------


@pytest.fixture
def waiting(background: Background) -> Iterator[Any]:
    """A viewer with our layers and no slide yet."""
    viewer = ViewerModel()
    layers = LayerBinding(ReviewSession(author="test"), viewer, background, {})
    layers.warm_up()
    yield SimpleNamespace(viewer=viewer, layers=layers)
    background.close()
    layers.close()


def test_the_layers_are_there_before_the_first_slide_and_show_nothing(waiting: Any) -> None:
    assert [layer.name for layer in waiting.viewer.layers] == [
        "slide",
        "probability",
        "disagreement",
        "mask",
    ]
    assert all(layer.opacity == 0 for layer in waiting.viewer.layers)
    assert waiting.viewer.layers.selection.active is None


def test_somebody_elses_first_image_is_shown_whole(waiting: Any) -> None:
    camera = getattr(waiting.viewer, "scene", waiting.viewer).camera
    waiting.viewer.add_image(np.zeros((400, 600)))
    assert np.allclose(camera.center[-2:], (199.5, 299.5))
    camera.center = (0, 0)
    waiting.viewer.add_image(np.zeros((400, 600)))  # and only the first
    assert np.allclose(camera.center[-2:], (0, 0))


def test_layers_that_never_had_a_slide_go_with_the_dock(waiting: Any) -> None:
    own = waiting.viewer.add_points([(1, 1)])
    waiting.layers.close()
    assert list(waiting.viewer.layers) == [own]


def test_the_first_slide_is_shown_in_the_layers_that_waited(
    session: ReviewSession, background: Background, wait: Wait
) -> None:
    viewer = ViewerModel()
    layers = LayerBinding(session, viewer, background, {})
    layers.warm_up()
    waited = list(viewer.layers)
    session.go_to("two")
    wait(lambda: not background.waiting)
    assert list(viewer.layers) == waited
    assert [layer.visible for layer in waited] == [True, False, False, True]
    assert [layer.opacity for layer in waited] == [1.0, 1.0, 0.6, 1.0]
    background.close()
    layers.close()
    assert not viewer.layers, "without a dock a stroke in them would reach nobody"


def test_layers_in_a_window_that_closes_itself_are_left_to_it(
    session: ReviewSession, background: Background, wait: Wait
) -> None:
    viewer = ViewerModel()
    layers = LayerBinding(session, viewer, background, {})
    session.go_to("two")
    wait(lambda: not background.waiting)
    background.close()
    layers.close(leave=True)
    assert len(viewer.layers) == 4


def test_a_smaller_slide_fills_the_view_like_the_one_before() -> None:
    """Hidden layers too are as large as the slide: the view is fitted to all of them."""
    viewer = ViewerModel()
    stack = LayerStack(viewer, lambda _: None)
    stack.warm_up()
    for shape in ((400, 600), (30, 20), (50, 80)):
        stack.put("slide", np.zeros((*shape, 3), np.uint8))
        for name in ("probability", "disagreement", "mask"):
            stack.put(name, np.zeros(shape, np.uint8 if name == "mask" else np.float32))
        stack.place(Placement(shape, 0.5))
        stack.reveal()
        corner = viewer.layers.extent.world[1, -2:]
        assert np.allclose(corner, (np.array(shape) - 1) * 0.5)


def test_pixels_that_are_not_square_are_drawn_as_they_are() -> None:
    viewer = ViewerModel()
    stack = LayerStack(viewer, lambda _: None)
    stack.put("slide", np.zeros((40, 60, 3), np.uint8))
    stack.put("mask", np.zeros((20, 30), np.uint8))
    stack.place(Placement((40, 60), 0.4, stretch=0.64))
    assert np.allclose(stack.get("slide").scale, (0.32, 0.5))
    assert np.allclose(stack.get("mask").scale, (0.64, 1.0))
    for layer in (stack.get("slide"), stack.get("mask")):  # the same corner, at half the pixels
        assert np.allclose(layer.data_to_world((-0.5, -0.5)), (-0.16, -0.25))


def test_units_never_disagree_where_a_frame_is_drawn(scene: Scene) -> None:
    """napari draws when a layer is shown or hidden, and warns of units that do not fit."""
    met: list[int] = []

    def look() -> None:
        met.append(len({str(layer.units) for layer in scene.viewer.layers}))

    for layer in scene.viewer.layers:
        layer.events.visible.connect(look)
    scene.go_to("three")
    scene.go_to("one")
    assert set(met) == {1}


# ---- mask and map ------------------------------------------------------------------------------


def test_the_mask_on_screen_is_the_mask_of_the_session(mapped: Scene) -> None:
    assert mapped.session.mask is not None
    assert mapped.session.mask.any()
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    assert (mapped.mask.data == EDGE).any()


@pytest.mark.parametrize("change", ["threshold", "cleanup", "map", "undo"])
def test_the_mask_follows_everything_it_is_derived_from(
    mapped: Scene, make_map: Callable[..., Any], change: str
) -> None:
    data = mapped.mask.data
    if change == "threshold":
        mapped.session.set_threshold(200)
    elif change == "cleanup":
        mapped.session.set_cleanup(Cleanup(min_area=SHAPE[0] * SHAPE[1]))
    elif change == "map":
        mapped.session.show(make_map(mapped.session, np.zeros(SHAPE)))
    else:
        mapped.session.set_threshold(200)
        mapped.settle()
        mapped.session.undo()
    mapped.settle()
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask_now())
    assert mapped.mask.data is data  # written in place: napari's own undo has no atoms to keep


@pytest.mark.parametrize("change", ["threshold", "cleanup", "undo", "slide"])
def test_a_mask_is_cleaned_beside_the_windows_thread(
    mapped: Scene, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    mapped.session.set_cleanup(Cleanup(fill_holes=9, min_area=9, smooth=2))
    mapped.settle()
    where: list[threading.Thread] = []
    compute = MaskRequest.compute

    def noted(request: MaskRequest) -> MaskAnswer:
        if request.values is not None:
            where.append(threading.current_thread())
        return compute(request)

    monkeypatch.setattr(MaskRequest, "compute", noted)
    if change == "threshold":
        mapped.session.set_threshold(200)
    elif change == "cleanup":
        mapped.session.set_cleanup(Cleanup(fill_holes=9, min_area=90, smooth=2))
    elif change == "undo":
        mapped.session.undo()
    else:
        shown = mapped.session.probability
        mapped.go_to("two")
        mapped.go_to("one")
        mapped.session.show(shown)
    mapped.settle()
    assert where and threading.main_thread() not in where


def test_dragging_changes_what_is_drawn_and_no_array(mapped: Scene) -> None:
    probability = mapped.layer("probability")
    arrays = (probability.data, mapped.mask.data, mapped.mask.data.copy())
    for threshold in (100.0, 150.0, 200.0):
        mapped.layers.appearance.preview(threshold)
        assert probability.contrast_limits[0] == threshold
    assert probability.visible
    assert (probability.data is arrays[0], mapped.mask.data is arrays[1]) == (True, True)
    assert np.array_equal(mapped.mask.data, arrays[2])
    assert mapped.session.threshold == 90.0
    assert mapped.mask.opacity == 0  # out of the preview's way


LARGE = (1200, 1500)


@pytest.fixture
def large(table: Path, scene: Scene, make_map: Callable[..., Any]) -> Scene:
    """A slide so large that an array of its size stands out among all else that is allocated."""
    pixels = np.zeros((*LARGE, 3), np.uint8)
    tifffile.imwrite(table.parent / "train_images" / "two.tiff", pixels, photometric="rgb")
    scene.session.open(table, project=table.parent / "large.hubseg")
    scene.go_to("two")
    row = np.linspace(0, 255, LARGE[1], dtype=np.float32)
    scene.session.show(make_map(scene.session, np.broadcast_to(row, LARGE)))
    scene.settle()
    return scene


@pytest.mark.parametrize("view", ["fill", "outline", "probability", "compare"])
def test_a_step_of_the_hand_allocates_no_array_of_the_slides_size(large: Scene, view: str) -> None:
    """From one threshold to the next the GPU is told two numbers: at low ones and at high ones."""
    if view == "compare":
        large.layers.appearance.compare(100.0)
    else:
        large.layers.set_view(view)
    large.layers.appearance.preview(90.0)  # the first step shows the layer
    told: list[str] = []
    for layer in large.viewer.layers:
        layer.events.connect(lambda event: told.append(event.type))
    heaviest = 0
    tracemalloc.start()
    try:
        for threshold in (0.0, 1.0, 15.0, 63.0, 64.0, 127.0, 128.0, 254.0, 255.0):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            large.layers.appearance.preview(threshold)
            heaviest = max(heaviest, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert heaviest < LARGE[0] * LARGE[1]  # one byte a pixel
    assert set(told) <= {"contrast_limits", *(["colormap"] if view == "compare" else [])}


def test_the_mask_takes_over_when_the_hand_rests(mapped: Scene) -> None:
    mapped.layers.appearance.preview(200.0)
    mapped.session.set_threshold(200.0)
    mapped.layers.appearance.rest()
    mapped.settle()
    assert not mapped.layer("probability").visible
    assert mapped.mask.opacity == 1
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


def test_a_hand_that_comes_back_to_where_it_was_ends_the_preview_too(mapped: Scene) -> None:
    mapped.layers.appearance.preview(200.0)
    mapped.layers.appearance.preview(90.0)
    mapped.session.set_threshold(90.0)
    mapped.layers.appearance.rest()
    mapped.settle()
    assert not mapped.layer("probability").visible
    assert mapped.mask.opacity == 1


def test_a_better_map_does_not_end_the_preview_under_the_hand(
    mapped: Scene, make_map: Callable[..., Any]
) -> None:
    mapped.layers.appearance.preview(200.0)
    mapped.session.show(make_map(mapped.session))
    mapped.settle()
    assert mapped.layer("probability").visible
    assert mapped.layer("probability").contrast_limits[0] == 200.0


def test_strokes_stay_in_sight_while_a_threshold_is_dragged(mapped: Scene) -> None:
    mapped.stroke("brush", (50, 3))
    mapped.stroke("eraser", (50, 120))
    shown = mapped.layer("probability").data
    assert shown[50, 3] == ABOVE_ALL
    assert shown[50, 120] == BELOW_ALL
    mapped.session.undo()
    assert shown[50, 120] == mapped.session.probability.values[50, 120]


def test_strokes_made_while_a_map_is_being_computed_are_in_it(
    mapped: Scene, make_map: Callable[..., Any]
) -> None:
    mapped.session.show(make_map(mapped.session, np.full(SHAPE, 200.0)))
    mapped.stroke("eraser", (50, 120))
    mapped.stroke("brush", (50, 3))
    mapped.session.undo()
    mapped.settle()
    shown = mapped.layer("probability").data
    assert shown[50, 120] == BELOW_ALL
    assert shown[50, 3] == 200.0


def test_a_stroke_is_seen_at_once_where_the_map_itself_is_on_screen(mapped: Scene) -> None:
    mapped.layers.set_view("probability")
    drawn: list[Any] = []
    mapped.layer("probability").events.set_data.connect(lambda: drawn.append(1))
    mapped.stroke("brush", (50, 3))
    assert drawn


@pytest.mark.parametrize("view", ["fill", "outline", "probability"])
def test_views_change_colours_only(mapped: Scene, view: str) -> None:
    before = mapped.mask.data.copy()
    mapped.layers.set_view(view)
    assert mapped.layer("probability").visible is (view == "probability")
    assert mapped.mask.colormap.name == f"hubseg-{view}"
    assert np.array_equal(mapped.mask.data, before)


def test_a_map_of_another_slide_is_not_shown(mapped: Scene, make_map: Callable[..., Any]) -> None:
    late = make_map(mapped.session)
    mapped.go_to("two")
    assert not mapped.session.show(late)
    mapped.settle()
    assert not mapped.mask.data.any()
    assert not mapped.layer("probability").visible


# ---- what lies over the tissue -----------------------------------------------------------------


def test_peeking_shows_the_bare_tissue_and_then_all_as_it_was(mapped: Scene) -> None:
    mapped.layer("disagreement").visible = True
    mapped.layers.appearance.set_opacity(0.7)
    before = {layer.name: layer.opacity for layer in mapped.viewer.layers}
    assert before == {"slide": 1.0, "probability": 0.7, "disagreement": 0.6, "mask": 0.7}
    mapped.layers.appearance.peek(True)
    seen = [layer.name for layer in mapped.viewer.layers if layer.opacity]
    assert seen == ["slide"]
    mapped.session.set_threshold(200)  # a mask that comes meanwhile does not end it
    mapped.settle()
    assert mapped.mask.opacity == 0
    mapped.layers.appearance.peek(False)
    assert {layer.name: layer.opacity for layer in mapped.viewer.layers} == before


def test_who_peeks_while_dragging_sees_the_preview_again(mapped: Scene) -> None:
    mapped.layers.appearance.preview(150.0)
    mapped.layers.appearance.peek(True)
    mapped.layers.appearance.preview(160.0)
    assert mapped.layer("probability").opacity == 0
    mapped.layers.appearance.peek(False)
    assert (mapped.layer("probability").opacity, mapped.mask.opacity) == (1, 0)
    mapped.session.set_threshold(160.0)
    mapped.layers.appearance.rest()
    mapped.settle()
    assert mapped.mask.opacity == 1


def test_naparis_own_opacity_of_the_mask_is_the_overlays(mapped: Scene) -> None:
    mapped.mask.opacity = 0.4
    assert mapped.layers.appearance.opacity == 0.4
    assert mapped.layer("probability").opacity == 0.4
    mapped.go_to("two")
    assert mapped.mask.opacity == 0.4


@pytest.fixture
def comparison(mapped: Scene) -> Comparison:
    """A comparison that begins at threshold 90 of the ramp."""
    comparison = Comparison(mapped.session, mapped.layers, mapped.background)
    comparison.toggle()
    mapped.settle()
    return comparison


def test_a_reference_stays_while_the_threshold_moves(mapped: Scene, comparison: Comparison) -> None:
    kept = mapped.session.mask.copy()
    line = mapped.layer("reference").data.copy()
    assert np.array_equal(line == 1, drawn(kept, edge_width(kept.shape)) == EDGE)
    assert comparison.difference == Difference(0, 0, 1)
    mapped.layers.appearance.preview(150.0)
    assert mapped.layer("probability").contrast_limits[0] == 90.0
    assert mapped.layer("probability").colormap.name == "hubseg-less"
    mapped.layers.appearance.preview(30.0)
    assert mapped.layer("probability").contrast_limits[0] == 30.0
    assert mapped.layer("probability").colormap.name == "hubseg-more"
    mapped.session.set_threshold(30.0)
    mapped.layers.appearance.rest()
    mapped.settle()
    found = comparison.difference
    assert found is not None
    assert (found.more, found.less) == ((mapped.session.mask & ~kept).mean(), 0)
    assert np.array_equal(mapped.layer("reference").data, line)
    assert mapped.layer("reference").visible
    assert mapped.layer("probability").visible
    assert mapped.viewer.layers.selection.active is mapped.mask


@pytest.mark.parametrize("view", ["probability", "compare"])
def test_a_threshold_that_no_hand_has_moved_is_shown_too(mapped: Scene, view: str) -> None:
    """Undo, a reset and a preset set one without a preview."""
    if view == "compare":
        mapped.layers.appearance.compare(90.0)
    else:
        mapped.layers.set_view(view)
    mapped.session.set_threshold(30.0)
    mapped.settle()
    assert mapped.layer("probability").contrast_limits[0] == 30.0


@pytest.mark.parametrize("how", ["again", "slide"])
def test_a_comparison_ends_when_it_is_asked_for_again_and_with_its_slide(
    mapped: Scene, comparison: Comparison, how: str
) -> None:
    if how == "again":
        comparison.toggle()
    else:
        mapped.go_to("two")
    mapped.settle()
    assert (comparison.threshold, comparison.difference) == (None, None)
    assert not mapped.layer("reference").visible
    assert not mapped.layer("probability").visible
    assert mapped.mask.colormap.name == "hubseg-fill"


def test_strokes_count_in_a_comparison(mapped: Scene, comparison: Comparison) -> None:
    mapped.stroke("brush", (50, 3))
    mapped.settle()
    assert comparison.difference is not None
    assert comparison.difference.more > 0


def test_nothing_is_compared_without_a_map(scene: Scene) -> None:
    comparison = Comparison(scene.session, scene.layers, scene.background)
    comparison.toggle()
    assert comparison.threshold is None


# ---- strokes -----------------------------------------------------------------------------------


def test_a_stroke_is_one_gesture_and_part_of_the_mask(mapped: Scene) -> None:
    gestures: list[Any] = []
    mapped.session.history_changed.connect(lambda: gestures.append(1))
    mapped.stroke("brush", (50, 3), (50, 6), (52, 9))
    assert len(gestures) == 1
    assert mapped.session.undo_text == "brush"
    assert mapped.session.mask[50, 3]
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    assert not (mapped.mask.data == STROKE).any()


def test_what_was_inside_before_and_brushed_over_stays_inside(mapped: Scene) -> None:
    assert mapped.session.mask[50, 100]
    mapped.stroke("brush", (50, 100))
    mapped.session.set_threshold(255)
    mapped.settle()
    assert mapped.session.mask[50, 100]
    assert not mapped.session.mask[5, 100]


def test_the_eraser_takes_away(mapped: Scene) -> None:
    mapped.stroke("eraser", (50, 100))
    assert mapped.session.undo_text == "eraser"
    assert not mapped.session.mask[50, 100]
    mapped.session.set_threshold(0)
    mapped.settle()
    assert not mapped.session.mask[50, 100]
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


def test_strokes_need_no_map(scene: Scene) -> None:
    scene.stroke("brush", (50, 60))
    scene.stroke("eraser", (50, 63), size=3)
    assert scene.session.mask[50, 57]
    assert not scene.session.mask[50, 63]
    assert np.array_equal(scene.mask.data != 0, scene.session.mask)


def test_the_keys_of_the_mask_are_ours(mapped: Scene) -> None:
    mapped.stroke("brush", (50, 3))
    press = {str(key): bound for key, bound in mapped.mask.keymap.items()}
    press["Ctrl+Z"](mapped.mask)
    assert mapped.session.edits.is_empty
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    press["F"](mapped.mask)
    assert mapped.pressed == ["F"]


def test_undo_and_redo_redraw_where_the_stroke_was(mapped: Scene) -> None:
    before = mapped.mask.data.copy()
    mapped.stroke("brush", (50, 3), (60, 20))
    after = mapped.mask.data.copy()
    mapped.session.undo()
    assert np.array_equal(mapped.mask.data, before)
    mapped.session.redo()
    assert np.array_equal(mapped.mask.data, after)


def test_a_stroke_the_session_refuses_goes_away_again(
    mapped: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mapped.mask.data.copy()
    monkeypatch.setattr(mapped.session, "paint", lambda *_, **__: None)
    mapped.stroke("brush", (50, 3))
    assert np.array_equal(mapped.mask.data, before)


def hand(scene: Scene) -> Any:
    """What is drawn as a person's."""
    return np.isin(scene.mask.data, (BY_HAND, HAND_EDGE, HAND_RIM))


@pytest.mark.parametrize("after", ["gesture", "whole", "undo", "other slide and back"])
def test_what_a_person_drew_or_kept_is_told_from_what_the_model_found(
    mapped: Scene, make_map: Callable[..., Any], after: str
) -> None:
    mapped.stroke("brush", (50, 6), size=15)
    assert mapped.session.mask[50, 100]
    if after == "whole":
        mapped.session.show(make_map(mapped.session))
    elif after == "undo":
        mapped.session.undo()
    elif after == "other slide and back":
        mapped.go_to("two")
        assert not hand(mapped).any()
        mapped.go_to("one")
    mapped.settle()
    drew = mapped.session.edits.override() == ADD
    assert np.array_equal(hand(mapped), drew & mapped.session.mask)
    assert hand(mapped).any() is np.bool_(after != "undo")
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


def test_a_proposal_is_drawn_as_a_persons_before_it_is_done(mapped: Scene) -> None:
    change = Change.of("keep", (40, 100), add=np.ones((12, 16), np.bool_))
    made = mapped.layers.sketch.made(change, mapped.session.mask, mapped.session.edits)
    mapped.layers.sketch.show(made)
    assert hand(mapped)[40:52, 100:116].all()
    assert np.count_nonzero(hand(mapped)) == 12 * 16
    mapped.layers.sketch.show(None)
    assert not hand(mapped).any()


def test_a_line_in_the_making_lies_between_two_dark_ones_and_leaves_nothing(mapped: Scene) -> None:
    before = mapped.mask.data.copy()
    path = [(30.0, 90.0), (30.0, 100.0), (38.0, 110.0)]
    for i in range(1, len(path)):
        mapped.layers.sketch.draw_line(path[: i + 1], 2)
    shown = mapped.mask.data
    assert (shown[29:31, 92:98] == LINE).any(axis=0).all()
    assert (shown[26:29, 92:98] == LINE_RIM).any(axis=0).all()
    assert (shown[32:35, 92:98] == LINE_RIM).any(axis=0).all()
    assert shown[30, 100] == LINE, "a joint has no rim across it"
    mapped.layers.sketch.show(None)
    assert np.array_equal(mapped.mask.data, before)


def test_a_line_that_leaves_the_slide_draws_nothing_there(mapped: Scene) -> None:
    mapped.layers.sketch.draw_line([(-40.0, -50.0), (-20.0, -60.0)], 2)
    mapped.layers.sketch.draw_line([(-20.0, -60.0), (200.0, 300.0)], 2)
    mapped.layers.sketch.show(None)
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


def test_a_polygon_in_the_making_lets_the_tissue_through(mapped: Scene) -> None:
    assert mapped.mask._overlays["polygon"].opacity == 0.5


def test_the_fill_tool_takes_what_was_drawn_by_hand_with_the_object_it_belongs_to(
    mapped: Scene,
) -> None:
    mapped.stroke("brush", (50, 46), size=15)  # the object of the map begins at column 46
    whole = mapped.session.mask.copy()
    assert whole[50, 41]
    mapped.mask.mode = "fill"
    mapped.mask.fill((50, 100), 0)
    mapped.settle()
    assert not mapped.session.mask.any()
    mapped.session.undo()
    assert np.array_equal(mapped.session.mask, whole), "one gesture"


def test_the_fill_tool_takes_a_whole_object_with_its_edge(mapped: Scene) -> None:
    mapped.mask.mode = "fill"
    mapped.mask.fill((50, 100), 0)
    mapped.settle()
    assert not mapped.session.mask.any()
    assert mapped.session.undo_text == "fill"
    assert not mapped.mask.data.any()


def test_a_stroke_made_while_a_mask_is_being_computed_is_kept(mapped: Scene) -> None:
    mapped.session.set_threshold(200)
    mapped.stroke("brush", (50, 3))
    mapped.settle()
    assert mapped.session.mask[50, 3]
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], threading.Event]]:
    """Holds up a thread, while a mask is computed or compared; returns what lets it go on."""
    go_on = threading.Event()

    def hold(where: str) -> threading.Event:
        owner, name = {"computed": (MaskRequest, "compute"), "compared": (_drawing, "redrawn")}[
            where
        ]
        work = getattr(owner, name)

        def slow(*arguments: Any) -> Any:
            answer = work(*arguments)
            go_on.wait()
            return answer

        monkeypatch.setattr(owner, name, slow)
        return go_on

    yield hold
    go_on.set()


def as_drawn(session: ReviewSession) -> Any:
    mask = session.mask
    return drawn(mask, edge_width(mask.shape), hand_of(session.edits))


@pytest.mark.parametrize("strokes", [1, 3, 120])
@pytest.mark.parametrize("where", ["computed", "compared"])
def test_strokes_made_while_a_mask_is_computed_and_compared_are_drawn_as_a_persons(
    large: Scene, held_up: Callable[[str], threading.Event], where: str, strokes: int
) -> None:
    """Beside, across and inside what the new threshold moves; one of them is taken back."""
    go_on = held_up(where)
    large.session.set_threshold(140)
    for number in range(strokes):
        place = (40 + 9 * number, 520 + 7 * (number % 60))
        large.stroke("eraser" if number % 3 == 1 else "brush", place, size=31)
    large.stroke("brush", (600, 30), size=41)
    large.session.undo()
    go_on.set()
    large.settle()
    assert large.session.threshold == 140
    assert np.array_equal(large.mask.data, as_drawn(large.session))
    assert large.layers.drawing.newest is not None


def test_a_mask_that_comes_under_the_hand_waits_until_it_is_lifted(
    large: Scene, held_up: Callable[[str], threading.Event]
) -> None:
    go_on = held_up("compared")
    large.session.set_threshold(140)
    large.layers.take_tool("brush")
    event = SimpleNamespace(type="mouse_press", button=1, position=(150.0, 350.0))
    hand = large.mask.mouse_drag_callbacks[0](large.mask, event)
    next(hand)
    event.type = "mouse_move"
    with large.mask.block_history():
        large.mask.paint((300, 700), STROKE)
        go_on.set()
        large.settle()
        assert large.mask.data[300, 700] == STROKE
    event.type = "mouse_release"
    assert list(hand) == []
    large.settle()
    assert np.array_equal(large.mask.data, as_drawn(large.session))


def test_two_thresholds_in_a_row_end_with_the_second(
    large: Scene, held_up: Callable[[str], threading.Event]
) -> None:
    go_on = held_up("compared")
    large.session.set_threshold(140)
    large.session.set_threshold(60)
    go_on.set()
    large.settle()
    assert np.array_equal(large.session.mask, large.session.probability.values > 60)
    assert np.array_equal(large.mask.data, as_drawn(large.session))


def test_mask_and_drawing_come_home_together_and_figures_after_them(
    mapped: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One errand to a thread for a threshold; a second one, for figures, when it is on screen."""
    done: list[str] = []
    submit = mapped.background.submit

    def counted(*arguments: Any) -> None:
        done.append("asked")
        submit(*arguments)

    monkeypatch.setattr(mapped.background, "submit", counted)
    mapped.layers.mask_drawn.connect(lambda: done.append("drawn"))
    mapped.derivation.figures_changed.connect(lambda: done.append("figures"))
    mapped.session.set_threshold(200)
    mapped.settle()
    assert done == ["asked", "drawn", "asked", "figures"]
    assert mapped.derivation.figures.area == pytest.approx(mapped.session.mask.mean())


def test_the_tool_in_hand_is_known(mapped: Scene) -> None:
    told: list[str] = []
    mapped.layers.tool_changed.connect(lambda: told.append(mapped.layers.tool))
    for tool in ("brush", "eraser", "move"):
        mapped.layers.take_tool(tool)
    assert told == ["brush", "eraser", "move"]
    mapped.mask.mode = "pick"
    assert mapped.layers.tool == ""
    mapped.layers.set_brush_size(33)
    assert mapped.layers.brush_size == 33


def test_a_polygon_that_erases_is_a_tool_of_its_own(mapped: Scene) -> None:
    before = mapped.session.mask.copy()
    mapped.layers.take_tool("polygon_erase")
    assert mapped.layers.tool == "polygon_erase"
    mapped.mask.paint_polygon([(10, 90), (10, 110), (40, 110), (40, 90)], 0)
    mapped.settle()
    gone = before & ~mapped.session.mask
    assert gone[12:38, 92:108].all()
    assert not (mapped.session.mask & ~before).any()
    assert not gone[:9].any()
    assert mapped.session.undo_text == "polygon, erasing"
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    mapped.layers.take_tool("polygon")
    assert mapped.layers.tool == "polygon"
    mapped.layers.take_tool("polygon_erase")
    mapped.layers.take_tool("brush")
    assert mapped.mask.selected_label == STROKE, "the brush adds again"


def test_a_polygon_is_a_gesture_although_napari_rings_before_it_writes(mapped: Scene) -> None:
    mapped.mask.mode = "polygon"
    mapped.mask.paint_polygon([(10, 2), (10, 20), (40, 20), (40, 2)], STROKE)
    mapped.settle()
    assert mapped.session.undo_text == "polygon"
    assert mapped.session.mask[25, 10]
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)
    assert not (mapped.mask.data == STROKE).any()


def test_a_better_map_that_comes_while_the_hand_draws_loses_no_part_of_the_stroke(
    mapped: Scene, make_map: Callable[..., Any]
) -> None:
    mapped.layers.take_tool("brush")
    event = SimpleNamespace(type="mouse_press", button=1, position=(25.0, 1.5))
    hand = mapped.mask.mouse_drag_callbacks[0](mapped.mask, event)
    next(hand)
    event.type = "mouse_move"
    with mapped.mask.block_history():
        mapped.mask.paint((50, 3), STROKE)
        mapped.session.show(make_map(mapped.session, np.full(SHAPE, 200.0)))
        mapped.settle()
        assert mapped.mask.data[50, 3] == STROKE  # still under the hand
        mapped.mask.paint((50, 9), STROKE)
    event.type = "mouse_release"
    assert list(hand) == []
    mapped.settle()
    mapped.session.set_threshold(255)
    mapped.settle()
    assert mapped.session.mask[50, 3]
    assert mapped.session.mask[50, 9]
    assert np.array_equal(mapped.mask.data != 0, mapped.session.mask)


PIECE = SimpleNamespace(slice_key=(slice(2, 4), slice(3, 6)), mask=None, new_value=3)
OLD_PIECE = ((np.array([5]), np.array([1])), np.array([1]), 0)


@pytest.mark.parametrize(
    ("pieces", "window", "added", "erased"),
    [
        ([], None, 0, 0),
        ([((np.array([], int), np.array([], int)), 0, 1)], None, 0, 0),
        ([PIECE], (2, 3, 2, 3), 6, 0),
        ([PIECE, OLD_PIECE], (2, 1, 4, 5), 6, 1),
        ([PIECE, SimpleNamespace(**{**vars(PIECE), "new_value": 0})], (2, 3, 2, 3), 0, 6),
    ],
)
def test_a_stroke_is_the_sum_of_its_pieces_in_order(
    pieces: Any, window: Any, added: int, erased: int
) -> None:
    found, done = stroke(pieces, SHAPE)
    assert found == window
    assert ((done == ADD).sum(), (done == ERASE).sum()) == (added, erased)


# ---- the figures -------------------------------------------------------------------------------


def test_the_figures_are_those_of_mask_and_map(mapped: Scene) -> None:
    figures = mapped.derivation.figures
    assert figures.area == pytest.approx(mapped.session.mask.mean())
    assert figures.objects == 1
    assert figures.disagreement == pytest.approx(0.2)
    assert figures.size(None)[:2] == ("1 object", f"{100 * figures.area:.1f} %")
    assert str(figures) == "disagreement 0.20", "area and objects are said once"


def test_the_figures_follow_a_stroke(mapped: Scene) -> None:
    mapped.stroke("brush", (50, 3))
    mapped.settle()
    assert mapped.derivation.figures.objects == 2


@pytest.mark.parametrize("leave", [False, True])
def test_nothing_is_touched_after_the_close(mapped: Scene, leave: bool) -> None:
    mask = mapped.mask
    mapped.layers.close(leave=leave)
    before, rows = mask.data.copy(), len(mapped.session.project.entries())
    assert (mask in mapped.viewer.layers) is leave
    mapped.session.set_threshold(255)
    mapped.settle()
    assert np.array_equal(mask.data, before)
    assert mask.keymap == {}
    mask.paint((50, 3), 1)
    assert len(mapped.session.project.entries()) == rows + 1, "the threshold alone"
    mapped.viewer.layers.clear()
    session = mapped.session
    mapped.layers = LayerBinding(session, mapped.viewer, mapped.background, {})
