"""The project on disk: complete or absent, one writer, no row lost, nothing trusted blindly."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.journal.rows import Entry, History, Kind, standing
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ
from hubseg.project import ReviewProject, restore_project
from hubseg.project.backups import GENERATIONS, newest_good, rows_in
from hubseg.project.default_location import beside, is_kept_clean, of_person
from hubseg.project.lock import WriteLock
from hubseg.project.opening import prepare_project
from hubseg.project.schema import VERSION
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable


def write_slide(path: Path, value: int = 0, size: tuple[int, int] = (60, 80)) -> None:
    tifffile.imwrite(path, np.full((*size, 3), value, np.uint8), photometric="rgb")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A competition folder: two kidney tiles, a table that also names an absent third."""
    folder = tmp_path / "data"
    (folder / "train_images").mkdir(parents=True)
    for number, name in enumerate(("one", "two")):
        write_slide(folder / "train_images" / f"{name}.tiff", number)
    (folder / "train.csv").write_text(
        "id,organ,data_source,pixel_size,rle\n"
        "one,kidney,Hubmap,0.5,1 3\ntwo,lung,HPA,0.4,\ngone,lung,HPA,0.4,1 1\n"
    )
    return folder


@pytest.fixture
def project(tiles: Path) -> ReviewProject:
    opened = ReviewProject.create(
        tiles / "train.hubseg", SlideTable.open(tiles / "train.csv"), author="ann"
    )
    yield opened
    opened.close(discard=True)


def fill_disk(project: ReviewProject) -> None:
    (pages,) = project._database.db.execute("PRAGMA page_count").fetchone()
    project._database.db.execute(f"PRAGMA max_page_count={pages}")


def empty_disk(project: ReviewProject) -> None:
    project._database.db.execute("PRAGMA max_page_count=1000000")


class TestSlides:
    def test_slides_come_back_as_they_were(self, project: ReviewProject, tiles: Path) -> None:
        table = SlideTable.open(tiles / "train.csv")
        assert project.slides() == table.slides
        assert project.truth("one") == "1 3"
        assert project.truth("two") == ""
        assert project.truth("nobody") is None
        first = project.slides()[0]
        assert (first.organ, first.source) == (Organ.KIDNEY, DataSource.HUBMAP)
        assert first.origins["organ"] == "table"
        assert first.read((0, 0, 2, 2)).shape == (2, 2, 3)

    def test_a_table_row_without_a_file_is_listed_and_the_rest_opens(
        self, project: ReviewProject
    ) -> None:
        assert [slide.id for slide in project.slides()] == ["one", "two"]
        assert list(project.missing) == ["gone"]

    def test_the_folder_can_be_moved(self, project: ReviewProject, tiles: Path) -> None:
        project.close()
        moved = tiles.parent / "elsewhere"
        shutil.move(tiles, moved)
        with ReviewProject.open(moved / "train.hubseg") as again:
            assert [s.path.parent.parent for s in again.slides()] == [moved, moved]
            assert again.slides()[1].read((0, 0, 1, 1)).tolist() == [[[1, 1, 1]]]

    def test_an_image_outside_the_folder_keeps_its_whole_path(
        self, tiles: Path, tmp_path: Path
    ) -> None:
        table = SlideTable.open(tiles / "train.csv")
        with ReviewProject.create(tmp_path / "other" / "p.hubseg", table) as project:
            assert project.slides() == table.slides

    def test_a_file_that_went_away_is_listed_with_a_remedy(
        self, project: ReviewProject, tiles: Path
    ) -> None:
        (tiles / "train_images" / "one.tiff").unlink()
        assert [slide.id for slide in project.slides()] == ["two"]
        assert "put it back" in project.missing["one"]
        write_slide(tiles / "train_images" / "one.tiff")
        assert len(project.slides()) == 2
        assert "one" not in project.missing

    def test_adding_a_table_again_renews_facts_and_adds_what_is_new(
        self, project: ReviewProject, tiles: Path
    ) -> None:
        write_slide(tiles / "train_images" / "gone.tiff")
        table = SlideTable.open(tiles / "train.csv")
        changed = tuple(replace(s, organ=Organ.SPLEEN) for s in table.slides)
        assert project.add(replace(table, slides=changed, truth={})).new == ("gone",)
        assert [s.organ for s in project.slides()] == [Organ.SPLEEN] * 3
        assert project.truth("one") == "1 3"

    @pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a\\b", "c:d", "x\0", "n\n", "l" * 201])
    def test_an_id_that_cannot_name_a_file_is_refused(
        self, project: ReviewProject, tiles: Path, id: str
    ) -> None:
        slide = replace(project.slides()[0], id=id)
        with pytest.raises(ValueError, match="cannot name a file"):
            project.add(SlideTable((slide,)))
        with pytest.raises(ValueError, match="cannot name a file"):
            ReviewProject.create(tiles / "new.hubseg", SlideTable((slide,)))
        assert not (tiles / "new.hubseg").exists()


