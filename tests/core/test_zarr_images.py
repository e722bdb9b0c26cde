"""OME-Zarr images are slides: the right pixels at the right scale, or one sentence."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubseg.project import ReviewProject
from hubseg.project.default_location import beside
from hubseg.project.files import look_for
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.thumbnails import kept_thumbnail

zarr = pytest.importorskip("zarr")

RGB = np.random.default_rng(3).integers(0, 256, (3, 300, 420), np.uint8)


def written(
    path: Path,
    levels: list[np.ndarray],
    axes: str = "cyx",
    *,
    zarr_format: int = 3,
    um: tuple[float, float] = (0.5, 0.25),
    unit: str | None = "micrometer",
    omero: dict[str, Any] | None = None,
    group: Any = None,
    more: dict[str, Any] | None = None,
    **storage: Any,
) -> Path:
    """Write an image as other programs do."""
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format) if group is None else group
    datasets = []
    for number, level in enumerate(levels):
        chunks = tuple(map(min, level.shape, (128 if axis in "yx" else 1 for axis in axes)))
        array = group.create_array(
            str(number), shape=level.shape, chunks=chunks, dtype=level.dtype, **storage
        )
        array[:] = level
        factor = levels[0].shape[axes.index("y")] / level.shape[axes.index("y")]
        spaced = {"y": um[0] * factor, "x": um[1] * factor}
        scale = [spaced.get(axis, 1.0) for axis in axes]
        datasets.append(
            {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    kinds = {"c": "channel", "t": "time"}
    listed = [
        {"name": a, "type": kinds.get(a, "space"), **({"unit": unit} if unit and a in "yx" else {})}
        for a in axes
    ]
    told: dict[str, Any] = {"multiscales": [{"axes": listed, "datasets": datasets}]}
    told |= {"omero": omero} if omero else {}
    told |= more or {}
    if zarr_format == 3:
        group.attrs.update({"ome": {"version": "0.5", **told}})
    else:
        told["multiscales"][0]["version"] = "0.4"
        group.attrs.update(told)
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_image_of_0_4_and_0_5_is_read_by_any_window_and_level(
    tmp_path: Path, zarr_format: int
) -> None:
    half = RGB[:, ::2, ::2]
    slide = read_slide(written(tmp_path / "a.ome.zarr", [RGB, half], zarr_format=zarr_format))
    assert (slide.id, slide.height, slide.width) == ("a", 300, 420)
    assert slide.levels == ((300, 420), (150, 210))
    assert slide.spacing == pytest.approx((0.5, 0.25))
    assert slide.origins["um_per_px"] == "metadata"
    assert "0.25 across and 0.5 down" in slide.notes["um_per_px"]
    shown = RGB.transpose(1, 2, 0)
    assert np.array_equal(slide.read(), shown)
    assert np.array_equal(slide.read((100, 120, 90, 200)), shown[100:190, 120:320])
    assert np.array_equal(slide.read((100, 120, 90, 200), 1), shown[100:190:2, 120:320:2])
    assert np.array_equal(pickle.loads(pickle.dumps(slide)).read((0, 0, 2, 2)), shown[:2, :2])


def test_the_folder_alone_says_what_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "plain", [RGB])
    assert read_slide(path).id == "plain"
    assert [slide.path for slide in SlideTable.open(path).slides] == [path]


@pytest.mark.parametrize("axes", ["tczyx", "czyx", "zcyx", "yxc", "cxy"])
def test_axes_may_stand_in_any_order(tmp_path: Path, axes: str) -> None:
    order = [["c", "y", "x"].index(axis) for axis in axes if axis in "cyx"]
    stored = RGB.transpose(order)
    for place, axis in enumerate(axes):
        if axis in "tz":
            stored = np.expand_dims(stored, place)
    slide = read_slide(written(tmp_path / "a.zarr", [stored], axes))
    assert np.array_equal(slide.read((7, 9, 50, 60)), RGB.transpose(1, 2, 0)[7:57, 9:69])


def test_planes_and_channels_are_chosen_and_said(tmp_path: Path) -> None:
    stack = np.random.default_rng(1).integers(0, 256, (2, 4, 3, 40, 50), np.uint8)
    omero = {"channels": [{"label": name} for name in ("DAPI", "CD3", "CD8", "CK")]}
    path = written(tmp_path / "a.ome.zarr", [stack], "tczyx", omero=omero)
    with pytest.raises(ValueError, match=r"holds 4 channels .*\(DAPI, CD3, CD8, CK\).*#channels="):
        read_slide(path)
    slide = read_slide(f"{path}#plane=5&channels=4,2,1")
    assert np.array_equal(slide.read(), stack[1, [3, 1, 0], 1].transpose(1, 2, 0))
    assert "plane 5 of 6, channels 4, 2, 1" in slide.notes["image"]
    grey = read_slide(path, part="channels=2").read()
    assert np.array_equal(grey, np.repeat(stack[0, 1, 0, ..., None], 3, axis=2))
    for part, said in (("plane=7", "no plane 7"), ("channels=5", "no channel 5"), ("9", "image 9")):
        with pytest.raises(ValueError, match=said):
            read_slide(path, part=part)


def test_of_several_images_the_largest_is_shown(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs.update({"bioformats2raw.layout": 3})
    for number, image in enumerate((RGB[:, :50, :60], RGB, RGB[:, :200, :200])):
        written(tmp_path, [image], zarr_format=2, group=root.create_group(str(number)))
    slide = read_slide(tmp_path / "a.zarr")
    assert (slide.height, slide.width) == (300, 420)
    assert "image 2 of 3 (the largest)" in slide.notes["image"]
    assert read_slide(tmp_path / "a.zarr", part="image=3").height == 200


def test_deep_numbers_are_scaled_and_said(tmp_path: Path) -> None:
    deep = RGB.astype(">u2") * 16
    slide = read_slide(written(tmp_path / "a.zarr", [deep], zarr_format=2))
    assert np.array_equal(slide.read(), RGB.transpose(1, 2, 0))
    assert "16-bit numbers from 0 to 4095" in slide.notes["values"]
    told = {"channels": [{"window": {"min": 0, "max": 65535 // 4}}] * 3}
    slide = read_slide(written(tmp_path / "b.zarr", [RGB.astype("u2") * 64], omero=told))
    assert np.array_equal(slide.read(), RGB.transpose(1, 2, 0))
    assert "as the file says" in slide.notes["values"]
    slide = read_slide(written(tmp_path / "c.zarr", [RGB.astype("f4") / 255]))
    assert np.array_equal(slide.read(), RGB.transpose(1, 2, 0))
    with pytest.raises(ValueError, match="floating-point values from 0 to"):
        read_slide(written(tmp_path / "d.zarr", [RGB.astype("f4") * 9]))


def test_units_of_length_are_converted_and_none_is_no_scale(tmp_path: Path) -> None:
    slide = read_slide(written(tmp_path / "a.zarr", [RGB], um=(5e-4, 5e-4), unit="millimeter"))
    assert slide.um_per_px == pytest.approx(0.5)
    assert "converted from millimeter" in slide.notes["um_per_px"]
    slide = read_slide(written(tmp_path / "b.zarr", [RGB], um=(1, 1), unit=None))
    assert slide.um_per_px is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"plate": {"wells": []}}, "plate of wells"),
        ({"image-label": {}}, "import it as a mask"),
        ({"multiscales": [{"datasets": [{"path": "../b.zarr/0"}]}]}, "cannot be shown"),
        ({"multiscales": [{"datasets": [{"path": "7"}]}]}, "cannot be shown"),
        ({"multiscales": [{"axes": [{"name": "y"}], "datasets": [{"path": "0"}]}]}, "axes y"),
        ({"multiscales": "all"}, "cannot be shown"),
        ({"multiscales": []}, "names no multiscales"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(
    tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    written(tmp_path / "b.zarr", [RGB])
    path = written(tmp_path / "a.zarr", [RGB], more=told)
    with pytest.raises(ValueError, match=said) as refused:
        read_slide(path)
    message = str(refused.value)
    assert str(path) in message and message.endswith(".") and "\n" not in message


def test_labels_and_numbers_that_are_no_colours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="int32 numbers"):
        read_slide(written(tmp_path / "a.zarr", [RGB.astype("i4")]))


def test_sizes_are_checked_before_a_chunk_is_decoded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", [RGB], zarr_format=2)
    told = json.loads((path / "0" / ".zarray").read_text())
    for shape, chunks, said in (
        ([3, 2**20, 2**20], [1, 128, 128], "largest slide"),
        ([3, 2**16, 2**16], [3, 2**16, 2**16], "in one piece"),
    ):
        changed = {**told, "shape": shape, "chunks": chunks}
        (path / "0" / ".zarray").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=said):
            read_slide(path)


def test_a_damaged_chunk_is_said_where_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", [RGB], zarr_format=2)
    chunk = next(one for one in (path / "0").rglob("*") if one.is_file() and one.name[0] != ".")
    chunk.write_bytes(b"\0" * 9)
    slide = read_slide(path)
    with pytest.raises(ValueError, match="cannot be decoded"):
        slide.read()


def test_without_the_extra_the_refusal_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.zarr", [RGB])
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ValueError, match=r'pip install "napari-hubseg\[zarr\]"\.$'):
        read_slide(path)
    table = SlideTable.open(tmp_path)
    assert "napari-hubseg[zarr]" in table.missing["a"]


def test_a_folder_of_them_is_a_table_and_ids_mean_them(tmp_path: Path) -> None:
    written(tmp_path / "10.ome.zarr", [RGB])
    written(tmp_path / "9.zarr", [RGB[:, :20]])
    table = SlideTable.open(tmp_path)
    assert [slide.id for slide in table.slides] == ["9", "10"]
    (tmp_path / "train.csv").write_text("id,organ,data_source\n10,kidney,HPA\n9,lung,HPA\n")
    table = SlideTable.open(tmp_path / "train.csv")
    assert {slide.id: slide.path.name for slide in table.slides} == {
        "10": "10.ome.zarr",
        "9": "9.zarr",
    }


def test_a_project_keeps_one_as_it_keeps_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "in" / "a.ome.zarr", [RGB, RGB[:, ::2, ::2]])
    assert beside(path) == tmp_path / "in" / "a.hubseg"
    with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(path)) as project:
        slide = project.slides()[0]
        assert (slide.path, slide.levels) == (path, ((300, 420), (150, 210)))
        assert project.check_file(slide)[1]
        project.record_file(slide)
        digest = slide.digest
        again = project.add(SlideTable.open(path))
        assert not again.new
    moved = tmp_path / "elsewhere" / "b.zarr"
    shutil.move(path, moved)
    with ReviewProject.open(tmp_path / "p.hubseg") as project:
        assert project.slides() == ()
        assert "a.ome.zarr" in project.missing["a"]
        found = look_for(project.files.absent(), tmp_path)
        assert found == {"a": moved}
        project.files.move(found)
        slide = project.slides()[0]
        assert slide.digest == digest
        zarr.open_group(moved, mode="r+")["0"][0, :9, :9] = 7
        now, same = project.check_file(slide)
        assert not same
        assert now.digest != digest
        assert now.read()[0, 0, 0] == 7


def test_a_thumbnail_is_kept(tmp_path: Path) -> None:
    slide = read_slide(written(tmp_path / "a.zarr", [RGB, RGB[:, ::2, ::2]]))
    made = kept_thumbnail(slide, 64, tmp_path / "thumbs")
    assert made.shape == (46, 64, 3)
    assert len(list((tmp_path / "thumbs").iterdir())) == 1


def test_what_other_programs_wrote_opens(shared_data: Path) -> None:
    folder = shared_data / "exchange" / "ome_zarr"
    if not folder.is_dir():
        pytest.skip("the exchange data are not here")
    slide = read_slide(folder / "hms-dbmi_viv__blobs_image_v04.ome.zarr")
    assert (slide.height, slide.width) == (12, 12)
    slide = read_slide(folder / "fractal-analytics-platform_ngio__test_image_yx.zarr")
    assert slide.levels == ((64, 64), (32, 32))
    slide = read_slide(folder / "ome_ome-zarr-py__v1.zarr", part="channels=1")
    assert (slide.height, slide.width) == (16, 16)
    with pytest.raises(ValueError, match="int8 numbers"):
        read_slide(folder / "hms-dbmi_viv__bioformats-zarr" / "data.zarr")


def test_a_plate_and_a_well_name_a_field_that_can_be_opened(tmp_path: Path) -> None:
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=3)
    wells = [{"path": "B/2", "rowIndex": 1, "columnIndex": 1}, {"path": "B/3"}]
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": wells}}
    well = plate.create_group("B/2")
    well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
    written(tmp_path, [RGB], group=well.create_group("0"))
    with pytest.raises(ValueError, match=r"a plate of wells: open .* such as B/2/0 in it"):
        read_slide(tmp_path / "plate.zarr")
    with pytest.raises(ValueError, match=r"a well of a plate: open .* such as 0 in it"):
        read_slide(tmp_path / "plate.zarr" / "B" / "2")
    assert np.array_equal(
        read_slide(tmp_path / "plate.zarr" / "B" / "2" / "0").read(), RGB.transpose(1, 2, 0)
    )


@pytest.mark.parametrize("name", ["a.ozx", "a.ome.zarr.zip"])
def test_a_zipped_image_says_to_unpack_it(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as packed:
        packed.writestr("zarr.json", "{}")
    with pytest.raises(ValueError, match="is a ZIP archive: unpack it and open what is in it"):
        read_slide(tmp_path / name)
