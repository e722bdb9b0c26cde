"""The next slide is prepared while this one is looked at, and what does not hold is not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from hubseg.mask.drawing import drawn, edge_width, hand_of
from hubseg.probability import MapStore, MemberMap
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from napari_hubseg.desk import Desk

Wait = Callable[[Callable[[], bool]], None]
RECIPE = Recipe(
    name="one",
    folds=(0,),
    resolutions=(
        Resolution(
            size=32, members=(Entry(network=NetworkSpec(encoder="x"), checkpoint="x_{fold}"),)
        ),
    ),
)


class Bench:
    """A desk at the first of three slides, each with a map in the store."""

    def __init__(self, table: Path, wait: Wait) -> None:
        self.viewer = ViewerModel()
        self.desk = Desk(self.viewer, {})
        self.session, self.wait = self.desk.session, wait
        self.shown: list[str] = []
        self.desk.layers.slide_shown.connect(self.shown.append)
        self.desk.open_path(table)
        self.settle()
        for slide in self.session.slides:
            self.put_map(slide.id, 0.0)
            self.desk.prefetch.drop(slide.id)
        self.session.go_to("three")
        self.session.go_to("one")
        self.settle()

    def put_map(self, slide_id: str, more: float) -> None:
        slide = next(slide for slide in self.session.slides if slide.id == slide_id)
        values = np.tile(np.linspace(0, 0.9, 32, dtype=np.float32), (32, 1)) + np.float32(more)
        member = RECIPE.members()[0]
        key = f"{slide_id.encode().hex():0<24}{round(1000 * more):08x}"
        MapStore(self.session.project.maps).put(key, MemberMap(values))
        record(
            self.session.project,
            f"run {more}",
            slide_id,
            RECIPE,
            [(member, key)],
            slide_digest=slide.digest,
        )

    def settle(self) -> None:
        self.wait(lambda: not self.desk.busy)

    def prepare(self, slide_id: str) -> None:
        self.wait(lambda: slide_id in self.desk.prefetch.ready)

    def layer(self, name: str) -> Any:
        return next(layer for layer in self.viewer.layers if layer.name == name)


@pytest.fixture
def bench(table: Path, wait: Wait, qapp: Any) -> Iterator[Bench]:
    bench = Bench(table, wait)
    yield bench
    bench.desk.close()


def right(bench: Bench) -> None:
    """What is on screen is what the session says, computed anew."""
    session = bench.session
    mask = session.mask_request().compute().mask
    assert np.array_equal(session.mask, mask)
    assert np.array_equal(bench.layer("slide").data, session.current.read())
    shown = drawn(mask, edge_width(mask.shape), hand_of(session.edits))
    assert np.array_equal(bench.layer("mask").data, shown)


def test_map_and_mask_of_a_prepared_slide_are_there_at_once(bench: Bench) -> None:
    bench.prepare("two")
    bench.desk.next_slide()
    assert bench.session.current.id == "two"
    assert bench.session.probability.done == 1
    assert not bench.session.mask_is_stale
    assert bench.session.mask.any()
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    right(bench)


def test_where_accept_leads_is_prepared_in_the_order_that_was_chosen(bench: Bench) -> None:
    bench.desk.queue.search("three")
    bench.prepare("three")
    assert bench.desk.prefetch.ready == ("three",)
    bench.desk.queue.search("")
    bench.prepare("two")


def test_edits_of_a_prepared_slide_are_in_its_mask_and_go_on(bench: Bench) -> None:
    bench.desk.go_to("two")
    bench.settle()
    bench.session.paint(np.ones((20, 20), np.bool_), add=True)
    bench.desk.go_to("one")
    bench.prepare("two")
    bench.desk.next_slide()
    assert bench.session.mask[:20, :20].all()
    bench.session.paint(np.ones((10, 10), np.bool_), add=False)
    assert not bench.session.mask[:10, :10].any()
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    right(bench)


def test_a_threshold_moved_since_is_the_one_that_holds(bench: Bench) -> None:
    bench.prepare("two")
    before = bench.session.mask_request()
    bench.desk.set_threshold(bench.session.threshold + 40)
    bench.desk.next_slide()
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    assert bench.session.mask_request().threshold == before.threshold + 40
    right(bench)


def test_after_a_threshold_the_mask_is_prepared_again(bench: Bench) -> None:
    bench.prepare("two")
    bench.desk.set_threshold(bench.session.threshold + 40)
    assert "two" not in bench.desk.prefetch.ready
    bench.prepare("two")
    bench.desk.next_slide()
    assert not bench.session.mask_is_stale
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    right(bench)


def test_pixels_that_changed_on_the_disk_since_are_read_again(bench: Bench) -> None:
    bench.prepare("two")
    slide = next(slide for slide in bench.session.slides if slide.id == "two")
    pixels = np.full((slide.height, slide.width, 3), 200, np.uint8)
    tifffile.imwrite(slide.path, pixels, photometric="rgb", description="another")
    bench.desk.next_slide()
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    assert np.array_equal(bench.layer("slide").data, pixels)


def test_a_newer_map_takes_the_place_of_the_one_prepared(bench: Bench) -> None:
    bench.prepare("two")
    bench.put_map("two", 0.1)
    bench.desk.ensemble.mapped.emit("two")
    assert "two" not in bench.desk.prefetch.ready
    bench.prepare("two")
    bench.desk.next_slide()
    assert bench.session.probability.values.max() == pytest.approx(255.0, abs=0.5)


def test_a_map_that_another_program_made_is_found_all_the_same(bench: Bench) -> None:
    bench.prepare("two")
    one = bench.desk.prepared.get("two")
    bench.desk.prepared.put(replace(one, mixed=None, request=None, answer=None, values=None))
    bench.desk.next_slide()
    assert bench.session.probability is None
    bench.wait(lambda: bench.session.probability is not None)
    bench.settle()
    right(bench)


def test_another_choice_of_networks_is_mixed_again(bench: Bench) -> None:
    bench.prepare("two")
    bench.desk.ensemble.choose("fast")
    bench.desk.next_slide()
    bench.wait(lambda: bench.shown[-1] == "two")
    bench.settle()
    right(bench)


def test_a_slide_that_cannot_be_read_holds_nothing_up(bench: Bench) -> None:
    bench.prepare("two")
    bench.desk.prefetch.drop("two")
    next(slide for slide in bench.session.slides if slide.id == "two").path.write_bytes(b"II*\0")
    bench.desk.next_slide()
    bench.settle()
    assert bench.desk.layers.sight.trouble, "it stands where the slide should be"
