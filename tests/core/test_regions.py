"""Regions of a slide: slides of their own, whose pixels are those of the whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyramids import stained, write_pyramid
from stored import TINY

from hubseg.cli import main
from hubseg.engine import Engine
from hubseg.export import export_project
from hubseg.formats import geojson
from hubseg.journal.verdict import Verdict
from hubseg.network import build
from hubseg.outcome import Outcome
from hubseg.probability import tile_layout
from hubseg.probability.tiling import Tiling
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_large_map, newest_map
from hubseg.project.queue_rows import row_of
from hubseg.project.runs import record_update
from hubseg.project.splitting import split_slide
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.part import Part
from hubseg.slide.regions import divided, is_large, regions_of, slide_of

SHAPE = (700, 900)


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid of noise on white, with tissue in its upper left quarter alone; odd levels."""
    pixels = stained(SHAPE, np.s_[40:330, 60:430])
    return write_pyramid(tmp_path_factory.mktemp("pyramid") / "whole.tif", pixels, (2, 4.4055))


class TestPixels:
    @given(
        top=st.integers(0, SHAPE[0] - 1),
        left=st.integers(0, SHAPE[1] - 1),
        data=st.data(),
    )
    def test_a_region_has_the_pixels_of_its_slide_at_every_level(self, pyramid, top, left, data):
        high = data.draw(st.integers(1, SHAPE[0] - top))
        wide = data.draw(st.integers(1, SHAPE[1] - left))
        whole = read_slide(pyramid)
        part = read_slide(f"{pyramid}#region={top},{left},{high},{wide}")

        assert (part.height, part.width) == (high, wide)
        assert part.um_per_px == whole.um_per_px == pytest.approx(0.5)
        y, x = data.draw(st.integers(0, high - 1)), data.draw(st.integers(0, wide - 1))
        window = y, x, data.draw(st.integers(1, high - y)), data.draw(st.integers(1, wide - x))
        for level in range(len(whole.levels)):
            seen = part.read(window, level)
            there = whole.read((top + y, left + x, *window[2:]), level)
            assert np.array_equal(seen, there)
            assert part.read(level=level).shape[:2] == part.levels[level]

    def test_regions_of_one_file_are_told_apart_by_their_digest(self, pyramid):
        one, other = (read_slide(f"{pyramid}#region={top},0,64,64") for top in (0, 64))

        assert one.digest != other.digest
        assert one.digest == read_slide(f"{pyramid}#region=0,0,64,64").digest
        assert read_slide(pyramid).digest not in (one.digest, other.digest)

    def test_the_file_is_read_once_for_all_digests(self, pyramid, monkeypatch):
        calls = []
        from hubseg.slide import content

        content._hashed.cache_clear()
        monkeypatch.setattr(content, "files_of", lambda path: calls.append(path) or [path])
        digests = {one.digest for one in regions_of(read_slide(pyramid), 200)}

        assert len(digests) > 3
        # each digest looks at the file's date, and the first one at its bytes
        assert len(calls) <= 2 * len(digests) + 1

    @pytest.mark.parametrize(
        "words",
        ["region=0,0,701,10", "region=690,0,11,10", "region=0,899,1,2", "region=0,0,0,4"],
    )
    def test_a_region_outside_the_slide_is_refused_in_a_sentence(self, pyramid, words):
        with pytest.raises(ValueError, match=r"lies outside .* 700 x 900 px|names no part"):
            read_slide(f"{pyramid}#{words}")

    def test_a_region_of_a_png_is_read_too(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 255, (50, 60, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])

        part = read_slide(f"{tmp_path / 'a.png'}#region=10,20,30,40")

        assert np.array_equal(part.read(), pixels[10:40, 20:60])

    @given(
        st.builds(
            Part,
            st.none() | st.integers(1, 99),
            st.none() | st.integers(1, 99),
            st.just(()) | st.tuples(st.integers(1, 9)),
            st.none()
            | st.tuples(
                *(st.integers(0, 10**6), st.integers(0, 10**6)),
                *(st.integers(1, 10**6), st.integers(1, 10**6)),
            ),
        )
    )
    def test_what_names_a_part_is_understood(self, part):
        assert Part.parse(str(part)) == part


class TestSplitting:
    @given(side=st.integers(60, 1000))
    def test_regions_cover_the_slide_and_do_not_overlap(self, pyramid, side):
        times = np.zeros(SHAPE, np.uint8)
        for one in regions_of(read_slide(pyramid), side, everywhere=True):
            top, left, height, width = one.region
            assert max(height, width) <= side
            times[top : top + height, left : left + width] += 1

        assert (times == 1).all()

    def test_only_regions_with_tissue_are_made(self, pyramid):
        whole = read_slide(pyramid)

        made = regions_of(whole, 350)

        assert [one.id for one in made] == ["whole_r1_c1", "whole_r1_c2"]
        assert len(regions_of(whole, 350, everywhere=True)) == 6

    def test_a_region_leads_to_its_slide_and_is_not_split(self, pyramid):
        whole = read_slide(pyramid, id="s_r1")
        part = regions_of(whole, 350)[0]

        assert slide_of(part) == whole
        assert slide_of(whole) is whole
        with pytest.raises(ValueError, match="is a region itself: split its slide"):
            regions_of(part)
        assert divided([whole, part]) == {"s_r1"}
        assert divided([whole]) == frozenset()
        assert not is_large(whole)


