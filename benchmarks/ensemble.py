"""Inference against the plain loop of the published code: same networks, same slide, equal maps.

    python benchmarks/ensemble.py [--golden DIR] [--sizes 768] [--rounds 3] [--compile]

The plain loop is, per view and member: forward, sigmoid, to NumPy, view undone, enlarged to the
slide's size, added. Networks are loaded before the clock starts. Wall and CPU seconds are printed:
on a machine that does other work, only the second says something. On a CPU our way with OpenVINO,
where it is installed, and with torch.compile, where asked for, stands beside our way with torch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from _paired import machine

from hubseg.inference import choose_precision, load_member, predict_member, see
from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.engine_choice import EngineChoice
from hubseg.inference.openvino_model import installed_version
from hubseg.inference.views import views
from hubseg.network import build, cost, load_into, read_checkpoint
from hubseg.network.fused_layers import fold
from hubseg.probability import mix
from hubseg.recipe import Entry, Member, NetworkSpec, Recipe, Resolution
from hubseg.slide import read_slide

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = torch.device("cpu")
REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("HUBSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def golden_recipe(folder: Path, sizes: set[int]) -> Recipe:
    """Return the recipe of the golden folder, of some sizes or (no sizes named) of all."""
    told = json.loads((folder / "recipe.json").read_text())
    chosen = [size for size in told["sizes"] if not sizes or size["size"] in sizes]
    total = sum(size["resolution_weight"] for size in chosen)
    return Recipe(
        name="golden",
        channel_order="bgr",
        folds=tuple(told["folds"]),
        merge="published",
        resolutions=tuple(
            Resolution(
                size=size["size"],
                weight=size["resolution_weight"] / total,
                members=tuple(
                    Entry(
                        network=NetworkSpec(encoder=entry["encoder"]),
                        checkpoint=entry["file_pattern"],
                        weight=entry["model_weight"],
                    )
                    for entry in size["entries"]
                ),
            )
            for size in chosen
        ),
    )


def plain_member(
    network: Any, image: torch.Tensor, view_set: Any, shape: tuple[int, int]
) -> np.ndarray:
    """Sum one member's views at slide size, as the published loop does."""
    summed = np.zeros(shape, np.float32)
    for view in view_set:
        seen = view.forward(image).contiguous()
        half = torch.autocast("cuda", torch.float16, enabled=image.is_cuda)
        with torch.no_grad(), half:
            logits = network(seen).logits
        probability = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
        undone = np.ascontiguousarray(view.inverse(probability))
        summed += cv2.resize(undone, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return summed


def plain_loop(recipe: Recipe, networks: list[Any], pixels: np.ndarray) -> np.ndarray:
    """Return the merged map of the published loop, float64, 0-255."""
    shape, view_set = pixels.shape[:2], views(recipe.tta)
    merged = np.zeros(shape, np.float64)
    for index, resolution in enumerate(recipe.resolutions):
        image = see(pixels, recipe, resolution).tensor()
        summed, weight = np.zeros(shape, np.float32), 0.0
        for member, network in zip(recipe.members(), networks, strict=True):
            if member.resolution == index:
                summed += plain_member(network, image, view_set, shape) * np.float32(member.weight)
                weight += member.weight * len(view_set)
        merged += (summed / np.float32(weight) * 255).astype(np.uint8) * resolution.weight
    return merged


def our_way(
    recipe: Recipe, networks: list[Any], pixels: np.ndarray, precision: str = "auto"
) -> np.ndarray:
    """Return the same map from the code the product runs."""
    made = [
        (member, predict_member(network, pixels, recipe, member, precision=precision))
        for member, network in zip(recipe.members(), networks, strict=True)
    ]
    return mix(recipe, made, shape=pixels.shape[:2], slide_digest="").values


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Return what `work` gives, with its wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def beside(
    what: str, ours: Callable[[], np.ndarray], plain: Callable[[], np.ndarray], rounds: int
) -> np.ndarray:
    """Time both in turns; print medians, ratios and how far the maps are apart."""
    spent: list[tuple[float, ...]] = []
    for _ in range(rounds):
        mine, *my_time = timed(ours)
        theirs, *their_time = timed(plain)
        spent.append((*my_time, *their_time))
    wall, cpu, plain_wall, plain_cpu = (
        statistics.median(column) for column in zip(*spent, strict=True)
    )
    ratios = sorted(row[2] / row[0] for row in spent)
    print(
        f"{what}: {wall:.2f} s against {plain_wall:.2f} s, {plain_wall / wall:.2f} times as fast "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}); CPU {cpu:.1f} s against {plain_cpu:.1f} s, "
        f"{plain_cpu / cpu:.2f} times; {deviation(mine, theirs)}",
        flush=True,
    )
    return mine - theirs


def deviation(mine: np.ndarray, theirs: np.ndarray) -> str:
    """Say how far two maps on 0-255 are apart."""
    step = np.abs(mine - theirs)
    return (
        f"maps apart: largest {step.max():.3g} levels, mean {step.mean():.2g}, "
        f"{(step > 1e-3).mean():.4%} of the pixels at all"
    )