class TestSameFile:
    def test_a_file_never_worked_on_is_whatever_it_is(
        self, project: ReviewProject, tiles: Path
    ) -> None:
        slide = project.slides()[0]
        write_slide(slide.path, 9)
        assert project.check_file(slide) == (slide, True)

    def test_a_copy_with_a_new_date_is_the_same_file(self, project: ReviewProject) -> None:
        slide = project.slides()[0]
        project.record_file(slide)
        os.utime(slide.path, (1, 1))
        assert project.check_file(slide) == (slide, True)
        assert project.digest(slide) == slide.digest

    def test_other_pixels_are_noticed(self, project: ReviewProject) -> None:
        slide = project.slides()[0]
        project.record_file(slide)
        before = slide.digest
        write_slide(slide.path, 9)
        found, same = project.check_file(slide)
        assert not same
        assert found.digest == slide.digest != before, "no object remembers what is gone"
        assert (found.organ, found.origins) == (slide.organ, slide.origins)

    def test_another_size_is_noticed_and_read_anew(self, project: ReviewProject) -> None:
        slide = project.slides()[0]
        write_slide(slide.path, 0, (10, 20))
        found, same = project.check_file(slide)
        assert not same
        assert (found.height, found.width) == (10, 20)
        project.record_file(found)
        assert project.slides()[0].levels == ((10, 20),)

    def test_the_recorded_digest_is_trusted_only_while_size_and_date_hold(
        self, project: ReviewProject
    ) -> None:
        slide = project.slides()[0]
        project.record_file(slide)
        fresh = project.slides()[0]
        before = slide.digest
        assert project.digest(fresh) == before
        assert "_content" not in vars(fresh), "it was not computed again"
        write_slide(slide.path, 9)
        assert project.digest(project.slides()[0]) != before