class TestProject:
    @pytest.fixture
    def project(self, pyramid, tmp_path) -> Path:
        path = tmp_path / "p.hubseg"
        ReviewProject.create(path, SlideTable.open(pyramid)).close()
        return path

    def test_regions_are_slides_that_are_reviewed_and_exported_by_themselves(
        self, project, tmp_path
    ):
        with ReviewProject.open(project) as opened:
            assert split_slide(opened, "whole", 350).new == ("whole_r1_c1", "whole_r1_c2")
            assert split_slide(opened, "whole", 350).new == ()
        session = ReviewSession(author="a")
        session.open(project)

        assert session.current.id == "whole_r1_c1"  # the whole needs nobody
        assert session.to_do() == ["whole_r1_c2"]
        square = np.ones((20, 30), np.bool_)
        session.paint(square, top=10, left=40, add=True)
        session.accept()
        session.advance()
        assert session.current.id == "whole_r1_c2"
        assert not session.mask_now().any()
        session.accept(as_empty=True)
        assert session.verdict("whole_r1_c1") is Verdict.CORRECTED
        assert session.to_do() == []
        session.close()
        with ReviewProject.open(project) as opened:
            export_project(opened, tmp_path / "out", format="png")
        mask = cv2.imread(str(tmp_path / "out" / "whole_r1_c1.png"), cv2.IMREAD_GRAYSCALE)
        assert mask.shape == (350, 300)
        assert (mask > 0).sum() == 600

    def test_outlines_of_regions_leave_as_those_of_their_slide(self, project, tmp_path):
        self.draw_over_the_border(project)
        with ReviewProject.open(project) as opened:
            report = export_project(opened, tmp_path / "out", format="geojson")
            with pytest.raises(FileExistsError, match=r"whole\.geojson exists already"):
                export_project(opened, tmp_path / "out", format="geojson")

        assert report.written == ("whole_r1_c1", "whole_r1_c2")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole.geojson"]
        (found,) = geojson.read(tmp_path / "out" / "whole.geojson")
        (one,) = found.objects
        assert one.name == "object"
        mask = found.mask(*SHAPE)
        rows, columns = np.nonzero(mask)
        assert mask.sum() == 30 * 50 - 10 * 10
        assert (rows.min(), columns.min()) == (100, 280)
        assert (rows.max(), columns.max()) == (129, 329)

    def test_label_images_of_regions_leave_as_one_of_their_slide(self, project, tmp_path):
        zarr = pytest.importorskip("zarr")
        self.draw_over_the_border(project)
        with ReviewProject.open(project) as opened:
            report = export_project(opened, tmp_path / "out", format="ome-zarr")

        assert report.written == ("whole_r1_c1", "whole_r1_c2")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole.ome.zarr"]
        group = zarr.open_group(tmp_path / "out" / "whole.ome.zarr", mode="r")
        drawn = np.zeros(SHAPE, np.uint16)
        drawn[100:130, 280:330] = 1
        drawn[110:120, 295:305] = 0
        assert np.array_equal(group["0"][:], drawn)
        assert np.array_equal(group["1"][:], drawn[::2, ::2])
        (multiscale,) = group.attrs["ome"]["multiscales"]
        scales = [one["coordinateTransformations"][0]["scale"] for one in multiscale["datasets"]]
        assert np.allclose(scales, [[0.5, 0.5], [1, 1], [2, 2]])

    def test_regions_that_overlap_leave_as_no_label_image(self, project, pyramid, tmp_path):
        pytest.importorskip("zarr")
        outcome = Outcome()
        boxes = ("0,0,50,50", "40,40,50,50")
        with ReviewProject.open(project) as opened:
            for box in boxes:
                opened.add(SlideTable((read_slide(f"{pyramid}#region={box}"),)))
        session = ReviewSession(author="a")
        session.open(project)
        for slide in session.slides:
            session.go_to(slide.id)
            session.paint(np.ones((9, 9), np.bool_), top=0, left=0, add=True)
        session.close()
        with (
            ReviewProject.open(project) as opened,
            pytest.raises(ValueError, match="Regions of its slide overlap"),
        ):
            export_project(opened, tmp_path / "out", format="ome-zarr", outcome=outcome)
        assert len(outcome.left_out) == 2

    def test_a_hole_that_only_the_whole_has_is_refused_where_it_would_be_lost(
        self, project, tmp_path
    ):
        self.draw_over_the_border(project)
        outcome = Outcome()
        with (
            ReviewProject.open(project) as opened,
            pytest.raises(ValueError, match="The mask of whole has 1 hole, which ASAP cannot hold"),
        ):
            export_project(opened, tmp_path / "out", format="asap", outcome=outcome)
        assert list(outcome.left_out) == ["whole_r1_c1", "whole_r1_c2"]

    @staticmethod
    def draw_over_the_border(project):
        """A rectangle over the border of two regions, with a hole that the border cuts."""
        with ReviewProject.open(project) as opened:
            split_slide(opened, "whole", 350)
        session = ReviewSession(author="a")
        session.open(project)
        for name, left, hole in (("whole_r1_c1", 280, 295), ("whole_r1_c2", -20, -5)):
            session.go_to(name)
            session.paint(np.ones((30, 50), np.bool_), top=100, left=left, add=True)
            session.paint(np.ones((10, 10), np.bool_), top=110, left=hole, add=False)
            session.accept()
        session.close()

    def test_a_slide_that_was_worked_on_as_a_whole_stays_beside_its_regions(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.paint(np.ones((5, 5), np.bool_), top=0, left=0, add=True)
        session.close()
        with ReviewProject.open(project) as opened:
            split_slide(opened, "whole", 350)

            assert [one.id for one in opened.slides()] == ["whole", "whole_r1_c1", "whole_r1_c2"]

    def test_what_a_person_told_of_the_slide_is_told_of_its_regions(self, project):
        session = ReviewSession(author="a")
        session.open(project)
        session.tell(um_per_px=0.25)
        session.close()
        with ReviewProject.open(project) as opened:
            split_slide(opened, "whole", 350)
            made = [one for one in opened.slides() if one.region]

        assert [one.um_per_px for one in made] == [0.25, 0.25]

    def test_the_command_splits_and_says_what_came_of_it(self, project, capsys):
        assert main(["split", str(project), "whole", "nobody", "--side", "350"]) == 3

        said = capsys.readouterr()
        assert "Slide whole has 2 regions: whole_r1_c1 to whole_r1_c2." in said.out
        assert "no slide 'nobody': name one that it lists" in said.err


class TestRuns:
    """A region of a very large slide is run within its slide, and read back from that one's map."""

    @pytest.fixture(params=["apart", "together", "one member"])
    def run(self, request, pyramid, tmp_path, scheduler, monkeypatch) -> Path:
        """A project of two regions that were run; the nearest tile is that of both."""
        monkeypatch.setattr(tile_layout, "VERY_LARGE", 1000)
        monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=256, overlap=128, margin=32))
        recipe = Recipe.from_yaml(TINY, where="tiny")
        for member in recipe.members():
            torch.manual_seed(member.fold)
            state = build(member.network).state_dict()
            torch.save({"state_dict": state}, tmp_path / f"{member.checkpoint}.pt")
        (tmp_path / "r.yaml").write_text(TINY)
        path = tmp_path / "p.hubseg"
        ReviewProject.create(path, SlideTable.open(pyramid)).close()
        with ReviewProject.open(path) as project:
            windows = "0,0,100,100", "0,150,200,300"  # of one tile, and of that one and another
            parts = [read_slide(f"{pyramid}#region={one}") for one in windows]
            project.add(SlideTable(tuple(parts)))
            engine = Engine(project.maps, scheduler=scheduler)
            try:
                every, folds = project.slides(), (0, 1)[: 2 - (request.param == "one member")]
                for slides in [[one] for one in every] if request.param == "apart" else [every]:
                    for update in engine.run(slides, recipe, [tmp_path], folds):
                        assert not update.error
                        record_update(project, update)
            finally:
                engine.unload()
        return path

    def test_regions_have_the_map_of_their_slide_to_the_bit(self, run):
        with ReviewProject.open(run) as project:
            parts = {one.id: newest_map(project, one) for one in project.slides()}
            windows = {one.id: one.region for one in project.slides()}
            whole = newest_large_map(project, project.slides()[0])

        for name, made in parts.items():
            top, left, height, width = windows[name]
            assert made.values.shape == (height, width)
            assert made.done == made.total
            assert len(np.unique(made.values)) > 100
            around = max(top - 10, 0), max(left - 10, 0), height, width
            cut = whole.read(around).probability.values
            y, x = top - around[0], left - around[1]
            same = cut[y:, x:], made.values[: height - y, : width - x]
            assert np.array_equal(*same)

    def test_what_lies_over_the_border_is_computed_once(self, run):
        with ReviewProject.open(run) as project:
            runs = project.runs()
            keys = {key for one in runs for key in one.members}
            assert len(keys) == max(len(one.members) for one in runs)  # a map for each member

    def test_masks_are_derived_and_doubt_is_known(self, run):
        with ReviewProject.open(run) as project:
            slide = project.slides()[1]
            derived = derive(project, slide)
            row = row_of(project, slide)
            mapped = newest_map(project, slide)

        assert np.array_equal(derived.mask, mapped.values > derived.threshold)
        assert (row.expected is not None) == (mapped.total > 1)
        assert row.area == pytest.approx(derived.mask.mean())
