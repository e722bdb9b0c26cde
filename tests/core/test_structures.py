"""Masks of several structures: each has its threshold, and exclusive ones stay apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from stored import SHAPE, TINY, map_of, write_slides

from hubseg.cleanup import Cleanup, count_objects
from hubseg.cli import main
from hubseg.formats.registry import FORMATS
from hubseg.formats.rle import encode
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ, StructureName
from hubseg.probability import MapStore, MemberMap
from hubseg.probability import pieces as pieces_module
from hubseg.probability.pieces import MapInPieces, together
from hubseg.probability.winners import winners
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.queue_rows import row_of
from hubseg.project.runs import record
from hubseg.project.structures import structures_of
from hubseg.project.words import vocabulary_of
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, read_slide

NAMES = GLOMERULUS, TUBULE, VESSEL = tuple(map(StructureName, ("glomerulus", "tubule", "vessel")))
KIDNEY = Organ.KIDNEY, DataSource.HUBMAP


def recipe(lines: str = "", *, exclusive: Sequence[str] = ()) -> Recipe:
    named = TINY.replace('"m_{fold}"}', '"m_{fold}", classes: [glomerulus, tubule, vessel]}')
    groups = f", exclusive: [[{', '.join(exclusive)}]]" if exclusive else ""
    words = f"vocabulary: {{structures: {{tubule: {{organs: [kidney]}}, vessel: {{}}}}{groups}}}\n"
    return Recipe.from_yaml(named + words + lines)


# ---- whose a pixel is ---------------------------------------------------------------------------

SEVERAL = st.integers(2, 4).flatmap(
    lambda count: st.tuples(
        arrays(np.uint8, (count, 7, 9)).map(lambda values: values.astype(np.float32)),
        st.lists(st.floats(0, 255), min_size=count, max_size=count),
    )
)


@given(SEVERAL)
def test_a_pixel_is_of_the_structure_with_the_largest_margin(given: Any) -> None:
    values, thresholds = given
    won = winners(list(values), thresholds)
    margins = values - np.array(thresholds, np.float32)[:, None, None]
    np.testing.assert_array_equal(won, margins.argmax(0))  # of equal ones the first


@given(SEVERAL, st.integers(0, 60), st.integers(0, 60), st.integers(0, 2))
def test_whatever_is_tidied_up_no_pixel_belongs_to_two(
    given: Any, hole: int, least: int, grow: int
) -> None:
    values, thresholds = given
    won = winners(list(values), thresholds)
    plan = Cleanup(fill_holes=hole, min_area=least, grow=grow, close=2)
    total = np.zeros(won.shape, int)
    for place, (one, threshold) in enumerate(zip(values, thresholds, strict=True)):
        share = won == place
        total += plan.apply((one > threshold) & share) & share
    assert total.max() <= 1


@pytest.mark.parametrize("count", [(2, 1), (0, 0), (256, 256)])
def test_structures_without_thresholds_are_not_compared(count: tuple[int, int]) -> None:
    one = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match="one threshold for each"):
        winners([one] * count[0], [0.0] * count[1])


def of_levels(*shapes: tuple[int, int], size: tuple[int, int]) -> MapInPieces:
    random = np.random.default_rng(len(shapes))
    levels = tuple((random.random(shape, np.float32), 1 / len(shapes)) for shape in shapes)
    facts = map_of(np.zeros((1, 1), np.float32), "s").facts()
    return MapInPieces(size, levels, truncated=False, **facts)


def test_maps_of_any_resolutions_are_compared_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pieces_module, "_WHOLE", 1000)
    size = (40, 1300)
    maps = [
        of_levels((20, 650), size=size),
        of_levels((50, 1400), (20, 650), size=size),
        of_levels((10, 325), (20, 650), size=size),
    ]
    assert [one.is_one_piece for one in maps] == [False, True, False]
    for several in (maps, maps[:1], maps[1:2], [maps[0], maps[2]]):
        wholes = [np.zeros(size, np.float32) for _ in several]
        for cut, values in together(several):
            for whole, part in zip(wholes, values, strict=True):
                whole[cut] = part
        for whole, one in zip(wholes, several, strict=True):
            np.testing.assert_array_equal(whole, one.values)


# ---- a project ----------------------------------------------------------------------------------


def values_of() -> np.ndarray:
    """Three round things whose maps overlap, 0-1."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    centres = ((20, 20), (20, 32), (30, 26))
    return np.stack([np.clip(1.3 - np.hypot(y - a, x - b) / 14, 0, 1) for a, b in centres]).astype(
        np.float32
    )


