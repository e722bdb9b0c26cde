"""A large slide in a real window: divided into regions, and gone through by looking about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from hubseg.edits.gesture import ADD
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from napari_hubseg.canvas.brush import camera
from napari_hubseg.jobs.choices import EnsembleChoice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_hubseg.dock import HubSegWidget

    Wait = Callable[[Callable[[], bool]], None]

SHAPE = (700, 900)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pyramid that is large by limits made small, with tissue in its upper half."""
    monkeypatch.setattr("hubseg.slide.regions.LARGE", 400_000)
    monkeypatch.setattr("hubseg.slide.pyramid._WHOLE", 400_000)
    monkeypatch.setattr("hubseg.session.regions.SIDE", 350)
    monkeypatch.setattr("napari_hubseg.canvas.wandering._NEAR", 1)
    random = np.random.default_rng(3)
    pixels = np.full((*SHAPE, 3), 245, np.uint8)
    pixels[20:330, 20:880] = random.integers(0, 160, (310, 860, 3), np.uint8)
    pixels[..., 1] = np.minimum(pixels[..., 1], pixels[..., 0])
    path = tmp_path / "whole.tif"
    with tifffile.TiffWriter(path) as tif:
        more: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
        tif.write(pixels, subifds=1, resolution=(20000, 20000), resolutionunit=3, **more)
        small = cv2.resize(pixels, (225, 175), interpolation=cv2.INTER_AREA)
        tif.write(small, subfiletype=1, **more)
    return path


@pytest.fixture
def divided(dock: HubSegWidget, large: Path, wait: Wait) -> HubSegWidget:
    """The dock at the first region of the slide, which was divided by the button of the offer."""
    dock.open_path(large)
    wait(lambda: not dock.busy and dock.session.current is not None)
    wait(lambda: dock.desk.offers.is_offered("Divide it"))
    dock.desk.take_offer()
    wait(lambda: dock.session.current.region is not None and not dock.busy)
    return dock


def layer(dock: HubSegWidget, name: str) -> Any:
    return next(one for one in dock._viewer.layers if one.name == name)


def corners(dock: HubSegWidget, name: str) -> list[float]:
    """Outer borders of a layer in the world: top, left, bottom, right."""
    one = layer(dock, name)
    shape = one.data[0].shape if one.multiscale else one.data.shape
    first = one.data_to_world((-0.5, -0.5))
    last = one.data_to_world((shape[0] - 0.5, shape[1] - 0.5))
    return [*map(float, first), *map(float, last)]


def test_a_slide_too_large_to_be_drawn_on_is_shown_and_nothing_of_its_size_is_made(
    dock: HubSegWidget, large: Path, wait: Wait
) -> None:
    dock.open_path(large)
    wait(lambda: not dock.busy and dock.desk.offers.is_offered("Divide it"))

    assert dock.session.too_large
    assert dock.session.mask is None
    assert layer(dock, "slide").multiscale
    assert layer(dock, "mask").data.shape == (3, 3)
    assert not layer(dock, "mask").bounding_box.visible
    said: list[str] = []
    dock.session.failed.connect(said.append)
    dock.session.paint(np.ones((5, 5), np.bool_), top=0, left=0, add=True)
    dock.session.accept()
    assert len(said) == 2
    assert all("divide it into regions" in one for one in said)
    assert dock.session.changed_file is None  # it is the right one
    assert not dock.verdict.accept.isEnabled()
    dock.session.tell(um_per_px=0.25)  # and what is told of it is told of its regions
    wait(lambda: dock.desk.offers.is_offered("Divide it"))
    dock.desk.take_offer()
    wait(lambda: dock.session.current.region is not None and not dock.busy)
    assert dock.session.current.um_per_px == 0.25


def test_regions_lie_where_they_are_on_the_slide_that_is_seen_around_them(
    divided: HubSegWidget,
) -> None:
    dock = divided
    assert [slide.id for slide in dock.session.slides] == [
        *("whole_r1_c1", "whole_r1_c2", "whole_r1_c3")
    ]
    assert dock.session.current.id == "whole_r1_c1"
    assert corners(dock, "slide") == pytest.approx([-0.25, -0.25, 349.75, 449.75])

    dock.desk.go_to("whole_r1_c2")
    assert corners(dock, "slide") == pytest.approx([-0.25, -0.25, 349.75, 449.75])
    assert layer(dock, "mask").data.shape == (350, 300)
    assert layer(dock, "mask").bounding_box.visible  # where it ends and its slide goes on


