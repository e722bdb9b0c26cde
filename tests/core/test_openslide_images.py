"""What OpenSlide reads is a slide: the scanned part at its scale, or one sentence."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from hubseg.cli import main
from hubseg.formats.finding import images_in
from hubseg.project import ReviewProject
from hubseg.slide import Slide, SlideTable, read_slide
from hubseg.slide.content import digest_of, file_stamp
from hubseg.slide.kinds import files_of
from hubseg.slide.pyramid import Pyramid

pytest.importorskip("openslide")

SHAPE, TOP, LEFT = (512, 768), 900, 600
NM = 500  # per px
LEAVING = ("geojson", "coco", "label-tiff", "kaggle-rle", "asap")
SCANNED = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)


def _image(size: str, view: str, dimensions: str) -> str:
    return (
        f'<image name="i"><creationDate>2020-01-01T00:00:00Z</creationDate><device model="SCN400" '
        f'version="1"/><pixels {size}>{dimensions}</pixels><view {view} spacingZ="0"/>'
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>"
        "<illuminationSettings><numericalAperture>0.4</numericalAperture><illuminationSource>"
        "brightfield</illuminationSource></illuminationSettings></scanSettings></image>"
    )


def written(path: Path) -> Path:
    """Write a Leica slide: a scanned part in a larger glass, and a picture of the glass."""
    height, width = SHAPE
    whole = f'sizeX="{2048 * NM}" sizeY="{1536 * NM}"'
    text = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="c" {whole}><barcode>x</barcode>'
        + _image(
            'sizeX="512" sizeY="256"',
            f'{whole} offsetX="0" offsetY="0"',
            '<dimension sizeX="512" sizeY="256" r="0" ifd="0"/>',
        )
        + _image(
            f'sizeX="{width}" sizeY="{height}"',
            f'sizeX="{width * NM}" sizeY="{height * NM}" offsetX="{LEFT * NM}" '
            f'offsetY="{TOP * NM}"',
            f'<dimension sizeX="{width}" sizeY="{height}" r="0" ifd="1"/>'
            f'<dimension sizeX="{width // 2}" sizeY="{height // 2}" r="1" ifd="2"/>',
        )
        + "</collection></scn>"
    )
    pixels = {"tile": (256, 256), "photometric": "rgb", "metadata": None, "compression": "deflate"}
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        tif.write(np.full((256, 512, 3), 200, np.uint8), description=text, **pixels)
        for level in (SCANNED, SCANNED[::2, ::2]):
            tif.write(level, resolution=(20000, 20000), resolutionunit=3, **pixels)
    return path


TILE, OVER = 128, (8, 16)  # of tiles beside each other in a column and in a row, px


def _tagged(text: str) -> list[tuple[int, int, int, bytes, bool]]:
    return [(700, 1, len(text), text.encode(), True)]


def _tiled(scene: np.ndarray) -> np.ndarray:
    """Return two times two tiles side by side, as a scanner stores them, of what they show."""
    starts = [(0, TILE - over) for over in OVER]
    rows = [
        np.concatenate([scene[y : y + TILE, x : x + TILE] for x in starts[1]], axis=1)
        for y in starts[0]
    ]
    return np.concatenate(rows)


def _joint(first: int, second: int, way: str) -> str:
    across = way != "UP"
    return (
        f'<TileJointInfo FlagJoined="1" Confidence="100" Direction="{way}" Tile1="{first}" '
        f'Tile2="{second}" OverlapX="{OVER[1] * across}" OverlapY="{OVER[0] * (not across)}"/>'
    )


def ventana(path: Path) -> np.ndarray:
    """Write a slide as Ventana's scanners do, tile 1 at the lower left; return what it shows."""
    scene = np.random.default_rng(1).integers(0, 256, (2 * TILE - 8, 2 * TILE - 16, 3), np.uint8)
    joints = _joint(1, 2, "RIGHT") + _joint(2, 3, "UP") + _joint(4, 3, "RIGHT") + _joint(1, 4, "UP")
    told = (
        f'<EncodeInfo Ver="2"><SlideStitchInfo><ImageInfo AOIScanned="1" AOIIndex="0" '
        f'Width="{TILE}" Height="{TILE}" NumRows="2" NumCols="2" Pos-X="0" Pos-Y="0">{joints}'
        '</ImageInfo></SlideStitchInfo><AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin>'
        "</EncodeInfo>"
    )
    scan = '<iScan Magnification="20" ScanRes="0.46"><AOI0 Left="0"/></iScan>'
    pixels: dict[str, Any] = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        label = np.full((64, 64, 3), 200, np.uint8)
        tif.write(label, description="Label Image", extratags=_tagged(scan), **pixels)
        about = "level=0 mag=20 quality=95"
        tile = {"tile": (TILE, TILE), "description": about, "extratags": _tagged(told)}
        tif.write(_tiled(scene), **tile, **pixels)
    return scene


