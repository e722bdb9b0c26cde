"""Two files are two slides: which slide of a project a file is, and what adding says it did."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from hubseg.journal.rows import Kind
from hubseg.organ import Organ
from hubseg.project import ReviewProject
from hubseg.project.opening import prepare_project
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.ids import distinct_id
from hubseg.slide.truth import read_truth

SHAPE = (20, 30)


def write(path: Path, value: int, shape: tuple[int, int] = SHAPE) -> Path:
    """A tile of one colour: another colour is other tissue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((*shape, 3), value, np.uint8), photometric="rgb")
    return path


@pytest.fixture
def first(tmp_path: Path) -> Any:
    """A project of folder C, whose only slide is called tile."""
    write(tmp_path / "C" / "tile.tiff", 1)
    table = SlideTable.open(tmp_path / "C")
    facts = {"organ": Organ.KIDNEY, "origins": {**table.slides[0].origins, "organ": "table"}}
    told = tuple(replace(slide, **facts) for slide in table.slides)
    with ReviewProject.create(tmp_path / "p.hubseg", replace(table, slides=told)) as project:
        yield project


def paths(project: ReviewProject) -> dict[str, str]:
    root = project.path.parent
    return {s.id: s.path.relative_to(root).as_posix() for s in project.slides()}


class TestImagesThatWereAddedLater:
    """A project that is opened again says which images its folder has besides."""

    @pytest.fixture
    def of_folder(self, tmp_path: Path) -> Path:
        write(tmp_path / "C" / "one.tiff", 1)
        prepared = prepare_project(tmp_path / "C")
        assert prepared.project is not None
        prepared.project.close()
        return prepared.project.path

    def said(self, path: Path) -> tuple[str, ...]:
        prepared = prepare_project(path)
        assert prepared.project is not None
        prepared.project.close()
        return prepared.notes

    def test_one_and_several_are_named_until_the_folder_was_opened(self, of_folder: Path) -> None:
        folder = of_folder.parent
        assert self.said(of_folder) == ()
        write(folder / "two.tiff", 2)
        (said,) = self.said(of_folder)
        assert said == (
            f"two.tiff lies in {folder} and is not in this project: open that folder to add it."
        )
        write(folder / "three.png.tif", 3)
        (said,) = self.said(of_folder)
        assert said.startswith(f"2 images in {folder} are not in this project (three.png.tif, …)")
        self.said(folder)
        assert self.said(of_folder) == ()

    def test_also_where_the_project_is_in_the_persons_own_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hubseg.project.opening.is_kept_clean", lambda _: True)
        write(tmp_path / "C" / "one.tiff", 1)
        made = prepare_project(tmp_path / "C").project
        assert made is not None
        made.close()
        assert tmp_path / "C" not in made.path.parents
        write(tmp_path / "C" / "two.tiff", 2)
        assert "two.tiff lies in" in self.said(made.path)[0]

    def test_nothing_is_said_of_a_tables_project_or_of_one_elsewhere(self, tmp_path: Path) -> None:
        folder = tmp_path / "C"
        write(folder / "one.tiff", 1)
        write(folder / "two.tiff", 2)
        (folder / "C.csv").write_text("id\none\n")
        table = prepare_project(folder / "C.csv").project
        other = prepare_project(folder / "one.tiff", tmp_path / "p.hubseg").project
        assert table is not None and other is not None
        for project in (table, other):
            project.close()
            assert self.said(project.path) == ()


