"""What holds on a GPU alone; skipped where there is none."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from hubseg.inference import (
    Cancelled,
    LoadedNetworks,
    Order,
    load_member,
    normalise,
    predict,
    predict_member,
)
from hubseg.inference.passes import ExecutionPlan
from hubseg.network import build
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import read_slide

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SPEC = NetworkSpec(encoder="test_efficientnet")
RECIPE = Recipe(
    name="t",
    folds=(0, 1),
    channel_order="bgr",
    resolutions=(Resolution(size=256, members=(Entry(network=SPEC, checkpoint="m_{fold}"),)),),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for fold in (0, 1):
        torch.manual_seed(fold)
        state = {"state_dict": build(SPEC).state_dict(), "best_score": np.float64(0.5)}
        torch.save(state, folder / f"m_{fold}")
    return folder


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (400, 500, 3), np.uint8)


def network_on(
    device: torch.device, weights: Path, fold: int = 0, precision: str = "float32"
) -> torch.nn.Module:
    member = RECIPE.members()[fold]
    return load_member(RECIPE, member, weights / f"m_{fold}", device, precision=precision)


def values(device: torch.device, weights: Path, pixels: np.ndarray, precision: str) -> np.ndarray:
    network = network_on(device, weights)
    return predict_member(network, pixels, RECIPE, RECIPE.members()[0], precision=precision).values


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_pixels_are_normalised_to_the_bits_of_the_cpu(pixels: np.ndarray, order: str):
    there = normalise(pixels, RECIPE.normalize, order, CUDA)
    assert there.is_cuda
    assert torch.equal(there.cpu(), normalise(pixels, RECIPE.normalize, order))


@pytest.mark.parametrize(("precision", "far"), [("float32", 0.004), ("float16", 0.02)])
def test_the_map_is_that_of_the_cpu(weights: Path, pixels: np.ndarray, precision: str, far: float):
    wanted = values(CPU, weights, pixels, "float32")
    assert np.abs(values(CUDA, weights, pixels, precision) - wanted).max() < far


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_views_at_once_give_what_one_by_one_gives(weights: Path, pixels: np.ndarray, at_once: int):
    network, execution = network_on(CUDA, weights), ExecutionPlan(CUDA, torch.float32, at_once)
    made = predict_member(network, pixels, RECIPE, RECIPE.members()[0], execution=execution)
    np.testing.assert_allclose(made.values, values(CUDA, weights, pixels, "float32"), atol=0.004)


def test_a_network_is_read_ahead_onto_the_device_beside_one_that_runs(
    weights: Path, pixels: np.ndarray
):
    shelf = LoadedNetworks()
    orders = [
        Order(RECIPE, member, weights / member.checkpoint, member.checkpoint, "cuda")
        for member in RECIPE.members()
    ]
    first = shelf.take(orders[0])
    shelf.expect(orders[1])
    predict_member(first, pixels, RECIPE, RECIPE.members()[0])
    staged = shelf._coming[orders[1].key].result()
    assert staged.held.is_cuda
    assert staged.held.cpu().numpy().tobytes() == (weights / "m_1").read_bytes()
    coming = shelf.take(orders[1])
    assert all(parameter.is_cuda for parameter in coming.parameters())
    beside = predict_member(coming, pixels, RECIPE, RECIPE.members()[1]).values
    alone = predict_member(
        *(network_on(CUDA, weights, 1, "auto"), pixels, RECIPE, RECIPE.members()[1])
    )
    np.testing.assert_array_equal(beside, alone.values)
    shelf.clear()


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_loaded_through_its_bytes_a_network_has_the_weights_of_its_file(
    weights: Path, precision: str
):
    there = network_on(CUDA, weights, precision=precision)
    here = network_on(CPU, weights)
    wanted = dict(here.state_dict())
    for name, tensor in there.state_dict().items():
        cast = wanted[name].to(tensor.dtype)
        torch.testing.assert_close(tensor.cpu(), cast, rtol=2e-3, atol=1e-6)
    kept = sum(one.nbytes for one in there.state_dict().values())
    owned = {one.untyped_storage().data_ptr(): one for one in there.state_dict().values()}
    held = sum(one.untyped_storage().nbytes() for one in owned.values())
    assert held <= kept + 64 * len(wanted)  # tensors begin at multiples of 64 bytes


def test_an_image_that_has_no_room_on_the_gpu_is_seen_by_the_cpu(weights: Path, pixels: np.ndarray):
    network, said = network_on(CUDA, weights), []
    wanted = values(CPU, weights, pixels, "float32")
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_allocated() / whole)
    try:
        made = predict_member(network, pixels, RECIPE, RECIPE.members()[0], said=said.append)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert said[-1] == "out of memory on the GPU: this network runs on the CPU"
    np.testing.assert_allclose(made.values, wanted, atol=0.02)


def test_a_device_without_room_gives_way_step_by_step_to_the_cpu(weights: Path, pixels: np.ndarray):
    network, said = network_on(CUDA, weights), []
    wanted = values(CPU, weights, pixels, "float32")
    torch.cuda.empty_cache()
    cap = torch.cuda.memory_reserved() + 2 * 2**20
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(cap / whole)
    try:
        made = predict_member(network, pixels, RECIPE, RECIPE.members()[0], said=said.append)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert said[-1] == "out of memory on the GPU: this network runs on the CPU"
    np.testing.assert_allclose(made.values, wanted, atol=0.02)


def test_a_run_that_is_stopped_ends_at_once(weights: Path, pixels: np.ndarray):
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Cancelled):
        predict_member(
            *(network_on(CUDA, weights), pixels, RECIPE, RECIPE.members()[0]),
            cancelled=stopped.is_set,
        )


def test_a_recipe_runs_from_its_files(weights: Path, pixels: np.ndarray, tmp_path: Path):
    import cv2

    cv2.imwrite(str(tmp_path / "s.png"), pixels)
    slide = read_slide(tmp_path / "s.png")
    *_, there = predict(slide, RECIPE, [weights], device="cuda")
    *_, here = predict(slide, RECIPE, [weights], device="cpu")
    assert there.done == there.total == 2
    assert np.abs(there.values - here.values).max() < 5
