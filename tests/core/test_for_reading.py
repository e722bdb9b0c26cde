"""A project opened for reading only: it keeps nobody from writing, and changes no byte."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.cli import main
from hubseg.journal.rows import Kind
from hubseg.project import ReviewProject
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

REPOSITORY = Path(__file__).resolve().parents[2]
WRITERS = {
    "cli/keeping.py": "find: where the files are now",
    "cli/masks.py": "export: records what was written, keeps masks of older versions",
    "cli/naming.py": "vocabulary --set: a person's words; without it, it reads",
    "cli/predicting.py": "predict: adds slides, records runs",
    "cli/teaching.py": "teach: writes what was taught",
    "cli/sharing.py": "merge: takes rows over",
    "project/opening.py": "a session: the one that writes",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A project of one slide with two rows, closed."""
    tifffile.imwrite(tmp_path / "one.tiff", np.zeros((60, 80, 3), np.uint8), photometric="rgb")
    session = ReviewSession(author="ann")
    session.open(tmp_path, project=tmp_path / "p.hubseg")
    session.paint(np.ones((9, 9), np.bool_), add=True)
    session.flag()
    assert session.close()
    return tmp_path / "p.hubseg"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files whose integrity was checked."""
    from hubseg.project import database

    found: list[str] = []
    whole = database.check

    def check(db: object, file: Path) -> int:
        found.append(file.name)
        return whole(db, file)

    monkeypatch.setattr(database, "check", check)
    yield found


def test_a_reader_keeps_nobody_from_writing_and_sees_what_is_written(path: Path) -> None:
    with ReviewProject.for_reading(path) as reader, ReviewProject.open(path) as writer:
        assert reader.read_only
        assert not writer.read_only, "the right to write is not taken by a reader"
        writer.append(Kind.CLEANUP, {})
        assert len(reader.entries()) == 3
        assert [slide.id for slide in reader.slides()] == ["one"]


def test_a_reader_that_outlives_the_session_does_not_become_the_writer(path: Path) -> None:
    first = ReviewProject.open(path)
    read = first.reader()
    first.close()
    with read() as reader, ReviewProject.open(path) as second:
        assert not second.read_only
        assert len(reader.entries()) == 2


def test_writing_is_refused_in_one_sentence(path: Path) -> None:
    before = (path / "review.sqlite").read_bytes()
    with ReviewProject.for_reading(path) as reader:
        assert "p.hubseg was opened for reading only" in reader.why_read_only
        for write in (
            lambda: reader.append(Kind.CLEANUP, {}),
            lambda: reader.add(SlideTable.open(path.parent)),
            lambda: reader.record_run("r", "one", recipe_digest="d", recipe="", members=()),
            lambda: reader.record_export("x", format="png", digest="d"),
            lambda: reader.files.move({"one": path.parent / "one.tiff"}),
        ):
            with pytest.raises(PermissionError, match="was opened for reading only: open it"):
                write()
    assert (path / "review.sqlite").read_bytes() == before


def test_what_a_writer_has_open_is_not_checked_again(path: Path, checks: list[str]) -> None:
    with ReviewProject.open(path) as writer:
        read = writer.reader()
        checks.clear()
        with read() as reader:
            assert len(reader.entries()) == 2
    assert checks == []


def test_a_damaged_project_is_read_from_its_backup_again(path: Path, checks: list[str]) -> None:
    file = path / "review.sqlite"
    file.write_bytes(file.read_bytes()[:4096] + b"\xab" * 8192)
    with ReviewProject.open(path) as shown:
        assert "is damaged" in shown.why_read_only
        with shown.reader()() as reader:
            assert len(reader.entries()) == len(shown.entries()) == 2
            assert reader.notes == shown.notes
    with ReviewProject.for_reading(path) as alone:
        assert len(alone.entries()) == 2


def test_a_command_that_reads_leaves_the_right_to_write_alone(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock's note names the last writer: a command that took the lock would stand in it."""
    lock = path / "review.lock"
    lock.write_text("nobody")
    before = (path / "review.sqlite").read_bytes()
    assert main(["mask", str(path)]) == 0
    assert main(["compare", str(path), str(path)]) == 0
    assert main(["maps", str(path)]) == 0
    assert main(["report", str(path), "--out", str(path.parent / "r.html")]) == 0
    assert lock.read_text() == "nobody"
    assert (path / "review.sqlite").read_bytes() == before


def test_it_is_read_where_nothing_can_be_written(path: Path) -> None:
    """As another user would see it: a user's own rights are what the system checks."""
    script = (
        "import os, sys\n"
        "from hubseg.project import ReviewProject\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "with ReviewProject.for_reading(sys.argv[1]) as project:\n"
        "    print(len(project.entries()), project.read_only)\n"
    )
    with tempfile.TemporaryDirectory() as room:  # others may not pass pytest's own folder
        Path(room).chmod(0o755)
        folder = Path(shutil.copytree(path, Path(room) / path.name))
        folder.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, "-c", script, str(folder)],
                capture_output=True,
                text=True,
                check=False,
            )
            left = sorted(os.listdir(folder))
        finally:
            folder.chmod(0o755)
    assert (done.stdout, done.returncode) == ("2 True\n", 0), done.stderr
    assert left == sorted(os.listdir(path))


@pytest.mark.parametrize("root", ["src/hubseg", "napari_hubseg"])
def test_only_what_writes_opens_a_project_for_writing(root: str) -> None:
    openers = set()
    for file in (REPOSITORY / root).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "ReviewProject.open":
                openers.add(file.relative_to(REPOSITORY / root).as_posix())
    assert openers == (set(WRITERS) if root == "src/hubseg" else set())
