"""A mask of another program becomes the slide's in the dock: one gesture, one undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.geojson import write_geojson
from hubseg.formats.raster import write_mask_png
from hubseg.formats.registry import FORMATS
from hubseg.formats.rle import encode
from hubseg.tools.change import Change
from napari_hubseg._reader import get_reader
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.presenters import dialogs
from napari_hubseg.widgets.import_masks import ImportDialog

EDITS = "the slide's mask becomes this one, as your edits"
Wait = Callable[[Callable[[], bool]], None]


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
    file = write_geojson(tmp_path / "one.geojson", drawn, name="glomerulus")
    monkeypatch.setattr(dialogs, "files", lambda *_: [file])
    opened.desk.told.connect(told.append)
    before = session.mask_now().copy()
    opened.export.take.click()
    wait(lambda: session.can_undo)
    assert np.array_equal(session.mask_now(), drawn)
    assert "one.geojson is the mask now." in told
    assert session.undo_text.endswith("import of one.geojson")
    opened.do("undo")
    assert np.array_equal(session.mask_now(), before)


def test_what_is_no_mask_of_the_slide_is_one_sentence_and_nothing_is_drawn(
    opened: HubSegWidget, wait: Callable[[Callable[[], bool]], None], tmp_path: Path
) -> None:
    failed: list[str] = []
    opened.desk.failed.connect(failed.append)
    table = tmp_path / "other.csv"
    table.write_text("id,rle\nsomebody,1 5\n")
    opened.desk.imports.look_into([table])
    wait(lambda: bool(failed))
    assert failed[0] == (
        "It holds no mask of a slide of this project: somebody. No slide is called so."
    )
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
    file = write_geojson(tmp_path / "one.geojson", drawn, name="glomerulus")
    monkeypatch.setattr(dialogs, "files", lambda *_: [file])
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
    wait(lambda: thresholds.name.text() == "imported mask of one.geojson")
    assert thresholds.histogram.nothing == "no threshold acts on this mask"
    for widget in (thresholds.main, thresholds.histogram, thresholds.only, thresholds.reset):
        assert not widget.isEnabled()
    before = session.threshold
    opened.do("raise_threshold")
    thresholds.settle()
    assert session.threshold == before
    mask = opened.desk.layers.mask_layer
    wait(lambda: bool(mask.data.any()))
    opened.do("undo")
    wait(lambda: thresholds.main.isEnabled())
    wait(lambda: not mask.data.any())  # it stayed on the screen: there was no map to wait for
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
    opened.desk.imports.look_into([chosen[0]])
    if role == "mask":
        wait(lambda: session.imported is not None)
        assert np.array_equal(session.mask_now(), chosen[1])
    else:
        wait(lambda: opened.desk.truth.mask is not None)
        assert not session.can_undo
    wait(lambda: bool(told))
    assert ("starts from now" if role == "mask" else "truth of this slide now") in told[0]


def ring(dock: HubSegWidget, number: int = 0) -> np.ndarray:
    """Return a mask of the size of the slides, another one for each number."""
    slide = dock.session.current
    assert slide is not None
    mask = np.zeros((slide.height, slide.width), np.bool_)
    mask[5:30, 8 + 5 * number : 60] = True
    mask[10:14, 40:50] = False
    return mask


def asked(dock: HubSegWidget) -> ImportDialog | None:
    """Return the form that is open; one that was closed may not be gone yet."""
    forms = dock.export.findChildren(ImportDialog)
    return next((form for form in forms if form.isVisible()), None)


def rows(form: ImportDialog) -> list[list[str]]:
    table = form.rows
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def ask(dock: HubSegWidget, files: list[Path], wait: Wait) -> ImportDialog:
    """Have files looked into, and return the form that opens."""
    dock.desk.imports.look_into(files)
    wait(lambda: asked(dock) is not None)
    form = asked(dock)
    assert form is not None
    return form


def choose_in(combo: QComboBox, data: object) -> None:
    """Choose an entry of a list as a person does."""
    place = combo.findData(data)
    combo.setCurrentIndex(place)
    combo.activated.emit(place)


def two_classes(dock: HubSegWidget, folder: Path) -> Path:
    """A GeoJSON of the slide on screen: a glomerulus, and two nerves."""
    other = np.zeros_like(ring(dock))
    other[60:70, 5:20] = other[60:70, 30:40] = True
    parts = [
        MaskedImage(ring(dock), "one", "one.tiff", name="glomerulus", number=1),
        MaskedImage(other, "one", "one.tiff", name="nerve", number=2),
    ]
    file = folder / "one.geojson"
    FORMATS["geojson"].write(file, MaskedImage(ring(dock) | other, "one", "one.tiff", parts=parts))
    return file


@pytest.fixture
def offered(opened: HubSegWidget) -> list[str]:
    """What is said with a button."""
    said: list[str] = []
    opened.desk.offered.connect(lambda one: one and said.append(one.sentence))
    return said


def mask_on(dock: HubSegWidget, slide_id: str, wait: Wait) -> np.ndarray:
    """Go to a slide and return its mask."""
    dock.desk.go_to(slide_id)
    wait(lambda: dock.session.current is not None and dock.session.current.id == slide_id)
    return np.asarray(dock.session.mask_now()).copy()


def test_masks_of_several_slides_are_shown_before_they_are_taken_over_each_onto_its_own(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any, offered: list[str]
) -> None:
    write_geojson(tmp_path / "one.geojson", ring(opened), name="glomerulus")
    write_geojson(tmp_path / "TWO.geojson", ring(opened, 1), name="glomerulus")
    write_geojson(tmp_path / "stranger.geojson", ring(opened), name="glomerulus")
    form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)
    found = rows(form)
    assert [row[:3] for row in found] == [
        ["one.geojson", "one", "1 object · glomerulus"],
        ["TWO.geojson", "two", "1 object · glomerulus"],
        ["stranger", "–", ""],
    ]
    assert found[0][3] == EDITS
    assert found[2][3] == "No slide is called so."
    assert form.go.text() == "Import 2 masks"
    assert not opened.session.can_undo
    with qtbot.waitSignal(form.finished):
        form.go.click()
    assert opened.session.current is not None
    assert opened.session.current.id == "one"  # back where the person was
    assert offered[-1].startswith("2 masks taken over as your edits. Left out: stranger")
    assert np.array_equal(mask_on(opened, "one", wait), ring(opened))
    assert np.array_equal(mask_on(opened, "two", wait), ring(opened, 1))
    mask_on(opened, "three", wait)
    opened.do("undo")  # of this slide, which it is not about
    assert np.array_equal(mask_on(opened, "two", wait), ring(opened, 1))
    opened.do("undo")
    assert not opened.session.mask_now().any()
    assert not mask_on(opened, "one", wait).any()


def test_one_undo_takes_back_what_came_onto_several_slides(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any, offered: list[str]
) -> None:
    for number, slide_id in enumerate(("one", "two", "three")):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened, number), name="")
    form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)
    assert "One undo takes all back." in form.said.text()
    with qtbot.waitSignal(form.finished):
        form.go.click()
    wait(lambda: opened.correct.undo.text().endswith("import of 3 masks"))
    opened.do("undo")
    assert opened.session.current is not None
    assert opened.session.current.id == "one"
    assert "Undid: import of 3 masks." in offered
    for slide_id in ("one", "two", "three"):
        assert not mask_on(opened, slide_id, wait).any()
    wait(lambda: opened.correct.redo.text().endswith("import of 3 masks"))
    opened.do("redo")
    for number, slide_id in enumerate(("one", "two", "three")):
        assert np.array_equal(mask_on(opened, slide_id, wait), ring(opened, number))
    opened.do("undo")
    assert not mask_on(opened, "one", wait).any()


def test_once_something_else_was_done_each_slide_has_its_own_undo(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    for number, slide_id in enumerate(("one", "two")):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened, number), name="")
    form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)
    with qtbot.waitSignal(form.finished):
        form.go.click()
    opened.session.put(Change.whole("brush", ring(opened, 3)))
    for _ in range(2):
        opened.do("undo")
    assert not opened.session.mask_now().any()
    assert np.array_equal(mask_on(opened, "two", wait), ring(opened, 1))


def test_masks_that_are_there_already_are_no_step(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    told: list[str] = []
    opened.desk.told.connect(told.append)
    for number, slide_id in enumerate(("one", "two")):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened, number), name="")
    for _ in range(2):
        form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)
        with qtbot.waitSignal(form.finished):
            form.go.click()
    wait(lambda: any(one.startswith("2 masks changed nothing") for one in told))
    wait(lambda: opened.correct.undo.text().endswith("import of 2 masks"))  # the first time's
    opened.do("undo")
    assert not mask_on(opened, "two", wait).any()


def test_a_truth_that_takes_the_place_of_another_says_so_and_can_be_taken_back(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, offered: list[str]
) -> None:
    session, before = opened.session, encode(ring(opened, 2))
    session.keep_truth("one", before)
    file = write_geojson(tmp_path / "one.geojson", ring(opened), name="")
    choose(opened, "truth")
    opened.desk.imports.look_into([file])
    wait(lambda: bool(offered))
    assert "It is in place of what was known." in offered[-1]
    assert session.project is not None
    assert session.project.truth("one") == encode(ring(opened))
    opened.desk.take_offer()
    assert session.project.truth("one") == before


def test_return_takes_over_what_the_form_shows(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    write_geojson(tmp_path / "two.geojson", ring(opened), name="")
    form = ask(opened, [tmp_path / "two.geojson"], wait)
    with qtbot.waitSignal(form.finished):
        qtbot.keyClick(form.rows, Qt.Key.Key_Return)
    assert np.array_equal(mask_on(opened, "two", wait), ring(opened))


def test_what_is_drawn_is_said_to_be_replaced_and_undo_brings_it_back(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    told: list[str] = []
    opened.desk.told.connect(told.append)
    drawn, session = ring(opened, 3), opened.session
    session.put(Change.whole("brush", drawn))
    for slide_id in ("one", "two"):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened), name="")
    form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)
    becomes = [row[3] for row in rows(form)]
    assert becomes == [
        f"{EDITS}; in place of what is drawn there",
        EDITS,
    ]
    form.reject()
    opened.desk.imports.look_into([tmp_path / "one.geojson"])  # alone: at once, and said
    wait(lambda: bool(told))
    assert "in place of what was drawn there, which undo brings back" in told[-1]
    assert np.array_equal(session.mask_now(), ring(opened))
    opened.do("undo")
    assert np.array_equal(session.mask_now(), drawn)


def test_the_form_says_which_classes_the_slide_has_no_structure_for(
    opened: HubSegWidget, wait: Wait, tmp_path: Path
) -> None:
    file = two_classes(opened, tmp_path)
    form = ask(opened, [file], wait)
    assert rows(form)[0][2] == "3 objects · glomerulus, nerve"
    choose_in(form.only, "nerve")
    assert rows(form)[0][2] == "2 objects · nerve"
    choose_in(form.role, "labels")
    assert rows(form)[0][3].startswith("nerve: no structure of this slide. It has glomerulus")
    assert not form.go.isEnabled()
    choose_in(form.only, "")
    assert "; without nerve: no structure of this slide" in rows(form)[0][3]
    assert form.go.isEnabled()
    form.reject()


def test_a_mask_called_as_another_slide_goes_there_once_a_person_has_seen_it(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    file = write_geojson(tmp_path / "two.geojson", ring(opened), name="")
    form = ask(opened, [file], wait)
    assert rows(form)[0][1] == "two"
    with qtbot.waitSignal(form.finished):
        form.go.click()
    assert not opened.session.mask_now().any()
    assert np.array_equal(mask_on(opened, "two", wait), ring(opened))


def test_a_mask_of_another_size_says_the_factor_and_waits_for_a_yes(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    file = write_mask_png(tmp_path / "one.png", ring(opened)[::2, ::2])
    form = ask(opened, [file], wait)
    assert form.fit.isVisible()
    assert "it would fit, enlarged 2 times" in rows(form)[0][3]
    assert not form.go.isEnabled()
    form.fit.setChecked(True)
    assert rows(form)[0][3] == f"enlarged 2 times, {EDITS}"
    with qtbot.waitSignal(form.finished):
        form.go.click()
    wanted = np.repeat(np.repeat(ring(opened)[::2, ::2], 2, 0), 2, 1)
    assert np.array_equal(opened.session.mask_now(), wanted)


def test_one_class_of_several_is_taken_and_what_was_decided_stays_but_for_a_truth(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    other = np.zeros_like(ring(opened))
    other[60:70, 5:20] = True
    parts = [
        MaskedImage(ring(opened), "one", "one.tiff", name="glomerulus", number=1),
        MaskedImage(other, "one", "one.tiff", name="tubule", number=2),
    ]
    whole = MaskedImage(ring(opened) | other, "one", "one.tiff", parts=parts)
    file = tmp_path / "one.geojson"
    FORMATS["geojson"].write(file, whole)
    opened.desk.accept_anew()
    form = ask(opened, [file], wait)
    only = [form.only.itemText(place) for place in range(form.only.count())]
    assert only == ["all classes, as one mask", "glomerulus", "tubule"]
    form.only.setCurrentIndex(2)
    form.only.activated.emit(2)
    form.role.setCurrentIndex(form.role.findData("truth"))
    form.role.activated.emit(2)
    with qtbot.waitSignal(form.finished):
        form.go.click()
    wait(lambda: opened.desk.truth.mask is not None)
    assert np.array_equal(opened.desk.truth.mask, other)


def test_escape_stops_between_two_masks_and_says_what_was_left_out(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any, offered: list[str]
) -> None:
    desk = opened.desk
    for slide_id in ("one", "two", "three"):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened), name="")
    form = ask(opened, sorted(tmp_path.glob("*.geojson")), wait)

    def stop(done: int, _: int) -> None:
        if done == 1:
            form.reject()

    desk.imports.progressed.connect(stop)
    with qtbot.waitSignal(form.finished):
        form.go.click()
    desk.imports.progressed.disconnect(stop)
    assert offered[-1].startswith("1 mask taken over as your edits")
    assert "two (You stopped before it); three (You stopped before it)" in offered[-1]
    assert not mask_on(opened, "three", wait).any()


def test_a_mask_that_is_called_otherwise_is_asked_about(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    file = write_geojson(tmp_path / "biopsy 17.geojson", ring(opened), name="")
    form = ask(opened, [file], wait)
    assert rows(form)[0][:2] == ["biopsy 17.geojson", "one"]
    assert not opened.session.can_undo
    with qtbot.waitSignal(form.finished):
        form.go.click()
    assert np.array_equal(opened.session.mask_now(), ring(opened))


def test_files_that_are_dropped_meanwhile_do_not_end_an_import(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any, offered: list[str]
) -> None:
    imports = opened.desk.imports
    for slide_id in ("one", "two"):
        write_geojson(tmp_path / f"{slide_id}.geojson", ring(opened), name="")
    files = sorted(tmp_path.glob("*.geojson"))
    imports.look_into(files)
    wait(lambda: asked(opened) is not None)
    form = asked(opened)
    with qtbot.waitSignal(form.finished):
        form.go.click()
        imports.look_into([tmp_path / "nothing.geojson"])
    wait(lambda: any(one.startswith("2 masks taken over") for one in offered))


def test_cancel_imports_nothing(
    opened: HubSegWidget, wait: Wait, tmp_path: Path, qtbot: Any
) -> None:
    write_geojson(tmp_path / "two.geojson", ring(opened), name="")
    form = ask(opened, [tmp_path / "two.geojson"], wait)
    with qtbot.waitSignal(form.finished):
        form.cancel.click()
    assert not mask_on(opened, "two", wait).any()


def test_without_a_slide_that_is_said(dock: HubSegWidget, tmp_path: Path) -> None:
    failed: list[str] = []
    dock.desk.failed.connect(failed.append)
    dock.desk.imports.look_into([tmp_path / "a.geojson"])
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
