"""The published encoders at full size: what is built, what a file fits, and CoaT's own pixels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from hubseg.inference import load_member, predict_member, see
from hubseg.network import Prediction, build, cost, load_into, read_checkpoint
from hubseg.probability import mix
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import read_slide

# encoder: level channels, parameters of the whole net, tensors, encoder GFLOP at 768
PUBLISHED = {
    "tf_efficientnet_b7_ns": ((32, 48, 80, 224, 640), 63.75e6, 1216, 119),
    "convnext_large_384_in22ft1k": ((192, 384, 768, 1536), 199.82e6, 362, 808),
    "tf_efficientnetv2_l_in21ft1k": ((32, 64, 96, 224, 640), 118.05e6, 1564, 286),
    "coat_lite_medium": ((128, 256, 320, 512), 45.79e6, 614, 229),
}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("encoder", PUBLISHED)
def test_a_published_encoder_builds_and_loads_its_file_whole(encoder: str, tmp_path: Path):
    channels, parameters, tensors, _ = PUBLISHED[encoder]
    network = build(NetworkSpec(encoder=encoder), size=768)
    assert tuple(network.encoder.feature_info.channels()) == channels
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, abs=5e3)
    state = network.state_dict()
    assert len(state) == tensors
    spelled = {k.replace("encoder.model.", "encoder."): v for k, v in state.items()}
    content = {"epoch": 1, "state_dict": spelled, "best_score": np.float64(0.8)}
    torch.save(content, tmp_path / f"{encoder}_768_0_best")
    marks = {key: float(v.double().sum()) for key, v in state.items() if v.is_floating_point()}
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.zero_()
    load_into(network, read_checkpoint(tmp_path / f"{encoder}_768_0_best"))
    assert {k: float(v.double().sum()) for k, v in network.state_dict().items() if k in marks} == (
        marks
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoder", PUBLISHED)
def test_what_a_published_network_costs_is_known_without_building_it(encoder: str):
    _, parameters, tensors, gflop = PUBLISHED[encoder]
    told = cost(NetworkSpec(encoder=encoder), 768)
    assert (told.parameters, told.tensors) == (pytest.approx(parameters, abs=5e3), tensors)
    assert gflop <= told.flops / 1e9 <= gflop + 120  # and the decoder


@pytest.fixture(scope="module")
def coat(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the seeded CoaT checkpoint that the golden folder describes, in published format."""
    spec = json.loads((shared_data / "golden" / "coat_seeded" / "spec.json").read_text())
    made: dict[str, torch.Tensor] = {}
    state = {}
    for tensor in spec["tensors"]:
        name = tensor.get("canonical", tensor["key"])
        if name not in made:
            u = np.random.RandomState(tensor["seed"]).random_sample(tensor["shape"])
            values = tensor["mean"] + tensor["half_width"] * (2 * u - 1)
            made[name] = torch.from_numpy(np.asarray(values, np.float32))
        state[tensor["key"]] = made[name]
    folder = tmp_path_factory.mktemp("coat")
    content = {"epoch": 1, "state_dict": state, "best_score": np.float64(0.8)}
    torch.save(content, folder / "coat_lite_medium_768_e40_0_best")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_full_size_coat_gives_the_published_pixels(coat: Path, shared_data: Path):
    golden = shared_data / "golden"
    entry = Entry(
        network=NetworkSpec(encoder="coat_lite_medium"),
        checkpoint="coat_lite_medium_768_e40_{fold}_best",
    )
    recipe = Recipe(
        name="coat",
        channel_order="bgr",
        folds=(0,),
        merge="published",
        resolutions=(Resolution(size=768, members=(entry,)),),
    )
    (member,) = recipe.members()
    network = load_member(recipe, member, coat / member.checkpoint, torch.device("cpu"))
    slide = read_slide(golden / "images" / "107.tiff")
    pixels = slide.read()
    answers: list[Prediction] = []
    shown: list[torch.Tensor] = []

    def keep(_: nn.Module, given: tuple[torch.Tensor], answer: Prediction) -> None:
        shown.append(given[0])
        answers.append(answer)

    network.register_forward_hook(keep)
    made = predict_member(network, pixels, recipe, member)
    assert torch.equal(shown[0], see(pixels, recipe, recipe.resolutions[0]).tensor())
    answer = answers[0]  # of the view as it is
    wanted = torch.from_numpy(np.load(golden / "coat_seeded" / "107_768_view0_logits.npy"))
    torch.testing.assert_close(answer.logits.sigmoid(), wanted.sigmoid(), rtol=0, atol=1e-4)
    heads = json.loads((golden / "coat_seeded" / "heads.json").read_text())["view0"]
    organ = answer.organ.softmax(1)[0].tolist()
    assert organ == pytest.approx(heads["organ_softmax"], abs=1e-4)
    assert float(answer.pixel_size) == pytest.approx(heads["pixel"], abs=1e-4)
    levels = mix(recipe, [(member, made)], shape=(slide.height, slide.width), slide_digest="")
    image = cv2.imread(str(golden / "coat_seeded" / "107_768_4views.png"), 0)
    step = np.abs(np.rint(levels.values) - image)
    assert step.max() <= 1
    assert (step > 0).mean() <= 1e-3