def other_engines(
    what: str, recipe: Recipe, ours: list[Any], pixels: np.ndarray, rounds: int, compiled: bool
) -> None:
    """Our way with torch and, in turns, with OpenVINO and with torch.compile."""
    exact, choice = recipe.model_copy(update={"merge": "exact"}), EngineChoice("openvino")
    engines: dict[str, list[Any]] = {}
    if installed_version() is None:
        print(f"{what}, OpenVINO: could not be measured here: pip install openvino.")
    else:
        engines["OpenVINO"] = [
            CpuNetwork(network, member.network.model_dump_json(), member.channels, choice)
            for member, network in zip(exact.members(), ours, strict=True)
        ]
    if compiled:
        engines["torch.compile"] = [torch.compile(network, dynamic=False) for network in ours]
    plain = lambda: our_way(exact, ours, pixels)  # noqa: E731
    for name, networks in engines.items():
        _, first, _ = timed(lambda networks=networks: our_way(exact, networks, pixels))
        print(f"{what}, {name}: the first run, its models made meanwhile, {first:.1f} s")
        theirs = lambda networks=networks: our_way(exact, networks, pixels)  # noqa: E731
        apart = beside(f"{what}, {name} against torch, both our way", theirs, plain, rounds)
        if np.abs(apart).max() > 0.01:
            raise SystemExit(f"{name} does not give the same map.")


def on_cpu(golden: Path, sizes: set[int], rounds: int, compiled: bool = False) -> None:
    """Golden recipe at 3000 × 3000: float32, by other engines, and bfloat16 where it is here."""
    recipe = golden_recipe(golden, sizes)
    pixels = read_slide(golden / "images" / "90001.tiff").read()
    files = [golden / "weights" / member.checkpoint for member in recipe.members()]
    plain = []
    for member, file in zip(recipe.members(), files, strict=True):
        network = build(member.network)
        load_into(network, read_checkpoint(file))
        plain.append(network.eval())
    ours = [
        load_member(recipe, member, file, CPU)
        for member, file in zip(recipe.members(), files, strict=True)
    ]
    named = ", ".join(str(r.size) for r in recipe.resolutions)
    what = f"{len(ours)} members x {len(views(recipe.tta))} views at {named} px"
    loop = lambda: plain_loop(recipe, plain, pixels)  # noqa: E731
    apart = beside(f"{what}, float32", lambda: our_way(recipe, ours, pixels), loop, rounds)
    if np.abs(apart).max() > 1.01 or (np.abs(apart) > 1e-3).mean() > 1e-3 * len(recipe.resolutions):
        raise SystemExit("The two ways do not give the same map.")
    other_engines(f"{what}, float32", recipe, ours, pixels, rounds, compiled)
    try:
        choose_precision("bfloat16", CPU)
    except ValueError as error:
        print(f"{what}, bfloat16: could not be measured here. {error}")
        return
    low = lambda: our_way(recipe, ours, pixels, "bfloat16")  # noqa: E731
    beside(f"{what}, bfloat16 by choice", low, loop, rounds)


def on_cuda(rounds: int) -> None:
    """Time the published recipe's architectures with random weights: one fold, counted five times.

    One network is on the device at a time, as when 55 of them stream through.
    """
    if not torch.cuda.is_available():
        print("CUDA: could not be measured here, there is no GPU.")
        return
    recipe = Recipe.load("hubmap-2022-2nd-place")
    pixels = np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), np.uint8)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    totals, flops = np.zeros(2), 0
    for member in recipe.members([0]):
        size = recipe.resolutions[member.resolution].size or 0
        totals += one_on_cuda(recipe, member, pixels, size, rounds)
        flops += cost(member.network, size).flops * len(views(recipe.tta))
        torch.cuda.empty_cache()
    mine, theirs = totals * len(recipe.folds)
    floor = flops * len(recipe.folds) / matmul_rate()
    print(
        f"whole recipe on one slide: {mine:.2f} s against {theirs:.2f} s, {theirs / mine:.1f} "
        f"times; arithmetic floor {floor:.2f} s, {floor / mine:.0%} of ours"
    )


def one_on_cuda(
    recipe: Recipe, member: Member, pixels: np.ndarray, size: int, rounds: int
) -> tuple[float, float]:
    """Print and return the median seconds of one member, ours and the plain way's."""
    torch.manual_seed(0)
    network = build(member.network, size=size).eval().requires_grad_(False).to("cuda")
    image = see(pixels, recipe, recipe.resolutions[member.resolution]).tensor().to("cuda")

    def measured(work: Callable[[], Any]) -> tuple[float, float]:
        work()  # the first call looks for the fastest kernels
        torch.cuda.reset_peak_memory_stats()
        seconds = statistics.median(timed(work)[1] for _ in range(rounds))
        return seconds, torch.cuda.max_memory_allocated() / 1e9

    view_set = views(recipe.tta)
    theirs, peak = measured(lambda: plain_member(network, image, view_set, pixels.shape[:2]))
    fold(network, size=size).to(memory_format=torch.channels_last)
    mine, my_peak = measured(lambda: predict_member(network, pixels, recipe, member).values)
    print(
        f"  {member.network.encoder} at {size}: {mine * 1e3:.0f} ms against {theirs * 1e3:.0f} ms, "
        f"{theirs / mine:.1f} times; peak {my_peak:.1f} GB against {peak:.1f} GB",
        flush=True,
    )
    return mine, theirs


def matmul_rate() -> float:
    """Measure this GPU's half-precision matrix product, FLOP/s."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    for repeats in (3, 20):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(repeats):
            a @ a
        torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - begun)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--golden", type=Path, default=DATA / "golden", help="the golden files")
    asked.add_argument("--sizes", type=int, nargs="*", default=[], help="such as 768; default: all")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--compile", action="store_true", help="torch.compile too: minutes")
    given = asked.parse_args()
    torch.set_num_threads(given.threads)
    machine()
    print(f"torch {torch.__version__}, {given.threads} threads")
    if given.golden.is_dir():
        on_cpu(given.golden, set(given.sizes), given.rounds, given.compile)
    else:
        sys.stdout.write(f"CPU: no golden files in {given.golden}: set HUBSEG_TEST_DATA.\n")
    on_cuda(given.rounds)
