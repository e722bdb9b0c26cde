"""Network families: each keeps the same contract, folded or not, whatever its encoder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.engine_choice import EngineChoice
from hubseg.inference.openvino_model import installed_version
from hubseg.network import (
    blank,
    build,
    check_checkpoint,
    cost,
    fold,
    is_sized,
    load_into,
    read_checkpoint,
    ready,
    shapes,
    without_auxiliary,
)
from hubseg.recipe import Channels, NetworkSpec
from hubseg.recipe.channels import ONE_OUTPUT

CPU = torch.device("cpu")


class FamilyContract:
    """What every network must do; a family names its specification and what it answers."""

    spec: NetworkSpec
    size = 64
    step = 2  # px of the image per px of the answer
    heads = True

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls) -> nn.Module:
        torch.manual_seed(0)
        return shaken(build(cls.spec, size=cls.size)).eval()

    @pytest.fixture(scope="class")
    @classmethod
    def image(cls) -> torch.Tensor:
        return torch.rand(2, 3, cls.size, cls.size, generator=torch.Generator().manual_seed(1))

    def test_answers_at_its_resolution(self, network: nn.Module, image: torch.Tensor):
        with torch.inference_mode():
            answer = network(image)
        side = self.size // self.step
        assert answer.logits.shape == (2, self.spec.outputs, side, side)
        assert answer.auxiliary is None
        assert (answer.organ is not None, answer.pixel_size is not None) == (self.heads,) * 2
        if self.heads:
            assert (answer.organ.shape, answer.pixel_size.shape) == ((2, 5), (2, 1))

    def test_folding_keeps_every_answer(self, network: nn.Module, image: torch.Tensor):
        with torch.inference_mode():
            before = network(image)
            folded = fold(copy_of(network, self.spec, self.size), size=self.size)
            after = folded(image)
        for one, other in zip(before, after, strict=True):
            if one is not None:
                torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4 * float(one.std()))

    @pytest.mark.skipif(installed_version() is None, reason="pip install openvino")
    def test_openvino_gives_the_same_answers(
        self,
        network: nn.Module,
        image: torch.Tensor,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
        folded = fold(copy_of(network, self.spec, self.size), size=self.size)
        names = tuple(f"part {number}" for number in range(self.spec.outputs))
        channels = Channels(names, "softmax") if len(names) > 1 else ONE_OUTPUT
        ours = CpuNetwork(folded, self.spec.model_dump_json(), channels, EngineChoice("openvino"))
        said: list[str] = []
        ours.said = said.append
        with torch.inference_mode():
            before, _, after = folded(image), ours(image), ours(image)
        assert said == ["by OpenVINO"]
        for one, other in zip(before, after, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4 * float(one.std()))

    def test_a_file_under_the_familys_own_names_loads_whole(
        self, network: nn.Module, tmp_path: Path
    ):
        torch.save(dict(self.published(network.state_dict())), tmp_path / "m.pth")
        second = build(self.spec, size=self.size)
        load_into(second, read_checkpoint(tmp_path / "m.pth"))
        for key, tensor in network.state_dict().items():
            assert torch.equal(tensor, second.state_dict()[key]), key

    def test_a_copy_of_its_structure_answers_to_the_bit_as_one_built_for_the_file(
        self, network: nn.Module, image: torch.Tensor, tmp_path: Path
    ):
        wanted = fold(copy_of(network, self.spec, self.size), size=self.size)
        wanted.requires_grad_(False)  # torch multiplies in another order where a weight may learn
        torch.save(network.state_dict(), tmp_path / "m.pth")
        one, other = (
            ready(self.spec, read_checkpoint(tmp_path / "m.pth"), CPU, size=self.size)
            for _ in range(2)
        )
        for parameter in other.parameters():
            parameter.zero_()
        with torch.inference_mode():
            for mine, theirs in zip(one(image), wanted(image), strict=True):
                assert mine is None or torch.equal(mine, theirs)
        assert not any(p.requires_grad or p.is_meta for p in one.parameters())

    def test_without_weights_it_takes_no_memory_for_them(self):
        empty = blank(self.spec, size=self.size)
        real = [p.numel() for p in empty.parameters() if not p.is_meta]
        assert sum(real) < 0.05 * sum(p.numel() for p in empty.parameters())

    def published(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Spell the keys as files of this family do."""
        return {key.removeprefix("network."): tensor for key, tensor in state.items()}

    def test_cost_is_counted_without_weights(self, network: nn.Module):
        told = cost(self.spec, self.size)
        assert told.parameters == sum(p.numel() for p in network.parameters())
        assert told.tensors == len(network.state_dict())
        assert told.flops > 2 * told.parameters**0.5
        assert told.memory(half=True) < told.memory(half=False)

    def test_every_parameter_learns(self, image: torch.Tensor):
        network = build(self.spec, size=self.size).train()
        answer = network(image)
        sum(part.square().mean() for part in answer if part is not None).backward()
        still = [n for n, p in network.named_parameters() if p.grad is None]
        assert not still