def trestle(path: Path) -> np.ndarray:
    """Write a slide as Trestle's scanners do; return what it shows."""
    scene = np.random.default_rng(1).integers(0, 256, (2 * TILE - 8, 2 * TILE - 16, 3), np.uint8)
    told = f"Background Color=FFFFFF;Objective Power=20;OverlapsXY= {OVER[1]} {OVER[0]}"
    pixels: dict[str, Any] = {"photometric": "rgb", "metadata": None, "tile": (TILE, TILE)}
    tifffile.imwrite(path, _tiled(scene), description=told, software="MedScan", **pixels)
    return scene


@pytest.mark.parametrize("write", [ventana, trestle])
@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.svs"])
def test_tiles_that_overlap_are_put_together_whatever_the_files_name(
    write: Callable[[Path], np.ndarray], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = write(tmp_path / name)
    slide = read_slide(tmp_path / name)
    assert (slide.height, slide.width) == scene.shape[:2]
    assert np.array_equal(slide.read(), scene)
    (again,) = SlideTable.open(tmp_path).slides
    assert np.array_equal(pickle.loads(pickle.dumps(again)).read((5, 7, 40, 50)), scene[5:45, 7:57])
    monkeypatch.setitem(sys.modules, "openslide", None)
    write(tmp_path / f"other-{name}")  # the first is still open
    with pytest.raises(ValueError, match=r'pip install "napari-hubseg\[slides\]"\.$'):
        read_slide(tmp_path / f"other-{name}")


def test_tiles_of_trestle_that_do_not_overlap_are_read_as_any_tiff(tmp_path: Path) -> None:
    told = {"description": "OverlapsXY= 0 0", "software": "MedScan", "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.tif", SCANNED, tile=(256, 256), metadata=None, **told)
    assert read_slide(tmp_path / "a.tif")._layout.kind == ""
    assert np.array_equal(read_slide(tmp_path / "a.tif").read(), SCANNED)


@pytest.fixture
def slide(tmp_path: Path) -> Slide:
    return read_slide(written(tmp_path / "a.scn"))


def test_the_scanned_part_is_shown_by_any_window_and_level(slide: Slide) -> None:
    assert (slide.id, slide.height, slide.width) == ("a", *SHAPE)
    assert slide.levels == (SHAPE, (256, 384))
    assert slide.um_per_px == pytest.approx(0.5)
    assert slide.origins["um_per_px"] == "metadata"
    assert np.array_equal(slide.read(), SCANNED)
    assert np.array_equal(slide.read((10, 20, 300, 301)), SCANNED[10:310, 20:321])
    assert np.array_equal(slide.read(level=1), SCANNED[::2, ::2])
    assert np.array_equal(slide.read((10, 20, 300, 300), 1), SCANNED[10:310:2, 20:320:2])
    assert np.array_equal(Pyramid(slide).levels[1][5:9, 7:12], SCANNED[10:18:2, 14:24:2])
    assert np.array_equal(pickle.loads(pickle.dumps(slide)).read((0, 0, 3, 3)), SCANNED[:3, :3])


def test_where_the_scanned_part_begins_is_said(slide: Slide) -> None:
    said = slide.notes["image"]
    assert f"begins {LEFT} px from the left and {TOP} px from the top" in said
    with pytest.raises(ValueError, match="lies outside"):
        slide.read((0, 0, SHAPE[0] + 1, 1))


def test_what_was_not_scanned_is_white(tmp_path: Path) -> None:
    import openslide

    path = written(tmp_path / "a.scn")
    assert openslide.OpenSlide(path).dimensions == (2048, 1536)
    from hubseg.slide.openslide_image import OpenSlideImage
    from hubseg.slide.part import Part

    image = OpenSlideImage(path, Part())
    image._levels[0] = image._levels[0]._replace(top=TOP - 5)
    pixels = image.read((0, 0, 7, 9), 0, image.found_values())
    assert (pixels[:5] == 255).all()
    assert np.array_equal(pixels[5:], SCANNED[:2, :9])


def test_masks_leave_in_the_coordinates_of_what_is_shown(slide: Slide, tmp_path: Path) -> None:
    """QuPath cuts a slide to its bounds too; a label image has the size of what was seen."""
    drawn = np.zeros(SHAPE, np.bool_)
    drawn[5:20, 8:30] = True
    project, mask = tmp_path / "p.hubseg", tmp_path / "a.png"
    ReviewProject.create(project, SlideTable.open(slide.path)).close()
    cv2.imwrite(str(mask), drawn.astype(np.uint8) * 255)
    assert main(["import", str(project), str(mask), "--yes"]) == 0
    for name in LEAVING:
        out = tmp_path / name if name != "kaggle-rle" else tmp_path / "out.csv"
        assert main(["export", str(project), "--format", name, "--out", str(out)]) == 0
        file = next(one for one in [*out.glob("a.*"), *out.glob("annotations.*"), out])
        (image,) = images_in(file)[1]
        assert np.array_equal(image.mask(*SHAPE), drawn), name


def test_other_colours_than_srgb_are_said(
    slide: Slide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import openslide

    assert "colours" not in slide.notes
    for name, said in (("LAB", True), ("sRGB", False)):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(name))
        monkeypatch.setattr(openslide.OpenSlide, "color_profile", profile)
        notes = read_slide(written(tmp_path / f"{name}.scn")).notes
        assert ("is not applied" in notes.get("colours", "")) == said
        tifffile.imwrite(tmp_path / "a.tif", SCANNED, iccprofile=profile.tobytes())
        assert ("colours" in read_slide(tmp_path / "a.tif").notes) == said


@pytest.mark.parametrize("name", ["a.mrxs", "a.scn", "a.bif", "a.vms", "a.czi", "a.svslide"])
def test_a_file_that_is_none_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="none that OpenSlide reads") as refused:
        read_slide(tmp_path / name)
    assert name in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_was_cut_off_is_said_where_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.scn")
    slide, data = read_slide(path), bytearray(path.read_bytes())
    half = len(data) // 4
    data[half : 3 * half] = bytes(2 * half)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.scn"):
        slide.read()


def test_without_the_extra_the_refusal_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.scn")
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ValueError, match=r'pip install "napari-hubseg\[slides\]"\.$'):
        read_slide(path)
    assert "napari-hubseg[slides]" in SlideTable.open(tmp_path).missing["a"]


def test_it_holds_one_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out #plane=2"):
        read_slide(f"{written(tmp_path / 'a.scn')}#plane=2")


def test_a_slide_of_several_files_is_known_by_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a.mrxs", "a/Slidedat.ini", "a/Data0000.dat", "b.mrxs"):
        (tmp_path / name).write_text(name)
    path = tmp_path / "a.mrxs"
    assert [one.name for one in files_of(path)] == ["a.mrxs", "Data0000.dat", "Slidedat.ini"]
    digest, stamp = digest_of(path, ""), file_stamp(path)
    assert stamp[0] == sum(one.stat().st_size for one in files_of(path))
    (tmp_path / "a" / "Data0000.dat").write_text("other")
    assert digest_of(path, "") != digest
    assert file_stamp(path) != stamp