def made_project(folder: Path, made: Recipe) -> Path:
    table, path = SlideTable.open(write_slides(folder, ["a", "b"])), folder / "p.hubseg"
    with ReviewProject.create(path, table) as project:
        for number, slide in enumerate(project.slides()):
            keys = []
            for member in made.members():
                key = f"{number}{member.fold}00"
                MapStore(project.maps).put(key, MemberMap(values_of()))
                keys.append((member, key))
            digest = project.digest(slide)
            record(project, "run", slide.id, made, keys, slide_digest=digest, asked=made.members())
    session = ReviewSession(author="ann")
    session.open(path)
    session.adopt(made)
    session.close()
    return path


def masks_of(path: Path, slide_id: str = "a") -> dict[Any, np.ndarray]:
    with ReviewProject.for_reading(path) as project:
        slide = next(one for one in project.slides() if one.id == slide_id)
        return {n: derive(project, slide, n).mask for n in structures_of(project, slide)}


LINES = "thresholds: {Hubmap: {kidney: {default: 90, tubule: 120}}, default: 60}\n"


def test_each_structure_has_its_own_threshold_and_overlaps_where_it_may(tmp_path: Path) -> None:
    path, values = made_project(tmp_path, recipe(LINES)), values_of() * 255
    masks = masks_of(path)
    assert tuple(masks) == NAMES
    for name, one, threshold in zip(NAMES, values, (90, 120, 60), strict=True):
        np.testing.assert_array_equal(masks[name], one > threshold)
    assert (masks[GLOMERULUS] & masks[TUBULE]).any()
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        np.testing.assert_array_equal(derive(project, slide).mask, masks[GLOMERULUS])
        told = [derive(project, slide, name) for name in NAMES]
        assert [one.structure for one in told] == ["glomerulus", "tubule", "vessel"]
        assert [one.name for one in told] == list(NAMES)
        with pytest.raises(ValueError, match="no map of crypt"):
            derive(project, slide, StructureName("crypt"))


def test_structures_that_exclude_each_other_stay_apart_and_the_largest_margin_wins(
    tmp_path: Path,
) -> None:
    path = made_project(tmp_path, recipe(LINES, exclusive=["glomerulus", "tubule"]))
    values, masks = values_of() * 255, masks_of(path)
    first, second, third = values[0] - 90, values[1] - 120, values[2] > 60
    np.testing.assert_array_equal(masks[GLOMERULUS], (first > 0) & (first >= second))
    np.testing.assert_array_equal(masks[TUBULE], (second > 0) & (second > first))
    np.testing.assert_array_equal(masks[VESSEL], third)  # of no group


def test_what_a_person_drew_or_accepted_is_no_part_of_a_structure_that_excludes_it(
    tmp_path: Path,
) -> None:
    path = made_project(tmp_path, recipe(LINES, exclusive=NAMES))
    before = masks_of(path)
    stroke = before[TUBULE] & ~before[GLOMERULUS]
    session = ReviewSession(author="ann")
    session.open(path)
    session.go_to("a")
    with ReviewProject.for_reading(path) as project:
        session.show(newest_map(project, project.slides()[0]))
    assert session.structure == GLOMERULUS
    session.mask_now()
    session.paint(stroke, add=True)
    drawn = masks_of(path)
    assert drawn[GLOMERULUS][stroke].all() and not drawn[TUBULE][stroke].any()
    session.accept()
    session.set_threshold(0, structure=GLOMERULUS)
    session.close()
    accepted = masks_of(path)
    total = sum(mask.astype(int) for mask in accepted.values())
    assert total.max() == 1
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        verdicts = [derive(project, slide, name).verdict for name in NAMES]
    assert verdicts == [Verdict.CORRECTED] * 3


