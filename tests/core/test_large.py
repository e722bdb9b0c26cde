"""A large slide: its mask is derived, written and judged in pieces, to the bits of the whole."""

from __future__ import annotations

import csv
import threading
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.sparse.csgraph  # noqa: F401  (its code is no mask's memory)
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.cli import main
from hubseg.evaluation import report
from hubseg.export import FORMATS, export_project
from hubseg.formats import registry, rle
from hubseg.probability import MapInPieces, MapStore, MemberMap, Mixer, pieces
from hubseg.probability.uncertainty import expected_dice
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_in_pieces, newest_map
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable

SIDE = 2400
MOST = 4.2  # bytes a px: a map takes 4 and its mask 1; a mask, what was read of it and a soft map 3
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")


def recipe_of(merge: str, weights: list[float]) -> Recipe:
    """Return a recipe of as many sizes as weights, of which the first has two members."""
    resolutions = tuple(
        Resolution(size=32 * (number + 1), weight=weight, members=(ENTRY,))
        for number, weight in enumerate(weights)
    )
    cleanup = {"kidney": {"fill_holes": 40, "min_area": 300}}
    return Recipe(name="r", merge=merge, folds=(0,), resolutions=resolutions, cleanup=cleanup)


@given(
    merge=st.sampled_from(["published", "exact"]),
    weights=st.lists(st.floats(0.1, 3), min_size=1, max_size=3),
    shape=st.tuples(st.integers(12, 60), st.integers(12, 300)),
    seed=st.integers(0, 99),
    across=st.sampled_from([64, 128]),
)
@settings(deadline=None)
def test_a_map_made_in_pieces_is_the_map(
    merge: str, weights: list[float], shape: tuple[int, int], seed: int, across: int
) -> None:
    """To the bit: one unit in the last place moves pixels that lie on the threshold."""
    recipe, rng = recipe_of(merge, weights), np.random.default_rng(seed)
    mixer = Mixer(shape=shape, slide_digest="s")
    for member in recipe.members():
        size = rng.integers(2, 12, 2)
        mixer.put(member, MemberMap(rng.random(size, np.float32)))
    whole = mixer.mix(recipe, recipe.members())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_WHOLE", 0)
        patch.setattr(pieces, "_ACROSS", across)
        found = mixer.in_pieces(recipe, recipe.members())
        assert len(list(found.pieces())) == max(1, shape[1] // across)
        assert np.array_equal(found.values, whole.values)
        assert np.array_equal(found.above(100.5), whole.values > 100.5)
        assert np.array_equal(found.rounded(), np.rint(whole.values).astype(np.uint8))
        parts = (values for _, values in found.pieces())
        assert expected_dice(parts, 100.5) == pytest.approx(expected_dice(whole.values, 100.5))


@given(
    mask=arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    few=st.integers(1, 30),
)
def test_run_lengths_of_a_few_columns_at_a_time_are_those_of_all(
    mask: np.ndarray, few: int
) -> None:
    whole = rle.encode(mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rle, "_AT_A_TIME", few)
        assert rle.encode(mask) == rle.encode(mask.astype(np.int32) * 7) == whole
        assert np.array_equal(rle.decode(whole, mask.shape), mask)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project with one slide whose map is small and mask is large."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "train_images").mkdir()
    pixels = np.full((SIDE, SIDE, 3), 200, np.uint8)
    image = folder / "train_images" / "a.tiff"  # read tile by tile, as large ones are
    tifffile.imwrite(image, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    recipe = recipe_of("exact", [1.0])
    values = cv2.resize(np.random.default_rng(3).random((12, 12), np.float32), (150, 150))
    truth = rle.encode(cv2.resize(values, (SIDE, SIDE)) > 0.5)
    head = ("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "rle")
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, ["a", "kidney", "Hubmap", SIDE, SIDE, 0.4, truth]])
    table = SlideTable.open(folder / "train.csv")
    with ReviewProject.create(folder / "p.hubseg", table) as project:
        MapStore(project.maps).put("aa", MemberMap(values))
        slide, keys = project.slides()[0], [(recipe.members()[0], "aa")]
        record(project, "run", "a", recipe, keys, slide_digest=project.digest(slide))
    return folder


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slide of 6 megapixels be as large as one of 400 is."""
    monkeypatch.setattr(pieces, "_WHOLE", 0)
    monkeypatch.setattr(pieces, "_ACROSS", 64)
    monkeypatch.setattr(rle, "_AT_A_TIME", 1 << 18)
    monkeypatch.setattr(report, "_WHOLE", 1 << 20)


def test_a_projects_map_is_the_same_in_pieces(large: Path, small_pieces: None) -> None:
    with ReviewProject.open(large / "p.hubseg") as project:
        found = newest_in_pieces(project, project.slides()[0])
        assert isinstance(found, MapInPieces)
        assert np.array_equal(newest_map(project, project.slides()[0]).values, found.values)


COMMANDS = {
    "mask": ["mask", "p.hubseg", "--json"],
    "report": ["report", "p.hubseg", "--out", "report.html", "--json"],
    "evaluate": ["evaluate", "p.hubseg", "--truth", "train.csv", "--json"],
}


HOLED = [name for name in FORMATS if registry.FORMATS[name].holes]  # the others refuse its mask


@pytest.mark.parametrize("name", [*HOLED, *COMMANDS])
def test_the_memory_of_a_mask_that_leaves_is_a_few_bytes_a_px(
    large: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The least of three: what else this process does meanwhile may add to one, never to all."""
    monkeypatch.chdir(large)
    peaks = []
    for attempt in range(3):
        peaks.append(_peak(large, tmp_path / f"out{attempt}", name) / SIDE**2)
        if peaks[-1] < MOST:
            break
    assert min(peaks) < MOST, [thread.name for thread in threading.enumerate()]


def _peak(large: Path, out: Path, name: str) -> int:
    """Return the most bytes held at once while a mask leaves; threads of others count too."""
    tracemalloc.start()
    try:
        if name in COMMANDS:
            assert not main(COMMANDS[name])
        else:
            with ReviewProject.open(large / "p.hubseg") as project:
                export_project(project, out, format=name)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
