"""Damage is said wherever a project is read, and nothing that is whole is rolled back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hubseg.cli import main
from hubseg.cli.sharing import moment
from hubseg.journal.rows import Kind
from hubseg.project import ReviewProject, restore_project
from hubseg.project.health import why_damaged
from hubseg.project.restoring import plan_restore
from hubseg.slide import SlideTable

FILE = "review.sqlite"
ROWS = 60  # enough to fill several pages


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed project of one slide with a backup of all its rows."""
    folder = tmp_path_factory.mktemp("damage")
    pixels = np.zeros((20, 30, 3), np.uint8)
    tifffile.imwrite(folder / "a.tiff", pixels, photometric="rgb")
    with ReviewProject.create(folder / "p.hubseg", SlideTable.open(folder)) as project:
        for number in range(ROWS):
            project.append(Kind.GESTURE, os.urandom(300), slide_id="a", label=f"brush {number}")
    return folder


@pytest.fixture
def path(pattern: Path, tmp_path: Path) -> Path:
    shutil.copytree(pattern, tmp_path / "here")
    return tmp_path / "here" / "p.hubseg"


def work_on(path: Path) -> None:
    """Do what is in no backup: rows, and a slide."""
    tifffile.imwrite(path.parent / "b.tiff", np.ones((20, 30, 3), np.uint8), photometric="rgb")
    with ReviewProject.open(path, author="bob") as project:
        project.add(SlideTable.open(path.parent))
        project.append(Kind.GESTURE, b"1", slide_id="a", label="brush")
        project.append(Kind.GESTURE, b"2", slide_id="a", label="brush")
        verdict = {"before": "unseen", "after": "accepted"}
        project.append(Kind.VERDICT, verdict, slide_id="a", label="verdict accepted")
        project._keeper._rows = 0  # it is closed without a backup


def cut(size: float) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        data = file.read_bytes()
        file.write_bytes(data[: int(len(data) * size)])

    return damage


def zeros(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


def garbage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 : 2 * 4096] = b"\xab" * 4096
    file.write_bytes(data)


