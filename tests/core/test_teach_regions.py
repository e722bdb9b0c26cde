"""Strokes on regions of a very large slide teach its networks: what they see, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from pyramids import stained, write_pyramid
from stored import TINY
from torch import nn

from hubseg.cli import main
from hubseg.engine import Engine, FeatureRun
from hubseg.inference import TilePixels, predict_features, predict_region_features
from hubseg.network import Prediction, build
from hubseg.probability import MapStore, TileLayout, Tiling, tile_layout
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map, untaught_members
from hubseg.project.runs import newest_run, record_update
from hubseg.project.taught_maps import scope_of
from hubseg.project.teaching import Teacher, Teaching
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.session import ReviewSession
from hubseg.session.region_masks import FoundMask, find_region_mask
from hubseg.slide import SlideTable, read_slide
from hubseg.slide.regions import slide_of

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
SHAPE = 500, 620
REGIONS = {"a": (0, 0, 250, 310), "b": (250, 310, 250, 310)}


class Near(nn.Module):
    """A network that sees a few px around each one, so that what is around those is no matter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(3, 5, 5, stride=2, padding=2)
        self.res = nn.Conv2d(5, 1, 1)

    def forward(self, x: torch.Tensor) -> Prediction:
        return Prediction(self.res(self.body(x)), None, None)


@pytest.fixture(autouse=True)
def _a_small_slide_is_very_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 1000)
    monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=192, overlap=96, margin=32))