@pytest.mark.parametrize("cleanup", [Cleanup(), Cleanup(min_area=9, close=2)])
def test_the_mask_in_a_session_is_the_one_that_leaves(tmp_path: Path, cleanup: Cleanup) -> None:
    path = made_project(tmp_path, recipe(LINES, exclusive=NAMES))
    session = ReviewSession(author="ann")
    session.open(path)
    session.go_to("a")
    session.set_cleanup(cleanup)
    with ReviewProject.for_reading(path) as project:
        first = newest_map(project, project.slides()[0])
    assert first is not None
    session.show(first)
    for value, name in ((90, GLOMERULUS), (10, TUBULE), (200, VESSEL)):
        session.set_threshold(value, structure=name)
        np.testing.assert_array_equal(session.mask_now(), masks_of(path)[GLOMERULUS])
        ahead = session.request_for("a", first)
        assert ahead.answered_by(session.mask_request())
        np.testing.assert_array_equal(ahead.compute().mask, session.mask_now())
    whole = first.values > 90
    assert (whole & ~session.mask_now()).any()
    stroke = np.zeros(SHAPE, np.bool_)
    stroke[10:30, 10:40] = True
    session.paint(stroke, add=True)
    session.paint(stroke, add=None)  # what the rules give again, beside the others
    np.testing.assert_array_equal(session.mask_now(), masks_of(path)[GLOMERULUS])
    session.close()


def test_thresholds_of_structures_are_rows_that_undo_takes_back(tmp_path: Path) -> None:
    path = made_project(tmp_path, recipe(LINES))
    session = ReviewSession(author="ann")
    session.open(path)
    session.go_to("a")
    session.set_threshold(200, structure=TUBULE)
    session.set_threshold(33, structure=VESSEL, scope="slide")
    rules = session.review.rules
    told = [rules.threshold(*KIDNEY, name) for name in NAMES]
    assert (told, session.threshold) == ([90, 200, 33], 90)
    session.undo()
    session.undo()
    rules = session.review.rules
    assert [rules.threshold(*KIDNEY, name) for name in NAMES] == [90, 120, 60]
    session.redo()
    session.close()
    assert masks_of(path)[TUBULE].sum() == (values_of()[1] * 255 > 200).sum()


def test_the_organs_own_structure_by_name_is_the_threshold_that_it_always_had(
    tmp_path: Path,
) -> None:
    path = made_project(tmp_path, recipe(LINES))
    session = ReviewSession(author="ann")
    session.open(path)
    session.set_threshold(77, organ=KIDNEY[0], source=KIDNEY[1], structure=GLOMERULUS)
    row = session.review.history.last_step
    assert row is not None
    assert "structure" not in row.facts
    assert session.thresholds.value(*KIDNEY) == 77
    session.close()


# ---- commands -----------------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str], *command: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*map(str, command), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_mask_tells_every_structure_and_takes_a_threshold_for_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_project(tmp_path, recipe(LINES))
    rows = said(capsys, "mask", path, "--threshold", "kidney/Hubmap/tubule=10")["masks"]
    told = [(row["slide"], row["structure"], row["threshold"]) for row in rows]
    wanted = [("glomerulus", 90), ("tubule", 10), ("vessel", 60)]
    assert told == [(slide, *one) for slide in "ab" for one in wanted]
    assert main(["mask", str(path)]) == 0
    assert "structure" in capsys.readouterr().out.splitlines()[0]


def write_truth(folder: Path, mask: np.ndarray) -> Path:
    path = folder / "truth.csv"
    path.write_text("id,rle\n" + "".join(f"{name},{encode(mask)}\n" for name in "ab"))
    return path


def test_evaluate_judges_the_structure_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_project(tmp_path, recipe(LINES))
    truth = write_truth(tmp_path, masks_of(path)[TUBULE])
    given = ("evaluate", path, "--truth", truth)
    assert said(capsys, *given, "--structure", "Tubule")["dice"] == 1.0
    assert said(capsys, *given)["dice"] < 0.9
    assert main([*map(str, given), "--structure", "tubul"]) == 1
    assert "Structure 'tubul' is not known: tubule?" in capsys.readouterr().err


