"""Changed and moved files in the dock: a question with two pictures, and three answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from hubseg.session import ReviewSession, Verdict
from napari_hubseg.desk import Desk
from napari_hubseg.panels.files import FilesPanel, FilesState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.files import FilesPresenter, files_state
from napari_hubseg.presenters.verdict import verdict_state

SHAPE = (96, 128)
SQUARE = np.ones((10, 10), np.bool_)


class Scene:
    """A desk and the files panel at it, without a window."""

    def __init__(self, table: Path, wait: Callable[[Callable[[], bool]], None]) -> None:
        self.folder, self._wait = table.parent / "train_images", wait
        self.viewer = ViewerModel()
        self.desk = Desk(self.viewer, {}, session=ReviewSession(author="ann"))
        self.told: list[str] = []
        self.failed: list[str] = []
        self.desk.told.connect(self.told.append)
        self.desk.failed.connect(self.failed.append)
        self.panel = FilesPanel()
        self.wiring = FilesPresenter(self.panel, self.desk, lambda name: lambda: self.do(name))
        self.desk.changed.connect(lambda: self.wiring.show(""))
        self.desk.open_path(table)
        self.settle()

    def do(self, name: str) -> None:
        self.wiring.callbacks()[name]()

    def settle(self) -> None:
        self._wait(lambda: not self.desk.busy)
        self.wiring.show("")

    def go_to(self, slide_id: str) -> None:
        self.desk.go_to(slide_id)
        self.settle()

    @property
    def session(self) -> ReviewSession:
        return self.desk.session

    @property
    def asks(self) -> bool:
        return not self.panel.isHidden()


@pytest.fixture
def scene(table: Path, wait: Any, qtbot: Any) -> Iterator[Scene]:
    scene = Scene(table, wait)
    qtbot.addWidget(scene.panel)
    scene.session.paint(SQUARE, add=True)
    scene.session.accept()
    scene.go_to("two")
    yield scene
    scene.desk.close()


@pytest.fixture
def changed(scene: Scene) -> Scene:
    """The file of slide one is another one now, and the slide is on screen."""
    shutil.copy(scene.folder / "one.tiff", scene.folder.parent / "old.tiff")
    grey = np.full((*SHAPE, 3), 90, np.uint8)
    tifffile.imwrite(scene.folder / "one.tiff", grey, photometric="rgb")
    scene.go_to("one")
    return scene


def test_while_every_file_is_where_it_was_nothing_is_asked(scene: Scene) -> None:
    assert not scene.asks


def test_both_pictures_are_shown_and_the_mask_is_left_alone(changed: Scene) -> None:
    assert changed.asks
    assert "same tissue" in changed.panel.said.text()
    assert not changed.failed, "a question is no error"
    before, now = changed.desk.files.pictures
    assert now.std() == 0, "what is there"
    assert before.std() > 20, "what was edited"
    assert "corrected, 1 edit by ann" in changed.panel.captions[0].text()
    assert "128 × 96 px" in changed.panel.captions[1].text()
    assert changed.desk.layers.mask_layer.data.max() == 0
    rows = len(changed.session.project.entries())
    changed.session.paint(SQUARE, top=40, add=True)
    assert len(changed.session.project.entries()) == rows
    changed.go_to("two")
    assert not changed.asks
    assert changed.desk.files.pictures == (None, None)


def test_keep_goes_on_with_the_edits_on_this_file(changed: Scene) -> None:
    changed.panel.keep.click()
    changed.settle()
    assert not changed.asks
    assert changed.session.mask[:10, :10].all()
    assert changed.desk.layers.mask_layer.data[:10, :10].all()
    assert changed.session.verdict("one") is Verdict.CORRECTED


def test_start_anew_shows_none_of_them(changed: Scene) -> None:
    changed.panel.aside.click()
    changed.settle()
    assert not changed.asks
    assert not changed.session.mask.any()
    assert changed.session.verdict("one") is Verdict.UNSEEN


def test_the_old_file_is_found_by_its_content(
    changed: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogs, "folder", lambda *_: None)
    changed.panel.find.click()
    assert not changed.desk.files.busy, "the dialog was left"
    monkeypatch.setattr(dialogs, "folder", lambda *_: changed.folder / "nothing")
    (changed.folder / "nothing").mkdir()
    changed.panel.find.click()
    assert not changed.panel.keep.isEnabled()
    changed.settle()
    assert "None of the files" in changed.told[-1]
    monkeypatch.setattr(dialogs, "folder", lambda *_: changed.folder.parent)
    changed.panel.find.click()
    changed.settle()
    assert "1 file found" in changed.told[-1]
    assert changed.session.current.id == "one"
    assert changed.session.current.path.name == "old.tiff"
    assert not changed.asks
    assert changed.session.mask[:10, :10].all()


@pytest.mark.parametrize("cut", [4000, 10])  # pixels that end too early; no header
def test_a_file_that_cannot_be_opened_is_looked_for_and_never_asked_about(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    shutil.copy(scene.folder / "one.tiff", scene.folder.parent / "old.tiff")
    whole = (scene.folder / "one.tiff").read_bytes()
    (scene.folder / "one.tiff").write_bytes(whole[:cut])
    scene.go_to("one")
    text = scene.desk.layers._notice._overlay
    assert scene.session.current.id == "one"
    assert max(map(len, text.text.splitlines())) * 12 * 0.62 < 600, "as wide as the canvas"
    assert text.visible
    assert "one.tiff" in text.text
    assert [layer.name for layer in scene.viewer.layers if layer.visible] == []
    assert not scene.failed, "it is said on the canvas, once"
    assert scene.asks
    assert "same tissue" not in scene.panel.said.text()
    assert "(corrected) is kept" in scene.panel.said.text()
    offered = [one for one in (scene.panel.keep, scene.panel.aside) if not one.isHidden()]
    assert not offered
    state = verdict_state(scene.desk, "accept")
    assert (state.verdict, state.decidable, state.accept_next) == ("unseen", False, False)
    scene.desk.accept()
    assert scene.session.verdict("one") is Verdict.CORRECTED
    monkeypatch.setattr(dialogs, "folder", lambda *_: scene.folder.parent)
    scene.panel.find.click()
    scene.settle()
    assert scene.session.current.path.name == "old.tiff"
    assert not scene.asks
    assert verdict_state(scene.desk, "").verdict == "corrected"
    assert not text.visible


def test_a_file_that_went_away_while_its_slide_was_open_leaves_no_picture(scene: Scene) -> None:
    (scene.folder / "two.tiff").unlink()
    scene.go_to("three")
    scene.desk.previous_slide()
    scene.settle()
    assert scene.session.current.id == "two"
    assert scene.desk.layers._notice.said
    assert [layer.name for layer in scene.viewer.layers if layer.visible] == []
    scene.desk.next_slide()
    scene.settle()
    assert scene.session.current.id == "three"
    assert not scene.desk.layers._notice.said


def test_a_folder_that_is_gone_is_said(changed: Scene) -> None:
    changed.desk.files.find(changed.folder / "gone")
    changed.settle()
    assert "is no folder" in changed.failed[-1]
    assert not changed.desk.files.busy


def test_slides_whose_files_were_moved_are_counted_and_found(scene: Scene, table: Path) -> None:
    away = table.parent / "away"
    away.mkdir()
    for name in ("one", "three"):
        shutil.move(scene.folder / f"{name}.tiff", away)
    scene.desk.open_path(scene.session.project.path)
    scene.settle()
    assert scene.asks
    assert "2 slides are not shown" in scene.panel.said.text()
    assert scene.panel.keep.isHidden()
    scene.desk.files.find(away)
    scene.settle()
    assert not scene.asks
    assert {slide.id for slide in scene.session.slides} == {"one", "two", "three"}
    scene.go_to("one")
    assert scene.session.mask[:10, :10].all()


def test_edits_of_another_size_cannot_be_kept(qtbot: Any) -> None:
    panel = FilesPanel()
    qtbot.addWidget(panel)
    panel.show_state(FilesState(changed=True, fits=False))
    assert not panel.keep.isEnabled()
    assert panel.aside.isEnabled()
    assert panel.pictures[0].text() == "no picture kept"


def test_the_state_is_nothing_without_a_project(qapp: Any) -> None:
    desk = Desk(ViewerModel(), {}, session=ReviewSession(author="ann"))
    assert not files_state(desk).changed
    assert files_state(desk).absent == 0
    desk.close()
