"""Recipes: data that loads, refuses what it does not know, and is the published one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from hubseg.organ import DataSource, Organ
from hubseg.recipe import Recipe, builtin_names, find_checkpoints
from hubseg.recipe.training_plan import AugmentationPlan, LossPlan, StartPlan, TrainingPlan

SMALL = """
name: small
resolutions:
  - scale: 0.5
    members:
      - {network: {encoder: test_resnet}, checkpoint: "small_{fold}"}
"""


def changed(**keys: object) -> str:
    return yaml.safe_dump(yaml.safe_load(SMALL) | keys)


def with_resolution(**keys: object) -> str:
    content = yaml.safe_load(SMALL)
    content["resolutions"][0].pop("scale")
    content["resolutions"][0] |= keys
    return yaml.safe_dump(content)


def test_the_published_recipe_has_55_members_in_the_published_order():
    recipe = Recipe.load("hubmap-2022-2nd-place")
    members = recipe.members()
    assert len(members) == 55
    assert [r.size for r in recipe.resolutions] == [768, 1024, 1472]
    assert [r.weight for r in recipe.resolutions] == [0.2, 0.3, 0.5]
    assert members[0].checkpoint == "tf_efficientnet_b7_ns_768_e34_0_best"
    assert members[-1].checkpoint == "coat_lite_medium_1472_e42_4_best"
    assert {m.weight for m in members if m.network.encoder.startswith("coat")} == {3.0}
    assert recipe.thresholds.value(Organ.LUNG, DataSource.HUBMAP) == 15
    assert (recipe.channel_order, recipe.merge, recipe.tta) == ("bgr", "published", "flip_rot90")


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_recipes_survive_yaml(name: str):
    recipe = Recipe.load(name)
    again = Recipe.from_yaml(recipe.to_yaml())
    assert again == recipe
    assert again.digest == recipe.digest


def test_digest_follows_what_decides_the_map_and_nothing_else():
    recipe = Recipe.from_yaml(SMALL)
    assert Recipe.from_yaml(changed(name="other")).digest == recipe.digest
    assert Recipe.from_yaml(changed(training={"steps": 7})).digest == recipe.digest
    assert Recipe.from_yaml(changed(thresholds={"HPA": {"lung": 3}})).digest == recipe.digest
    assert Recipe.from_yaml(changed(tta="none")).digest != recipe.digest
    assert Recipe.from_yaml(changed(channel_order="bgr")).digest != recipe.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds no recipe"),
        ("name: [", "not YAML at line"),
        (changed(colour="red"), "colour: unknown key"),
        (changed(tta="d5"), "tta"),
        (changed(thresholds={"HPA": {"lung": 300}}), "300"),
        (changed(thresholds={"HPA": {"liver": 30}}), "liver"),
        (changed(thresholds=3), "thresholds"),
        (changed(folds=[]), "folds"),
        (with_resolution(size=500), "use 480 or 512"),
        (with_resolution(size=512, scale=0.5), "exactly one of size, scale and um_per_px"),
        (with_resolution(), "exactly one of size, scale and um_per_px"),
        (with_resolution(scale=-1.0), "scale"),
        (SMALL.replace("small_{fold}", "../small"), "must be a file name"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence_with_the_place(text: str, said: str):
    with pytest.raises(ValueError, match=r"^R\.yaml") as refused:
        Recipe.from_yaml(text, where="R.yaml")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_yaml_is_loaded_safely(tmp_path: Path):
    target = tmp_path / "made"
    hostile = f"!!python/object/apply:pathlib.Path.touch ['{target}']"
    with pytest.raises(ValueError, match="not YAML"):
        Recipe.from_yaml(hostile)
    assert not target.exists()


def test_members_of_chosen_folds_only():
    recipe = Recipe.from_yaml(SMALL)
    assert [m.checkpoint for m in recipe.members([1, 3])] == ["small_1", "small_3"]
    with pytest.raises(ValueError, match=r"no fold 7.*0, 1, 2, 3, 4"):
        recipe.members([7])


def test_load_takes_a_file_or_a_name_and_says_which_names_there_are(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_text(SMALL)
    assert Recipe.load(path) == Recipe.from_yaml(SMALL)
    with pytest.raises(FileNotFoundError, match="hubmap-2022-2nd-place"):
        Recipe.load("absent")


def test_missing_checkpoints_are_named_with_the_folders_looked_in(tmp_path: Path):
    recipe = Recipe.from_yaml(SMALL)
    (tmp_path / "small_0").touch()
    (tmp_path / "small_1.safetensors").touch()
    found = find_checkpoints(recipe.members([0, 1]), [tmp_path])
    assert [p.name for p in found.values()] == ["small_0", "small_1.safetensors"]
    with pytest.raises(FileNotFoundError) as missing:
        find_checkpoints(recipe.members(), [tmp_path])
    assert "3 of 5" in str(missing.value)
    assert str(tmp_path) in str(missing.value)
    assert "small_2" in str(missing.value)


@pytest.mark.parametrize("plan", [TrainingPlan, StartPlan, LossPlan, AugmentationPlan])
def test_every_key_of_training_is_in_the_reference_with_its_default(
    plan: type[BaseModel], repository: Path
):
    text = (repository / "docs" / "reference.md").read_text(encoding="utf-8")
    told = text.partition("## Training\n")[2].partition("\n## ")[0]
    for name, field in plan.model_fields.items():
        if isinstance(field.default, BaseModel):
            assert f"**`training.{name}`**" in told
        else:
            value = plan().model_dump(mode="json").get(name, field.default)  # as a file has it
            said = str(value).lower() if isinstance(value, bool) else value
            default = f"{said:g}" if isinstance(said, float) else said
            assert f"| `{name}` | {default} |" in told, f"{plan.__name__}.{name}"
