"""A large slide in a real window: divided into regions, and gone through by looking about."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from pyramids import stained, write_pyramid
from windows import as_at_first

from hubseg.edits.gesture import ADD
from hubseg.formats.geojson import write_geojson
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.mask.drawing import BY_HAND, INSIDE
from hubseg.mask.slide_mask import NOTHING
from hubseg.probability import MapStore, TileLayout
from hubseg.probability.tile_file import Tile
from hubseg.probability.tiling import Tiling
from hubseg.project import ReviewProject
from hubseg.project.splitting import split_slide
from hubseg.slide import SlideTable
from hubseg.tools import Change
from napari_hubseg.canvas.brush import camera
from napari_hubseg.jobs.choices import EnsembleChoice
from napari_hubseg.jobs.run_places import tiles_of, tiles_of_all
from napari_hubseg.panels.run_places import RunPlacesPanel, RunPlacesState
from napari_hubseg.presenters.progress import progress_state
from napari_hubseg.widgets.import_masks import ImportDialog
from napari_hubseg.widgets.named_chooser import NamedChooser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_hubseg.dock import HubSegWidget

    Wait = Callable[[Callable[[], bool]], None]

SHAPE, SIDE = (700, 900), 350  # of the slide and of its regions, px
REGIONS = ("whole_r1_c1", "whole_r1_c2", "whole_r1_c3")


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid with tissue in its upper half."""
    path = tmp_path_factory.mktemp("slide") / "whole.tif"
    return write_pyramid(path, stained(SHAPE, np.s_[20:330, 20:880]), (4,))


