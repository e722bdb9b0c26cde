"""Files that were moved or changed: found by content, and never painted on without a person."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hubseg.cli import main
from hubseg.edits.gesture import ADD
from hubseg.journal.rows import Kind
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.files import Recorded, look_for
from hubseg.project.snapshots import SIDE, keep_sight, sight
from hubseg.session import ReviewSession, Verdict
from hubseg.slide import read_slide
from hubseg.slide.thumbnails import thumbnail

SHAPE = (60, 80)
SQUARE = np.ones((10, 10), np.bool_)


def write_slide(path: Path, value: int, shape: tuple[int, int] = SHAPE) -> None:
    tifffile.imwrite(path, np.full((*shape, 3), value, np.uint8), photometric="rgb")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    folder = tmp_path / "tiles"
    folder.mkdir()
    for number, name in enumerate("abc"):
        write_slide(folder / f"{name}.tiff", number)
    return folder


@pytest.fixture
def session(tiles: Path) -> Any:
    opened = ReviewSession(author="ann")
    opened.open(tiles)
    yield opened
    opened.close(discard=True)


@pytest.fixture
def changed(session: ReviewSession, tiles: Path) -> ReviewSession:
    """A session at slide a, whose file another one of the same size has replaced."""
    session.paint(SQUARE, add=True)
    session.paint(SQUARE, top=30, add=True)
    session.set_threshold(99, scope="slide")
    session.accept(as_empty=True)
    session.go_to("b")
    write_slide(tiles / "a.tiff", 200)
    session.go_to("a")
    return session


class TestChanged:
    def test_the_question_says_what_was_and_what_is(self, changed: ReviewSession) -> None:
        asked = changed.changed_file
        assert asked is not None
        assert (asked.gestures, asked.author, asked.fits) == (2, "ann", True)
        assert asked.before.digest != asked.now.digest
        assert asked.at is not None
        assert changed.paint(SQUARE, add=True) is None, "nothing is painted until it is answered"
        changed.go_to("b")
        assert changed.changed_file is None

    def test_the_same_tissue_keeps_everything_and_is_not_asked_again(
        self, changed: ReviewSession
    ) -> None:
        changed.keep_edits()
        assert changed.changed_file is None
        assert changed.edits.override()[0, 0] == ADD
        assert (changed.threshold, changed.verdict("a")) == (99, Verdict.CORRECTED)
        assert changed.paint(SQUARE, left=40, add=True) is not None
        path = changed.project.path
        changed.open(path)
        changed.go_to("a")
        assert changed.changed_file is None
        assert changed.edits.override()[30, 0] == ADD
        assert changed.edits.override()[0, 40] == ADD

    def test_other_tissue_starts_anew_and_no_undo_brings_the_old_edits_back(
        self, changed: ReviewSession
    ) -> None:
        heard: list[str] = []
        changed.verdict_changed.connect(heard.append)
        changed.set_edits_aside()
        assert changed.changed_file is None
        assert heard == ["a"]
        for _ in range(2):  # and the same from the disk
            assert changed.edits.is_empty
            assert (changed.threshold, changed.verdict("a")) == (127, Verdict.UNSEEN)
            assert changed.slide_threshold is None
            changed.undo()
            changed.redo()
            assert changed.edits.is_empty
            assert not changed.can_undo
            changed.open(changed.project.path)
            changed.go_to("a")
        changed.paint(SQUARE, left=50, add=True)
        changed.undo()
        changed.undo()
        assert changed.edits.is_empty
        rows = changed.project.entries("a")
        assert sum(row.kind is Kind.GESTURE for row in rows) == 3, "the journal holds them all"
        changed.redo()
        assert derive(changed.project, changed.current).corrected == SQUARE.sum()

    def test_edits_of_another_size_can_only_be_set_aside(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.paint(SQUARE, add=True)
        session.go_to("b")
        write_slide(tiles / "a.tiff", 200, (30, 30))
        said: list[str] = []
        session.failed.connect(said.append)
        session.go_to("a")
        assert session.changed_file is not None
        assert not session.changed_file.fits
        session.keep_edits()
        assert "60 × 80 px and the file is 30 × 30 px" in said[-1]
        assert session.changed_file is not None
        session.set_edits_aside()
        assert session.changed_file is None
        assert session.paint(SQUARE, add=True) is not None

    def test_a_reader_may_not_decide(self, changed: ReviewSession) -> None:
        other = ReviewSession(author="bob")
        said: list[str] = []
        other.failed.connect(said.append)
        other.open(changed.project.path)
        other.go_to("a")
        assert other.changed_file is not None
        other.keep_edits()
        assert "ann" in said[-1] or "read" in said[-1]
        assert other.changed_file is not None
        other.close()

    def test_a_full_disk_leaves_the_question_open(self, changed: ReviewSession) -> None:
        db = changed.project._database.db
        db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")
        changed.project._database.db.execute("PRAGMA query_only=1")
        changed.keep_edits()
        assert changed.changed_file is not None
        assert changed.edits.is_empty
        changed.project._database.db.execute("PRAGMA query_only=0")
        db.execute("PRAGMA max_page_count=1000000")
        changed.keep_edits()
        assert changed.changed_file is None
        assert changed.edits.override()[0, 0] == ADD

    def test_the_command_line_says_so_and_leaves_the_slide_out(
        self, changed: ReviewSession, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = changed.project.path
        changed.close()
        assert main(["mask", str(path)]) == 1
        assert "say whether it is the same tissue" in capsys.readouterr().err


class TestReplacedWhileOpen:
    """Nothing that is done goes to pixels that the person has not on screen."""

    @pytest.mark.parametrize("worked_on", [False, True])
    @pytest.mark.parametrize("shape", [SHAPE, (30, 30)])
    def test_nothing_is_done_and_the_new_file_is_shown(
        self, session: ReviewSession, tiles: Path, worked_on: bool, shape: tuple[int, int]
    ) -> None:
        if worked_on:
            session.paint(SQUARE, add=True)
        rows = len(session.project.entries())
        said: list[str] = []
        session.failed.connect(said.append)
        write_slide(tiles / "a.tiff", 200, shape)
        assert session.paint(SQUARE, top=15, add=True) is None
        assert "was replaced" in said[-1]
        assert len(session.project.entries()) == rows
        assert (session.current.height, session.current.width) == shape
        assert (session.changed_file is not None) == worked_on
        assert session.edits.is_empty
        if not worked_on:
            assert session.paint(SQUARE, top=15, add=True) is not None
            assert session.project.check_file(session.current)[1]

    def test_no_verdict_goes_to_it(self, session: ReviewSession, tiles: Path) -> None:
        write_slide(tiles / "a.tiff", 200)
        session.accept(as_empty=True)
        assert session.verdict("a") is Verdict.UNSEEN

    def test_a_date_alone_changes_nothing(self, session: ReviewSession, tiles: Path) -> None:
        session.paint(SQUARE, add=True)
        os.utime(tiles / "a.tiff", (1, 1))
        assert session.paint(SQUARE, top=15, add=True) is not None

    @pytest.mark.parametrize("value", [0, 200])
    def test_on_a_file_that_went_away_work_goes_on_and_belongs_to_what_was_seen(
        self, session: ReviewSession, tiles: Path, value: int
    ) -> None:
        shutil.move(tiles / "a.tiff", tiles / "away")
        assert session.paint(SQUARE, add=True) is not None
        session.go_to("b")
        write_slide(tiles / "a.tiff", value)
        session.go_to("a")
        assert session.changed_file is not None, "nobody knows whether it is the same"
        session.go_to("b")
        (tiles / "a.tiff").unlink()
        os.link(tiles / "away", tiles / "a.tiff")
        session.go_to("a")
        assert session.changed_file is not None, "its date has changed"
        session.keep_edits()
        assert session.edits.override()[0, 0] == ADD

    def test_a_file_that_goes_away_while_a_person_decides_is_said(
        self, changed: ReviewSession, tiles: Path
    ) -> None:
        said: list[str] = []
        changed.failed.connect(said.append)
        (tiles / "a.tiff").unlink()
        for decide in (changed.set_edits_aside, changed.keep_edits):
            decide()
            assert "a.tiff cannot be opened" in said.pop()
        changed.go_to("b")
        (tiles / "b.tiff").unlink()
        changed.accept()
        assert "b.tiff cannot be opened" in said.pop()
        assert changed.verdict("b") is Verdict.UNSEEN

    def test_a_file_of_the_same_size_and_date_is_another_one(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.paint(SQUARE, add=True)
        session.go_to("b")
        before = (tiles / "a.tiff").stat()
        write_slide(tiles / "a.tiff", 200)
        os.utime(tiles / "a.tiff", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (tiles / "a.tiff").stat().st_mtime_ns == before.st_mtime_ns
        session.go_to("a")
        assert session.changed_file is not None


class TestMoved:
    def test_a_file_is_found_by_its_content_under_any_name(
        self, session: ReviewSession, tiles: Path, tmp_path: Path
    ) -> None:
        session.paint(SQUARE, add=True)
        path = session.project.path
        away = tmp_path / "drive" / "deep"
        away.mkdir(parents=True)
        shutil.move(tiles / "a.tiff", away / "renamed.tiff")
        write_slide(away / "a.tiff", 77)  # its name, but not its pixels
        session.open(tiles)
        assert [slide.id for slide in session.slides] == ["b", "c"]
        found = look_for(session.project.files.absent(), tmp_path / "drive")
        assert found == {"a": away / "renamed.tiff"}
        session.moved(found)
        assert session.project.path == path
        session.go_to("a")
        assert session.changed_file is None
        assert session.edits.override()[0, 0] == ADD

    def test_a_file_nobody_worked_on_is_found_by_its_name_when_it_is_the_only_one(
        self, session: ReviewSession, tiles: Path, tmp_path: Path
    ) -> None:
        for folder in ("one", "two"):
            (tmp_path / "drive" / folder).mkdir(parents=True)
        shutil.copy(tiles / "b.tiff", tmp_path / "drive" / "one")
        shutil.copy(tiles / "c.tiff", tmp_path / "drive" / "one")
        shutil.move(tiles / "b.tiff", tmp_path / "drive" / "two")
        (tiles / "c.tiff").unlink()
        session.close()
        with ReviewProject.open(tiles / "tiles.hubseg") as project:
            wanted = project.files.absent()
            assert [file.id for file in wanted] == ["b", "c"]
            found = look_for(wanted, tmp_path / "drive")
            assert found == {"c": tmp_path / "drive" / "one" / "c.tiff"}, "of two b, which?"
            with pytest.raises(NotADirectoryError, match="is no folder"):
                look_for(wanted, tmp_path / "nowhere")

    def test_the_command_finds_what_it_can_and_lists_the_rest(
        self,
        session: ReviewSession,
        tiles: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        session.paint(SQUARE, add=True)
        path = session.project.path
        session.close()
        assert main(["find", str(path), str(tiles)]) == 0
        assert "where it was" in capsys.readouterr().out
        away = tmp_path / "drive"
        away.mkdir()
        shutil.move(tiles / "a.tiff", away)
        (tiles / "b.tiff").unlink()
        assert main(["find", str(path), str(away), "--json"]) == 3
        said = capsys.readouterr()
        assert json.loads(said.out)["found"] == {"a": str(away / "a.tiff")}
        assert "No file below" in said.err
        with ReviewProject.open(path) as project:
            assert [slide.id for slide in project.slides()] == ["a", "c"]
            assert "hubseg find" in project.missing["b"]


def recorded(path: Path | str, **more: Any) -> Recorded:
    """A slide that nobody worked on, whose file was at `path`, as a project has it on disk."""
    return Recorded(
        "b", Path("/here") / path, **{"shape": SHAPE, "size": None, "digest": ""} | more
    )


class TestNames:
    """A file that nobody worked on is found by its name, wherever that was written down."""

    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("D:\\slides\\b.tiff", "b.tiff"),
            ("\\\\server\\share\\b.tiff", "b.tiff"),
            ("/mnt/slides/b.tiff", "b.tiff"),
            ("D:\\slides\\b.TIFF", "b.tiff"),
            ("b.tif", "b.Tif"),
            ("b.ome.tif", "b.OME.TIF"),
            (unicodedata.normalize("NFC", "Präparat é.tif"), "Pra\u0308parat e\u0301.tif"),
            ("Pra\u0308parat.tif", unicodedata.normalize("NFC", "Präparat.tif")),
        ],
    )
    def test_of_any_system_and_form(self, tmp_path: Path, was: str, now: str) -> None:
        (tmp_path / "deep").mkdir()
        write_slide(tmp_path / "deep" / now, 1)
        assert look_for([recorded(was)], tmp_path) == {"b": tmp_path / "deep" / now}

    def test_of_two_the_exact_one_is_taken(self, tmp_path: Path) -> None:
        for name in ("b.tif", "b.TIF"):
            write_slide(tmp_path / name, 1)
        assert look_for([recorded("b.tif")], tmp_path) == {"b": tmp_path / "b.tif"}
        assert look_for([recorded("b.Tif")], tmp_path) == {}

    def test_a_file_of_another_size_or_none_is_not_it(self, tmp_path: Path) -> None:
        for folder in ("small", "text", "whole"):
            (tmp_path / folder).mkdir()
        write_slide(tmp_path / "small" / "b.tif", 1, (6, 8))
        (tmp_path / "text" / "b.tif").write_text("no image")
        assert look_for([recorded("b.tif")], tmp_path) == {}
        write_slide(tmp_path / "whole" / "b.tif", 1)
        assert look_for([recorded("b.tif")], tmp_path) == {"b": tmp_path / "whole" / "b.tif"}

    def test_a_file_that_another_slide_has_is_not_taken(self, tmp_path: Path) -> None:
        write_slide(tmp_path / "b.tif", 1)
        assert look_for([recorded("b.tif")], tmp_path, taken=[recorded(tmp_path / "b.tif")]) == {}

    def test_one_that_may_not_be_read_ends_no_search(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("a.tif", "b.tif"):
            write_slide(tmp_path / name, ord(name[0]))
        digest, size = read_slide(tmp_path / "b.tif").digest, (tmp_path / "b.tif").stat().st_size
        real = Path.open

        def refuse(self: Path, *args: Any, **options: Any) -> Any:
            if self.name == "a.tif":
                raise PermissionError("refused")
            return real(self, *args, **options)

        monkeypatch.setattr(Path, "open", refuse)
        wanted = [recorded("gone.tif", size=size, digest=digest)]
        assert look_for(wanted, tmp_path) == {"b": tmp_path / "b.tif"}

    def test_the_command_finds_what_was_recorded_on_windows(
        self, session: ReviewSession, tiles: Path, tmp_path: Path
    ) -> None:
        path = session.project.path
        session.close()
        with ReviewProject.open(path) as project, project._database.transaction() as db:
            db.execute("UPDATE slides SET path='D:\\slides\\b.tiff' WHERE id='b'")
        shutil.move(tiles / "b.tiff", tmp_path / "b.tiff")
        (tmp_path / "b.tiff").rename(tiles / "b.TIFF")
        assert main(["find", str(path), str(tiles)]) == 0
        with ReviewProject.open(path) as project:
            assert [slide.path.name for slide in project.slides()] == ["a.tiff", "b.TIFF", "c.tiff"]


class TestSights:
    def test_what_was_worked_on_can_be_seen_after_its_file_changed(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        slide, path = session.current, session.project.path
        digest = slide.digest
        assert sight(path, digest) is None
        keep_sight(path, slide)
        before = thumbnail(slide, SIDE)
        write_slide(tiles / "a.tiff", 200)
        kept = sight(path, digest)
        assert kept is not None
        assert np.abs(kept.astype(int) - before).max() <= 2, "a JPEG of it"

    def test_a_full_disk_or_a_damaged_picture_is_no_picture(
        self, session: ReviewSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slide, path = session.current, session.project.path

        def full(*_: object) -> int:
            raise OSError("No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            keep_sight(path, slide)
        assert sight(path, slide.digest) is None
        assert not list((path / "sights").glob("*.part"))
        keep_sight(path, slide)
        (path / "sights" / f"{slide.digest}.jpg").write_bytes(b"no picture")
        assert sight(path, slide.digest) is None


def test_two_copies_are_not_merged_over_a_file_that_was_changed(
    changed: ReviewSession, tiles: Path, tmp_path: Path
) -> None:
    from hubseg.evaluation.merging import take_over

    path = changed.project.path
    changed.close()
    shutil.copytree(tiles, tmp_path / "other" / "tiles")
    with (
        ReviewProject.open(path) as one,
        ReviewProject.open(tmp_path / "other" / "tiles" / path.name) as other,
    ):
        with pytest.raises(ValueError, match="say whether it is the same tissue"):
            take_over(one, other, "a")