@pytest.mark.parametrize("region", [(0, 0, 300, 200), (110, 90, 333, 401), (430, 520, 70, 100)])
def test_features_of_a_region_are_those_of_the_whole_slide_there(tmp_path: Path, region):
    path = tmp_path / "a.tiff"
    pixels = np.random.default_rng(3).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), compression="deflate")
    slide = read_slide(path)
    recipe = Recipe(name="t", folds=(0,), resolutions=(Resolution(members=(ENTRY,), scale=0.7),))
    network, (member,) = Near().eval(), recipe.members()
    layout = TileLayout.of(recipe.resolutions[0], *SHAPE)
    assert layout is not None
    given = network, TilePixels(slide, layout), recipe, member, region
    part = predict_region_features(*given, checkpoint_digest="c")
    one_pass = Tiling(side=1024, overlap=96, margin=32)
    whole = predict_features(network, slide, recipe, member, checkpoint_digest="c", tiling=one_pass)
    top, left, high, wide = (side // 2 for side in layout.around(region))
    assert part.shape == (high, wide)
    high, wide = min(high, whole.shape[0] - top), min(wide, whole.shape[1] - left)
    there = ..., slice(top, top + high), slice(left, left + wide)
    for own, all_of_it in ((part.values, whole.values), (part.logits, whole.logits)):
        np.testing.assert_allclose(own[..., :high, :wide], all_of_it[there], atol=0.02)


@pytest.fixture
def project(tmp_path: Path, scheduler: str) -> Path:
    """A project of two regions of a slide that two tiny networks were run on."""
    pyramid = write_pyramid(tmp_path / "whole.tif", stained(SHAPE, np.s_[20:480, 20:600]), (2,))
    recipe = Recipe.from_yaml(TINY, where="tiny")
    for member in recipe.members():
        torch.manual_seed(member.fold)
        state = build(member.network).state_dict()
        torch.save({"state_dict": state}, tmp_path / f"{member.checkpoint}.pt")
    path = tmp_path / "p.hubseg"
    parts = [f"{pyramid}#region={','.join(map(str, one))}" for one in REGIONS.values()]
    ReviewProject.create(path, SlideTable(tuple(map(read_slide, parts)))).close()
    with ReviewProject.open(path) as opened:
        engine = Engine(opened.maps, scheduler=scheduler)
        try:
            for update in engine.run(opened.slides(), recipe, [tmp_path]):
                assert not update.error
                record_update(opened, update)
        finally:
            engine.unload()
    return path


@pytest.fixture
def session(project: Path) -> Iterator[ReviewSession]:
    opened = ReviewSession(author="ann")
    opened.open(project)
    yield opened
    opened.close(discard=True)


def teach(project: Path, scheduler: str, *more: str) -> int:
    how = ["--weights", str(project.parent), "--device", "cpu", "--scheduler", scheduler]
    return main(["teach", str(project), *how, *more])


def maps(path: Path) -> list[np.ndarray]:
    with ReviewProject.for_reading(path) as project:
        found = [newest_map(project, slide) for slide in project.slides()]
    return [one.values for one in found if one is not None]


def draw(path: Path) -> None:
    """Correct the first region: a square is the structure, another is not."""
    session = ReviewSession(author="test")
    session.open(path)
    session.go_to(session.slides[0].id)
    session.paint(np.ones((60, 60), np.bool_), top=30, left=40, add=True)
    session.paint(np.ones((60, 60), np.bool_), top=140, left=200, add=False)
    session.close()


def test_strokes_on_one_region_change_the_map_of_another_and_off_is_off(
    project: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = maps(project)
    draw(project)
    assert not teach(project, scheduler)
    assert "taught by 1 slide" in capsys.readouterr().out
    after = maps(project)
    assert all(np.abs(a - b).max() > 1 for a, b in zip(after, before, strict=True))
    drawn = after[0][30:90, 40:100] - before[0][30:90, 40:100]
    rubbed = after[0][140:200, 200:260] - before[0][140:200, 200:260]
    assert drawn.mean() > rubbed.mean()
    assert not teach(project, scheduler, "--off")
    assert all((a == b).all() for a, b in zip(maps(project), before, strict=True))


def test_the_mask_that_is_seen_of_a_region_beside_follows_what_is_taught(
    project: Path, scheduler: str
) -> None:
    """It was kept as found before, and shown so, until something else was done to the region."""

    def seen(known: str = "") -> FoundMask:
        with ReviewProject.open(project) as opened:
            return find_region_mask(opened, opened.slides()[1], None, (1, 16), known=known)

    before = seen()
    assert before.mask is not None and not before.mask.follows
    draw(project)
    assert not teach(project, scheduler)
    after = seen(before.key)
    assert after.mask is not None and after.mask.follows
    with ReviewProject.open(project) as opened:
        made = derive(opened, opened.slides()[1]).mask
    assert ((after.mask.levels[1][2] > 0) == made).all()
    assert not teach(project, scheduler, "--off")
    assert seen(after.key).key == before.key


def test_regions_whose_features_are_gone_are_told_and_keep_the_networks_map(
    project: Path, scheduler: str
) -> None:
    before = maps(project)
    draw(project)
    assert not teach(project, scheduler)
    with ReviewProject.open(project) as opened:
        store, (first, second) = MapStore(opened.maps), opened.slides()
        found = newest_run(opened, second)
        assert found is not None
        assert not untaught_members(opened, first) and not untaught_members(opened, second)
        store.discard(store.beside(key, second.region) for _, key in found[1])
        assert untaught_members(opened, second) == tuple(m.name for m, _ in found[1])
        assert not untaught_members(opened, first)
    assert (maps(project)[1] == before[1]).all()


def taught(project: ReviewProject) -> Teaching:
    slide = project.slides()[0]
    found = newest_run(project, slide)
    assert found is not None
    return Teacher(strength=0.01).teach(project, scope_of(project, slide, found[0]))


def test_what_is_drawn_on_a_region_is_learnt_where_it_lies(project: Path, scheduler: str) -> None:
    draw(project)
    with ReviewProject.open(project) as opened:
        first = taught(opened)
        assert not first.used
        assert [(slide.id, len(own)) for slide, own in first.missing] == [
            (opened.slides()[0].id, 2)
        ]
    assert not teach(project, scheduler)
    with ReviewProject.open(project) as opened:
        made = taught(opened)
        assert made.used == (opened.slides()[0].id,) and len(made.taught.heads) == 2


def test_a_very_large_slide_that_is_not_divided_is_refused_in_a_sentence(project: Path) -> None:
    with ReviewProject.for_reading(project) as opened:
        part = opened.slides()[0]
        found = newest_run(opened, part)
        assert found is not None
        engine, whole = Engine(opened.maps, device="cpu"), slide_of(part)
        updates = list(FeatureRun(engine, [(whole, found[1])], found[0], [project.parent]))
    said = f"Slide {whole.id} is too large to be taught as a whole: divide it into regions."
    assert [one.error for one in updates] == [said, said]
