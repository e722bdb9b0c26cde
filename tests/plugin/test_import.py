"""A mask of another program becomes the slide's in the dock: one gesture, one undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.geojson import write_geojson
from hubseg.formats.registry import FORMATS
from napari_hubseg._reader import get_reader
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.presenters import dialogs


def test_a_file_from_qupath_is_the_mask_until_undo(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, told = opened.session, []
    slide = session.current
    assert slide is not None
    drawn = np.zeros((slide.height, slide.width), np.bool_)
    drawn[3:20, 4:30] = True
    drawn[8:10, 9:12] = False
    file = write_geojson(tmp_path / "from qupath.geojson", drawn, name="glomerulus")
    monkeypatch.setattr(dialogs, "file", lambda *_: file)
    opened.desk.told.connect(told.append)
    before = session.mask_now().copy()
    opened.export.take.click()
    wait(lambda: session.can_undo)
    assert np.array_equal(session.mask_now(), drawn)
    assert "from qupath.geojson is the mask now." in told
    assert session.undo_text.endswith("import of from qupath.geojson")
    opened.do("undo")
    assert np.array_equal(session.mask_now(), before)


def test_what_is_no_mask_of_the_slide_is_one_sentence_and_nothing_is_drawn(
    opened: HubSegWidget, wait: Callable[[Callable[[], bool]], None], tmp_path: Path
) -> None:
    failed: list[str] = []
    opened.desk.failed.connect(failed.append)
    table = tmp_path / "other.csv"
    table.write_text("id,rle\nsomebody,1 5\n")
    opened.desk.import_mask(table)
    wait(lambda: bool(failed))
    assert "holds no mask of slide" in failed[0]
    assert not opened.session.can_undo


@pytest.fixture
def chosen(
    opened: HubSegWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, np.ndarray]:
    """A file that the dialog gives, and its mask."""
    slide = opened.session.current
    assert slide is not None
    drawn = np.zeros((slide.height, slide.width), np.bool_)
    drawn[3:20, 4:30] = True
    file = write_geojson(tmp_path / "colleague.geojson", drawn, name="glomerulus")
    monkeypatch.setattr(dialogs, "file", lambda *_: file)
    return file, drawn


def choose(dock: HubSegWidget, role: str) -> None:
    dock.export.role.setCurrentIndex(dock.export.role.findData(role))


def test_a_slide_starts_from_a_mask_and_the_threshold_says_that_it_does_not_act(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    chosen: tuple[Path, np.ndarray],
) -> None:
    session, thresholds, told = opened.session, opened.thresholds, []
    opened.desk.told.connect(told.append)
    choose(opened, "mask")
    opened.export.take.click()
    wait(lambda: session.imported is not None and not opened.busy)
    assert np.array_equal(session.mask_now(), chosen[1])
    assert session.edits is not None
    assert session.edits.is_empty
    assert "no threshold acts on it" in told[0]
    wait(lambda: thresholds.name.text() == "imported mask of colleague.geojson")
    assert thresholds.histogram.nothing == "no threshold acts on this mask"
    for widget in (thresholds.main, thresholds.histogram, thresholds.only, thresholds.reset):
        assert not widget.isEnabled()
    before = session.threshold
    opened.do("raise_threshold")
    thresholds.settle()
    assert session.threshold == before
    opened.do("undo")
    wait(lambda: thresholds.main.isEnabled())
    assert session.imported is None
    assert not session.mask_now().any()


def test_a_truth_is_compared_with_and_no_step(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    chosen: tuple[Path, np.ndarray],
) -> None:
    choose(opened, "truth")
    opened.export.take.click()
    wait(lambda: opened.desk.truth.mask is not None)
    assert np.array_equal(opened.desk.truth.mask, chosen[1])
    assert not opened.session.can_undo
    assert not opened.session.mask_now().any()


@pytest.mark.parametrize("name", ["geojson", "labelme", "cvat", "imagescope", "imagej"])
def test_a_mask_dropped_on_the_window_is_the_slides(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    slide, form, window = opened.session.current, FORMATS[name], object()
    assert slide is not None
    drawn = np.zeros((slide.height, slide.width), np.bool_)
    drawn[3:20, 4:30] = True
    drawn[8:10, 9:12] = False
    image = MaskedImage(drawn, slide.id, f"{slide.id}.tiff")
    file = tmp_path / f"{slide.id}{form.suffixes[0]}"
    form.write(file, [image] if form.writes == "all" else image)
    monkeypatch.setattr("napari.current_viewer", lambda: window)
    monkeypatch.setattr("napari_hubseg._commands.dock", lambda _: opened)
    reader = get_reader(str(file))
    assert reader is not None
    assert reader(str(file)) == [(None,)]
    wait(lambda: opened.session.can_undo)
    assert np.array_equal(opened.session.mask_now(), drawn)


@pytest.mark.parametrize("role", ["mask", "truth"])
def test_a_dropped_mask_becomes_what_the_list_over_the_button_says(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    chosen: tuple[Path, np.ndarray],
    role: str,
) -> None:
    export, session, told = opened.export, opened.session, []
    opened.desk.told.connect(told.append)
    assert export.layout().indexOf(export.role) < export.layout().indexOf(export.take)
    choose(opened, role)
    opened.desk.drop_mask(chosen[0])
    if role == "mask":
        wait(lambda: session.imported is not None)
        assert np.array_equal(session.mask_now(), chosen[1])
    else:
        wait(lambda: opened.desk.truth.mask is not None)
        assert not session.can_undo
    wait(lambda: bool(told))
    assert ("starts from now" if role == "mask" else "truth of this slide now") in told[0]


def test_a_dropped_mask_that_is_called_as_another_slide_is_said_and_not_taken(
    opened: HubSegWidget, tmp_path: Path
) -> None:
    session, failed = opened.session, []
    opened.desk.failed.connect(failed.append)
    assert session.current is not None
    other = next(one.id for one in session.slides if one.id != session.current.id)
    file = write_geojson(tmp_path / f"{other}.geojson", np.ones((9, 9), np.bool_), name="")
    opened.desk.drop_mask(file)
    assert f"is called as slide {other} is" in failed[0]
    assert not session.can_undo


def test_without_a_slide_that_is_said(dock: HubSegWidget, tmp_path: Path) -> None:
    failed: list[str] = []
    dock.desk.failed.connect(failed.append)
    dock.desk.import_mask(tmp_path / "a.geojson")
    assert failed == ["No slide is open: open one, then import its mask."]
    assert not dock.export.take.isEnabled()


def viewer() -> Any:
    """Return the window's viewer."""
    return napari.current_viewer()