def shaken(network: nn.Module) -> nn.Module:
    """Give norms something to do: fresh ones are the identity, and fresh biases are zero."""
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.is_floating_point() and tensor.ndim <= 1:
                tensor.add_(torch.rand_like(tensor) * 0.2)
            elif "res." in name:
                tensor.mul_(4)
    return network


def copy_of(network: nn.Module, spec: NetworkSpec, size: int) -> nn.Module:
    second = build(spec, size=size).eval()
    second.load_state_dict(network.state_dict())
    return second


def batch_norms(network: nn.Module) -> int:
    return sum("BatchNorm" in type(module).__name__ for module in network.modules())


class TestFiveLevels(FamilyContract):
    spec = NetworkSpec(encoder="test_efficientnet")


class TestFourLevels(FamilyContract):
    spec = NetworkSpec(encoder="test_convnext")


class TestResidual(FamilyContract):
    spec = NetworkSpec(
        encoder="resnet18", encoder_args={"channels": [8, 16, 24, 32]}, decoder=(4, 8, 8, 8, 8)
    )


class TestTransformerOfOneSize(FamilyContract):
    spec = NetworkSpec(encoder="coat_lite_tiny", decoder=(4, 8, 8, 8, 8))

    def published(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key.replace("encoder.model.", "encoder."): t for key, t in state.items()}


TINY_SWIN = {"embed_dim": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}


class TestChannelsLastEncoder(FamilyContract):
    spec = NetworkSpec(
        encoder="swin_tiny_patch4_window7_224", encoder_args=TINY_SWIN, decoder=(4, 8, 8, 8, 8)
    )


class TestSeveralOutputs(FamilyContract):
    spec = NetworkSpec(encoder="test_resnet", outputs=3)


class TestDeepLab(FamilyContract):
    spec = NetworkSpec(kind="deeplabv3", encoder="resnet18", width=16, outputs=3)
    step = 1
    heads = False

    def published(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As torchvision's files do."""
        return {key.replace("encoder.", "backbone."): tensor for key, tensor in state.items()}


class TestPlainUnet(FamilyContract):
    spec = NetworkSpec(kind="plain_unet", width=4, outputs=2)
    step = 1
    heads = False


class SmpContract(FamilyContract):
    step = 1
    heads = False

    def test_every_parameter_learns(self, image: torch.Tensor):
        network = build(self.spec, size=self.size).train()
        network(image).logits.square().mean().backward()
        learns = [p.grad is not None for n, p in network.named_parameters() if ".decoder." in n]
        assert all(learns)
        assert learns


class TestSmpUnet(SmpContract):
    spec = NetworkSpec(kind="smp", encoder="tu-test_resnet", outputs=4)


class TestSmpFpn(SmpContract):
    spec = NetworkSpec(kind="smp", architecture="FPN", encoder="tu-test_efficientnet")


class TestSmpDeepLab(SmpContract):
    spec = NetworkSpec(kind="smp", architecture="DeepLabV3Plus", encoder="tu-test_resnet")


class TestSmpSegformer(SmpContract):
    spec = NetworkSpec(kind="smp", architecture="Segformer", encoder="mit_b2")


class TestSmpUpernet(SmpContract):
    spec = NetworkSpec(
        kind="smp",
        architecture="UPerNet",
        encoder="tu-swin_tiny_patch4_window7_224",
        encoder_args={**TINY_SWIN, "decoder_channels": 8},
    )


@pytest.mark.parametrize("spec", [TestFiveLevels.spec, TestResidual.spec])
def test_every_batch_norm_behind_a_convolution_is_folded(spec: NetworkSpec):
    network = build(spec).eval()
    assert batch_norms(network) > 10
    assert batch_norms(fold(network)) == 0


def test_a_norm_of_two_readers_is_not_folded():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 1)
            self.norm = nn.BatchNorm2d(4)
            self.second = nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x)
            return self.norm(y) + self.second(y)

    network = shaken(Shared()).eval()
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        before = network(image)
        torch.testing.assert_close(fold(network)(image), before)
    assert isinstance(network.norm, nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("name", "sized"),
    [
        ("coat_lite_medium", True),
        ("swin_tiny_patch4_window7_224", True),
        ("convnext_large_384_in22ft1k", False),
        ("tf_efficientnet_b7_ns", False),
        ("test_resnet", False),
    ],
)
def test_which_encoders_are_made_for_one_size(name: str, sized: bool):
    assert is_sized(NetworkSpec(encoder=name)) is sized
    assert is_sized(NetworkSpec(kind="smp", encoder=f"tu-{name}")) is sized


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"encoder": "resnet1800"}, "timm .* does not know the encoder 'resnet1800'"),
        ({"encoder": "test_resnet", "encoder_args": {"colour": 3}}, "encoder_args"),
        ({"encoder": "test_vit"}, "strides 16, 16, 16.*choose another encoder"),
        (
            {"kind": "deeplabv3", "encoder": "coat_lite_tiny", "encoder_args": {"img_size": 64}},
            "choose another",
        ),
        ({"kind": "smp", "encoder": "resnet1800"}, "does not know the encoder 'resnet1800'"),
        (
            {"kind": "smp", "encoder": "tu-test_resnet", "encoder_args": {"colour": 3}},
            "encoder_args",
        ),
    ],
)
def test_a_network_that_cannot_be_built_is_explained(spec: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said) as refused:
        build(NetworkSpec.model_validate(spec))
    assert "\n" not in str(refused.value)


