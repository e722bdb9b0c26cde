"""Networks of several structures: one map each, from logits to the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored import SHAPE, TINY, write_slides
from torch import nn

from hubseg.cli import main
from hubseg.inference import Tiling, predict, predict_member
from hubseg.inference.activation import probabilities
from hubseg.network import Prediction, build
from hubseg.organ import Organ, StructureName
from hubseg.probability import MapStore, MemberMap, map_key
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map, newest_members
from hubseg.project.runs import mapped_structures, record
from hubseg.project.words import take_vocabulary
from hubseg.recipe import BACKGROUND, Channels, Recipe, in_words, occurring
from hubseg.slide import Slide, SlideTable, read_slide

NAMES = GLOMERULUS, TUBULE, VESSEL = tuple(map(StructureName, ("glomerulus", "tubule", "vessel")))
WORDS = "vocabulary: {structures: {tubule: {organs: [kidney]}, vessel: {}}}\n"
SMALL = Tiling(side=128, overlap=96, margin=32)


def recipe(classes: str = "classes: [glomerulus, tubule, vessel]", lines: str = "") -> Recipe:
    named = TINY.replace('"m_{fold}"}', f'"m_{{fold}}", {classes}}}')
    return Recipe.from_yaml(named + lines + WORDS)


# ---- from logits to values ----------------------------------------------------------------------

LOGITS = torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(0)) * 3
FOUR = (BACKGROUND, *NAMES)


def test_one_output_gives_the_sigmoid_that_it_always_gave():
    made = probabilities(LOGITS[:, :1].half(), Channels())
    assert torch.equal(made, torch.sigmoid(LOGITS[:, :1].half()[:, 0].float()))


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [
        (Channels(NAMES), torch.sigmoid(LOGITS[:, :3])),
        (Channels(NAMES, "softmax"), LOGITS[:, :3].exp() / LOGITS[:, :3].exp().sum(1)[:, None]),
        (Channels(FOUR, "softmax"), (LOGITS.exp() / LOGITS.exp().sum(1)[:, None])[:, 1:]),
        (
            Channels((TUBULE, BACKGROUND, VESSEL), "softmax"),
            (LOGITS[:, :3].exp() / LOGITS[:, :3].exp().sum(1)[:, None])[:, [0, 2]],
        ),
        (Channels((BACKGROUND, TUBULE), "softmax"), torch.sigmoid(LOGITS[:, 1] - LOGITS[:, 0])),
    ],
)
def test_each_activation_is_its_formula(channels: Channels, wanted: torch.Tensor):
    torch.testing.assert_close(probabilities(LOGITS[:, : channels.outputs], channels), wanted)


def test_a_network_of_another_number_of_outputs_is_one_sentence():
    with pytest.raises(ValueError, match="has 4 outputs and the recipe's classes are 3"):
        probabilities(LOGITS, Channels(NAMES))


class Near(nn.Module):
    """A network that looks 7 px far and gives some of its outputs."""

    def __init__(self, *outputs: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 5, stride=2, padding=2)
        self.second = nn.Conv2d(4, 3, 5, padding=2)
        self.outputs = list(outputs)

    def forward(self, x: torch.Tensor) -> Prediction:
        return Prediction(self.second(torch.relu(self.first(x)))[:, self.outputs] * 9)


@pytest.fixture
def pixels() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
    return cv2.resize(noise, (398, 310), interpolation=cv2.INTER_CUBIC)


def test_each_layer_is_the_map_that_a_network_of_this_output_alone_gives(pixels: np.ndarray):
    several, alone = recipe(), Recipe.from_yaml(TINY)
    for tta in ("none", "d4"):
        several, alone = (one.model_copy(update={"tta": tta}) for one in (several, alone))
        given = several, several.members()[0]
        made = predict_member(Near(0, 1, 2).eval(), pixels, *given)
        tiled = predict_member(Near(0, 1, 2).eval(), pixels, *given, tiling=SMALL)
        assert made.values.shape == (3, 78, 100)
        np.testing.assert_allclose(tiled.values, made.values, atol=1e-6)
        for layer in range(3):
            one = predict_member(Near(layer).eval(), pixels, alone, alone.members()[0])
            np.testing.assert_allclose(made.layer(layer).values, one.values, atol=1e-6)


def test_what_excludes_each_other_shares_one_also_after_tiles_and_views(pixels: np.ndarray):
    exclusive = recipe("classes: [glomerulus, tubule, vessel], activation: softmax")
    member = exclusive.members()[0]
    made = predict_member(Near(0, 1, 2).eval(), pixels, exclusive, member, tiling=SMALL)
    np.testing.assert_allclose(made.values.sum(0), 1, atol=1e-5)


# ---- keys and files -----------------------------------------------------------------------------


def key(made: Recipe) -> str:
    return map_key(made, made.members()[0], slide_digest="s", checkpoint_digest="c")


def test_a_map_of_one_output_has_the_key_that_it_always_had():
    plain = Recipe.from_yaml(TINY)
    assert key(plain) == "161aac840a4a461547ec8c62d9e6c2fb"  # of the version before
    assert key(recipe("classes: [tubule]")) == key(plain)  # another name, the same values


def test_names_are_not_in_a_key_and_what_decides_values_is():
    softmax = "classes: [glomerulus, tubule, vessel], activation: softmax"
    kinds = [
        "classes: [glomerulus, tubule, vessel]",
        softmax,
        "classes: [background, tubule, vessel], activation: softmax",
        "classes: [tubule, background, vessel], activation: softmax",
        "classes: [background, tubule], activation: softmax",
    ]
    assert len({key(recipe(kind)) for kind in kinds}) == len(kinds)
    assert key(recipe("classes: [vessel, tubule, glomerulus]")) == key(recipe())


@given(st.integers(2, 5), st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_the_store_gives_back_maps_of_several_structures(
    tmp_path_factory: pytest.TempPathFactory, count: int, height: int, width: int, seed: int
):
    store = MapStore(tmp_path_factory.mktemp("maps"))
    values = np.random.default_rng(seed).random((count, height, width), np.float32)
    path = store.put("ab12", MemberMap(values, None, 0.5))
    assert path.read_bytes().startswith(b"hubseg-map 2\n")
    again = store.get("ab12")
    assert again is not None
    np.testing.assert_array_equal(again.values, values)
    assert again.um_per_px == 0.5


def test_a_map_of_one_structure_is_written_as_it_was(tmp_path: Path):
    path = MapStore(tmp_path).put("ab12", MemberMap(np.zeros((3, 4), np.float32)))
    assert path.read_bytes().startswith(b"hubseg-map 1\n")


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
def test_a_flip_of_any_byte_is_noticed(tmp_path: Path, shape: tuple[int, ...]):
    store = MapStore(tmp_path)
    path = store.put("ab12", MemberMap(np.ones(shape, np.float32)))
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bits in (1, 3):  # 1 and 2 of the first line are apart by 3
            content = bytearray(whole)
            content[place] ^= bits
            path.write_bytes(content)
            assert store.get("ab12") is None, place


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 2)])
def test_a_map_of_other_axes_is_none(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="structures, h, w"):
        MemberMap(np.zeros(shape, np.float32))


def test_a_layer_that_a_map_has_not_is_refused():
    plain = MemberMap(np.zeros((4, 4), np.float32))
    assert plain.layer(0).values.shape == (4, 4)
    with pytest.raises(ValueError, match="A map of 1 structures has none of number 2"):
        plain.layer(1)


# ---- which structures a slide has ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("organ", "classes", "wanted"),
    [
        (Organ.KIDNEY, "classes: [vessel, tubule, glomerulus]", [GLOMERULUS, TUBULE, VESSEL]),
        (Organ.SPLEEN, "classes: [glomerulus, tubule, vessel]", [VESSEL]),
        (Organ.SPLEEN, "classes: [glomerulus, tubule]", [GLOMERULUS, TUBULE]),
        (None, "classes: [tubule, glomerulus]", [GLOMERULUS, TUBULE]),
        (Organ.KIDNEY, "weight: 1", [GLOMERULUS]),
        (Organ("liver"), "weight: 1", [VESSEL]),
    ],
)
def test_a_slide_has_the_structures_of_its_organ_and_its_own_comes_first(
    organ: Organ | None, classes: str, wanted: list[StructureName]
):
    made = recipe(classes)
    words = made.vocabulary
    assert list(occurring(in_words(made.members(), words, organ), words, organ)) == wanted


def test_a_structure_without_a_name_is_that_of_an_organ_that_has_none():
    plain = Recipe.from_yaml(TINY)
    assert occurring(plain.members(), plain.vocabulary, Organ("liver")) == (None,)


# ---- a project ----------------------------------------------------------------------------------


def put(project: ReviewProject, made: Recipe, values: np.ndarray) -> Slide:
    """Record a run of a recipe on the first slide: one map for all of its members."""
    slide = project.slides()[0]
    keys = []
    for member in made.members():
        key = f"{member.resolution}{member.entry}{member.fold}00"
        MapStore(project.maps).put(key, MemberMap(values))
        keys.append((member, key))
    digest = project.digest(slide)
    record(project, "run", slide.id, made, keys, slide_digest=digest, asked=made.members())
    return slide


@pytest.fixture
def project(tmp_path: Path) -> Any:
    table = write_slides(tmp_path, ["a"])
    with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(table)) as made:
        yield made


def test_a_project_has_a_map_of_each_structure(project: ReviewProject):
    made, values = recipe(), np.random.default_rng(0).random((3, *SHAPE), np.float32)
    take_words(project, made)
    slide = put(project, made, values)
    assert mapped_structures(project, slide) == NAMES
    for layer, name in enumerate(NAMES):
        found = newest_map(project, slide, structure=name)
        assert found is not None
        assert (found.done, found.total) == (2, 2)
        np.testing.assert_allclose(found.values, values[layer] * 255, atol=1e-3)
        assert found.disagreement is not None
        assert found.disagreement.max() < 0.1
    first = newest_map(project, slide)
    assert first is not None
    np.testing.assert_allclose(first.values, values[0] * 255, atol=1e-3)
    newest = newest_members(project, slide, structure=VESSEL)
    assert newest is not None
    assert {one.values.shape for _, one in newest[1]} == {SHAPE}
    assert newest_map(project, slide, structure=StructureName("crypt")) is None


def test_an_ensemble_for_each_structure_is_mixed_by_itself(project: ReviewProject):
    another = (
        '      - {network: {encoder: test_resnet}, checkpoint: "t_{fold}", classes: [tubule]}\n'
        '      - {network: {encoder: test_resnet}, checkpoint: "g_{fold}"}\n'
    )
    made = recipe("classes: [glomerulus]", another)
    take_words(project, made)
    slide = put(project, made, np.full(SHAPE, 0.5, np.float32))
    assert mapped_structures(project, slide) == (GLOMERULUS, TUBULE)
    counts = {}
    for name in (GLOMERULUS, TUBULE):
        newest = newest_members(project, slide, structure=name)
        assert newest is not None
        counts[name] = sorted(member.checkpoint for member, _ in newest[1])
    assert counts == {GLOMERULUS: ["g_0", "g_1", "m_0", "m_1"], TUBULE: ["t_0", "t_1"]}


def take_words(project: ReviewProject, made: Recipe) -> None:
    take_vocabulary(project, made.vocabulary, "words")


# ---- run ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A slide, a recipe of three structures and its checkpoints."""
    write_slides(tmp_path, ["a"])
    made = recipe()
    (tmp_path / "recipe.yaml").write_text(made.to_yaml())
    for seed, name in enumerate(("m_0", "m_1")):
        torch.manual_seed(seed)
        network = build(made.members()[0].network)
        torch.save({"state_dict": network.state_dict()}, tmp_path / name)
    return tmp_path