def labels_like(dock: HubSegWidget, **place: object) -> object:
    """Add a labels layer over the slide, with two objects, and choose it."""
    slide = dock.session.current
    assert slide is not None
    data = np.zeros((slide.height, slide.width), np.int32)
    data[3:20, 4:30] = 1
    data[40:50, 60:70] = 7
    layer = viewer().add_labels(data, name="from cellpose", **place)
    viewer().layers.selection.active = layer
    return layer


@pytest.mark.parametrize("scale", [(1, 1), (0.5, 0.5)])
def test_a_labels_layer_is_reviewed_as_one_gesture_and_stays(
    opened: HubSegWidget,
    wait: Callable[[Callable[[], bool]], None],
    scale: tuple[float, float],
) -> None:
    told: list[str] = []
    opened.desk.told.connect(told.append)
    layer = labels_like(opened, scale=scale)
    opened.do("review_layer")
    wait(lambda: opened.session.can_undo)
    assert np.array_equal(opened.session.mask_now(), layer.data != 0)
    assert opened.session.undo_text == "import of layer from cellpose"
    assert told == ["from cellpose is the mask now; the layer itself stays."]
    assert layer in viewer().layers
    assert opened.desk.layers.at_hand, "tools act on the mask again"
    opened.do("undo")
    assert not opened.session.mask_now().any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": (2.0, 2.0)}, "has a scale of 2 × 2 and slide one one of 0.5 × 0.5"),
        ({"translate": (9.0, 0.0)}, "is moved, turned or sheared"),
        ({"rotate": 30}, "is moved, turned or sheared"),
        ({"affine": [[2, 0, 0], [0, 2, 0], [0, 0, 1]]}, "is moved, turned or sheared"),
    ],
)
def test_a_layer_that_does_not_lie_over_the_slide_is_refused_in_one_sentence(
    opened: HubSegWidget, change: dict[str, object], said: str
) -> None:
    failed: list[str] = []
    opened.desk.failed.connect(failed.append)
    labels_like(opened, **change)
    opened.do("review_layer")
    assert len(failed) == 1
    assert said in failed[0]
    assert not opened.session.can_undo


def test_a_layer_of_another_size_several_planes_and_our_own_mask_are_refused(
    opened: HubSegWidget,
) -> None:
    failed: list[str] = []
    opened.desk.failed.connect(failed.append)
    for shape in ((20, 30), (3, 96, 128)):
        viewer().add_labels(np.ones(shape, np.int32), name="theirs")
        opened.do("review_layer")
    opened.desk.layers.others.choose_mask()
    opened.do("review_layer")
    assert "has 30 × 20 px and slide one has 128 × 96" in failed[0]
    assert "has 3 dimensions" in failed[1]
    assert failed[2] == "No labels layer of yours is chosen: choose one in the layer list."
    assert not opened.session.can_undo
