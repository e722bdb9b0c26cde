"""The manifest, the commands, the keys, and what napari opens and saves through them."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from app_model.types import KeyBinding
from napari._app_model.constants import MenuId
from npe2 import PluginManifest

from hubseg.formats.finding import DROPPED, SAVED, images_in
from napari_hubseg import _commands
from napari_hubseg._reader import get_reader, read, take_mask
from napari_hubseg._sample_data import kidney_sample
from napari_hubseg._writer import write_mask
from napari_hubseg.actions import ACTIONS, Action

MANIFEST = Path(_commands.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_the_manifest_is_valid_and_everything_it_names_exists(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_the_root_manifest_is_the_packages(repository: Path) -> None:
    assert (repository / "napari.yaml").read_text() == MANIFEST.read_text()


def test_every_action_is_a_command_of_the_palette(manifest: PluginManifest) -> None:
    commands = {c.id: (c.title, c.python_name) for c in manifest.contributions.commands}
    remedy = "scripts/manifest writes them anew"
    named = [c for c, (_, function) in commands.items() if "._commands:" in function]
    assert named == [f"napari-hubseg.{action.name}" for action in ACTIONS], remedy
    for action in ACTIONS:
        title, function = commands[f"napari-hubseg.{action.name}"]
        assert title == f"HubSeg: {action.title}", remedy
        assert function == f"napari_hubseg._commands:{action.name}"


def test_the_menus_of_napari_name_commands_that_exist(manifest: PluginManifest) -> None:
    commands = {command.id for command in manifest.contributions.commands}
    menus = manifest.contributions.menus
    assert {MenuId(menu) for menu in menus} <= MenuId.contributables()
    named = {item.command for items in menus.values() for item in items}
    assert len(named) == 5
    assert named <= commands


def test_the_plugin_manager_shows_an_icon_and_what_it_is_for(manifest: PluginManifest) -> None:
    assert {"Annotation", "Segmentation"} <= {str(kind.value) for kind in manifest.categories}
    package, _, file = str(manifest.icon).partition(":")
    drawn = ElementTree.fromstring(resources.files(package).joinpath(file).read_bytes())
    assert drawn.tag.endswith("svg")


def test_a_command_that_is_no_action_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="no command 'dance'"):
        _commands.dance  # noqa: B018


def test_no_shortcut_is_typed_by_hand(repository: Path) -> None:
    """Tooltips take it from the table."""
    spelled = re.compile(r"\((?:Ctrl\+|Shift\+)*[A-Z0-9]\d?\)[\"'.]")
    typed = {
        path.name: found
        for path in (repository / "napari_hubseg").rglob("*.py")
        if (found := spelled.findall(path.read_text(encoding="utf-8")))
    }
    assert typed in ({}, {"screen.py": ["(0)."]}), "use napari_hubseg.actions.tip"


def test_no_shortcut_is_taken_from_napari() -> None:
    from napari._qt._qapp_model.qactions._file import Q_FILE_ACTIONS
    from napari._qt._qapp_model.qactions._view import Q_VIEW_ACTIONS
    from napari.utils.shortcuts import default_shortcuts

    def keys(actions: Iterable[Action]) -> set[KeyBinding]:
        spelled = (action.key.replace("Control", "Ctrl").replace("-", "+") for action in actions)
        return {KeyBinding.from_str(key) for key in spelled}

    ours, on_mask = keys(ACTIONS), keys(action for action in ACTIONS if action.on_mask)
    assert len(ours) == len(ACTIONS)
    elsewhere = ("points", "shape", "select_", "vertex", "_add_", "direct", "finish", "drawing")
    taken = {
        key
        for name, bound in default_shortcuts.items()
        if not any(word in name for word in elsewhere)
        for key in bound
    }
    menus = {
        KeyBinding.validate(key)
        for action in (*Q_VIEW_ACTIONS, *Q_FILE_ACTIONS)
        for rule in action.keybindings or ()
        for key in (rule.primary, rule.linux, rule.mac, rule.win)
        if key
    }
    assert menus
    assert not ours & menus
    assert ours & taken <= on_mask


def test_the_reader_takes_slides_and_reviews_and_leaves_the_rest(
    table: Path, tmp_path: Path
) -> None:
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.zeros((5, 40, 40), np.uint16))
    other = tmp_path / "test.csv"
    other.write_text("x,y\n1,2\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    slide = table.parent / "train_images" / "one.tiff"
    for path in (stack, other, empty, tmp_path / "none.tif", tmp_path / "text.txt"):
        assert get_reader(str(path)) is None
    for several in ([slide, stack], [slide, table], [table, table]):
        assert get_reader([str(path) for path in several]) is None


def test_a_single_image_is_a_layer_with_its_pixel_size(table: Path) -> None:
    slide = str(table.parent / "train_images" / "one.tiff")
    for paths in (slide, [slide, slide]):
        reader = get_reader(paths)
        assert reader is read
        layers: list[Any] = reader(paths)
        assert len(layers) == (1 if isinstance(paths, str) else 2)
        data, meta, kind = layers[0]
        assert (data.shape, kind, meta["rgb"]) == ((96, 128, 3), "image", True)


def test_an_ome_zarr_is_a_layer_with_its_pixel_size_and_its_labels_are_a_mask(
    tmp_path: Path,
) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w")
    group.create_array("0", shape=(3, 30, 40), dtype="u1")[:] = 7
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "cyx"]
    scale = [{"type": "scale", "scale": [1, 0.5, 0.25]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    told = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    group.attrs["ome"] = told
    assert get_reader(str(path)) is read
    ((data, meta, _),) = read(str(path))
    assert (data.shape, meta["scale"]) == ((30, 40, 3), pytest.approx((0.5, 0.25)))
    group.attrs["ome"] = {**told, "image-label": {}}
    assert get_reader(str(path)) is take_mask
    group.attrs["ome"] = {"version": "0.5"}
    assert get_reader(str(path)) is None


@pytest.mark.parametrize("name", ["a.scn", "a.dcm", "dicom/a.dcm"])
def test_a_scan_whose_extra_is_missing_is_taken_to_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "dicom").mkdir()
    (tmp_path / name).write_bytes(b"")
    path = str(tmp_path / name.removesuffix("/a.dcm"))
    assert get_reader(path) is None
    for module in ("openslide", "wsidicom"):
        monkeypatch.setitem(sys.modules, module, None)
    assert get_reader(path) is read
    with pytest.raises(ValueError, match="pip install"):
        read(path)


@pytest.mark.parametrize("what", ["table", "semicolons", "folder", "project"])
def test_a_table_a_folder_and_a_project_fill_the_dock_and_read_no_pixel_here(
    table: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table
    if what == "semicolons":
        table.write_text(table.read_text().replace("id,", "ID,", 1).replace(",", ";"))
    elif what == "folder":
        path = table.parent / "train_images"
    elif what == "project":
        path = table.with_name("some.hubseg")
        path.mkdir()
    opened: list[Any] = []
    window = object()
    monkeypatch.setattr("napari.current_viewer", lambda: window)
    monkeypatch.setattr(_commands, "open_in_dock", lambda *asked: opened.append(asked))
    monkeypatch.setattr("napari_hubseg._reader.pixels", lambda _: pytest.fail("pixels were read"))
    reader = get_reader([str(path)])
    assert reader is not None
    assert reader([str(path)]) == [(None,)], "napari's word for: read, and no layer"
    assert opened == [(window, path)]


def test_without_a_window_a_table_is_refused_in_one_sentence(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    reader = get_reader(str(table))
    assert reader is not None
    with pytest.raises(RuntimeError, match="there is no window"):
        reader(str(table))


def test_the_sample_opens_in_the_dock_and_without_a_window_as_tissue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    real, drawn = kidney_sample()[:2]
    for data, _, kind in (real, drawn):
        assert (data.shape[2], kind) == (3, "image")
    assert (real[1]["name"], real[1]["units"]) == ("kidney_real", ("pixel", "pixel"))
    assert (drawn[1]["name"], drawn[1]["units"]) == ("kidney_0", ("µm", "µm"))
    done: list[str] = []
    monkeypatch.setattr("napari.current_viewer", object)
    monkeypatch.setattr(_commands, "dock", lambda _: SimpleNamespace(do=done.append))
    assert kidney_sample() == []
    assert done == ["open_sample"]


@pytest.mark.parametrize("suffix", [*SAVED, ".tiff"])
def test_a_labels_layer_is_saved_in_the_format_of_its_ending(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[3:9, 4:11] = 2
    path = tmp_path / f"10044{suffix}"
    meta = {"name": "10044", "scale": (0.5, 0.5), "units": ("µm", "µm")}
    assert write_mask(str(path), labels, meta) == [str(path)]
    (image,) = images_in(path)[1]
    assert np.array_equal(image.mask(20, 30), labels != 0)
    if suffix in (".csv", ".json", ".jsonl"):
        assert image.name == "10044"
    if suffix in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as tif:
            assert tif.pages[0].tags["XResolution"].value[0] == 20000


def test_what_a_format_cannot_hold_is_not_saved_in_it(tmp_path: Path) -> None:
    labels = np.ones((20, 30), np.uint8)
    labels[3:9, 4:11] = 0
    path = tmp_path / "a.txt"
    with pytest.raises(ValueError, match="1 hole, which YOLO"):
        write_mask(str(path), labels, {"name": "a"})
    assert not path.exists()
    with pytest.raises(ValueError, match="ends with none of"):
        write_mask(str(tmp_path / "a.gif"), labels, {"name": "a"})


def test_readers_and_writers_are_those_of_the_registry(manifest: PluginManifest) -> None:
    """Run ``scripts/manifest`` after a change of the registry."""
    (reader,), (writer,) = manifest.contributions.readers, manifest.contributions.writers
    assert {f"*{end}" for end in DROPPED} < set(reader.filename_patterns)
    assert set(writer.filename_extensions) == {*SAVED, ".tiff"}


def test_a_volume_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape("has 3 dimensions")):
        write_mask(str(tmp_path / "a.png"), np.zeros((2, 3, 4), np.uint8), {"name": "a"})