@pytest.fixture(scope="module")
def project(pyramid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its three regions, which nobody has seen yet."""
    path = tmp_path_factory.mktemp("project") / "p.hubseg"
    ReviewProject.create(path, SlideTable.open(pyramid)).close()
    with ReviewProject.open(path) as opened:
        assert split_slide(opened, "whole", SIDE).new == REGIONS
    return path


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a slide of some hundred px be a large one."""
    monkeypatch.setattr("hubseg.slide.regions.LARGE", 400_000)
    monkeypatch.setattr("hubseg.slide.pyramid._WHOLE", 400_000)
    monkeypatch.setattr("hubseg.session.regions.SIDE", SIDE)
    monkeypatch.setattr("napari_hubseg.canvas.wandering._NEAR", 1)


@pytest.fixture
def large(pyramid: Path, tmp_path: Path, small_limits: None) -> Path:
    """The pyramid in a folder of its own, where no project lies beside it."""
    return Path(shutil.copy(pyramid, tmp_path))


@pytest.fixture
def divided(
    dock_of_the_file: HubSegWidget, project: Path, tmp_path: Path, small_limits: None, wait: Wait
) -> HubSegWidget:
    """The dock at the first region of the slide, in a project of the test's own."""
    dock = dock_of_the_file
    as_at_first(dock)
    dock.open_path(Path(shutil.copytree(project, tmp_path / "p.hubseg")))
    wait(lambda: not dock.busy and dock.session.current is not None)
    assert dock.session.current.id == REGIONS[0]
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
    assert tuple(slide.id for slide in dock.session.slides) == REGIONS
    assert dock.session.current.um_per_px == 0.25


def test_regions_lie_where_they_are_on_the_slide_that_is_seen_around_them(
    divided: HubSegWidget,
) -> None:
    dock = divided
    assert tuple(slide.id for slide in dock.session.slides) == REGIONS
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


def around(dock: HubSegWidget, step: int) -> np.ndarray:
    """What the layer of masks around the region has at one of its levels."""
    one = next(level for level in layer(dock, "regions").data if level.step == step)
    return np.asarray(one)[: -(-SHAPE[0] // step), : -(-SHAPE[1] // step)]


def test_the_map_of_the_whole_slide_is_seen_around_the_region_and_follows_the_threshold(
    divided: HubSegWidget, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock, large = divided, SimpleNamespace()
    values = np.full((70, 90), 200.0, np.float32)
    large.overview = lambda: SimpleNamespace(values=values.copy(), step=(10.0, 10.0))
    monkeypatch.setattr("napari_hubseg.canvas.around.newest_large_map", lambda *_, **__: large)
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: any(one.name == "around" for one in dock._viewer.layers) and not dock.busy)
    wait(lambda: dock.desk.layers.around.masks.mask.hidden == (0, 300, 350, 300))

    mapped, masks = layer(dock, "around"), layer(dock, "regions")
    assert masks.visible
    assert not mapped.visible  # at rest it is seen in the masks' levels
    assert corners(dock, "around") == pytest.approx([-0.25, -0.25, 349.75, 449.75])
    assert corners(dock, "regions")[:2] == pytest.approx([-0.25, -0.25])
    assert (mapped.data[:35, 30:60] < 0).all()  # there its own mask is seen
    assert (mapped.data[35:] == 200).all()
    seen = around(dock, 1)
    assert (seen[:350, 300:600] == NOTHING).all()
    assert (seen[350:] == INSIDE).all()
    assert (seen[:350, :300] == INSIDE).all()
    layers = dock._viewer.layers
    assert layers.index(mapped) < layers.index(masks) < layers.index(layer(dock, "mask"))
    dock.session.set_threshold(90.0)
    dock.desk.layers.set_view("probability")
    assert mapped.visible
    assert not masks.visible
    assert mapped.contrast_limits[0] == 90
    dock.desk.layers.set_view("fill")
    dock.session.set_threshold(220.0)
    wait(lambda: not (around(dock, 16)[:, :18] == INSIDE).any())
    assert masks.visible

    monkeypatch.setattr("napari_hubseg.canvas.around.newest_large_map", lambda *_, **__: None)
    dock.desk.go_to("whole_r1_c3")
    wait(lambda: not any(one.name == "around" for one in dock._viewer.layers))


def test_what_was_found_on_a_region_that_was_not_run_stays_around_and_is_told_of(
    divided: HubSegWidget, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run reaches beyond its region's frame: the objects there went without a word."""
    dock, large = divided, SimpleNamespace()
    values = np.full((70, 90), 20.0, np.float32)
    values[:35, 20:40] = 200.0  # over the border of the first region and the second
    large.overview = lambda: SimpleNamespace(values=values.copy(), step=(10.0, 10.0))

    def newest(_: Any, slide: Any, **__: Any) -> Any:
        return large if slide.id == "whole_r1_c1" else None

    monkeypatch.setattr("napari_hubseg.canvas.around.newest_large_map", newest)
    dock.desk.layers.around.note("whole_r1_c1")  # it was run
    wait(lambda: any(one.name == "around" for one in dock._viewer.layers) and not dock.busy)
    assert "was not run" not in dock.message.sentence.text()
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: "whole_r1_c2 was not run" in dock.message.sentence.text())
    assert dock.message.isVisible()
    assert any(one.name == "around" for one in dock._viewer.layers)
    dock.desk.go_to("whole_r1_c3")  # nothing was found there
    settled(dock, wait)
    assert not dock.message.isVisible()


def settled(dock: HubSegWidget, wait: Wait) -> None:
    """Wait until the masks around are found and drawn."""
    masks = dock.desk.layers.around.masks
    wait(lambda: not dock.busy and not masks.busy and masks.mask.hidden is not None)


def test_masks_of_other_regions_are_seen_around_at_every_zoom_whatever_is_done(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock, square = divided, np.ones((60, 60), np.bool_)
    dock.session.paint(square, top=100, left=240, add=True)  # up to the border, in the first region
    own = layer(dock, "mask").data.copy()
    assert own.any()

    dock.desk.go_to("whole_r1_c2")
    settled(dock, wait)
    first = (slice(350), slice(300))
    assert layer(dock, "regions").visible
    assert np.array_equal(around(dock, 1)[first], own)  # the very values that its layer had
    assert (around(dock, 16)[8:9, 16:18] >= BY_HAND).all()
    colours = layer(dock, "regions").colormap.map(np.arange(NOTHING + 1) / NOTHING)
    shown = layer(dock, "mask").colormap.color_dict
    for value in range(NOTHING):
        assert colours[value] == pytest.approx(shown[value], abs=1e-6)
    assert colours[NOTHING][3] == 0

    across(dock, "brush", (100, 180), (100, 120))  # µm: back over the border
    wait(lambda: around(dock, 1)[200, 260] >= BY_HAND)
    settled(dock, wait)
    assert around(dock, 1)[200, 260] >= BY_HAND
    dock.desk.undo()
    settled(dock, wait)
    assert np.array_equal(around(dock, 1)[first], own)

    second = layer(dock, "mask").data.copy()
    dock.desk.go_to("whole_r1_c1")
    settled(dock, wait)
    dock.session.accept()
    dock.desk.go_to("whole_r1_c3")
    settled(dock, wait)
    assert np.array_equal(around(dock, 1)[first], own)  # accepted
    assert np.array_equal(around(dock, 1)[:350, 300:600], second)
    assert (around(dock, 1)[:350, 600:] == NOTHING).all()  # its own layer shows it
    assert (dock.session.project.path / "region_masks").is_dir()


def test_what_is_beside_two_regions_is_seen_finely_at_the_border_of_the_one_on_screen(
    divided: HubSegWidget, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock = divided
    monkeypatch.setattr("napari_hubseg.jobs.region_masks._REACH", 40)
    dock.desk.go_to("whole_r1_c2")
    settled(dock, wait)
    for left in (0, 260):
        dock.session.paint(np.ones((33, 37), np.bool_), top=101, left=left, add=True)
    own = layer(dock, "mask").data.copy()
    dock.desk.go_to("whole_r1_c1")
    settled(dock, wait)
    assert np.array_equal(around(dock, 1)[:350, 300:340], own[:, :40])
    dock.desk.go_to("whole_r1_c3")
    settled(dock, wait)
    assert np.array_equal(around(dock, 1)[:350, 560:600], own[:, -40:])
    assert dock.desk.layers.around.masks.mask.regions["whole_r1_c2"].levels[1][2].shape[1] == 40


def test_a_region_that_is_left_is_seen_beside_the_next_one_without_a_gap(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock, seen = divided, []
    dock.session.paint(np.ones((60, 60), np.bool_), top=100, left=240, add=True)
    settled(dock, wait)
    left = dock.desk.layers.around.masks
    note = left.changed.connect(lambda: seen.append(left.mask.hidden))
    dock.desk.go_to("whole_r1_c2")
    wait(lambda: (0, 300, 350, 300) in seen)
    left.changed.disconnect(note)

    assert around(dock, 1)[100:160, 240:300].all()  # before its mask was found again
    assert seen[0] is None  # hidden by neither, until the next one's own layer shows it


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
    dock.desk.take_tool(tool)
    dock.desk.layers.set_brush_size(20)
    drag(layer(dock, "mask"), places)


def drag(mask: Any, places: Sequence[tuple[float, ...]]) -> None:
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
    for number, place in enumerate(places[1:], 1):
        event.position, event.pos = place, np.full(2, 10.0 * number)
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


def around_border(dock: HubSegWidget, tool: str, corners: list[tuple[float, float]]) -> None:
    """Draw an outline with a tool: corners in px of the second region, as a hand does."""
    mask = layer(dock, "mask")
    dock.desk.take_tool(tool)
    if tool.startswith("polygon"):
        making = mask._overlays["polygon"]
        making.points = [[row + 0.5, column + 0.5] for row, column in corners]
        making.add_polygon_to_labels(mask)
    else:
        drag(mask, [tuple(mask.data_to_world(one)) for one in corners])


SQUARE = [(100.0, -60.0), (100.0, 60.0), (140.0, 60.0), (140.0, -60.0)]


@pytest.mark.parametrize("tool", ["lasso", "polygon"])
def test_an_outline_over_a_border_goes_on_in_the_next_region_and_is_one_step(
    divided: HubSegWidget, wait: Wait, tool: str
) -> None:
    dock = divided
    at_second(dock, wait)

    around_border(dock, tool, SQUARE)
    wait(lambda: not dock.busy and edits_of(dock, "whole_r1_c1").any())
    both = np.hstack([edits_of(dock, "whole_r1_c1"), edits_of(dock, "whole_r1_c2")])
    rows, columns = np.nonzero(both == ADD)
    assert (rows.min(), rows.max()) == pytest.approx((100, 140), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((240, 360), abs=1)
    assert (both[102:138, 242:358] == ADD).all()  # no gap at the border
    assert dock.desk.offers.is_offered("Undo")

    around_border(dock, f"{tool}_erase", SQUARE)
    wait(lambda: not dock.busy and not (edits_of(dock, "whole_r1_c1") == ADD)[102:138].any())
    dock.desk.undo()
    assert (edits_of(dock, "whole_r1_c1") == ADD).any()
    dock.desk.undo()
    wait(lambda: not dock.busy and not edits_of(dock, "whole_r1_c2").any())


@pytest.mark.parametrize("tool", ["brush", "eraser", "lasso", "polygon", "lasso_erase", "drop"])
def test_what_is_drawn_outside_the_region_on_screen_changes_nothing_and_says_where_it_lies(
    divided: HubSegWidget, wait: Wait, tool: str
) -> None:
    """A click beside the frame had painted in a region that was not on screen."""
    dock = divided
    dock.session.paint(np.ones((350, 300), np.bool_), add=True)  # the first region
    before = edits_of(dock, "whole_r1_c1").copy()
    at_second(dock, wait)
    rows = len(dock.session.project.entries())
    beside = [(row, column - 100) for row, column in SQUARE]  # px of the second region
    if tool in ("brush", "eraser"):
        mask = layer(dock, "mask")
        across(dock, tool, *(tuple(mask.data_to_world(one)) for one in beside[:2]))
    else:
        around_border(dock, tool, beside[:1] if tool == "drop" else beside)

    wait(lambda: not dock.busy and dock.desk.offers.is_offered("Go there"))
    assert len(dock.session.project.entries()) == rows
    assert np.array_equal(edits_of(dock, "whole_r1_c1"), before)
    assert dock.step.sentence.text() == (
        "Nothing was changed: that lies in whole_r1_c1, and whole_r1_c2 is on screen."
    )
    if tool == "brush":
        zoom = camera(dock._viewer).zoom
        dock.desk.take_offer()
        wait(lambda: dock.session.current.id == "whole_r1_c1" and not dock.busy)
        place = [side / 2 for side in (100, 300 - 160)]  # µm
        assert tuple(camera(dock._viewer).center)[-2:] == pytest.approx(place)
        assert camera(dock._viewer).zoom == zoom


def test_what_is_drawn_where_no_region_is_says_so(divided: HubSegWidget, wait: Wait) -> None:
    at_second(divided, wait)
    across(divided, "brush", (250, 200), (260, 210))  # µm: glass below the region
    said = divided.message.sentence
    wait(lambda: said.text() == "Nothing was changed: that lies outside whole_r1_c2, in no region.")
    assert not divided.session.can_undo


def test_a_stroke_that_begins_outside_and_comes_in_is_one_over_the_border(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock = divided
    at_second(dock, wait)
    across(dock, "brush", (60, 120), (60, 180))
    wait(lambda: not dock.busy and edits_of(dock, "whole_r1_c1").any())
    assert edits_of(dock, "whole_r1_c2").any()
    assert dock.desk.offers.is_offered("Undo")


def test_a_tool_that_follows_the_map_says_that_it_ends_at_the_frame(
    divided: HubSegWidget, wait: Wait
) -> None:
    at_second(divided, wait)
    over = divided.desk.layers.drawing.over
    at_border = Change.of("wand", (100, 0), add=np.ones((9, 9), np.bool_))
    assert "ends at the frame of this region: go on in whole_r1_c1" in over.ends_at_frame(
        "wand", at_border
    )
    for tool, place in (("lasso", (100, 0)), ("wand", (100, 5)), ("wand", (0, 100))):
        assert not over.ends_at_frame(tool, replace(at_border, top=place[0], left=place[1]))


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


def test_a_run_over_regions_says_which_and_shows_where_it_is(
    divided: HubSegWidget, wait: Wait
) -> None:
    dock, places, words = divided, [], []
    panel, run = dock.run_places, dock.desk.ensemble
    assert panel.isHidden()

    def look() -> None:
        if run.running:
            places.append(tuple(how for _, how in dock.desk.run_places.regions))
            words.append(progress_state(dock.desk).said)

    run.changed.connect(look)
    run.run(EnsembleChoice("demo", all_slides=True))
    wait(lambda: not run.running)

    assert ("in work", "to come", "to come") in places
    assert ("done", "in work", "to come") in places
    assert places[-1] == ("done", "done", "done")
    assert all("in work" in one for one in places if one != places[-1])
    assert any(one.startswith("region 2/3  ·  network 1/3") for one in words)
    assert dock.desk.run_places.slide is None  # nothing is run any more
    assert panel.isHidden()


def test_how_far_a_slide_in_tiles_is_is_said_in_tiles() -> None:
    last = SimpleNamespace(done=0, total=5, slide_id="b", tiles=(14, 40), seconds_left=360.0)
    run = SimpleNamespace(running=True, last=last, asked=("a", "b", "c"), message="")
    run.waiting = SimpleNamespace(all=())
    places, teaching = SimpleNamespace(all_regions=True), SimpleNamespace(writing=False)
    session = SimpleNamespace(current=SimpleNamespace(id="b"))
    facts = {"ensemble": run, "run_places": places, "teaching": teaching, "session": session}
    desk: Any = SimpleNamespace(**facts)
    state = progress_state(desk)
    assert state.said == "region 2/3  ·  tile 14/40  ·  6 min 00 s left"
    assert (state.done, state.total) == (14, 40)
    assert not state.waits
    last.seconds_left = None
    assert progress_state(desk).waits  # the line counts the time


def test_tiles_of_a_run_lie_where_they_are_and_are_done_once_every_member_is_there(
    tmp_path: Path,
) -> None:
    layout = TileLayout(SHAPE, (350, 450), Tiling(side=128, overlap=64, margin=0))
    store, places = MapStore(tmp_path), layout.touching(None)
    for key, some in (("aa", places[:3]), ("bb", places[:2])):
        tiles = store.tiles_for(key, layout)
        for place in some:
            tiles.put(place, tiles.pack(place, Tile(None)))
    found = tiles_of(tmp_path, ("aa", "bb", ""), None)
    assert [how for _, how in found][:4] == ["done", "done", "in work", "to come"]
    assert len(found) == len(places)
    assert all(window[2:] == (256, 256) for window, _ in found)
    assert {window[:2] for window, _ in found} == {(2 * y, 2 * x) for y, x in places}
    corner = tiles_of(tmp_path, ("aa",), (0, 0, 50, 50))
    assert 0 < len(corner) < len(found)
    assert tiles_of(tmp_path, ("cc",), None) == ()
    begun = tiles_of(tmp_path, ("aa", "bb", "cc"), None)  # one that has none yet lacks all
    assert [how for _, how in begun][:4] == ["in work", "in work", "in work", "to come"]
    whole = (0, 0, *SHAPE)
    (left, right) = ((0, 0, SHAPE[0], 450), (0, 450, SHAPE[0], 450))
    every = tiles_of_all(tmp_path, ("aa",), ((right, "in work"), (left, "done")))
    assert {window for window, _ in every} == {w for w, _ in tiles_of(tmp_path, ("aa",), whole)}
    assert len(every) == len(places)  # each once
    assert {how for window, how in every if window[1] < 450} == {"done"}
    assert "to come" in {how for _, how in every}


def test_regions_can_be_told_apart_where_there_is_little_room_for_their_names(qtbot: Any) -> None:
    chooser = NamedChooser()
    qtbot.addWidget(chooser)
    chooser.addItems(["a_whole_slide_with_a_long_name_r3_c1", "short"])
    chooser.resize(140, 28)
    assert chooser.shown_text.startswith("a_wh")
    assert chooser.shown_text.endswith("_c1")
    assert not chooser.grab().isNull()
    chooser.setCurrentIndex(1)
    assert chooser.shown_text == "short"


def test_the_picture_of_a_run_shows_each_place_and_says_how_many_are_done(qtbot: Any) -> None:
    panel = RunPlacesPanel()
    qtbot.addWidget(panel)
    regions = (((0, 0, 50, 100), "done"), ((50, 0, 50, 100), "to come"))
    picture = np.full((64, 64, 3), 250, np.uint8)
    panel.show_state(RunPlacesState("s", (100, 100), regions, (), True, picture))
    panel.resize(panel.sizeHint())
    shown = panel.grab().toImage()
    upper, lower = shown.pixelColor(60, 30), shown.pixelColor(60, 100)
    assert upper != lower
    assert lower.red() > 230  # the slide is seen
    assert upper.red() < upper.green()  # and here what is done
    assert "1 of 2 regions done" in panel.accessibleName()
    words = [text for _, text in RunPlacesState("s", (100, 100), regions).legend]
    assert words == ["1 region done", "0 regions in work", "1 region to come"]
    tiles = tuple(((top, 0, 25, 100), "in work") for top in (0, 25, 50))
    both = RunPlacesState("s", (100, 100), regions, tiles, True, picture)
    assert [text for _, text in both.legend] == [
        *("0 tiles done", "3 tiles in work", "0 tiles to come")
    ]
    panel.show_state(both)
    shown = panel.grab().toImage()
    assert shown.pixelColor(60, 20) == shown.pixelColor(60, 50)  # the tiles' colour, not a region's
    assert shown.pixelColor(60, 20) == shown.pixelColor(60, 80)
    assert not panel.isHidden()
    panel.show_state(RunPlacesState())
    assert panel.isHidden()


def test_tissue_is_shown_corrected_and_divided_by(
    dock: HubSegWidget, large: Path, wait: Wait
) -> None:
    dock.open_path(large)
    wait(lambda: not dock.busy and dock.desk.offers.is_offered("Divide it"))
    assert "Find tissue on the tab Queue" in dock.step.sentence.text()
    queue = dock.queue_table
    dock.pages.choose("queue")
    wait(lambda: queue.tissue.isVisible() and queue.divide.isEnabled())
    queue.tissue.click()
    wait(lambda: dock.session.current.id == "whole_tissue" and not dock.busy)
    wait(lambda: not queue.tissue.isEnabled() and queue.divide.isEnabled())
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
    offers = dock.desk.offers
    wait(lambda: offers.is_offered("Redo"))  # what is said of the undo
    offers.dismiss()
    wait(lambda: offers.is_offered("Divide it"))  # and then this again
    session.paint(left, top=0, left=0, add=False)
    assert offers.is_offered("Divide it")  # under the pointer it does not go away
    dock.desk.queue.watch(True)
    wait(lambda: any(one.tissue_mm2 for one in dock.desk.queue.rows))
    queue.divide.click()
    wait(lambda: session.current.region is not None and not dock.busy)
    wait(lambda: queue.tissue.isEnabled() and not queue.divide.isEnabled())

    named = {slide.id for slide in session.slides}
    assert named == {"whole_tissue", "whole_r1_c2", "whole_r1_c3"}
    assert dock.message.sentence.text() == "Divided into 2 regions; this is the first."
    dock.desk.find_tissue()  # also from a region
    assert session.current.id == "whole_tissue"
    assert session.prepare_divided("whole_tissue")()
    wait(lambda: not dock.busy)
    assert not offers.is_offered("Divide it")
    session.paint(left, top=0, left=0, add=True)  # a region more
    wait(lambda: offers.is_offered("Divide it"))
    dock.desk.undo()
    wait(lambda: offers.is_offered("Redo"))
    offers.dismiss()
    said: list[str] = []
    dock.session.failed.connect(said.append)
    dock.desk.ensemble.failed.connect(said.append)
    dock.desk.ensemble.run(EnsembleChoice("demo"))
    assert said == ["whole_tissue says where tissue is: run its slide or regions."]


def test_tissue_and_dividing_are_offered_on_a_slide_that_would_have_several_regions(
    dock: HubSegWidget, large: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it can be drawn on whole: only very large slides had had the buttons."""
    monkeypatch.setattr("hubseg.slide.regions.LARGE", 1 << 28)
    monkeypatch.setattr("hubseg.slide.pyramid._WHOLE", 1 << 28)
    dock.open_path(large)
    wait(lambda: not dock.busy and dock.session.current is not None)
    assert not dock.session.too_large
    queue = dock.queue_table
    dock.pages.choose("queue")
    wait(lambda: queue.tissue.isVisible() and queue.divide.isEnabled())
    monkeypatch.setattr("hubseg.session.regions.SIDE", max(SHAPE))  # it is one region itself
    dock.refresh()
    assert not queue.tissue.isVisible() and not queue.divide.isVisible()
    monkeypatch.setattr("hubseg.session.regions.SIDE", SIDE)
    dock.refresh()
    queue.tissue.click()
    wait(lambda: dock.session.current.id == "whole_tissue" and not dock.busy)
    assert not queue.tissue.isEnabled() and queue.divide.isEnabled()


def test_a_mask_of_the_whole_slide_comes_to_each_region_and_one_undo_takes_it_back(
    divided: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    dock, whole = divided, np.zeros(SHAPE, np.bool_)
    whole[40:90, 250:350] = whole[500:520, 10:30] = True  # over a border, and on glass
    file = write_geojson(tmp_path / "whole.geojson", whole, name="glomerulus")
    dock.desk.imports.look_into([file])
    wait(lambda: any(one.isVisible() for one in dock.export.findChildren(ImportDialog)))
    (form,) = dock.export.findChildren(ImportDialog)
    regions = [form.rows.item(row, 1).text() for row in range(form.rows.rowCount())]
    assert regions == ["whole_r1_c1", "whole_r1_c2"]
    assert "1 of 2 objects lies in no region: left out." in form.said.text()
    told: list[str] = []
    dock.desk.offered.connect(lambda one: one and told.append(one.sentence))
    form.go.click()
    wait(lambda: bool(told) and not dock.busy)
    assert "whole: 1 of 2 objects lies in no region" in told[-1]

    def drawn() -> list[int]:
        found = []
        for name in ("whole_r1_c1", "whole_r1_c2", "whole_r1_c3"):
            dock.desk.go_to(name)
            wait(lambda name=name: dock.session.current.id == name and not dock.busy)
            mask = dock.session.mask_now()
            found.append(0 if mask is None else int(mask.sum()))
        return found

    dock.desk.undo()
    wait(lambda: not dock.busy)
    assert drawn() == [0, 0, 0]
    dock.desk.imports.look_into([file])
    wait(lambda: any(one.isVisible() for one in dock.export.findChildren(ImportDialog)))
    next(one for one in dock.export.findChildren(ImportDialog) if one.isVisible()).go.click()
    wait(lambda: len(told) > 1 and not dock.busy)
    assert drawn() == [50 * 50, 50 * 50, 0]
