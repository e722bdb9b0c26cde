"""Which picture of a file a slide is: kept by a project, told apart, found again, exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from hubseg.project import ReviewProject
from hubseg.project.files import SlideFiles, look_for
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.thumbnails import kept_thumbnail

if TYPE_CHECKING:
    from pathlib import Path

STACK = np.stack([np.full((12, 16, 3), value, np.uint8) for value in (50, 120, 200)])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.tif"
    about = {"axes": "ZYXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.32}
    tifffile.imwrite(path, STACK, photometric="rgb", ome=True, metadata=about)
    return path


@pytest.fixture
def table(stack: Path) -> SlideTable:
    """Two planes of one file, by a table."""
    path = stack.with_name("mine.csv")
    path.write_text("id,image\nlow,stack.tif#plane=1\nhigh,stack.tif#plane=3\n")
    return SlideTable.open(path)


def test_two_planes_of_one_file_are_two_slides_and_stay_so(table, tmp_path):
    with ReviewProject.create(tmp_path / "p.hubseg", table) as project:
        assert project.add(table).new == ()
    with ReviewProject.open(tmp_path / "p.hubseg") as project:
        assert [s.id for s in project.slides()] == ["low", "high"]
        assert [s.read()[0, 0, 0] for s in project.slides()] == [50, 200]
        assert project.slides() == table.slides
        assert project.slides()[1].spacing == pytest.approx((0.32, 0.5))
        assert "plane 3 of 3" in project.slides()[1].notes["image"]


def test_the_column_part_says_it_too(stack):
    path = stack.with_name("mine.csv")
    path.write_text("id,part\nstack,plane=2\n")
    (slide,) = SlideTable.open(path).slides
    assert slide.read()[0, 0, 0] == 120
    assert slide.id == "stack"


def test_a_part_that_is_none_is_that_slides_failure(stack):
    path = stack.with_name("mine.csv")
    path.write_text("id,part\nstack,page 2\n")
    assert "names no part" in SlideTable.open(path).missing["stack"]


def test_a_moved_file_is_found_by_its_content_for_each_plane(table, stack, tmp_path):
    with ReviewProject.create(tmp_path / "p.hubseg", table) as project:
        for slide in project.slides():
            project.record_file(slide)
        (tmp_path / "elsewhere").mkdir()
        moved = stack.rename(tmp_path / "elsewhere" / "renamed.tif")
        files = SlideFiles(project._database)
        found = look_for(files.absent(), tmp_path / "elsewhere")
        assert found == {"low": moved, "high": moved}
        files.move(found)
        assert [s.read()[0, 0, 0] for s in project.slides()] == [50, 200]


def test_a_file_that_was_touched_is_checked_by_its_own_plane(table, stack, tmp_path):
    with ReviewProject.create(tmp_path / "p.hubseg", table) as project:
        slide = project.slides()[1]
        project.record_file(slide)
        stack.touch()
        found, same = project.check_file(slide)
        assert same
        assert found.read()[0, 0, 0] == 200


def test_each_plane_has_its_own_thumbnail(table, tmp_path):
    shown = [kept_thumbnail(slide, 8, tmp_path)[0, 0, 0] for slide in table.slides]
    assert shown == [50, 200]


def test_its_place_reads_back(table):
    for slide in table.slides:
        again = read_slide(slide.place)
        np.testing.assert_array_equal(again.read(), slide.read())