def test_predict_gives_the_map_of_a_structure_and_computes_no_member_twice(folder: Path):
    made, store = Recipe.load(folder / "recipe.yaml"), MapStore(folder / "maps")
    slide = read_slide(folder / "train_images" / "a.png").told(organ=Organ.KIDNEY)
    given = {"device": "cpu", "store": store}
    maps = {n: list(predict(slide, made, [folder], structure=n, **given))[-1] for n in NAMES}
    first = list(predict(slide, made, [folder], **given))[-1]
    assert len(list(store.folder.rglob("*.map"))) == 2
    np.testing.assert_array_equal(first.values, maps[GLOMERULUS].values)
    assert not np.array_equal(maps[TUBULE].values, maps[VESSEL].values)
    with pytest.raises(ValueError, match="Structure 'tubul' is not known: tubule"):
        next(predict(slide, made, [folder], structure="tubul", **given))
    with pytest.raises(ValueError, match="marks crypt: name another"):
        next(predict(slide, made, [folder], structure="crypt", **given))


@pytest.mark.slow
def test_a_recipe_of_several_structures_runs_from_the_command_line(folder: Path, scheduler: str):
    command = ["predict", folder / "train.csv", "--recipe", folder / "recipe.yaml"]
    command += ["--weights", folder, "--project", folder / "p.hubseg", "--scheduler", scheduler]
    assert main(list(map(str, command))) == 0
    with ReviewProject.for_reading(folder / "p.hubseg") as project:
        slide = project.slides()[0]
        assert mapped_structures(project, slide) == NAMES
        assert newest_map(project, slide, structure=TUBULE) is not None
    assert main(["mask", str(folder / "p.hubseg")]) == 0


@pytest.mark.slow
def test_a_checkpoint_of_another_number_of_outputs_is_refused_before_the_first_slide(
    folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
):
    two = recipe("classes: [glomerulus, tubule]")
    (folder / "recipe.yaml").write_text(two.to_yaml())
    command = ["predict", folder / "train.csv", "--recipe", folder / "recipe.yaml"]
    command += ["--weights", folder, "--project", folder / "p.hubseg", "--scheduler", scheduler]
    assert main(list(map(str, command))) == 1
    assert "m_0 has 3 outputs and the recipe's classes are 2" in capsys.readouterr().err
