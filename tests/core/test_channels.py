"""What a network's outputs are: named in the recipe, in the recipe's own words."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from stored import TINY

from hubseg.organ import BUILT_IN, Organ, StructureName
from hubseg.recipe import Channels, NetworkSpec, Recipe

WORDS = "vocabulary: {structures: {tubule: {organs: [kidney]}, vessel: {}}}\n"
THREE = "classes: [background, glomerulus, tubule, vessel], activation: softmax"
GLOMERULUS, TUBULE, VESSEL = map(StructureName, ("glomerulus", "tubule", "vessel"))


def recipe(classes: str, words: str = WORDS) -> Recipe:
    return Recipe.from_yaml(TINY.replace('"m_{fold}"}', f'"m_{{fold}}", {classes}}}') + words)


def test_an_entry_names_what_each_output_is():
    made = recipe(THREE)
    member = made.members([0])[0]
    assert member.network.outputs == 4
    assert member.channels.structures == (GLOMERULUS, TUBULE, VESSEL)
    assert member.channels.kept == (1, 2, 3)
    assert [member.channels.layer(s) for s in (GLOMERULUS, VESSEL, None)] == [0, 2, None]
    assert Recipe.from_yaml(made.to_yaml()) == made
    assert "outputs" not in made.to_yaml()


def test_a_recipe_without_classes_is_what_it_was():
    plain = Recipe.from_yaml(TINY)
    network = {
        "kind": "timm_unet",
        "encoder": "test_resnet",
        "encoder_args": {},
        "decoder": [32, 48, 64, 96, 128],
    }
    assert plain.members([0])[0].network.model_dump(mode="json") == network
    assert not any(word in plain.to_yaml() for word in ("classes", "activation", "outputs"))
    assert plain.digest == "1f250caa1fabfb88092b31692fa98e8d"  # of the version before classes


def test_what_decides_a_map_is_in_the_recipes_digest():
    kinds = [
        "weight: 1",
        "classes: [glomerulus, tubule, vessel]",
        "classes: [glomerulus, vessel, tubule]",
        "classes: [glomerulus, tubule, vessel], activation: softmax",
        THREE,
    ]
    digests = [recipe(kind).digest for kind in kinds]
    assert all(one != other for one, other in pairwise(digests))


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("classes: [glomerulus, tubul]", "Structure 'tubul' is not known: tubule.*vocabulary"),
        ("classes: [tubule, tubule]", "classes names tubule twice"),
        ("classes: [background], activation: softmax", "names no structure"),
        ("classes: [background, tubule]", "activation: softmax"),
        ("activation: softmax", "name them under classes"),
        ("classes: [tubule], activation: softmax", "name them under classes"),
        ("classes: [tubule, vessel], activation: relu", "activation.*sigmoid"),
    ],
)
def test_outputs_that_cannot_be_are_one_sentence(classes: str, says: str):
    with pytest.raises(ValueError, match=says) as told:
        recipe(classes)
    assert "\n" not in str(told.value)


def test_outputs_are_told_in_a_projects_words():
    words = Recipe.from_yaml(TINY + WORDS).vocabulary
    acinus = Channels((StructureName("acinus"), VESSEL)).in_words_of(words, Organ.PROSTATE)
    assert acinus.names == (StructureName("glandular acinus"), VESSEL)
    own = Channels().in_words_of(BUILT_IN, Organ.KIDNEY)
    assert own.names == (GLOMERULUS,)
    assert Channels().in_words_of(BUILT_IN, None) == Channels()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"kind": "plain_unet", "encoder": "resnet18"}, "has no encoder to choose"),
        ({"kind": "deeplabv3"}, "needs an encoder"),
        ({}, "needs an encoder"),
        ({"encoder": "resnet18", "width": 8}, "has no width"),
        ({"kind": "deeplabv3", "encoder": "resnet18", "architecture": "FPN"}, "one shape only"),
    ],
)
def test_a_family_refuses_keys_that_are_anothers(spec: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        NetworkSpec.model_validate(spec)


def test_a_network_without_an_encoder_has_a_name_for_people():
    assert NetworkSpec(kind="plain_unet").label == "plain U-Net of 64"
    assert NetworkSpec(kind="plain_unet").model_dump() == {"kind": "plain_unet"}
    assert NetworkSpec(encoder="resnet18").label == "resnet18"
