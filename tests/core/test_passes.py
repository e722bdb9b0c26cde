"""Passes, tiles and kept networks: the same numbers, whatever memory allows."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hubseg.inference import (
    Cancelled,
    LoadedNetworks,
    Order,
    Tiling,
    choose_precision,
    load_member,
    predict_member,
    see,
)
from hubseg.inference.passes import ExecutionPlan, Passes
from hubseg.inference.resample import Resampled
from hubseg.inference.views import views
from hubseg.network import Prediction, build, cast_weights
from hubseg.recipe import Entry, Member, NetworkSpec, Recipe, Resolution
from hubseg.slide import Slide, read_slide

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
SPEC = NetworkSpec(encoder="test_resnet")
SMALL = Tiling(side=128, overlap=96, margin=32)


def plan(spec: NetworkSpec = SPEC, **resolution: float) -> Recipe:
    entry = Entry(network=spec, checkpoint="m_{fold}")
    return Recipe(name="t", folds=(0, 1), resolutions=(Resolution(members=(entry,), **resolution),))


class Near(nn.Module):
    """A network that looks 7 px far and remembers how many images it was shown."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 5, stride=2, padding=2)
        self.second = nn.Conv2d(4, 1, 5, padding=2)
        self.shown: list[int] = []

    def forward(self, x: torch.Tensor) -> Prediction:
        self.shown.append(len(x))
        return Prediction(self.second(torch.relu(self.first(x))))


@pytest.fixture
def pixels() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
    return cv2.resize(noise, (398, 310), interpolation=cv2.INTER_CUBIC)


# ---- tiles --------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(4, 12), st.integers(0, 1))
def test_weights_of_tiles_add_up_to_one_everywhere(blocks: int, side: int, margin: int):
    length, tiling = blocks * 32, Tiling(32 * side, 32 * 3, 32 * margin)
    total = np.zeros(length)
    for start, weights in zip(tiling.starts(length), tiling.weights(length), strict=True):
        assert start % 32 == 0
        assert 0 <= weights.min() <= weights.max() <= 1
        total[start : start + len(weights)] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("wrong", [(100, 64, 0), (128, 128, 0), (128, 64, 32), (256, 64, -32)])
def test_tiles_that_cover_nothing_are_refused(wrong: tuple[int, int, int]):
    with pytest.raises(ValueError, match="multiples of 32"):
        Tiling(*wrong)


@pytest.mark.parametrize("tta", ["none", "d4"])
def test_tiled_is_whole_where_the_field_of_view_allows(pixels: np.ndarray, tta: str):
    recipe = plan(scale=1.0).model_copy(update={"tta": tta})
    member, network = recipe.members()[0], Near().eval()
    whole = predict_member(network, pixels, recipe, member)
    tiled = predict_member(network, pixels, recipe, member, tiling=SMALL)
    assert len(network.shown) > 2 * len(views(tta))
    np.testing.assert_allclose(tiled.values, whole.values, atol=1e-6)


def test_tiled_is_near_whole_and_shows_no_seam_where_a_network_sees_everything(
    pixels: np.ndarray, weights: Path
):
    recipe = plan(scale=1.0)
    member = recipe.members()[0]
    network = load_member(recipe, member, weights / "m_0", CPU)
    whole = predict_member(network, pixels, recipe, member).values
    tiled = predict_member(network, pixels, recipe, member, tiling=SMALL).values
    assert tiled.shape == whole.shape
    assert np.abs(tiled - whole).mean() < 0.02
    added = np.abs(np.diff(tiled - whole, axis=1)).max(axis=0)
    assert added.max() < 0.06  # a hard edge between tiles would show in one column