def test_looking_at_the_next_region_takes_it_up_and_the_view_stays(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock = divided
    wait(lambda: corners(dock, "mask") == pytest.approx([-0.25, -0.25, 174.75, 149.75]))
    view = camera(dock._viewer)
    before = layer(dock, "slide").data[0]
    view.zoom *= 2
    zoom = view.zoom

    view.center = (0, 80, 150 + 40)  # µm: in the second region

    wait(lambda: dock.session.current.id == "whole_r1_c2" and not dock.busy)
    wait(lambda: corners(dock, "mask") == pytest.approx([-0.25, 149.75, 174.75, 299.75]))
    assert tuple(view.center)[-2:] == pytest.approx((80, 190))
    assert view.zoom == zoom
    assert layer(dock, "slide").data[0] is before  # its tiles are not read again

    view.center = (0, 250, 190)  # where no region is
    dock.session.paint(np.ones((10, 10), np.bool_), top=5, left=7, add=True)
    wait(lambda: not dock.busy)
    dock.desk.accept()
    wait(lambda: dock.session.current.id == "whole_r1_c3" and not dock.busy)
    assert dock.session.verdict("whole_r1_c2") is Verdict.CORRECTED
    wait(lambda: tuple(view.center)[-1] == pytest.approx(375, abs=2))  # one goes there by itself


def test_the_map_of_the_whole_slide_is_seen_around_the_region_and_follows_the_threshold(
    divided: HubSegWidget, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock, large = divided, SimpleNamespace()
    values = np.full((70, 90), 200.0, np.float32)
    large.overview = lambda: SimpleNamespace(values=values.copy(), step=(10.0, 10.0))
    monkeypatch.setattr("napari_hubseg.canvas.around.newest_large_map", lambda *_, **__: large)
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: any(one.name == "around" for one in dock._viewer.layers) and not dock.busy)

    around = layer(dock, "around")
    assert around.visible
    assert corners(dock, "around") == pytest.approx([-0.25, -0.25, 349.75, 449.75])
    assert (around.data[:35, 30:60] < 0).all()  # there its own mask is seen
    assert (around.data[35:] == 200).all()
    assert dock._viewer.layers.index(around) < dock._viewer.layers.index(layer(dock, "mask"))
    assert around.contrast_limits[0] == dock.session.threshold
    dock.session.set_threshold(90.0)
    wait(lambda: around.contrast_limits[0] == 90)

    monkeypatch.setattr("napari_hubseg.canvas.around.newest_large_map", lambda *_, **__: None)
    dock.desk.go_to("whole_r1_c3")
    wait(lambda: not any(one.name == "around" for one in dock._viewer.layers))


def test_a_stroke_in_a_region_is_kept_at_its_place(divided: HubSegWidget, wait: Wait) -> None:
    dock = divided
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: not dock.busy and corners(dock, "mask")[1] == pytest.approx(149.75))
    mask = layer(dock, "mask")
    dock.desk.take_tool("brush")

    with mask.block_history():
        mask.paint(tuple(mask.world_to_data((50.0, 200.0))), mask.selected_label)

    assert dock.session.undo_text == "brush"
    rows, columns = np.nonzero(dock.session.mask)
    assert rows.mean() == pytest.approx(100, abs=1)  # µm / 0.5
    assert columns.mean() == pytest.approx((200 - 150) * 2, abs=1)


def across(dock: HubSegWidget, tool: str, *places: tuple[float, float]) -> None:
    """Draw with napari's tool over places of the world, as a hand does."""
    mask = layer(dock, "mask")
    dock.desk.take_tool(tool)
    dock.desk.layers.set_brush_size(20)
    event = SimpleNamespace(
        type="mouse_press",
        button=1,
        position=places[0],
        pos=np.zeros(2),
        is_dragging=True,
        dims_displayed=[0, 1],
        modifiers=(),
        view_direction=None,
        dims_point=(0, 0),
    )
    mouse_press_callbacks(mask, event)
    event.type = "mouse_move"
    for place in places[1:]:
        event.position = place
        mouse_move_callbacks(mask, event)
    event.type = "mouse_release"
    mouse_release_callbacks(mask, event)