def other_format(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[47] = 9  # a schema format that no SQLite knows
    file.write_bytes(data)


DAMAGES = {
    "empty": cut(0),
    "a byte": cut(0.0002),
    "a tenth": cut(0.1),
    "half": cut(0.5),
    "all but a page": cut(0.9),
    "zeros": zeros,
    "garbage": garbage,
    "format": other_format,
    "an empty database": lambda file: (file.unlink(), sqlite3.connect(file).close()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named_and_its_backup_shown(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path / FILE)
    left = (path / FILE).read_bytes()
    with ReviewProject.open(path) as project:
        assert project.read_only
        assert len(project.entries()) == ROWS
        (note,) = project.notes
    assert "is damaged" in note
    assert "hubseg restore p.hubseg" in note
    assert (path / FILE).read_bytes() == left
    plan, aside = restore_project(path)
    assert (plan.damage != "", aside.name.startswith("damaged-")) == (True, True)
    with ReviewProject.open(path) as project:
        assert (project.read_only, project.notes, len(project.entries())) == (False, (), ROWS)


def test_an_empty_file_is_called_empty_and_its_log_is_not_thrown_away(path: Path) -> None:
    (path / FILE).write_bytes(b"")
    (path / f"{FILE}-wal").write_bytes(b"what was not in the file yet")
    with ReviewProject.open(path) as project:
        assert "it is empty" in project.notes[0]
    assert (path / f"{FILE}-wal").read_bytes()
    _, aside = restore_project(path)
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == b"what was not in the file yet"


def test_without_a_backup_an_empty_file_is_still_no_choice_of_folder(path: Path) -> None:
    shutil.rmtree(path / "backups")
    (path / FILE).write_bytes(b"")
    with pytest.raises(ValueError, match=r"damaged \(it is empty\) and has no backup"):
        ReviewProject.open(path)


def test_a_file_that_is_gone_names_its_backup(path: Path) -> None:
    (path / FILE).unlink()
    with pytest.raises(FileNotFoundError, match=r"'hubseg restore p\.hubseg' takes its backup"):
        ReviewProject.open(path)
    restore_project(path)
    with ReviewProject.open(path) as project:
        assert len(project.entries()) == ROWS


class TestWhatIsWhole:
    """Is neither called damaged nor rolled back."""

    def test_is_not_restored(self, path: Path) -> None:
        work_on(path)
        before = (path / FILE).read_bytes()
        with pytest.raises(ValueError, match=r"is whole, so nothing was restored.*--to"):
            restore_project(path)
        assert (path / FILE).read_bytes() == before

    def test_a_newer_schema_is_refused_with_and_without_a_time(self, path: Path) -> None:
        with closing(sqlite3.connect(path / FILE)) as db:
            db.execute("PRAGMA user_version=99")
        before = (path / FILE).read_bytes()
        for to in (None, datetime.now(UTC)):
            with pytest.raises(ValueError, match="schema version 99"):
                restore_project(path, to=to)
        assert (path / FILE).read_bytes() == before

    def test_a_backup_of_a_newer_version_is_not_put_in_its_place(self, path: Path) -> None:
        for copy in (path / "backups").iterdir():
            with closing(sqlite3.connect(copy)) as db:
                db.execute("PRAGMA user_version=99")
        (path / FILE).write_bytes(b"")
        for attempt in (restore_project, ReviewProject.open):
            with pytest.raises(ValueError, match="install a newer HubSeg"):
                attempt(path)

    def test_a_file_in_use_is_not_called_damaged(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0}))
        with closing(real(path / FILE, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            for attempt in (ReviewProject.open, restore_project):
                with pytest.raises(OSError, match="locked"):
                    attempt(path)
        assert why_damaged(path / FILE) == ""

    @pytest.mark.parametrize(
        "code", ["SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_IOERR_READ", "SQLITE_BUSY_RECOVERY"]
    )
    def test_what_the_system_refuses_is_not_called_damaged(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, code: str
    ) -> None:
        error = sqlite3.OperationalError("refused")
        error.sqlite_errorcode = getattr(sqlite3, code)

        def refuse(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("hubseg.project.database.check", refuse)
        monkeypatch.setattr("hubseg.project.health.check", refuse)
        for attempt in (ReviewProject.open, restore_project):
            with pytest.raises(OSError, match="refused") as told:
                attempt(path)
            assert "damaged" not in str(told.value)

    def test_another_programs_file_is_not_replaced(self, path: Path) -> None:
        (path / FILE).unlink()
        with closing(sqlite3.connect(path / FILE)) as db:
            db.execute("CREATE TABLE bookmarks (url)")
        before = (path / FILE).read_bytes()
        for attempt in (ReviewProject.open, restore_project):
            with pytest.raises(ValueError, match="is no review"):
                attempt(path)
        assert (path / FILE).read_bytes() == before


class TestGoingBack:
    def test_what_would_be_lost_is_counted_before(self, path: Path) -> None:
        work_on(path)
        plan = plan_restore(path, to=datetime.now(UTC))
        assert (plan.damage, plan.lost.rows) == ("", 3)
        assert plan.lost.kinds == {"gesture": 2, "verdict": 1}
        assert plan.lost.slides == {"a": "2 strokes, verdict accepted"}
        assert plan.lost.added == ("b",)

    def test_what_was_there_is_kept_and_is_not_called_damaged(self, path: Path) -> None:
        work_on(path)
        before = (path / FILE).read_bytes()
        _, aside = restore_project(path, to=datetime.now(UTC))
        assert aside.name.startswith("before-")
        assert aside.read_bytes() == before
        with ReviewProject.open(path) as project:
            assert len(project.entries()) == ROWS

    def test_a_time_before_the_first_backup_lists_those_there_are(self, path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"backups were made at 20\d\d-"):
            plan_restore(path, to=datetime.now(UTC) - timedelta(days=1))

    def test_rows_that_differ_under_one_number_are_lost_too(self, path: Path) -> None:
        """After going back once, the numbers begin again where the backup ended."""
        work_on(path)
        restore_project(path, to=datetime.now(UTC))
        work_on(path)
        assert plan_restore(path, to=datetime.now(UTC)).lost.rows == 3


class TestCommand:
    def test_it_lists_first_and_goes_back_with_yes(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        work_on(path)
        assert main(["restore", str(path)]) == 1
        assert "is whole" in capsys.readouterr().err
        arguments = ["restore", str(path), "--to", f"{datetime.now():%Y-%m-%dT%H:%M:%S.%f}"]
        assert main(arguments) == 1
        told = capsys.readouterr()
        assert "would go on from" in told.out
        assert "a: 2 strokes, verdict accepted" in told.out
        assert "--yes" in told.err
        assert main([*arguments, "--yes", "--json"]) == 0
        answer: Any = json.loads(capsys.readouterr().out)
        assert (answer["restored"], answer["damage"], answer["lost"]["rows"]) == (True, "", 3)

    @pytest.mark.parametrize(("text", "minute"), [("14:30", 30), ("2026-11-26T14:31", 31)])
    def test_a_time_without_a_zone_is_local(self, text: str, minute: int) -> None:
        assert moment(text).minute == minute
        assert moment(text).tzinfo is not None

    def test_what_is_no_time_is_wrong_usage(self, path: Path) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["restore", str(path), "--to", "yesterday"])
        assert ended.value.code == 2


COMMANDS = {
    "mask": ("mask", "P"),
    "export": ("export", "P", "--format", "kaggle-rle", "--out", "OUT.csv"),
    "report": ("report", "P", "--out", "OUT.html"),
    "evaluate": ("evaluate", "P", "--truth", "TRUTH"),
    "calibrate": ("calibrate", "P"),
    "train": ("train", "P", "--out", "OUT"),
    "maps": ("maps", "P"),
    "find": ("find", "P", "HERE"),
    "compare, first": ("compare", "P", "OTHER"),
    "compare, second": ("compare", "OTHER", "P"),
    "merge": ("merge", "OTHER", "P", "--take", "all"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_that_reads_a_project_says_that_it_is_damaged(
    path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    here = path.parent
    shutil.copytree(path, here / "other.hubseg")
    cut(0.5)(path / FILE)
    (here / "truth.csv").write_text("id,rle\na,1 3\n")
    places = {"P": path, "OTHER": here / "other.hubseg", "HERE": here, "TRUTH": here / "truth.csv"}
    words = [str(places.get(word, word)).replace("OUT", str(here / "out")) for word in command]
    main([*words, "--json"])
    told = capsys.readouterr()
    assert "is damaged" in told.err
    assert "hubseg restore" in told.err
    assert "is damaged" in json.loads(told.out)["notes"]["project"]
