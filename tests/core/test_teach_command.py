"""``hubseg teach`` end to end: tiny networks, features from a worker, files that say the same.

One worker for all, and the smallest encoder there is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stored import SHAPE, TINY, write_slides

from hubseg.cli import main
from hubseg.engine import Engine, FeatureRun
from hubseg.inference import predict_features, predict_member
from hubseg.journal.review_state import taught_payload
from hubseg.journal.rows import Kind
from hubseg.network import build
from hubseg.network.last_layer import LastLayer, last_layer, taught_state
from hubseg.probability import MapStore, Taught, TaughtHead, features_key
from hubseg.probability.taught import sigmoid
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map, newest_members
from hubseg.project.runs import newest_run
from hubseg.project.taught_maps import scope_of, taught_of
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.session import ReviewSession

pytestmark = pytest.mark.slow

TIMM = NetworkSpec(encoder="test_resnet")
TAUGHT = (TIMM, NetworkSpec(kind="plain_unet", width=4))
KINDS = [
    pytest.param(NetworkSpec(kind="smp", encoder="resnet18"), id="smp 3 x 3"),
    *(pytest.param(spec, id=spec.kind) for spec in TAUGHT),
]


def network_of(spec: NetworkSpec, folder: Path) -> tuple[Recipe, torch.nn.Module]:
    if spec.kind == "smp":
        pytest.importorskip("segmentation_models_pytorch")
    entry = Entry(network=spec, checkpoint="m_{fold}")
    recipe = Recipe(
        name="t", folds=(0,), tta="none", resolutions=(Resolution(scale=1, members=(entry,)),)
    )
    torch.manual_seed(0)
    network = build(spec).eval()
    torch.save({"state_dict": network.state_dict()}, folder / "m_0")
    return recipe, network


@pytest.mark.parametrize("spec", KINDS)
def test_features_give_the_map_and_a_taught_file_says_what_the_taught_map_says(
    spec: NetworkSpec, tmp_path: Path
) -> None:
    recipe, network = network_of(spec, tmp_path)
    member = recipe.members()[0]
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    own = predict_member(network, pixels, recipe, member)
    seen = predict_features(network, pixels, recipe, member, checkpoint_digest="a")
    assert seen.shape == own.values.shape
    assert np.abs(sigmoid(seen.logits[0].astype(np.float32)) - own.values).max() < 1 / 255
    channels = len(seen.values)
    weights = tuple(np.random.default_rng(1).normal(size=channels) / channels)
    taught = Taught({member.place: TaughtHead(weights, 0.4, "a")}).weighed(0.7)
    name, _ = last_layer(network)
    scaled = tuple(0.7 * weight for weight in weights)
    network.load_state_dict(taught_state(network.state_dict(), name, 0, scaled, 0.7 * 0.4))
    after = predict_member(network, pixels, recipe, member).values
    assert np.abs(after - own.values).max() > 0.01
    assert np.abs(taught.of(member.place, own, seen).values - after).max() < 1 / 255


def test_a_network_that_enlarges_its_answer_is_refused_in_a_sentence() -> None:
    deeplab = build(NetworkSpec(kind="deeplabv3", encoder="test_resnet", width=8)).eval()
    with pytest.raises(ValueError, match=r"enlarges .* cannot teach"):
        LastLayer(deeplab)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="does not end in a convolution"):
        last_layer(torch.nn.Linear(2, 2))


def test_a_file_of_tensors_may_be_read_as_any_new_file_may(tmp_path: Path) -> None:
    from hubseg.training.state import save_tensors

    (tmp_path / "plain").touch()
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.zeros(1)}, {})
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_network_of_shared_outputs_is_refused(tmp_path: Path) -> None:
    entry = Entry(
        network=TIMM, checkpoint="m", classes=("background", "glomerulus"), activation="softmax"
    )
    recipe = Recipe(name="t", folds=(0,), resolutions=(Resolution(scale=1, members=(entry,)),))
    with pytest.raises(ValueError, match="softmax"):
        predict_features(
            build(entry.network),
            np.zeros((64, 64, 3), np.uint8),
            recipe,
            recipe.members()[0],
            checkpoint_digest="a",
        )


@pytest.fixture
def project(tmp_path: Path, scheduler: str) -> Path:
    """Two slides that two tiny networks were run on, one of them corrected."""
    table = write_slides(tmp_path / "t", ["a", "b"])
    (tmp_path / "r.yaml").write_text(TINY)
    for fold in (0, 1):
        torch.manual_seed(fold)
        torch.save({"state_dict": build(TIMM).state_dict()}, tmp_path / f"m_{fold}")
    path = tmp_path / "p.hubseg"
    assert not predict(table, path, tmp_path, scheduler)
    session = ReviewSession(author="test")
    session.open(path)
    session.go_to("a")
    session.paint(np.ones((20, 20), np.bool_), top=4, left=4, add=True)
    session.paint(np.ones((20, 20), np.bool_), top=24, left=40, add=False)
    session.close()
    return path


def predict(table: Path, path: Path, weights: Path, scheduler: str) -> int:
    how = ["--recipe", str(table.parent.parent / "r.yaml"), "--weights", str(weights)]
    where = ["--project", str(path), "--device", "cpu", "--scheduler", scheduler]
    return main(["predict", str(table), *how, *where])


def teach(project: Path, scheduler: str, *more: str) -> int:
    how = ["--weights", str(project.parent), "--device", "cpu", "--scheduler", scheduler]
    return main(["teach", str(project), *how, *more])


def maps(path: Path) -> dict[str, np.ndarray]:
    with ReviewProject.for_reading(path) as project:
        found = {slide.id: newest_map(project, slide) for slide in project.slides()}
    return {name: one.values for name, one in found.items() if one is not None}


def test_every_slide_follows_off_is_off_and_the_files_say_the_same(
    project: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = maps(project)
    capsys.readouterr()
    assert not teach(project, scheduler, "--export", str(project.parent / "out"), "--json")
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    told = said["taught"][0]
    assert told["slides"] == ["a"] and told["computed"] == 4 and 0 < told["departure"] < 1
    after = maps(project)
    assert all(np.abs(after[name] - before[name]).max() > 1 for name in "ab")
    again = project.parent / "again.hubseg"
    assert not predict(project.parent / "t/train.csv", again, project.parent / "out", scheduler)
    assert all(np.abs(maps(again)[name] - after[name]).max() < 1 for name in "ab")
    files = {one.name: one.read_bytes() for one in (project.parent / "out").iterdir()}
    with ReviewProject.open(project):  # as a window has it
        assert not teach(project, scheduler, "--kept", "--export", str(project.parent / "kept"))
    assert files == {one.name: one.read_bytes() for one in (project.parent / "kept").iterdir()}
    capsys.readouterr()
    assert not teach(project, scheduler, "--weight", "0.5", "--json")
    assert json.loads(capsys.readouterr().out)["taught"][0]["computed"] == 0
    assert not teach(project, scheduler, "--off")
    assert all((maps(project)[name] == before[name]).all() for name in "ab")


def test_what_is_taught_in_other_stains_leaves_as_checkpoints_that_see_slides_so(
    project: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recipe that comes to know its stains asks for features once more."""
    assert not teach(project, scheduler)
    stain = "\nstain: {vectors: [[0.61, 0.69, 0.38], [0.32, 0.91, 0.26]], strength: [1.2, 2.7]}\n"
    (project.parent / "r.yaml").write_text(TINY + stain)
    assert not predict(project.parent / "t/train.csv", project, project.parent, scheduler)
    capsys.readouterr()
    assert not teach(project, scheduler, "--json")
    assert json.loads(capsys.readouterr().out)["taught"][0]["computed"] == 4
    own = maps(project)
    with ReviewProject.open(project) as opened:
        slide = opened.slides()[0]
        found = newest_run(opened, slide)
        assert found is not None and found[0].stain is not None
        scope = scope_of(opened, slide, found[0])
        held = taught_of(opened, slide, found[0])
        name = found[0].stain.digest
        heads = {place: replace(head, stain=name) for place, head in held.heads.items()}
        opened.append(Kind.TAUGHT, taught_payload(scope, held, Taught(heads)), label="taught")
    after, out = maps(project), project.parent / "out"
    assert all(np.abs(after[name] - own[name]).max() > 1 for name in "ab")
    assert not teach(project, scheduler, "--kept", "--export", str(out))
    recipe = Recipe.load(out / "recipe.yaml")
    assert recipe.aligns
    (project.parent / "r.yaml").write_text(recipe.to_yaml())
    again = project.parent / "again.hubseg"
    assert not predict(project.parent / "t/train.csv", again, out, scheduler)
    assert all(np.abs(maps(again)[name] - after[name]).max() < 1 for name in "ab")
    with ReviewProject.open(project) as opened:
        half = Taught(heads).weighed(0.5)
        opened.append(Kind.TAUGHT, taught_payload(scope, Taught(heads), half), label="half")
    capsys.readouterr()
    assert teach(project, scheduler, "--kept", "--export", str(project.parent / "half")) == 1
    assert "set the weight of what was taught to 1" in capsys.readouterr().err


