"""No sequence of renamed, moved, overwritten and same-named files judges pixels that nobody saw.

Tissue is a colour here, so that each answer can be compared with what the person had on screen.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from hubseg.edits.gesture import ADD
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.files import look_for
from hubseg.session import ReviewSession
from hubseg.slide import Slide, SlideTable, read_slide

SHAPE = (12, 16)
FOLDERS, NAMES = ("C", "D"), ("tile.tif", "other.tif")
HERE = "the file on screen"
places = st.sampled_from(
    [HERE, HERE, *(f"{folder}/{name}" for folder in FOLDERS for name in NAMES)]
)
tissues = st.integers(0, 3)
times = count(1_000_000_000_000_000_000, 1_000_000_000)  # every write has its own date
moments: set[int] = set()


def marks(tissue: int) -> np.ndarray:
    """The mask that a person draws on a tissue, and on no other."""
    region = np.zeros(SHAPE, np.bool_)
    region[tissue * 3 : tissue * 3 + 2, : tissue + 2] = True
    return region


def write(path: Path, tissue: int) -> None:
    """Write a tissue over whatever is there, into the same file."""
    path.parent.mkdir(exist_ok=True)
    pixels = np.full((*SHAPE, 3), tissue, np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb")
    date(path, next(times))


def date(path: Path, mtime: int) -> None:
    """Give a file a date, at a moment of the system's clock that no file was changed at before."""
    while True:
        os.utime(path, ns=(mtime, mtime))
        changed = path.stat().st_ctime_ns
        if changed not in moments:
            moments.add(changed)
            return


class Files(RuleBasedStateMachine):
    """A person, a project, and files that change behind their back."""

    @initialize()
    def begin(self) -> None:
        self._place = tempfile.TemporaryDirectory()
        self.root = Path(self._place.name)
        for number, folder in enumerate(FOLDERS):
            write(self.root / folder / "tile.tif", number)
        self.path = self.root / "p.hubseg"
        with ReviewProject.create(self.path, SlideTable.open(self.root / "C")):
            pass
        self.judged: set[int] = set()
        self.screen = -1
        self.open()

    def open(self) -> None:
        self.session = ReviewSession(author="ann")
        self.session.slide_changed.connect(self.look)
        self.session.open(self.path)

    def look(self, slide: Slide | None) -> None:
        """The canvas takes a slide's pixels when it is shown, and keeps them."""
        self.screen = -1 if slide is None else int(slide.read((0, 0, 1, 1))[0, 0, 0])

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.session.close(discard=True)
            self._place.cleanup()

    # ------------------------------------------------------------------ what happens to files

    def at(self, place: str) -> Path:
        here = self.session.current
        if place == HERE:
            return self.root / "C" / "tile.tif" if here is None else here.path
        return self.root / place

    @rule(place=places, tissue=tissues, keep_date=st.booleans())
    def overwrite(self, place: str, tissue: int, keep_date: bool) -> None:
        path = self.at(place)
        before = path.stat().st_mtime_ns if path.is_file() else None
        write(path, tissue)
        if keep_date and before is not None:
            date(path, before)

    @rule(place=places, to=places, keep=st.booleans())
    def move_or_copy(self, place: str, to: str, keep: bool) -> None:
        path, goal = self.at(place), self.at(to)
        if path.is_file() and path != goal:
            shutil.copy2(path, goal)
            date(goal, path.stat().st_mtime_ns)
            if not keep:
                path.unlink()

    @rule(place=places)
    def remove(self, place: str) -> None:
        self.at(place).unlink(missing_ok=True)

    # ------------------------------------------------------------------ what is done with them

    @rule(folder=st.sampled_from(FOLDERS))
    def add(self, folder: str) -> None:
        try:
            table = SlideTable.open(self.root / folder)
        except ValueError:  # an empty folder
            return
        added = self.session.project.add(table)
        here = {slide.id: slide for slide in self.session.project.slides()}
        for slide in table.slides:
            given = here.get(added.ids[slide.id])
            assert given is not None, "what was added is there"
        self.session.open(self.path)

    @rule()
    def find(self) -> None:
        files = self.session.project.files
        found = look_for(files.absent(), self.root, taken=files.present())
        self.session.moved(found)

    @rule()
    def reopen(self) -> None:
        self.session.close()
        self.open()

    @rule(number=st.integers(0, 3))
    def go_to(self, number: int) -> None:
        if number < len(self.session.slides):
            self.session.go_to(self.session.slides[number].id)

    @precondition(lambda self: self.session.current is not None)
    @rule()
    def judge(self) -> None:
        """Draw what the tissue on screen asks for, and accept it; answer no question."""
        shown, slide = self.screen, self.session.current
        if self.session.paint(marks(shown), add=True) is None:
            return
        self.session.accept(as_empty=True)
        if self.session.verdict(slide.id).stands:
            self.judged.add(shown)

    @precondition(lambda self: self.session.current is not None)
    @rule(tissue=tissues, keep_date=st.booleans(), judged=st.booleans())
    def judge_while_the_file_is_replaced(self, tissue: int, keep_date: bool, judged: bool) -> None:
        if judged:
            self.judge()
        self.overwrite(HERE, tissue, keep_date)
        self.judge()

    @precondition(lambda self: self.session.current is not None)
    @rule()
    def say_other_tissue(self) -> None:
        self.session.set_edits_aside()

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def no_mask_and_no_verdict_is_on_pixels_that_nobody_judged(self) -> None:
        with ReviewProject.open(self.path) as project:
            for slide in project.slides():
                tissue = int(read_slide(slide.path).read((0, 0, 1, 1))[0, 0, 0])
                try:
                    derived = derive(project, slide)
                except ValueError:  # nothing was done, or a person is to be asked
                    continue
                assert not (derived.mask & ~marks(tissue)).any(), "a mask on another tissue"
                assert not derived.verdict.stands or tissue in self.judged

    @invariant()
    def what_is_drawn_on_screen_is_of_the_tissue_on_screen(self) -> None:
        if self.session.current is not None:
            drawn = self.session.edits.override() == ADD
            assert not (drawn & ~marks(self.screen)).any()


TestFiles = Files.TestCase
TestFiles.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
