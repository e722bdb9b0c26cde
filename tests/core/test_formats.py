"""Every format of the registry keeps its promise: what is written is the mask, or is refused."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.export import writers
from hubseg.formats import ndpa, registry
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.finding import images_in, suffix_of
from hubseg.formats.format import Format
from hubseg.formats.registry import FORMATS

WRITTEN = [one for one in FORMATS.values() if one.writes in ("slide", "all")]
MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def drawn() -> np.ndarray:
    """Return a ring with an island, a diagonal pair, a bar at the border and a lonely pixel."""
    mask = np.zeros((40, 56), np.bool_)
    mask[5:20, 8:30] = True
    mask[8:17, 12:26] = False
    mask[11:14, 16:20] = True
    mask[24:27, 4:7] = mask[27:30, 7:10] = True
    mask[-3:, :40] = mask[30, 50] = mask[0, 0] = mask[-1, -1] = True
    return mask


def image_of(mask: np.ndarray, number: int = 0) -> MaskedImage:
    return MaskedImage(mask, f"s{number}", f"s{number}.tiff", name="crypt", um_per_px=(0.5, 0.25))


def written(form: Format, folder: Path, masks: list[np.ndarray]) -> list[np.ndarray]:
    """Write masks as an export does and return what an import reads."""
    images = [image_of(mask, number) for number, mask in enumerate(masks)]
    if form.writes == "all":
        path = form.write(folder / f"all{form.suffixes[0]}", iter(images))
        found, read = images_in(path)
        assert found.module == form.module
        assert [Path(one.name).stem for one in read] == [image.id for image in images]
    else:
        read = []
        for image in images:
            path = form.write(folder / f"{image.id}{form.suffixes[0]}", image)
            found, alone = images_in(path)
            assert found.code.read is form.code.read
            read += alone
    return [one.mask(*mask.shape) for one, mask in zip(read, masks, strict=True)]


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
class TestContract:
    @given(masks=st.lists(MASKS, min_size=1, max_size=3))
    def test_mask_to_format_to_mask_is_equal_pixel_for_pixel(
        self, form: Format, tmp_path_factory: pytest.TempPathFactory, masks: list[np.ndarray]
    ) -> None:
        masks = [mask for mask in masks if not form.refusal(image_of(mask))]
        expected = [mask.copy() for mask in masks]
        if form.name == "kaggle-rle-published":
            for mask in expected:
                mask[0, 0] = mask[-1, -1] = False
        for read, mask in zip(
            written(form, tmp_path_factory.mktemp("out"), masks), expected, strict=True
        ):
            assert np.array_equal(read, mask)

    def test_what_it_cannot_hold_is_refused_before_anything_is_written(self, form: Format) -> None:
        refusal = form.refusal(image_of(drawn()))
        assert bool(refusal) == (not form.holes)
        assert form.holes or "1 hole, which" in refusal
        filled = drawn()
        filled[5:20, 8:30] = True
        assert not form.refusal(image_of(filled))
        assert bool(form.loss(image_of(filled))) == (not form.parts or bool(form.always))

    def test_classes_are_kept_where_it_says_so(self, form: Format, tmp_path: Path) -> None:
        mask = drawn()
        mask[5:20, 8:30] = True
        image = image_of(mask)
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image] if form.writes == "all" else image)
        if form.index:
            getattr(form.code, form.index)(tmp_path, {1: "crypt"})
        names = {one.name for one in images_in(path)[1][0].objects}
        assert names in (({"crypt"}, {"1"}) if form.classes else ({""},))  # by name or number

    def test_an_object_in_several_parts_is_one_object_where_it_says_so(
        self, form: Format, tmp_path: Path
    ) -> None:
        mask = np.zeros((9, 9), np.bool_)
        mask[1:3, 1:3] = mask[3:5, 3:5] = mask[7, 7] = True
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image_of(mask)] if form.writes == "all" else image_of(mask))
        count = len(images_in(path)[1][0].objects)
        if form.parts and form.apart:
            assert count == 2
        elif form.apart:
            assert count == 3
        else:
            assert count == 1

    def test_a_file_that_was_cut_off_is_refused_in_one_sentence(
        self, form: Format, tmp_path: Path
    ) -> None:
        mask = np.zeros((60, 60), np.bool_)
        mask[3:20, 3:9] = mask[30:40, 30:57] = True
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image_of(mask)] if form.writes == "all" else image_of(mask))
        files = [one for one in path.rglob("*") if one.is_file()] or [path]
        largest = max(files, key=lambda one: one.stat().st_size)
        whole = largest.read_bytes()
        for part in (0, 1, 10, len(whole) // 2, len(whole) - 3):
            largest.write_bytes(whole[:part])
            try:
                images = images_in(path)[1]
            except (ValueError, OSError) as refused:
                assert len(str(refused).splitlines()) == 1
                assert str(refused).endswith((".", ").")) and len(str(refused)) < 400
            else:  # a text of lines may end after any of them
                assert form.content in ("", "lines")
                for image in images:
                    image.mask(60, 60)


def spoilt(whole: bytes, chance: random.Random) -> bytes:
    """Return bytes of which a few were changed, taken out or put in."""
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(content)) if content else 0
        match chance.randrange(4):
            case 0:
                content[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del content[at : at + chance.randrange(1, 9)]
            case 2:
                content[at:at] = bytes(chance.choices(b'0123456789.-eE"[]{},<>/&Na \n\xff', k=3))
            case _:
                content[at : at + 1] = bytes([chance.choice(b"0123456789-.")])
    return bytes(content)


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_a_file_that_was_spoilt_is_read_or_refused_in_one_sentence(
    form: Format, tmp_path: Path
) -> None:
    """Whatever the bytes are, nothing but a sentence for a person is raised."""
    mask = drawn()
    if not form.holes:
        mask[5:20, 8:30] = True
    path = tmp_path / f"a{form.suffixes[0]}"
    form.write(path, [image_of(mask)] if form.writes == "all" else image_of(mask))
    files = sorted(one for one in path.rglob("*") if one.is_file()) or [path]
    chance = random.Random(form.name)
    for _ in range(80):
        file = chance.choice(files)
        whole = file.read_bytes()
        file.write_bytes(spoilt(whole, chance))
        try:
            for image in images_in(path)[1]:
                size = image.size or mask.shape
                if size[0] * size[1] < 10**7:
                    image.mask(*size)
        except (ValueError, OSError) as refused:
            assert len(str(refused).splitlines()) == 1
        file.write_bytes(whole)


def test_outlines_far_away_are_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0 1e300 0 2e300 0 2e300 1\n0 0 0 1e12 0 1e12 1e12 0 1e12\n")
    (image,) = images_in(path)[1]
    assert image.mask(9, 9).all()


def test_the_page_of_formats_is_made_from_the_registry(repository: Path) -> None:
    """Run ``scripts/manifest`` after a change of the registry."""
    page = (repository / "docs" / "reference.md").read_text(encoding="utf-8")
    assert f"<!-- formats -->\n\n{registry.as_table()}\n<!-- /formats -->\n" in page


def test_what_is_offered_for_writing_comes_from_the_registry() -> None:
    names = [name for name, one in FORMATS.items() if one.writes]
    assert list(writers.FORMATS) == names
    assert all(writers.FORMATS[name].title.startswith(FORMATS[name].title) for name in names)


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_every_entry_says_what_it_is_and_has_its_code(form: Format) -> None:
    assert form.sentence and "\n" not in form.sentence and not form.sentence.endswith(".")
    assert all(suffix == suffix.casefold() for suffix in form.suffixes)
    assert not form.writes or form.target
    code = form.code
    assert not form.reads or callable(code.read)
    assert form.writes not in ("slide", "all") or callable(getattr(code, form.writer))
    if form.content:
        assert callable(code.recognises) and callable(code.images)


def test_a_file_is_told_by_its_name_and_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(ValueError, match="of no format that is read"):
        images_in(tmp_path / "a.xyz")
    (tmp_path / "a.json").write_text('{"what": 1}')
    with pytest.raises(ValueError, match="is none of GeoJSON"):
        images_in(tmp_path / "a.json")
    assert suffix_of(Path("A.GeoJSON.gz")) == ".geojson.gz"
    packed = FORMATS["geojson"].write(tmp_path / "a.geojson.gz", image_of(drawn()))
    assert gzip.decompress(packed.read_bytes()).startswith(b'{"type":"FeatureCollection"')


BAD_TEXTS = {
    "entities.xml": (
        '<!DOCTYPE a [<!ENTITY b "c">]><ASAP_Annotations>&b;</ASAP_Annotations>',
        "document type or entities",
    ),
    "elsewhere.xml": (
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>',
        "document type or entities",
    ),
    "half.xml": ("<ASAP_Annotations><Annotations>", "no whole XML"),
    "other.xml": ("<html></html>", "is none of"),
    "half.json": ('{"shapes": [', "no whole JSON"),
    "words.jsonl": ("not json\n", "is none of"),
    "other.csv": ("id,what\na,1\n", "no column"),
    "text.npy": ("hello", "no array of NumPy"),
    "text.roi": ("hello", "no region of ImageJ"),
    "text.zip": ("PK\x03\x04 hello", "no region of ImageJ"),
    "text.png": ("hello", "no PNG or TIFF"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_what_is_none_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    text, said = BAD_TEXTS[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=said) as refused:
        images_in(tmp_path / name)
    assert len(str(refused.value).splitlines()) == 1
    assert name in str(refused.value)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([[{"a": 1}]], object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled Python objects"):
        images_in(path)
    path.write_bytes(pickle.dumps(np.zeros((2, 2))))
    with pytest.raises(ValueError, match="no array of NumPy"):
        images_in(path)


def test_an_array_that_declares_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|u1", "fortran_order": False, "shape": (2**16, 2**16)}
        )
    with pytest.raises(ValueError, match="too short to hold them"):
        images_in(path)


def test_a_zip_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.formats.imagej._MOST_BYTES", 2**21)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../a.roi", b"Iout" + bytes(2**23))
    assert path.stat().st_size < 2**16
    with pytest.raises(ValueError, match="unpacks to more than 2 MiB"):
        images_in(path)


NAN = float("nan")
SQUARE = [[2, 2], [9, 2], [9, 9], [2, 9]]
BROKEN = [[2, 2], [9, NAN], [9, 9], [2, 9]]


@pytest.mark.parametrize(
    "name", ["a.json", "b.json", "a.xml", "b.xml", "c.xml", "a.txt", "a.jsonl"]
)
def test_a_corner_that_is_no_number_costs_its_object_alone(name: str, tmp_path: Path) -> None:
    """One object of each file can be read, one cannot: it is counted."""

    def points(tag: str, ring: list[list[float]]) -> str:
        return "".join(f'<{tag} X="{x}" Y="{y}"/>' for x, y in ring)

    rings = (SQUARE, BROKEN)
    asap = "".join(
        f'<Annotation Type="Polygon"><Coordinates>{points("Coordinate", ring)}</Coordinates>'
        "</Annotation>"
        for ring in rings
    )
    scope = "".join(f"<Region>{points('Vertex', ring)}</Region>" for ring in rings)
    cvat = "".join(f'<polygon points="{";".join(f"{x},{y}" for x, y in ring)}"/>' for ring in rings)
    flat = [" ".join(str(v / 12) for pair in ring for v in pair) for ring in rings]
    region = {"type": "polygonlabels", "original_width": 12, "original_height": 12}
    task = [
        {**region, "value": {"points": [[x * 100 / 12, y * 100 / 12] for x, y in ring]}}
        for ring in rings
    ]
    texts = {
        "a.json": json.dumps({"shapes": [{"label": "x", "points": ring} for ring in rings]}),
        "b.json": json.dumps([{"data": {}, "annotations": [{"result": task}]}]),
        "a.xml": f"<ASAP_Annotations>{asap}</ASAP_Annotations>",
        "b.xml": f"<Annotations><Annotation>{scope}</Annotation></Annotations>",
        "c.xml": f"<annotations><image>{cvat}</image></annotations>",
        "a.txt": "".join(f"0 {line}\n" for line in flat),
        "a.jsonl": json.dumps(
            {"id": "a", "annotations": [{"type": "x", "coordinates": [ring]} for ring in rings]}
        ),
    }
    (tmp_path / name).write_text(texts[name])
    (image,) = images_in(tmp_path / name)[1]
    assert len(image.objects) == 1
    assert dict(image.left_out) == {"objects that cannot be read": 1}
    assert image.mask(12, 12).sum() == 49


def test_a_table_names_the_row_that_is_wrong_and_reads_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffid;rle\na;1 3\nb;1 2 3\nc;5 2 5 1\nd;\n")
    images = {one.name: one for one in FORMATS["kaggle-rle"].read(path)}
    assert images["a"].mask(4, 2).sum() == 3
    assert "odd count" in images["b"].notes[0] and not images["b"].objects
    assert "overlap" in images["c"].notes[0]
    assert not images["d"].mask(4, 2).any()
    with pytest.raises(ValueError, match="ends beyond"):
        images["a"].mask(1, 1)
    path.write_text("id,encoding\na,1 3\na,5 1\n")
    with pytest.raises(ValueError, match="stands twice"):
        FORMATS["kaggle-rle"].read(path)


def test_runs_by_class_are_counted_along_the_rows_as_others_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,class,segmentation\na,stomach,2 3\na,bowel,\na,crypt,7 1\n")
    (image,) = FORMATS["kaggle-classes"].read(path)
    assert [one.name for one in image.objects] == ["stomach", "crypt"]
    wanted = np.zeros((2, 4), np.bool_)
    wanted[0, 1:4] = wanted[1, 2] = True
    assert np.array_equal(image.mask(2, 4), wanted)


@pytest.mark.parametrize(
    "text",
    [
        "ImageId_ClassId,EncodedPixels\na.jpg_1,2 3\na.jpg_2,\na.jpg_4,7 1\nb_2.png_1,\n",
        "ImageId,ClassId,EncodedPixels\na.jpg,1,2 3\na.jpg,2,\na.jpg,4,7 1\nb_2.png,1,\n",
    ],
)
def test_runs_by_class_number_are_counted_down_the_columns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    first, second = FORMATS["kaggle-image-class"].read(path)
    assert (first.name, second.name) == ("a.jpg", "b_2.png")
    assert [one.name for one in first.objects] == ["1", "4"]
    wanted = np.zeros((3, 3), np.bool_)
    wanted[1:, 0] = wanted[0, 1] = wanted[0, 2] = True
    assert np.array_equal(first.mask(3, 3), wanted)
    path.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(ValueError, match=r"a.jpg of class 1 stands twice"):
        FORMATS["kaggle-image-class"].read(path)


def test_a_table_of_structures_has_a_row_for_each_also_where_there_is_nothing(
    tmp_path: Path,
) -> None:
    mask = np.zeros((3, 4), np.bool_)
    mask[1:, 0] = True
    images = [
        MaskedImage(mask, "a", "a.jpg", name="tubule", number=1),
        MaskedImage(~mask, "a", "a.jpg", name="vessel", number=2),
        MaskedImage(mask & False, "D_a", "a.jpg", name="tubule", number=1),
    ]
    rows = {
        "kaggle-image-class": ["ImageId_ClassId,EncodedPixels", "a.jpg_1,2 2", "a.jpg_2,1 1 4 9"],
        "kaggle-image-and-class": [
            "ImageId,ClassId,EncodedPixels",
            "a.jpg,1,2 2",
            "a.jpg,2,1 1 4 9",
        ],
    }
    for name, wanted in rows.items():
        lines = FORMATS[name].write(tmp_path / "t.csv", images).read_text().splitlines()
        assert lines[:3] == wanted
        assert lines[3].startswith("D_a") and lines[3].endswith(",")


def test_hamamatsus_nanometres_are_placed_by_the_slide_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slide of 0.5 x 0.25 µm/px whose centre lies 3 µm right and 1 µm above the glass's.

    Nothing writes NDPI, whose offsets are longer: a TIFF with its tags stands in for one.
    """
    opened = tifffile.TiffFile
    monkeypatch.setattr(tifffile, "TiffFile", lambda path: opened(io.BytesIO(path.read_bytes())))
    path = tmp_path / "a.ndpi.ndpa"
    x0, y0 = 3000 - 20 * 500, -1000 - 15 * 250  # the slide's upper left corner
    square = [(x0 + 500 * x, y0 + 250 * y) for x, y in ((2, 3), (12, 3), (12, 8), (2, 8))]
    points = "".join(f"<point><x>{x}</x><y>{y}</y></point>" for x, y in square)
    freehand = (
        '<annotation type="freehand"><closed>{}</closed><pointlist>{}</pointlist></annotation>'
    )
    path.write_text(
        "<annotations><ndpviewstate><title>tumour</title><coordformat>nanometers</coordformat>"
        f"{freehand.format(1, points)}{freehand.format(0, points)}"
        '<annotation type="pin"><x>1</x><y>2</y></annotation></ndpviewstate></annotations>'
    )
    with pytest.raises(ValueError, match="put that slide beside it"):
        images_in(path)
    slide = tmp_path / "a.ndpi"
    options = {"resolution": (20000, 40000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(slide, np.zeros((30, 40), np.uint8), **options)
    with pytest.raises(ValueError, match="middle of the glass"):
        images_in(path)
    tags = [(65422, "i", 1, 3000, True), (65423, "i", 1, -1000, True)]
    tifffile.imwrite(slide, np.zeros((30, 40), np.uint8), extratags=tags, **options)
    form, (image,) = images_in(path)
    assert form.name == "ndpa" and image.size == (30, 40)
    assert [one.name for one in image.objects] == ["tumour"]
    assert dict(image.left_out) == {"lines": 1, "points": 1}
    wanted = np.zeros((30, 40), np.bool_)
    wanted[3:8, 2:12] = True
    assert np.array_equal(image.mask(30, 40), wanted)


@given(mask=MASKS.filter(lambda mask: mask.any()), dx=st.integers(-9000, 9000))
def test_masks_without_holes_come_back_from_nanometres(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, dx: int
) -> None:
    """A scanner's 0.2275 x 0.2266 µm/px, which no whole number of nanometres is."""
    folder, opened = tmp_path_factory.mktemp("ndpa"), tifffile.TiffFile
    slide = folder / "a.ndpi"
    tags = [(65422, "i", 1, dx, True), (65423, "i", 1, -777, True)]
    options = {"resolution": (1e7 / 227.5, 1e7 / 226.6), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(slide, np.zeros(mask.shape, np.uint8), extratags=tags, **options)
    image = image_of(mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tifffile, "TiffFile", lambda path: opened(io.BytesIO(path.read_bytes())))
        if FORMATS["ndpa"].refusal(image):
            with pytest.raises(OSError, match="reads back different"):
                ndpa.write(folder / "a.ndpi.ndpa", image, slide)
            return
        path = ndpa.write(folder / "a.ndpi.ndpa", image, slide)
        (read,) = images_in(path)[1]
    assert read.size == mask.shape
    assert np.array_equal(read.mask(*mask.shape), mask)
    assert {one.name for one in read.objects} == {"crypt"}
    assert not read.notes


def test_shapes_that_are_no_polygon_have_their_area(tmp_path: Path) -> None:
    """Boxes, ellipses and turned boxes of CVAT and Label Studio."""
    (tmp_path / "a.xml").write_text(
        '<annotations><image name="x/a.png" width="40" height="30">'
        '<box label="b" xtl="2" ytl="3" xbr="12" ybr="8" rotation="90"/>'
        '<ellipse label="e" cx="20" cy="15" rx="6" ry="4"/><tag label="t"/>'
        '<mask label="m" rle="1, 2, 1" left="38" top="0" width="2" height="2"/>'
        '<mask label="m" rle="1, 9, 1" left="38" top="0" width="2" height="2"/>'
        '<mask label="m" rle="0, 4" left="39" top="0" width="2" height="2"/></image></annotations>'
    )
    (image,) = images_in(tmp_path / "a.xml")[1]
    assert image.name == "a.png" and image.size == (30, 40)
    box, ellipse, pixels = image.objects
    assert box.area == pytest.approx(50) and ellipse.area == pytest.approx(np.pi * 24)
    assert np.allclose(sorted({*box.polygons[0].exterior[:, 0].round(6)}), [4.5, 9.5])
    assert pixels.area == 2
    assert dict(image.left_out) == {"objects that cannot be read": 2}


def test_colours_and_numbers_are_objects(tmp_path: Path) -> None:
    """A colour table whose first colour is not black has objects there too."""
    from PIL import Image

    numbers = np.array([[0, 1], [2, 1]], np.uint8)
    picture = Image.fromarray(numbers)
    picture.putpalette(bytes([9, 0, 0, 0, 0, 0, 0, 8, 0]))
    picture.save(tmp_path / "a.png")
    (image,) = images_in(tmp_path / "a.png")[1]
    assert sorted(one.area for one in image.objects) == [1, 1]
    assert np.array_equal(image.mask(2, 2), numbers != 1)


def test_pixel_size_is_kept_where_it_says_so(tmp_path: Path) -> None:
    from PIL import Image

    image = image_of(drawn())
    kept = [one for one in WRITTEN if one.scale]
    names = {"imagescope", "label-tiff", "object-tiff", "class-png", "class-tiff"}
    names |= {"ome-zarr", "ome-zarr-0.4"}
    assert {one.name for one in kept} == names
    for form in kept:
        path = form.write(tmp_path / f"{form.name}{form.suffixes[0]}", image)
        if form.suffixes[0] == ".xml":
            assert 'MicronsPerPixel="0.3535533906"' in path.read_text()
            continue
        if path.is_dir():
            told = json.loads(
                next(path.glob(".zattrs" if "0.4" in form.name else "zarr.json")).read_text()
            )
            told = told.get("attributes", {}).get("ome", told)
            (first, *_) = told["multiscales"][0]["datasets"]
            assert first["coordinateTransformations"][0]["scale"] == [0.5, 0.25]
            continue
        with Image.open(path) as picture:
            assert [float(dpi) for dpi in picture.info["dpi"]] == pytest.approx(
                [25400 / 0.25, 25400 / 0.5], rel=1e-4
            )