def at_second(dock: HubSegWidget, wait: Wait) -> None:
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: not dock.busy and corners(dock, "mask")[1] == pytest.approx(149.75))


def edits_of(dock: HubSegWidget, name: str) -> Any:
    project = dock.session.project
    state = SlideState.read(project, name)
    return state.edits((350, 300), project.payload).of(None).override()


def test_a_stroke_over_a_border_goes_on_in_the_next_region_and_is_one_step(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock = divided
    at_second(dock, wait)

    across(dock, "brush", (60, 120), (60, 150), (60, 180))  # µm; the border is at 150

    wait(lambda: not dock.busy and edits_of(dock, "whole_r1_c1").any())
    both = np.hstack([edits_of(dock, "whole_r1_c1"), edits_of(dock, "whole_r1_c2")])
    rows, columns = np.nonzero(both == ADD)
    assert (columns.min(), columns.max()) == pytest.approx((240 - 10, 360 + 10), abs=2)
    assert abs(rows.mean() - 120) < 1
    assert (both[115:125, 240:360] == ADD).all()  # no gap at the border
    assert dock.session.verdict("whole_r1_c1") is Verdict.IN_WORK
    assert not edits_of(dock, "whole_r1_c3").any()

    dock.desk.undo()
    assert not edits_of(dock, "whole_r1_c1").any()
    assert not edits_of(dock, "whole_r1_c2").any()
    dock.desk.redo()
    again = np.hstack([edits_of(dock, "whole_r1_c1"), edits_of(dock, "whole_r1_c2")])
    assert np.array_equal(again, both)


def test_what_is_accepted_beside_stays_and_the_stroke_ends_at_its_border(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock, said = divided, []
    dock.desk.told.connect(said.append)
    dock.session.accept(as_empty=True)  # the first region
    at_second(dock, wait)

    across(dock, "brush", (60, 120), (60, 180))

    wait(lambda: any("ends at its border" in one for one in said))
    assert dock.session.verdict("whole_r1_c1").stands
    assert not edits_of(dock, "whole_r1_c1").any()
    assert edits_of(dock, "whole_r1_c2").any()


def test_a_stroke_inside_a_region_is_no_other_ones(divided: HubSegWidget, wait: Wait) -> None:
    dock = divided
    at_second(dock, wait)
    across(dock, "brush", (60, 200), (60, 220))
    wait(lambda: not dock.busy)
    assert dock.session.undo_text == "brush"
    assert not edits_of(dock, "whole_r1_c1").any()
    assert not edits_of(dock, "whole_r1_c3").any()


def test_tissue_is_shown_corrected_and_divided_by(
    dock: HubSegWidget, large: Path, wait: Wait
) -> None:
    dock.open_path(large)
    wait(lambda: not dock.busy and dock.desk.offers.is_offered("Divide it"))
    dock.desk.find_tissue()
    wait(lambda: dock.session.current.id == "whole_tissue" and not dock.busy)
    wait(lambda: dock.session.mask is not None)
    session = dock.session

    assert [str(one) for one in session.structures] == ["tissue"]
    assert not session.too_large
    wait(lambda: dock.desk.offers.is_offered("Divide it"))
    mask = layer(dock, "mask")
    assert mask.data.shape == (session.current.height, session.current.width)
    wait(lambda: bool(mask.data.any()))
    found = session.mask.copy()
    high, wide = found.shape
    left = np.ones((high, wide // 2), np.bool_)
    session.paint(left, top=0, left=0, add=False)
    wait(lambda: not dock.busy and not session.mask[:, : wide // 2].any())
    dock.desk.undo()
    wait(lambda: np.array_equal(session.mask, found))
    session.paint(left, top=0, left=0, add=False)
    dock.desk.queue.watch(True)
    wait(lambda: any(one.tissue_mm2 for one in dock.desk.queue.rows))
    dock.desk.divide_slide()
    wait(lambda: session.current.region is not None and not dock.busy)

    named = {slide.id for slide in session.slides}
    assert named == {"whole_tissue", "whole_r1_c2", "whole_r1_c3"}
    dock.desk.find_tissue()  # also from a region
    assert session.current.id == "whole_tissue"
    said: list[str] = []
    dock.session.failed.connect(said.append)
    dock.desk.ensemble.failed.connect(said.append)
    dock.desk.ensemble.run(EnsembleChoice("demo"))
    assert said == ["whole_tissue says where tissue is: run its slide or regions."]
