"""Tissue as a structure of its own: seen, corrected, undone, judged, and heeded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyramids import stained, write_pyramid

from hubseg.cli import main
from hubseg.export import export_project
from hubseg.journal.verdict import Verdict
from hubseg.project import ReviewProject
from hubseg.project.queue_rows import row_of
from hubseg.project.splitting import split_slide
from hubseg.project.tissue import (
    keep_tissue,
    look_for_tissue,
    said_tissue,
    tissue_slide,
    with_tissue,
)
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.low_resolution import low_resolution, overview_of
from hubseg.slide.part import Part
from hubseg.slide.tissue import TissueMask, find_tissue, tissue_in
from hubseg.training.sources import labels_of

SHAPE = (2100, 2900)


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid with a factor that is no whole number; tissue in its upper left alone; 0.5 µm."""
    pixels = stained(SHAPE, np.s_[120:990, 180:1290])
    path = tmp_path_factory.mktemp("pyramid") / "whole.tif"
    return write_pyramid(path, pixels, (2.2,), tile=256)


@pytest.fixture
def project(pyramid: Path, tmp_path: Path) -> Path:
    """A project of the slide, whose tissue was looked for."""
    path = tmp_path / "p.hubseg"
    ReviewProject.create(path, SlideTable.open(pyramid)).close()
    with ReviewProject.open(path) as opened:
        assert keep_tissue(opened, look_for_tissue(opened.slides()[0])) == "whole_tissue"
    return path


def test_words_that_tissue_needs_are_no_step_of_undo(project):
    """Undo had offered a structure that nobody chose, on every slide."""
    session = ReviewSession(author="ann")
    session.open(project)
    words = session.review.rules.vocabulary
    assert words.knows("structure", "tissue")
    session.go_to("whole")
    assert "structure" not in (session.undo_text or "")
    session.undo()
    assert session.review.rules.vocabulary == words
    session.close(discard=True)