def test_calibrate_finds_the_threshold_of_a_structure_and_sets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.thresholds.calibration.ENOUGH", 2)
    path = made_project(tmp_path, recipe(LINES))
    truth = write_truth(tmp_path, values_of()[1] * 255 > 150)
    given = ("calibrate", path, "--truth", truth, "--structure", "tubule", "--apply")
    (found,) = said(capsys, *given, "--out", tmp_path / "t.yaml")["calibrated"]
    assert (found["structure"], found["now"], found["dice"]) == ("tubule", 120, 1.0)
    assert abs(found["threshold"] - 150) <= 10
    rows = said(capsys, "mask", path)["masks"]
    assert [row["threshold"] for row in rows][:3] == [90, found["threshold"], 60]
    assert main(["mask", str(path), "--threshold", "kidney/Hubmap/tubule=3"]) == 0
    again = said(capsys, "mask", path, "--preset", tmp_path / "t.yaml")["masks"]
    assert again == rows


# ---- tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "ids"),
    [
        ("kaggle-image-class", ["a.png_1", "a.png_2", "a.png_3", "b.png_1", "b.png_2", "b.png_3"]),
        ("kaggle-image-and-class", ["a.png,1", "a.png,2", "a.png,3", "b.png,1"]),
        ("kaggle-classes", ["a,glomerulus", "a,tubule", "a,vessel", "b,glomerulus"]),
    ],
)
def test_a_table_has_a_row_for_each_structure_numbered_in_the_vocabularys_order(
    tmp_path: Path, format: str, ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out.csv"
    assert said(capsys, "export", path, "--format", format, "--out", out)["written"] == ["a", "b"]
    lines = out.read_text().splitlines()[1:]
    assert len(lines) == 6
    assert [line.rpartition(",")[0] for line in lines][: len(ids)] == ids
    masks = masks_of(path)
    texts = [line.rpartition(",")[2] for line in lines]
    across = format == "kaggle-classes"
    wanted = [encode(mask.T if across else mask) for mask in masks.values()]
    assert texts == wanted * 2


def test_a_table_of_one_structure_is_written_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out.csv"
    said(capsys, "export", path, "--format", "kaggle-rle", "--out", out)
    assert out.read_text() == "id,rle\n" + "".join(
        f"{name},{encode(masks_of(path)[GLOMERULUS])}\n" for name in "ab"
    )


@pytest.mark.parametrize("format", ["kaggle-image-class", "kaggle-image-and-class"])
def test_a_table_of_structures_is_a_truth_for_each_of_them(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out.csv"
    said(capsys, "export", path, "--format", format, "--out", out)
    given = ("evaluate", path, "--truth", out)
    for name in NAMES:
        assert said(capsys, *given, "--structure", name)["dice"] == 1.0
    every = said(capsys, *given)
    assert every["dice"] == 1.0  # the first one
    assert {name: one["dice"] for name, one in every["structures"].items()} == {
        str(name): 1.0 for name in NAMES
    }
    assert "structures" not in said(capsys, *given, "--structure", "tubule")
    last = out.read_text().splitlines()[-1]
    out.write_text(
        out.read_text() + last.replace("b.png_3", "b.png_4").replace("b.png,3", "b.png,4")
    )
    assert main(list(map(str, given))) == 1
    assert "class 4" in capsys.readouterr().err


# ---- images of numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["class-png", "class-tiff"])
def test_an_image_has_a_number_and_a_colour_for_each_structure(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES, exclusive=NAMES)), tmp_path / "out"
    told = said(capsys, "export", path, "--format", format, "--out", out)
    assert told["notes"]["numbers"].endswith("numbered 1 glomerulus, 2 tubule, 3 vessel.")
    suffix = ".png" if format == "class-png" else ".tif"
    stored = numbers_in(out / f"a{suffix}")
    for number, mask in enumerate(masks_of(path).values(), 1):
        np.testing.assert_array_equal(stored == number, mask)
    with ReviewProject.for_reading(path) as project:
        words = vocabulary_of(project)
    hexes = [next(one.colour for one in words.structures if one.name == name) for name in NAMES]
    assert colours_in(out / f"a{suffix}")[1:4] == hexes
    (image,) = FORMATS[format].read(out / f"a{suffix}")
    assert len(image.objects) == 3


@pytest.mark.parametrize("format", ["class-png", "class-tiff"])
def test_structures_that_share_a_pixel_are_no_image_of_numbers_and_that_is_said(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_project(tmp_path, recipe(LINES))
    given = ["export", str(path), "--format", format, "--out", str(tmp_path / "out")]
    assert main(given) == 1
    assert "tubule and another structure share" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))