def test_a_network_of_one_size_sees_tiles_of_that_size(pixels: np.ndarray):
    spec = NetworkSpec(encoder="coat_lite_tiny", decoder=(4, 4, 4, 4, 4))
    recipe, network = plan(spec, scale=0.2), Near().eval()
    sizes: list[torch.Size] = []
    network.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape[-2:]))
    made = predict_member(network, pixels, recipe, recipe.members()[0], tiling=SMALL)
    assert set(sizes) == {torch.Size([128, 128])}
    assert made.values.shape == (31, 40)


# ---- slides by window ---------------------------------------------------------------------------


@pytest.fixture
def slide(tmp_path: Path, pixels: np.ndarray) -> Slide:
    cv2.imwrite(str(tmp_path / "slide.png"), pixels)
    return read_slide(tmp_path / "slide.png")


@pytest.mark.parametrize(
    "resolution", [{"scale": 0.5}, {"scale": 0.37}, {"scale": 1.0}, {"scale": 1.7}, {"size": 96}]
)
def test_a_slide_read_by_window_looks_as_when_read_whole(
    slide: Slide, resolution: dict[str, float]
):
    recipe = plan(**resolution)
    whole = see(slide.read(), recipe, recipe.resolutions[0])
    by_window = see(slide, recipe, recipe.resolutions[0])
    assert whole.padded == by_window.padded
    one_level = 1.01 / 127
    assert (whole.tensor() - by_window.tensor()).abs().max() <= one_level
    window = (32, 64, 32, 32)
    assert torch.equal(by_window.tensor(*window), by_window.tensor()[:, :, 32:64, 64:96])


@settings(max_examples=25)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(40, 300), st.integers(17, 120))
def test_taps_of_a_resized_pixel_add_up_to_one(first: int, count: int, length: int, resized: int):
    from hubseg.inference.resample import taps

    for area in (True, False):
        indices, weights = taps(first % resized, min(count, 9), length, resized, area=area)
        if area and resized > length:
            continue
        assert 0 <= indices.min() <= indices.max() < length
        inside = (np.arange(first % resized, first % resized + min(count, 9)) < resized)[:, None]
        np.testing.assert_allclose((weights * inside).sum(1), inside[:, 0], atol=1e-5)