def test_nothing_to_teach_with_is_one_sentence(
    project: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert teach(project, scheduler, "--organ", "lung") == 1
    assert "no slide of this kind with a map and corrections" in capsys.readouterr().err
    assert teach(project, scheduler, "--weight", "2") == 1
    assert "more than 0 and at most 1" in capsys.readouterr().err
    assert teach(project, scheduler, "--kept") == 1
    assert "name a folder (--export DIR)" in capsys.readouterr().err
    assert teach(project, scheduler, "--kept", "--export", str(project.parent / "out")) == 1
    assert "is taught in" in capsys.readouterr().err
    assert maps(project).keys() == {"a", "b"}


def test_features_of_another_checkpoint_than_the_maps_are_refused(
    project: Path, scheduler: str
) -> None:
    torch.manual_seed(7)
    torch.save({"state_dict": build(TIMM).state_dict()}, project.parent / "m_0")
    with ReviewProject.for_reading(project) as opened:
        slide = opened.slides()[0]
        found = newest_run(opened, slide)
        assert found is not None
        engine = Engine(opened.maps, device="cpu", scheduler=scheduler)
        try:
            updates = list(FeatureRun(engine, [(slide, found[1])], found[0], [project.parent]))
        finally:
            engine.unload()
        assert [bool(one.error) for one in updates] == [True, False]
        assert "another checkpoint" in updates[0].error
        keys = [features_key(key) in MapStore(opened.maps) for _, key in found[1]]
        assert keys == [False, True]
        members = newest_members(opened, slide)
        assert members is not None and members[1][0][1].values.shape == (SHAPE[0] // 4, 16)