class TestTwoFilesOfOneName:
    @pytest.mark.parametrize("shape", [SHAPE, (31, 17)], ids=["same size", "other size"])
    def test_are_two_slides_and_the_first_stays_as_it_was(
        self, first: ReviewProject, tmp_path: Path, shape: tuple[int, int]
    ) -> None:
        write(tmp_path / "D" / "tile.tiff", 2, shape)
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert paths(first) == {"tile": "C/tile.tiff", "D_tile": "D/tile.tiff"}
        assert first.slides()[0].organ is Organ.KIDNEY
        assert first.slides()[1].organ is None
        assert [s.read()[0, 0, 0] for s in first.slides()] == [1, 2]
        assert (added.ids, added.new) == ({"tile": "D_tile"}, ("D_tile",))
        assert "another slide than 'tile'" in added.notes["D_tile"]
        again = first.add(SlideTable.open(tmp_path / "D"))
        assert (again.ids, again.new) == ({"tile": "D_tile"}, ())

    def test_the_folders_that_differ_tell_them_apart(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        for number, patient in enumerate(("p1", "p2"), start=10):
            write(tmp_path / patient / "images" / "tile.tiff", number)
            first.add(SlideTable.open(tmp_path / patient / "images"))
        write(tmp_path / "elsewhere" / "images" / "images" / "tile.tiff", 50)
        first.add(SlideTable.open(tmp_path / "elsewhere" / "images" / "images"))
        assert list(paths(first)) == ["tile", "images_tile", "images_tile_2", "images_tile_3"]

    def test_truth_and_facts_of_a_table_follow_its_own_slide(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        write(tmp_path / "D" / "tile.tiff", 2)
        (tmp_path / "D" / "train.csv").write_text("id,organ,data_source,rle\ntile,lung,HPA,1 3\n")
        added = first.add(SlideTable.open(tmp_path / "D" / "train.csv"))
        assert first.truth("tile") is None
        assert first.truth(added.ids["tile"]) == "1 3"
        assert [s.organ for s in first.slides()] == [Organ.KIDNEY, Organ.LUNG]

    def test_an_id_that_is_free_stays_as_the_table_has_it(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        for name in ("tile", "D_tile", "10044"):
            write(tmp_path / "D" / f"{name}.tiff", len(name))
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert added.ids == {"10044": "10044", "D_tile": "D_tile", "tile": "D_tile_2"}

    def test_of_one_folder_keep_their_suffix(self, first: ReviewProject, tmp_path: Path) -> None:
        write(tmp_path / "C" / "tile.tif", 2)
        added = first.add(SlideTable.open(tmp_path / "C"))
        assert paths(first) == {"tile": "C/tile.tiff", "tile.tif": "C/tile.tif"}
        assert added.new == ("tile.tif",)

    def test_that_a_table_names_with_one_id_are_both_there(self, tmp_path: Path) -> None:
        for number, folder in enumerate("CD"):
            write(tmp_path / folder / "tile.tiff", number)
        rows = "tile,C/tile.tiff,1 1\ntile,D/tile.tiff,2 2\ntile,C/tile.tiff,3 3\n"
        (tmp_path / "all.csv").write_text(f"id,image,rle\n{rows}")
        table = SlideTable.open(tmp_path / "all.csv")
        assert [s.id for s in table.slides] == ["tile", "D_tile"]
        assert table.truth == {"tile": "1 1", "D_tile": "2 2"}
        assert "D_tile" in table.notes["D_tile"]
        assert "twice" in table.notes["tile"]

    def test_are_told_where_a_person_opens_them(self, first: ReviewProject, tmp_path: Path) -> None:
        first.close()
        for name in ("tile", "other"):
            write(tmp_path / "D" / f"{name}.tiff", 2)
        prepared = prepare_project(tmp_path / "D", first.path)
        assert prepared.project is not None
        prepared.project.close()
        assert [note for note in prepared.notes if "it is D_tile" in note]


class TestTruthOfATableAlone:
    """``--truth`` names slides by their files' names: it never judges another one's pixels."""

    @pytest.fixture
    def tables(self, first: ReviewProject, tmp_path: Path) -> Path:
        write(tmp_path / "D" / "tile.tiff", 2)
        first.add(SlideTable.open(tmp_path / "D"))
        for folder, mask in (("C", "1 1"), ("D", "2 2"), (".", "3 3")):
            table = f"id,rle,img_height,img_width\ntile,{mask},20,30\n"
            (tmp_path / folder / "truth.csv").write_text(table)
        return tmp_path

    @pytest.mark.parametrize(
        ("folder", "own", "mask"), [("C", "tile", "1 1"), ("D", "D_tile", "2 2")]
    )
    def test_goes_to_the_slide_beside_it(
        self, first: ReviewProject, tables: Path, folder: str, own: str, mask: str
    ) -> None:
        truth = read_truth(tables / folder / "truth.csv").apart(first.slides())
        assert truth.masks == {own: mask}
        assert list(truth.sizes) == [own]

    def test_is_left_out_where_nobody_knows_whose_it_is(
        self, first: ReviewProject, tables: Path
    ) -> None:
        truth = read_truth(tables / "truth.csv").apart(first.slides())
        assert truth.masks == {}
        assert "may mean tile, D_tile" in dict(truth.notes_on(first.slides()))["tile"]


class TestMoved:
    """The known slide's file is gone."""

    def test_a_slide_nothing_was_done_with_goes_by_its_name(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        (tmp_path / "D").mkdir()
        shutil.move(tmp_path / "C" / "tile.tiff", tmp_path / "D")
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert paths(first) == {"tile": "D/tile.tiff"}
        assert first.slides()[0].organ is Organ.KIDNEY
        assert (added.new, added.moved) == ((), ("tile",))
        assert "was moved" in added.notes["tile"]

    def test_one_that_was_worked_on_goes_by_its_content(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        first.record_file(first.slides()[0])
        (tmp_path / "D").mkdir()
        shutil.move(tmp_path / "C" / "tile.tiff", tmp_path / "D" / "renamed.tiff")
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert paths(first) == {"tile": "D/renamed.tiff"}
        assert added.ids == {"renamed": "tile"}

    @pytest.mark.parametrize("by", ["digest", "run", "row", "truth"])
    def test_other_content_is_another_slide_where_anything_belongs_to_the_first(
        self, first: ReviewProject, tmp_path: Path, by: str
    ) -> None:
        slide = first.slides()[0]
        if by == "digest":
            first.record_file(slide)
        elif by == "run":
            what = {"recipe_digest": "d", "recipe": "name: x", "members": ()}
            first.record_run("r", slide.id, **what, slide_digest=slide.digest)
        elif by == "row":
            first.append(Kind.VERDICT, {"before": "unseen", "after": "accepted"}, slide_id="tile")
        else:
            first.add(SlideTable((slide,), truth={"tile": "1 3"}))
        slide.path.unlink()
        write(tmp_path / "D" / "tile.tiff", 2)
        assert first.add(SlideTable.open(tmp_path / "D")).ids == {"tile": "D_tile"}
        assert paths(first) == {"D_tile": "D/tile.tiff"}
        assert "put it back" in first.missing["tile"]

    def test_a_run_is_enough_to_know_the_content(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        slide = first.slides()[0]
        what = {"recipe_digest": "d", "recipe": "name: x", "members": ()}
        first.record_run("r", slide.id, **what, slide_digest=slide.digest)
        (tmp_path / "D").mkdir()
        shutil.move(slide.path, tmp_path / "D" / "renamed.tiff")
        assert first.add(SlideTable.open(tmp_path / "D")).moved == ("tile",)

    def test_another_size_is_another_slide(self, first: ReviewProject, tmp_path: Path) -> None:
        (tmp_path / "C" / "tile.tiff").unlink()
        write(tmp_path / "D" / "tile.tiff", 1, (9, 9))
        assert first.add(SlideTable.open(tmp_path / "D")).ids == {"tile": "D_tile"}

    def test_many_are_told_in_one_sentence(self, tmp_path: Path) -> None:
        for number in range(5):
            write(tmp_path / "C" / f"{number}.tiff", number)
        with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(tmp_path / "C")) as one:
            shutil.move(tmp_path / "C", tmp_path / "D")
            added = one.add(SlideTable.open(tmp_path / "D"))
        assert len(added.notes) == 5
        assert len(added.summary) == 1
        assert "4 more" in added.summary[0]


class TestBothThere:
    @pytest.mark.parametrize("used", [False, True])
    def test_a_copy_is_the_same_slide_where_it_was(
        self, first: ReviewProject, tmp_path: Path, used: bool
    ) -> None:
        if used:
            first.record_file(first.slides()[0])
        shutil.copytree(tmp_path / "C", tmp_path / "D")
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert paths(first) == {"tile": "C/tile.tiff"}
        assert added.ids == {"tile": "tile"}
        assert "is a copy of" in added.notes["tile"]

    def test_a_link_to_it_is_the_same_slide_without_a_word(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        (tmp_path / "D").symlink_to(tmp_path / "C", target_is_directory=True)
        added = first.add(SlideTable.open(tmp_path / "D"))
        assert paths(first) == {"tile": "C/tile.tiff"}
        assert (added.ids, added.notes) == ({"tile": "tile"}, {})

    def test_the_worked_on_content_is_followed_when_its_place_was_written_over(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        first.record_file(first.slides()[0])
        shutil.copytree(tmp_path / "C", tmp_path / "D")
        write(tmp_path / "C" / "tile.tiff", 9)
        assert first.add(SlideTable.open(tmp_path / "D")).moved == ("tile",)
        assert paths(first) == {"tile": "D/tile.tiff"}

    def test_a_file_that_is_a_slide_under_another_id_stays_that_slide(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        (tmp_path / "train.csv").write_text("id,image,rle\n10044,C/tile.tiff,1 3\n")
        added = first.add(SlideTable.open(tmp_path / "train.csv"))
        assert added.ids == {"10044": "tile"}
        assert first.truth("tile") == "1 3"
        assert "is slide tile already" in added.notes["tile"]


class TestRenewing:
    def test_what_a_table_does_not_say_stays(self, first: ReviewProject, tmp_path: Path) -> None:
        first.add(SlideTable.open(tmp_path / "C"))
        (slide,) = first.slides()
        assert (slide.organ, slide.origins["organ"]) == (Organ.KIDNEY, "table")

    def test_a_file_nobody_judged_may_be_written_over_with_another_size(
        self, first: ReviewProject, tmp_path: Path
    ) -> None:
        write(tmp_path / "C" / "tile.tiff", 7, (9, 9))
        first.add(SlideTable.open(tmp_path / "C"))
        assert first.slides()[0].read().shape == (9, 9, 3)

    def test_what_was_judged_waits_for_a_person(self, first: ReviewProject, tmp_path: Path) -> None:
        first.record_file(first.slides()[0])
        first.append(Kind.VERDICT, {"before": "unseen", "after": "accepted"}, slide_id="tile")
        write(tmp_path / "C" / "tile.tiff", 7, (9, 9))
        first.add(SlideTable.open(tmp_path / "C"))
        _, same = first.check_file(first.slides()[0])
        assert not same


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.lists(NAMES, min_size=1, max_size=5), NAMES)
def test_a_distinct_id_is_free_and_can_name_a_file(folders: list[str], name: str) -> None:
    taken: dict[str, Path] = {}
    for folder in folders * 2:
        path = Path("/data") / folder / "tile.tiff"
        own = distinct_id("tile", path, taken)
        assert own not in taken
        assert not set(own) & set('/\\:\0"')
        assert ".." not in own
        taken[own] = path


def test_a_distinct_id_is_no_longer_than_an_id_may_be() -> None:
    own = distinct_id("t" * 199, Path("/b/x"), {"t" * 199: Path("/a/x")})
    assert len(own) <= 200
    assert distinct_id(own, Path("/b/x"), {own: Path("/b/y")}) != own


def test_a_slide_whose_file_goes_away_meanwhile_is_new(
    first: ReviewProject, tmp_path: Path
) -> None:
    first.record_file(first.slides()[0])
    size = (tmp_path / "C" / "tile.tiff").stat().st_size
    slide = read_slide(write(tmp_path / "D" / "tile.tiff", 2))
    assert slide.path.stat().st_size == size
    slide.path.unlink()
    assert first.add(SlideTable((slide,))).ids == {"tile": "D_tile"}
