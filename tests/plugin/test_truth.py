"""The truth over the slide: its contour while a person wants it, and the Dice of the mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from hubseg.formats.rle import encode
from hubseg.mask.metrics import dice
from hubseg.session import ReviewSession
from napari_hubseg.desk import Desk

SHAPE = (96, 128)
TRUE = np.zeros(SHAPE, np.bool_)
TRUE[20:60, 70:120] = True


class Scene:
    """A desk without a window, on three slides of which the first two have a truth."""

    def __init__(self, table: Path, wait: Callable[[Callable[[], bool]], None]) -> None:
        lines = table.read_text().splitlines()
        lines[1] = lines[1].replace(",10,,,", f",10,{encode(TRUE)},,")
        lines[2] = lines[2].replace(",10,,,", f",10,{encode(~TRUE)},,")
        table.write_text("\n".join(lines) + "\n")
        self.viewer, self._wait = ViewerModel(), wait
        self.desk = Desk(self.viewer, {}, session=ReviewSession(author="test"))
        self.told: list[str] = []
        self.desk.told.connect(self.told.append)
        self.desk.open_path(table)
        self.settle()

    def settle(self) -> None:
        self._wait(lambda: not self.desk.busy)

    def go_to(self, slide_id: str) -> None:
        self.desk.go_to(slide_id)
        self.settle()

    @property
    def session(self) -> ReviewSession:
        return self.desk.session

    @property
    def layer(self) -> Any:
        found = [layer for layer in self.viewer.layers if layer.name == "truth"]
        return found[0] if found else None

    @property
    def figures(self) -> Any:
        return self.desk.derivation.figures


@pytest.fixture
def scene(table: Path, wait: Any, qapp: Any) -> Iterator[Scene]:
    scene = Scene(table, wait)
    yield scene
    scene.desk.close()


@pytest.fixture
def mapped(scene: Scene, make_map: Any) -> Scene:
    scene.session.show(make_map(scene.session))
    scene.settle()
    return scene


def test_until_it_is_asked_for_there_is_no_layer_and_then_it_lies_under_the_mask(
    mapped: Scene,
) -> None:
    assert mapped.layer is None
    mapped.desk.toggle_truth()
    mapped.settle()
    names = [layer.name for layer in mapped.viewer.layers]
    assert names.index("truth") == names.index("mask") - 1
    assert mapped.layer.visible
    assert not mapped.layer.editable
    assert mapped.viewer.layers.selection.active.name == "mask", "tools still work on the mask"
    assert np.array_equal(mapped.layer.scale, mapped.desk.layers.mask_layer.scale)
    contour = mapped.layer.data != 0
    assert (contour <= TRUE).all()
    assert contour[20, 70:120].all()
    assert not contour[40, 95]
    mapped.desk.toggle_truth()
    assert not mapped.layer.visible


def test_it_follows_the_slide_and_is_gone_where_there_is_none(scene: Scene) -> None:
    scene.desk.toggle_truth()
    scene.settle()
    scene.desk.go_to("two")
    assert not scene.layer.visible, "what is drawn belongs to another slide"
    scene.settle()
    assert scene.layer.visible
    assert scene.layer.data[19, 90]
    assert not scene.layer.data[20, 90]
    scene.go_to("three")
    assert not scene.layer.visible
    assert not scene.desk.truth.known
    scene.desk.toggle_truth()
    assert "no truth for this slide" in scene.told[-1]
    scene.go_to("one")
    assert scene.layer.visible, "the wish to see it has not changed"
    assert scene.layer.data[20, 90]


def test_a_layer_that_was_deleted_or_renamed_is_the_same_again(scene: Scene) -> None:
    scene.desk.toggle_truth()
    scene.settle()
    layer = scene.layer
    layer.name = "mine"
    scene.desk.toggle_truth()
    assert not layer.visible, "known by identity, not by its name"
    scene.viewer.layers.remove(layer)
    scene.desk.toggle_truth()
    scene.settle()
    assert layer in scene.viewer.layers
    assert layer.visible


def test_the_dice_of_the_mask_follows_threshold_stroke_and_undo(mapped: Scene) -> None:
    session, seen = mapped.session, []

    def now() -> float:
        mapped.settle()
        expected = dice(session.mask, TRUE)
        assert mapped.figures.dice == pytest.approx(expected)
        assert f"mask Dice {expected:.3f}" in str(mapped.figures)
        return expected

    seen.append(now())
    mapped.desk.set_threshold(160)
    seen.append(now())
    session.paint(np.ones((30, 128), np.bool_), top=66, left=0, add=False)
    seen.append(now())
    assert len(set(seen)) == 3, "each of them changed it"
    session.undo()
    assert now() == seen[1]
    mapped.go_to("three")
    assert mapped.figures.dice is None


def test_a_truth_that_does_not_fit_is_said_and_nothing_is_drawn(
    scene: Scene,
) -> None:
    said: list[str] = []
    scene.desk.failed.connect(said.append)
    scene.desk.session.project.truth = lambda _: "90000 90000"  # type: ignore[method-assign]
    scene.go_to("two")
    scene.desk.toggle_truth()
    scene.settle()
    assert any("90000" in sentence or "outside" in sentence for sentence in said), said
    assert scene.layer is None
    assert scene.figures.dice is None