def test_the_soft_maps_of_all_structures_leave_as_channels_of_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zarr = pytest.importorskip("zarr")
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out"
    told = said(capsys, "export", path, "--format", "ome-zarr-map", "--out", out)
    assert told["written"] == ["a", "b"]
    group = zarr.open_group(out / "a.ome.zarr", mode="r")
    with ReviewProject.for_reading(path) as project:
        slide = next(iter(project.slides()))
        maps = [newest_map(project, slide, structure=name) for name in NAMES]
        colours = {one.label: one.colour for one in vocabulary_of(project).structures}
    np.testing.assert_array_equal(group["0"][:], [one.values for one in maps if one is not None])
    attributes = dict(group.attrs)
    channels = attributes["omero"]["channels"]
    assert [one["label"] for one in channels] == ["glomerulus", "tubule", "vessel"]
    assert all(f"#{one['color'].lower()}" == colours[one["label"]] for one in channels)
    (multiscale,) = attributes["multiscales"]
    assert [one["name"] for one in multiscale["axes"]] == ["c", "y", "x"]
    shown = read_slide(f"{out / 'a.ome.zarr'}#channels=2").read()
    np.testing.assert_array_equal(shown[..., 0], np.rint(group["0"][1]))


def numbers_in(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    with Image.open(path) as picture:
        return np.asarray(picture)


def colours_in(path: Path) -> list[str]:
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            table = file.pages[0].colormap.T // 257
    else:
        with Image.open(path) as picture:
            table = np.array(picture.getpalette("RGB")).reshape(-1, 3)
    return ["#" + bytes(row.astype(np.uint8)).hex() for row in table]


# ---- in again -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "kinds"),
    [("kaggle-image-class", ("1", "2", "3")), ("kaggle-classes", tuple(map(str, NAMES)))],
)
def test_one_class_of_a_table_is_taken_over_and_several_together_are_said(
    tmp_path: Path, format: str, kinds: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out.csv"
    said(capsys, "export", path, "--format", format, "--out", out)
    before = masks_of(path)
    for kind, (name, mask) in zip(kinds, before.items(), strict=True):
        assert main(["import", str(path), str(out), "--yes", "--class", kind]) == 0
        onto = name if kind == name else GLOMERULUS  # by its name, onto that structure
        np.testing.assert_array_equal(masks_of(path)[onto], mask)
    capsys.readouterr()
    assert main(["import", str(path), str(out), "--yes"]) == 0
    assert f"Its classes {', '.join(kinds)} are taken together" in capsys.readouterr().err
    union = np.logical_or.reduce(list(before.values()))
    np.testing.assert_array_equal(masks_of(path)[GLOMERULUS], union)
    assert main(["import", str(path), str(out), "--yes", "--class", "9"]) == 1
    assert "No mask has objects of 9" in capsys.readouterr().err
    np.testing.assert_array_equal(masks_of(path)[GLOMERULUS], union)


# ---- objects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["geojson", "geojson-gz", "coco"])
def test_objects_leave_under_the_name_of_their_structure(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made_project(tmp_path, recipe(LINES)), tmp_path / "out"
    assert said(capsys, "export", path, "--format", format, "--out", out)["written"] == ["a", "b"]
    files = sorted(out.iterdir())
    images = [one for file in files for one in FORMATS[format].read(file)]
    assert len(images) == 2
    for image in images:
        assert image.classes == tuple(map(str, NAMES))
        for name, mask in masks_of(path).items():
            np.testing.assert_array_equal(image.of_class(name).mask(*SHAPE), mask)
    if format == "geojson":
        (first, *_) = json.loads(files[0].read_text())["features"]
        assert first["properties"]["classification"] == {
            "name": "glomerulus",
            "color": [213, 94, 0],
        }


def test_a_row_of_the_queue_is_about_the_structure_that_is_asked_for(tmp_path: Path) -> None:
    path = made_project(tmp_path, recipe(LINES))
    masks = masks_of(path)
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        first, *rows = (row_of(project, slide, name) for name in (None, *NAMES))
        assert first == rows[0]
        for name, row in zip(NAMES, rows, strict=True):
            assert row.area == masks[name].mean()
            assert row.objects == count_objects(masks[name])
        assert len({row.area for row in rows}) == len(NAMES)
        nowhere = row_of(project, slide, StructureName("nerve"))
        assert (nowhere.area, nowhere.objects, nowhere.expected) == (None, None, None)