class TestJournal:
    def test_a_row_is_on_the_disk_when_append_returns(
        self, project: ReviewProject, tiles: Path
    ) -> None:
        entry = project.append(Kind.GESTURE, b"pixels", slide_id="one", label="brush")
        other = sqlite3.connect(tiles / "train.hubseg" / "review.sqlite")
        assert other.execute("SELECT seq, author, payload FROM journal").fetchall() == [
            (entry.seq, "ann", b"pixels")
        ]
        other.close()

    def test_rows_come_back_in_order_those_of_the_project_with_each_slide(
        self, project: ReviewProject
    ) -> None:
        project.append(Kind.GESTURE, b"pixels", slide_id="one", label="brush")
        project.append(Kind.THRESHOLD, {"after": 90}, label="threshold")
        project.append(Kind.VERDICT, {"after": "accepted"}, slide_id="two")
        project.append(Kind.UNDO, {}, slide_id="one", target=1)
        assert [e.seq for e in project.entries()] == [1, 2, 3, 4]
        assert [e.seq for e in project.entries("one")] == [1, 2, 4]
        assert [e.seq for e in project.entries("")] == [2]
        assert project.entries("one")[0].payload == b"pixels"
        light = project.entries("one", pixels=False)
        assert [e.payload for e in light] == [b"", b'{"after": 90}', b"{}"]
        assert project.payload(1) == b"pixels"
        assert light[1].facts == {"after": 90}
        assert (light[0].author, light[0].label, light[2].target) == ("ann", "brush", 1)

    def test_numbers_go_on_after_a_restart(self, project: ReviewProject) -> None:
        project.append(Kind.CLEANUP, {})
        project.close()
        with ReviewProject.open(project.path) as again:
            assert again.append(Kind.CLEANUP, {}).seq == 2

    @pytest.mark.parametrize("sql", ["UPDATE journal SET label='x'", "DELETE FROM journal"])
    def test_a_row_is_never_changed_or_removed(self, project: ReviewProject, sql: str) -> None:
        project.append(Kind.CLEANUP, {})
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            project._database.db.execute(sql)

    def test_a_row_of_an_unknown_slide_is_refused_and_does_not_linger(
        self, project: ReviewProject
    ) -> None:
        with pytest.raises(ValueError, match="no slide 'nobody'"):
            project.append(Kind.GESTURE, b"", slide_id="nobody")
        assert project.unsaved == 0
        assert project.append(Kind.CLEANUP, {}).seq == 1

    def test_an_absent_row_is_refused(self, project: ReviewProject) -> None:
        with pytest.raises(ValueError, match="no row 7"):
            project.payload(7)

    @pytest.mark.parametrize("payload", [b"{", b"[1]", b"\xff"])
    def test_a_damaged_payload_is_refused_by_its_row(
        self, project: ReviewProject, payload: bytes
    ) -> None:
        entry = project.append(Kind.CLEANUP, payload)
        with pytest.raises(ValueError, match=r"Row 1 of the journal \(cleanup\) is damaged"):
            _ = entry.facts

    @pytest.mark.parametrize(("column", "value"), [("kind", "sabotage"), ("at", "yesterday")])
    def test_a_damaged_row_is_refused(
        self, project: ReviewProject, column: str, value: str
    ) -> None:
        project.append(Kind.CLEANUP, {})
        project._database.db.execute("DROP TRIGGER journal_stays")
        project._database.db.execute(f"UPDATE journal SET {column}=?", (value,))
        with pytest.raises(ValueError, match="Row 1 of the journal is damaged"):
            project.entries()


class TestFullDisk:
    def test_rows_wait_in_memory_and_are_written_when_there_is_space(
        self, project: ReviewProject
    ) -> None:
        fill_disk(project)
        blob = os.urandom(50_000)
        first = project.append(Kind.GESTURE, blob, slide_id="one")
        assert project.unsaved == 1
        assert "free some space" in project.trouble
        second = project.append(Kind.CLEANUP, {})
        assert project.unsaved == 2
        assert [e.seq for e in project.entries("one")] == [first.seq, second.seq]
        assert project.payload(first.seq) == blob
        with pytest.raises(OSError, match="could not be written"):
            project.close()
        empty_disk(project)
        third = project.append(Kind.CLEANUP, {})
        assert (project.unsaved, project.trouble) == (0, "")
        project.close()
        with ReviewProject.open(project.path) as again:
            assert [e.seq for e in again.entries()] == [first.seq, second.seq, third.seq]
            assert again.payload(first.seq) == blob

    def test_a_commit_that_reported_failure_but_reached_the_disk_is_not_doubled(
        self, project: ReviewProject
    ) -> None:
        entry = project.append(Kind.CLEANUP, {})
        project._journal._waiting.append(entry)
        project.flush()
        assert [e.seq for e in project.entries()] == [1]

    def test_giving_up_what_waits_is_possible_only_by_name(self, project: ReviewProject) -> None:
        fill_disk(project)
        project.append(Kind.GESTURE, os.urandom(50_000), slide_id="one")
        project.close(discard=True)
        with ReviewProject.open(project.path) as again:
            assert again.entries() == ()


