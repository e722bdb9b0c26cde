"""A fast run: one member looks everywhere, the others where its map leaves the mask in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hubseg.cli import main
from hubseg.engine import Engine, Update, fast_jobs
from hubseg.engine.fast_jobs import FastJobs
from hubseg.engine.job import Job
from hubseg.engine.progress import Progress
from hubseg.inference import Cancelled, KeptTiles, predict_member, predict_some
from hubseg.network import Prediction, build
from hubseg.probability import MapStore, MemberMap, Mixer, Tiling, tile_layout
from hubseg.probability.doubt import DOUBT, MARGIN, SIDE, doubt_of, faded, tiles_over
from hubseg.probability.tile_layout import Place
from hubseg.probability.uncertainty import expected_dice
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_large_map, newest_map
from hubseg.project.runs import record_update
from hubseg.recipe import Entry, Member, NetworkSpec, Recipe, Resolution
from hubseg.slide import Slide, SlideTable

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(
    name="t", folds=(0, 1, 2), tta="none", resolutions=(Resolution(members=(ENTRY,), scale=0.5),)
)
FIRST, SECOND, THIRD = RECIPE.members()
SHAPE = (600, 900)  # px of the slide; half of that for the network, a quarter for the map
SEEN = (300, 450)
MAP = (150, 225)
TILE: tuple[Place, ...] = ((64, 128),)


class Near(nn.Module):
    """A network that sees a few px around each one, and counts its passes."""

    def __init__(self, seed: int, last: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 1, 5, stride=2, padding=2)
        self.passes, self.last = 0, last

    def forward(self, x: torch.Tensor) -> Prediction:
        if self.passes == self.last:
            raise Cancelled("stopped")
        self.passes += 1
        return Prediction(self.conv(x) * 3, None, None)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 255, (*SHAPE, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


@pytest.fixture(scope="module")
def wholes(pixels: np.ndarray) -> list[MemberMap]:
    members = enumerate(RECIPE.members())
    return [predict_member(Near(i).eval(), pixels, RECIPE, m) for i, m in members]


def some(
    pixels: np.ndarray, around: MemberMap, member: Member, tiles: Sequence[Place] = TILE
) -> MemberMap:
    network = Near(member.fold).eval()
    return predict_some(network, pixels, RECIPE, member, tiles, around)


def mixed(maps: Sequence[MemberMap]):
    mixer = Mixer(shape=SHAPE, slide_digest="s")
    for member, made in zip(RECIPE.members(), maps, strict=True):
        mixer.put(member, made)
    return mixer.mix(RECIPE, RECIPE.members())


def blobs(*places: tuple[int, int, float]) -> MemberMap:
    """Return a map with a disk of 15 px at each place, of a probability."""
    y, x = np.ogrid[: MAP[0], : MAP[1]]
    values = np.zeros(MAP, np.float32)
    for row, column, probability in places:
        values[np.hypot(y - row, x - column) < 15] = probability
    return MemberMap(values)


# ---- where ----------------------------------------------------------------------------------


def test_a_map_that_is_sure_is_in_doubt_nowhere():
    sure = blobs((40, 50, 1.0), (100, 150, 1.0))
    assert not doubt_of(sure, [127]).any()
    assert tiles_over(doubt_of(sure, [127]), SEEN) == ()


def test_an_object_in_doubt_has_a_tile_and_a_sure_one_none():
    doubt = doubt_of(blobs((40, 50, 1.0), (100, 150, 0.5)), [127])
    tiles = tiles_over(doubt, SEEN)
    assert tiles
    for top, left in tiles:
        assert top + MARGIN < 200 + 30 and top + SIDE - MARGIN > 200 - 30
        assert left + MARGIN < 300 + 30 and left + SIDE - MARGIN > 300 - 30


def test_where_everything_is_in_doubt_the_whole_slide_is_run():
    assert tiles_over(doubt_of(MemberMap(np.full(MAP, 0.5, np.float32)), [127]), SEEN) is None


def test_a_slide_that_is_smaller_than_a_tile_is_run_whole_or_not_at_all():
    values = np.zeros((30, 40), np.float32)
    assert tiles_over(doubt_of(MemberMap(values), [127]), (60, 80)) == ()
    values[5:9] = 0.4
    assert tiles_over(doubt_of(MemberMap(values), [127]), (60, 80)) is None


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(1, 254))
def test_doubt_is_what_the_expected_dice_lacks(seed: int, threshold: float):
    values = np.random.default_rng(seed).random((40, 50), np.float32)
    lacks = doubt_of(MemberMap(values), [threshold]).mean()
    assert lacks == pytest.approx(1 - expected_dice(values * 255, threshold), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_no_tile_that_was_left_out_is_in_doubt(seed: int):
    random = np.random.default_rng(seed)
    doubt = cv2.GaussianBlur(random.random(MAP, np.float32) ** 6, (0, 0), 4)
    doubt *= np.float32(DOUBT * random.uniform(0.5, 2) / doubt.max())
    tiles = tiles_over(doubt, SEEN)
    if tiles is None:
        return
    assert len(set(tiles)) == len(tiles)
    left = doubt.copy()
    for top, left_px in tiles:
        rows = slice((top + MARGIN * (top > 0)) // 2, (top + SIDE - MARGIN) // 2)
        columns = slice((left_px + MARGIN * (left_px > 0)) // 2, (left_px + SIDE - MARGIN) // 2)
        left[rows, columns] = 0
    inner = (SIDE - 2 * MARGIN) // 2
    means = cv2.blur(left, (inner, inner), borderType=cv2.BORDER_CONSTANT)
    assert means[::8, ::8].max() <= DOUBT * 1.2  # cells are not laid on px exactly


def test_several_structures_are_in_doubt_each_by_its_own_threshold():
    one, other = blobs((40, 50, 0.7)), blobs((100, 150, 0.3))
    both = doubt_of(MemberMap(np.stack([one.values, other.values])), [127, 20])
    alone = doubt_of(one, [127]), doubt_of(other, [20])
    np.testing.assert_array_equal(both, np.maximum(*alone))
    assert (doubt_of(other, [127]) != alone[1]).any()


# ---- what comes of it -----------------------------------------------------------------------


def test_a_member_is_itself_in_its_tile_and_the_first_one_elsewhere(pixels, wholes):
    made = some(pixels, wholes[0], SECOND)
    inside = (
        slice((64 + MARGIN) // 2, (64 + SIDE - MARGIN) // 2),
        slice((128 + MARGIN) // 2, (128 + SIDE - MARGIN) // 2),
    )
    np.testing.assert_allclose(made.values[inside], wholes[1].values[inside], atol=1e-5)
    outside = np.ones(MAP, np.bool_)
    outside[32 : (64 + SIDE) // 2, 64 : (128 + SIDE) // 2] = False
    np.testing.assert_array_equal(made.values[outside], wholes[0].values[outside])
    assert made.seen is not None
    assert made.seen[inside].all() and not made.seen[outside].any()


def test_tiles_over_all_of_a_slide_are_the_map_of_the_whole(pixels, wholes):
    step = SIDE - 2 * MARGIN
    starts = [[*range(0, side - SIDE, step), side - SIDE] for side in (320, 480)]
    tiles = [(top, left) for top in starts[0] for left in starts[1]]
    made = some(pixels, wholes[0], SECOND, tiles)
    assert made.seen is not None and made.seen.mean() > 0.95
    np.testing.assert_allclose(made.values[made.seen], wholes[1].values[made.seen], atol=0.02)


def test_a_tile_has_no_edge(pixels, wholes):
    """Next to each other px differ by no more than in the maps that it goes between."""
    apart = MemberMap(np.zeros(MAP, np.float32))
    made = faded(apart, [(16, 32, np.ones((SIDE // 2, SIDE // 2), np.float32))], MAP, (160, 240))
    assert made.values.max() == 1
    for axis in (0, 1):
        assert np.abs(np.diff(made.values, axis=axis)).max() <= 2 / (MARGIN // 2) + 1e-6


def test_at_the_slides_own_edge_a_tile_is_all_its_own(pixels, wholes):
    made = some(pixels, wholes[0], SECOND, [(0, 0)])
    corner = slice(0, (SIDE - MARGIN) // 2), slice(0, (SIDE - MARGIN) // 2)
    np.testing.assert_allclose(made.values[corner], wholes[1].values[corner], atol=1e-5)


def test_where_nothing_is_in_doubt_the_mix_is_the_first_members_map(wholes):
    nowhere = replace(wholes[0], seen=np.zeros(MAP, np.bool_))
    alone = mixed([wholes[0], nowhere, nowhere])
    mixer = Mixer(shape=SHAPE, slide_digest="s")
    mixer.put(FIRST, wholes[0])
    np.testing.assert_array_equal(alone.values, mixer.mix(RECIPE, [FIRST]).values)
    assert (alone.done, alone.seen_by_all) == (3, 0.0)
    assert alone.disagreement is not None and not alone.disagreement.any()


def test_each_px_knows_how_many_members_saw_it_and_disagreement_is_theirs(pixels, wholes):
    others = [some(pixels, wholes[0], member) for member in (SECOND, THIRD)]
    fast, full = mixed([wholes[0], *others]), mixed(wholes)
    seen = others[0].seen
    assert fast.members is not None and fast.disagreement is not None and seen is not None
    np.testing.assert_array_equal(fast.members, np.where(seen, 3, 1))
    assert fast.seen_by_all == pytest.approx(seen.mean())
    assert not fast.disagreement[~seen].any()
    own = tuple(slice((n + MARGIN) // 2, (n + SIDE - MARGIN) // 2) for n in TILE[0])
    np.testing.assert_allclose(fast.disagreement[own], full.disagreement[own], atol=0.01)
    assert full.members is None and full.seen_by_all == 1


# ---- kept -----------------------------------------------------------------------------------


def test_the_store_keeps_where_a_member_looked(tmp_path: Path):
    store, random = MapStore(tmp_path), np.random.default_rng(0)
    for axes in ((9, 11), (2, 9, 11)):
        made = MemberMap(random.random(axes, np.float32), seen=random.random((9, 11)) > 0.5)
        path = store.put("ab12", made)
        again = store.get("ab12")
        np.testing.assert_array_equal(again.values, made.values)
        np.testing.assert_array_equal(again.seen, made.seen)
        whole = path.read_bytes()
        for place in range(0, len(whole), 3):
            content = bytearray(whole)
            content[place] ^= 1
            path.write_bytes(content)
            assert store.get("ab12") is None, place
        path.write_bytes(whole)


def test_tiles_of_a_run_that_was_stopped_are_not_computed_again(pixels, wholes, tmp_path: Path):
    tiles = [(0, 0), (64, 128), (160, 320)]
    stopped, again = Near(1, last=2), Near(1)
    given = pixels, RECIPE, SECOND, tiles, wholes[0]
    kept = KeptTiles(MapStore(tmp_path), "ab")
    with pytest.raises(Cancelled):
        predict_some(stopped.eval(), *given, kept=kept)
    made = predict_some(again.eval(), *given, kept=KeptTiles(MapStore(tmp_path), "ab"))
    assert (stopped.passes, again.passes) == (2, 1)
    np.testing.assert_array_equal(made.values, some(pixels, wholes[0], SECOND, tiles).values)


# ---- a run ----------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path, pixels: np.ndarray) -> SlideTable:
    (tmp_path / "slides").mkdir()
    for number in range(2):  # the second shows the same upside down
        cv2.imwrite(str(tmp_path / "slides" / f"{number}.png"), pixels[:: 1 - 2 * number])
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, tmp_path / f"m_{fold}")
    return SlideTable.open(tmp_path / "slides")


def follow(engine: Engine, slides: Sequence[Slide], weights: Path, **how: bool):
    run = engine.run(slides, RECIPE, [weights], **how)
    updates = list(run)
    assert not [one.error for one in updates if one.error]
    return run.computed, [one for one in updates if one.finished], updates


def keys_of(update: Update) -> list[str]:
    return [key for _, key in update.keys]


@pytest.mark.slow
def test_a_fast_run_and_a_full_one_take_what_they_can_of_each_other(
    table: SlideTable, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fast_jobs, "tiles_over", lambda doubt, valid: TILE)
    monkeypatch.setattr(Engine, "shares_disk", True)
    with ReviewProject.create(tmp_path / "p.hubseg", table) as project:
        engine = Engine(project.maps, device="cpu", scheduler=scheduler)
        slides = project.slides()
        computed, ends, updates = follow(engine, slides, tmp_path, fast=True)
        assert (computed, len(ends)) == (6, 2)
        for update in updates:
            record_update(project, update)
        shown = newest_map(project, slides[0])
        assert shown is not None and shown.members is not None
        assert set(np.unique(shown.members)) == {1, 3}
        large = newest_large_map(project, slides[0])
        assert large is not None
        window = large.read((0, 0, *SHAPE))
        assert set(np.unique(window.members)) == {1, 3}
        np.testing.assert_allclose(window.probability.values, shown.values, atol=0.01)
        with pytest.raises(ValueError, match="was run fast"):
            newest_map(project, slides[0], folds=(1,))
        assert follow(engine, slides, tmp_path, fast=True)[0] == 0
        computed, full, _ = follow(engine, slides, tmp_path)
        assert computed == 4  # all but the first
        assert all(keys_of(a)[0] == keys_of(b)[0] for a, b in zip(ends, full, strict=True))
        assert not set(keys_of(ends[0])[1:]) & set(keys_of(full[0]))
        computed, again, _ = follow(engine, slides, tmp_path, fast=True)
        assert computed == 0 and [keys_of(u) for u in again] == [keys_of(u) for u in full]


@pytest.mark.slow
def test_a_run_where_nothing_or_everything_is_in_doubt(
    table: SlideTable, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
):
    engine = Engine(tmp_path / "maps", device="cpu", scheduler=scheduler)
    slide = table.slides[0]
    monkeypatch.setattr(fast_jobs, "tiles_over", lambda doubt, valid: TILE)
    assert follow(engine, [slide], tmp_path, fast=True)[0] == 3
    monkeypatch.setattr(fast_jobs, "tiles_over", lambda doubt, valid: ())
    computed, _, updates = follow(engine, [slide], tmp_path, fast=True)
    assert computed == 0
    maps = [update.came[1] for update in updates if update.came]
    assert [made.share_seen for made in maps] == [1, 0, 0]
    monkeypatch.setattr(fast_jobs, "tiles_over", lambda doubt, valid: None)
    computed, (end,), _ = follow(engine, [slide], tmp_path, fast=True)
    assert computed == 2
    computed, (full,), _ = follow(engine, [slide], tmp_path)
    assert computed == 0 and keys_of(full) == keys_of(end)


def test_no_member_waits_for_one_that_is_run_in_tiles(
    table: SlideTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of a very large slide a coarse resolution may be seen whole and a fine one in tiles."""
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 0)
    monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=96, overlap=32, margin=0))
    both = (Resolution(members=(ENTRY,), scale=0.5), Resolution(members=(ENTRY,), scale=0.1))
    recipe = RECIPE.model_copy(update={"resolutions": both})
    members = recipe.members((0,))
    slide, run = table.slides[0], FastJobs(recipe, members, on=True)
    fine, coarse = (
        Job.of(Engine(tmp_path / "maps"), "r", slide, "d", recipe, m, tmp_path / "m_0")
        for m in members
    )
    assert fine.layout is not None and coarse.layout is None
    assert run.asked(Progress(slide, "d", members), coarse) is coarse
    assert "every member looks at all of them" in run.notes(slide, [fine, coarse])[0]


def test_the_command_runs_fast_and_refuses_a_recipe_by_size(
    table: SlideTable, tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
):
    by_size = RECIPE.model_copy(update={"resolutions": (Resolution(members=(ENTRY,), size=64),)})
    (tmp_path / "size.yaml").write_text(by_size.to_yaml())
    (tmp_path / "scale.yaml").write_text(RECIPE.to_yaml())
    given = ["predict", str(tmp_path / "slides"), "--project", str(tmp_path / "p.hubseg")]
    given += ["--weights", str(tmp_path), "--scheduler", scheduler, "--fast", "--recipe"]
    assert main([*given, str(tmp_path / "size.yaml")]) == 1
    said = capsys.readouterr().err
    assert "by scale or um_per_px" in said and said.strip().count("\n") == 0
    assert main([*given, str(tmp_path / "scale.yaml")]) == 0
    assert "every member saw" in capsys.readouterr().out
