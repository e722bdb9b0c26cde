"""A mask of a whole slide comes to its regions: each gets what lies in it, the rest is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.cli import main
from hubseg.formats.annotated import AnnotatedImage, Annotation, images_of_labels
from hubseg.formats.coco import write_coco
from hubseg.formats.cut import CutImage
from hubseg.formats.pixel_runs import numbered
from hubseg.formats.polygons import Polygon, polygons_of
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.splitting import split_slide
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (200, 300)
MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)

# ---- cutting ------------------------------------------------------------------------------------


def as_outlines(mask: NDArray[np.bool_]) -> AnnotatedImage:
    objects = tuple(Annotation("x", tuple(parts)) for parts in polygons_of(mask))
    return AnnotatedImage("a", None, objects)


def as_labels(mask: NDArray[np.bool_]) -> AnnotatedImage:
    return images_of_labels(numbered(mask))


def along_rows(mask: NDArray[np.bool_]) -> AnnotatedImage:
    turned = images_of_labels(np.ascontiguousarray(numbered(mask).T))
    objects = [Annotation("", (), one.runs, mask.shape, across=True) for one in turned.objects]
    return AnnotatedImage("", mask.shape, tuple(objects))


def as_run_lengths(mask: NDArray[np.bool_]) -> AnnotatedImage:
    """A row of a table, which does not say how large the image is."""
    objects = [Annotation("", (), one.runs) for one in images_of_labels(numbered(mask)).objects]
    return AnnotatedImage("a", None, tuple(objects))


@pytest.mark.parametrize("told", [as_outlines, as_labels, along_rows, as_run_lengths])
@given(mask=MASKS, side=st.integers(1, 9), left_out=st.integers(0, 9))
def test_each_window_has_the_pixels_that_the_whole_has_there(
    told: Any, mask: NDArray[np.bool_], side: int, left_out: int
) -> None:
    height, width = mask.shape
    windows = [
        (top, left, min(side, height - top), min(side, width - left))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    windows = [one for number, one in enumerate(windows) if number != left_out] or windows
    known = np.zeros_like(mask)
    cut = CutImage.of(told(mask), mask.shape, windows)
    for number, (top, left, high, wide) in enumerate(windows):
        place = slice(top, top + high), slice(left, left + wide)
        known[place] = True
        found = cut.within(number)
        assert np.array_equal(found.mask(high, wide), mask[place])
        assert bool(cut.members[number]) == mask[place].any()
    labels = numbered(mask)
    inside = {*np.unique(labels[known])} - {0}
    leaving = {*np.unique(labels[~known])} - {0}
    assert cut.outside == len(leaving - inside)
    assert cut.beyond == len(leaving & inside)


def test_a_triangle_is_cut_as_it_is_drawn_and_a_fraction_of_the_image_is_in_px() -> None:
    ring = np.array([[10.5, 4.25], [50.75, 30.5], [8.0, 40.0]])
    whole = AnnotatedImage("a", None, (Annotation("x", (Polygon(ring),)),))
    share = Annotation("x", (Polygon(ring / (64, 48)),))
    relative = AnnotatedImage("a", None, (share,), relative=True)
    windows = [(0, 0, 20, 30), (20, 0, 28, 30), (0, 30, 48, 34), (0, 0, 48, 64)]  # one over all
    for image in (whole, relative):
        cut = CutImage.of(image, (48, 64), windows)
        made = np.zeros((48, 64), np.bool_)
        for number, (top, left, high, wide) in enumerate(windows):
            made[top : top + high, left : left + wide] = cut.within(number).mask(high, wide)
        assert np.array_equal(made, whole.mask(48, 64))
        assert (cut.outside, cut.beyond) == (0, 0)


# ---- projects -----------------------------------------------------------------------------------


def divided(folder: Path, name: str = "p") -> Path:
    """Return a project of a slide in five regions; of the sixth there is glass alone."""
    slide = folder / "whole.tif"
    if not slide.is_file():
        pixels = np.random.default_rng(2).integers(0, 160, (*SHAPE, 3), np.uint8)
        pixels[..., 1] //= 2
        pixels[:125, 170:] = 245  # glass: no region of its own
        tifffile.imwrite(slide, pixels, photometric="rgb", tile=(64, 64), compression="zlib")
    path = folder / f"{name}.hubseg"
    ReviewProject.create(path, SlideTable.open(slide)).close()
    with ReviewProject.open(path) as opened:
        assert len(split_slide(opened, "whole", 100).new) == 5
    session = ReviewSession(author="a")
    session.open(path)
    for one in session.slides:
        session.go_to(one.id)
        session.tell(organ="kidney", source="Hubmap")
    session.close()
    return path


def masks_of(project: Path) -> dict[str, NDArray[np.bool_]]:
    with ReviewProject.for_reading(project) as opened:
        found = {}
        for one in opened.slides():
            if one.region is not None:
                try:
                    found[one.id] = derive(opened, one).mask
                except ValueError:  # there is none
                    found[one.id] = np.zeros((one.height, one.width), np.bool_)
        return found


def polygon(*corners: tuple[float, float]) -> dict[str, Any]:
    ring = [*corners, corners[0]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": "glomerulus"}},
    }


def square(top: int, left: int, side: int) -> dict[str, Any]:
    right, bottom = left + side, top + side
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


@pytest.mark.parametrize("form", ["geojson", "ome-zarr"])
def test_regions_go_out_as_their_slide_and_come_back_to_the_pixel(
    tmp_path: Path, form: str
) -> None:
    if form == "ome-zarr":
        pytest.importorskip("zarr")
    first, second = divided(tmp_path), divided(tmp_path, "q")
    drawn = np.zeros(SHAPE, np.bool_)
    drawn[60:140, 30:180] = drawn[150:199, 90:110] = drawn[99:101, 5:9] = True
    drawn[80:90, 60:70] = False
    session = ReviewSession(author="a")
    session.open(first)
    for one in session.slides:
        session.go_to(one.id)
        top, left, high, wide = one.region or (0, 0, 0, 0)
        here = drawn[top : top + high, left : left + wide]
        if here.any():
            session.paint(np.ascontiguousarray(here), top=0, left=0, add=True)
            session.accept()
    session.close()
    out = tmp_path / "out"
    words = ["export", str(first), "--format", form, "--out", str(out), "--only-accepted"]
    assert main(words) == 0
    before = masks_of(first)
    assert sum(mask.any() for mask in before.values()) == 4
    assert main(["import", str(second), str(out), "--yes"]) == 0
    after = masks_of(second)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], mask) for name, mask in after.items())


def test_what_lies_outside_all_regions_is_counted_and_each_region_is_undone_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = divided(tmp_path)
    file = tmp_path / "Whole.geojson"
    features = [
        square(10, 10, 30),
        square(80, 70, 50),  # in four regions
        square(20, 220, 40),  # on glass
        square(80, 250, 60),  # reaches onto it
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    said = (
        "1 of 4 objects lies in no region: left out. 1 of 4 reaches beyond the regions: cut there."
    )
    assert main(["import", str(project), str(file), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    touched = [f"whole_r{place}" for place in ("1_c1", "1_c2", "2_c1", "2_c2", "2_c3")]
    assert list(answer["matched"]) == touched
    assert answer["notes"]["whole"] == said
    assert answer["holds"]["whole_r1_c1"]["objects"] == 2
    assert not any(mask.any() for mask in masks_of(project).values())
    assert main(["import", str(project), str(file), "--json", "--yes"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["imported"] == touched
    assert answer["notes"]["whole"] == said
    found = {name: int(mask.sum()) for name, mask in masks_of(project).items()}
    assert found == dict(zip(touched, (900 + 600, 400, 30 * 30, 20 * 30, 50 * 40), strict=True))
    session = ReviewSession(author="a")
    session.open(project)
    session.go_to("whole_r2_c3")
    session.undo()
    session.close()
    found["whole_r2_c3"] = 0
    assert {name: int(mask.sum()) for name, mask in masks_of(project).items()} == found


def test_regions_that_hold_none_of_it_keep_what_is_drawn_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = divided(tmp_path)
    session = ReviewSession(author="a")
    session.open(project)
    session.go_to("whole_r2_c1")
    session.paint(np.ones((7, 7), np.bool_), top=3, left=3, add=True)
    session.close()
    file = tmp_path / "whole.geojson"
    file.write_text(json.dumps(square(120, 130, 20)))
    assert main(["import", str(project), str(file), "--json", "--yes", "--as", "mask"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["imported"] == ["whole_r2_c2"]
    assert answer["notes"]["whole"] == "4 of 5 regions hold none and stay as they are."
    found = {name: int(mask.sum()) for name, mask in masks_of(project).items() if mask.any()}
    assert found == {"whole_r2_c1": 49, "whole_r2_c2": 400}


def test_what_is_of_no_region_or_of_another_size_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = divided(tmp_path)
    nowhere = tmp_path / "whole.geojson"
    nowhere.write_text(json.dumps(square(20, 230, 20)))
    assert main(["import", str(project), str(nowhere), "--yes"]) == 1
    said = capsys.readouterr().err
    assert "It lies in no region of its slide, with all of its objects (1)." in said
    other = write_coco(tmp_path / "c.json", [("whole.tif", "x", np.ones((20, 30), np.bool_))])
    assert main(["import", str(project), str(other), "--yes"]) == 1
    assert (
        "It is annotated at 30 × 20 px, the slide of these regions has 300 × 200: export it in px "
        "of the slide's full size."
    ) in capsys.readouterr().err
    table = tmp_path / "t.csv"
    table.write_text("id,rle\nwhole,1 5 60001 3\n")
    assert main(["import", str(project), str(table), "--yes"]) == 1
    assert "Its run lengths end beyond the 300 × 200 px" in capsys.readouterr().err