class TestLowResolution:
    def test_a_slide_at_low_resolution_is_a_slide(self, pyramid):
        whole = read_slide(pyramid)
        small = read_slide(f"{pyramid}#overview=1024")

        assert small.levels == ((small.height, small.width),)
        assert max(small.height, small.width) <= 1024
        assert np.array_equal(small.read(), low_resolution(whole))
        assert np.array_equal(small.read((5, 7, 90, 80)), small.read()[5:95, 7:87])
        across = np.prod(SHAPE) / (small.height * small.width)
        assert small.um_per_px == pytest.approx(0.5 * across**0.5)
        assert small.digest != whole.digest
        made = overview_of(whole)
        assert (made.um_per_px, made.stretch) == pytest.approx((small.um_per_px, small.stretch))
        assert np.array_equal(made.read(), small.read())
        assert np.array_equal(find_tissue(whole), tissue_in(small.read()))

    def test_what_is_no_slide_has_no_overview(self, pyramid):
        for part in ("region=0,0,64,64", "overview=1024"):
            with pytest.raises(ValueError, match="name the slide itself"):
                overview_of(read_slide(f"{pyramid}#{part}"))
        with pytest.raises(ValueError, match="names no part"):
            read_slide(f"{pyramid}#region=0,0,64,64&overview=1024")
        assert Part.parse("plane=2&overview=512") == Part(plane=2, overview=512)
        assert str(Part(plane=2, overview=512)) == "plane=2&overview=512"

    @given(
        st.integers(1, 40), st.integers(1, 40), st.integers(0, 900), st.integers(1, 100), st.data()
    )
    def test_what_is_said_of_a_part_is_that_of_the_whole(self, high, wide, top, height, data):
        mask = np.random.default_rng(data.draw(st.integers(0, 9))).random((high, wide)) > 0.5
        said = TissueMask.of(mask, (1000, 700))
        assert np.array_equal(said.within(), mask)

        part = said.within((top, 0, height, 700))

        first, last = int(top * high / 1000), -(-(top + height) * high // 1000)
        assert part.any() == mask[first:last].any()
        for row in range(first, last):  # each px is inside where it is in what is said
            begin, end = (max(0, row * 1000 / high - top), (row + 1) * 1000 / high - top)
            cells = part[int(begin * len(part) / height) : int(np.ceil(end * len(part) / height))]
            assert (cells.any(axis=0).reshape(wide, 2).any(axis=1) >= mask[row]).all()


class TestSaid:
    def test_it_is_found_seen_and_measured(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.go_to("whole_tissue")

        assert [str(one) for one in session.structures] == ["tissue"]
        assert session.vocabulary.structure("tissue").colour
        assert str(session.imported) == "tissue found by colour"
        mask = session.mask_now()
        assert np.array_equal(mask, tissue_in(session.current.read()))
        assert session.tissue_of("whole") == session.tissue_of("whole_tissue") == "whole_tissue"
        session.close()
        with ReviewProject.for_reading(project) as opened:
            (slide,) = (one for one in opened.slides(overviews=True) if one.is_overview)
            row = row_of(opened, slide)
        assert row.tissue_mm2 == pytest.approx(mask.mean() * np.prod(SHAPE) * 0.25 / 1e6)
        assert 0.2 < row.tissue_mm2 < 0.3  # 870 x 1110 px of 0.5 µm, and a little around them

    def test_a_correction_is_heeded_undone_and_judged(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.go_to("whole_tissue")
        high, wide = session.current.height, session.current.width
        found = session.mask_now().copy()
        below = np.ones((high // 4, wide // 4), np.bool_)
        session.paint(below, top=high * 3 // 4 - 2, left=wide * 3 // 4 - 2, add=True)
        session.paint(np.ones((high // 2, wide // 2), np.bool_), top=0, left=0, add=False)
        assert not session.mask_now()[:100, :100].any()

        with ReviewProject.for_reading(project) as opened:
            (whole,) = opened.slides()
            said = said_tissue(opened, whole)
            (told,) = with_tissue(opened, [whole])
        assert np.array_equal(said.within(), session.mask_now())
        assert np.array_equal(find_tissue(told), session.mask_now())
        prepared = session.prepare_regions("whole_tissue")()
        names = [one.id for one in prepared.prepared.table.slides]
        assert names == ["whole_r1_c1"]  # of the slide, which is smaller than a region may be
        session.undo()
        session.undo()
        assert np.array_equal(session.mask_now(), found)
        session.redo()
        session.redo()
        session.accept()
        assert session.verdict("whole_tissue") is Verdict.CORRECTED
        session.close()
        with ReviewProject.open(project) as opened:
            assert split_slide(opened, "whole", 750).new == ("whole_r3_c3", "whole_r3_c4")

    def test_what_is_rejected_is_not_heeded(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.go_to("whole_tissue")
        session.reject()
        session.close()
        with ReviewProject.for_reading(project) as opened:
            assert said_tissue(opened, opened.slides()[0]) is None

    def test_regions_have_their_part_of_it(self, project, pyramid):
        with ReviewProject.open(project) as opened:
            split_slide(opened, "whole", 750)
            regions = with_tissue(opened, [one for one in opened.slides() if one.region])
        assert [one.id for one in regions] == [
            "whole_r1_c1",
            "whole_r1_c2",
            "whole_r2_c1",
            "whole_r2_c2",
        ]
        whole = tissue_in(read_slide(f"{pyramid}#overview=1024").read())
        for one in regions:
            top, left, height, width = (
                side / SHAPE[axis % 2] for axis, side in enumerate(one.region)
            )
            rows = slice(round(top * len(whole)), round((top + height) * len(whole)))
            columns = slice(round(left * whole.shape[1]), round((left + width) * whole.shape[1]))
            assert find_tissue(one).mean() == pytest.approx(whole[rows, columns].mean(), abs=0.01)

    def test_looking_again_leaves_what_a_person_did(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.go_to("whole_tissue")
        session.paint(np.ones((30, 30), np.bool_), top=0, left=0, add=True)
        mask = session.mask_now().copy()
        session.enter(session.prepare_tissue("whole")())
        session.go_to("whole_tissue")

        assert np.array_equal(session.mask_now(), mask)
        assert [slide.id for slide in session.slides] == ["whole", "whole_tissue"]
        session.close()

    def test_nothing_else_takes_it_for_a_slide(self, project, tmp_path):
        session = ReviewSession(author="a")
        session.open(project)
        for name in ("whole", "whole_tissue"):
            session.go_to(name)
            session.paint(np.ones((30, 30), np.bool_), top=0, left=0, add=True)
            session.accept()
        session.close()

        with ReviewProject.open(project) as opened:
            report = export_project(opened, tmp_path / "all", format="png")
            named = ["whole_tissue"]
            alone = export_project(opened, tmp_path / "one", format="png", slides=named)
        assert report.written == ("whole",)
        assert alone.written == ("whole_tissue",)
        assert [label.slide.id for label in labels_of(project)] == ["whole"]

    def test_a_project_that_went_elsewhere_with_its_slide_still_has_it(self, project, tmp_path):
        with ReviewProject.for_reading(project) as opened:
            slide = tissue_slide(opened, opened.slides()[0])
            assert tissue_slide(opened, replace(slide, part="plane=2")) is None
            assert (slide.part, slide.organ) == ("overview=1024", "wholeslide")


class TestCommand:
    def test_it_finds_and_tells(self, pyramid, tmp_path, capsys):
        path = tmp_path / "p.hubseg"
        ReviewProject.create(path, SlideTable.open(pyramid)).close()

        assert main(["tissue", str(path)]) == 0
        assert "No slide has its tissue found" in capsys.readouterr().out
        assert main(["tissue", str(path), "whole", "nobody", "--json"]) == 3
        said = capsys.readouterr()
        assert "no slide 'nobody': name one of it" in said.err
        (row,) = json.loads(said.out)["tissue"]
        assert (row["slide"], row["verdict"], row["corrected_px"]) == ("whole_tissue", "in work", 0)
        assert 0.2 < row["mm2"] < 0.3
        assert main(["tissue", str(path)]) == 0
        assert f"{row['mm2']}" in capsys.readouterr().out