def test_a_slide_is_read_in_strips_and_from_the_level_that_suffices(
    slide: Slide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hubseg.inference.resample._AT_ONCE", 398 * 40)
    asked: list[tuple[int, int]] = []
    read = Slide.read

    def note(self: Slide, window: Any = None, level: int = 0) -> Any:
        asked.append(window[2:])
        return read(self, window, level)

    once = Resampled(slide, 124, 158, area=True).read(0, 0, 124, 158)
    monkeypatch.setattr(Slide, "read", note)
    strips = Resampled(slide, 124, 158, area=True).read(0, 0, 124, 158)
    np.testing.assert_array_equal(strips, once)
    assert len(asked) > 5
    assert max(high * wide for high, wide in asked) < 398 * 50
    pyramid = Slide("p", slide.path, 4000, 4000, levels=((4000, 4000), (1000, 1000), (250, 250)))
    assert Resampled(pyramid, 1000, 1000, area=True).level == 1
    assert Resampled(pyramid, 1001, 1001, area=True).level == 0
    assert Resampled(pyramid, 100, 100, area=True).level == 2


# ---- views and memory ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 64), (64, 96)])
@pytest.mark.parametrize("tta", ["none", "flips", "flip_rot90", "d4"])
def test_views_at_once_give_what_one_by_one_gives(tta: str, shape: tuple[int, int]):
    image = torch.rand(1, 3, *shape)
    made = [
        Passes(Near().eval(), ExecutionPlan(CPU, torch.float32, count), views(tta))
        .mean(image)
        .values
        for count in (1, 3, 8)
    ]
    np.testing.assert_allclose(made[1], made[0], atol=1e-6)
    np.testing.assert_allclose(made[2], made[0], atol=1e-6)


class Cramped(Near):
    """Runs out of memory with more than so many images at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def forward(self, x: torch.Tensor) -> Prediction:
        if len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(x)


def test_out_of_memory_takes_fewer_views_at_once_says_so_and_loses_none():
    network, said = Cramped(2).eval(), []
    passes = Passes(network, ExecutionPlan(CPU, torch.float32, 8), views("d4"), said=said.append)
    image = torch.rand(1, 3, 64, 64)
    made = passes.mean(image).values
    wanted = (
        Passes(Near().eval(), ExecutionPlan(CPU, torch.float32, 1), views("d4")).mean(image).values
    )
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    assert network.shown == [2, 2, 2, 2]
    assert said == [
        "out of memory on the computer: 4 views at once",
        "out of memory on the computer: 2 views at once",
    ]
    assert passes.execution.at_once == 2  # and stays there for the next tile


def test_the_way_down_is_views_then_half_precision_then_the_cpu_each_said():
    execution, said = ExecutionPlan(CUDA, torch.float32, 4), []
    while execution.device.type == "cuda":
        execution, words = execution.lower()
        said.append((words.partition(": ")[2], execution.precision, execution.at_once))
    assert said == [
        ("2 views at once", torch.float32, 2),
        ("one view at once", torch.float32, 1),
        ("half precision", torch.float16, 1),
        ("this network runs on the CPU", torch.float32, 1),
    ]
    with pytest.raises(MemoryError, match="not enough memory for one view"):
        execution.lower()


class OnPaper(Passes):
    """A GPU that exists on paper: it is never asked to calculate."""

    moved = 0

    def _move(self, thing: Any) -> Any:
        self.moved += isinstance(thing, nn.Module)
        return thing

    def _arithmetic(self) -> Any:
        return nullcontext()


def test_a_gpu_without_room_for_one_view_gives_way_to_the_cpu():
    class Full(Near):
        def forward(self, x: torch.Tensor) -> Prediction:
            if passes.execution.device.type == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(x)

    said: list[str] = []
    network = Full().eval()
    start = ExecutionPlan(CUDA, torch.float16, 2)
    passes = OnPaper(network, start, views("flips"), said=said.append)
    assert np.isfinite(passes.mean(torch.rand(1, 3, 32, 32)).values).all()
    assert network.shown == [1, 1, 1, 1]
    assert passes.moved == 1
    assert [words.partition(": ")[2] for words in said] == [
        "one view at once",
        "this network runs on the CPU",
    ]


def test_an_image_without_room_on_the_gpu_is_made_on_the_cpu_and_that_is_said():
    """The weights may leave no room for the image itself."""
    said: list[str] = []
    passes = OnPaper(
        Near().eval(), ExecutionPlan(CUDA, torch.float16, 2), views("flips"), said=said.append
    )

    def make(device: torch.device) -> torch.Tensor:
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch.rand(1, 3, 32, 32)

    assert np.isfinite(passes.mean(passes.placed(make)).values).all()
    assert passes.execution.device == CPU
    assert said[-1] == "out of memory on the GPU: this network runs on the CPU"


def test_weights_that_were_cast_for_a_gpu_are_whole_again_on_the_cpu():
    network = Near().eval()
    cast_weights(network, torch.float16)
    passes = OnPaper(network, ExecutionPlan(CUDA, torch.float16, 1), views("none"))
    passes._lower([])
    assert {one.dtype for one in network.parameters()} == {torch.float32}


def test_networks_that_only_wait_on_a_gpu_go_before_a_view_does():
    network, said, waiting = Cramped(1).eval(), [], [2, 1]

    def make_room() -> bool:
        if waiting:
            network.room += waiting.pop()
            return True
        return False

    more = {"said": said.append, "make_room": make_room}
    passes = OnPaper(network, ExecutionPlan(CUDA, torch.float16, 4), views("flip_rot90"), **more)
    passes._wait = lambda: None  # nothing is on its way on paper
    assert np.isfinite(passes.mean(torch.rand(1, 3, 32, 32)).values).all()
    assert network.shown == [4]
    assert said == ["out of memory on the GPU: networks that waited there were let go"] * 2


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 MiB",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_every_way_to_say_that_memory_ran_out_is_understood(said: str):
    class Full(Near):
        def forward(self, x: torch.Tensor) -> Prediction:
            if len(x) > 1:
                raise RuntimeError(said)
            return super().forward(x)

    network = Full().eval()
    Passes(network, ExecutionPlan(CPU, torch.float32, 2), views("flips")).mean(
        torch.rand(1, 3, 32, 32)
    )
    assert network.shown == [1, 1, 1, 1]


def test_another_fault_of_a_network_is_no_lack_of_memory():
    class Wrong(Near):
        def forward(self, x: torch.Tensor) -> Prediction:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    passes = Passes(Wrong().eval(), ExecutionPlan(CPU, torch.float32, 2), views("flips"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        passes.mean(torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("searched", [False, True])
def test_cudnn_stays_switched_on_and_searches_when_told_to(searched: bool):
    execution = ExecutionPlan(CUDA, torch.float32, 1, searched=searched)
    before = torch.backends.cudnn.benchmark
    with Passes(Near(), execution, views("none"))._arithmetic():
        assert torch.backends.cudnn.enabled
        assert torch.backends.cudnn.benchmark is searched
    assert torch.backends.cudnn.benchmark is before


def test_a_computer_without_room_says_so_in_one_sentence(pixels: np.ndarray):
    recipe = plan(size=64)
    with pytest.raises(MemoryError, match="use a smaller size") as refused:
        predict_member(Cramped(0).eval(), pixels, recipe, recipe.members()[0])
    assert "\n" not in str(refused.value)


def test_a_pass_stops_between_two_layers():
    network = build(SPEC).eval()
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 12

    passes = Passes(
        network, ExecutionPlan(CPU, torch.float32, 1), views("none"), cancelled=cancelled
    )
    with pytest.raises(Cancelled):
        passes.mean(torch.rand(1, 3, 64, 64))
    assert asked == 13
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_cancel_in_the_middle_of_a_view_waits_for_no_further_layer(pixels: np.ndarray):
    recipe = plan(NetworkSpec(encoder="mobilenetv3_small_050"), size=256)
    network = build(recipe.members()[0].network).eval()
    asked = threading.Event()
    ended: list[nn.Module] = []  # layers that ended after a person asked
    for layer in [module for module in network.modules() if not list(module.children())]:
        layer.register_forward_hook(
            lambda layer, *_: ended.append(layer) if asked.is_set() else None
        )
    network.encoder.register_forward_hook(lambda *_: asked.set())
    with pytest.raises(Cancelled):
        predict_member(network, pixels, recipe, recipe.members()[0], cancelled=asked.is_set)
    assert ended == []


# ---- precision ----------------------------------------------------------------------------------


def test_precision_is_the_devices_own_unless_asked_for():
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("auto", CUDA) == torch.float16
    assert choose_precision("float32", CUDA) == torch.float32


@pytest.mark.parametrize(
    ("name", "said"), [("float16", "A CPU"), ("float8", "auto, float32"), ("bfloat16", "AVX512")]
)
def test_a_precision_that_is_not_there_is_said(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    with pytest.raises(ValueError, match=said):
        choose_precision(name, CPU)


def test_bfloat16_by_choice_is_near(
    pixels: np.ndarray, weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    recipe = plan(size=64)
    network = load_member(recipe, recipe.members()[0], weights / "m_0", CPU)
    exact, near = (
        predict_member(network, pixels, recipe, recipe.members()[0], precision=name).values
        for name in ("float32", "bfloat16")
    )
    assert 0 < np.abs(exact - near).mean() < 0.02


# ---- the shelf ----------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for fold in (0, 1):
        torch.manual_seed(fold)
        torch.save({"state_dict": build(SPEC).state_dict()}, tmp_path / f"m_{fold}")
    return tmp_path


def order(weights: Path, fold: int, **more: Any) -> Order:
    recipe = plan(scale=0.5)
    member: Member = recipe.members()[fold]
    return Order(recipe, member, weights / f"m_{fold}", f"digest {fold}", "cpu", **more)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files read, and whether in a thread of the shelf's own."""
    seen: list[str] = []

    def note(recipe: Recipe, member: Member, path: Path, *rest: Any, **more: Any) -> nn.Module:
        aside = threading.current_thread() is not threading.main_thread()
        seen.append(f"{path.name}{' ahead' if aside else ''}")
        return load_member(recipe, member, path, *rest, **more)

    monkeypatch.setattr("hubseg.inference.loaded_networks.load_member", note)
    return seen


def test_a_network_is_read_once_while_it_fits_the_budget(weights: Path, reads: list[str]):
    shelf = LoadedNetworks(1 << 30)
    first = shelf.take(order(weights, 0))
    shelf.take(order(weights, 1))
    assert shelf.take(order(weights, 0)) is first
    assert reads == ["m_0", "m_1"]
    assert len(shelf) == 2
    shelf.clear()
    assert (len(shelf), shelf.nbytes) == (0, 0)


def test_the_least_recently_used_goes_first(weights: Path, reads: list[str]):
    shelf = LoadedNetworks(1)
    shelf.take(order(weights, 0))
    shelf.take(order(weights, 1))
    assert len(shelf) == 1
    shelf.take(order(weights, 0))
    assert reads == ["m_0", "m_1", "m_0"]


def test_the_next_checkpoint_is_read_meanwhile(weights: Path, reads: list[str]):
    shelf = LoadedNetworks(1 << 30)
    shelf.take(order(weights, 0))
    shelf.expect(order(weights, 1))
    shelf.take(order(weights, 1))
    shelf.expect(order(weights, 0))
    assert reads == ["m_0", "m_1 ahead"]
    shelf.clear()


def test_a_damaged_file_read_ahead_is_said_when_its_turn_comes(weights: Path):
    shelf = LoadedNetworks(1 << 30)
    (weights / "m_1").write_bytes(b"nothing")
    shelf.expect(order(weights, 1))
    with pytest.raises(ValueError, match="m_1"):
        shelf.take(order(weights, 1))
    shelf.clear()


def test_networks_that_wait_are_let_go_when_asked(weights: Path):
    shelf = LoadedNetworks(1 << 30)
    shelf.take(order(weights, 0))
    last = shelf.take(order(weights, 1))
    assert shelf.spare()
    assert not shelf.spare()
    assert shelf.take(order(weights, 1)) is last
    assert len(shelf) == 1


def test_a_device_without_room_first_loses_the_others_then_says_so(
    weights: Path, monkeypatch: pytest.MonkeyPatch
):
    shelf, said = LoadedNetworks(1 << 30), []
    shelf.take(order(weights, 0))
    to = nn.Module.to

    def full(self: nn.Module, device: Any = None, **more: Any) -> nn.Module:
        if str(device) == "cpu" and len(said) < 1 and len(tried) < 2:
            tried.append(len(shelf))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return to(self, device, **more) if device is not None else to(self, **more)

    tried: list[int] = []
    second = shelf._read(order(weights, 1))
    monkeypatch.setattr(nn.Module, "to", full)
    shelf._placed(second, CPU, said.append)
    assert tried == [1, 0]
    assert said == ["no room for this network on cpu: it runs on the CPU"]


def test_networks_are_compiled_when_asked(weights: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[nn.Module] = []
    monkeypatch.setattr(torch, "compile", lambda network, **_: asked.append(network) or network)
    LoadedNetworks(1 << 30, compiled=True).take(order(weights, 0))
    assert len(asked) == 1