def test_without_smp_the_cure_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'napari-hubseg\[smp\]'"):
        build(NetworkSpec(kind="smp", encoder="resnet18"))


def test_deeplab_answers_as_torchvisions_own_does_from_the_same_file(tmp_path: Path):
    theirs = pytest.importorskip("torchvision").models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=3, aux_loss=True
    )
    theirs = shaken(theirs).eval()
    torch.save(theirs.state_dict(), tmp_path / "m.pth")
    spec = NetworkSpec(kind="deeplabv3", encoder="resnet50", outputs=3)
    checkpoint = read_checkpoint(tmp_path / "m.pth")
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    ours = build(spec).eval()
    load_into(ours, checkpoint)
    with torch.inference_mode():
        wanted = theirs(image)
        torch.testing.assert_close(ours(image).logits, wanted["out"])
        folded = ready(spec, checkpoint, CPU, size=64)(image).logits
        torch.testing.assert_close(folded, wanted["out"], rtol=1e-3, atol=1e-4)
    assert ours.train()(torch.cat([image, image])).auxiliary.shape == (2, 3, 64, 96)


def test_a_head_for_training_alone_is_not_kept_for_a_run():
    network = ready_from(TestDeepLab.spec)
    assert not any("aux" in name for name, _ in network.named_parameters())
    assert network.train()(torch.rand(2, 3, 64, 64)).auxiliary is None


def ready_from(spec: NetworkSpec) -> nn.Module:
    return without_auxiliary(build(spec))


def test_the_plain_unet_has_the_names_of_its_best_known_files():
    names = set(build(NetworkSpec(kind="plain_unet", width=2)).state_dict())
    assert {"inc.double_conv.0.weight", "outc.conv.bias", "up1.up.weight"} <= names
    assert {
        "down4.maxpool_conv.1.double_conv.4.running_var",
        "up4.conv.double_conv.3.weight",
    } <= names
    assert not any(name.endswith("double_conv.0.bias") for name in names)


@pytest.mark.parametrize("shape", [(50, 37), (16, 16), (79, 33)])
def test_the_plain_unet_answers_at_sizes_that_four_halvings_do_not_divide(shape: tuple[int, int]):
    network = build(TestPlainUnet.spec).eval()
    with torch.inference_mode():
        logits = network(torch.rand(1, 3, *shape)).logits
    assert logits.shape == (1, 2, *shape)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    "spec", [TestFiveLevels.spec, TestDeepLab.spec, TestPlainUnet.spec, TestSmpFpn.spec]
)
def test_a_file_with_another_number_of_outputs_is_refused_in_one_sentence(
    spec: NetworkSpec, tmp_path: Path
):
    four = spec.model_copy(update={"outputs": 4})
    torch.save(build(four, size=64).state_dict(), tmp_path / "m.pth")
    with pytest.raises(ValueError, match=f"has 4 outputs and .* are {spec.outputs}: name") as told:
        check_checkpoint(tmp_path / "m.pth", shapes(spec, 64))
    assert "\n" not in str(told.value)