class TestOneWriter:
    def test_a_second_opener_reads_and_is_told_who_writes(self, project: ReviewProject) -> None:
        project.append(Kind.CLEANUP, {})
        with ReviewProject.open(project.path, author="bob") as second:
            assert second.read_only
            assert second.writer.startswith("ann on ")
            assert second.why_read_only.startswith("train.hubseg is open for reading only: ann on ")
            assert len(second.entries()) == 1
            project.append(Kind.CLEANUP, {})
            assert len(second.entries()) == 2, "it sees what the writer commits"
            with pytest.raises(PermissionError, match="ann on"):
                second.append(Kind.CLEANUP, {})
            with pytest.raises(PermissionError, match="ann on"):
                second.record_run("r", "one", recipe_digest="d", recipe="", members=())
        assert not project.read_only
        assert project.why_read_only == ""
        project.append(Kind.CLEANUP, {})

    def test_the_right_to_write_is_free_after_closing(self, project: ReviewProject) -> None:
        project.close()
        with ReviewProject.open(project.path) as again:
            assert not again.read_only

    def test_a_killed_writer_locks_nobody_out_and_loses_nothing(
        self, project: ReviewProject
    ) -> None:
        project.close()
        script = (
            "import sys\n"
            "from hubseg.journal.rows import Kind\n"
            "from hubseg.project import ReviewProject\n"
            "project = ReviewProject.open(sys.argv[1], author='eve')\n"
            "print(project.append(Kind.CLEANUP, {}).seq, flush=True)\n"
            "sys.stdin.read()\n"
        )
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(project.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdin is not None and writer.stdout is not None
        assert writer.stdout.readline() == "1\n"
        with ReviewProject.open(project.path) as second:
            assert second.writer.startswith("eve on ")
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdin.close()
        writer.stdout.close()
        with ReviewProject.open(project.path) as third:
            assert not third.read_only
            assert [e.author for e in third.entries()] == ["eve"]

    def test_one_process_cannot_take_the_lock_twice(self, tmp_path: Path) -> None:
        lock = WriteLock(tmp_path / "lock")
        lock.release()
        assert lock.acquire("ann")
        assert WriteLock(tmp_path / "lock").acquire("bob") is False
        assert lock.holder().startswith("ann on ")
        lock.release()

    def test_an_unreadable_note_names_another_program(self, tmp_path: Path) -> None:
        (tmp_path / "lock").write_text("?")
        assert WriteLock(tmp_path / "lock").holder() == "another program"

    def test_a_file_system_without_locks_is_refused_in_a_sentence(
        self, project: ReviewProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.close()
        refuse(monkeypatch, errno.ENOTSUP)
        with pytest.raises(OSError, match="cannot be locked"):
            ReviewProject.open(project.path)


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def acquire(self: WriteLock, author: str) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(WriteLock, "acquire", acquire)


def test_a_project_that_cannot_be_written_is_read_from_a_copy(
    project: ReviewProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.append(Kind.CLEANUP, {})
    project.close()
    before = sorted(p.name for p in project.path.iterdir())
    refuse(monkeypatch, errno.EROFS)
    with ReviewProject.open(project.path) as readable:
        assert readable.read_only
        assert readable.writer == ""
        assert "copy it to a folder of your own" in readable.why_read_only
        assert len(readable.entries()) == 1
        assert len(readable.slides()) == 2
    assert sorted(p.name for p in project.path.iterdir()) == before


class TestRefusals:
    def test_a_name_without_the_suffix(self, tiles: Path) -> None:
        with pytest.raises(ValueError, match=r"does not end in \.hubseg"):
            ReviewProject.open(tiles / "train")

    def test_a_folder_that_is_no_project(self, tiles: Path) -> None:
        (tiles / "x.hubseg").mkdir()
        with pytest.raises(FileNotFoundError, match=r"holds no review\.sqlite"):
            ReviewProject.open(tiles / "x.hubseg")

    def test_making_a_project_where_one_is(self, project: ReviewProject, tiles: Path) -> None:
        with pytest.raises(FileExistsError, match="exists already"):
            ReviewProject.create(project.path, SlideTable.open(tiles / "train.csv"))

    def test_a_newer_schema_is_named(self, project: ReviewProject) -> None:
        project._database.db.execute("PRAGMA user_version=9")
        project.close()
        with pytest.raises(ValueError, match=f"schema version 9 and this program knows {VERSION}"):
            ReviewProject.open(project.path)

    def test_a_database_of_another_program(self, project: ReviewProject) -> None:
        project._database.db.execute("PRAGMA application_id=7")
        project.close()
        with pytest.raises(ValueError, match="is no review"):
            ReviewProject.open(project.path)

    @pytest.mark.parametrize("at", [0, 100, 4096, 3 * 4096])
    def test_a_damaged_database_is_named(self, project: ReviewProject, at: int) -> None:
        project.close()
        file = project.path / "review.sqlite"
        data = bytearray(file.read_bytes())
        data[at : at + 2000] = b"\xab" * 2000
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"review\.sqlite is (damaged|no review)"):
            ReviewProject.open(project.path)
        lock = WriteLock(project.path / "review.lock")
        assert lock.acquire("x"), "the lock was given back"
        lock.release()

    @pytest.mark.parametrize(
        ("column", "value"),
        [("organ", "?"), ("levels", "{}}"), ("origins", "[]"), ("id", "../x"), ("height", "a")],
    )
    def test_a_damaged_slide_is_named(
        self, project: ReviewProject, column: str, value: str
    ) -> None:
        project._database.db.execute(f"UPDATE slides SET {column}=? WHERE number=1", (value,))
        with pytest.raises(ValueError, match=r"^Slide .* is damaged"):
            project.slides()

    def test_an_absent_database_file_names_its_folder(self, project: ReviewProject) -> None:
        project.close()
        (project.path / "review.sqlite").unlink()
        (project.path / "review.sqlite").mkdir()
        with pytest.raises(OSError, match=r"review\.sqlite"):
            ReviewProject.open(project.path)

    def test_a_project_that_fails_half_way_leaves_nothing(
        self, tiles: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(self: ReviewProject, table: SlideTable) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(ReviewProject, "add", fail)
        before = sorted(tiles.iterdir())
        with pytest.raises(OSError, match="disk full"):
            ReviewProject.create(tiles / "p.hubseg", SlideTable.open(tiles / "train.csv"))
        assert sorted(tiles.iterdir()) == before


class TestBackups:
    @staticmethod
    def damage(path: Path) -> None:
        file = path / "review.sqlite"
        data = bytearray(file.read_bytes())
        data[4096 : 2 * 4096] = b"\xab" * 4096
        file.write_bytes(data)

    def test_closing_after_work_leaves_a_backup_and_five_are_kept(
        self, project: ReviewProject
    ) -> None:
        folder = project.path / "backups"
        project.close()
        assert not folder.exists(), "nothing was done yet"
        for count in range(1, 8):
            with ReviewProject.open(project.path) as again:
                again.append(Kind.CLEANUP, {"after": count})
            assert len(list(folder.iterdir())) == min(count, GENERATIONS)
        copy = newest_good(project.path / "review.sqlite")
        assert copy is not None
        assert rows_in(copy)[0] == 7

    def test_a_backup_is_made_while_somebody_works(
        self, project: ReviewProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hubseg.project.backup_schedule._EVERY", 0.0)
        for _ in range(25):
            project.append(Kind.CLEANUP, {})
        thread = project._keeper._thread
        assert thread is not None
        thread.join()
        assert project._keeper.trouble == ""
        copy = newest_good(project.path / "review.sqlite")
        assert copy is not None
        assert rows_in(copy)[0] >= 20

    def test_a_damaged_file_opens_for_reading_from_the_last_good_backup(
        self, project: ReviewProject
    ) -> None:
        for number in range(3):
            project.append(Kind.CLEANUP, {"after": number})
        project.close()
        kept = (project.path / "review.sqlite").read_bytes()
        self.damage(project.path)
        damaged = (project.path / "review.sqlite").read_bytes()
        with ReviewProject.open(project.path) as readable:
            assert readable.read_only
            assert "is damaged" in readable.why_read_only
            assert "missing: 'hubseg restore train.hubseg'" in readable.why_read_only
            assert len(readable.entries()) == 3
            assert len(readable.slides()) == 2
            with pytest.raises(PermissionError, match="is damaged"):
                readable.append(Kind.CLEANUP, {})
        assert (project.path / "review.sqlite").read_bytes() == damaged, "it is left as it was"
        plan, aside = restore_project(project.path)
        assert aside.read_bytes() == damaged
        assert plan.backup.is_file()
        with ReviewProject.open(project.path) as again:
            assert not again.read_only
            assert again.append(Kind.CLEANUP, {}).seq == 4
        assert kept != damaged

    def test_a_damaged_backup_is_passed_over(self, project: ReviewProject) -> None:
        for number in range(2):
            project.append(Kind.CLEANUP, {"after": number})
            project._keeper.close()
        project.close()
        newest = sorted((project.path / "backups").iterdir())[-1]
        newest.write_bytes(b"SQLite format 3\0" + b"\xab" * 5000)
        self.damage(project.path)
        with ReviewProject.open(project.path) as readable:
            assert len(readable.entries()) == 1

    def test_a_project_in_use_is_not_restored(self, project: ReviewProject) -> None:
        project.append(Kind.CLEANUP, {})
        project._keeper.close()
        with pytest.raises(PermissionError, match="in use by ann"):
            restore_project(project.path)
        project.close()
        self.damage(project.path)
        assert restore_project(project.path)[0].backup.is_file()

    def test_without_a_backup_there_is_nothing_to_restore(self, project: ReviewProject) -> None:
        project.close()
        self.damage(project.path)
        with pytest.raises(FileNotFoundError, match="no good backup"):
            restore_project(project.path)

    def test_a_disk_that_refuses_a_backup_keeps_nobody_from_working(
        self, project: ReviewProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(file: Path) -> Path:
            raise OSError("no space")

        monkeypatch.setattr("hubseg.project.database.make_backup", refuse)
        project.append(Kind.CLEANUP, {})
        project.close()
        assert project._keeper.trouble == "no space"


def test_a_project_of_the_first_schema_is_brought_up_to_date_and_backed_up(
    project: ReviewProject,
) -> None:
    project.append(Kind.CLEANUP, {})
    db = project._database.db
    db.executescript("DROP INDEX journal_by_kind; DROP TABLE masks; PRAGMA user_version=1;")
    project.close()
    with ReviewProject.open(project.path) as again:
        assert again._database.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        found = again._database.db.execute(
            "SELECT 1 FROM sqlite_master WHERE name='journal_by_kind'"
        ).fetchall()
        assert len(found) == 1
        assert len(again.entries()) == 1
    copies = sorted((project.path / "backups").glob("review-*.sqlite"))
    with closing(sqlite3.connect(copies[-1])) as before:
        assert before.execute("PRAGMA user_version").fetchone() == (1,)


def test_runs_are_kept_and_a_run_that_goes_on_replaces_itself(project: ReviewProject) -> None:
    what = {"recipe_digest": "d", "recipe": "name: x"}
    project.record_run("r1", "one", **what, members=["k1"], slide_digest="s")
    project.record_run("r1", "two", **what, members=[])
    project.record_run("r0", "one", **what, members=["k3"])
    project.record_run("r1", "one", **what, members=["k1", "k2"], slide_digest="s")
    assert [r.members for r in project.runs("one")] == [("k3",), ("k1", "k2")]
    assert [r.slide_digest for r in project.runs("one")] == ["", "s"]
    assert [r.slide_id for r in project.runs()] == ["two", "one", "one"]
    assert project.maps == project.path / "maps"
    assert project.maps.is_dir()


def test_exports_are_kept(project: ReviewProject) -> None:
    project.record_export("/out/s.csv", format="kaggle-rle", digest="abc")
    (export,) = project.exports()
    assert (export.author, export.format, export.path) == ("ann", "kaggle-rle", "/out/s.csv")
    assert export.at.tzinfo is not None


class TestPlace:
    def test_where_a_project_is_expected(self, tiles: Path) -> None:
        assert beside(tiles) == tiles / "data.hubseg"
        assert beside(tiles / "train.csv") == tiles / "train.hubseg"
        assert beside(tiles / "train_images" / "one.tiff").name == "one.hubseg"

    def test_data_of_an_installed_package_is_kept_clean(self, tmp_path: Path) -> None:
        import hubseg

        inside = tmp_path / "lib" / "site-packages" / "x"
        inside.mkdir(parents=True)
        assert is_kept_clean(inside)
        assert is_kept_clean(Path(hubseg.__file__).parent)
        assert not is_kept_clean(tmp_path)

    def test_each_source_has_its_own_place_in_the_persons_folder(
        self, tiles: Path, tmp_path: Path
    ) -> None:
        assert of_person(tiles) == of_person(tiles)
        assert of_person(tiles) != of_person(tmp_path)
        assert of_person(tiles).suffix == ".hubseg"


class TestOpening:
    @pytest.fixture(autouse=True)
    def own_data_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(
            "platformdirs.user_data_path", lambda *a, **k: tmp_path / "home" / "hubseg"
        )
        return tmp_path / "home" / "hubseg"

    def test_a_folder_gets_its_project_and_finds_it_again(self, tiles: Path) -> None:
        images = tiles / "train_images"
        project, _notes = open_project(images)
        project.append(Kind.CLEANUP, {})
        project.close()
        write_slide(images / "three.tiff")
        again, _ = open_project(images)
        assert again.path == images / "train_images.hubseg"
        assert {s.id for s in again.slides()} == {"one", "two", "three"}
        assert len(again.entries()) == 1
        again.close()

    def test_what_cannot_be_shown_is_told(self, tiles: Path) -> None:
        project, notes = open_project(tiles / "train.csv")
        project.close()
        assert len(notes) == 1
        assert "gone" in notes[0]

    def test_the_project_that_is_open_is_not_opened_again(
        self, project: ReviewProject, tiles: Path
    ) -> None:
        found = prepare_project(tiles / "train.csv", already=project.path)
        assert found.project is None
        assert len(found.table.slides) == 2
        assert prepare_project(project.path, already=project.path).table is None

    def test_a_second_opener_is_told(self, project: ReviewProject, tiles: Path) -> None:
        second, notes = open_project(tiles / "train.csv")
        second.close()
        assert "ann on" in notes[0]

    def test_data_of_a_package_gets_its_project_elsewhere(
        self, tiles: Path, tmp_path: Path, own_data_folder: Path
    ) -> None:
        inside = tmp_path / "site-packages" / "sample"
        shutil.copytree(tiles / "train_images", inside)
        project, notes = open_project(inside)
        project.close()
        assert project.path.parent == own_data_folder / "projects"
        assert str(project.path) in notes[0]
        assert not list(inside.glob("*.hubseg"))

    def test_a_folder_that_refuses_gets_its_project_elsewhere(
        self, tiles: Path, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Path.mkdir

        def mkdir(self: Path, *args: object, **options: object) -> None:
            if self.is_relative_to(tiles):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            real(self, *args, **options)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        project, _notes = open_project(tiles / "train.csv")
        project.close()
        assert project.path.parent == own_data_folder / "projects"
        with pytest.raises(PermissionError, match="choose another folder"):
            open_project(tiles / "train.csv", tiles / "named.hubseg")

    def test_slides_none_of_which_opens_are_refused_with_the_reason(self, tiles: Path) -> None:
        (tiles / "bad.csv").write_text("id\nnobody\n")
        with pytest.raises(ValueError, match=r"No slide of .*bad\.csv can be opened"):
            open_project(tiles / "bad.csv")
        assert not (tiles / "bad.hubseg").exists()

    def test_a_project_that_is_not_there_is_refused(self, tiles: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"holds no review\.sqlite"):
            open_project(tiles / "no.hubseg")


def open_project(*where: Path) -> tuple[ReviewProject, tuple[str, ...]]:
    prepared = prepare_project(*where)
    return prepared.project, prepared.notes


def row(seq: int, kind: Kind, target: int | None = None) -> Entry:
    from datetime import UTC, datetime

    return Entry(seq, datetime.now(UTC), "a", None, kind, "", b"{}", target)


HISTORIES = [
    ("two done", [(1, Kind.GESTURE), (2, Kind.GESTURE)], [1, 2], []),
    ("one undone", [(1, Kind.GESTURE), (2, Kind.GESTURE), (3, Kind.UNDO, 2)], [1], [2]),
    (
        "undone and redone",
        [(1, Kind.GESTURE), (2, Kind.UNDO, 1), (3, Kind.REDO, 1)],
        [1],
        [],
    ),
    (
        "a new row ends redo",
        [(1, Kind.GESTURE), (2, Kind.UNDO, 1), (3, Kind.CLEANUP)],
        [3],
        [],
    ),
    ("an undo of another slide's row is not ours", [(1, Kind.CLEANUP), (3, Kind.UNDO, 2)], [1], []),
]


@pytest.mark.parametrize(
    ("rows", "done", "undone"), [h[1:] for h in HISTORIES], ids=[h[0] for h in HISTORIES]
)
def test_the_history_walks_the_journal(rows: list, done: list[int], undone: list[int]) -> None:
    entries = [row(*r) for r in rows]
    history = History(entries)
    assert [e.seq for e in history.done] == done
    assert [e.seq for e in history.undone] == undone
    assert [e.seq for e in standing(entries)] == done


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here: it takes Linux and root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_on_a_disk_that_is_really_full_work_goes_on_and_is_written_later(
    small_disk: Path,
) -> None:
    tiles = small_disk / "tiles"
    tiles.mkdir()
    write_slide(tiles / "a.tiff")
    session = ReviewSession(author="ann")
    said: list[str] = []
    session.failed.connect(said.append)
    session.open(tiles)
    region = np.zeros((60, 80), np.bool_)
    region[:10, :10] = True
    assert session.paint(region, add=True) is not None
    saved = session.edits.override()
    stuffing = small_disk / "stuffing"
    with suppress(OSError), stuffing.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    rng = np.random.default_rng(0)
    while not session.project.unsaved:
        assert session.paint(rng.random((60, 80)) < 0.5, add=bool(rng.integers(2))) is not None
    assert "kept in memory only" in said[-1]
    assert "free some space" in said[-1]
    assert session.paint(region, top=30, add=True) is not None, "work goes on"
    undone = session.edits.override()
    session.undo()
    session.redo()
    assert np.array_equal(session.edits.override(), undone)
    assert not session.close(), "it is not given up quietly"
    with ReviewProject.open(session.project.path) as reader:
        assert any(entry.kind is Kind.GESTURE for entry in reader.entries()), "what was saved is"
    stuffing.unlink()
    assert session.save()
    assert session.close()
    again = ReviewSession()
    again.open(tiles)
    assert np.array_equal(again.edits.override(), undone)
    assert not np.array_equal(undone, saved)
    again.close()


def test_in_a_folder_that_cannot_be_written_everything_can_be_seen(
    project: ReviewProject, tiles: Path
) -> None:
    """As another user would see it: a user's own rights are what the system checks."""
    project.append(Kind.VERDICT, {"after": "flagged"}, slide_id="one")
    project.close()
    if os.geteuid() == 0:
        opened = subprocess.run(
            ["mount", "--bind", "-o", "ro", str(tiles), str(tiles)],
            capture_output=True,
            check=False,
        )
        if opened.returncode != 0:
            pytest.skip("root may write everywhere, and nothing can be mounted read-only here")
        subprocess.run(["mount", "-o", "remount,ro,bind", str(tiles)], check=True)
    else:
        os.chmod(project.path, 0o555)
    try:
        session = ReviewSession()
        said: list[str] = []
        session.told.connect(said.append)
        session.open(project.path)
        assert "copy it to a folder of your own" in said[0]
        assert session.verdict("one") is Verdict.FLAGGED
        session.close()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "--lazy", str(tiles)], check=True)
        else:
            os.chmod(project.path, 0o755)
